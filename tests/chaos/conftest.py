"""What every chaos test starts from: a house that gets beaten, a seed, and a place for figures.

Every random choice comes from one seed; the first lines of a run tell how to make the same choices again. What cannot
be injected from outside, an entry that breaks deciding, is in workers/tests/engine.
"""

import os
import random

import pytest
from beaten import FIGURES, BeatenHouse
from estate import Estate
from estate_judge import TALLY

SEED = int(os.environ.get("LEADGATE_CHAOS_SEED") or random.SystemRandom().randrange(10**9))
# Tests that run side by side in processes of their own share it.
os.environ["LEADGATE_CHAOS_SEED"] = str(SEED)


def opener(kind, folder):
    """Opens what a test asks for, and closes all of it in the end."""
    opened = []

    def open_one(start=True, **options):
        one = kind(folder / f"{kind.__name__.lower()}-{len(opened)}", **options)
        opened.append(one)
        return one.start() if start else one

    yield open_one
    failures = []
    for one in reversed(opened):
        try:
            one.close()
        except AssertionError as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def open_house(tmp_path):
    yield from opener(BeatenHouse, tmp_path)


@pytest.fixture
def open_estate(tmp_path):
    yield from opener(Estate, tmp_path)


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


def pytest_sessionfinish(session):
    """One of several processes hands over what it has measured."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["chaos"] = [[list(one) for one in FIGURES], dict(TALLY)]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    figures, tally = getattr(node, "workeroutput", {}).get("chaos", ([], {}))
    FIGURES.extend(figures)
    TALLY.update(tally)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section(f"figures of seed {SEED}")
    for name, values in FIGURES:
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
        terminalreporter.write_line(f"{name}: {told}")
    sums = {word: sum(int(values.get(word, 0)) for _, values in FIGURES) for word in ("kills", "cuts", "2xx", "leads", "events")}
    told = ", ".join(f"{word} {count}" for word, count in {**sums, **TALLY}.items())
    terminalreporter.write_line(f"together: {told}")
