"""Stand-ins for clouds, as strict as their documentation: a question they would not answer is refused and noted.

Graph: developers.facebook.com, "Retrieving leads", "Cursor-based pagination", "Access tokens". Bitrix24:
bitrix-tools/b24-rest-docs, `crm.settings.mode.get`, `crm.lead.list`, `crm.lead.get`. GetResponse: apidocs.getresponse.com, "Contacts".
Tokens: RFC 6749, 4.4 and 6, as
Microsoft and Google give them; RFC 7662 for the mail server that asks whose one is.
"""

import contextlib
import json
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

FIELDS = {"id", "created_time", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name", "form_id",
          "field_data", "is_organic", "platform", "custom_disclaimer_responses"}


class Refused(Exception):
    pass


def need(right, why):
    if not right:
        raise Refused(why)


class Cloud:
    """Answers on loopback until it is closed; `refused` says what was asked wrongly."""

    def __init__(self):
        self.refused, self.asked, self.away = [], [], False
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                cloud.answer(self)

            def do_POST(self):
                cloud.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        status, body = 200, None
        try:
            if self.away:
                status, body = 500, {"error": {"code": 2}}
            else:
                parts = urlsplit(request.path)
                self.asked.append(parts.path)
                posted = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
                body = self.say(parts.path, posted or parts.query, request.headers)
                status = 500 if isinstance(body, dict) and "code" in (body.get("error") or ()) else 200
        except Refused as why:
            self.refused.append(f"{request.path}: {why}")
            status, body = 400, {"error": {"code": 100, "message": str(why)}}
        raw = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def opened(cloud):
    try:
        yield cloud
    finally:
        cloud.close()
    assert cloud.refused == []


def paged(rows, size, after):
    """One page of a list and where the next begins, none behind the last."""
    start = int(after or 0)
    return rows[start:start + size], start + size if start + size < len(rows) else None


class Graph(Cloud):
    """A page with lead forms. Pages of its lists are short, whatever is asked for."""

    TOKEN, PAGE = "page-token", 2

    def __init__(self):
        super().__init__()
        self.forms, self.leads, self.broken = {}, {}, set()

    def form(self, form, status="ACTIVE"):
        self.forms[form] = status

    def lead(self, lead, form, person, at):
        written = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+0000")
        said = {"full_name": person.name, "phone_number": person.phone, "email": person.email}
        answers = [{"name": name, "values": [value]} for name, value in said.items()]
        self.leads[lead] = {"id": lead, "created_time": written, "form_id": form, "field_data": answers, "at": at}

    def say(self, path, query, headers):
        need(headers.get("Authorization") == f"Bearer {self.TOKEN}", "Invalid OAuth access token")
        query = {name: values[-1] for name, values in parse_qs(query, strict_parsing=True).items()}
        version, *edge = path.strip("/").split("/")
        need(version == "v24.0", "Unknown version")
        match edge:
            case ["me", "leadgen_forms"]:
                need(set(query) <= {"fields", "limit", "after"} and query["fields"] == "id,status", "Invalid parameter")
                return self.page([{"id": form, "status": status} for form, status in self.forms.items()], query)
            case [form, "leads"]:
                need(form in self.forms, "Unsupported get request")
                return self.page(self.newer(form, query), query)
            case [lead] if lead in self.broken:
                return {"error": {"code": 1, "message": "An unknown error occurred"}}
            case [lead]:
                need(lead in self.leads and set(query) == {"fields"}, "Unsupported get request")
                fields = set(query["fields"].split(","))
                need(fields <= FIELDS, f"Tried accessing nonexisting field {fields - FIELDS}")
                return {name: value for name, value in self.leads[lead].items() if name in fields | {"id"}}
        raise Refused("Unknown path components")

    def newer(self, form, query):
        need(set(query) <= {"fields", "filtering", "limit", "after"}, "Invalid parameter")
        need(set(query["fields"].split(",")) <= FIELDS, "Tried accessing nonexisting field")
        [rule] = json.loads(query["filtering"])
        need(set(rule) == {"field", "operator", "value"} and rule["field"] == "time_created", "Invalid filtering")
        need(rule["operator"] in ("GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN"), "Invalid operator")
        need(isinstance(rule["value"], int), "Filtering value must be a UNIX time")
        rows = [lead for lead in self.leads.values() if lead["form_id"] == form and lead["at"] > rule["value"]]
        return [{"id": lead["id"], "created_time": lead["created_time"]} for lead in rows]

    def page(self, rows, query):
        need(0 < int(query.get("limit", 25)) <= 500, "Please reduce the amount of data")
        some, after = paged(rows, self.PAGE, query.get("after"))
        if not some:
            return {"data": []}
        cursors = {"before": "0", "after": str(after if after is not None else len(rows))}
        return {"data": some, "paging": {"cursors": cursors, **({"next": "https://elsewhere.example/"} if after else {})}}


class Portal(Cloud):
    """A Bitrix24 with leads; `/rest/1/code/` is its inbound webhook."""

    PAGE = 50

    def __init__(self):
        super().__init__()
        self.leads = {}

    def lead(self, lead, person, at, source="WEBFORM"):
        self.leads[lead] = {
            "ID": lead, "TITLE": "Заполнение CRM-формы", "NAME": person.name, "SOURCE_ID": source, "at": at,
            "DATE_CREATE": datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds"),
            "PHONE": [{"ID": "1", "VALUE": person.phone, "VALUE_TYPE": "WORK", "TYPE_ID": "PHONE"}],
            "EMAIL": [{"ID": "2", "VALUE": person.email, "VALUE_TYPE": "WORK", "TYPE_ID": "EMAIL"}],
        }

    def say(self, path, query, _):
        prefix = "/rest/1/code/"
        need(path.startswith(prefix) and path.endswith(".json"), "INVALID_CREDENTIALS")
        asked = parse_qsl(query, strict_parsing=True) if query else []
        match path.removeprefix(prefix).removesuffix(".json"):
            case "crm.settings.mode.get":
                return {"result": 1, "time": {}}
            case "crm.lead.get":
                need([name for name, _ in asked] == ["id"] and asked[0][1] in self.leads, "Not found")
                lead = asked[0][1]
                return {"result": {name: value for name, value in self.leads[lead].items() if name != "at"}}
            case "crm.lead.list":
                return self.list(asked)
        raise Refused("ERROR_METHOD_NOT_FOUND")

    def list(self, asked):
        names = {name for name, _ in asked}
        need(names == {"select[]", "filter[>=DATE_CREATE]", "order[ID]", "start"}, f"odd parameters {names}")
        said = dict(asked)
        since = datetime.fromisoformat(said["filter[>=DATE_CREATE]"]).timestamp()
        select = [value for name, value in asked if name == "select[]"]
        need(said["order[ID]"] == "ASC" and int(said["start"]) % self.PAGE == 0, "odd order or start")
        rows = [lead for lead in self.leads.values() if lead["at"] >= since]
        some, after = paged(sorted(rows, key=lambda lead: int(lead["ID"])), self.PAGE, said["start"])
        result = [{name: lead[name] for name in select if name in lead} for lead in some]
        return {"result": result, "total": len(rows), **({"next": after} if after else {})}


class GetResponse(Cloud):
    """An account with contacts; its lists do not tell the account's own fields."""

    KEY = "key-of-the-account"

    def __init__(self):
        super().__init__()
        self.contacts = {}

    def contact(self, id, person, at, origin="www"):
        own = {"customFieldId": "f1", "name": "phone", "value": [person.phone], "values": [person.phone], "type": "phone"}
        self.contacts[id] = {
            "contactId": id, "name": person.name, "email": person.email, "origin": origin, "at": at,
            "createdOn": datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "campaign": {"campaignId": "l1", "name": "spring"}, "customFieldValues": [own],
        }

    def say(self, path, query, headers):
        need(headers.get("X-Auth-Token") == f"api-key {self.KEY}", "Unable to authenticate request")
        match path.removeprefix("/v3/").split("/"):
            case ["contacts"]:
                return self.list(dict(parse_qsl(query, strict_parsing=True)))
            case ["contacts", id]:
                need(id in self.contacts and not query, "Resource not found")
                return {name: value for name, value in self.contacts[id].items() if name != "at"}
        raise Refused("Resource not found")

    def list(self, asked):
        need(set(asked) == {"query[createdOn][from]", "fields", "sort[createdOn]", "page", "perPage"}, f"odd {asked}")
        since = datetime.strptime(asked["query[createdOn][from]"], "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp()
        need(asked["sort[createdOn]"] == "asc" and 1 <= int(asked["perPage"]) <= 1000, "odd sort or size")
        rows = sorted((row for row in self.contacts.values() if row["at"] >= since), key=lambda row: row["at"])
        size, page = int(asked["perPage"]), int(asked["page"])
        names = {"contactId", *asked["fields"].split(",")}
        return [{name: row[name] for name in names} for row in rows[size * (page - 1):size * page]]


class Tokens(Cloud):
    """Gives access tokens for one mailbox, and says whose one is."""

    CLIENT, SECRET, PREFIX = "client-1", "client secret & more", "ya29.token-"

    def __init__(self, user, refresh_token=None):
        super().__init__()
        self.user, self.refresh_token = user, refresh_token
        self.given, self.good = 0, set()

    def revoke(self):
        self.good.clear()

    def say(self, path, query, _):
        asked = dict(parse_qsl(query, strict_parsing=True))
        match path:
            case "/token":
                return self.give(asked)
            case "/introspect":
                return {"active": True, "email": self.user} if asked["token"] in self.good else {"active": False}
        raise Refused("no such path")

    def give(self, asked):
        grant = "refresh_token" if self.refresh_token else "client_credentials"
        need(asked.get("grant_type") == grant and asked.get("refresh_token") == self.refresh_token, "invalid_grant")
        if (asked.get("client_id"), asked.get("client_secret")) != (self.CLIENT, self.SECRET):
            return {"error": "invalid_client"}
        self.given += 1
        token = f"{self.PREFIX}{self.given}"
        self.good.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3599}
