"""Do the calls of an exchange become leads, over a real connection, and is it said what was missed while it was cut?

The exchange here speaks the manager protocol as docs.asterisk.org describes it, and plays the events of whole calls.
"""

import contextlib
import hashlib
import re
import socket
import threading
import time

import pytest
from house import DEMO, VERA, free_port, wait_until
from knocks import books, knock, leads

CHANNEL = "exchange"
USER, SECRET = "leadgate", "a secret of the exchange"
WITHIN = 15


class Exchange:
    """A manager interface with the calls that a test makes."""

    def __init__(self, knows_md5=True, lists=True):
        self.port = free_port()
        self.knows_md5, self.lists = knows_md5, lists
        self.clients, self.said = [], []
        self.going_on = []
        self.mute = False
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        client.sendall(b"Asterisk Call Manager/9.0.0\r\n")
        challenge, known = "840415273", False
        try:
            for action in actions(client):
                self.said.append(action)
                if action["Action"] == "Challenge":
                    answer = {"Response": "Success", "Challenge": challenge} if self.knows_md5 else {"Response": "Error"}
                    send(client, answer)
                elif action["Action"] == "Login":
                    key = hashlib.md5((challenge + SECRET).encode()).hexdigest()
                    known = action["Username"] == USER and (action.get("Key") == key or action.get("Secret") == SECRET)
                    send(client, {"Response": "Success" if known else "Error"})
                    if not known:
                        break
                    self.clients.append(client)
                    send(client, {"Event": "FullyBooted", "Status": "Fully Booted"})
                elif action["Action"] == "CoreShowChannels":
                    self.list(client)
                elif action["Action"] == "Ping" and not self.mute:
                    send(client, {"Response": "Success", "Ping": "Pong"})
        except OSError:
            pass
        client.close()

    def list(self, client):
        if not self.lists:
            send(client, {"Response": "Error", "Message": "Permission denied"})
            return
        send(client, {"Response": "Success", "EventList": "start"})
        for channel in self.going_on:
            send(client, {"Event": "CoreShowChannel", **channel})
        send(client, {"Event": "CoreShowChannelsComplete", "EventList": "Complete"})

    def tell(self, *events):
        for client in self.clients:
            for event in events:
                send(client, event)

    def hang_up(self):
        """Cut off, and nobody comes in again."""
        for one in [self.listener, *self.clients]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.clients = []


def actions(client):
    for block in blocks(client):
        yield dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)


def blocks(client):
    held = b""
    while piece := client.recv(4096):
        held += piece
        while b"\r\n\r\n" in held:
            block, held = held.split(b"\r\n\r\n", 1)
            yield block.decode()


def send(client, fields):
    client.sendall(("".join(f"{key}: {value}\r\n" for key, value in fields.items()) + "\r\n").encode())


class Call:
    """The events of one call, by the channel numbers of its exchange."""

    def __init__(self, number, phone):
        self.id, self.leg = f"1705302000.{number}", f"1705302000.{number + 1}"
        self.phone, self.began = phone.lstrip("+"), time.time() - 60
        self.trunk, self.device = f"PJSIP/trunk-{number:08x}", f"PJSIP/102-{number + 1:08x}"

    def own(self, event, after=0, **more):
        """As an exchange tells it that stamps its events: so many seconds after the call began, a minute ago."""
        stamp = f"{self.began + after:.6f}"
        return {"Event": event, "Timestamp": stamp, "Channel": self.trunk, "Uniqueid": self.id, "Linkedid": self.id, **more}

    def arrives(self):
        return self.own(
            "Newchannel", ChannelState=4, CallerIDNum=self.phone, CallerIDName=VERA.name, Context="from-trunk",
            Exten="74951234567",
        )

    def rings(self):
        return self.own("DialBegin", DestChannel=self.device, DestUniqueid=self.leg)

    def dialled(self, status):
        return self.own("DialEnd", after=5, DestChannel=self.device, DestUniqueid=self.leg, DialStatus=status)

    def ends(self):
        return self.own("Hangup", after=45, Cause=16, **{"Cause-txt": "Normal Clearing"})

    def lists(self):
        return [
            {"Channel": self.device, "ChannelState": 6, "Uniqueid": self.leg, "Linkedid": self.id, "BridgeId": "b1"},
            {"Channel": self.trunk, "ChannelState": 6, "CallerIDNum": self.phone, "Context": "from-trunk", "Exten": "s",
             "Uniqueid": self.id, "Linkedid": self.id, "BridgeId": "b1"},
        ]


@pytest.fixture
def exchange(request):
    one = Exchange(**getattr(request, "param", {}))
    yield one
    one.hang_up()


def workspace(exchange, **more):
    settings = {"host": "127.0.0.1", "port": exchange.port, "user": USER, "secret": SECRET, **more}
    lines = [f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in settings.items()]
    channel = ["[[channel]]", f'id = "{CHANNEL}"', 'source = "asterisk"', 'responsible = "ivan"']
    return {"demo": "\n".join([DEMO.read_text(), *channel, 'agents = ["PJSIP/1"]', *lines]) + "\n"}


def metric(house, name):
    found = re.search(rf'^leadgate_{name}{{channel="{CHANNEL}"}} (\S+)', house.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def connected(house):
    wait_until(lambda: metric(house, "feed_connected") == 1, WITHIN, lambda: f"never connected: {house.log_end()}")
    return house


def called(house, phone, is_so=lambda _: True, why="nobody called"):
    """The lead of this caller, once it is there and is so."""
    found = []

    def look():
        found[:] = [one for one in leads(house) if one["channel"] == CHANNEL and phone in one["contact"]["phones"]]
        return bool(found) and is_so(found[0])

    wait_until(look, WITHIN, lambda: f"{why}: {found} {house.log_end()}")
    assert len(found) == 1
    return found[0]


ANNA, BORIS, CLARA = "+79035550151", "+79035550152", "+79035550153"


@pytest.mark.parametrize("login", ["md5", "plain"])
def test_a_call_is_a_lead_and_the_person_who_took_it_has_contacted_it(exchange, open_house, login):
    house = connected(open_house(workspaces=workspace(exchange, login=login)))
    proof = next(action for action in exchange.said if action["Action"] == "Login")
    assert ("Secret" in proof) == (login == "plain")
    answered, missed = Call(10, ANNA), Call(20, BORIS)
    exchange.tell(answered.arrives(), missed.arrives(), answered.rings(), missed.rings())
    assert called(house, ANNA)["contact"]["name"] == VERA.name
    exchange.tell(missed.dialled("CANCEL"), missed.ends(), answered.dialled("ANSWER"), answered.ends())
    one = called(house, ANNA, lambda one: one["call"]["talk_s"] == 40, "nobody talked")
    assert one["contacted_at"] is not None and one["call"]["answered_by"] == "human"
    missed = called(house, BORIS)
    assert missed["contacted_at"] is None and missed["call"]["answered_by"] != "human"
    verdicts = books(house, CHANNEL)
    assert verdicts["lead"] == 2 and sum(verdicts.values()) == 7, verdicts
    assert SECRET not in house.log.read_text()


def test_a_gap_is_said_and_counted_and_calls_that_go_on_are_taken_up(exchange, open_house):
    house = connected(open_house(workspaces=workspace(exchange)))
    before, during = Call(10, ANNA), Call(30, CLARA)
    exchange.tell(before.arrives(), before.rings())
    called(house, ANNA)
    exchange.hang_up()
    wait_until(lambda: metric(house, "feed_connected") == 0, WITHIN)
    time.sleep(2)
    exchange.going_on = during.lists()
    exchange.open()
    connected(house)
    assert called(house, CLARA, lambda one: one["call"]["answered_by"] == "human")
    wait_until(lambda: books(house, CHANNEL).get("update") == 3, WITHIN, lambda: books(house, CHANNEL))
    assert metric(house, "feed_missed_seconds_total") >= 2 and "feed.gap" in house.log.read_text()
    house.stop()
    time.sleep(1)
    house.start()
    connected(house)
    assert metric(house, "feed_missed_seconds_total") >= 1, "a new start knows when the last one stopped listening"


@pytest.mark.parametrize("exchange", [{"lists": False}], indirect=True)
def test_an_exchange_that_lists_nothing_is_listened_to_all_the_same(exchange, open_house):
    house = connected(open_house(workspaces=workspace(exchange)))
    exchange.tell(Call(10, ANNA).arrives())
    called(house, ANNA)


@pytest.mark.parametrize("exchange", [{"knows_md5": False}], indirect=True)
def test_an_exchange_that_does_not_let_us_in_is_told(exchange, open_house):
    house = open_house(workspaces=workspace(exchange))
    wait_until(lambda: "feed.lost" in house.log.read_text(), WITHIN)
    assert "MD5 challenge" in house.log.read_text() and metric(house, "feed_connected") == 0


def test_nobody_can_post_what_is_fetched(exchange, open_house):
    house = connected(open_house(workspaces=workspace(exchange)))
    for method in ("GET", "POST", "PUT"):
        assert knock(house, CHANNEL, method, json={"call": "1.1", "what": "began", "outbound": False}).status_code == 405
