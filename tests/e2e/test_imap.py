"""Does every mail of a real mailbox become a lead exactly once, whatever happens to the line, and does nobody notice?"""

import pathlib
import re
import sys

import pytest
from dovecot import PASSWORD, USER, Dovecot
from house import DEMO, VERA, House, wait_until
from knocks import books, leads
from store import Store
from vendors import Tokens, opened
from test_mail_chat import new_address, written

sys.path.append(str(pathlib.Path(__file__).parents[1] / "chaos"))

from proxy import TO_CLIENT, Proxy  # noqa: E402

CHANNEL = "inbox"
WITHIN = 15


@pytest.fixture
def dovecot(request):
    server = Dovecot(**getattr(request, "param", {})).start()
    yield server
    server.close()


def workspace(dovecot, port=None, **more):
    """The demo company, with a mailbox that is read."""
    settings = {"host": "localhost", "port": port or dovecot.tls, "ca": dovecot.ca, "secret": PASSWORD, "poll": "30s", **more}
    lines = [f"{key} = {value if isinstance(value, int) else repr(value)}" for key, value in settings.items()]
    channel = ["[[channel]]", f'id = "{CHANNEL}"', 'source = "imap"', 'responsible = "anna"', f'address = "{USER}"']
    return {"demo": "\n".join([DEMO.read_text(), *channel, *lines]) + "\n"}


def metric(house, name):
    found = re.search(rf'^leadgate_{name}{{channel="{CHANNEL}"}} (\S+)', house.metrics(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def connected(house):
    wait_until(lambda: metric(house, "feed_connected") == 1, WITHIN, lambda: f"never connected: {house.log_end()}")
    return house


def mails(house):
    return [one for one in leads(house) if one["channel"] == CHANNEL]


def read(house, number, within=WITHIN):
    wait_until(lambda: len(mails(house)) >= number, within, lambda: f"{len(mails(house))} of {number}: {house.log_end()}")
    assert len(mails(house)) == number


def message(**headers):
    return written(VERA.text, name=VERA.name, **headers)


def without_id():
    mail = message()
    del mail["Message-ID"]
    return mail


def test_what_arrives_is_a_lead_at_once_and_stays_unread(dovecot, open_house):
    dovecot.deliver(message(), message())
    house = connected(open_house(workspaces=workspace(dovecot)))
    dovecot.deliver(message(), without_id())
    read(house, 2, within=10)
    assert {one["contact"]["name"] for one in mails(house)} == {VERA.name}
    assert [flag for flags in dovecot.flags() for flag in flags if flag != b"\\Recent"] == []
    assert len(dovecot.flags()) == 4, "nothing was moved or deleted"
    house.restart()
    connected(house)
    assert len(mails(house)) == 2, "a new start reads nothing twice"
    assert PASSWORD not in house.log.read_text()


WAYS = {
    "tls": lambda dovecot: {},
    "starttls": lambda dovecot: {"tls": "starttls", "port": dovecot.plain},
    "off": lambda dovecot: {"tls": "off", "port": dovecot.plain, "host": "127.0.0.1"},
    "a folder with a name of its own": lambda dovecot: {"folder": "Заявки & leads"},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_the_mailbox_works(dovecot, open_house, way):
    settings = WAYS[way](dovecot)
    folder = '"&BBcEMARPBDIEOgQ4- &- leads"' if "folder" in settings else "INBOX"
    if "folder" in settings:
        dovecot.deliver(message(), folder=folder)
    house = connected(open_house(workspaces=workspace(dovecot, **settings)))
    dovecot.deliver(message(), folder=folder)
    read(house, 1, within=10)


@pytest.mark.parametrize("dovecot", [{"idles": False}], indirect=True)
def test_a_server_that_tells_nothing_is_asked_again_and_again(dovecot, open_house):
    house = connected(open_house(workspaces=workspace(dovecot, poll="500ms")))
    dovecot.deliver(message())
    read(house, 1, within=10)


def test_five_hundred_mails_that_waited_come_in_once_over_a_line_that_breaks(dovecot, open_house):
    proxy = Proxy(("127.0.0.1", dovecot.tls))
    house = connected(open_house(workspaces=workspace(dovecot, port=proxy.port)))
    house.stop()
    dovecot.deliver(*[message(sender=new_address()) for _ in range(500)])
    cuts = [proxy.next_cut(60_000, TO_CLIENT)]
    house.start()
    for after, how in ((150_000, "fin"), (30_000, "rst")):
        assert cuts[-1].done.wait(WITHIN)
        cuts.append(proxy.next_cut(after, TO_CLIENT, how))
    assert cuts[-1].done.wait(30)
    read(house, 500, within=60)
    connected(house)
    assert books(house, CHANNEL) == {"lead": 500}, "nothing was even read twice"
    assert metric(house, "feed_failures_total") >= 3
    proxy.close()


def test_a_mailbox_that_was_made_anew_is_read_on_and_nothing_is_doubled(dovecot, open_house):
    house = connected(open_house(workspaces=workspace(dovecot)))
    dovecot.deliver(*[message() for _ in range(5)], without_id())
    read(house, 6)
    house.stop()
    dovecot.deliver(message())
    dovecot.rebuild()
    house.start()
    read(house, 7)
    wait_until(lambda: "feed.rebuilt" in house.log.read_text(), WITHIN)
    dovecot.deliver(message())
    read(house, 8)
    verdicts = books(house, CHANNEL)
    assert verdicts["lead"] == 8 and verdicts["redelivered"] == 6, verdicts


def test_of_a_mail_that_is_too_long_the_head_is_read(dovecot, open_house):
    house = connected(open_house(workspaces=workspace(dovecot), settings={"limits.mail": "64KiB"}))
    long = message(sender=new_address())
    long.add_attachment(b"x" * 300_000, maintype="application", subtype="zip", filename="plan.zip")
    dovecot.deliver(long, message())
    read(house, 2)
    assert sorted("cut" in one["flags"] for one in mails(house)) == [False, True]


def test_a_wrong_password_is_told_and_not_tried_in_a_hurry(dovecot, open_house):
    house = open_house(workspaces=workspace(dovecot, secret="wrong password"))
    wait_until(lambda: metric(house, "feed_failures_total") == 1, WITHIN)
    assert "refuses user, password or token" in house.log.read_text() and "wrong password" not in house.log.read_text()
    assert metric(house, "feed_connected") == 0
    text = workspace(dovecot)["demo"]
    (house.folder / "workspaces" / "demo.toml").write_text(text)
    connected(house)


def test_one_of_two_gateways_reads_and_the_other_goes_on_when_it_dies(dovecot, open_house, tmp_path):
    store = Store(tmp_path / "redis").start()
    try:
        one, other = [open_house(workspaces=workspace(dovecot), settings=store.settings()) for _ in range(2)]
        wait_until(lambda: metric(one, "feed_connected") + metric(other, "feed_connected") == 1, WITHIN)
        reader, idle = (one, other) if metric(one, "feed_connected") else (other, one)
        dovecot.deliver(message())
        read(idle, 1)
        reader.kill()
        dovecot.deliver(message())
        wait_until(lambda: metric(idle, "feed_connected") == 1, 40)
        read(idle, 2)
        reader.start()
        dovecot.deliver(message())
        read(idle, 3)
        assert metric(reader, "feed_connected") == 0
        assert books(idle, CHANNEL) == {"lead": 3}
        reader.close()
        idle.close()
    finally:
        store.stop()


def test_a_server_whose_certificate_nobody_vouches_for_hears_no_password(dovecot, open_house):
    text = workspace(dovecot)["demo"].replace(f"ca = {dovecot.ca!r}\n", "")
    house = open_house(workspaces={"demo": text})
    wait_until(lambda: "TLS failed" in house.log.read_text(), WITHIN, house.log_end)
    assert metric(house, "feed_connected") == 0


@pytest.mark.parametrize("granted", [{}, {"refresh_token": "1//granted"}], ids=["application", "person"])
def test_a_mailbox_without_a_password_is_read_by_an_access_token(tmp_path, granted):
    with opened(Tokens(USER, **granted)) as tokens:
        server = Dovecot(tokens=f"{tokens.url}/introspect?token=").start()
        settings = {"token_url": f"{tokens.url}/token", "client_id": Tokens.CLIENT, "secret": Tokens.SECRET, **granted}
        house = House(tmp_path, workspaces=workspace(server, **settings)).start()
        connected(house)
        server.deliver(message())
        read(house, 1)
        # A token that has run out is not shown again.
        tokens.revoke()
        house.restart()
        server.deliver(without_id())
        read(house, 2)
        assert tokens.given == 2 and Tokens.PREFIX not in house.log.read_text()
        house.close()
        server.close()


def test_a_client_that_gets_no_token_is_told_so(tmp_path):
    with opened(Tokens(USER)) as tokens:
        server = Dovecot(tokens=f"{tokens.url}/introspect?token=").start()
        settings = {"token_url": f"{tokens.url}/token", "client_id": Tokens.CLIENT, "secret": "another secret"}
        house = House(tmp_path, workspaces=workspace(server, **settings)).start()
        wait_until(lambda: "no access token" in house.log.read_text(), WITHIN, house.log_end)
        assert metric(house, "feed_connected") == 0
        house.close()
        server.close()
