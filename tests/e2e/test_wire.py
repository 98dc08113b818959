"""Can somebody without code connect an entrance, see it work, and see what a payload becomes?"""

import json
import threading
import time

import pytest
from knocks import BOT_SECRET, form, knock, mail, new_phone, running, told


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("wire")) as house:
        yield house


def said(house, *words, code=0, **more):
    done = house.command(*words, **more)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def channel(house, name):
    return next(one for one in told(house, "channels")["channels"] if one["id"] == name)


def test_the_steps_hold_the_address_and_say_which_keys_are_set(house):
    text = said(house, "wire", "demo-bot", "--no-wait")
    assert f"url={house.public}/in/demo-bot" in text
    assert "is set: the secret that telegram signs with" in text
    wiring = json.loads(said(house, "wire", "demo-bot", "--json"))
    assert wiring["url"].endswith("/in/demo-bot") and BOT_SECRET not in json.dumps(wiring)


def test_it_says_what_holds_by_default_and_which_address_no_provider_reaches(house):
    text = said(house, "wire", "demo-form", "--no-wait")
    assert "A provider on the internet cannot reach http://127.0.0.1" in text and "gateway.public_url" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ") and ": " in line}
    assert 'default "off"' in lines["captcha"] and "not set" in lines["min_time"] and "not set" in lines["url_key"]
    mail = said(house, "wire", "demo-mail", "--no-wait")
    assert "  secret " in mail and "  url_key " in mail


def test_it_follows_what_comes_until_the_first_lead(house):
    assert channel(house, "demo-form")["proven"] is False

    def later():
        time.sleep(1.5)
        said(house, "send", "demo-form", "--name", "Vera")

    sender = threading.Thread(target=later)
    sender.start()
    text = said(house, "wire", "demo-form", "--for", "20s")
    sender.join()
    assert "Unproven" in text
    assert "arrived, believed and stored" in text
    assert text.rstrip().endswith("demo-form works")
    assert channel(house, "demo-form")["proven"] is False, "our own test proves no page"


def test_a_post_of_somebody_else_proves_the_entrance(house):
    form(house, {"phone": new_phone()})
    for _ in range(50):
        if channel(house, "demo-form")["proven"]:
            break
        time.sleep(0.1)
    assert channel(house, "demo-form")["proven"] is True
    assert "came through this entrance before" in said(house, "wire", "demo-form", "--no-wait")


def wired(house, name, act):
    """What `wire` says while something comes in."""

    def later():
        time.sleep(1.5)
        act()

    sender = threading.Thread(target=later)
    sender.start()
    text = said(house, "wire", name, "--for", "20s")
    sender.join()
    assert text.rstrip().endswith(f"{name} works")
    return text


def test_a_touch_of_a_lead_that_came_another_way_shows_that_the_channel_works(house):
    form(house, {"email": "vera@returning.example"})
    letter = b"From: vera@returning.example\r\nTo: sales@demo.example\r\nSubject: once more\r\n\r\nIs it free in May?\r\n"
    text = wired(house, "demo-mail", lambda: mail(house, letter))
    assert "decided: lead.touched" in text and "came through demo-form before" in text


def test_what_makes_no_lead_shows_that_the_channel_works(house):
    said(house, "exclude", "add", "domain:trade.example", "--reason", "supplier")
    text = wired(house, "demo-form", lambda: form(house, {"email": "a@trade.example"}))
    assert "decided: excluded, so it makes no lead" in text


def test_a_refusal_is_told_while_it_waits_and_no_lead_is_a_no(house):
    def later():
        time.sleep(1)
        knock(house, "demo-bot", data=b"{}", headers={"content-type": "application/json"})

    sender = threading.Thread(target=later)
    sender.start()
    done = house.command("wire", "demo-bot", "--for", "3s")
    sender.join()
    assert done.returncode == 1
    assert "compare the secret on both sides" in done.stdout
    assert "no lead of demo-bot came within 3s" in done.stderr


def test_a_payload_is_shown_field_by_field_and_stored_nowhere(house, tmp_path):
    payload = tmp_path / "post.json"
    payload.write_text(json.dumps({"data": {"tel": "+7 903 555-12-34", "colour": "green"}, "utm_source": "ads"}))
    before = told(house, "books")
    mapped = json.loads(said(house, "map", "demo-form", payload, "--json"))
    becomes = {line["path"]: line["becomes"] for line in mapped["fields"]}
    assert becomes == {
        "data.tel": "phones.0", "data.colour": "attributes.data.colour", "utm_source": "campaign.utm_source",
    }
    assert "colour" in said(house, "map", "demo-form", payload)
    assert told(house, "books") == before


def test_what_cannot_be_read_is_said(house, tmp_path):
    payload = tmp_path / "call.txt"
    payload.write_text("hello=there")
    assert "nothing can be read of it" in said(house, "map", "demo-line", payload, code=1)
    assert "there is no channel nowhere" in said(house, "map", "nowhere", payload, code=1)
    assert "failed to read" in said(house, "map", "demo-line", tmp_path / "gone", code=1)


def test_a_rejected_file_may_be_why_a_channel_is_missing(tmp_path):
    with running(tmp_path) as house:
        assert "check" not in said(house, "wire", "my-form", code=1)
        file = house.folder / "workspaces" / "demo.toml"
        file.write_text(file.read_text() + '\n[[channel]]\nid = "my-form"\nsource = "from"\n')
        for _ in range(50):
            sentence = said(house, "wire", "my-form", code=1)
            if "the configuration has mistakes: see `leadgate check`" in sentence:
                break
            time.sleep(0.2)
        assert "there is no channel my-form" in sentence and "mistakes" in sentence


def test_an_expression_that_fails_says_why(tmp_path):
    with running(tmp_path) as house:
        file = house.folder / "workspaces" / "demo.toml"
        text = file.read_text()
        file.write_text(text.replace('id = "demo-form"\n', 'id = "demo-form"\nfields = { name = "= given.no_such()" }\n'))
        payload = tmp_path / "post.json"
        payload.write_text(json.dumps({"given": "Anna", "phone": "+79035551234"}))
        for _ in range(50):
            shown = said(house, "map", "demo-form", payload)
            if "failed" in shown:
                break
            time.sleep(0.2)
        assert "the expression for name failed: " in shown and "no_such" in shown


def test_a_field_can_be_computed(tmp_path):
    with running(tmp_path) as house:
        file = house.folder / "workspaces" / "demo.toml"
        text = file.read_text()
        marked = text.replace('id = "demo-form"\n', 'id = "demo-form"\nfields = { name = "= given ~ \' \' ~ clan" }\n')
        assert marked != text
        file.write_text(marked)
        payload = tmp_path / "post.json"
        payload.write_text(json.dumps({"given": "Anna", "clan": "Ivanova"}))
        for _ in range(50):
            mapped = json.loads(said(house, "map", "demo-form", payload, "--json"))
            if mapped["signals"][0]["fields"]["name"] == "Anna Ivanova":
                return
            time.sleep(0.2)
        pytest.fail("the computed name did not come")
