"""How the world knocks, and what the desk says of it: the other side of every contract, as short as a test needs it."""

import contextlib
import email.utils
import hashlib
import itertools
import time
import urllib.parse

import requests
from house import House, wait_until
from twilio.request_validator import RequestValidator

LINE, LINE_SECRET = "demo-line", "demo-line-secret"
BOT_SECRET = "demo-bot-secret"
OUR_NUMBER = "+74951234567"
IVAN, ANNA = "+79161234567", "+79161112233"
SHOWN_WITHIN = 10

numbers = itertools.count(1)


def new_phone():
    """A Russian mobile number that nobody in this run has used."""
    return f"+7903556{next(numbers):04}"


def new_id(prefix):
    """An id as a provider gives them, never twice."""
    return prefix + hashlib.md5(f"{prefix}{next(numbers)}".encode()).hexdigest()


@contextlib.contextmanager
def running(folder, **options):
    """One house for a whole file of tests, closed like any other."""
    house = House(folder, **options).start()
    try:
        yield house
    finally:
        house.close()


def knock(house, channel, method="POST", **request):
    """One request to an entrance, as it is."""
    url = f"{house.public}/in/{channel}"
    return requests.request(method, url, allow_redirects=False, timeout=15, **request)


def form(house, fields, **request):
    """A script posts JSON."""
    return knock(house, "demo-form", json=fields, **request)


def mail(house, message, **request):
    """A mail server hands over one message, from Python's email package or as bytes."""
    raw = message if isinstance(message, bytes) else message.as_bytes()
    return knock(house, "demo-mail", data=raw, headers={"Content-Type": "message/rfc822"}, **request)


def telegram(house, update, secret=BOT_SECRET):
    """Telegram posts one update."""
    return knock(house, "demo-bot", json=update, headers={"X-Telegram-Bot-Api-Secret-Token": secret})


def stamp(seconds=0):
    """Twilio's clock: now, or some seconds later or earlier."""
    return email.utils.formatdate(time.time() + seconds)


def twilio(house, fields, secret=LINE_SECRET, public=None, channel=LINE):
    """Twilio posts one event, signed by its own SDK for the address it believes to call."""
    path = f"/in/{channel}"
    signature = RequestValidator(secret).compute_signature((public or house.public) + path, fields)
    body = urllib.parse.urlencode(fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "X-Twilio-Signature": signature}
    return knock(house, channel, data=body, headers=headers)


def ask(house, path, method="GET", token=None, workspace="demo", **request):
    """The desk's answer."""
    headers = house.proof | request.pop("headers", {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{house.desk}/v1/workspaces/{workspace}/{path}"
    return requests.request(method, url, headers=headers, timeout=40, **request)


def told(house, path, **request):
    """What the desk says, when it must say something."""
    answer = ask(house, path, **request)
    assert answer.status_code in (200, 202), f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


def books(house, channel):
    """The verdicts of one channel, once nothing of it is in flight; they balance."""

    def line():
        lines = [one for one in told(house, "books")["channels"] if one["channel"] == channel]
        return lines[0] if lines else None

    wait_until(lambda: line() is None or line()["in_flight"] == 0, SHOWN_WITHIN)
    one = line() or {"verdicts": {}, "accepted": 0, "difference": 0}
    assert one["difference"] == 0 and one["accepted"] == sum(one["verdicts"].values()), one
    return {verdict: count for verdict, count in one["verdicts"].items() if count}


def grown(before, after):
    """What the books got between two looks."""
    return {verdict: after[verdict] - before.get(verdict, 0) for verdict in after if after[verdict] != before.get(verdict, 0)}


def leads(house, **filters):
    """All leads there are, newest first."""
    return told(house, "leads", params={"limit": 1000, **filters})["leads"]


def lead(house, id):
    return told(house, f"leads/{id}")["lead"]


def marked(house, mark, **filters):
    """The lead of the post that carried this mark in a field `case` of its own."""
    return wait_for(house, lambda one: one["attributes"].get("case") == mark, f"a lead marked {mark!r}", **filters)


def wait_for(house, fits, what="the lead", **filters):
    """The first lead that fits."""
    found = []

    def look():
        found[:] = [one for one in leads(house, **filters) if fits(one)][:1]
        return bool(found)

    wait_until(look, SHOWN_WITHIN, lambda: f"{what} never came: {[one['id'] for one in leads(house)]}")
    return found[0]


def by_phone(house, phone, fits=lambda _: True):
    """The lead of this phone."""
    return wait_for(house, lambda one: phone in one["contact"]["phones"] and fits(one), f"a fitting lead of {phone}")


def kinds(house, subject):
    """The types of the events about one lead, in order."""
    return [event["type"] for event in house.events() if event["subject"] == subject]
