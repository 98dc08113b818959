"""One running leadgate: how a test configures it, starts it, talks to it, and what must hold when it goes.

A test that ends leaves balanced books, no dead letters, exit code 0 after SIGTERM, and nobody's name, phone or mail in
the log or the metrics; `House.close` asserts all of it. A test that breaks one of these on purpose says so.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "config" / "workspaces" / "demo.toml"
START_WITHIN = 30.0
# Above shutdown.grace.
STOP_WITHIN = 25.0


@dataclass(frozen=True)
class Person:
    """Somebody whose data may be in leads and nowhere else; tests take these people, so that every run looks for them."""

    name: str
    phone: str
    email: str
    text: str

    def traces(self):
        digits = "".join(filter(str.isdigit, self.phone))[-10:]
        local = self.email.split("@")[0]
        for text in (self.name, self.text, local, digits):
            yield text
            yield json.dumps(text)[1:-1]


VERA = Person("Vera Kanareikina", "+79035550142", "vera.kanareikina@canary.example", "A cottage by the lake, in July")
ANTON = Person("Антон Соловьёв", "+79265550178", "anton.solovyov@canary.example", "Хочу посмотреть дом с камином")
JANE = Person("Jane Nightingale", "+12125550123", "jane.nightingale@canary.example", "Is the timber frame still for sale?")
CANARIES = (VERA, ANTON, JANE)
# Secrets of config/workspaces/demo.toml.
SECRETS = ("demo-line-secret", "demo-bot-secret")


def binary():
    """The program under test: LEADGATE_BIN, else the release of this repository."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(os.environ.get("LEADGATE_BIN", target / "release" / "leadgate"))
    assert path.is_file(), f"there is no {path}; cargo build --release makes it"
    return path.resolve()


# Ports that were given away; the kernel might name one of them again before it is listened on.
GIVEN = set()


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def toml_value(value):
    """What JSON and TOML write alike, and tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def write_config(folder, settings, workspaces):
    """`settings` are dotted keys of leadgate.toml; `workspaces` are ids and the texts of their files."""
    (folder / "workspaces").mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {toml_value(value)}" for key, value in settings.items()]
    (folder / "leadgate.toml").write_text("\n".join(lines) + "\n")
    for name, text in workspaces.items():
        (folder / "workspaces" / f"{name}.toml").write_text(text)


class House:
    """A configured folder and the process that runs on it."""

    def __init__(self, folder, settings=None, workspaces=None, env=None, run=(), token=None):
        self.folder = pathlib.Path(folder)
        public, desk = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.public, self.desk = f"http://{public}", f"http://{desk}"
        self.data = self.folder / "data"
        self.log = self.folder / "leadgate.log"
        self.said = self.folder / "stdout.txt"
        self.env = {**os.environ, **(env or {})}
        self.run = list(run)
        # How this house is asked where desk.tokens are set.
        self.proof = {"Authorization": f"Bearer {token}"} if token else {}
        self.process = None
        self.killed = False
        # Set by a test that breaks them on purpose.
        self.may_have_dead_letters = False
        self.may_be_unbalanced = False
        # How full this machine's disk is says nothing about the product.
        own = {"gateway.listen": public, "desk.listen": desk, "log.format": "json", "journal.disk_free": 0}
        texts = {"demo": DEMO.read_text()} if workspaces is None else workspaces
        self.workspaces = list(texts)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        write_config(self.folder, {**own, **(settings or {})}, texts)

    def spawn(self):
        """Starts, and waits for nothing."""
        with self.log.open("ab") as log, self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [binary(), "run", "--config", self.folder / "leadgate.toml", *self.run],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=log,
            )
        self.killed = False

    def start(self):
        """Starts and waits until it is ready."""
        self.spawn()
        wait_until(self.is_ready, START_WITHIN, self.why_not_ready)
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"leadgate ended with {self.process.returncode}: {self.log_end()}"
        try:
            return requests.get(f"{self.desk}/ready", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def why_not_ready(self):
        return f"not ready within {START_WITHIN} s: {self.log_end()}"

    def log_end(self):
        return self.log.read_text(errors="replace")[-2000:]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; returns the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_WITHIN)
        assert code == 0, f"exit code {code} after SIGTERM: {self.log_end()}"
        return time.monotonic() - begun

    def kill(self):
        """SIGKILL: a power cut, as far as the process is concerned."""
        self.process.kill()
        self.process.wait(10)
        self.killed = True

    def restart(self):
        if self.is_running():
            self.stop()
        return self.start()

    def command(self, *words, timeout=30):
        """The command line, talking to this process."""
        line = [binary(), *map(str, words), "--config", self.folder / "leadgate.toml"]
        return subprocess.run(line, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=timeout)

    def metrics(self):
        answer = requests.get(f"{self.desk}/metrics", headers=self.proof, timeout=10)
        assert answer.status_code == 200
        return answer.text

    def events(self, workspace="demo", limit=1000):
        """The whole clean stream so far."""
        events, after = [], {}
        while True:
            url = f"{self.desk}/v1/workspaces/{workspace}/events"
            page = requests.get(url, params={"limit": limit, **after}, headers=self.proof, timeout=40)
            assert page.status_code == 200, page.text
            if not page.json()["events"]:
                return events
            events += page.json()["events"]
            after = {"after": page.json()["next"]}

    def close(self):
        """What must hold at the end of every test."""
        if self.killed:
            self.start()
        if self.process is not None and not self.is_running():
            assert self.process.returncode == 0, f"it had ended with {self.process.returncode}: {self.log_end()}"
        metrics = ""
        try:
            if self.is_running():
                metrics = self.metrics()
                self.assert_balanced()
                self.assert_no_dead_letters()
                self.stop()
        finally:
            if self.is_running():
                self.kill()
        self.assert_discreet(metrics)

    def assert_balanced(self):
        for workspace in [] if self.may_be_unbalanced else self.workspaces:
            books = self.command("books", "--json", "--workspace", workspace)
            assert books.returncode == 0, f"the books differ: {books.stdout}{books.stderr}"

    def assert_no_dead_letters(self):
        for workspace in [] if self.may_have_dead_letters else self.workspaces:
            dead = self.command("dead", "list", "--json", "--workspace", workspace)
            assert dead.returncode == 0, dead.stderr
            assert rows(json.loads(dead.stdout)) == []

    def assert_discreet(self, metrics):
        log = self.log.read_text(errors="replace").lower()
        for trace in [*SECRETS, *(trace for person in CANARIES for trace in person.traces())]:
            assert trace.lower() not in log, f"{trace!r} is in the log"
            assert trace.lower() not in metrics.lower(), f"{trace!r} is in the metrics"


def rows(answer):
    """The list of a JSON answer, alone or under a name."""
    if isinstance(answer, list):
        return answer
    lists = [value for value in answer.values() if isinstance(value, list)]
    assert len(lists) == 1, f"one list was expected: {answer}"
    return lists[0]


def wait_until(holds, seconds, why=lambda: "it never came to hold", every=0.02):
    """Asks every 20 ms until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(every)
