"""A line to Redis that can be made bad while it is in use: slow, dripping, cut, deaf, dumb, or dead.

Every process gets a proxy of its own, so that one of them can be cut off alone. What a mode means is read anew for
every piece of bytes, so a change works on connections that are open already.
"""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from house import free_port

PIECE = 1 << 16
TO_SERVER, TO_CLIENT = "to server", "to client"
# How a connection is ended: a goodbye, or a reset that throws away what was under way.
FIN, RST = "fin", "rst"


@dataclass
class Manner:
    """How the line behaves now."""

    # Seconds each piece waits.
    delay: float = 0.0
    # Bytes a second in each direction.
    drip: int = 0
    # What the server answers is thrown away; such a connection stays dumb.
    swallow: bool = False
    # Nothing is read any more; what was sent waits in the kernel.
    deaf: bool = False
    # Who comes new is reset at once.
    refuse: bool = False


@dataclass
class Cut:
    """One connection is ended after so many more bytes in one direction: the first that moves a byte that way."""

    bytes_left: int
    direction: str
    how: str = RST
    # The next answer is thrown away, and the connection ends.
    swallow: bool = False
    link: "Link" = None
    done: threading.Event = field(default_factory=threading.Event)


class Proxy:
    def __init__(self, target):
        """`target` is the host and port of the server."""
        self.target = target
        self.manner = Manner()
        self.cut, self.cuts = None, 0
        self.links, self.lock = set(), threading.Lock()
        self.closed = False
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.manner.refuse:
                end(client, RST)
                continue
            threading.Thread(target=self.connect, args=(client,), daemon=True).start()

    def connect(self, client):
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            end(client, RST)
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self, client, server)
        with self.lock:
            self.links.add(link)
        link.start()

    def behave(self, **manner):
        """From now on; whatever is not named is as on a good line."""
        self.manner = Manner(**manner)

    def next_cut(self, after, direction, how=RST, swallow=False):
        """Arms one cut; wait for its `done`. One at a time."""
        self.cut = Cut(after, direction, how, swallow)
        return self.cut

    def drop_all(self, how=RST):
        """Ends every open connection."""
        with self.lock:
            links = list(self.links)
        for link in links:
            link.end(how)

    def point(self, target):
        """Another server from now on; who is connected is cut off."""
        self.target = target
        self.drop_all()

    def close(self):
        self.closed = True
        self.listener.close()
        self.drop_all()


class Link:
    """One client's connection and the one to the server behind it."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.dumb = self.ended = False

    def start(self):
        for source, sink, direction in ((self.client, self.server, TO_SERVER), (self.server, self.client, TO_CLIENT)):
            threading.Thread(target=self.pump, args=(source, sink, direction), daemon=True).start()

    def pump(self, source, sink, direction):
        with contextlib.suppress(OSError):
            while not self.ended:
                if self.proxy.manner.deaf:
                    time.sleep(0.02)
                    continue
                piece = source.recv(PIECE)
                if not piece:
                    break
                self.carry(piece, sink, direction)
        self.end(FIN)

    def carry(self, piece, sink, direction):
        while self.proxy.manner.deaf and not self.ended:
            time.sleep(0.02)
        manner = self.proxy.manner
        if manner.delay:
            time.sleep(manner.delay)
        cut = self.claim(direction)
        if cut:
            self.carry_to_the_cut(piece, sink, cut)
        elif direction == TO_CLIENT and (manner.swallow or self.dumb):
            self.dumb = True
        elif manner.drip:
            self.drip(piece, sink)
        else:
            sink.sendall(piece)

    def drip(self, piece, sink):
        """A tenth of a second's worth at a time, until the line is good again."""
        while piece and (rate := self.proxy.manner.drip):
            step = max(1, rate // 10)
            sink.sendall(piece[:step])
            piece = piece[step:]
            time.sleep(step / rate)
        sink.sendall(piece)

    def claim(self, direction):
        """The armed cut, if it is for this connection and direction."""
        with self.proxy.lock:
            cut = self.proxy.cut
            if cut and cut.direction == direction and cut.link in (None, self):
                cut.link = self
                return cut
        return None

    def carry_to_the_cut(self, piece, sink, cut):
        passed = b"" if cut.swallow else piece[: cut.bytes_left]
        cut.bytes_left -= len(passed) or cut.bytes_left
        sink.sendall(passed)
        if cut.bytes_left == 0:
            if cut.direction == TO_SERVER:
                # A reset throws away what the server has not read; it is to read what passed.
                time.sleep(0.002)
            self.end(cut.how)

    def end(self, how):
        with self.proxy.lock:
            if self.ended:
                return
            self.ended = True
            self.proxy.links.discard(self)
            cut = self.proxy.cut
            cut_here = cut is not None and cut.link is self
            if cut_here:
                self.proxy.cut = None
        for one in (self.client, self.server):
            end(one, how)
        if cut_here:
            self.proxy.cuts += cut.bytes_left == 0
            cut.done.set()


def end(connection, how):
    with contextlib.suppress(OSError):
        if how == RST:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Whoever reads here must let go before the socket really closes.
        connection.shutdown(socket.SHUT_RD if how == RST else socket.SHUT_RDWR)
    connection.close()
