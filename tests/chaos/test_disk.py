"""What does a sender hear while the disk is full, breaks or is slow, and does every promise outlive it?"""

import time

import pytest
from crowd import Crowd
from faults import small_disk, tampered_sync
from house import wait_until
from judge import judge

ROOM = 64 << 20
# The journal looks at the disk once a second.
NOTICED_WITHIN = 10
RECOVERED_WITHIN = 10


FULL = {
    # Refused while there is still room for SQLite to work in.
    "under the five percent": ({"journal.disk_free": 5}, ROOM // 50),
    # Refused by the disk itself, in the middle of a commit.
    "to the last byte": ({}, 0),
}


@pytest.mark.parametrize("how", FULL)
def test_a_full_disk_means_503_and_recovers_by_itself(open_house, seed, rng, figures, how):
    settings, left = FULL[how]
    house = open_house(start=False, settings=settings)
    with small_disk(house.data, ROOM) as disk:
        house.start()
        crowd = Crowd(house, seed).start()
        time.sleep(rng.uniform(0.5, 1.5))
        disk.fill(left)
        wait_until(lambda: crowd.outcomes.get(503, 0) > 20, NOTICED_WITHIN, lambda: f"nobody heard 503: {crowd.outcomes}")
        wait_until(lambda: house.ready() == 503, NOTICED_WITHIN, lambda: "/ready stays up on a full disk")
        before = crowd.promises()
        time.sleep(2)
        taken = crowd.promises() - before
        disk.free()
        freed = time.monotonic()
        wait_until(lambda: house.ready() == 200, RECOVERED_WITHIN, lambda: "/ready stays down on a freed disk")
        crowd.finish()
        recovered = time.monotonic() - freed
        assert house.is_running()
        if left:
            assert taken == 0, f"{taken} 2xx below the five percent"
        told = judge(house, crowd)
        house.kill()
        house.start()
        judge(house, crowd)
        figures(**told, refused=crowd.outcomes[503], taken_while_full=taken, recovered_s=f"{recovered:.2f}")
        house.stop()


def test_a_failed_sync_of_the_journal_ends_the_process_and_no_promise(leadgate, seed, rng, figures):
    crowd = Crowd(leadgate, seed).start()
    time.sleep(rng.uniform(0.2, 1))
    nth = rng.randint(1, 40)
    with tampered_sync(leadgate, f"error=EIO:when={nth}+", file="journal.db-wal") as said:
        code = leadgate.process.wait(30)
        assert "INJECTED" in said.read_text(), "no fsync of the journal was seen to fail"
    assert code == 1, f"it ended with {code}: {leadgate.log_end()}"
    crowd.leave()
    leadgate.start()
    told = judge(leadgate, crowd)
    figures(failed_at_sync=nth, **told)


def test_a_failed_sync_of_the_ledger_loses_nothing(leadgate, seed, rng, figures):
    crowd = Crowd(leadgate, seed).start()
    time.sleep(rng.uniform(0.2, 1))
    nth = rng.randint(1, 10)
    with tampered_sync(leadgate, f"error=EIO:when={nth}..{nth + 5}", file="ledger.db-wal") as said:
        wait_until(lambda: said.exists() and "INJECTED" in said.read_text(), 20, lambda: "no fsync was seen to fail")
        time.sleep(2)
    ended = not leadgate.is_running()
    if ended:
        assert leadgate.process.returncode == 1, leadgate.log_end()
        leadgate.start()
    crowd.finish()
    told = judge(leadgate, crowd)
    leadgate.kill()
    leadgate.start()
    judge(leadgate, crowd)
    figures(failed_at_sync=nth, process="ended" if ended else "went on", **told)


def test_a_slow_sync_is_waited_for_also_by_death(leadgate, seed, rng, figures):
    slow = rng.randint(500, 1000)
    crowd = Crowd(leadgate, seed, senders=24).start()
    with tampered_sync(leadgate, f"delay_enter={slow * 1000}"):
        time.sleep(6)
        leadgate.kill()
    assert crowd.slowest >= slow / 1000, f"a 2xx after at most {crowd.slowest} s did not wait for a sync of {slow} ms"
    leadgate.start()
    crowd.finish()
    told = judge(leadgate, crowd)
    figures(sync_ms=slow, slowest_2xx_s=f"{crowd.slowest:.2f}", **told)
