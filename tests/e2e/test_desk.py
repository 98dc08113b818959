"""Does the desk let in whom it should, do what it is told once, and explain itself?"""

import base64
import json
import urllib.parse

import pytest
import requests
from house import DEMO, wait_until
from knocks import (
    BOT_SECRET, IVAN, LINE, LINE_SECRET, SHOWN_WITHIN, ask, books, by_phone, form, grown, kinds, knock, lead, leads,
    marked, new_id, new_phone, running, told,
)
from twilio.request_validator import RequestValidator

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("desk")) as house:
        yield house


def new_lead(house, **fields):
    mark = new_id("desk")
    form(house, {"phone": new_phone(), "case": mark} | fields)
    return marked(house, mark)


def refused(answer, status):
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == PROBLEM and answer.json()["status"] == status
    return answer.json()


# --- who may ask

SECRETS = {scope: f"token-of-the-{scope}-scope" for scope in ("read", "feedback", "manage", "other")}
TOKENS = [{"name": scope, "token": SECRETS[scope], "scopes": [scope]} for scope in ("read", "feedback", "manage")]
TOKENS.append({"name": "other", "token": SECRETS["other"], "scopes": ["manage"], "workspaces": ["second"]})
SECOND = 'name = "Second"\nregion = "RU"\ntime_zone = "Europe/Moscow"\n' + """
[[channel]]
id = "second-form"
source = "form"
responsible = "olga"

[[person]]
id = "olga"
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    workspaces = {"demo": DEMO.read_text(), "second": SECOND}
    folder = tmp_path_factory.mktemp("guarded")
    with running(folder, settings={"desk.tokens": TOKENS}, workspaces=workspaces, token=SECRETS["manage"]) as house:
        yield house


def bearing(house, secret, path, **request):
    """The answer for one token only."""
    return ask(house, path, headers={"Authorization": f"Bearer {secret}"}, **request)


def test_without_a_right_token_nobody_is_told_anything(guarded):
    bodies = set()
    for secret in ("", "wrong", SECRETS["read"][:-1], SECRETS["read"] + "x", SECRETS["read"].upper(), "x" * 8000):
        for path in ("events", "leads", "leads/none", "exclusions", "books", "no-such-path", "people/ivan/presence"):
            answer = bearing(guarded, secret, path)
            assert answer.status_code == (404 if path == "no-such-path" else 405 if "presence" in path else 401), path
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
                bodies.add(answer.content)
    assert len(bodies) == 1
    for proof in (f"Basic {base64.b64encode(SECRETS['read'].encode()).decode()}", SECRETS["read"], "Bearer"):
        refused(ask(guarded, "events", headers={"Authorization": proof}), 401)


def test_each_scope_opens_what_it_names_and_no_more(guarded):
    one = new_lead(guarded)
    feedback = {"method": "POST", "json": {"type": "attempt"}}
    exclusion = {"method": "POST", "json": {"match": "email:a@b.example", "reason": "test"}}
    for path, request, allowed in [
        ("events", {}, {"read"}),
        ("leads", {}, {"read"}),
        (f"leads/{one['id']}", {}, {"read"}),
        (f"leads/{one['id']}/why", {}, {"read"}),
        ("books", {}, {"read"}),
        ("channels", {}, {"read"}),
        ("dead", {}, {"read"}),
        ("quarantine", {}, {"read"}),
        ("exclusions", {}, {"read"}),
        (f"leads/{one['id']}/feedback", feedback, {"feedback"}),
        ("exclusions", exclusion, set()),
        ("people/anna/presence", {"method": "POST", "json": {"present": True}}, set()),
        ("channels/demo-form/sample", {"method": "POST", "json": {}}, set()),
    ]:
        for scope in ("read", "feedback", "manage"):
            answer = bearing(guarded, SECRETS[scope], path, **request)
            if scope in allowed | {"manage"}:
                assert answer.status_code in (200, 202), (scope, path, answer.text)
            else:
                refused(answer, 403)


def test_another_companys_token_sees_no_workspace_and_no_lead(guarded):
    one = new_lead(guarded)
    for path in ("events", "leads", f"leads/{one['id']}"):
        refused(bearing(guarded, SECRETS["other"], path), 404)
        assert ask(guarded, path.split("/")[0], workspace="second", headers={"Authorization": f"Bearer {SECRETS['other']}"}).status_code == 200
    refused(ask(guarded, f"leads/{one['id']}", workspace="second"), 404)


def test_without_tokens_only_this_machine_and_no_web_page_is_served(house):
    for headers in (
        {"Host": "desk.example"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert ask(house, "leads", headers=headers).status_code in (403, 421), headers


# --- feedback


def say(house, one, key=None, **said):
    headers = {"Idempotency-Key": key} if key else {}
    return ask(house, f"leads/{one['id']}/feedback", method="POST", json=said, headers=headers)


def changed(house, one, **expected):
    def holds():
        now = lead(house, one["id"])
        return all(now[key] == value for key, value in expected.items())

    wait_until(holds, SHOWN_WITHIN, lambda: str(lead(house, one["id"])))
    return lead(house, one["id"])


def test_a_crm_tells_the_whole_story_of_a_lead(house):
    one = new_lead(house)
    assert say(house, one, type="attempt", by="ivan").status_code == 202
    assert changed(house, one, stage="attempting")["attempted_at"]
    say(house, one, type="contact", by="ivan")
    assert changed(house, one, contacted_by="ivan", stage="contacted")["contacted_at"]
    say(house, one, type="stage", stage="qualified", reason="wants July", by="ivan")
    changed(house, one, stage="qualified")
    [moved] = [event for event in house.events() if event["subject"] == one["id"] and event["type"] == "lead.stage_changed"]
    assert moved["data"]["change"] == {"from": "contacted", "to": "qualified", "by": "ivan", "reason": "wants July"}
    say(house, one, type="outcome", outcome="converted", value=120000.5, by="ivan")
    done = changed(house, one, outcome="converted", stage="converted", value=120000.5)
    assert done["closed_at"] and done["sla"]["breached_at"] is None
    assert kinds(house, one["id"]) == [
        "lead.created", "lead.attempted", "lead.contacted", "lead.stage_changed", "lead.closed",
    ]


def test_the_same_report_twice_is_one(house):
    one, key, before = new_lead(house), new_id("key"), books(house, "demo-form")
    first, again = (say(house, one, key=key, type="attempt", by="ivan") for _ in range(2))
    assert first.status_code == again.status_code == 202 and first.json() == again.json()
    wait_until(lambda: grown(before, books(house, "demo-form")) == {"update": 1, "redelivered": 1}, SHOWN_WITHIN)
    assert kinds(house, one["id"]) == ["lead.created", "lead.attempted"]
    other = new_lead(house)
    assert say(house, other, key=key, type="attempt").json() != first.json(), "a key is a lead's own"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 422),
        ({"type": "sold"}, 422),
        ({"type": "stage"}, 422),
        ({"type": "stage", "stage": "thinking"}, 422),
        ({"type": "outcome"}, 422),
        ({"type": "outcome", "outcome": "expired"}, 422),
        ({"type": "outcome", "outcome": "rejected", "stage": "new"}, 422),
        ({"type": "attempt", "reason": "why not"}, 422),
        ({"type": "attempt", "by": "x" * 201}, 422),
        ({"type": "attempt", "by": "a\nb"}, 422),
        ({"type": "attempt", "at": "yesterday"}, 422),
        ({"type": "attempt", "note": "typo"}, 422),
        (["attempt"], 422),
        ("attempt", 422),
        (None, 422),
    ],
    ids=str,
)
def test_feedback_that_makes_no_sense_is_refused_with_the_reason(house, said, status):
    one = new_lead(house)
    problem = refused(ask(house, f"leads/{one['id']}/feedback", method="POST", data=json.dumps(said), headers={"Content-Type": "application/json"}), status)
    assert problem["detail"] and "why not" not in str(problem)
    assert lead(house, one["id"])["version"] == one["version"]


def test_feedback_about_no_lead_is_404_and_other_bodies_are_415_or_400(house):
    for id in ("none", "0" * 26, "../../leads", "%00", "06h00bg1mb84kv7fpsm9nbdlfk"):
        refused(ask(house, f"leads/{urllib.parse.quote(id, safe='')}/feedback", method="POST", json={"type": "attempt"}), 404)
    one = new_lead(house)
    path = f"leads/{one['id']}/feedback"
    refused(ask(house, path, method="POST", data="type=attempt", headers={"Content-Type": "application/x-www-form-urlencoded"}), 415)
    refused(ask(house, path, method="POST", data="{", headers={"Content-Type": "application/json"}), 400)
    refused(ask(house, path, method="POST", json={"type": "attempt"}, headers={"Idempotency-Key": "k" * 256}), 422)


# --- exclusions


def listed(house):
    return {line["match"]: line for line in told(house, "exclusions", params={"limit": 1000})["exclusions"]}


def exclude(house, match, **more):
    answer = ask(house, "exclusions", method="POST", json={"match": match, "reason": "supplier"} | more)
    assert answer.status_code == 202, answer.text


def verdict_of(house, **fields):
    before = books(house, "demo-form")
    form(house, {"message": new_id("t")} | fields)
    return grown(before, books(house, "demo-form"))


def test_an_exclusion_holds_from_its_adding_to_its_removal(house):
    phone = new_phone()
    assert verdict_of(house, phone=phone) == {"lead": 1}
    born = by_phone(house, phone)
    exclude(house, f"phone:8 ({phone[2:5]}) {phone[5:]}")
    wait_until(lambda: f"phone:{phone}" in listed(house), SHOWN_WITHIN)
    line = listed(house)[f"phone:{phone}"]
    assert (line["origin"], line["reason"]) == ("desk", "supplier") and line["at"] and line["by"]
    assert verdict_of(house, phone=phone) == {"excluded": 1}
    assert lead(house, born["id"])["outcome"] is None, "an exclusion never deletes a lead"
    assert ask(house, "exclusions", method="DELETE", params={"match": f"phone:{phone}"}).status_code == 202
    wait_until(lambda: f"phone:{phone}" not in listed(house), SHOWN_WITHIN)
    assert verdict_of(house, phone=phone) == {"duplicate": 1}


@pytest.mark.parametrize(
    ("match", "fields"),
    [
        ("email:Vendor@Trade.Example", {"email": "vendor@trade.example"}),
        ("domain:spam.example", {"email": "a@deep.spam.example"}),
        ("prefix:+7800", {"phone": "8 800 555 35 35"}),
    ],
)
def test_each_kind_of_exclusion_swallows_what_it_names(house, match, fields):
    exclude(house, match)
    wait_until(lambda: match.lower() in listed(house), SHOWN_WITHIN)
    assert verdict_of(house, **fields) == {"excluded": 1}


def test_a_line_of_the_file_is_removed_in_the_file(house):
    assert listed(house)["domain:supplier.example"]["origin"] == "file"
    problem = refused(ask(house, "exclusions", method="DELETE", params={"match": "domain:supplier.example"}), 409)
    assert "workspace file" in problem["detail"]


def test_an_import_is_taken_whole_or_not_at_all(house):
    good = [{"match": f"email:import{n}@many.example", "reason": "list"} for n in range(300)]
    bad = good[:10] + [{"match": "phone:none", "reason": "list"}, {"match": "what", "reason": "list"}, {"match": "email:x@y.example", "reason": " "}]
    problem = refused(ask(house, "exclusions/import", method="POST", json={"entries": bad}), 422)
    assert [wrong["line"] for wrong in problem["errors"]] == [11, 12, 13]
    assert "email:import0@many.example" not in listed(house)
    assert told(house, "exclusions/import", method="POST", json={"entries": good}) == {"accepted": 300}
    wait_until(lambda: sum("many.example" in match for match in listed(house)) == 300, SHOWN_WITHIN)
    assert verdict_of(house, email="import7@many.example") == {"excluded": 1}
    page = told(house, "exclusions", params={"limit": 100})
    rest, pages = set(), 1
    while page["next"]:
        rest |= {line["match"] for line in page["exclusions"]}
        page, pages = told(house, "exclusions", params={"limit": 100, "after": page["next"]}), pages + 1
    assert pages > 3 and rest | {line["match"] for line in page["exclusions"]} == set(listed(house))


@pytest.mark.parametrize("match", ["", "phone:", "phone:abc", "mail:a@b.c", "prefix:7", "domain:", "x" * 5000, "email:a b@c.d"])
def test_a_line_that_means_nothing_is_refused(house, match):
    refused(ask(house, "exclusions", method="POST", json={"match": match, "reason": "r"}), 422)


# --- leads and their reasons


def test_leads_are_listed_newest_first_filtered_and_in_pages(house):
    made = [new_lead(house)["id"] for _ in range(5)]
    ids = [one["id"] for one in leads(house)]
    assert [id for id in ids if id in made] == made[::-1]
    page, walked = told(house, "leads", params={"limit": 2}), []
    while True:
        walked += [one["id"] for one in page["leads"]]
        if not page["next"]:
            break
        page = told(house, "leads", params={"limit": 2, "before": page["next"]})
    assert walked == ids
    say(house, {"id": made[0]}, type="outcome", outcome="rejected", reason="joke")
    changed(house, {"id": made[0]}, stage="rejected")
    assert made[0] in [one["id"] for one in leads(house, open="false")]
    assert made[0] not in [one["id"] for one in leads(house, open="true")]
    assert [one["id"] for one in leads(house, stage="rejected")].count(made[0]) == 1
    assert all(one["owner"] == "ivan" for one in leads(house, owner="ivan"))
    assert leads(house, channel="demo-bot") == []
    for params in ({"stage": "sleepy"}, {"open": "maybe"}, {"before": "x"}, {"color": "red"}):
        refused(ask(house, "leads", params=params), 422)


def test_why_names_the_rule_and_everybody_who_was_passed_over(open_house):
    house = open_house()
    form(house, {"phone": "+74951112233", "case": "Moscow"})
    form(house, {"phone": "+78121112233", "case": "Petersburg"})
    form(house, {"phone": "+12125550100", "case": "abroad"})
    telling = {}
    for mark in ("Moscow", "Petersburg", "abroad"):
        said = told(house, f"leads/{marked(house, mark)['id']}/why")
        steps = {name: what for step in said["trail"] for name, what in step["what"].items()}
        assert all(step["rules"] and step["at"] for step in said["trail"])
        assert steps["born"]["contact"] == "new" and steps["clock"]["due_at"] == said["lead"]["sla"]["due_at"]
        telling[mark] = (steps["assigned"]["to"], steps["assigned"]["rule"], steps["assigned"]["skipped"])
    assert telling == {
        "Moscow": ("ivan", "geography", [["anna", "other_specialist"]]),
        "Petersburg": ("anna", "geography", [["ivan", "other_region"]]),
        "abroad": (None, "queue", [["ivan", "other_region"], ["anna", "other_region"]]),
    }


# --- people


def presence(house, person, present):
    assert ask(house, f"people/{person}/presence", method="POST", json={"present": present}).status_code == 202


def test_the_queue_drains_oldest_first_when_somebody_comes(open_house):
    house = open_house(settings={"workers.gauges_every": "200ms"})
    for person in ("ivan", "anna"):
        presence(house, person, False)
    for number in range(4):
        form(house, {"phone": new_phone(), "case": f"q{number}"})
    waiting = [marked(house, f"q{number}") for number in range(4)]
    assert [one["owner"] for one in waiting] == [None] * 4
    wait_until(lambda: 'leadgate_queue_length{workspace="demo"} 4' in house.metrics(), SHOWN_WITHIN)
    said = told(house, f"leads/{waiting[0]['id']}/why")
    assert {why for _, why in said["trail"][-1]["what"]["assigned"]["skipped"]} == {"absent"}
    presence(house, "anna", True)
    for one in waiting:
        assert changed(house, one, owner="anna")
    given = [event["subject"] for event in house.events() if event["type"] == "lead.assigned"]
    assert given == [one["id"] for one in waiting]
    wait_until(lambda: 'leadgate_queue_length{workspace="demo"} 0' in house.metrics(), SHOWN_WITHIN)
    refused(ask(house, "people/nobody/presence", method="POST", json={"present": True}), 404)


def test_a_lead_is_given_to_somebody_else_by_hand(house):
    one = new_lead(house)
    other = {"ivan": "anna", "anna": "ivan"}[one["owner"]]
    path = f"leads/{one['id']}/owner"
    assert ask(house, path, method="POST", json={"person": other, "reason": "on leave"}).status_code == 202
    assert changed(house, one, owner=other)["sla"] == one["sla"]
    assert kinds(house, one["id"])[-1] == "lead.assigned"
    refused(ask(house, path, method="POST", json={"person": "nobody", "reason": "x"}), 422)


# --- what could not be read


UNREADABLE = {
    "no JSON": b"{",
    "invalid UTF-8": b'{"update_id": 1, "message": "\xff"}',
    "another shape": b'{"update_id": "one", "message": []}',
    "a list": b"[]",
    "deep": b"[" * 200_000,
    "two documents": b'{"update_id": 1}{"update_id": 2}',
    "a doubled key": b'{"update_id": 1, "update_id": 2}',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_genuine_but_unreadable_message_is_kept_for_people(house, body):
    before = books(house, "demo-bot")
    headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
    assert knock(house, "demo-bot", data=body, headers=headers).status_code == 204
    assert grown(before, books(house, "demo-bot")) == {"quarantined": 1}
    newest = told(house, "quarantine")["entries"][0]
    assert newest["channel"] == "demo-bot" and newest["source"] == "telegram" and newest["bytes"] == len(body)
    whole = told(house, f"quarantine/{newest['uid']}")
    assert base64.b64decode(whole["raw_base64"]) == body and whole["reason"] and whole["entry"] is None
    problem = refused(ask(house, f"quarantine/{newest['uid']}/release", method="POST"), 422)
    assert "still cannot be read" in problem["detail"]
    assert told(house, f"quarantine/{newest['uid']}")["uid"] == newest["uid"], "a refused release takes nothing out"


def test_a_genuine_call_event_without_a_call_is_kept_for_people(house):
    fields = {"AccountSid": "AC1", "Something": "New"}
    signature = RequestValidator(LINE_SECRET).compute_signature(f"{house.public}/in/{LINE}", fields)
    answer = knock(house, LINE, data=fields, headers={"X-Twilio-Signature": signature})
    assert 200 <= answer.status_code < 300
    wait_until(lambda: any(one["channel"] == LINE for one in told(house, "quarantine")["entries"]), SHOWN_WITHIN)


def test_what_is_not_there_cannot_be_shown_or_brought_back(house):
    for kind, verb in (("dead", "retry"), ("quarantine", "release")):
        for uid in ("none", "06h00bg1mb84kv7fpsm9nbdlfk"):
            refused(ask(house, f"{kind}/{uid}"), 404)
            refused(ask(house, f"{kind}/{uid}/{verb}", method="POST"), 404)
    assert told(house, "dead") == {"entries": [], "next": None}


def test_the_bytes_of_people_are_for_those_who_manage(guarded):
    headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
    knock(guarded, "demo-bot", data=b"{", headers=headers)
    books(guarded, "demo-bot")
    uid = told(guarded, "quarantine")["entries"][0]["uid"]
    assert bearing(guarded, SECRETS["read"], f"quarantine/{uid}").json()["raw_base64"] is None
    assert bearing(guarded, SECRETS["manage"], f"quarantine/{uid}").json()["raw_base64"]


def test_the_books_name_every_verdict_and_balance(house):
    new_lead(house)
    said = told(house, "books")
    assert said["balanced"]
    words = {"lead", "duplicate", "excluded", "junk", "synthetic", "redelivered", "update", "unmatched", "command", "quarantined", "dead"}
    for line in said["channels"]:
        assert set(line["verdicts"]) == words and line["difference"] == 0
        assert line["accepted"] == sum(line["verdicts"].values()) + line["in_flight"]


def test_a_sample_of_each_entrance_comes_through_as_synthetic(house):
    before = {channel: books(house, channel) for channel in ("demo-form", LINE, "demo-mail", "demo-bot")}
    for channel in before:
        made = told(house, f"channels/{channel}/sample", method="POST", json={"name": "Probe", "phone": IVAN})
        body = base64.b64decode(made["body_base64"])
        answer = requests.request(made["method"], made["url"], headers=dict(made["headers"]), data=body, timeout=10)
        assert answer.status_code == made["expect"], channel
        assert grown(before[channel], books(house, channel)) == {"synthetic": 1}, channel
    probes = [one for one in leads(house) if one["synthetic"] == "technical"]
    assert len(probes) == 4 and all(one["owner"] is None and one["sla"]["due_at"] is None for one in probes)
