"""Who knocks, and what were they promised? A crowd of senders with a ledger of every answer.

Each person of the crowd is one lead: a phone number nobody else has, and one to three requests of one kind. A request is
sent over a kept connection until it is answered 2xx, always with the same id or the same content, as providers do; the
forgetful ones (plain browsers) send it once, whatever happens.
"""

import base64
import hashlib
import hmac
import http.client
import json
import random
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

FORM, URLENCODED = "/in/demo-form", "application/x-www-form-urlencoded"
LINE, LINE_SECRET, OUR_NUMBER = "/in/demo-line", "demo-line-secret", "+74951234567"
BOT, BOT_SECRET = "/in/demo-bot", "demo-bot-secret"
# In every name, so that one word finds all of them where nobody's name may be.
FAMILY = "Kanareikin"
ANSWER_WITHIN = 20


@dataclass
class Knock:
    """One request as it is sent, again and again."""

    path: str
    headers: dict
    body: bytes
    # A later phase of the touch before it, not a touch.
    phase: bool = False
    # Bodies of 2xx answers.
    answers: list = field(default_factory=list)
    # Sent at least once; without an answer it may or may not be stored.
    sent: bool = False


@dataclass
class Person:
    number: int
    kind: str
    forgetful: bool = False
    knocks: list = field(default_factory=list)

    @property
    def name(self):
        return f"{FAMILY} {self.number}"

    @property
    def phone(self):
        return f"+7903{self.number:07}"

    def touches(self):
        return [knock for knock in self.knocks if not knock.phase]

    def promised(self):
        """The touches that were answered 2xx."""
        return [knock for knock in self.touches() if knock.answers]


def json_form(person, text, id=None):
    fields = {"name": person.name, "phone": person.phone, "message": text}
    if id:
        fields["leadgate_id"] = id
    return Knock(FORM, {"Content-Type": "application/json"}, json.dumps(fields).encode())


def keyed_form(person, text, key):
    fields = {"name": person.name, "phone": person.phone, "message": text}
    headers = {"Content-Type": URLENCODED, "Idempotency-Key": key, "Accept": "application/json"}
    return Knock(FORM, headers, urllib.parse.urlencode(fields).encode())


def call(public, person, status, **more):
    """Twilio's event of a customer's leg, signed for the address it believes to call."""
    sid = "CA" + hashlib.md5(person.phone.encode()).hexdigest()
    fields = {"CallSid": sid, "CallStatus": status, "Direction": "inbound", "From": person.phone, "To": OUR_NUMBER}
    fields |= {"CallerName": person.name} | more
    signed = public + LINE + "".join(name + fields[name] for name in sorted(fields))
    proof = base64.b64encode(hmac.new(LINE_SECRET.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    headers = {"Content-Type": URLENCODED, "X-Twilio-Signature": proof}
    return Knock(LINE, headers, urllib.parse.urlencode(fields).encode())


def chat(person, text):
    own = {"first_name": person.name, "id": 10_000_000 + person.number, "is_bot": False}
    card = {"first_name": person.name, "phone_number": person.phone, "user_id": own["id"]}
    message = {"message_id": 1, "date": int(time.time()), "chat": {"id": own["id"], "type": "private"}, "from": own}
    update = {"update_id": 50_000_000 + person.number, "message": message | {"text": text, "contact": card}}
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": BOT_SECRET}
    return Knock(BOT, headers, json.dumps(update).encode())


KINDS = ("form with id", "form with key", "form", "two forms", "call", "chat", "forgetful form")


def invent(number, rng, public):
    """The next person and everything he will send."""
    kind = rng.choice(KINDS)
    person = Person(number, kind, forgetful=kind == "forgetful form")
    text = "About the house. " * rng.randint(1, 40)
    ids = [f"{number}-{rng.getrandbits(64):x}" for _ in range(2)]
    person.knocks = {
        "form with id": lambda: [json_form(person, text, ids[0])],
        "form with key": lambda: [keyed_form(person, text, ids[0])],
        "form": lambda: [json_form(person, text)],
        "two forms": lambda: [json_form(person, text, ids[0]), keyed_form(person, text, ids[1])],
        "call": lambda: [call(public, person, "ringing"), call(public, person, "completed", CallDuration="31")],
        "chat": lambda: [chat(person, text)],
        "forgetful form": lambda: [json_form(person, text, ids[0])],
    }[kind]()
    if kind == "call":
        person.knocks[1].phase = True
    return person


class Crowd:
    """Many senders at once. `persons` is the ledger; read it after `finish`."""

    def __init__(self, house, seed, senders=12, pause=0.02, first=0):
        self.public = house.public
        self.host = house.public.removeprefix("http://")
        self.persons, self.first = [], first
        # Answers by status; and how sending failed when there was none.
        self.outcomes = {}
        self.refusals_without_hint = 0
        self.slowest = 0.0
        self.seed, self.pause = seed, pause
        self.closing, self.leaving = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.send_on, args=(nth,), daemon=True) for nth in range(senders)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def finish(self, seconds=60):
        """Nobody new comes; who is still waiting for his 2xx gets it first."""
        self.closing.set()
        self.join(seconds)

    def leave(self, seconds=60):
        """Everybody goes after the request he is at."""
        self.closing.set()
        self.leaving.set()
        self.join(seconds)

    def join(self, seconds):
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        waiting = sum(thread.is_alive() for thread in self.threads)
        assert waiting == 0, f"{waiting} senders have no 2xx after {seconds} s: {self.outcomes}"

    def send_on(self, nth):
        rng = random.Random(f"{self.seed}:{nth}")
        line = self.line(nth)
        while not self.closing.is_set():
            with self.lock:
                person = self.newcomer(self.first + len(self.persons), rng)
                self.persons.append(person)
            for knock in person.knocks:
                if not self.send(line, person, knock, rng):
                    break
            if rng.random() < 0.15 and person.promised():
                # Providers send again what was answered, too.
                self.attempt(line, rng.choice(person.promised()))
            time.sleep(rng.uniform(0, self.pause))
        line.close()

    def line(self, _nth):
        return Line(self.host)

    def newcomer(self, number, rng):
        return invent(number, rng, self.public)

    def send(self, line, person, knock, rng):
        """Until it is answered 2xx; false when nobody waits for that any more."""
        while not self.attempt(line, knock):
            if person.forgetful or self.leaving.is_set():
                return False
            time.sleep(rng.uniform(0.01, 0.06))
        return True

    def attempt(self, line, knock):
        begun = time.monotonic()
        knock.sent = True
        outcome, body, hint = line.exchange(knock)
        taken = isinstance(outcome, int) and outcome // 100 == 2
        with self.lock:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            if taken:
                knock.answers.append(body)
                self.slowest = max(self.slowest, time.monotonic() - begun)
            elif outcome in (429, 503) and not hint:
                self.refusals_without_hint += 1
        return taken

    def promises(self):
        return sum(count for outcome, count in self.outcomes.items() if isinstance(outcome, int) and outcome // 100 == 2)


class Line:
    """One kept connection, opened again when it broke."""

    def __init__(self, host):
        self.host = host
        self.http = None

    def exchange(self, knock):
        """Status or the name of what went wrong, the body, and Retry-After."""
        fresh = self.http is None
        try:
            if fresh:
                self.http = http.client.HTTPConnection(self.host, timeout=ANSWER_WITHIN)
            self.http.request("POST", knock.path, knock.body, knock.headers)
            answer = self.http.getresponse()
            body = answer.read()
            if answer.will_close:
                self.close()
            return answer.status, body, answer.headers.get("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return ("fresh" if fresh else "kept", type(error).__name__), None, None

    def close(self):
        if self.http:
            self.http.close()
        self.http = None
