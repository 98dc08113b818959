"""Do mail servers deliver straight into channels: over SMTP and LMTP, in every alphabet, whole or not at all?"""

import contextlib
import email.charset
import os
import smtplib
import socket
import subprocess
import threading
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
import requests
from house import DEMO, VERA, free_port, wait_until
from knocks import SHOWN_WITHIN, books, grown, knock, leads, new_id, running, told, wait_for
from postfix import Postfix, wired
from test_mail_chat import SALES, head, new_address, of, written

HOST = "127.0.0.1"
SERVICE = "service@demo.example"
CARRIED_KEY = "a-key-that-nobody-guesses"
MAILBOX = f"""
[[channel]]
id = "demo-service"
source = "mail"
address = "{SERVICE}"
authserv = ["mta.example"]
responsible = "anna"

[[channel]]
id = "carried"
source = "sendgrid"
url_key = "{CARRIED_KEY}"
responsible = "anna"
"""


def certificate(folder):
    cert, key = folder / "mx.pem", folder / "mx-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx.demo.example",
         "-addext", "subjectAltName=DNS:mx.demo.example", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return {"cert": str(cert), "key": str(key)}


def with_mail(folder, **more):
    """A house that mail servers reach, with a second mailbox; `house.smtp` and `house.lmtp` are its ports."""
    folder.mkdir(parents=True, exist_ok=True)
    smtp, lmtp = free_port(), free_port()
    settings = {
        "gateway.smtp.listen": f"{HOST}:{smtp}", "gateway.smtp.host": "mx.demo.example",
        "gateway.smtp.tls": certificate(folder), "gateway.lmtp.listen": f"{HOST}:{lmtp}",
        "gateway.smtp.postmaster": "demo-service",
    }
    return (smtp, lmtp), {"settings": {**settings, **more}, "workspaces": {"demo": DEMO.read_text() + MAILBOX}}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smtp")
    ports, options = with_mail(folder)
    with running(folder / "house", **options) as house:
        house.smtp, house.lmtp = ports
        yield house


def sent(house, message, to=(SALES,), sender="anna@customer.example", protocol=smtplib.SMTP, **options):
    """One mail by Python's own client; what was refused."""
    raw = message if isinstance(message, bytes) else wired(message)
    with protocol(HOST, house.smtp if protocol is smtplib.SMTP else house.lmtp, timeout=20) as client:
        return client.sendmail(sender, list(to), raw, **options)


# --- alphabets

RUSSIAN = ("Надежда Королева", "Здравствуйте! Хотим домик с баней на майские.\n\n. Точка в начале строки")
WRITTEN = {
    "utf-8": RUSSIAN, "windows-1251": RUSSIAN, "koi8-r": RUSSIAN, "koi8-u": RUSSIAN, "iso-8859-5": RUSSIAN,
    "cp866": RUSSIAN, "gb18030": RUSSIAN, "iso-8859-1": ("François Müller", "Une maison à louer, s'il vous plaît"),
    "iso-8859-15": ("Chloé Œuvrard", "Le cottage à 100 € est libre"), "windows-1252": ("Zoë", "“Quoted” – naïve café"),
    "windows-1253": ("Ελένη", "Θα θέλαμε ένα σπίτι"), "windows-1254": ("Işıl", "Göl kenarında bir ev"),
    "iso-8859-2": ("Łukasz Żółw", "Poproszę domek nad jeziorem"), "euc-kr": ("김하나", "호숫가 오두막을 찾습니다"),
    "windows-1250": ("Łukasz Żółw", "Poproszę domek nad jeziorem"), "gbk": ("李雷", "我们想订一间小屋"),
}


@pytest.mark.parametrize("transfer", [email.charset.BASE64, email.charset.QP, None], ids=["base64", "quoted", "8bit"])
@pytest.mark.parametrize("charset", WRITTEN)
def test_what_pythons_email_package_writes_arrives_in_every_alphabet(house, charset, transfer):
    name, text = WRITTEN[charset]
    encoding = email.charset.Charset(charset)
    encoding.body_encoding, address = transfer, new_address()
    message = head(MIMEText(text, "plain", encoding), address)
    message.replace_header("From", f"{Header(name, charset).encode()} <{address}>")
    assert sent(house, message, mail_options=["BODY=8BITMIME"]) == {}
    one = of(house, address)
    assert (one["contact"]["name"], one["text"].replace("\r\n", "\n")) == (name, text)


def test_an_address_in_all_letters_is_taken_where_the_client_asks_for_it(house):
    address = new_address()
    with smtplib.SMTP(HOST, house.smtp, timeout=20) as client:
        client.ehlo()
        assert client.has_extn("smtputf8") and client.has_extn("8bitmime")
        client.send_message(written("привет", sender=address), "анна@пример.рф", [SALES], mail_options=["SMTPUTF8"])
    assert of(house, address)["text"] == "привет"


# --- recipients

def test_a_mail_to_two_mailboxes_is_a_touch_in_each(house):
    address = new_address()
    before = [books(house, channel) for channel in ("demo-mail", "demo-service")]
    assert sent(house, written("both", sender=address), to=[SALES, "Service@Demo.Example"]) == {}
    after = [books(house, channel) for channel in ("demo-mail", "demo-service")]
    kinds = [grown(*pair) for pair in zip(before, after)]
    assert sorted(sum(kind.values()) for kind in kinds) == [1, 1] and {"lead": 1} in kinds, kinds
    assert len([one for one in leads(house) if address in one["contact"]["emails"]]) == 1


@pytest.mark.parametrize("protocol", [smtplib.SMTP, smtplib.LMTP])
def test_who_is_not_here_is_refused_and_the_others_get_their_mail(house, protocol):
    address = new_address()
    refused = sent(house, written("hello", sender=address), to=[SALES, "who@demo.example"], protocol=protocol)
    assert refused == {"who@demo.example": (550, b"5.1.1 there is no such mailbox here")}
    assert of(house, address)["text"] == "hello"


@pytest.mark.parametrize("name", ["postmaster", "Postmaster@Demo.Example", "postmaster@mx.demo.example"])
def test_the_postmaster_can_be_reached(house, name):
    address = new_address()
    before = books(house, "demo-service")
    assert sent(house, written("your server is on a list", sender=address), to=[name]) == {}
    assert of(house, address)["channel"] == "demo-service"
    assert grown(before, books(house, "demo-service")) == {"lead": 1}


def test_nobody_may_relay(house):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        sent(house, written("spam"), to=["victim@elsewhere.example", "victim%elsewhere.example@demo.example"])
    assert {code for code, _ in refused.value.recipients.values()} == {550}


@pytest.mark.parametrize("protocol", [smtplib.SMTP, smtplib.LMTP])
def test_a_mail_sent_again_is_the_same_mail(house, protocol):
    before, message = books(house, "demo-mail"), written("twice")
    for _ in range(2):
        assert sent(house, message, protocol=protocol) == {}
    assert grown(before, books(house, "demo-mail")) == {"lead": 1, "redelivered": 1}


def test_a_mailbox_that_is_configured_now_takes_mail_within_a_second(house):
    file = house.folder / "workspaces" / "demo.toml"
    late, text = f"{new_id('late')[:12]}@demo.example", file.read_text()
    file.write_text(text + f'\n[[channel]]\nid = "late"\nsource = "mail"\naddress = "{late}"\nresponsible = "anna"\n')

    def takes():
        try:
            return sent(house, written("first mail"), to=[late]) == {}
        except smtplib.SMTPRecipientsRefused:
            return False

    wait_until(takes, SHOWN_WITHIN, lambda: "the new mailbox never took a mail")
    file.write_text(text)

    def closed():
        with smtplib.SMTP(HOST, house.smtp, timeout=20) as client:
            client.ehlo()
            client.mail("anna@customer.example")
            return client.rcpt(late)[0] == 450

    wait_until(closed, SHOWN_WITHIN, lambda: "a mailbox that was taken out is not closed for now")


# --- machines and shapes

def test_an_empty_sender_is_a_machine(house):
    before = books(house, "demo-mail")
    assert sent(house, written("I am away"), sender="") == {}
    assert grown(before, books(house, "demo-mail")) == {"junk": 1}


def test_what_is_no_mail_waits_in_quarantine_and_can_be_looked_at(house):
    before = books(house, "demo-mail")
    assert sent(house, b"nothing of a mail\r\n") == {}
    assert grown(before, books(house, "demo-mail")) == {"quarantined": 1}
    newest = told(house, "quarantine")["entries"][0]
    assert (newest["channel"], newest["content_type"]) == ("demo-mail", "message/rfc822")


def test_what_the_mail_server_before_us_found_out_is_told_and_nobody_elses_word(house):
    for server, expected in [("mx.evil.example", None), ("mta.example", "fail")]:
        address = new_address()
        message = written("am I she?", sender=address)
        message["Authentication-Results"] = f"{server}; spf=pass smtp.mailfrom=x; dmarc=fail (p=none) header.from=x"
        assert sent(house, message, to=[SERVICE]) == {}
        one = of(house, address)
        assert one["attributes"].get("dmarc") == expected, one
        assert ("dmarc_failed" in one["flags"]) == (expected == "fail"), one


def test_starttls_protects_the_mail(house):
    address = new_address()
    with smtplib.SMTP(HOST, house.smtp, timeout=20) as client:
        client.ehlo()
        assert client.starttls()[0] == 220
        client.ehlo()
        assert not client.has_extn("starttls")
        client.send_message(written("encrypted", sender=address), to_addrs=[SALES])
    assert of(house, address)["text"] == "encrypted"


def talk(house, *parts):
    """Raw bytes, each part after the answers to the one before; everything that was heard."""
    with socket.create_connection((HOST, house.smtp), timeout=10) as line:
        heard = line.recv(4096)
        for part in parts:
            line.sendall(part)
            try:
                heard += line.recv(65536)
            except ConnectionError:
                break
        line.shutdown(socket.SHUT_WR)
        try:
            while more := line.recv(65536):
                heard += more
        except ConnectionError:
            pass
    return [answer[:3] for answer in heard.decode().splitlines() if answer[3:4] == " "]


def test_a_whole_envelope_may_be_sent_at_once(house):
    address = new_address()
    envelope = f"EHLO x\r\nMAIL FROM:<{address}>\r\nRCPT TO:<{SALES}>\r\nRCPT TO:<who@demo.example>\r\nDATA\r\n"
    raw = wired(written("pipelined", sender=address)) + b"\r\n.\r\nQUIT\r\n"
    codes = talk(house, envelope.encode(), raw)
    assert codes == ["220", "250", "250", "250", "550", "354", "250", "221"], codes
    assert of(house, address)["text"] == "pipelined"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n"], ids=repr)
def test_a_second_mail_cannot_be_smuggled_in_with_the_first(house, end):
    before, address, forged = books(house, "demo-mail"), new_address(), new_address()
    envelope = f"MAIL FROM:<{address}>\r\nRCPT TO:<{SALES}>\r\nDATA\r\n".encode()
    inner = envelope.replace(address.encode(), forged.encode()) + wired(written("forged", sender=forged))
    outer = wired(written("outer", sender=address)) + end + inner + b"\r\n.\r\n"
    codes = talk(house, b"EHLO x\r\n", envelope, outer)
    assert codes[-1] == "550" and codes.count("354") == 1, codes
    assert books(house, "demo-mail") == before


def test_a_thousand_recipients_are_too_many(house):
    before = books(house, "demo-mail")
    many = b"".join(f"RCPT TO:<{SALES}>\r\n".encode() for _ in range(1000))
    codes = talk(house, b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n" + many + b"QUIT\r\n")
    assert (codes.count("452"), codes[-1]) == (900, "221")
    assert books(house, "demo-mail") == before


def test_whoever_names_recipients_without_end_is_sent_away(house):
    before, heard = books(house, "demo-mail"), b""
    with socket.create_connection((HOST, house.smtp), timeout=10) as line:
        # Ten at a time: a client that sends on and on without listening hears only a reset.
        line.sendall(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                line.sendall(f"RCPT TO:<{SALES}>\r\n".encode() * 10)
                if not (more := line.recv(65536)):
                    break
                heard += more
    assert (heard.count(b"250 2.1.5"), heard.count(b"421 4.7.0")) == (100, 1), heard[-200:]
    assert heard.count(b"\r\n") < 2100
    assert books(house, "demo-mail") == before


# --- sizes

def large(size, address):
    """A mail of some megabytes of attachment."""
    message = MIMEMultipart()
    message.attach(MIMEText("see the plan", "plain"))
    message.attach(MIMEApplication(os.urandom((size - 2000) * 57 // 78), Name="plan.pdf"))
    return wired(head(message, address))


def memory(house, what):
    for line in open(f"/proc/{house.process.pid}/status"):
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {what}")


def over_smtp(house, raw, hello=smtplib.SMTP.ehlo, protocol=smtplib.SMTP):
    # smtplib announces the size to a server that offers SIZE, unless it said hello in the old way.
    with protocol(HOST, house.smtp if protocol is smtplib.SMTP else house.lmtp, timeout=60) as client:
        hello(client)
        # smtplib hears one answer to a mail, LMTP gives one for each recipient.
        to = [SALES, SERVICE] if protocol is smtplib.SMTP else [SALES]
        assert client.sendmail("a@x.example", to, raw) == {}


def encrypted(client):
    assert client.starttls()[0] == 220


def in_chunks(raw):
    return (raw[at:at + 65536] for at in range(0, len(raw), 65536))


def by_sendgrid(house, raw):
    envelope = '{"to": ["sales@demo.example"], "from": "a@x.example"}'
    url = f"{house.public}/in/carried.{CARRIED_KEY}"
    answer = requests.post(url, files={"email": (None, raw), "envelope": (None, envelope)}, timeout=60)
    assert answer.status_code == 200, answer.text


WAYS = {
    "announced": over_smtp,
    "not announced": lambda house, raw: over_smtp(house, raw, hello=smtplib.SMTP.helo),
    "encrypted": lambda house, raw: over_smtp(house, raw, hello=encrypted),
    "lmtp": lambda house, raw: over_smtp(house, raw, hello=lambda client: client.ehlo("x"), protocol=smtplib.LMTP),
    "posted": lambda house, raw: posted(house, raw),
    "posted in chunks": lambda house, raw: posted(house, in_chunks(raw)),
    "by a provider": by_sendgrid,
}


def posted(house, body):
    answer = knock(house, "demo-mail", data=body, headers={"Content-Type": "message/rfc822"})
    assert answer.status_code == 200, answer.text


# Several, because an allocator may keep what the first one took and take more for the next.
@pytest.mark.parametrize("way", WAYS)
def test_the_largest_mail_costs_little_more_memory_than_itself(open_house, tmp_path, way):
    ports, options = with_mail(tmp_path / "tls")
    house = open_house(**options)
    (house.smtp, house.lmtp), address = ports, new_address()
    assert sent(house, written("warm", sender=new_address())) == {}
    idle = memory(house, "VmRSS")
    with open(f"/proc/{house.process.pid}/clear_refs", "w") as marks:
        marks.write("5")
    # A provider's post is a little longer than the mail.
    size = (25 << 20) - 2000
    for _ in range(5):
        raw = large(size, address)
        assert 24 << 20 < len(raw) <= size, len(raw)
        WAYS[way](house, raw)
    peak = memory(house, "VmHWM")
    assert peak - idle <= 40, f"{peak:.0f} MiB at most, {idle:.0f} MiB idle"
    one = of(house, address)
    assert (one["text"].strip(), one["attributes"]["files"][0]["name"]) == ("see the plan", "plan.pdf")
    assert one["attributes"]["files"][0]["size"] == (size - 2000) * 57 // 78


def test_one_byte_too_many_is_refused_before_and_while_it_comes(house):
    before = books(house, "demo-mail")
    raw = b"From: a@x.example\r\nTo: b@x.example\r\n\r\n"
    raw += b"0123456789" * 100 * ((25 << 20) // 1000) + b"x" * 2000 + b"\r\n"
    with smtplib.SMTP(HOST, house.smtp, timeout=60) as client:
        client.ehlo()
        assert client.mail("a@x.example", [f"SIZE={(25 << 20) + 1}"])[0] == 552
        assert client.mail("a@x.example", [f"SIZE={25 << 20}"])[0] == 250
        client.rset()
        client.mail("a@x.example")
        client.rcpt(SALES)
        assert client.data(raw)[0] == 552
        assert client.noop()[0] == 250
    assert books(house, "demo-mail") == before


# --- durability and discretion

def test_every_250_is_a_signal_although_the_process_is_killed(open_house, tmp_path):
    (smtp, _), options = with_mail(tmp_path / "tls")
    house, taken, stop = open_house(**options), [], threading.Event()

    def deliver():
        while not stop.is_set():
            address = new_address()
            try:
                with smtplib.SMTP(HOST, smtp, timeout=5) as client:
                    while not stop.is_set():
                        address = new_address()
                        client.send_message(written("hello", sender=address), to_addrs=[SALES])
                        taken.append(address)
            except (OSError, smtplib.SMTPException):
                stop.wait(0.05)

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for end in (house.kill, house.stop):
        so_far = len(taken)
        wait_until(lambda: len(taken) > so_far + 50, 30)
        end()
        house.start()
    so_far = len(taken)
    wait_until(lambda: len(taken) > so_far + 50, 30, lambda: "no mail is taken after the stop")
    stop.set()
    for thread in threads:
        thread.join()
    books(house, "demo-mail")
    known = {address for event in house.events() for address in event["data"]["lead"]["contact"]["emails"]}
    assert set(taken) <= known, f"{len(set(taken) - known)} of {len(taken)} are lost"


def test_no_log_holds_what_an_envelope_said(open_house, tmp_path):
    (smtp, _), options = with_mail(tmp_path / "tls", **{"log.filter": "trace"})
    house = open_house(**options)
    with smtplib.SMTP(HOST, smtp, timeout=20, local_hostname=VERA.email) as client:
        client.ehlo()
        client.docmd("NOOP", VERA.email)
        client.docmd("FROB", VERA.email)
        client.mail(VERA.email)
        assert client.rcpt(VERA.email)[0] == 550
        assert client.rcpt(SALES)[0] == 250
        assert client.data(wired(written("hello", sender=VERA.email)))[0] == 250
        assert client.sendmail(VERA.email, [SALES], b"unreadable " + VERA.email.encode()) == {}
    wait_for(house, lambda one: VERA.email in one["contact"]["emails"])
    # What is left to check is what the teardown of every house looks for.


# --- a real mail server

@pytest.fixture
def relayed(open_house, tmp_path):
    """A house and a Postfix that brings it what is for demo.example, over what the test names."""

    def opened(way):
        (smtp, lmtp), options = with_mail(tmp_path / "tls")
        # Postfix is a user of its own, who cannot pass through pytest's folders.
        path = f"/tmp/leadgate-{lmtp}.sock"
        if way == "socket":
            options["settings"]["gateway.lmtp.listen"] = f"unix:{path}"
        house = open_house(**options)
        ways = {"smtp": f"smtp:[{HOST}]:{smtp}", "lmtp": f"lmtp:inet:{HOST}:{lmtp}", "socket": f"lmtp:unix:{path}"}
        return house, Postfix(ways[way])

    return opened


# Dots, a long line, a carriage return alone, letters without a charset: what a mail server passes on as it is.
ODD = "\r\n".join([
    "From: Anna <{address}>", "To: sales@demo.example", "Subject: odd", "Message-ID: <{id}@customer.example>", "", ".",
    "..two", ".one", "x" * 3000, "a lone\rreturn", "\xcf\xf0\xe8\xe2\xe5\xf2", "From the start", ".", "the end", "",
])


@pytest.mark.parametrize("way", ["smtp", "lmtp", "socket"])
def test_a_real_mail_server_delivers(relayed, way):
    house, postfix = relayed(way)
    address, odd, everybody = new_address(), new_address(), [SALES, SERVICE, "who@demo.example"]
    with postfix:
        postfix.send(written("through a mail server", sender=address), everybody)
        postfix.send(ODD.format(address=odd, id=new_id("odd")).encode("latin-1"), [SALES])
        assert of(house, address)["text"] == "through a mail server"
        assert of(house, odd)["text"].startswith(".\r\n..two\r\n.one\r\nxxx")
        wait_until(lambda: len(postfix.outcomes()) == 4, 20, postfix.said)
        assert sorted(postfix.outcomes()) == ["bounced", "sent", "sent", "sent"], postfix.said()
        assert "550 5.1.1 there is no such mailbox here" in postfix.said()
        if way == "smtp":
            assert "TLS connection established to 127.0.0.1" in postfix.said()
    assert books(house, "demo-mail")["lead"] == 2


@pytest.mark.parametrize("way", ["smtp", "lmtp"])
def test_a_real_mail_server_keeps_what_is_sent_while_leadgate_is_down(relayed, way):
    house, postfix = relayed(way)
    addresses = [new_address() for _ in range(20)]
    with postfix:
        house.stop()
        for address in addresses:
            postfix.send(written("patience", sender=address), [SALES])
        wait_until(lambda: "deferred" in postfix.outcomes(), 20, postfix.said)
        house.start()
        for address in addresses:
            assert of(house, address)["text"] == "patience"
        wait_until(lambda: postfix.outcomes().count("sent") == 20, 20, postfix.said)
    assert books(house, "demo-mail") == {"lead": 20}


def test_a_real_mail_server_delivers_a_large_mail(relayed):
    house, postfix = relayed("smtp")
    address, message = new_address(), large(20 << 20, new_address())
    with postfix:
        postfix.send(message.replace(b"To: sales", b"Reply-To: " + address.encode() + b"\r\nTo: sales", 1), [SALES])
        assert of(house, address)["attributes"]["files"][0]["name"] == "plan.pdf"
