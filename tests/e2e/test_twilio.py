"""Do we and Twilio's own SDK agree on what is genuine, and does a call end as the right lead?"""

import hashlib
import json
import random
import urllib.parse

import pytest
from house import DEMO, wait_until
from knocks import (
    IVAN, LINE, LINE_SECRET, OUR_NUMBER, SHOWN_WITHIN, books, by_phone, grown, kinds, knock, lead, new_id, new_phone,
    running, stamp, twilio,
)
from multidict import MultiDict
from twilio.request_validator import HMAC_SHA256, RequestValidator

FORM = "application/x-www-form-urlencoded"
PATH = f"/in/{LINE}"
SETTINGS = {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"}
SDK = RequestValidator(LINE_SECRET)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("line")) as house:
        yield house


def leg(sid, status, caller, seconds=0, **more):
    """A status callback about the customer's leg."""
    parties = {"From": caller, "Caller": caller, "To": OUR_NUMBER, "Called": OUR_NUMBER, "Direction": "inbound"}
    return {
        "AccountSid": "AC" + "0" * 32, "ApiVersion": "2010-04-01", "CallSid": sid, "CallStatus": status,
        "CallbackSource": "call-progress-events", "Timestamp": stamp(seconds), **parties, **more,
    }


def child(sid, parent, status, caller, seconds=0, to=IVAN, **more):
    """A status callback about the leg to somebody of ours, as `<Number statusCallback>` makes it."""
    return leg(sid, status, caller, seconds, ParentCallSid=parent, Direction="outbound-dial", To=to, Called=to, **more)


def ringing(caller):
    return leg(new_id("CA"), "ringing", caller)


def refusal(answer):
    assert answer.status_code == 401, f"{answer.status_code} {answer.text}"
    return answer.content


# --- what is genuine


ODD = {
    "plain": {"CallerName": "ACME"},
    "spaces, plus and percent": {"CallerName": "A + B % C", "x y": " z "},
    "Cyrillic and emoji": {"CallerName": "Мария 🏡", "Город": "Тверь"},
    "empty values": {"CallerName": "", "ForwardedFrom": ""},
    "parameters nobody has heard of": {"SomethingNew2031": "1", "A": "2", "a": "3"},
    "injected separators": {"CallerName": "x&CallStatus=completed", "=": "&"},
}


@pytest.mark.parametrize("extra", ODD.values(), ids=ODD.keys())
def test_a_form_signed_by_the_sdk_is_genuine_and_with_one_byte_flipped_it_is_not(house, extra):
    fields = ringing(new_phone()) | extra
    assert twilio(house, fields).status_code == 204
    body = bytearray(urllib.parse.urlencode(fields).encode())
    body[body.index(b"%2B7903") + 4] ^= 1
    signature = SDK.compute_signature(house.public + PATH, fields)
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    refusal(knock(house, LINE, data=bytes(body), headers=headers))


def test_a_doubled_parameter_counts_as_the_sdk_counts_it(house):
    fields = MultiDict(list(ringing(new_phone()).items()) + [("Tag", "b"), ("Tag", "a"), ("Tag", "b")])
    signature = SDK.compute_signature(house.public + PATH, fields)
    body = urllib.parse.urlencode(list(fields.items()))
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    assert knock(house, LINE, data=body, headers=headers).status_code == 204


def test_a_get_is_signed_by_its_whole_address(house):
    query = urllib.parse.urlencode(ringing(new_phone()))
    signature = SDK.compute_signature(f"{house.public}{PATH}?{query}", {})
    headers = {"X-Twilio-Signature": signature}
    assert knock(house, f"{LINE}?{query}", method="GET", headers=headers).status_code == 204
    other = query.replace("ringing", "singing")
    refusal(knock(house, f"{LINE}?{other}", method="GET", headers=headers))


def test_a_json_body_is_covered_by_its_hash_in_the_address(house):
    caller = new_phone()
    body = json.dumps(ringing(caller))
    address = f"{PATH}?bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    signature = SDK.compute_signature(house.public + address, None)
    assert SDK.validate(house.public + address, body, signature)
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": signature}
    assert knock(house, address.removeprefix("/in/"), data=body, headers=headers).status_code == 204
    by_phone(house, caller)
    refusal(knock(house, address.removeprefix("/in/"), data=body.replace("inbound", "inbounb"), headers=headers))
    bare = SDK.compute_signature(house.public + PATH, None)
    refusal(knock(house, LINE, data=body, headers=headers | {"X-Twilio-Signature": bare}))


def test_a_shared_key_signs_with_sha_256_and_an_unknown_algorithm_proves_nothing(house):
    fields = ringing(new_phone())
    new = SDK.compute_signature(house.public + PATH, fields, HMAC_SHA256)
    old = SDK.compute_signature(house.public + PATH, fields)
    for signature, settings, status in [
        (new, SETTINGS, 204),
        (old, {}, 204),
        (old, {name: "key=only" for name in SETTINGS}, 204),
        (new, {}, 401),
        (old, SETTINGS, 401),
        (new, {name: "key=k,algorithm=HMAC_SHA512" for name in SETTINGS}, 401),
        (old, {name: "key=k,algorithm=none" for name in SETTINGS}, 401),
    ]:
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signature, **settings}
        answer = knock(house, LINE, data=urllib.parse.urlencode(fields), headers=headers)
        assert answer.status_code == status, settings


def test_every_refusal_looks_the_same(house):
    fields = ringing(new_phone())
    body = urllib.parse.urlencode(fields)
    right = SDK.compute_signature(house.public + PATH, fields)
    flipped = ("A" if right[0] != "A" else "B") + right[1:]
    elsewhere = SDK.compute_signature("https://elsewhere.example" + PATH, fields)
    stranger = RequestValidator("another-secret").compute_signature(house.public + PATH, fields)
    proofs = [None, flipped, right[:-1], right.lower(), elsewhere, stranger, "", "=", "x" * 5000, "demo-bot-secret"]
    refusals = set()
    for proof in proofs:
        headers = {"Content-Type": FORM} | ({} if proof is None else {"X-Twilio-Signature": proof})
        refusals.add(refusal(knock(house, LINE, data=body, headers=headers)))
    assert len(refusals) == 1


@pytest.mark.parametrize("public", ["https://leads.example.com", "https://leads.example.com:8443", "http://10.0.0.1"])
def test_behind_a_proxy_the_public_address_is_signed_with_or_without_its_port(open_house, public):
    house = open_house(settings={"gateway.public_url": public})
    scheme, host, port = public.split(":")[0], public.split("//")[1].split(":")[0], public.split(":")[2:]
    port = port[0] if port else {"https": "443", "http": "80"}[scheme]
    for signed, genuine in [
        (f"{scheme}://{host}", True),
        (f"{scheme}://{host}:{port}", True),
        (f"{scheme}://{host}:9", False),
        (house.public, False),
        (f"{scheme}://other.{host}", False),
    ]:
        fields = ringing(new_phone())
        signature = SDK.compute_signature(signed + PATH, fields)
        assert SDK.validate(public + PATH, fields, signature) == genuine, "so says the SDK"
        assert twilio(house, fields, public=signed).status_code == (204 if genuine else 401), signed


def test_while_a_secret_is_changed_both_are_believed(open_house):
    both = DEMO.read_text().replace(f'secret = "{LINE_SECRET}"', 'secrets = ["a-newer-secret", "demo-line-secret"]')
    house = open_house(workspaces={"demo": both})
    for secret, status in [("a-newer-secret", 204), (LINE_SECRET, 204), ("an-older-secret", 401)]:
        assert twilio(house, ringing(new_phone()), secret=secret).status_code == status


# --- what a call becomes


def play(house, events):
    for event in events:
        assert twilio(house, event).status_code == 204


def test_a_call_that_only_our_greeting_answered_does_not_stop_the_clock(house):
    caller, sid = new_phone(), new_id("CA")
    before = books(house, LINE)
    play(house, [
        leg(sid, "ringing", caller, -40),
        leg(sid, "in-progress", caller, -39),
        leg(sid, "completed", caller, -1, CallDuration="38"),
    ])
    one = by_phone(house, caller, lambda one: one["call"]["answered_by"] == "machine")
    assert grown(before, books(house, LINE))["lead"] == 1
    one = lead(house, one["id"])
    assert one["contacted_at"] is None and one["contacted_by"] is None and one["stage"] == "new"
    assert one["sla"]["due_at"] is not None and one["sla"]["breached_at"] is None
    assert one["call"]["talk_s"] == 0 and one["call"]["from"] == caller and one["call"]["to"] == OUR_NUMBER
    assert "lead.contacted" not in kinds(house, one["id"])


def bridged(caller, sid, leg_sid):
    """Ivan answers after eight seconds and talks for 42."""
    return [
        leg(sid, "ringing", caller, -60, CallerName="VERNER OLEG"),
        leg(sid, "in-progress", caller, -59, CallerName="VERNER OLEG"),
        child(leg_sid, sid, "initiated", caller, -58),
        child(leg_sid, sid, "ringing", caller, -57),
        child(leg_sid, sid, "in-progress", caller, -51),
        child(leg_sid, sid, "completed", caller, -9, CallDuration="42"),
        leg(sid, "completed", caller, -8, CallDuration="51", CallerName="VERNER OLEG"),
    ]


def settled(house, caller):
    """The lead of a call of which everything has been decided."""
    books(house, LINE)
    return by_phone(house, caller)


def test_a_call_bridged_to_a_person_is_contacted_and_is_his(house):
    caller = new_phone()
    events = bridged(caller, new_id("CA"), new_id("CA"))
    play(house, events)
    one = settled(house, caller)
    assert one["contacted_by"] == "ivan" and one["owner"] == "ivan" and one["stage"] == "contacted"
    assert one["call"]["talk_s"] == 42 and one["call"]["answered_by"] == "human"
    assert one["touches"] == 1 and one["sla"]["breached_at"] is None
    assert one["contacted_at"] > one["occurred_at"], "the clock runs from the first ring to the bridge"
    told = [event for event in house.events() if event["subject"] == one["id"]]
    contacted = [event for event in told if event["type"] == "lead.contacted"]
    assert len(contacted) == 1 and contacted[0]["data"]["change"]["by"] == "ivan"


def test_a_call_nobody_of_ours_answered_in_time_is_not_contacted(house):
    caller, sid, leg_sid = new_phone(), new_id("CA"), new_id("CA")
    play(house, [
        leg(sid, "ringing", caller, -30),
        child(leg_sid, sid, "ringing", caller, -28),
        child(leg_sid, sid, "no-answer", caller, -5),
        leg(sid, "completed", caller, -4, DialCallStatus="no-answer", DialCallSid=leg_sid, CallDuration="26"),
    ])
    one = settled(house, caller)
    assert one["contacted_at"] is None and one["call"]["answered_by"] != "human"


def test_the_result_of_a_dial_is_enough_where_the_legs_are_silent(house):
    caller, sid = new_phone(), new_id("CA")
    dialled = leg(sid, "in-progress", caller, -1, DialCallStatus="completed", DialCallSid=new_id("CA"), DialCallDuration="30")
    play(house, [leg(sid, "ringing", caller, -40), dialled, leg(sid, "completed", caller, 0, CallDuration="39")])
    one = settled(house, caller)
    assert one["contacted_at"] is not None and one["call"]["talk_s"] == 30


def test_a_talk_of_three_seconds_is_no_contact(house):
    caller, sid, leg_sid = new_phone(), new_id("CA"), new_id("CA")
    play(house, [
        leg(sid, "ringing", caller, -20),
        child(leg_sid, sid, "in-progress", caller, -12),
        child(leg_sid, sid, "completed", caller, -9, CallDuration="3"),
        leg(sid, "completed", caller, -8, CallDuration="12"),
    ])
    one = settled(house, caller)
    assert one["contacted_at"] is None and one["sla"]["due_at"] is not None


def without_chance(one, caller):
    """A lead without what differs between two leads of the same story."""
    text = json.dumps({key: value for key, value in one.items() if key not in ("id", "version", "received_at")})
    text = text.replace(caller, "CALLER").replace(one["contact"]["id"], "CONTACT").replace(one["call"]["id"], "CALL")
    return json.loads(text)


def test_in_whatever_order_the_events_come_the_lead_is_the_same(house):
    stories = []
    for seed in range(12):
        caller = new_phone()
        stories.append((seed, caller, bridged(caller, new_id("CA"), new_id("CA"))))
    moments = [event["Timestamp"] for event in stories[0][2]]
    for seed, _, events in stories:
        for event, moment in zip(events, moments):
            event["Timestamp"] = moment
        if seed:
            random.Random(seed).shuffle(events)
        play(house, events + random.Random(seed).sample(events, 2))
    books(house, LINE)
    expected = without_chance(by_phone(house, stories[0][1]), stories[0][1])
    assert expected["contacted_by"] == "ivan"
    for seed, caller, _ in stories[1:]:
        assert without_chance(by_phone(house, caller), caller) == expected, f"seed {seed}"


def test_an_event_sent_again_is_counted_and_changes_nothing(house):
    caller, before = new_phone(), books(house, LINE)
    event = ringing(caller)
    for _ in range(5):
        assert twilio(house, event).status_code == 204
    wait_until(lambda: grown(before, books(house, LINE)) == {"lead": 1, "redelivered": 4}, SHOWN_WITHIN)
    assert by_phone(house, caller)["touches"] == 1
