"""A real mail server between the sender and leadgate: Debian's Postfix, in a folder of its own.

Its master wants to be root; where the tests are not, sudo helps, as in tests/run.
"""

import os
import pathlib
import shutil
import smtplib
import subprocess
import tempfile

from house import free_port, wait_until

DAEMONS = "/usr/lib/postfix/sbin"
# name, type, private, unpriv, chroot, wakeup, maxproc, command: what a relay needs of Debian's master.cf.
SERVICES = """
{port}    inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 1 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
tlsmgr    unix - - n 1000? 1 tlsmgr
smtp      unix - - n - - smtp
lmtp      unix - - n - - lmtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def as_root(*words, **options):
    words = [str(word) for word in words]
    return subprocess.run(words if os.geteuid() == 0 else ["sudo", *words], check=True, **options)


def wired(message):
    """As a mail goes over the wire, where lines end with both characters."""
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Postfix:
    """Relays everything for demo.example as `transport` says: smtp:[host]:port, lmtp:inet:host:port, lmtp:unix:path."""

    def __init__(self, transport, **settings):
        # Under /tmp itself: its daemons are a user of their own, who cannot pass through pytest's folders.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="leadgate-postfix-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.etc, self.log = self.folder / "etc", self.folder / "postfix.log"
        self.etc.mkdir()
        self.etc.chmod(0o755)
        main = {
            "compatibility_level": "3.6", "myhostname": "mta.example", "mydestination": "",
            "queue_directory": self.folder / "spool", "data_directory": self.folder / "data",
            "command_directory": "/usr/sbin", "daemon_directory": DAEMONS, "mail_owner": "postfix",
            "setgid_group": "postdrop", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8", "relay_domains": "demo.example",
            "transport_maps": f"inline:{{ demo.example={transport} }}",
            "smtpd_relay_restrictions": "permit_mynetworks, reject", "local_transport": "error:nobody lives here",
            "default_transport": "discard:", "alias_maps": "",
            "smtp_host_lookup": "native", "smtp_dns_support_level": "disabled",
            "maillog_file": self.log, "maillog_file_prefixes": "/tmp", "message_size_limit": 50 << 20,
            # Seconds where a real server takes minutes.
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
            "smtp_tls_security_level": "may", "smtp_tls_loglevel": "1", **settings,
        }
        (self.etc / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
        (self.etc / "master.cf").write_text(SERVICES.format(port=f"127.0.0.1:{self.port}"))
        (self.folder / "spool").mkdir()
        (self.folder / "spool").chmod(0o755)
        (self.folder / "data").mkdir()
        as_root("chown", "postfix", self.folder / "data")
        self.log.touch()

    def __enter__(self):
        as_root("postfix", "-c", self.etc, "start", capture_output=True)
        wait_until(self.answers, 20, self.said)
        return self

    def __exit__(self, *_):
        as_root("postfix", "-c", self.etc, "stop", capture_output=True)
        as_root("rm", "-rf", self.folder) if os.geteuid() else shutil.rmtree(self.folder)

    def answers(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except OSError:
            return False

    def send(self, message, to, sender="anna@customer.example", **options):
        """A mail program hands a mail to the server, which takes it."""
        raw = message if isinstance(message, bytes) else wired(message)
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as server:
            assert server.sendmail(sender, to, raw, **options) == {}

    def said(self):
        return self.log.read_text(errors="replace")[-4000:]

    def outcomes(self):
        """What became of each recipient so far: `sent`, `bounced`, `deferred`."""
        log = self.log.read_text(errors="replace")
        lines = [line for line in log.splitlines() if "status=" in line and "demo.example" in line]
        return [line.split("status=")[1].split()[0] for line in lines]
