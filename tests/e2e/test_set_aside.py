"""Is what we cannot read, although it is genuine, kept for people, whole and until somebody can mend it?"""

import base64
import contextlib
import sqlite3

import pytest
from house import wait_until
from knocks import (
    BOT_SECRET, LINE, LINE_SECRET, SHOWN_WITHIN, ask, books, form, grown, knock, new_phone, refused, running, told,
)
from twilio.request_validator import RequestValidator


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("aside")) as house:
        yield house


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


def test_what_was_set_aside_goes_after_its_time_and_stays_in_the_books(tmp_path):
    hasty = {"keep.aside": "1s", "workers.trim_every": "200ms", "workers.gauges_every": "100ms"}
    with running(tmp_path, settings=hasty) as house:
        headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
        knock(house, "demo-bot", data=b"{", headers=headers)
        form(house, {"phone": new_phone(), "leadgate_hp": "filled"})
        form(house, {"phone": new_phone()})
        wait_until(lambda: rows_aside(house) == 0 and told(house, "quarantine")["entries"] == [], SHOWN_WITHIN)
        assert books(house, "demo-bot") == {"quarantined": 1}
        assert books(house, "demo-form") == {"lead": 1, "junk": 1}


def rows_aside(house):
    """Everything that is set aside, junk too, which no list of the desk shows. None before anything was."""
    if sum(line["verdicts"].get("junk", 0) for line in told(house, "books")["channels"]) == 0:
        return None
    path = (house.data / "ledger.db").as_uri() + "?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
        return db.execute("SELECT count(*) FROM aside").fetchone()[0]
