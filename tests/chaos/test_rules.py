"""What happens to entrances and leads when a workspace's file breaks or goes away?"""

import pytest
import requests
from crowd import Line, Person, json_form
from house import DEMO, wait_until
from judge import judge_stream

# Files are looked at every second, a vanished one twice.
PICKED_UP_WITHIN = 6
SIDE = 'region = "RU"\ntime_zone = "Europe/Moscow"\n[[channel]]\nid = "side-form"\nsource = "form"\nresponsible = "eve"\n[[person]]\nid = "eve"\n'
BROKEN = ('region = ', 'region = "RU"\ntime_zone = "Atlantis"\n', "\x00", "")


@pytest.fixture
def house(open_house):
    return open_house(workspaces={"demo": DEMO.read_text(), "side": SIDE})


def stale(house, workspace="demo"):
    [line] = [line for line in house.metrics().splitlines() if line.startswith(f'leadgate_rules_stale{{workspace="{workspace}"')]
    return line.endswith(" 1")


def file_of(house, workspace="demo"):
    return house.folder / "workspaces" / f"{workspace}.toml"


def knock(house, number, path="/in/demo-form"):
    made = json_form(Person(number, "form"), "hello", f"id-{number}")
    made.path = path
    line = Line(house.public.removeprefix("http://"))
    status, _, hint = line.exchange(made)
    line.close()
    return status, hint


def is_lead(house, number, workspace="demo"):
    leads = judge_stream(house.events(workspace)).values()
    return any(Person(number, "form").phone in lead["contact"]["phones"] for lead in leads)


def assert_serves(house, number):
    assert knock(house, number)[0] == 200
    wait_until(lambda: is_lead(house, number), 10)
    assert house.ready() == 200


@pytest.mark.parametrize("broken", BROKEN, ids=["half a line", "a wrong zone", "a zero byte", "nothing"])
def test_a_file_broken_while_it_runs_leaves_the_rules_before_it(house, broken):
    assert_serves(house, 1)
    assert not stale(house)
    file_of(house).write_text(broken)
    wait_until(lambda: stale(house), PICKED_UP_WITHIN, lambda: "nobody is told that the rules are old")
    assert not stale(house, "side"), "the other workspace's file is right"
    assert_serves(house, 2)
    assert '"level":"WARN"' in house.log.read_text()
    file_of(house).write_text(DEMO.read_text())
    wait_until(lambda: not stale(house), PICKED_UP_WITHIN, lambda: "the mended file is not picked up")
    assert_serves(house, 3)


def test_a_file_broken_before_a_start_runs_with_its_last_good_copy(house):
    assert_serves(house, 1)
    house.stop()
    file_of(house).write_text("region = ")
    house.start()
    assert stale(house) and not stale(house, "side")
    assert_serves(house, 2)
    mended = DEMO.read_text() + '\n[[channel]]\nid = "late-form"\nsource = "form"\nresponsible = "anna"\n'
    file_of(house).write_text(mended)
    wait_until(lambda: not stale(house), PICKED_UP_WITHIN, lambda: "the mended file is not picked up")
    assert knock(house, 3, "/in/late-form")[0] == 200


def test_the_entrance_of_a_removed_workspace_asks_to_come_back(house):
    assert knock(house, 1, "/in/side-form")[0] == 200
    wait_until(lambda: is_lead(house, 1, "side"), 10)
    file_of(house, "side").unlink()
    wait_until(lambda: knock(house, 2, "/in/side-form")[0] == 503, PICKED_UP_WITHIN)
    status, hint = knock(house, 2, "/in/side-form")
    assert status == 503 and int(hint) > 0
    assert knock(house, 2, "/in/never-there")[0] == 404
    house.restart()
    assert knock(house, 2, "/in/side-form")[0] == 503, "also after a start"
    assert_serves(house, 3)
    file_of(house, "side").write_text(SIDE)
    wait_until(lambda: knock(house, 2, "/in/side-form")[0] == 200, PICKED_UP_WITHIN)
    wait_until(lambda: is_lead(house, 2, "side"), 10)
