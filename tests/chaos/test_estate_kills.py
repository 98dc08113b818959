"""Does an estate keep every promise when gateways, workers, Redis, or all of them die, freeze, or are told to stop?"""

import statistics
import time

from doses import KILLS
from estate import EstateCrowd, claimed_at, seconds_until
from estate_judge import judge_estate, settle_estate
from house import wait_until
from reader import events_key
from test_kills import CUT_SHORT, READY_AT_MOST, READY_WITHIN, unanswered

TAKEN_OVER_WITHIN = 10
# A lease is taken over within two lives of it.
LEASE = 5


def test_gateways_killed_at_any_moment_keep_their_promises(open_estate, seed, rng, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    starts = [kill_one(rng.choice(estate.gateways), rng) for _ in range(KILLS)]
    crowd.finish()
    told = judge_estate(estate, crowd)
    p50, worst = statistics.median(starts), max(starts)
    figures(kills=KILLS, **told, unanswered=unanswered(crowd), ready_p50_s=f"{p50:.3f}", ready_max_s=f"{worst:.3f}")
    assert p50 <= READY_WITHIN and worst <= READY_AT_MOST, sorted(starts)


def kill_one(node, rng):
    time.sleep(rng.uniform(0.05, 1.0))
    node.kill()
    return node.ready_after()


def test_workers_killed_at_any_moment_decide_everything_once(open_estate, seed, rng, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    for _ in range(KILLS):
        # The one that decides now, more often than the other.
        kill_one(rng.choice([estate.owner(), *estate.workers]), rng)
    crowd.finish()
    told = judge_estate(estate, crowd)
    figures(kills=KILLS, **told)
    assert crowd.share_taken() >= 0.999, crowd.outcomes


def test_the_workspaces_of_a_killed_worker_are_taken_over(open_estate, seed, figures):
    places = ("demo", "side", "third")
    estate = open_estate(workspaces=places)
    crowds = {name: EstateCrowd(estate, seed, name, senders=3).start() for name in places}
    time.sleep(1)
    victim = estate.owner()
    orphans = [name for name in places if estate.owner(name) is victim]
    victim.kill()
    lengths = {name: length(estate, name) for name in orphans}
    begun, taken = time.monotonic(), {}
    while len(taken) < len(orphans):
        assert time.monotonic() - begun <= 3 * TAKEN_OVER_WITHIN, f"{set(orphans) - set(taken)}: nobody decides"
        for name in set(orphans) - set(taken):
            if length(estate, name) > lengths[name]:
                taken[name] = time.monotonic() - begun
        time.sleep(0.05)
    for crowd in crowds.values():
        crowd.finish()
    told = [judge_estate(estate, crowd, workspace=name) for name, crowd in crowds.items()]
    worst = max(taken.values())
    figures(kills=1, orphans=len(orphans), taken_over_s=f"{worst:.2f}", leads=sum(one["leads"] for one in told))
    assert worst <= TAKEN_OVER_WITHIN, taken


def length(estate, workspace):
    with estate.server.client() as client:
        return client.xlen(events_key(workspace))


def test_everything_killed_at_once_keeps_every_promise(open_estate, seed, rng, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.3, 1.5))
        fallen = [*estate.nodes, estate.server]
        for one in rng.sample(fallen, len(fallen)):
            one.kill()
        for one in rng.sample(fallen, len(fallen)):
            one.spawn()
            time.sleep(rng.uniform(0, 0.1))
        wait_until(estate.server.is_up, 15)
        estate.wait_ready()
    crowd.finish()
    told = judge_estate(estate, crowd)
    figures(kills=KILLS * (len(estate.nodes) + 1), **told, unanswered=unanswered(crowd))


def test_a_worker_that_wakes_after_its_lease_changes_nothing(open_estate, seed, rng, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(rng.uniform(0.5, 1.5))
    sleeper = estate.owner()
    other = next(node for node in estate.workers if node is not sleeper)
    sleeper.freeze()
    try:
        taken = seconds_until(
            lambda: claimed_at(other, "demo") > claimed_at(sleeper, "demo"), 3 * TAKEN_OVER_WITHIN, lambda: "nobody takes over"
        )
        crowd.finish()
        settle_estate(estate, crowd)
        before = state(estate)
    finally:
        sleeper.thaw()
    time.sleep(2)
    assert state(estate) == before, "the sleeper has changed something"
    told = judge_estate(estate, crowd)
    figures(**told, taken_over_s=f"{taken:.2f}")
    assert taken <= TAKEN_OVER_WITHIN


def state(estate):
    """What a late commit would touch."""
    with estate.server.client() as client:
        stream = client.xinfo_stream(events_key("demo"))
        head = client.hmget("lg:{demo}:head", "epoch", "cursor")
        return stream["length"], stream["last-generated-id"], head, client.hgetall("lg:{demo}:books")


def test_a_rolling_restart_under_load_loses_no_request_that_began(open_estate, seed, rng, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    stops = []
    for node in rng.sample(estate.nodes, len(estate.nodes)):
        time.sleep(rng.uniform(0.2, 0.6))
        stops.append(node.stop())
        node.start()
    crowd.finish()
    cut = {outcome: count for outcome, count in crowd.outcomes.items() if outcome in CUT_SHORT}
    assert not cut, f"answers cut short: {cut}"
    told = judge_estate(estate, crowd)
    figures(**told, unanswered=unanswered(crowd), stopped_after_s=f"{max(stops):.2f}")


def test_a_worker_told_to_stop_hands_over_at_once(open_estate, seed, figures):
    estate = open_estate()
    crowd = EstateCrowd(estate, seed).start()
    time.sleep(1)
    leaver = estate.owner()
    leaver.stop()
    before = length(estate, "demo")
    handed = seconds_until(lambda: length(estate, "demo") > before, LEASE * 2, lambda: "nobody took over what was given back")
    crowd.finish()
    told = judge_estate(estate, crowd)
    figures(**told, handed_over_s=f"{handed:.2f}")
    leaver.start()
