"""Writes requests of telephone providers, signed with or checked by the vendors' own Python SDKs, for our verifiers.

    pip install telnyx==4.189.0 pynacl==1.6.2 plivo==4.63.0 vonage-jwt==1.1.5
    python3 tests/oracles/call_vectors.py

Writes tests/fixtures/{telnyx,plivo,vonage}_vectors.json and the requests in tests/fixtures/sources/ of these and of
freeswitch and call, whose makers sign nothing.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import time
from unittest import mock
from urllib.parse import quote, urlencode

import jwt
from nacl.signing import SigningKey
from plivo.utils import signature_v3, validate_signature
from telnyx.lib.webhook_verification import verify_webhook_signature
from vonage_jwt import verify_signature

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
URL = "https://leads.example.com/in/line-1"
SECRET = "12345"
NOW = 1795255260  # 2026-11-21T10:01:00Z, the moment at which the tests receive
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CALLER, LINE, IVAN = "+74950000001", "+74951234567", "+79161234567"


def stamp(second, fraction=".000"):
    return f"2026-11-21T10:00:{second:02d}{fraction}Z"


def vector(name, headers, body, url=URL, method="POST"):
    return {"name": name, "method": method, "url": url, "headers": headers, "body": body}


def write(source, requests, channel, vectors=None):
    folder = FIXTURES / "sources" / source
    folder.mkdir(exist_ok=True)
    (folder / "channel.json").write_text(json.dumps({"id": "line-1", **channel}, indent=2) + "\n")
    for one in requests:
        target = one["url"].removeprefix("https://leads.example.com")
        head = [f"{one['method']} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in one["headers"].items()]
        body = one["body"].encode() if isinstance(one["body"], str) else one["body"]
        (folder / f"{one['name']}.http").write_bytes("\n".join(head).encode() + b"\n\n" + body)
    if vectors:
        text = json.dumps(vectors, ensure_ascii=False, indent=1)
        (FIXTURES / f"{source}_vectors.json").write_text(text + "\n")


# --- telnyx

KEY = SigningKey(hashlib.sha256(b"a made-up Telnyx account").digest())
PUBLIC_KEY = base64.b64encode(bytes(KEY.verify_key)).decode()


def telnyx(name, body, kind=JSON, at=NOW - 5):
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    proof = base64.b64encode(KEY.sign(f"{at}|{text}".encode()).signature).decode()
    headers = {"telnyx-signature-ed25519": proof, "telnyx-timestamp": str(at)}
    with mock.patch.object(time, "time", lambda: at):
        verify_webhook_signature(text.encode(), headers, PUBLIC_KEY)
    return vector(name, {"Content-Type": kind, **headers}, text)


CUSTOMER = {"call_session_id": "s-1", "call_leg_id": "leg-a", "call_control_id": "v3:a", "connection_id": "7267",
            "from": CALLER, "to": LINE}
AGENT = {"call_session_id": "s-1", "call_leg_id": "leg-b", "call_control_id": "v3:b", "connection_id": "7267",
         "from": CALLER, "to": IVAN}


def telnyx_event(kind, payload, second, **more):
    event = {"record_type": "event", "event_type": kind, "id": f"{kind}-{payload.get('call_leg_id')}-{second}",
             "occurred_at": stamp(second, ".123456"), "payload": {**payload, **more}}
    return {"data": event, "meta": {"attempt": 1, "delivered_to": URL}}


TEXML = {"AccountSid": "cb6c", "CallSid": "v3:a", "From": CALLER, "To": LINE, "CallbackSource": "call-progress-events"}
TELNYX = [
    telnyx("initiated", telnyx_event("call.initiated", CUSTOMER, 0, direction="incoming", state="parked",
                                     caller_id_name="Анна", start_time=stamp(0), tags=["spring"])),
    telnyx("answered_by_application", telnyx_event("call.answered", CUSTOMER, 1, state="answered")),
    telnyx("leg_initiated", telnyx_event("call.initiated", AGENT, 3, direction="outgoing", state="bridging")),
    telnyx("leg_answered", telnyx_event("call.answered", AGENT, 10, state="answered")),
    telnyx("leg_to_extension", telnyx_event("call.answered", {**AGENT, "to": "sip:101@pbx.example"}, 10)),
    telnyx("leg_bridged", telnyx_event("call.bridged", AGENT, 10)),
    telnyx("bridged", telnyx_event("call.bridged", CUSTOMER, 10)),
    telnyx("leg_hangup", telnyx_event("call.hangup", AGENT, 52, hangup_cause="normal_clearing")),
    telnyx("hangup", telnyx_event("call.hangup", CUSTOMER, 52, hangup_cause="normal_clearing", hangup_source="caller",
                                  call_quality_stats={"inbound": {"mos": "4.50"}})),
    telnyx("hangup_missed", telnyx_event("call.hangup", CUSTOMER, 30, hangup_cause="originator_cancel")),
    telnyx("machine", telnyx_event("call.machine.detection.ended", AGENT, 12, result="machine")),
    telnyx("human", telnyx_event("call.machine.premium.detection.ended", AGENT, 12, result="human_residence")),
    telnyx("recording", telnyx_event("call.recording.saved", CUSTOMER, 55, recording_id="r-1",
                                     recording_urls={"mp3": "https://s3.example/r-1.mp3"})),
    telnyx("dtmf", telnyx_event("call.dtmf.received", CUSTOMER, 6, digit="1")),
    telnyx("message", telnyx_event("message.received", {"text": "hi"}, 6)),
    telnyx("no_session", telnyx_event("call.hangup", {"from": CALLER}, 6)),
    telnyx("no_type", {"data": {"id": "1"}}),
    telnyx("not_json", "call.hangup"),
    telnyx("texml_ringing", urlencode({**TEXML, "CallStatus": "ringing", "Timestamp": stamp(0, "")}), FORM),
    telnyx("texml_leg_completed", urlencode({**TEXML, "CallSid": "v3:b", "ParentCallSid": "v3:a", "To": IVAN,
                                             "CallStatus": "completed", "CallDuration": "42",
                                             "Timestamp": "2026-11-21 10:00:52.731479Z"}), FORM),
    telnyx("texml_leg_no_answer", urlencode({**TEXML, "CallSid": "v3:b", "ParentCallSid": "v3:a", "To": IVAN,
                                             "CallStatus": "no-answer"}), FORM),
]
TELNYX_VECTORS = [
    telnyx("an event", telnyx_event("call.hangup", CUSTOMER, 3)),
    telnyx("Cyrillic and emoji", telnyx_event("call.initiated", CUSTOMER, 3, caller_id_name="Мария 🏡")),
    telnyx("spaces as they came", '{ "data" : {"event_type":"call.hangup",  "id":"1"} }\n'),
    telnyx("a form", urlencode(TEXML), FORM),
    telnyx("five minutes old", telnyx_event("call.hangup", CUSTOMER, 3), at=NOW - 300),
    telnyx("five minutes ahead", telnyx_event("call.hangup", CUSTOMER, 3), at=NOW + 300),
]
TELNYX_STALE = [
    telnyx("older", telnyx_event("call.hangup", CUSTOMER, 3), at=NOW - 301),
    telnyx("further ahead", telnyx_event("call.hangup", CUSTOMER, 3), at=NOW + 301),
]
DER = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes(KEY.verify_key)).decode()
write("telnyx", TELNYX, {"secret": SECRET, "settings": {"public_key": [PUBLIC_KEY]}},
      {"public_key": PUBLIC_KEY, "spellings": [PUBLIC_KEY, DER, bytes(KEY.verify_key).hex(), bytes(KEY.verify_key).hex().upper()],
       "vectors": TELNYX_VECTORS, "stale": TELNYX_STALE})

# --- plivo

NONCE = "05429567804466091622"


def lists(pairs):
    """Parameters as a web framework gives them to the SDK: a list where a name comes twice."""
    found = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def plivo(name, pairs, url=URL, method="POST", header="X-Plivo-Signature-V3", version=3, others=()):
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if version == 2:
        base = url.split("?")[0]
        proof = base64.b64encode(hmac.new(SECRET.encode(), (base + NONCE).encode(), hashlib.sha256).digest()).decode()
        assert validate_signature(url, NONCE, proof, SECRET)
        headers = {"X-Plivo-Signature-V2": proof, "X-Plivo-Signature-V2-Nonce": NONCE}
    else:
        base = (signature_v3.construct_get_url(url, {}) if method == "GET"
                else signature_v3.construct_post_url(url, lists(pairs))).decode()
        proof = signature_v3.get_signature_v3(SECRET, base, NONCE).decode()
        assert signature_v3.validate_v3_signature(method, url, NONCE, SECRET, proof,
                                                  None if method == "GET" else lists(pairs))
        headers = {header: ",".join([*others, proof]), "X-Plivo-Signature-V3-Nonce": NONCE}
    body = "" if method == "GET" else urlencode(pairs)
    kind = {} if method == "GET" else {"Content-Type": f"{FORM}; charset=UTF-8"}
    return vector(name, {**kind, **headers}, body, url, method)


UUID, LEG = "11111111-aaaa-bbbb-cccc-000000000001", "11111111-aaaa-bbbb-cccc-000000000002"
PLIVO_CALL = {"CallUUID": UUID, "From": CALLER[1:], "To": LINE[1:], "Direction": "inbound"}
PLIVO_LEG = {**PLIVO_CALL, "CallStatus": "in-progress", "DialALegUUID": UUID, "DialBLegUUID": LEG,
             "DialBLegFrom": CALLER[1:], "DialBLegTo": IVAN[1:]}
RECORD = "https://media.plivo.com/v1/Account/MA0/Recording/r-1.mp3"
PLIVO = [
    plivo("answer_url", {**PLIVO_CALL, "CallStatus": "ringing", "Event": "StartApp", "CallerName": "Анна"}),
    plivo("answer_url_get", [], method="GET", url=f"{URL}?{urlencode({**PLIVO_CALL, 'CallStatus': 'ringing'})}"),
    plivo("in_progress", {**PLIVO_CALL, "CallStatus": "in-progress", "Event": "Redirect"}),
    plivo("hangup", {**PLIVO_CALL, "CallStatus": "completed", "Event": "Hangup", "HangupCause": "NORMAL_CLEARING",
                     "HangupCauseName": "Normal Hangup", "HangupSource": "Caller", "Duration": "95"}),
    plivo("hangup_missed", {**PLIVO_CALL, "CallStatus": "no-answer", "HangupCause": "NO_ANSWER", "Duration": "0"}),
    plivo("leg_answered", {**PLIVO_LEG, "Event": "DialAnswer", "DialAction": "answer", "DialBLegStatus": "answer"}),
    plivo("leg_connected", {**PLIVO_LEG, "Event": "DialConnected", "DialAction": "connected"}),
    plivo("leg_to_endpoint", {**PLIVO_LEG, "DialBLegTo": "sip:ivan@phone.plivo.com", "DialAction": "connected"}),
    plivo("leg_hangup", {**PLIVO_LEG, "Event": "DialHangup", "DialAction": "hangup", "DialBLegDuration": "42",
                         "DialBLegBillDuration": "60", "DialBLegHangupCause": "NORMAL_CLEARING"}),
    plivo("leg_unanswered", {**PLIVO_LEG, "DialAction": "hangup", "DialBLegDuration": "0",
                             "DialBLegHangupCause": "NO_ANSWER"}),
    plivo("leg_digits", {**PLIVO_LEG, "DialAction": "digits", "DialDigitsMatch": "1"}),
    plivo("dial_completed", {**PLIVO_CALL, "CallStatus": "in-progress", "DialStatus": "completed",
                             "DialRingStatus": "true", "DialALegUUID": UUID, "DialBLegUUID": LEG}),
    plivo("dial_no_answer", {**PLIVO_CALL, "CallStatus": "in-progress", "DialStatus": "no-answer",
                             "DialRingStatus": "true", "DialALegUUID": UUID, "DialBLegUUID": LEG}),
    plivo("recording", {**PLIVO_CALL, "RecordUrl": RECORD, "RecordingID": "r-1", "RecordingDuration": "41"}),
    plivo("outbound_answered", {"CallUUID": UUID, "From": LINE[1:], "To": CALLER[1:], "Direction": "outbound",
                                "CallStatus": "in-progress"}),
    plivo("outbound_to_a_person", {"CallUUID": UUID, "From": LINE[1:], "To": CALLER[1:], "Direction": "outbound",
                                   "CallStatus": "completed", "Duration": "33", "Machine": "false"}),
    plivo("unknown_status", {**PLIVO_CALL, "CallStatus": "teleported"}),
    plivo("message", {"MessageUUID": "m-1", "From": CALLER[1:], "Text": "hi"}),
    plivo("no_call", {"From": CALLER[1:]}),
]
ODD = [("CallUUID", "c"), ("b", "ёж + 50%"), ("B", "&="), ("_", "😀"), ("empty", ""), ("Tag", "b"), ("Tag", "a")]
V2 = plivo("V2", PLIVO_CALL, version=2)
PLIVO_VECTORS = [
    plivo("a form", PLIVO_CALL),
    plivo("a form for a URL with a query", PLIVO_CALL, url=f"{URL}?leg=a%20b&x=1&x=0&plus=a%2Bb"),
    plivo("odd letters and doubled names", ODD),
    plivo("the main account", PLIVO_CALL, header="X-Plivo-Signature-Ma-V3"),
    plivo("several signatures", PLIVO_CALL, others=["c2hvcnQ=", "bm90IHRoaXM="]),
    plivo("an empty form", []),
    plivo("an empty form for a URL with a query", [], url=f"{URL}?b=2&a=1"),
    plivo("GET", [], method="GET", url=f"{URL}?{urlencode({**PLIVO_CALL, 'x': 'a b'})}"),
    plivo("GET without a query", [], method="GET"),
]
write("plivo", PLIVO, {"secret": SECRET},
      {"token": SECRET, "vectors": PLIVO_VECTORS, "v2": [V2, plivo("V2 with a query", PLIVO_CALL, url=f"{URL}?a=1", version=2)]})

# --- vonage


def token(body=None, at=NOW - 2, secret=SECRET, alg="HS256", **more):
    claims = {"iss": "Vonage", "iat": at, "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "api_key": "abc123",
              "application_id": "00000000-0000-4000-8000-000000000001", **more}
    if body is not None:
        claims["payload_hash"] = hashlib.sha256(body.encode()).hexdigest()
    made = jwt.encode(claims, secret, algorithm=alg)
    if secret == SECRET and alg == "HS256" and at <= time.time():
        assert verify_signature(made, SECRET)
    return made


def vonage(name, body, url=URL, method="POST", signed=True):
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    text = "" if method == "GET" else text
    kind = {} if method == "GET" else {"Content-Type": JSON}
    proof = {"Authorization": f"Bearer {token(text if text else None)}"} if signed else {}
    return vector(name, {**kind, **proof}, text, url, method)


VONAGE_IN = {"from": CALLER[1:], "to": LINE[1:], "uuid": "u-1", "conversation_uuid": "CON-1", "direction": "inbound"}
VONAGE_LEG = {"from": LINE[1:], "to": IVAN[1:], "uuid": "u-2", "conversation_uuid": "CON-1", "direction": "outbound"}
ANSWER = {"from": CALLER[1:], "to": LINE[1:], "uuid": "u-1", "conversation_uuid": "CON-1", "region_url": "https://api-eu.vonage.com"}


def status(leg, word, second, **more):
    return {**leg, "headers": {}, "status": word, "timestamp": stamp(second), **more}


VONAGE = [
    vonage("answer_get", None, method="GET", url=f"{URL}?{urlencode({**ANSWER, 'SipHeader_X-Name': 'Анна'})}"),
    vonage("answer_post", ANSWER, url=f"{URL}/answer"),
    vonage("event_at_answer", status(VONAGE_IN, "completed", 53), url=f"{URL}/answer"),
    vonage("started", status(VONAGE_IN, "started", 0)),
    vonage("ringing", status(VONAGE_IN, "ringing", 0)),
    vonage("answered_by_ncco", status(VONAGE_IN, "answered", 1, start_time=None, rate=None)),
    vonage("leg_ringing", status(VONAGE_LEG, "ringing", 4)),
    vonage("leg_answered", status(VONAGE_LEG, "answered", 10)),
    vonage("leg_to_extension", status({**VONAGE_LEG, "to": "sip:101@pbx.example"}, "answered", 10)),
    vonage("leg_completed", status(VONAGE_LEG, "completed", 52, duration="42", price="0.01", rate="0.01",
                                   start_time=stamp(10), end_time=stamp(52), network="25001")),
    vonage("leg_unanswered", status(VONAGE_LEG, "unanswered", 30)),
    vonage("leg_machine", {"call_uuid": "u-2", "conversation_uuid": "CON-1", "from": LINE[1:], "to": IVAN[1:],
                           "status": "machine", "timestamp": stamp(12)}),
    vonage("leg_human", {"call_uuid": "u-2", "conversation_uuid": "CON-1", "from": LINE[1:], "to": IVAN[1:],
                         "status": "human", "timestamp": stamp(12)}),
    vonage("completed", status(VONAGE_IN, "completed", 53, duration="52", start_time=stamp(1), end_time=stamp(53))),
    vonage("cancelled", status(VONAGE_IN, "cancelled", 20)),
    vonage("record", {"start_time": stamp(10), "recording_url": "https://api.nexmo.com/v1/files/r-1", "size": 12222,
                      "recording_uuid": "r-1", "end_time": stamp(50), "conversation_uuid": "CON-1",
                      "timestamp": stamp(51)}),
    vonage("transfer", {"conversation_uuid_from": "CON-1", "conversation_uuid_to": "CON-2", "uuid": "u-1",
                        "timestamp": stamp(15)}),
    vonage("unknown_status", status(VONAGE_IN, "teleported", 9)),
    vonage("no_call", {"status": "answered"}),
    vonage("not_json", "answered"),
]
BODY = json.dumps(status(VONAGE_IN, "ringing", 0))
MARIA = json.dumps({**VONAGE_IN, "status": "ringing", "name": "Мария 🏡"}, ensure_ascii=False)


def bearer(name, made, body=BODY, scheme="Bearer", method="POST", url=URL):
    kind = {} if method == "GET" else {"Content-Type": JSON}
    return vector(name, {**kind, "Authorization": f"{scheme} {made}"}, body, url, method)


def forged(header, claims, body=BODY):
    part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
    return f"{part(header)}.{part(claims)}."


CLAIMS = {"iat": NOW, "payload_hash": hashlib.sha256(BODY.encode()).hexdigest()}
VONAGE_VECTORS = {
    "secret": SECRET,
    "genuine": [
        bearer("an event", token(BODY)),
        bearer("Cyrillic and emoji", token(MARIA), MARIA),
        bearer("the scheme in lower case", token(BODY), scheme="bearer"),
        bearer("five minutes old", token(BODY, at=NOW - 300)),
        bearer("GET", token(), "", method="GET", url=f"{URL}?from=1&uuid=u"),
    ],
    "wrong": [
        bearer("another secret", token(BODY, secret="54321")),
        bearer("another body", token(BODY), BODY.replace("ringing", "answered")),
        bearer("no hash of the body", token()),
        bearer("the hash of nothing", token("")),
        bearer("no algorithm", forged({"alg": "none", "typ": "JWT"}, CLAIMS)),
        bearer("another algorithm", token(BODY, alg="HS512")),
        bearer("an algorithm in other letters", forged({"alg": "hs256"}, CLAIMS)),
        bearer("Basic", token(BODY), scheme="Basic"),
        bearer("no time", jwt.encode({"payload_hash": CLAIMS["payload_hash"]}, SECRET, algorithm="HS256")),
        bearer("two parts", token(BODY).rsplit(".", 1)[0]),
        bearer("an empty token", ""),
        bearer("no token", "a.b.c"),
    ],
    "stale": [bearer("six minutes old", token(BODY, at=NOW - 360)), bearer("six minutes ahead", token(BODY, at=NOW + 360))],
}
write("vonage", VONAGE, {"secret": SECRET, "settings": {"ncco": ['[{"action": "talk", "text": "Hello"}]']}}, VONAGE_VECTORS)

# --- freeswitch

BASIC = {"Authorization": "Basic " + base64.b64encode(f"leadgate:{SECRET}".encode()).decode()}
START = NOW - 60
A_LEG, B_LEG = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"


def micros(second):
    return str((START + second) * 1_000_000 + 123_456) if second is not None else "0"


def profile(number="74950000001", to="74951234567", context="public", name="Анна", bridged=None, reached=None):
    caller = {"username": number, "dialplan": "XML", "caller_id_name": name, "caller_id_number": number,
              "destination_number": to, "uuid": A_LEG, "source": "mod_sofia", "context": context,
              "chan_name": f"sofia/external/{number}@198.51.100.7"}
    if reached:
        caller["originatee"] = {"originatee_caller_profiles": [{"destination_number": reached, "uuid": B_LEG}]}
    return {"dialplan": "XML", "profile_index": "1", "extension": {"name": "in", "number": to, "applications": []},
            "caller_profile": caller, "times": {"created_time": micros(0), "answered_time": micros(1),
                                                "bridged_time": micros(bridged), "hangup_time": micros(52)}}


def cdr(flows, encoded=True, direction="inbound", **more):
    variables = {"direction": direction, "uuid": A_LEG, "call_uuid": A_LEG, "start_epoch": str(START),
                 "answer_epoch": "0", "end_epoch": str(START + 52), "billsec": "0", "hangup_cause": "NORMAL_CLEARING",
                 "sip_from_uri": "+74950000001@198.51.100.7", "accountcode": "spring & co", **more}
    if encoded:
        variables = {name: quote(value, safe="") for name, value in variables.items()}
    return {"core-uuid": "c0de", "switchname": "pbx", "channel_data": {"state": "CS_REPORTING", "direction": direction},
            "variables": variables, "app_log": {"applications": [{"app_name": "bridge", "app_data": "user/101"}]},
            "callflow": flows}


def freeswitch(name, record, encode=None, kind=None, query=f"?uuid={A_LEG}", headers=BASIC):
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    kind = kind or {None: JSON, "url": FORM, "base64": "application/x-www-form-base64-encoded"}[encode]
    body = {None: text, "url": "cdr=" + quote(text, safe="/"),
            "base64": "cdr=" + base64.b64encode(text.encode()).decode()}[encode]
    return vector(name, {"User-Agent": "freeswitch-json/1.0", "Content-Type": kind, **headers}, body, URL + query)


TALK = cdr([profile(bridged=10, reached="101", context="default", to="101"), profile()],
           answer_epoch=str(START + 1), billsec="51", sip_h_campaign="spring%")
OLD = json.dumps(TALK, ensure_ascii=False)
FLOWS = json.dumps(TALK["callflow"], ensure_ascii=False)
OLD = OLD.replace(f'"callflow": {FLOWS}', ", ".join(f'"callflow": {json.dumps(flow, ensure_ascii=False)}' for flow in TALK["callflow"]))
LATIN = freeswitch("letters_of_the_network", cdr([profile(name="CAF?")], hangup_cause="ORIGINATOR_CANCEL"))
LATIN["body"] = LATIN["body"].encode().replace(b"CAF?", b"CAF\xc9")
FREESWITCH = [
    freeswitch("talk", TALK),
    freeswitch("talk_urlencoded", TALK, "url"),
    freeswitch("talk_base64", TALK, "base64"),
    freeswitch("without_content_type", TALK, kind=FORM),
    freeswitch("token_in_query", TALK, query=f"?token=T?uuid={A_LEG}"),
    freeswitch("profile_a_key", OLD),
    freeswitch("missed", cdr([profile()], hangup_cause="ORIGINATOR_CANCEL")),
    freeswitch("menu_only", cdr([profile()], answer_epoch=str(START + 1), billsec="51")),
    freeswitch("voicemail", cdr([profile(bridged=30, reached="app=voicemail:default 198.51.100.7 101"), profile()],
                                answer_epoch=str(START + 29), billsec="23")),
    freeswitch("queue", cdr([profile()], answer_epoch=str(START + 1), cc_queue="sales@pbx.example",
                            cc_agent="1001@pbx.example", cc_queue_answered_epoch=str(START + 20))),
    freeswitch("own_phone", cdr([profile(number="101", to="74950000001", context="default", name="Ivan", bridged=8,
                                         reached="74950000001")], user_name="101", answer_epoch=str(START + 8))),
    freeswitch("other_leg", cdr([profile(bridged=10)], direction="outbound", answer_epoch=str(START + 10))),
    LATIN,
    freeswitch("no_record", {"hello": 1}),
    freeswitch("truncated", OLD[:400]),
    freeswitch("broken_base64", "x", kind=FORM) | {"body": "cdr=!!!"},
]
write("freeswitch", FREESWITCH, {"secret": SECRET})

# --- call


def call(name, event, kind=JSON, headers=BASIC):
    body = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
    return vector(name, {"Content-Type": kind, **headers}, body)


CALL = [
    call("ringing", {"call": "17", "phase": "ringing", "from": CALLER, "to": LINE, "name": "Анна", "at": stamp(0),
                     "queue": "sales"}),
    call("ringing_at_a_person", {"call": "17", "phase": "ringing", "routed_to": "101", "at": stamp(3)},
         headers={"Authorization": f"Bearer {SECRET}"}),
    call("answered_by_menu", {"call": "17", "phase": "answered", "by": "machine", "at": stamp(1)}),
    call("answered", {"call": 17, "phase": "answered", "by": "human", "agent": "101", "at": stamp(10)}),
    call("answered_by_nobody_knows", {"call": "17", "phase": "answered", "at": stamp(10)}),
    call("answered_by_somebody", {"call": "17", "phase": "answered", "by": "human", "at": stamp(10)}),
    call("ended", {"call": "17", "phase": "ended", "talk_s": 42, "cause": "hangup", "at": stamp(52)}),
    call("recorded", {"call": "17", "phase": "recorded", "recording_url": "https://pbx.example/r/17.mp3"}),
    call("whole_call", {"call": "18", "phase": "ended", "from": CALLER, "to": LINE, "started_at": stamp(0),
                        "answered_at": stamp(10), "by": "human", "agent": "101", "talk_s": "42", "at": stamp(52)}),
    call("missed", {"call": "19", "phase": "ended", "from": CALLER, "to": LINE, "started_at": stamp(0),
                    "cause": "no answer", "at": stamp(30)}),
    call("outbound", {"call": "20", "event": "e-1", "phase": "answered", "direction": "outbound", "from": "101",
                      "to": CALLER, "by": "human", "agent": "101", "at": stamp(8)}),
    call("form", urlencode({"call": "21", "phase": "ringing", "from": CALLER, "name": "Анна"}), FORM),
    call("on_hold", {"call": "17", "phase": "held", "at": stamp(20)}),
    call("no_call", {"phase": "ringing", "from": CALLER}),
    call("no_phase", {"call": "17"}),
    call("sideways", {"call": "17", "phase": "ringing", "direction": "sideways"}),
    call("by_a_dog", {"call": "17", "phase": "answered", "by": "dog"}),
    call("recording_without_address", {"call": "17", "phase": "recorded"}),
    call("doubled_key", '{"call": "17", "phase": "ringing", "from": "+74950000001", "from": "+74950000002"}'),
]
write("call", CALL, {"secret": SECRET})
