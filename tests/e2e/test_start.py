"""Does it come up with nothing, say what to try, and go down in order?"""

import os
import re
import signal
import stat
import subprocess

import pytest
import requests
from house import ROOT, STOP_WITHIN, binary, free_port, wait_until

SHELL_TIMEOUT = 30


@pytest.fixture
def newcomer(tmp_path):
    """leadgate as somebody starts it who has nothing: an empty folder and no words."""
    public, desk = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    env = {**os.environ, "LEADGATE__GATEWAY__LISTEN": public, "LEADGATE__DESK__LISTEN": desk}
    said, log = tmp_path / "said.txt", tmp_path / "log.txt"
    folder = tmp_path / "empty"
    folder.mkdir()
    with said.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen([binary()], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        wait_until(lambda: "curl" in said.read_text() or process.poll() is not None, 30)
        assert process.poll() is None, log.read_text()
        yield process, folder, public, desk, said.read_text()
    finally:
        process.kill()
        process.wait(10)


def shell(line):
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=SHELL_TIMEOUT, stdin=subprocess.DEVNULL
    )


def printed_commands(said):
    return re.findall(r"^ *(curl .+)$", said, flags=re.MULTILINE)


def lead_count(desk):
    events = requests.get(f"http://{desk}/v1/workspaces/demo/events", params={"limit": 1000}, timeout=40).json()
    return sum("lead" in event["type"] for event in events["events"])


def test_a_newcomer_is_told_what_to_open_and_what_to_try(newcomer):
    _, folder, public, desk, said = newcomer
    for line in (f"http://{public}/demo", f"http://{desk}/", f"http://{public}/in/demo-form", "/events"):
        assert line in said
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data" / "pepper").stat().st_mode) == 0o600


def test_the_printed_commands_work_as_printed(newcomer):
    _, _, _, desk, said = newcomer
    knocks = [line for line in printed_commands(said) if "/in/demo-" in line]
    assert len(knocks) == 4, "one for each kind of entrance"
    for line in knocks:
        done = shell(f"{line} -sS -o /dev/null -w '%{{http_code}}'")
        assert re.fullmatch("2..|303", done.stdout), f"{line}: {done.stdout} {done.stderr}"
    wait_until(lambda: lead_count(desk) > 0, 10)


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT], ids=lambda ask: ask.name)
def test_it_ends_with_0_when_asked_to(newcomer, ask):
    process, *_ = newcomer
    process.send_signal(ask)
    assert process.wait(STOP_WITHIN) == 0


def test_the_first_lead_of_the_readme_arrives(leadgate):
    readme = (ROOT / "README.md").read_text().split("## A first lead", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", readme, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    knocks = [line for line in lines if "/in/" in line]
    assert knocks
    for line in knocks:
        here = line.replace("http://127.0.0.1:8080", leadgate.public)
        done = shell(f"{here} -sS -o /dev/null -w '%{{http_code}}'")
        assert re.fullmatch("2..", done.stdout), f"{here}: {done.stdout} {done.stderr}"
    wait_until(lambda: leadgate.events(), 10)
    [stream] = [line for line in lines if "/events" in line and "-N" not in line]
    told = shell(stream.replace("http://127.0.0.1:8090", leadgate.desk).replace("curl ", "curl -sS ", 1))
    assert "lead.created" in told.stdout, told.stderr


def test_a_folder_belongs_to_one_process(leadgate):
    settings = ("LEADGATE__GATEWAY__LISTEN", "LEADGATE__DESK__LISTEN")
    elsewhere = {name: f"127.0.0.1:{free_port()}" for name in settings}
    line = [binary(), "run", "--config", leadgate.folder / "leadgate.toml"]
    second = subprocess.run(line, env={**os.environ, **elsewhere}, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert str(leadgate.data) in second.stderr


def test_a_wrong_configuration_is_64_and_every_problem_is_named(open_house):
    house = open_house(start=False, settings={"limits.connections": 0, "keep.events": "30"})
    for words in (["check"], ["run"]):
        refused = house.command(*words)
        assert refused.returncode == 64
        said = refused.stdout + refused.stderr
        assert "limits.connections" in said and "keep.events" in said


def test_the_probe_of_the_image_finds_both_listeners_alive(leadgate):
    for url in (leadgate.public, leadgate.desk):
        probe = subprocess.run([ROOT / "deploy" / "live", url.removeprefix("http://")], timeout=10)
        assert probe.returncode == 0


def test_a_lead_survives_a_power_cut(leadgate, vera):
    form = {"name": vera.name, "phone": vera.phone, "email": vera.email, "message": vera.text}
    answer = requests.post(
        f"{leadgate.public}/in/demo-form", data=form, headers={"Accept": "application/json"}, timeout=10
    )
    assert answer.status_code == 200 and answer.json()["status"] == "accepted"
    leadgate.kill()
    leadgate.start()
    wait_until(lambda: any(event["type"] == "lead.created" for event in leadgate.events()), 10)
    assert leadgate.events()[0]["data"]["lead"]["contact"]["phones"] == [vera.phone]
