"""A house that gets killed, starved and damaged, and what must hold of it all the same."""

import time

import requests
from crowd import FAMILY
from house import House, wait_until
from judge import settle

# What tests have measured, told at the end of the run.
FIGURES = []


class BeatenHouse(House):
    """A house whose crashes are no surprise, but whose panics are."""

    def ready_after(self):
        """Starts; returns the seconds until it is ready."""
        begun = time.monotonic()
        self.spawn()
        wait_until(self.is_ready, 30, self.why_not_ready, every=0.004)
        return time.monotonic() - begun

    def ready(self):
        """The status of /ready; 0 when nobody answers."""
        try:
            return requests.get(f"{self.desk}/ready", timeout=5).status_code
        except requests.ConnectionError:
            return 0

    def assert_balanced(self):
        if not self.may_be_unbalanced:
            settle(self)

    def assert_no_dead_letters(self):
        dead = requests.get(f"{self.desk}/v1/workspaces/demo/dead", timeout=10).json()
        assert self.may_have_dead_letters or dead["entries"] == [], dead

    def assert_discreet(self, metrics):
        super().assert_discreet(metrics)
        log = self.log.read_text(errors="replace")
        assert FAMILY not in log and FAMILY not in metrics
        assert "panicked" not in log, log[log.index("panicked") - 200 :][:1000]
