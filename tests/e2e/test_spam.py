"""Is a machine's post put aside in the running product, and is a person's taken? ALTCHA's own library is the visitor."""

import base64
import json

import altcha
import pytest
import requests
from house import DEMO
from knocks import books, by_phone, grown, knock, leads, new_id, new_phone, running

FORMS = """
[[channel]]
id = "spring"
source = "form"
responsible = "anna"
captcha = "altcha"
min_time = "2s"

[[channel]]
id = "autumn"
source = "form"
responsible = "anna"
captcha = "altcha"

[[channel]]
id = "asking"
source = "form"
responsible = "anna"
captcha = "hcaptcha"
captcha_secret = "0x0000000000000000000000"
captcha_url = "http://127.0.0.1:1/siteverify"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("spam"), workspaces={"demo": DEMO.read_text() + FORMS}) as house:
        yield house


def challenge(house, channel="spring"):
    answer = requests.get(f"{house.public}/in/{channel}/challenge", timeout=10)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    return altcha.Challenge.from_dict(answer.json())


def proof(house, channel="spring"):
    asked = challenge(house, channel)
    return altcha.Payload(asked, altcha.solve_challenge(asked)).to_base64()


def changed(payload, **parameters):
    held = json.loads(base64.b64decode(payload))
    held["challenge"]["parameters"] |= parameters
    return base64.b64encode(json.dumps(held).encode()).decode()


def post(house, channel="spring", **fields):
    """A form's post, and how the channel's books grew by it."""
    before = books(house, channel)
    answer = knock(house, channel, json=fields)
    assert answer.status_code == 200 and set(answer.json()) == {"id", "status"}, "every post hears the same"
    return grown(before, books(house, channel))


def test_a_challenge_is_as_the_library_makes_it(house):
    ours = challenge(house).to_dict()
    theirs = altcha.create_challenge("SHA-256", 4, counter=1, expires_at=2, hmac_secret="secret").to_dict()
    assert ours.keys() == theirs.keys() and ours["parameters"].keys() == theirs["parameters"].keys()
    assert len(ours["signature"]) == len(theirs["signature"])


def test_a_visitor_that_has_worked_makes_a_lead_once(house):
    solved, phone, post_id = proof(house), new_phone(), new_id("P")
    assert post(house, phone=phone, altcha=solved, leadgate_id=post_id) == {"lead": 1}
    assert post(house, phone=phone, altcha=solved, leadgate_id=post_id) == {"redelivered": 1}
    assert post(house, phone=new_phone(), altcha=solved, leadgate_id=new_id("P")) == {"junk": 1}
    house.restart()
    assert post(house, phone=new_phone(), altcha=solved, leadgate_id=new_id("P")) == {"junk": 1}, "it is not forgotten"
    one = by_phone(house, phone)
    assert one["flags"] == [] and one["attributes"] == {}


def test_what_no_visitor_worked_for_is_junk(house):
    own = altcha.create_challenge("SHA-256", 1, counter=1, expires_at=4102444800, hmac_secret="a guess")
    forged = altcha.Payload(own, altcha.solve_challenge(own)).to_base64()
    known = {one["id"] for one in leads(house)}
    for payload in [None, "", "e30=", forged, proof(house, "autumn"), changed(proof(house), expiresAt=4102444800)]:
        assert post(house, phone=new_phone(), altcha=payload, leadgate_id=new_id("P")) == {"junk": 1}, payload
    assert {one["id"] for one in leads(house)} == known


def test_a_form_that_was_filled_in_no_time_is_junk(house):
    for seconds, verdict in [(0.3, "junk"), (1.99, "junk"), (2.0, "lead"), (90, "lead")]:
        fields = {"phone": new_phone(), "altcha": proof(house), "leadgate_id": new_id("P"), "time_on_page": seconds}
        assert post(house, **fields) == {verdict: 1}, seconds


def test_a_captcha_that_cannot_be_asked_keeps_nobody_out(house):
    phone = new_phone()
    assert post(house, "asking", phone=phone, **{"h-captcha-response": "P1_token"}) == {"lead": 1}
    assert by_phone(house, phone)["flags"] == ["unverified"]
    assert "captcha.failing" in house.log.read_text()
    assert post(house, "asking", phone=new_phone()) == {"junk": 1}


def test_a_probe_of_ours_comes_through(house):
    sent = house.command("send", "spring", "--phone", new_phone())
    assert sent.returncode == 0, f"{sent.stdout}{sent.stderr}"
