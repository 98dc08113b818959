"""Does it start, or refuse in plain words, over a journal that lost its end or has wrong bits?

The folder is that of a killed process; each case damages a copy. What the ledger had decided is in the stream whatever
happened to the journal, nobody is invented, and who knocks after the damage becomes a lead like anyone else.
"""

import collections
import contextlib
import os
import random
import shutil
import sqlite3
import time

import pytest
from beaten import FIGURES, BeatenHouse
from crowd import Crowd, Line, Person, json_form
from house import wait_until
from judge import judge_stream, settle, verdicts

TORN = int(os.environ.get("LEADGATE_CHAOS_TORN") or 20)
DAMAGES = ("cut the log", "cut the file", "flip in the log", "flip in the file", "lose the log", "cut both logs")


def cut(path, rng):
    size = path.stat().st_size
    os.truncate(path, rng.randrange(size) if size else 0)


def flip(path, rng):
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def damage(data, how, rng):
    log, file = data / "journal.db-wal", data / "journal.db"
    match how:
        case "cut the log":
            cut(log, rng)
        case "cut the file":
            cut(file, rng)
        case "flip in the log":
            flip(log, rng)
        case "flip in the file":
            flip(file, rng)
        case "lose the log":
            log.unlink()
        case "cut both logs":
            cut(log, rng)
            cut(data / "ledger.db-wal", rng)


@pytest.fixture(scope="module")
def wreck(tmp_path_factory):
    """The folder of a process killed under load, and what had been promised and published by then."""
    folder = tmp_path_factory.mktemp("wreck")
    house = BeatenHouse(folder / "house").start()
    crowd = Crowd(house, "wreck").start()
    time.sleep(1)
    crowd.leave()
    # A clean stop writes the log into the file; what comes after is in the log alone.
    house.restart()
    more = Crowd(house, "more", first=len(crowd.persons)).start()
    time.sleep(1)
    more.leave()
    settle(house)
    published = {event["id"] for event in house.events()}
    house.kill()
    return house.data, {person.phone for one in (crowd, more) for person in one.persons}, published


@pytest.fixture(scope="module")
def tally():
    """What became of each kind of damage, told at the end."""
    outcomes = collections.Counter()
    yield outcomes
    if outcomes:
        FIGURES.append(("damaged journals", dict(sorted(outcomes.items()))))


@pytest.mark.parametrize("nth", range(TORN))
def test_a_damaged_journal_is_served_or_refused_in_plain_words(open_house, wreck, tally, seed, nth):
    data, known, published = wreck
    how, rng = DAMAGES[nth % len(DAMAGES)], random.Random(seed)
    house = open_house(start=False)
    # Rows are gone that were counted, so these books cannot balance.
    house.may_be_unbalanced = house.may_have_dead_letters = True
    shutil.copytree(data, house.data)
    damage(house.data, how, rng)
    if not starts(house):
        tally[f"{how}: refused"] += 1
        assert_plain_end(house, how)
        return
    told = house.events()
    phones = {phone for event in told for phone in event["data"]["lead"]["contact"]["phones"]}
    assert phones <= known, f"{how}: invented {phones - known}"
    if how != "cut both logs":
        assert published <= {event["id"] for event in told}, f"{how}: what was published is gone"
    taken = newcomers_are_leads(house, how)
    if house.is_running():
        tally[f"{how}: served"] += 1
        assert taken == NEWCOMERS or house.ready() == 503, f"{how}: {taken} newcomers taken, and says it is ready"
    else:
        tally[f"{how}: ended"] += 1
        assert_plain_end(house, how)


def assert_plain_end(house, how):
    """The file itself is damaged; a log that is merely torn is no reason to end."""
    assert how in ("cut the file", "flip in the file"), f"{how}: ended: {house.log_end()}"
    assert house.process.wait(30) == 1, f"{how}: ended with {house.process.returncode}: {house.log_end()}"
    said = house.log_end().splitlines()
    assert any(line.startswith("leadgate: ") or '"level":"ERROR"' in line for line in said[-5:]), said
    house.assert_discreet("")
    house.process = None


def starts(house):
    """Whether it comes up; it may also say why not, and end."""
    house.spawn()
    wait_until(lambda: house.process.poll() is not None or house.ready() == 200, 30, house.why_not_ready)
    return house.is_running()


NEWCOMERS = 3


def newcomers_are_leads(house, how):
    """People who come after the damage; returns how many were promised. A journal that is found to be broken may say so
    by 503 and end the process; a promise it makes it must keep."""
    line = Line(house.public.removeprefix("http://"))
    promised = set()
    for number in range(9_000_000, 9_000_000 + NEWCOMERS):
        person = Person(number, "newcomer")
        status, *_ = line.exchange(json_form(person, "after the damage", f"newcomer-{number}"))
        assert status in (200, 503) or not isinstance(status, int), f"{how}: a newcomer hears {status}"
        if status == 200:
            promised.add(person.phone)
    line.close()

    def missing():
        if not house.is_running():
            return set()
        leads = judge_stream(house.events()).values()
        return promised - {phone for lead in leads for phone in lead["contact"]["phones"]}

    wait_until(lambda: not missing(), 10, lambda: f"{how}: promised after the damage, and lost: {missing()}")
    return len(promised)


def test_a_row_that_cannot_be_read_goes_to_quarantine_and_holds_up_nobody(open_house):
    house = open_house()
    settle(house)
    house.kill()
    damage_next_row(house.data / "journal.db")
    house.start()
    newcomers_are_leads(house, "a damaged row")
    settle(house)
    assert verdicts(house, "demo-form") == {"lead": 3, "quarantined": 1}


def damage_next_row(file):
    """As if the last request before a power cut had been spoiled on the disk: its entry is no entry."""
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("INSERT INTO accepted (workspace, channel, n) VALUES ('demo', 'demo-form', 1)")
        db.execute(
            "INSERT INTO row (workspace, channel, received_at, forever, entry, raw)"
            " VALUES ('demo', 'demo-form', ?, 0, x'9300', x'7b7d')",
            [int(time.time() * 1000)],
        )
