"""Was every promise kept? The producers' ledger against the clean stream and the books.

- Who heard 2xx is exactly one lead, with all his touches and his own name; nobody is a lead who never knocked.
- Event ids are unique, and the versions of a lead rise in the order of the stream.
- Nothing is in flight any more, and the books balance: every row has one verdict, as many as there must be.
- Senders heard only what they may hear: 2xx, and 429 or 503 with Retry-After.
"""

import collections
import itertools

import requests
from house import wait_until

SETTLED_WITHIN = 60


def books(house, workspace="demo"):
    answer = requests.get(f"{house.desk}/v1/workspaces/{workspace}/books", timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def verdicts(house, channel):
    """The verdicts of one channel that were given at all."""
    lines = [line for line in books(house)["channels"] if line["channel"] == channel]
    return {word: count for line in lines for word, count in line["verdicts"].items() if count}


def is_settled(house):
    return all(line["in_flight"] == 0 for line in books(house)["channels"])


def settle(house):
    """Waits until all that was accepted is decided; then the books must balance."""
    wait_until(lambda: is_settled(house), SETTLED_WITHIN, lambda: f"still in flight: {books(house)}")
    now = books(house)
    assert now["balanced"], now
    return now


def judge(house, crowd):
    """Everything above. Returns the figures of the run."""
    now = settle(house)
    told = house.events()
    leads = judge_stream(told)
    judge_persons(leads, crowd.persons)
    judge_books(now, leads, crowd)
    judge_answers(crowd)
    return {"2xx": crowd.promises(), "leads": len(leads), "events": len(told)}


def judge_stream(told):
    """The last word of the stream about each lead, after looking at its order."""
    twice = [id for id, count in collections.Counter(event["id"] for event in told).items() if count > 1]
    assert not twice, f"event ids that come twice: {twice[:5]}"
    about = collections.defaultdict(list)
    for event in told:
        if event["type"].startswith("lead."):
            about[event["subject"]].append(event)
    for id, events in about.items():
        versions = [event["data"]["lead"]["version"] for event in events]
        assert all(one < next for one, next in itertools.pairwise(versions)), f"versions of {id}: {versions}"
        types = [event["type"] for event in events]
        assert types[0] == "lead.created" and types.count("lead.created") == 1, f"events of {id}: {types}"
    return {id: events[-1]["data"]["lead"] for id, events in about.items()}


def judge_persons(leads, persons):
    by_phone = collections.defaultdict(list)
    for lead in leads.values():
        for phone in lead["contact"]["phones"]:
            by_phone[phone].append(lead)
    wrong = [fault for person in persons if (fault := fault_of(person, by_phone.pop(person.phone, [])))]
    assert not wrong, f"{len(wrong)} of {len(persons)}: {wrong[:5]}"
    assert not by_phone, f"leads of people who never knocked: {list(by_phone)[:5]}"
    assert all(lead["contact"]["phones"] for lead in leads.values()), "a lead of nobody"


def fault_of(person, leads):
    """What is wrong with the leads of one person, if anything."""
    promised, sent = len(person.promised()), sum(knock.sent for knock in person.touches())
    who = f"{person.number} ({person.kind}, {promised} of {sent} touches promised)"
    if len(leads) > 1:
        return f"{who} is {len(leads)} leads"
    if not leads:
        # A phase of a call tells of the call, so a promised phase alone makes the lead, too.
        promised += sum(bool(knock.answers) for knock in person.knocks if knock.phase)
        return f"{who} is lost" if promised else None
    [lead] = leads
    if not max(promised, 1) <= lead["touches"] <= sent:
        return f"{who} has {lead['touches']} touches"
    if lead["contact"]["name"] != person.name:
        return f"{who} has another name"
    return None


def judge_books(now, leads, crowd):
    total = collections.Counter()
    for line in now["channels"]:
        total.update(line["verdicts"])
    accepted = sum(line["accepted"] for line in now["channels"])
    tries = sum(crowd.outcomes.values())
    assert crowd.promises() <= accepted <= tries, f"{accepted} rows for {crowd.promises()} 2xx of {tries} tries"
    assert total["lead"] == len(leads), total
    aside = {word: count for word, count in total.items() if count and word not in LAWFUL}
    assert not aside, f"verdicts nobody asked for: {aside}"


LAWFUL = ("lead", "duplicate", "redelivered", "update")


def judge_answers(crowd):
    strange = {one: count for one, count in crowd.outcomes.items() if isinstance(one, int) and one not in EXPECTED}
    assert not strange, f"answers nobody should hear: {strange}"
    assert crowd.refusals_without_hint == 0, f"{crowd.refusals_without_hint} refusals without Retry-After"
    for person in crowd.persons:
        for knock in person.knocks:
            if b"leadgate_id" in knock.body or "Idempotency-Key" in knock.headers:
                assert len(set(knock.answers)) <= 1, f"{person.number} was told {set(knock.answers)}"


EXPECTED = (200, 204, 429, 503)
