"""What happens at the doors of an estate: a full journal, more knocks than it can take, the same knock everywhere?"""

import json
import threading
import time

import pytest
from crowd import FORM, Line, Person, json_form, keyed_form
from estate import EstateCrowd
from estate_judge import judge_estate, settle_estate
from faults import small_disk
from house import wait_until
from judge import judge_persons, judge_stream, verdicts

ROOM = 32 << 20


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", ROOM) as disk:
        yield disk


# The disk is named first, so that it goes last.
def test_a_gateway_with_a_full_disk_refuses_and_the_other_takes(disk, open_estate, seed, figures):
    estate = open_estate(start=False)
    full, other = estate.gateways
    full.data.symlink_to(disk.folder, target_is_directory=True)
    estate.start()
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    disk.fill(ROOM // 50)
    wait_until(lambda: full.ready() == 503, 10, lambda: "/ready stays up on a full disk")
    assert other.ready() == 200
    time.sleep(1)
    disk.free()
    wait_until(lambda: full.ready() == 200, 10, lambda: "/ready stays down on a freed disk")
    crowd.finish()
    refused = crowd.outcomes.get(503, 0)
    assert refused > 0
    figures(refused=refused, **judge_estate(estate, crowd))


def test_more_than_it_can_take_is_refused_in_time_and_nothing_taken_is_lost(open_estate, seed, figures):
    estate = open_estate(settings={"limits.requests": 24, "journal.waiting": 8, "limits.per_channel": "150/s burst 100"})
    crowd = EstateCrowd(estate, seed, senders=64, pause=0.0).start()
    time.sleep(4)
    crowd.finish()
    refused = crowd.outcomes.get(429, 0) + crowd.outcomes.get(503, 0)
    assert refused > 100, f"that was no burst: {crowd.outcomes}"
    most = max(node.memory() for node in estate.nodes) >> 20
    figures(refused=refused, memory_mib=most, **judge_estate(estate, crowd), slowest_2xx_s=f"{crowd.slowest:.2f}")


WAYS = {
    "without an id": lambda person: json_form(person, "the same words"),
    "with a form's own id": lambda person: json_form(person, "the same words", "one-id"),
    "with an idempotency key": lambda person: keyed_form(person, "the same words", "one-key"),
}
TIMES = 50


def test_the_same_over_four_gateways_in_one_instant_is_one_lead(open_estate, rng, figures):
    estate = open_estate(gateways=4)
    persons = []
    for nth, way in enumerate(WAYS):
        person = Person(rng.randrange(10**6) * 10 + nth, way)
        knock = WAYS[way](person)
        person.knocks = [knock]
        answers = over_all_doors(estate, knock)
        assert {status for status, _ in answers} == {200}, answers
        knock.sent, knock.answers = True, [body for _, body in answers]
        if way != "without an id":
            assert len(set(knock.answers)) == 1, f"{way}: a redelivery hears what the first one heard"
        persons.append(person)
    wait_until(lambda: sum(verdicts(estate, FORM.removeprefix("/in/")).values()) == TIMES * len(WAYS), 20)
    told = estate.events()
    judge_persons(judge_stream(told), persons)
    assert len(told) == len(WAYS), [event["type"] for event in told]
    assert verdicts(estate, "demo-form") == {"lead": len(WAYS), "redelivered": (TIMES - 1) * len(WAYS)}
    settle_estate(estate, Promised(TIMES * len(WAYS)))
    figures(posts=TIMES * len(WAYS), leads=len(told))


class Promised:
    def __init__(self, count):
        self.count = count

    def promises(self):
        return self.count


def over_all_doors(estate, knock):
    """The same request over as many connections, let go together: status and body of each answer."""
    answers, barrier = [(None, None)] * TIMES, threading.Barrier(TIMES)

    def send(nth):
        line = Line(estate.gateways[nth % len(estate.gateways)].public.removeprefix("http://"))
        barrier.wait()
        answers[nth] = line.exchange(knock)[:2]
        line.close()

    threads = [threading.Thread(target=send, args=(nth,)) for nth in range(TIMES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_what_a_lost_gateway_had_accepted_is_forwarded_from_its_disk(open_estate, seed, rng, figures):
    """Its machine burns while Redis is away; the disk is all that is left."""
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.5, 1))
    estate.server.kill()
    time.sleep(1)
    lost = estate.gateways.pop()
    lost.kill()
    estate.server.start()
    crowd.finish()
    sent = [forwarded(estate.door, lost) for _ in range(2)]
    told = judge_estate(estate, crowd)
    assert sent[0] > 0 and sent[1] == 0, f"{sent} rows were sent, the second time too"
    lost.assert_discreet("")
    figures(kills=2, forwarded=sent[0], **told)


def forwarded(by, lost):
    """How many rows the command says it has sent."""
    done = by.command("journal", "forward", lost.data, "--json", timeout=60)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return sum(line["sent"] for line in json.loads(done.stdout)["workspaces"])
