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
# Gauges of what waits while Redis is away are at most this old.
TOLD_WITHIN = 6


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


@pytest.mark.parametrize("how", FORGETTING)
def test_a_redis_that_forgets_everything_is_refilled(estate, seed, rng, figures, how):
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.5, 1.5))
    under_load = forget(estate, FORGETTING[how])
    time.sleep(1)
    finish(estate, crowd, lost_state=True)
    # And when nobody knocks who would find it out by writing.
    at_rest = forget(estate, FORGETTING[how])
    told = finish(estate, crowd, lost_state=True)
    figures(noticed_under_load_s=f"{under_load:.2f}", noticed_at_rest_s=f"{at_rest:.2f}", **told)
    assert under_load <= NOTICED_WITHIN and at_rest <= NOTICED_WITHIN


def forget(estate, how):
    """The seconds until every gateway gives account to the empty store, which it does after finding out."""
    how(estate.server)

    def noticed():
        return estate.server.ask("HLEN", "lg:{demo}:accepted") == len(estate.gateways)

    return seconds_until(noticed, 4 * NOTICED_WITHIN, lambda: "a gateway does not notice that the store is empty")


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
    """Where a command begins: the log has no checksums, so that Redis cannot see a wrong byte of a value."""
    content = bytearray(file.read_bytes())
    place = content.index(b"\r\n*", int(len(content) * rng.uniform(0.2, 0.9)))
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


def frozen(server, seconds):
    server.freeze()
    time.sleep(seconds)
    server.thaw()


def paused(what):
    def pause(server, seconds):
        server.ask("CLIENT", "PAUSE", int(seconds * 1000), what)
        time.sleep(seconds)

    return pause


STANDSTILLS = [
    (frozen, 1), (frozen, long_or(6, 10)), (paused("WRITE"), long_or(1.5, 30)), (paused("ALL"), long_or(1.5, 30)),
    *long_or([], [(frozen, 120)]),
]


def test_a_redis_that_stands_still_is_waited_for(estate, seed, rng, figures):
    crowd = EstateCrowd(estate, seed, pause=0.1).start()
    for stand_still, seconds in rng.sample(STANDSTILLS, len(STANDSTILLS)):
        time.sleep(rng.uniform(0.2, 1))
        stand_still(estate.server, seconds)
    figures(stood_s=sum(seconds for _, seconds in STANDSTILLS), **finish(estate, crowd))


def test_above_three_quarters_of_its_memory_redis_is_given_no_more(estate, seed, figures):
    # So large that what comes within the second until it is noticed does not matter.
    ballast = 100 << 20
    estate.server.ask("SET", "ballast", "x" * ballast)
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    estate.server.ask("CONFIG", "SET", "maxmemory", estate.server.info()["used_memory"] * 10 // 8)
    time.sleep(1.5)
    before, length = crowd.promises(), estate.inbox_length()
    time.sleep(1.5)
    assert crowd.promises() > before, "senders notice that Redis is full"
    assert estate.inbox_length() == length, "rows were sent into a full Redis"
    assert not estate.logged("the store is full"), "it was sent all that Redis can hold"
    estate.server.ask("CONFIG", "SET", "maxmemory", 0)
    figures(waited=crowd.promises() - estate.decided(), **finish(estate, crowd))


def test_a_redis_without_any_memory_left_is_waited_for(estate, seed, figures):
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    estate.server.ask("CONFIG", "SET", "maxmemory", estate.server.info()["used_memory"] * 9 // 10)
    time.sleep(2)
    assert estate.logged("the store is full"), "nobody noticed"
    estate.server.ask("CONFIG", "SET", "maxmemory", 0)
    figures(**finish(estate, crowd))


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


def order(*words):
    return lambda server: server.ask(*words)


TAMPERINGS = {
    "what can be made anew": [
        order("DEL", "lg:{demo}:lease"),
        order("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"),
        order("SCRIPT", "FLUSH"),
        spoil("lg:{demo}:exclusion"),
        desert,
    ],
    "what has to be sent again": [order("DEL", "lg:{demo}:inbox"), order("DEL", "lg:{demo}:head")],
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_with_the_store_heals(estate, seed, rng, figures, what):
    crowd = EstateCrowd(estate, seed).start()
    for tamper in rng.sample(TAMPERINGS[what], len(TAMPERINGS[what])) * long_or(1, 10):
        time.sleep(rng.uniform(0.3, 1))
        tamper(estate.server)
    figures(**finish(estate, crowd, lost_state="again" in what))


def test_an_outage_under_load_is_drained_after_it(estate, seed, figures):
    """Senders go on, the gauges say how much waits, and soon after nothing does."""
    seconds = long_or(3, 60)
    crowd = EstateCrowd(estate, seed, senders=24, pause=0.05).start()
    time.sleep(0.5)
    estate.server.kill()
    before = crowd.promises()
    time.sleep(seconds)
    backlog = crowd.promises() - before
    wait_until(
        lambda: unreleased(estate) >= backlog,
        TOLD_WITHIN,
        lambda: f"the gauges tell of {unreleased(estate)} rows that wait, and there are more than {backlog}",
    )
    promised = crowd.promises()
    estate.server.start()
    drained = seconds_until(lambda: estate.decided() >= promised, 60, lambda: f"{estate.decided()} of {promised} decided")
    told = finish(estate, crowd)
    figures(kills=1, away_s=seconds, backlog=backlog, rate_per_s=int(backlog / seconds), drained_s=f"{drained:.1f}", **told)
    assert drained <= 30


def unreleased(estate):
    """Rows that are not known to be safe in Redis, as the gateways tell."""
    return sum(node.metric("leadgate_journal_unreleased") for node in estate.gateways)


def test_an_inbox_that_vanishes_at_rest_is_sent_again(estate, seed, figures):
    """Found by seed 636814374: nobody writes any more who would notice, and nothing of it was decided."""
    for worker in estate.workers:
        worker.kill()
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    crowd.finish()
    wait_until(lambda: estate.inbox_length() >= crowd.promises(), 10)
    estate.server.ask("DEL", "lg:{demo}:inbox")
    for worker in estate.workers:
        worker.start()
    figures(kills=2, **finish(estate, crowd, within=60))
