"""Writes signatures made by Twilio's own Python SDK, for our verifier to believe.

    pip install twilio==9.13.0
    python3 tests/oracles/twilio_vectors.py

Writes tests/fixtures/twilio_vectors.json and the signed requests in tests/fixtures/sources/twilio/.
"""

import hashlib
import json
import pathlib
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

from twilio.request_validator import RequestValidator

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
TOKEN = "12345"
URL = "https://leads.example.com/in/line-1"


class Fields:
    """Ordered fields with doubled names, in the shape the SDK takes from a web framework."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __iter__(self):
        return iter(name for name, _ in self.pairs)

    def __len__(self):
        return len(self.pairs)

    def getall(self, name):
        return [value for known, value in self.pairs if known == name]


def sign(url, pairs, algorithm=None, token=TOKEN):
    return RequestValidator(token).compute_signature(url, Fields(pairs), algorithm)


def with_port(url, port):
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def vector(name, pairs, url=URL, signed_url=None, algorithm=None, method="POST", body=None):
    if body is None:
        body = "" if method == "GET" else urlencode(pairs)
    signed = [] if method == "GET" or body.startswith("{") else pairs
    return {
        "name": name,
        "method": method,
        "url": url,
        "content_type": "application/json" if body.startswith("{") else "application/x-www-form-urlencoded",
        "body": body,
        "settings": f"key=webhooks_sharedkey_1,algorithm={algorithm}" if algorithm else None,
        "signature": sign(signed_url or url, signed, algorithm),
    }


CALL = [
    ("CallSid", "CA0000000000000000000000000000aa01"),
    ("From", "+74950000001"),
    ("To", "+74951234567"),
    ("Direction", "inbound"),
    ("CallStatus", "ringing"),
    ("CallerName", "Анна Иванова"),
    ("Digits", ""),
]
DOUBLED = CALL + [("Tag", "b"), ("Tag", "a"), ("Tag", "b")]
JSON = '{"CallSid": "CA1", "name": "Анна"}'
JSON_URL = f"{URL}?bodySHA256={hashlib.sha256(JSON.encode()).hexdigest()}"
GET_URL = f"{URL}?{urlencode(CALL)}"

VECTORS = [
    vector("a form", CALL),
    vector("a form signed with the default port", CALL, signed_url=with_port(URL, 443)),
    vector("a form for a URL with a port", CALL, url=with_port(URL, 8443)),
    vector("a form for a URL with a port, signed without", CALL, url=with_port(URL, 8443), signed_url=URL),
    vector("plain http signed with the default port", CALL, url=URL.replace("https", "http"),
           signed_url=with_port(URL.replace("https", "http"), 80)),
    vector("a form for a URL with a query", CALL, url=f"{URL}?leg=a%20b&x=1"),
    vector("doubled names", DOUBLED),
    vector("odd letters", [("CallSid", "CA1"), ("b", "ёж + 50%"), ("B", "&="), ("_", "😀")]),
    vector("HMAC-SHA256", CALL, algorithm="HMAC_SHA256"),
    vector("HMAC-SHA256 in lower case", CALL, algorithm="hmac_sha256"),
    vector("HMAC-SHA1 by name", CALL, algorithm="HMAC_SHA1"),
    vector("GET", CALL, url=GET_URL, method="GET"),
    vector("JSON with the hash in the URL", [], url=JSON_URL, body=JSON),
    vector("an empty body", [], body=""),
]

PARENT = "CA0000000000000000000000000000aa01"
CHILD = "CA0000000000000000000000000000bb01"
CALLBACK = ("CallbackSource", "call-progress-events")
COMMON = [("AccountSid", "AC00000000000000000000000000000000"), ("ApiVersion", "2010-04-01")]
INBOUND = [("From", "+74950000001"), ("To", "+74951234567"), ("Direction", "inbound"), ("CallSid", PARENT)]
LEG = [("From", "+74950000001"), ("To", "+79161234567"), ("Direction", "outbound-dial"), ("CallSid", CHILD),
       ("ParentCallSid", PARENT), CALLBACK]
RECORDING = "https://api.twilio.com/2010-04-01/Accounts/AC00/Recordings/RE0000000000000000000000000000cc01"


def at(second):
    return ("Timestamp", f"Sat, 21 Nov 2026 10:00:{second:02d} +0000")


REQUESTS = {
    "voice_url": INBOUND + [("CallStatus", "ringing"), ("CallerName", "ANNA I"), ("FromCity", "MOSCOW"),
                            ("CallToken", "secret")],
    "parent_in_progress": INBOUND + [("CallStatus", "in-progress"), CALLBACK, at(2), ("SequenceNumber", "1")],
    "parent_completed": INBOUND + [("CallStatus", "completed"), ("CallDuration", "95"), CALLBACK, at(59)],
    "parent_no_answer": INBOUND + [("CallStatus", "no-answer"), CALLBACK, at(30)],
    "withheld_number": [("From", "+266696687"), ("To", "+74951234567"), ("Direction", "inbound"),
                        ("CallSid", PARENT), ("CallStatus", "ringing")],
    "leg_ringing": LEG + [("CallStatus", "ringing"), at(5)],
    "leg_answered": LEG + [("CallStatus", "in-progress"), at(10)],
    "leg_completed": LEG + [("CallStatus", "completed"), ("CallDuration", "42"), at(52)],
    "leg_answered_by_machine": LEG + [("CallStatus", "completed"), ("CallDuration", "42"), at(52),
                                      ("AnsweredBy", "machine_end_beep")],
    "leg_no_answer": LEG + [("CallStatus", "no-answer"), at(30)],
    "leg_to_softphone": [("From", "+74950000001"), ("To", "client:ivan"), ("Direction", "outbound-dial"),
                         ("CallSid", CHILD), ("ParentCallSid", PARENT), CALLBACK, ("CallStatus", "in-progress"), at(10)],
    "dial_completed": INBOUND + [("CallStatus", "in-progress"), ("DialCallStatus", "completed"),
                                 ("DialCallSid", CHILD), ("DialCallDuration", "42"), ("DialBridged", "true"),
                                 ("RecordingUrl", RECORDING)],
    "dial_no_answer": INBOUND + [("CallStatus", "in-progress"), ("DialCallStatus", "no-answer"),
                                 ("DialCallSid", CHILD)],
    "recording": [("CallSid", PARENT), ("RecordingSid", RECORDING.rsplit("/", 1)[1]), ("RecordingUrl", RECORDING),
                  ("RecordingStatus", "completed"), ("RecordingDuration", "42"), ("RecordingSource", "DialVerb")],
    "recording_in_progress": [("CallSid", PARENT), ("RecordingSid", "RE1"), ("RecordingStatus", "in-progress")],
    "outbound_answered": [("From", "+74951234567"), ("To", "+74950000001"), ("Direction", "outbound-api"),
                          ("CallSid", PARENT), ("CallStatus", "in-progress"), CALLBACK, at(8)],
    "outbound_to_a_person": [("From", "+74951234567"), ("To", "+74950000001"), ("Direction", "outbound-api"),
                             ("CallSid", PARENT), ("CallStatus", "completed"), ("CallDuration", "33"),
                             ("AnsweredBy", "human"), CALLBACK, at(41)],
    "conference": [("CallSid", PARENT), ("ConferenceSid", "CF1"), ("StatusCallbackEvent", "participant-join")],
    "no_call": [("AccountSid", "AC1"), ("Level", "ERROR")],
}


def request(pairs):
    pairs = COMMON + pairs
    head = [f"POST {urlsplit(URL).path} HTTP/1.1", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8",
            f"X-Twilio-Signature: {sign(URL, pairs)}"]
    return "\n".join(head) + "\n\n" + "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)


(FIXTURES / "twilio_vectors.json").write_text(json.dumps({"token": TOKEN, "vectors": VECTORS}, ensure_ascii=False, indent=1) + "\n")
for name, pairs in REQUESTS.items():
    (FIXTURES / "sources" / "twilio" / f"{name}.http").write_text(request(pairs))
