"""Is the same thing, sent many times in one instant, one lead?"""

import threading

import pytest
from crowd import BOT, FORM, LINE, Line, Person, call, chat, json_form, keyed_form
from judge import judge_persons, judge_stream, settle, verdicts


def at_once(house, times, make):
    """The same request over as many connections, let go together: status and body of each answer."""
    answers, barrier = [(None, None)] * times, threading.Barrier(times)

    def send(nth):
        line, knock = Line(house.public.removeprefix("http://")), make()
        barrier.wait()
        answers[nth] = line.exchange(knock)[:2]
        line.close()

    threads = [threading.Thread(target=send, args=(nth,)) for nth in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(isinstance(status, int) for status, _ in answers), f"somebody heard nothing: {answers}"
    return answers


WAYS = {
    "without an id": (50, FORM, lambda house, person: json_form(person, "the same words")),
    "with a form's own id": (50, FORM, lambda house, person: json_form(person, "the same words", "one-id")),
    "with an idempotency key": (50, FORM, lambda house, person: keyed_form(person, "the same words", "one-key")),
    "a call's state": (10, LINE, lambda house, person: call(house.public, person, "ringing")),
    "a chat's update": (10, BOT, lambda house, person: chat(person, "the same words")),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_in_one_instant_is_one_lead_and_the_rest_redeliveries(leadgate, rng, way):
    times, path, make = WAYS[way]
    person = Person(rng.randrange(10**6), way)
    person.knocks = [make(leadgate, person)]
    [knock] = person.knocks
    answers = at_once(leadgate, times, lambda: knock)
    assert {status // 100 for status, _ in answers} == {2}, answers
    knock.sent, knock.answers = True, [body for _, body in answers]
    if way != "without an id":
        assert len(set(knock.answers)) == 1, "a redelivery hears what the first one heard"
    settle(leadgate)
    judge_persons(judge_stream(leadgate.events()), [person])
    assert verdicts(leadgate, path.removeprefix("/in/")) == {"lead": 1, "redelivered": times - 1}
    assert len(leadgate.events()) == 1
