"""What every end-to-end test starts from: a running leadgate, and the people who knock.

`leadgate` is one process with the demo workspace; `open_house` starts one with settings of its own:

    def test_small_bodies(open_house):
        house = open_house(settings={"limits.form": "1KiB"})

Both are closed by house.House.close, which asserts what must hold after every test.
"""

import pytest

from house import ANTON, CANARIES, JANE, VERA, House


@pytest.fixture
def open_house(tmp_path):
    houses = []

    def opened(start=True, **options):
        house = House(tmp_path / f"house-{len(houses)}", **options)
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
def vera():
    return VERA


@pytest.fixture
def anton():
    return ANTON


@pytest.fixture
def jane():
    return JANE


@pytest.fixture
def people():
    return CANARIES
