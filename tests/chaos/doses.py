"""How much of each fault does this run get? Little in `tests/run`, much in `tests/chaos/run --long`."""

import os

LONG = os.environ.get("LEADGATE_CHAOS_LONG") == "1"
# Of each kind of process.
KILLS = max(1, int(os.environ.get("LEADGATE_CHAOS_KILLS") or 12) // 4)
CUTS = int(os.environ.get("LEADGATE_CHAOS_CUTS") or 30)


def long_or(short, long):
    return long if LONG else short
