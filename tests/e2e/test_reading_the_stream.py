"""Do the readers of docs/reading-the-stream.md read? Each is taken from the page as it stands, and runs."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import requests
from house import ROOT, House, wait_until
from knocks import form, new_phone
from store import Store

PAGE = ROOT / "docs" / "reading-the-stream.md"
NODE = Path(os.environ.get("NODE_TOOLS", ROOT / "tests" / ".tools" / "node")) / "node_modules"
TOKEN = "reader-0123456789abcdef"
MANAGER = "manager-0123456789abcdef"
REPORTER = "reporter-0123456789abcdef"
PASSWORD = "change-this-password"
PATIENCE = 30
IDLE_MS = 500


def programs():
    """Blocks that begin with a comment naming a file, by that name."""
    found = {}
    for block in re.findall(r"^```\w+\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        named = re.match(r"(?:#|//) ([\w-]+\.\w+)\n", block)
        assert named, f"a block of the page names no file: {block[:60]}"
        found[named[1]] = block
    return found


PROGRAMS = programs()


def python_read(folder):
    if not (folder / "crm.db").exists():
        return []
    with sqlite3.connect(f"file:{folder / 'crm.db'}?mode=ro", uri=True) as crm:
        try:
            return crm.execute("SELECT id, rowid FROM event").fetchall()
        except sqlite3.OperationalError:
            return []


def node_read(folder):
    files = (folder / "crm").glob("*.json")
    return [(json.loads(file.read_text())["id"], file.stat().st_mtime_ns) for file in files]


def lines_read(name):
    def read(folder):
        file = folder / name
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [(json.loads(line)["id"], place) for place, line in enumerate(lines) if line.endswith("\n")]

    return read


# A program of the page, who runs it, and the ids it has worked on, each with when.
READERS = {
    "reader.py": ([sys.executable], python_read),
    "reader.mjs": (["node"], node_read),
    "pull.sh": (["sh"], lines_read("crm.jsonl")),
    "listen.sh": (["sh"], lines_read("heard.jsonl")),
}
OVER_REDIS = ["reader.py", "reader.mjs"]


@dataclass
class Town:
    house: House
    store: Store
    folder: Path
    knocked: int = 0

    def env(self, **more):
        crm = self.store.url.replace("redis://", f"redis://crm:{PASSWORD}@")
        own = {"WORKSPACE": "demo", "REDIS_URL": crm, "DESK": self.house.desk, "TOKEN": TOKEN, "IDLE_MS": str(IDLE_MS)}
        return {**os.environ, **own, **more}

    def knock(self, number):
        for _ in range(number):
            assert form(self.house, {"name": "Reader", "phone": new_phone()}).status_code in (200, 202)
        self.knocked += number
        wait_until(lambda: len(self.events()) == self.knocked, PATIENCE, lambda: f"{len(self.events())} events")

    def events(self):
        return [event["id"] for event in self.house.events()]


@pytest.fixture
def town(tmp_path, open_house):
    store = Store(tmp_path / "redis").start()
    tokens = [
        {"name": "reader", "token": TOKEN, "scopes": ["read"]},
        {"name": "manager", "token": MANAGER, "scopes": ["manage", "read"]},
        {"name": "reporter", "token": REPORTER, "scopes": ["feedback"]},
    ]
    house = open_house(settings=store.settings(**{"desk.tokens": tokens}), token=MANAGER)
    make_user(store)
    folder = tmp_path / "crm"
    folder.mkdir()
    town = Town(house, store, folder)
    yield town
    if house.is_running():
        house.close()
    store.stop()


def make_user(store):
    """As a server that reads the line from its file would."""
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    _, line = PROGRAMS["reader.acl"].replace("HASH_OF_ITS_PASSWORD", digest).splitlines()
    word, *user = shlex.split(line)
    assert word == "user"
    assert store.client.execute_command("ACL", "SETUSER", *user)


class Reader:
    """A running program of the page."""

    def __init__(self, town, name, **env):
        self.town, self.name = town, name
        self.runner, self.look = READERS[name]
        file = town.folder / name
        file.write_text(PROGRAMS[name])
        if not (town.folder / "node_modules").exists():
            (town.folder / "node_modules").symlink_to(NODE)
        self.errors = (town.folder / "errors.txt").open("a")
        self.process = subprocess.Popen(
            [*self.runner, file], cwd=town.folder, env=town.env(**env), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=self.errors,
        )

    def read(self):
        return self.look(self.town.folder)

    def reads(self, number):
        wait_until(
            lambda: len(self.read()) >= number, PATIENCE,
            lambda: f"{self.name} read {len(self.read())} of {number}: {self.said()}",
        )
        return self.read()

    def saw(self, events):
        """Each of them once, in their order; the clock of files is too coarse to tell neighbours apart."""
        read = self.reads(len(events))
        when = dict(read)
        assert len(read) == len(when) == len(events), read
        moments = [when[event] for event in events]
        assert moments == sorted(moments), f"{self.name} read in another order"

    def said(self):
        return (self.town.folder / "errors.txt").read_text()[-1000:]

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def start(town):
    running = []

    def started(name, **env):
        running.append(Reader(town, name, **env))
        return running[-1]

    yield started
    for reader in running:
        if reader.process.poll() is None:
            reader.kill()


def test_every_program_of_the_page_is_run_here():
    assert set(PROGRAMS) == {*READERS, "reader.acl", "register.sh", "feedback.sh"}
    for tool in ("node", "curl", "jq"):
        assert shutil.which(tool), f"{tool} is missing"


@pytest.mark.parametrize("name", READERS)
def test_a_reader_sees_every_event_once_and_in_order_though_it_dies(town, start, name):
    town.knock(6)
    reader = start(name)
    reader.reads(3)
    reader.kill()
    town.knock(6)
    reader = start(name)
    reader.reads(len(town.events()))
    town.knock(3)
    whole = town.events()
    assert len(whole) == 15
    reader.saw(whole)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_comes_through_a_restart_of_the_store_and_of_the_desk(town, start, name):
    town.knock(2)
    reader = start(name)
    reader.reads(2)
    town.store.stop()
    town.house.restart()
    town.store.start()
    make_user(town.store)
    town.knock(2)
    reader.saw(town.events())


@pytest.mark.parametrize("name", READERS)
def test_after_a_loss_of_the_store_events_come_again_and_are_known(town, start, name):
    town.knock(4)
    reader = start(name)
    before = town.events()
    reader.saw(before)
    town.store.client.flushall()
    wait_until(lambda: len(town.events()) == 4, PATIENCE, lambda: f"{len(town.events())} events were made again")
    assert town.events() == before, "the same ids"
    town.knock(1)
    reader.saw(town.events())


@pytest.mark.parametrize("name", OVER_REDIS)
def test_what_a_dead_reader_took_is_taken_over(town, start, name):
    reader = start(name)
    town.knock(1)
    reader.reads(1)
    reader.kill()
    town.knock(3)
    stream = "lg:{demo}:events"
    taken = town.store.client.xreadgroup("crm", "reader-2", {stream: ">"}, count=2)
    assert len(taken[0][1]) == 2
    reader = start(name)
    assert sorted(dict(reader.reads(4))) == sorted(town.events())
    wait_until(lambda: town.store.client.xpending(stream, "crm")["pending"] == 0, PATIENCE)


def test_the_user_of_a_reader_may_read_and_nothing_else(town):
    town.knock(1)
    crm = redis.Redis.from_url(town.env()["REDIS_URL"], decode_responses=True)
    stream = "lg:{demo}:events"
    crm.xgroup_create(stream, "crm", id="0")
    assert crm.xreadgroup("crm", "a", {stream: ">"})
    for forbidden in (
        ["XADD", stream, "*", "id", "x"], ["XTRIM", stream, "MAXLEN", "0"], ["DEL", stream], ["XDEL", stream, "0-1"],
        ["XGROUP", "DESTROY", stream, "crm"], ["HGETALL", "lg:{demo}:lead"],
        ["XREADGROUP", "GROUP", "crm", "a", "STREAMS", "lg:{demo}:inbox", ">"],
        ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"],
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            crm.execute_command(*forbidden)


def test_a_group_is_registered_once_over_http(town):
    town.knock(2)
    file = town.folder / "register.sh"
    file.write_text(PROGRAMS["register.sh"])
    for _ in range(2):
        subprocess.run(["sh", file], cwd=town.folder, env=town.env(), check=True, timeout=30, stdout=subprocess.DEVNULL)
    assert list(town.store.client.hgetall("lg:{demo}:consumers")) == ["crm"]
    answer = requests.get(
        f"{town.house.desk}/v1/workspaces/demo/events", params={"consumer": "crm"}, headers=town.house.proof, timeout=10
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("name", READERS)
def test_our_own_tests_are_skipped(town, start, name):
    assert town.house.command("send", "demo-form", "--name", "Probe").returncode == 0
    assert form(town.house, {"name": "Reader", "phone": new_phone()}).status_code in (200, 202)
    customers = lambda: [event["id"] for event in town.house.events() if not event["data"]["lead"]["synthetic"]]
    wait_until(customers, PATIENCE)
    assert len(town.events()) > 1, "ours is there"
    start(name).saw(customers())


def test_an_outcome_is_told_once_however_often_it_is_sent(town):
    town.knock(1)
    lead = town.house.events()[0]["subject"]
    file = town.folder / "feedback.sh"
    file.write_text(PROGRAMS["feedback.sh"])
    env = town.env(TOKEN=REPORTER, LEAD=lead, DEAL="deal-4711-won")
    for _ in range(2):
        subprocess.run(["sh", file], cwd=town.folder, env=env, check=True, timeout=30, stdout=subprocess.DEVNULL)
    told = lambda: [event for event in town.house.events() if event["type"] == "lead.closed"]
    wait_until(told, PATIENCE)
    [closed] = told()
    assert closed["data"]["lead"]["stage"] == "converted"
    assert closed["data"]["lead"]["value"] == 120000
