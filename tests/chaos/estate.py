"""Many gateways and many workers on one Redis: how are they set up, beaten and looked after?

Every process has a folder, ports and, where the line to Redis is to be broken, a proxy of its own. What `judge` wants
of a house (its desk, its clean stream) an estate gives by its first gateway that runs.
"""

import random
import re
import signal
import time

from beaten import BeatenHouse
from crowd import Crowd, Line, invent, json_form
from doses import long_or
from house import DEMO, free_port, wait_until
from proxy import Proxy
from reader import Reader
from redis_server import RedisServer

PEPPER = "a pepper of the chaos tests"
# As providers know the entrance, whichever gateway answers there; Twilio's signature covers it.
PUBLIC = "http://chaos.example"
MOST_MEMORY = 512 << 20
# Between two people of one sender, at most: some hundred requests a second, fewer where there are minutes.
PAUSE = long_or(0.05, 0.1)


class Node(BeatenHouse):
    """One process of one role."""

    def __init__(self, folder, role, store, workspaces, settings=None, proxied=False):
        self.role, self.proxy = role, Proxy(store) if proxied else None
        host, port = ("127.0.0.1", self.proxy.port) if proxied else store
        health = f"127.0.0.1:{free_port()}"
        own = {"store.url": f"redis://{host}:{port}/0", "store.pepper": PEPPER}
        own |= {"gateway.public_url": PUBLIC, "workers.listen": health}
        super().__init__(folder, settings=own | (settings or {}), workspaces=workspaces, run=["--role", role])
        if role == "workers":
            self.desk = f"http://{health}"

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def memory(self):
        """The most it ever had, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) << 10

    def logged(self, what, since=0):
        """How often the log, from that byte on, has these words."""
        return self.log.read_bytes()[since:].count(what.encode())

    def log_size(self):
        return self.log.stat().st_size

    def metric(self, name):
        """The sum over its labels."""
        lines = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.metrics(), re.MULTILINE)
        return sum(float(value) for value in lines)

    def assert_balanced(self):
        """The estate asks once for all."""

    def assert_no_dead_letters(self):
        assert self.memory() <= MOST_MEMORY, f"it has used {self.memory() >> 20} MiB"


class Estate:
    def __init__(self, folder, gateways=2, workers=2, workspaces=("demo",), settings=None, proxied=False, store=None):
        """`store` is a RedisServer to use; `settings` are for every process."""
        self.folder = folder
        self.server = store or RedisServer(folder / "redis")
        # Another one may take its place.
        self.first_server = self.server
        self.store = (self.server.host, self.server.port)
        self.texts = {name: DEMO.read_text().replace("demo-", f"{name}-") for name in workspaces}
        self.settings, self.proxied = settings, proxied
        self.gateways = [self.node("gateway") for _ in range(gateways)]
        self.workers = [self.node("workers") for _ in range(workers)]
        self.public = PUBLIC
        self.reader = None
        self.may_be_unbalanced = self.may_have_dead_letters = False

    def node(self, role, **settings):
        """One more process; the caller keeps it in `gateways` or `workers`."""
        nth = len(list(self.folder.glob(f"{role}-*")))
        settings = (self.settings or {}) | settings
        return Node(self.folder / f"{role}-{nth}", role, self.store, self.texts, settings, self.proxied)

    @property
    def nodes(self):
        return [*self.gateways, *self.workers]

    @property
    def proxies(self):
        return [node.proxy for node in self.nodes]

    def start(self):
        if not self.server.is_running():
            self.server.start()
        self.reader = Reader(self.server, self.texts)
        for node in self.nodes:
            node.spawn()
        self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        """All that run."""
        for node in self.nodes:
            wait_until(node.is_ready, seconds, node.why_not_ready)

    # What `judge` and `settle` want of a house.

    @property
    def door(self):
        return next(node for node in self.gateways if node.is_running())

    @property
    def desk(self):
        return self.door.desk

    def events(self, workspace="demo"):
        return self.door.events(workspace)

    def owner(self, workspace="demo"):
        """The worker that claimed the workspace last."""
        return max(self.workers, key=lambda node: claimed_at(node, workspace))

    def logged(self, what):
        return sum(node.logged(what) for node in self.nodes)

    def decided(self, workspace="demo"):
        """Signals with a verdict, as the store counts them."""
        with self.server.client() as client:
            return sum(map(int, client.hvals(f"lg:{{{workspace}}}:books")))

    def inbox_length(self, workspace="demo"):
        return self.server.ask("XLEN", f"lg:{{{workspace}}}:inbox")

    def close(self):
        failures = []
        try:
            if self.reader:
                self.reader.close()
            for node in self.nodes:
                try:
                    node.close()
                except AssertionError as error:
                    failures.append(error)
                if node.proxy:
                    node.proxy.close()
        finally:
            self.server.close()
            self.first_server.close()
        if failures:
            raise failures[0]


def claimed_at(node, workspace):
    """The highest epoch under which it has claimed the workspace; 0 when it never has."""
    epochs = [0]
    for line in node.log.read_text(errors="replace").splitlines():
        if "engine.claimed" in line and f'"{workspace}"' in line:
            epochs.append(int(re.search(r'"epoch":(\d+)', line)[1]))
    return max(epochs)


class EstateCrowd(Crowd):
    """Knocks at all gateways: a sender keeps to one of them until the connection breaks, then takes any."""

    def __init__(self, estate, seed, workspace="demo", pause=PAUSE, **more):
        super().__init__(estate, f"{seed}:{workspace}", pause=pause, **more)
        self.workspace = workspace
        self.doors = [node.public.removeprefix("http://") for node in estate.gateways]

    def line(self, nth):
        return Doors(self.doors, random.Random(f"{self.seed}:{nth}:doors"))

    def newcomer(self, number, rng):
        person = invent(number, rng, self.public)
        if self.workspace != "demo":
            # Signatures name the path, so only forms knock elsewhere.
            if person.kind in ("call", "chat"):
                person.kind, person.knocks = "form with id", [json_form(person, "hello", f"{number}-elsewhere")]
            for knock in person.knocks:
                knock.path = knock.path.replace("demo-", f"{self.workspace}-")
        return person

    def tries(self):
        return sum(self.outcomes.values())

    def share_taken(self):
        """Of all requests, those that were answered 2xx."""
        return self.promises() / max(1, self.tries())


class Doors(Line):
    def __init__(self, hosts, rng):
        super().__init__(None)
        self.hosts, self.rng = hosts, rng

    def exchange(self, knock):
        if self.http is None:
            self.host = self.rng.choice(self.hosts)
        return super().exchange(knock)


def seconds_until(holds, within, why):
    begun = time.monotonic()
    wait_until(holds, within, why)
    return time.monotonic() - begun
