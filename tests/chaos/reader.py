"""What did somebody see who reads the clean stream with redis-py, all the time?

The reader follows `lg:{workspace}:events` through every failure, as a CRM would: from the last id it has seen. What it
has seen it keeps, also when Redis forgets it.
"""

import json
import threading
import time

from redis_server import LOST_LINK
from redis.exceptions import RedisError


def events_key(workspace):
    return f"lg:{{{workspace}}}:events"


class Reader:
    def __init__(self, server, workspaces):
        self.server, self.workspaces = server, list(workspaces)
        # In the order they came: workspace, event id, content. The same id may come again after a loss.
        self.seen = []
        self.closed = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        server, last = None, {}
        while not self.closed.is_set():
            if server is not self.server:
                # Another Redis: its stream is read from the start, as positions mean nothing there.
                server, last = self.server, {events_key(name): "0" for name in self.workspaces}
            try:
                with server.client(patience=2) as client:
                    self.read_on(server, client, last)
            except (*LOST_LINK, RedisError):
                time.sleep(0.1)

    def read_on(self, server, client, last):
        while not self.closed.is_set() and server is self.server:
            for key, entries in client.xread(last, count=500, block=300) or []:
                for position, fields in entries:
                    self.seen.append((workspace_of(key), fields["id"], fields["data"]))
                    last[key] = position

    def all(self, workspace="demo"):
        return [(id, data) for name, id, data in list(self.seen) if name == workspace]

    def once(self, workspace="demo"):
        """Each event as it was seen first."""
        first = {}
        for id, data in self.all(workspace):
            first.setdefault(id, data)
        return [json.loads(data) for data in first.values()]

    def close(self):
        self.closed.set()
        self.thread.join(10)


def workspace_of(key):
    return key[len("lg:{") : -len("}:events")]


def stream_of(server, workspace="demo", page=1000):
    """The clean stream as it lies in Redis now; the fields must say what the event says."""
    told, after = [], "-"
    with server.client() as client:
        while entries := client.xrange(events_key(workspace), min=after, count=page):
            after = f"({entries[-1][0]}"
            told += [event_of(fields) for _, fields in entries]
    return told


def event_of(fields):
    event = json.loads(fields["data"])
    assert set(fields) == {"id", "type", "subject", "data"}, fields.keys()
    assert [fields[name] for name in ("id", "type", "subject")] == [event[name] for name in ("id", "type", "subject")]
    return event
