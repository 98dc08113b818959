"""Does a post become the same lead in whatever encoding and under whatever names a page sends it?"""

import json
import urllib.parse

import pytest
from house import DEMO, wait_until
from knocks import SHOWN_WITHIN, books, form, grown, knock, lead, leads, marked, new_id, new_phone, running, told

FORM = "application/x-www-form-urlencoded"
NAME, TEXT = "Антонина Жукова", "Сколько стоит домик?"
CAMPAIGN = {
    "utm_source": "yandex", "utm_medium": "cpc", "utm_campaign": "дача", "yclid": "1234567890123456789",
    "gclid": "Cj0KCQ", "page": "https://cottages.example/lake",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("forms")) as house:
        yield house


def urlencoded(pairs, encoding="utf-8"):
    return urllib.parse.urlencode(list(pairs), encoding=encoding)


def said(phone, mark):
    """The same customer for every encoding."""
    contact = {"name": NAME, "phone": phone, "email": f"A{mark[1:]}@Customer.Example", "message": TEXT}
    return contact | CAMPAIGN | {"case": mark, "budget": "100"}


def as_json(house, fields):
    return form(house, fields)


def as_nested_json(house, fields):
    who = {"name": fields["name"], "tel": fields["phone"], "email": fields["email"]}
    rest = {key: value for key, value in fields.items() if key not in ("name", "phone", "email")}
    return form(house, {"data": {"customer": who}} | rest)


def as_urlencoded(house, fields):
    return knock(house, "demo-form", data=urlencoded(fields.items()), headers={"Content-Type": FORM})


def as_php(house, fields):
    renamed = {"name": "fields[name]", "phone": "fields[phone][0][value]", "email": "customer[email]"}
    pairs = [(renamed.get(key, key), value) for key, value in fields.items()]
    return knock(house, "demo-form", data=urlencoded(pairs), headers={"Content-Type": FORM})


def as_russian(house, fields):
    renamed = {"name": "Ваше имя", "phone": "Контактный телефон", "email": "Электронная почта", "message": "Сообщение"}
    pairs = [(renamed.get(key, key), value) for key, value in fields.items()]
    return knock(house, "demo-form", data=urlencoded(pairs), headers={"Content-Type": FORM})


def as_windows_1251(house, fields):
    body = urlencoded(fields.items(), "windows-1251")
    return knock(house, "demo-form", data=body, headers={"Content-Type": FORM + "; charset=windows-1251"})


def as_silent_windows_1251(house, fields):
    body = urlencoded(fields.items(), "windows-1251")
    return knock(house, "demo-form", data=body, headers={"Content-Type": FORM})


def as_koi8_r(house, fields):
    body = urlencoded([*fields.items(), ("_charset_", "koi8-r")], "koi8-r")
    return knock(house, "demo-form", data=body, headers={"Content-Type": FORM})


def as_multipart(house, fields):
    return knock(house, "demo-form", files={key: (None, value) for key, value in fields.items()})


def as_beacon(house, fields):
    return knock(house, "demo-form", data=json.dumps(fields).encode(), headers={"Content-Type": "text/plain;charset=UTF-8"})


ENCODINGS = [
    as_json, as_nested_json, as_urlencoded, as_php, as_russian, as_windows_1251, as_silent_windows_1251, as_koi8_r,
    as_multipart, as_beacon,
]


@pytest.mark.parametrize("send", ENCODINGS, ids=lambda send: send.__name__.removeprefix("as_"))
def test_every_encoding_becomes_the_same_lead(house, send):
    phone = new_phone()
    written = f"8 ({phone[2:5]}) {phone[5:8]}-{phone[8:10]}-{phone[10:]}"
    answer = send(house, said(written, phone))
    assert answer.status_code == 200 and answer.json()["status"] == "accepted"
    one = marked(house, phone)
    assert phone in one["contact"]["phones"] and f"a{phone[1:]}@customer.example" in one["contact"]["emails"]
    assert one["contact"]["name"] == NAME and one["text"] == TEXT
    assert one["campaign"] == CAMPAIGN
    assert one["attributes"] == {"case": phone, "budget": "100"}
    assert one["kind"] == "form" and one["source"] == "form" and one["flags"] == []


def test_files_are_told_of_and_not_kept(house):
    mark = new_id("files")
    files = [("case", (None, mark)), ("phone", (None, new_phone())), ("plan", ("../../план.pdf", b"%PDF-1.7", "application/pdf"))]
    assert knock(house, "demo-form", files=files).status_code == 200
    [told_of] = marked(house, mark)["attributes"]["files"]
    assert told_of["size"] == 8 and told_of["type"] == "application/pdf"
    assert told_of["name"] is None, "a name that climbs is no name"


def test_consent_is_kept_with_its_words_and_moment(house):
    mark = new_id("consent")
    form(house, {
        "phone": new_phone(), "case": mark, "consent": "on", "consent_text": "policy 7",
        "consent_at": "2026-05-01T10:00:00Z",
    })
    assert marked(house, mark)["consent"] == {"given": True, "text": "policy 7", "at": "2026-05-01T10:00:00.000Z"}


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200, "text/html; charset=utf-8"),
        ("application/json", 200, "application/json"),
        ("application/json, text/html", 200, "application/json"),
        ("*/*", 200, "application/json"),
    ],
)
def test_a_browser_sees_a_page_and_a_script_gets_json(house, accept, status, kind):
    answer = knock(house, "demo-form", data={"phone": new_phone()}, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    if kind.startswith("text/html"):
        assert "fifteen minutes" in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_browser_is_sent_where_the_channel_says_and_nowhere_else(open_house):
    line = 'redirect = "https://cottages.example/thanks"\nredirect_hosts = ["shop.example"]\n'
    text = DEMO.read_text().replace('thanks = "Thank you! We call you back within fifteen minutes."\n', line)
    house = open_house(workspaces={"demo": text})
    for wish, target in [
        (None, "https://cottages.example/thanks"),
        ("https://shop.example/ok?a=1", "https://shop.example/ok?a=1"),
        ("https://evil.example/", "https://cottages.example/thanks"),
        ("https://shop.example@evil.example/", "https://cottages.example/thanks"),
        ("https://user@shop.example/", "https://cottages.example/thanks"),
        ("javascript:alert(1)//shop.example", "https://cottages.example/thanks"),
        ("//shop.example/", "https://cottages.example/thanks"),
        ("https://shop.example/\r\nSet-Cookie: a=b", None),
    ]:
        fields = {"phone": new_phone()} | ({"redirect": wish} if wish else {})
        answer = knock(house, "demo-form", data=fields, headers={"Accept": "text/html"})
        assert answer.status_code == 303 and "set-cookie" not in answer.headers
        assert target is None or answer.headers["location"] == target, wish


def test_any_page_may_post_until_pages_are_named(house, open_house):
    asking = {"Origin": "https://landing.example", "Access-Control-Request-Method": "POST"}
    answer = knock(house, "demo-form", method="OPTIONS", headers=asking)
    assert answer.status_code == 204 and answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]
    named = DEMO.read_text().replace('source = "form"\n', 'source = "form"\norigins = ["https://landing.example"]\n', 1)
    strict = open_house(workspaces={"demo": named})
    for origin, allowed, status in [
        ("https://landing.example", "https://landing.example", 200),
        ("https://evil.example", None, 403),
        ("null", None, 403),
    ]:
        preflight = knock(strict, "demo-form", method="OPTIONS", headers=asking | {"Origin": origin})
        assert preflight.headers.get("access-control-allow-origin") == allowed
        answer = form(strict, {"phone": new_phone()}, headers={"Origin": origin})
        assert answer.status_code == status and answer.headers.get("access-control-allow-origin") == allowed
    assert len(strict.events()) <= 1, "the refused posts made no lead"


def test_a_filled_honeypot_looks_accepted_and_is_junk(house):
    before, count = books(house, "demo-form"), len(leads(house))
    good = form(house, {"phone": new_phone(), "leadgate_hp": ""})
    bad = form(house, {"phone": new_phone(), "leadgate_hp": "https://spam.example"})
    assert bad.status_code == good.status_code and bad.json().keys() == good.json().keys()
    assert grown(before, books(house, "demo-form")) == {"lead": 1, "junk": 1}
    assert len(leads(house)) == count + 1


def test_an_excluded_sender_is_answered_counted_and_makes_no_lead(house):
    before, count = books(house, "demo-form"), len(house.events())
    for address in ("boris@supplier.example", "Boris@SUPPLIER.example", "b@mail.supplier.example"):
        assert form(house, {"email": address, "name": "Boris", "id": address}).status_code == 200
    assert form(house, {"email": "boris@notsupplier.example", "name": "Boris"}).status_code == 200
    assert grown(before, books(house, "demo-form")) == {"excluded": 3, "lead": 1}
    assert len(house.events()) == count + 1


def test_a_post_sent_again_with_its_id_is_the_same_post(house):
    phone, key = new_phone(), new_id("key")
    before = books(house, "demo-form")
    first = form(house, {"phone": phone, "leadgate_id": key})
    again = form(house, {"phone": phone, "leadgate_id": key, "message": "typed on"})
    header = form(house, {"phone": phone}, headers={"Idempotency-Key": f'"{key}"'})
    assert first.json() == again.json() == header.json()
    assert grown(before, books(house, "demo-form")) == {"lead": 1, "redelivered": 2}


def test_fifty_identical_posts_in_one_instant_are_one_lead(house):
    from concurrent.futures import ThreadPoolExecutor
    phone, before = new_phone(), books(house, "demo-form")
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: form(house, {"phone": phone, "name": "Twice"}).status_code, range(50)))
    assert answers == [200] * 50
    assert grown(before, books(house, "demo-form")) == {"lead": 1, "redelivered": 49}
    assert len([one for one in leads(house) if phone in one["contact"]["phones"]]) == 1


def test_a_second_approach_joins_the_open_lead(house):
    phone, mark = new_phone(), new_id("twice")
    form(house, {"phone": phone, "case": mark})
    first = marked(house, mark)
    form(house, {"phone": "8" + phone[2:], "message": "are you there?", "utm_term": "lake"})
    wait_until(lambda: lead(house, first["id"])["touches"] == 2, SHOWN_WITHIN)
    joined = lead(house, first["id"])
    assert joined["sla"] == first["sla"] and joined["text"] == "are you there?" and joined["priority"] == 1
    event = [event for event in house.events() if event["subject"] == first["id"]][-1]
    assert event["type"] == "lead.touched" and event["data"]["change"]["duplicate"] == "same_channel"


def test_an_address_with_a_key_is_only_known_with_it(open_house):
    text = DEMO.read_text().replace('source = "form"\n', 'source = "form"\nurl_key = "s3cretkey42"\n', 1)
    house = open_house(workspaces={"demo": text})
    for door, status in [("demo-form.s3cretkey42", 200), ("demo-form", 404), ("demo-form.s3cretkey4", 404)]:
        assert knock(house, door, json={"phone": new_phone()}).status_code == status, door


def test_a_channel_may_say_where_its_fields_stand(open_house):
    text = DEMO.read_text().replace('source = "form"\n', 'source = "form"\nfields = { phone = "a.b", budget = "c" }\n', 1)
    house = open_house(workspaces={"demo": text})
    phone = new_phone()
    form(house, {"a": {"b": phone}, "c": "7", "phone": "+79990000000", "case": "mapped"})
    one = marked(house, "mapped")
    assert one["contact"]["phones"] == [phone] and one["attributes"]["budget"] == "7"


def test_the_channels_page_tells_where_to_send_and_who_waits(house):
    form(house, {"phone": new_phone()})
    books(house, "demo-form")
    channels = {one["id"]: one for one in told(house, "channels")["channels"]}
    assert set(channels) == {"demo-form", "demo-line", "demo-mail", "demo-bot"}
    assert channels["demo-form"]["url"] == f"{house.public}/in/demo-form"
    assert channels["demo-form"]["waiting"]["leads"] > 0 and channels["demo-form"]["responsible"] == "anna"
