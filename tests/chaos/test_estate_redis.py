"""What do senders and readers notice while Redis dies, freezes, forgets, fills up or is tampered with? Senders: nothing."""

import contextlib
import os
import subprocess
import time

import pytest
from doses import KILLS, long_or
from estate import EstateCrowd, seconds_until
from estate_judge import judge_estate
from faults import is_traced, small_disk
from house import wait_until
from redis_server import RedisServer

NOTICED_WITHIN = 5


@pytest.fixture
def estate(open_estate):
    return open_estate()


def assert_unnoticed(crowd):
    """Senders do not depend on Redis."""
    assert crowd.share_taken() >= 0.999, f"{crowd.share_taken():.5f} were taken: {crowd.outcomes}"


def finish(estate, crowd, **more):
    """Everybody goes home, and every promise is looked at."""
    crowd.finish()
    assert_unnoticed(crowd)
    return judge_estate(estate, crowd, **more) | {"slowest_2xx_s": f"{crowd.slowest:.2f}"}


def test_redis_killed_at_any_moment_loses_nothing(estate, seed, rng, figures):
    crowd = EstateCrowd(estate, seed).start()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.1, 1.2))
        estate.server.kill()
        time.sleep(rng.uniform(0, 0.7))
        estate.server.start()
    figures(kills=KILLS, **finish(estate, crowd))


FORGETTING = {
    "flushed": lambda server: server.flush(),
    "restarted without its log": lambda server: server.restart(appendonly="no"),
}


@pytest.mark.parametrize("load", [True, False], ids=["under load", "at rest"])
@pytest.mark.parametrize("how", FORGETTING)
def test_a_redis_that_forgets_everything_is_refilled(estate, seed, rng, figures, how, load):
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.5, 1.5))
    if not load:
        crowd.finish()
        judge_estate(estate, crowd)
    marks = {node: node.log_size() for node in estate.gateways}
    FORGETTING[how](estate.server)
    noticed = seconds_until(
        lambda: all(node.said("forward.refill", marks[node]) for node in estate.gateways),
        4 * NOTICED_WITHIN,
        lambda: "a gateway does not notice that the store is empty",
    )
    time.sleep(1)
    told = finish(estate, crowd, lost_state=True)
    figures(noticed_s=f"{noticed:.2f}", **told)
    assert noticed <= NOTICED_WITHIN


def test_a_log_that_is_synced_late_leaves_holes_which_are_filled(estate, seed, rng, figures):
    estate.server.restart(appendfsync="everysec")
    estate.wait_ready()
    crowd = EstateCrowd(estate, seed).start()
    with slow_log(estate.server):
        time.sleep(rng.uniform(2.5, 4))
        before = estate.server.info()["total_commands_processed"]
        estate.server.kill()
    kept = estate.server.aof().stat().st_size
    estate.server.start()
    figures(kills=1, commands=before, log_bytes=kept, **finish(estate, crowd, lost_state=True))


@contextlib.contextmanager
def slow_log(server):
    """A disk that takes two seconds for each sync."""
    line = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=2000000"]
    tracer = subprocess.Popen([*line, "-p", str(server.process.pid)], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: is_traced(server.process.pid) or tracer.poll() is not None, 10)
        assert tracer.poll() is None, f"strace refused: {tracer.stderr.read().decode()}"
        yield
    finally:
        tracer.terminate()
        tracer.wait(20)
        tracer.stderr.close()


def cut_end(file, rng):
    os.truncate(file, file.stat().st_size - rng.randint(1, 2000))


def cut_middle(file, rng):
    os.truncate(file, int(file.stat().st_size * rng.uniform(0.2, 0.9)))


def spoil_middle(file, rng):
    content = bytearray(file.read_bytes())
    place = int(len(content) * rng.uniform(0.2, 0.9))
    content[place : place + 64] = bytes(64)
    file.write_bytes(content)


DAMAGES = {"cut at its end": cut_end, "cut in its middle": cut_middle, "spoiled in its middle": spoil_middle}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_log_of_redis_is_mended_from_the_journals(estate, seed, rng, figures, how):
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(1, 2))
    estate.server.kill()
    DAMAGES[how](estate.server.aof(), rng)
    mended = not starts(estate.server)
    if mended:
        # As Redis's manual says.
        words = ["redis-check-aof", "--fix", estate.server.aof().with_name("appendonly.aof.manifest")]
        subprocess.run(words, input=b"y\n", check=True, stdout=subprocess.DEVNULL)
        estate.server.start()
    time.sleep(1)
    figures(kills=1, mended=mended, **finish(estate, crowd, lost_state=True))


def starts(server):
    with contextlib.suppress(AssertionError):
        server.start()
        return True
    return False


@pytest.mark.parametrize("seconds", [1, 10, *long_or([], [120])])
def test_a_frozen_redis_is_waited_for(estate, seed, rng, figures, seconds):
    crowd = EstateCrowd(estate, seed, pause=0.02 if seconds < 100 else 0.5).start()
    time.sleep(rng.uniform(0.2, 1))
    estate.server.freeze()
    time.sleep(seconds)
    estate.server.thaw()
    figures(frozen_s=seconds, **finish(estate, crowd))


@pytest.mark.parametrize("what", ["WRITE", "ALL"])
def test_a_paused_redis_is_waited_for(estate, seed, rng, figures, what):
    seconds = long_or(4, 30)
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.2, 1))
    estate.server.ask("CLIENT", "PAUSE", seconds * 1000, what)
    time.sleep(seconds)
    figures(paused_s=seconds, **finish(estate, crowd))


def test_a_redis_without_memory_is_given_no_more_until_there_is_room(estate, seed, figures):
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    # Above three quarters of it, and then above all of it.
    used = estate.server.info()["used_memory"]
    for most in (used * 5 // 4, used * 9 // 10):
        estate.server.ask("CONFIG", "SET", "maxmemory", most)
        time.sleep(2)
    waiting = unreleased(estate)
    assert waiting > 0, "rows were sent into a full Redis"
    estate.server.ask("CONFIG", "SET", "maxmemory", 0)
    figures(waited=int(waiting), **finish(estate, crowd))


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 24 << 20) as disk:
        yield disk


# The disk is named first, so that it goes last.
def test_a_redis_whose_disk_is_full_comes_back_when_there_is_room(disk, open_estate, seed, figures):
    estate = open_estate(store=RedisServer(disk.folder / "redis"))
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    disk.fill()
    # With `always`, Redis rather ends than answers what it could not write.
    wait_until(lambda: not estate.server.is_running(), 20, lambda: "Redis does not mind its full disk")
    time.sleep(1)
    disk.free()
    estate.server.start()
    figures(**finish(estate, crowd))


def spoil(key):
    def done(server):
        server.ask("DEL", key)
        server.ask("SET", key, "not ours")
        time.sleep(2)
        server.ask("DEL", key)

    return done


def desert(server):
    """A reader of the stream with a group of its own, who takes and never acknowledges; and somebody drops him."""
    events, crm = "lg:{demo}:events", "crm"
    server.ask("XGROUP", "DESTROY", events, crm)
    server.ask("XGROUP", "CREATE", events, crm, "0")
    server.ask("XREADGROUP", "GROUP", crm, "one", "COUNT", 10, "STREAMS", events, ">")
    server.ask("XGROUP", "DELCONSUMER", events, crm, "one")


TAMPERINGS = {
    "the inbox deleted": (True, lambda server: server.ask("DEL", "lg:{demo}:inbox")),
    "the head deleted": (True, lambda server: server.ask("DEL", "lg:{demo}:head")),
    "the lease deleted": (False, lambda server: server.ask("DEL", "lg:{demo}:lease")),
    "every client thrown out": (False, lambda server: server.ask("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")),
    "scripts flushed": (False, lambda server: server.ask("SCRIPT", "FLUSH")),
    "a key of another type": (False, spoil("lg:{demo}:exclusion")),
    "a reader's consumer deleted": (False, desert),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_with_the_store_heals(estate, seed, rng, figures, what):
    lost_state, tamper = TAMPERINGS[what]
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.5, 1))
    for _ in range(long_or(2, 10)):
        tamper(estate.server)
        time.sleep(rng.uniform(0.3, 1))
    figures(**finish(estate, crowd, lost_state=lost_state))


def test_an_outage_under_load_is_drained_after_it(estate, seed, figures):
    """The figure of the note: how long the backlog takes."""
    seconds = long_or(8, 60)
    crowd = EstateCrowd(estate, seed, senders=24, pause=0.01).start()
    time.sleep(0.5)
    estate.server.kill()
    before = crowd.promises()
    time.sleep(seconds)
    backlog = crowd.promises() - before
    estate.server.start()
    healed = time.monotonic()
    wait_until(lambda: unreleased(estate) < 50, 60, lambda: f"{unreleased(estate)} rows wait on")
    drained = time.monotonic() - healed
    told = finish(estate, crowd)
    figures(kills=1, away_s=seconds, backlog=backlog, rate_per_s=int(backlog / seconds), drained_s=f"{drained:.1f}", **told)
    assert drained <= 30


def unreleased(estate):
    """Rows that are not known to be safe in Redis."""
    return sum(node.metric("leadgate_journal_unreleased") for node in estate.gateways)
