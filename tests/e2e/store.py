"""A Redis to test with: a server of its own in a folder, gone with the test."""

import subprocess

import redis
from house import free_port, wait_until

PEPPER = "a pepper for the tests"


class Store:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, decode_responses=True)
        self.process = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self):
        own = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        kept = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        self.process = subprocess.Popen(["redis-server", *own, *kept], stdout=subprocess.DEVNULL)
        wait_until(self.is_up, 10)
        return self

    def is_up(self):
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    def stop(self):
        """As a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def settings(self, **more):
        """For a house that stands on it."""
        return {"store.url": self.url, "store.pepper": PEPPER, **more}
