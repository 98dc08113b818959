"""What every chaos test starts from: a house that gets beaten, a seed, and a place for figures.

Every random choice comes from one seed; the first lines of a run tell how to make the same choices again. What cannot
be injected from outside, an entry that breaks deciding, is in workers/tests/engine.
"""

import os
import random
import time

import pytest
import requests
from crowd import FAMILY
from house import House, wait_until
from judge import settle

SEED = int(os.environ.get("LEADGATE_CHAOS_SEED") or random.SystemRandom().randrange(10**9))
FIGURES = []


class BeatenHouse(House):
    """A house whose crashes are no surprise, but whose panics are."""

    def ready_after(self):
        """Starts; returns the seconds until it is ready."""
        begun = time.monotonic()
        self.spawn()
        wait_until(self.is_ready, 30, self.why_not_ready, every=0.004)
        return time.monotonic() - begun

    def ready(self):
        """The status of /ready; 0 when nobody answers."""
        try:
            return requests.get(f"{self.desk}/ready", timeout=5).status_code
        except requests.ConnectionError:
            return 0

    def assert_balanced(self):
        if not self.may_be_unbalanced:
            settle(self)

    def assert_no_dead_letters(self):
        dead = requests.get(f"{self.desk}/v1/workspaces/demo/dead", timeout=10).json()
        assert self.may_have_dead_letters or dead["entries"] == [], dead

    def assert_discreet(self, metrics):
        super().assert_discreet(metrics)
        log = self.log.read_text(errors="replace")
        assert FAMILY not in log and FAMILY not in metrics
        assert "panicked" not in log, log[log.index("panicked") - 200 :][:1000]


@pytest.fixture
def open_house(tmp_path):
    houses = []

    def opened(start=True, **options):
        house = BeatenHouse(tmp_path / f"house-{len(houses)}", **options)
        houses.append(house)
        return house.start() if start else house

    yield opened
    failures = []
    for house in reversed(houses):
        try:
            house.close()
        except AssertionError as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def leadgate(open_house):
    return open_house()


@pytest.fixture
def seed(request):
    """Of this test: the same for the same run seed, whichever other tests run."""
    return f"{SEED}:{request.node.name}"


@pytest.fixture
def rng(seed):
    return random.Random(seed)


@pytest.fixture
def figures(request):
    """Notes figures for the end of the run."""
    return lambda **values: FIGURES.append((request.node.name, values))


def pytest_report_header():
    return f"seed {SEED}; the same choices again: LEADGATE_CHAOS_SEED={SEED} tests/chaos/run"


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section(f"figures of seed {SEED}")
    for name, values in FIGURES:
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
        terminalreporter.write_line(f"{name}: {told}")
