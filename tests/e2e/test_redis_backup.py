"""Does a store in Redis come back from its backup, and does nothing that a dead gateway had accepted stay behind?"""

import json

import pytest
from house import VERA, wait_until
from knocks import books, form, new_phone, told
from store import Store


@pytest.fixture
def open_store(tmp_path):
    stores = []

    def opened():
        stores.append(Store(tmp_path / f"redis-{len(stores)}").start())
        return stores[-1]

    yield opened
    for store in stores:
        store.stop()


@pytest.fixture
def store(open_store):
    return open_store()


def said(house, *words, code=0):
    done = house.command(*words)
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def answered(house, *words, code=0):
    done = house.command(*words, "--json")
    assert done.returncode == code, f"{words}: {done.returncode} {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def leads(house):
    return sorted(one["id"] for one in told(house, "leads", params={"limit": 1000})["leads"])


def knocked(house, number):
    for _ in range(number):
        assert form(house, {"name": VERA.name, "phone": new_phone()}).status_code in (200, 202)


def decided(house, number):
    wait_until(lambda: len(leads(house)) == number, 20, lambda: f"{len(leads(house))} of {number} leads")


def test_a_store_comes_back_and_the_gateway_adds_what_came_after(store, open_store, open_house, tmp_path):
    house = open_house(settings=store.settings())
    knocked(house, 5)
    decided(house, 5)
    before = [event["id"] for event in house.events()]
    said(house, "backup", tmp_path / "copy")
    knocked(house, 3)
    decided(house, 8)
    whole = leads(house)
    refused = said(house, "restore", tmp_path / "copy", code=1)
    assert "is not empty" in refused and "it has lg:store and the workspaces demo" in refused
    house.kill()
    store.client.flushall()
    told_restored = said(house, "restore", tmp_path / "copy")
    assert "1 workspace in" in told_restored and "has a journal and keeps it" in told_restored, told_restored
    house.start()
    decided(house, 8)
    assert leads(house) == whole
    after = [event["id"] for event in house.events()]
    assert after[: len(before)] == before and len(set(after)) == len(after)
    assert books(house, "demo-form") == {"lead": 8}


def test_a_backup_comes_back_on_another_machine_with_its_journal(store, open_store, open_house, tmp_path):
    house = open_house(settings=store.settings())
    knocked(house, 4)
    decided(house, 4)
    said(house, "backup", tmp_path / "copy")
    other = open_house(start=False, settings=open_store().settings())
    restored = answered(other, "restore", tmp_path / "copy")
    assert restored["workspaces"] == 1 and restored["journal_restored"] and restored["files"] == 1, restored
    other.start()
    decided(other, 4)
    assert leads(other) == leads(house) and books(other, "demo-form") == {"lead": 4}
    embedded = open_house(start=False)
    assert "set store.url" in said(embedded, "restore", tmp_path / "copy", code=1)


def test_a_backup_of_another_kind_or_with_another_pepper_is_refused(store, open_store, open_house, tmp_path):
    house, embedded, empty = open_house(settings=store.settings()), open_house(), open_store()
    said(house, "backup", tmp_path / "redis")
    said(embedded, "backup", tmp_path / "embedded")
    stranger = open_house(start=False, settings={**empty.settings(), "store.pepper": "not the pepper of before"})
    assert "store.pepper is not the one" in said(stranger, "restore", tmp_path / "redis", code=1)
    assert "backup of an embedded store" in said(stranger, "restore", tmp_path / "embedded", code=1)
    assert "has no store.dump" in said(stranger, "restore", tmp_path, code=1)
    assert empty.client.dbsize() == 0


def test_the_journal_of_a_dead_gateway_reaches_the_store_once(store, open_house):
    dead, living = (open_house(settings=store.settings()) for _ in range(2))
    knocked(dead, 3)
    decided(living, 3)
    refused = said(living, "journal", "forward", dead.data, code=1)
    assert "a gateway runs on" in refused
    store.stop()
    knocked(dead, 7)
    dead.kill()
    away = said(living, "journal", "forward", dead.data / "journal.db", code=1)
    assert "Redis is away" in away
    store.start()
    [line] = answered(living, "journal", "forward", dead.data / "journal.db")["workspaces"]
    assert (line["rows"], line["left"]) == (10, 0) and line["sent"] >= 7, line
    decided(living, 10)
    before = [event["id"] for event in living.events()]
    again = answered(living, "journal", "forward", dead.data)
    assert again == {"workspaces": [{**line, "sent": 0, "known": 10}], "done": True}
    assert "demo" in said(living, "journal", "forward", dead.data)
    assert [event["id"] for event in living.events()] == before
    assert books(living, "demo-form") == {"lead": 10}
