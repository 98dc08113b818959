"""Does the command line do what its help says, against the real product, with the exit codes of the contract?"""

import json
import re
import signal
import subprocess
import threading

import pytest
from house import CANARIES, DEMO, ROOT, VERA, binary, free_port, wait_until
from knocks import (
    BOT_SECRET, SHOWN_WITHIN, ask, books, form, knock, lead, leads, marked, new_id, new_phone, running, told,
)

BAD = ROOT / "config" / "bad"
MISTAKES = sorted(path.stem for path in BAD.glob("*.toml"))
CHANNELS = ["demo-form", "demo-line", "demo-mail", "demo-bot"]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cli")) as house:
        yield house


def said(house, *words, code=0, **more):
    """What a command prints; it ends as expected and errors go to stderr only."""
    done = house.command(*words, **more)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert code == 0 or done.stderr, "a failure says why"
    assert "\x1b" not in done.stdout + done.stderr, "colours are for terminals"
    return done.stdout if code == 0 else done.stderr


def answered(house, *words):
    """The same for machines."""
    return json.loads(said(house, *words, "--json"))


def bare(*words, **more):
    """A command without a house."""
    return subprocess.run([binary(), *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=30, **more)


def new_lead(house, **fields):
    mark = new_id("cli")
    form(house, {"phone": new_phone(), "case": mark} | fields)
    return marked(house, mark)


# --- check


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_names_each_mistake_exactly(mistake):
    file = f"config/bad/{mistake}.toml"
    done = bare("check", *(["--config", file] if mistake.startswith("machine-") else [file]))
    assert done.returncode == 64
    assert done.stdout == (BAD / f"{mistake}.expected").read_text()


def test_check_is_content_with_what_is_shipped():
    for words in (["check"], ["check", "config/workspaces/demo.toml"], ["check", "--config", "config/leadgate.toml"]):
        done = bare(*words)
        assert done.returncode == 0 and done.stdout.startswith("configuration is fine"), done.stdout
        assert words[-1] in done.stdout or "no leadgate.toml here" in done.stdout, "it says what was read"
    assert json.loads(bare("check", "--json").stdout)["fine"] is True


def test_check_warns_of_workspaces_that_nobody_reads(tmp_path):
    folder = tmp_path / "workspaces"
    folder.mkdir()
    (folder / "mine.toml").write_text("this is no workspace")
    done = subprocess.run([binary(), "check"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "warn: the files in workspaces are not read" in done.stdout
    (tmp_path / "leadgate.toml").write_text("")
    done = subprocess.run([binary(), "check"], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 64 and done.stdout.startswith("workspaces/mine.toml:1: expected valid TOML")


def test_an_unknown_section_and_a_file_that_is_not_there_are_called_so(tmp_path):
    done = bare("check", env={"LEADGATE__FOO__BAR": "1"})
    assert done.returncode == 64 and "LEADGATE__FOO__BAR: foo: expected one of " in done.stdout
    assert "there is no section `foo`" in done.stdout
    done = bare("check", "--config", tmp_path / "gone.toml")
    assert done.returncode == 64 and "a readable text file: no such file" in done.stdout
    assert "no such folder" in done.stdout


def test_the_machine_form_of_check_names_file_line_key_and_expectation():
    done = bare("check", "--json", "--config", "config/bad/machine-listen.toml")
    [problem] = json.loads(done.stdout)["problems"]
    assert done.returncode == 64 and problem["key"] == "gateway.listen"
    assert problem["file"] == "config/bad/machine-listen.toml" and problem["line"] > 0 and problem["expected"]


# --- what is typed


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["send"], ["why"], ["exclude"], ["exclude", "add", "phone:1"], ["run", "--role", "both"],
     ["tail", "--count", "many"], ["why", "abc"], ["presence", "anna", "maybe"]],
    ids=" ".join,
)
def test_what_is_typed_wrongly_is_2_and_says_what_is_possible(house, words):
    assert said(house, *words, code=2)


@pytest.mark.parametrize(
    "words",
    [[], ["run"], ["check"], ["send"], ["tail"], ["why"], ["exclude"], ["exclude", "import"], ["dead", "list"],
     ["quarantine", "release"], ["quarantine", "show"], ["journal"], ["books"]],
    ids=lambda words: " ".join(words) or "leadgate",
)
def test_every_command_has_help_with_examples(words):
    done = bare(*words, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout
    assert "Example" in done.stdout


def test_a_desk_that_is_not_there_is_1_with_a_sentence(open_house):
    house = open_house(start=False)
    for words in (["books"], ["tail"], ["send", "demo-form"], ["dead", "list"]):
        sentence = said(house, *words, code=1)
        assert "127.0.0.1" in sentence and "panicked" not in sentence and len(sentence.splitlines()) <= 3


def test_a_half_of_the_product_needs_redis(house):
    for role in ("gateway", "workers"):
        done = bare("run", "--role", role)
        assert done.returncode in (1, 64) and "Redis" in done.stderr + done.stdout


# --- send


@pytest.mark.parametrize("channel", CHANNELS)
def test_send_goes_through_each_entrance_and_times_each_hop(house, channel):
    text = said(house, "send", channel, "--name", VERA.name, "--phone", VERA.phone)
    assert re.search(r"accepted +\d+ ms", text) and re.search(r"readable +\d+ ms", text) and f"{channel} works" in text
    made = answered(house, "send", channel)
    assert made["channel"] == channel and [hop["hop"] for hop in made["hops"]] == ["accepted", "decided", "readable"]
    one = lead(house, made["lead"])
    assert one["synthetic"] == "technical" and one["owner"] is None


def test_a_mystery_shopper_reaches_people_and_no_statistics(house):
    before = books(house, "demo-form")
    made = answered(house, "send", "demo-form", "--shopper", "--phone", new_phone())
    one = lead(house, made["lead"])
    assert one["synthetic"] == "shopper" and one["owner"] and one["sla"]["due_at"]
    after = books(house, "demo-form")
    assert after["synthetic"] == before.get("synthetic", 0) + 1 and after.get("lead") == before.get("lead")


def test_send_to_nowhere_says_where_one_can_send(house):
    sentence = said(house, "send", "no-such-channel", code=1)
    assert all(channel in sentence for channel in CHANNELS)


def test_send_says_no_when_the_lead_does_not_arrive(open_house):
    house = open_house()
    sentence = said(house, "send", "demo-form", "--via", f"http://127.0.0.1:{free_port()}", code=1)
    assert "entrance" in sentence


# --- tail, why, books


def test_tail_shows_a_line_for_each_event_and_no_person(open_house):
    house = open_house()
    for person in CANARIES:
        form(house, {"name": person.name, "phone": person.phone, "email": person.email, "message": person.text})
    books(house, "demo-form")
    text = said(house, "tail", "--all", "--count", "3")
    assert text.count("lead.created") == 3 == len(text.splitlines())
    assert not [trace for person in CANARIES for trace in person.traces() if trace.lower() in text.lower()]
    assert VERA.name in said(house, "tail", "--all", "--full", "--count", "1")
    lines = [json.loads(line) for line in said(house, "tail", "--all", "--json", "--count", "3").splitlines()]
    assert lines == house.events()


def test_tail_follows_what_is_still_to_come_over_a_restart(open_house):
    house = open_house()
    form(house, {"phone": new_phone(), "message": "before"})
    books(house, "demo-form")
    line = [binary(), "tail", "--json", "--count", "2", "--config", house.folder / "leadgate.toml"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        bell = threading.Timer(30, tail.kill)
        bell.start()
        wait_until(lambda: 'path="/v1/workspaces/{w}/events"' in house.metrics(), SHOWN_WITHIN)
        form(house, {"phone": new_phone(), "case": "first"})
        assert json.loads(tail.stdout.readline())["data"]["lead"]["attributes"]["case"] == "first"
        house.restart()
        form(house, {"phone": new_phone(), "case": "second"})
        assert json.loads(tail.stdout.readline())["data"]["lead"]["attributes"]["case"] == "second"
        assert tail.wait(10) == 0
        bell.cancel()


def test_tail_ends_with_0_when_interrupted(house):
    line = [binary(), "tail", "--config", house.folder / "leadgate.toml"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as tail:
        new_lead(house)
        wait_until(lambda: leads(house), SHOWN_WITHIN)
        with pytest.raises(subprocess.TimeoutExpired):
            tail.wait(0.5)
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 0


def test_why_tells_the_rule_and_who_was_passed_over(house):
    one = new_lead(house, phone=f"+7495{new_phone()[-7:]}")
    text = said(house, "why", one["id"])
    assert one["id"] in text and "went to ivan, by the customer's region" in text
    assert "not anna: somebody who serves this region was there" in text
    assert "contact is due by" in text and "came in through demo-form, from somebody new" in text
    assert said(house, "why", one["id"][-8:]) == text, "the end of the id is enough"
    assert answered(house, "why", one["id"]) == told(house, f"leads/{one['id']}/why")
    assert "there is no lead" in said(house, "why", "0" * 26, code=1)


def test_books_show_a_line_for_each_channel(house):
    new_lead(house)
    books(house, "demo-form")
    assert re.search(r"^demo-form .*\d", said(house, "books"), flags=re.MULTILINE)
    assert answered(house, "books")["balanced"] is True


# --- exclude


def excluded(house):
    return {line["match"]: line for line in answered(house, "exclude", "list")["exclusions"]}


def test_somebody_is_kept_out_and_let_in_again(house):
    phone = new_phone()
    said(house, "exclude", "add", f"phone:8 {phone[2:]}", "--reason", "robot", "--expires", "2099-12-31")
    wait_until(lambda: f"phone:{phone}" in excluded(house), SHOWN_WITHIN)
    line = excluded(house)[f"phone:{phone}"]
    assert line["reason"] == "robot"
    assert line["expires_at"] == "2099-12-31T21:00:00.000Z", "midnight in Moscow, where the demo is"
    said(house, "exclude", "remove", f"phone:{phone}")
    wait_until(lambda: f"phone:{phone}" not in excluded(house), SHOWN_WITHIN)
    assert "workspace file" in said(house, "exclude", "remove", "domain:supplier.example", code=1)
    said(house, "exclude", "add", "phone:nobody", "--reason", "x", code=1)
    assert "is not excluded" in said(house, "exclude", "remove", "domain:stranger.example", code=1)


def test_an_import_takes_all_lines_or_none_and_names_the_wrong_ones(house, tmp_path):
    file = tmp_path / "list.csv"
    good = [f"email:cli{n}@list.example,supplier {n}" for n in range(500)]
    for wrong, named in [(["what,ever", "email:x@y.example,"], ["502", "503"]), (["phone:12,too short"], ["502"])]:
        file.write_text("\n".join(["match,reason", *good, *wrong]) + "\n")
        sentence = said(house, "exclude", "import", file, code=1)
        assert all(f"line {line}:" in sentence for line in named), sentence
    assert not any("list.example" in match for match in excluded(house))
    file.write_text("\ufeffmatch;reason\r\n" + "\r\n".join(line.replace(",", ";") for line in good) + "\r\n")
    said(house, "exclude", "import", file)
    wait_until(lambda: sum("list.example" in match for match in excluded(house)) == 500, SHOWN_WITHIN)
    said(house, "exclude", "import", tmp_path / "nothing.csv", code=1)


# --- what was set aside


def test_the_quarantine_is_listed_shown_and_not_released_while_unreadable(house):
    headers = {"X-Telegram-Bot-Api-Secret-Token": BOT_SECRET, "Content-Type": "application/json"}
    knock(house, "demo-bot", data=b'{"message": 1}', headers=headers)
    books(house, "demo-bot")
    [entry] = answered(house, "quarantine", "list")["entries"]
    assert entry["uid"] in said(house, "quarantine", "list")
    assert '{"message": 1}' in said(house, "quarantine", "show", entry["uid"])
    assert "still cannot be read" in said(house, "quarantine", "release", entry["uid"], code=1)
    assert said(house, "quarantine", "release", "--all", code=1)
    assert "no dead letter" in said(house, "dead", "list")
    assert answered(house, "dead", "list")["entries"] == []
    for words in (["dead", "show", "none"], ["dead", "retry", "none"], ["quarantine", "show", "none"]):
        assert "list" in said(house, *words, code=1)


# --- people, backup, tokens


def test_presence_steers_who_gets_leads(open_house):
    house = open_house()
    said(house, "presence", "ivan", "absent")

    def given(number):
        return new_lead(house, phone=f"+749555501{number}")["owner"]

    assert [given(number) for number in range(10, 13)] == ["anna"] * 3
    said(house, "presence", "ivan", "present")
    assert given(13) == "ivan", "who serves Moscow"
    assert "nobody" in said(house, "presence", "olga", "present", code=1)


def test_a_backup_made_while_running_brings_everything_back(open_house, tmp_path):
    house, other = open_house(), open_house(start=False)
    one = new_lead(house)
    said(house, "backup", tmp_path / "copy")
    after = new_lead(house)
    said(other, "restore", tmp_path / "copy")
    other.start()
    assert lead(other, one["id"]) == one
    assert ask(other, f"leads/{after['id']}").status_code == 404, "made after the copy"
    assert other.events() == house.events()[: len(other.events())]
    sentence = said(other, "restore", tmp_path / "copy", code=1)
    assert "leadgate is running on the data folder" in sentence and "move" not in sentence
    other.stop()
    assert "not empty" in said(other, "restore", tmp_path / "copy", code=1)


def test_the_token_comes_from_the_configuration_or_the_command_line(open_house):
    tokens = [
        {"name": "reader", "token": "reader-0123456789", "scopes": ["read"]},
        {"name": "manager", "token": "manager-0123456789", "scopes": ["manage"]},
    ]
    house = open_house(settings={"desk.tokens": tokens}, token="manager-0123456789")
    said(house, "exclude", "add", "email:a@b.example", "--reason", "x")
    reader = ["--token", "reader-0123456789"]
    assert "scope" in said(house, "exclude", "add", "email:a@b.example", "--reason", "x", *reader, code=1)
    wrong = said(house, "books", "--token", "wrong-0123456789", code=1)
    assert "token" in wrong and "wrong-0123456789" not in wrong


def test_several_companies_must_be_told_apart(open_house):
    second = DEMO.read_text().replace('id = "demo-', 'id = "second-')
    house = open_house(workspaces={"demo": DEMO.read_text(), "second": second})
    sentence = said(house, "books", code=2)
    assert "demo" in sentence and "second" in sentence
    assert answered(house, "send", "second-form")["workspace"] == "second"
    [line] = answered(house, "books", "--workspace", "second")["channels"]
    assert line["channel"] == "second-form"
    sentence = said(house, "books", "--workspace", "third", code=1)
    assert "there is no workspace third; there are: demo, second" in sentence
