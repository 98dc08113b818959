"""Writes what Mango Office and Zadarma would post, signed by Python's hashlib and hmac after the formulas that the
vendors publish: «API Mango Office» 1.9 and the library zadarma/user-api-v1.

    python3 tests/oracles/pbx_requests.py

Writes the requests in tests/fixtures/sources/mango/ and tests/fixtures/sources/zadarma/.
"""

import base64
import hashlib
import hmac
import json
import pathlib
from urllib.parse import urlencode

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "sources"
SECRET = "12345"
KEY = "demo-key"
FORM = "application/x-www-form-urlencoded"
# 2026-11-21T10:00:00Z
BEGAN = 1795255200


def write(source, name, target, headers, body):
    lines = [f"{target} HTTP/1.1", *(f"{key}: {value}" for key, value in headers), "", body]
    (FIXTURES / source / f"{name}.http").write_text("\n".join(lines))


def mango(name, path, event, kind=FORM):
    text = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    sign = hashlib.sha256(f"{KEY}{text}{SECRET}".encode()).hexdigest()
    body = urlencode({"vpbx_api_key": KEY, "sign": sign, "json": text})
    write("mango", name, f"POST /in/mango-line/{path}", [("Content-Type", kind)], body)


ENTRY = "MTIzNDU2Nzg5MDE="
LEG = "MToxMDA4NjI3Nzo1MDI6"
CUSTOMER = {"number": "79161234567"}
LINE = {"number": "74951234567", "line_number": "74951234567"}
IVAN = {"extension": "101", "number": "sip:ivan@company.mangosip.ru"}
ANNA = {"extension": "102", "number": "sip:anna@company.mangosip.ru"}
OFFERED = {**IVAN, "line_number": "74951234567", "acd_group": "sales"}


def leg(state, location, seq, frm=CUSTOMER, to=LINE, number="1", after=0, **more):
    return {
        "entry_id": ENTRY,
        "call_id": LEG + number,
        "timestamp": BEGAN + after,
        "seq": seq,
        "call_state": state,
        "location": location,
        "from": frm,
        "to": to,
        "dct": {"type": 0},
        **more,
    }


def taken(frm, number):
    return {**frm, "taken_from_call_id": LEG + number}


def summary(**more):
    return {
        "entry_id": ENTRY,
        "call_direction": 1,
        "from": CUSTOMER,
        "to": IVAN,
        "line_number": "74951234567",
        "create_time": BEGAN,
        "forward_time": BEGAN + 2,
        "talk_time": BEGAN + 15,
        "end_time": BEGAN + 75,
        "entry_result": 1,
        "disconnect_reason": 1110,
        **more,
    }


def recording(state, **more):
    return {"recording_state": state, "entry_id": ENTRY, "call_id": LEG + "2", "extension": "101", **more}


for args in [
    ("menu_appeared", leg("Appeared", "ivr", 1)),
    ("menu_connected", leg("Connected", "ivr", 2, after=1)),
    ("queue_connected", leg("Connected", "queue", 3, after=5)),
    ("employee_appeared", leg("Appeared", "abonent", 1, taken(CUSTOMER, "1"), OFFERED, "2", 8)),
    ("employee_connected", leg("Connected", "abonent", 2, taken(CUSTOMER, "1"), OFFERED, "2", 15)),
    ("employee_on_hold", leg("OnHold", "abonent", 3, to=OFFERED, number="2", after=30)),
    ("employee_disconnected", leg("Disconnected", "abonent", 4, to=OFFERED, number="2", after=75)),
    ("consultation", leg("Appeared", "abonent", 1, taken(IVAN, "2"), ANNA, "3", 40)),
    (
        "ids_quoted",
        '{"entry_id":"232wc3e3w3s222","call_id":"200:514","timestamp":"1795255200","seq":"2",'
        '"call_state":"Connected","from":{"number":"79161234567"},"to":{"extension":101,"number":"12345678"}}',
    ),
    ("hidden_caller", leg("Appeared", "ivr", 1, {})),
    (
        "outbound_connected",
        leg("Connected", "abonent", 2, {**IVAN, "line_number": "74951234567"}, CUSTOMER, "4", 15),
    ),
    ("other_state", leg("Parked", "abonent", 2, to=OFFERED)),
    ("cyrillic_and_emoji", leg("Appeared", "ivr", 1, comment="Дом 🏡 «Ели»")),
    ("array", '[{"entry_id":"E1"}]'),
    ("truncated", '{"entry_id":"E1","call_id":'),
    ("doubled_key", '{"entry_id":"E1","entry_id":"E2","call_id":"1","call_state":"Appeared"}'),
]:
    mango(args[0], "events/call", args[1])
mango("wrong_type", "events/call", leg("Appeared", "ivr", 1), "text/plain")
for name, event in [
    ("summary_talk", summary()),
    ("summary_missed", summary(talk_time=0, entry_result=0, to={"extension": "101"}, end_time=BEGAN + 30)),
    ("summary_ended_in_the_menu", summary(talk_time=0, to={}, end_time=BEGAN + 14, disconnect_reason=1170)),
    ("summary_outbound", summary(call_direction="2", **{"from": IVAN, "to": CUSTOMER})),
    ("summary_internal", summary(call_direction=0)),
    ("summary_without_direction", {"entry_id": ENTRY}),
]:
    mango(name, "events/summary", event)
mango("recording_started", "events/recording", recording("Started", recording_id="R1", seq=1))
mango("recording_completed", "events/recording", recording("Completed", recording_id="MToxMDA=", seq=2))
mango("record_added", "events/record/added", {"recording_id": "MToxMDA=", "entry_id": ENTRY, "call_id": LEG + "2"})
mango("dtmf", "events/dtmf", {"seq": 1, "dtmf": "1", "call_id": LEG + "1", "entry_id": ENTRY, "location": "ivr"})
mango("unknown_path", "events/weather", {"entry_id": ENTRY})

CALLER = ("caller_id", "called_did", "call_start")
ANSWERED = ("caller_id", "destination", "call_start")
OUTBOUND = ("internal", "destination", "call_start")
SIGNED = {
    "NOTIFY_ANSWER": ANSWERED,
    "NOTIFY_INTERNAL": ANSWERED,
    "NOTIFY_OUT_START": OUTBOUND,
    "NOTIFY_OUT_END": OUTBOUND,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
    "SMS": ("result",),
}


def zadarma(name, event, fields, kind=FORM):
    signed = "".join(fields.get(key, "") for key in SIGNED.get(event, CALLER))
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
    headers = [("Content-Type", kind), ("Signature", base64.b64encode(digest.encode()).decode())]
    write("zadarma", name, "POST /in/zadarma-line", headers, urlencode({"event": event, **fields}))


def inbound(**more):
    known = {"call_start": "2026-11-21 13:00:00", "pbx_call_id": "in_0001a2b3", "caller_id": "79161234567", **more}
    return {key: value for key, value in known.items() if value is not None}


def outbound(**more):
    return {
        "call_start": "2026-11-21 13:00:20",
        "pbx_call_id": "out_0001a2b4",
        "internal": "101",
        "destination": "79161234567",
        "caller_id": "74951234567",
        **more,
    }


DID = {"called_did": "74951234567"}
RECORD = {"call_id_with_rec": "1795255215.100"}
TALKED = {"duration": "75", "disposition": "answered", "status_code": "16", "is_recorded": "1"}
MISSED = {"duration": "0", "disposition": "no answer", "status_code": "19", "is_recorded": "0"}
for name, event, fields in [
    ("start", "NOTIFY_START", inbound(**DID)),
    ("internal", "NOTIFY_INTERNAL", inbound(**DID, internal="101")),
    ("internal_destination", "NOTIFY_INTERNAL", inbound(destination="79030000001")),
    ("answer", "NOTIFY_ANSWER", inbound(destination="101", internal="101")),
    ("end_answered", "NOTIFY_END", inbound(**DID, internal="101", **TALKED, **RECORD)),
    ("end_missed", "NOTIFY_END", inbound(**DID, **MISSED)),
    ("record", "NOTIFY_RECORD", {"pbx_call_id": "in_0001a2b3", **RECORD}),
    ("ivr", "NOTIFY_IVR", inbound(**DID)),
    ("out_start", "NOTIFY_OUT_START", outbound()),
    ("out_end_answered", "NOTIFY_OUT_END", outbound(duration="33", disposition="answered", status_code="16")),
    ("out_end_busy", "NOTIFY_OUT_END", outbound(duration="0", disposition="busy", status_code="17")),
    ("sms", "SMS", {"result": '{"caller_id":"79161234567","caller_did":"74951234567","text":"hi"}'}),
    ("unknown_event", "NOTIFY_WEATHER", inbound(**DID)),
    ("hidden_caller", "NOTIFY_START", inbound(caller_id="Anonymous", **DID)),
    ("no_call", "NOTIFY_START", inbound(pbx_call_id=None, **DID)),
    ("odd_time", "NOTIFY_START", inbound(call_start="yesterday", **DID)),
]:
    zadarma(name, event, fields)
zadarma("wrong_type", "NOTIFY_START", inbound(**DID), "text/plain")
write("zadarma", "echo_get", "GET /in/zadarma-line?zd_echo=Abc123", [], "")
write("zadarma", "echo_post", "POST /in/zadarma-line", [("Content-Type", FORM)], "zd_echo=Abc123")
write("zadarma", "echo_post_query", "POST /in/zadarma-line?zd_echo=Abc123", [], "")
