"""Can a CRM read the clean stream over plain HTTP, lose its connection, lose us, and still see every lead once?"""

import json
import random
import threading

import pytest
import requests
import sseclient
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import from_json
from house import CANARIES, wait_until
from knocks import ask, books, form, lead, mail, new_phone, telegram, told, twilio
from test_twilio import bridged

# DESIGN 10: what readers may count on, nested.
LEAD = {
    **dict.fromkeys(
        "id version workspace channel kind source received_at occurred_at touches text attributes campaign consent "
        "repeat stage outcome owner team tags score priority flags synthetic attempted_at contacted_at "
        "contacted_by call".split()
    ),
    "contact": dict.fromkeys(["id", "name", "phones", "emails", "handles"]),
    "geo": dict.fromkeys(["country", "region", "city", "by"]),
    "sla": dict.fromkeys(["due_at", "breached_at"]),
}
CALL = ["id", "from", "to", "answered_by", "talk_s", "recording_url"]
LISTS = ["tags", "flags"]
TYPES = {
    "lead.created", "lead.touched", "lead.assigned", "lead.queued", "lead.attempted", "lead.contacted",
    "lead.sla_warning", "lead.sla_breached", "lead.stage_changed", "lead.closed", "lead.corrected", "lead.restored",
    "contact.linked", "contact.unlinked", "channel.state_changed",
}
PATIENCE = 30


def busy_day(house, customers=20):
    """Leads of every kind, some coming back and some spoken to; all of it is in the stream when this returns."""
    for number in range(customers):
        phone = new_phone()
        form(house, {"name": f"Customer {number}", "phone": phone, "utm_source": "spring", "budget": number})
        if number % 3 == 0:
            form(house, {"name": f"Customer {number}", "phone": phone, "message": "and another thing"})
        if number % 4 == 0:
            for event in bridged(phone if number % 8 else new_phone(), f"CA{number:032}", f"CB{number:032}"):
                twilio(house, event)
        if number % 5 == 0:
            chat = {"id": number + 1, "type": "private"}
            sender = {"id": number + 1, "is_bot": False, "first_name": "Chat"}
            telegram(house, {"update_id": number, "message": {"date": 1, "chat": chat, "from": sender, "text": "hi"}})
    for channel in ("demo-form", "demo-line", "demo-bot"):
        books(house, channel)


def fresh(events, seen):
    """Those whose id was not seen before."""
    new = []
    for event in events:
        if event["id"] not in seen:
            seen.add(event["id"])
            new.append(event)
    return new


def assert_complete(read, house):
    """The reader saw the stream as it is, each event once, in order per lead."""
    whole = house.events()
    assert [event["id"] for event in read] == [event["id"] for event in whole]
    assert len({event["id"] for event in whole}) == len(whole)
    created = [event["subject"] for event in read if event["type"] == "lead.created"]
    assert len(created) == len(set(created)), "each lead is created once"
    last = {}
    for event in read:
        if "lead" in event["data"]:
            version = event["data"]["lead"]["version"]
            assert version >= last.get(event["subject"], 0), "versions never fall"
            last[event["subject"]] = version
            assert event["subject"] in created, "a lead is created before anything else happens to it"
    for subject, version in last.items():
        assert lead(house, subject)["version"] == version, "the last event shows the lead as it is"


def pull(house, chance, read, seen, limit):
    """One round of a careful CRM: read, work, acknowledge; now and then it dies between work and acknowledgement."""
    page = told(house, "events", params={"consumer": "crm", "limit": limit, "wait": "1s"})
    read += fresh(page["events"], seen)
    if page["events"] and chance.random() < 0.7:
        moved = told(house, "consumers/crm/ack", method="POST", json={"cursor": page["next"]})
        assert moved["next"] == page["next"]
    return page["events"]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_reader_with_a_kept_position_sees_every_lead_once_across_a_restart(leadgate, seed):
    chance, read, seen = random.Random(seed), [], set()
    busy_day(leadgate)
    for _ in range(4):
        pull(leadgate, chance, read, seen, limit=7)
    leadgate.restart()
    busy_day(leadgate, customers=7)
    for _ in range(3):
        pull(leadgate, chance, read, seen, limit=11)
    leadgate.kill()
    leadgate.start()
    wait_until(lambda: not pull(leadgate, chance, read, seen, limit=50), PATIENCE)
    assert_complete(read, leadgate)


def test_reading_moves_nothing_and_an_old_acknowledgement_does_not_go_back(leadgate):
    busy_day(leadgate, customers=4)
    first = told(leadgate, "events", params={"consumer": "crm", "limit": 2})
    assert told(leadgate, "events", params={"consumer": "crm", "limit": 2}) == first
    second = told(leadgate, "events", params={"after": first["next"], "limit": 2})
    acknowledge = lambda **said: told(leadgate, "consumers/crm/ack", method="POST", json=said)
    acknowledge(cursor=second["next"])
    assert acknowledge(cursor=first["next"])["next"] == second["next"]
    acknowledge(cursor=first["next"], rewind=True)
    assert told(leadgate, "events", params={"consumer": "crm", "limit": 2})["events"] == second["events"]
    assert told(leadgate, "events", params={"consumer": "other", "limit": 2}) == first


def test_waiting_for_news_ends_when_there_is_some(leadgate):
    newest = told(leadgate, "events", params={"after": "newest"})["next"]
    knock = threading.Timer(0.3, form, [leadgate, {"phone": new_phone()}])
    knock.start()
    page = told(leadgate, "events", params={"after": newest, "wait": "20s"})
    assert [event["type"] for event in page["events"]] == ["lead.created"]
    assert page["next"] != newest
    knock.join()


@pytest.mark.parametrize(
    "params",
    [
        {"after": "nonsense"}, {"after": "AAAA"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "ten"}, {"wait": "10"},
        {"wait": "2h"}, {"consumer": "No Such Name!"}, {"from": "x"}, {"after": "'; DROP TABLE events; --"},
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_422_with_the_reason(leadgate, params):
    answer = ask(leadgate, "events", params=params)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def follow(house, last, most):
    """Reads some events of the stream, then hangs up; what it read, with the id of each."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    url = f"{house.desk}/v1/workspaces/demo/events"
    with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream"
        read = []
        for event in sseclient.SSEClient(answer).events():
            assert json.loads(event.data)["type"] == event.event
            read.append((event.id, json.loads(event.data)))
            if len(read) == most:
                break
    return read


@pytest.mark.parametrize("seed", [3, 4])
def test_a_stream_is_resumed_after_every_disconnect(leadgate, seed):
    chance, read, seen, last = random.Random(seed), [], set(), None
    busy_day(leadgate)
    busy = threading.Thread(target=busy_day, args=[leadgate, 10])
    busy.start()
    for _ in range(5):
        got = follow(leadgate, last, most=chance.randint(1, 9))
        last = got[-1][0]
        read += fresh([event for _, event in got], seen)
    busy.join()
    leadgate.restart()
    left = len(leadgate.events()) - len(read)
    read += fresh([event for _, event in follow(leadgate, last, most=left)], seen)
    assert_complete(read, leadgate)


def test_a_stream_ends_cleanly_when_the_product_stops(leadgate):
    form(leadgate, {"phone": new_phone()})
    read = []
    reader = threading.Thread(target=lambda: read.extend(follow(leadgate, None, most=100)))
    reader.start()
    wait_until(lambda: leadgate.events(), PATIENCE)
    assert leadgate.stop() < 15
    reader.join(PATIENCE)
    assert not reader.is_alive() and len(read) == 1


def same_keys(there, expected, where="lead"):
    missing = [f"{where}.{key}" for key in expected if key not in there]
    assert not missing, missing
    for key, inner in expected.items():
        if isinstance(inner, dict):
            same_keys(there[key], inner, f"{where}.{key}")


def test_every_event_is_a_cloudevent_with_all_the_keys_readers_count_on(leadgate):
    busy_day(leadgate, customers=8)
    for person in CANARIES:
        form(leadgate, {"name": person.name, "phone": person.phone, "email": person.email, "message": person.text})
    mail(leadgate, b"From: A <a@customer.example>\r\nTo: sales@demo.example\r\nSubject: s\r\n\r\ntext\r\n")
    for channel in ("demo-form", "demo-mail"):
        books(leadgate, channel)
    events = leadgate.events()
    assert {"call", "form", "chat", "mail"} <= {event["data"]["lead"]["kind"] for event in events}
    for event in events:
        strict = JSONFormat().read(CloudEvent, json.dumps(event))
        assert strict.get_time().tzinfo is not None and strict.get_type() in TYPES
        old = from_json(json.dumps(event))
        assert old["id"] == strict.get_id() == event["id"]
        one = strict.get_data()["lead"]
        assert strict.get_source() == f"/leadgate/demo/{one['channel']}" and strict.get_subject() == one["id"]
        assert strict.get_data()["schema"] == 1 and isinstance(strict.get_data()["change"], dict)
        same_keys(one, LEAD)
        assert all(isinstance(one[key], list) for key in LISTS)
        assert one["kind"] != "call" or one["call"], "a lead that was born of a call tells of it"
        assert one["call"] is None or set(CALL) <= set(one["call"])
        assert one["owner"] or '"rule": "queue"' in json.dumps(event["data"]["change"]), "never a silent nobody"


def test_a_lead_has_its_owner_and_clock_from_its_first_event(leadgate, vera):
    form(leadgate, {"name": vera.name, "phone": vera.phone})
    books(leadgate, "demo-form")
    [event] = leadgate.events()
    one = event["data"]["lead"]
    assert event["type"] == "lead.created" and one["owner"] in ("ivan", "anna") and one["sla"]["due_at"]
