"""A Redis of the test's own: how is it started, broken, healed and asked?"""

import os
import pathlib
import signal
import subprocess

import redis
from house import free_port, wait_until
from redis.backoff import NoBackoff
from redis.retry import Retry

UP_WITHIN = 15
# Commands of ours that must not wait for a server that was stopped on purpose.
PATIENCE = 5
LOST_LINK = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisServer:
    """One redis-server in a folder of its own. `settings` are lines of redis.conf, with `_` for `-`."""

    def __init__(self, folder, host="127.0.0.1", prefix=(), **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.host, self.port, self.prefix = host, free_port(), list(prefix)
        self.log = self.folder / "redis.log"
        self.process = None
        usual = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory_policy": "noeviction"}
        # No rewrite of the log in the middle of a test: it would mend what the test has broken.
        usual |= {"auto_aof_rewrite_percentage": 0, "dir": self.folder, "bind": host, "protected_mode": "no"}
        # A replica is sent what it missed at once.
        usual |= {"repl_diskless_sync_delay": 0, "enable_debug_command": "yes"}
        self.settings = usual | settings

    def spawn(self, **settings):
        """Starts, and waits for nothing; these settings stay for later starts."""
        self.settings |= settings
        words = [word for name, value in self.settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        line = [*self.prefix, "redis-server", "--port", str(self.port), *words]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)

    def start(self, **settings):
        self.spawn(**settings)
        wait_until(self.is_up, UP_WITHIN, lambda: f"redis-server did not come up: {self.log_end()}")
        return self

    def is_up(self):
        assert self.process.poll() is None, f"redis-server ended with {self.process.returncode}: {self.log_end()}"
        try:
            with self.client() as client:
                return client.ping()
        except redis.ResponseError:
            # It loads its file, or may not write; for those who only ask whether it answers, it does.
            return "loading" not in self.log_end()[-200:].lower()
        except LOST_LINK:
            return False

    def log_end(self):
        return self.log.read_text(errors="replace")[-1500:]

    def client(self, patience=PATIENCE):
        at_once = Retry(NoBackoff(), 0)
        return redis.Redis(
            self.host, self.port, socket_timeout=patience, socket_connect_timeout=patience, retry=at_once, decode_responses=True
        )

    def ask(self, *words):
        """One command, as redis-cli gives it."""
        with self.client() as client:
            return client.execute_command(*words)

    def info(self):
        with self.client() as client:
            return client.info()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        """In order, writing down what it has."""
        self.process.terminate()
        self.process.wait(10)

    def restart(self, **settings):
        if self.is_running():
            self.kill()
        return self.start(**settings)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def flush(self):
        self.ask("FLUSHALL")

    def aof(self):
        """The file of the append-only log that grows."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)

    def close(self):
        if self.is_running():
            self.thaw()
            self.kill()
