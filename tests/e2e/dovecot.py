"""A mailbox to test with: a Dovecot of its own in a folder, gone with the test."""

import getpass
import imaplib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from house import free_port, wait_until

USER, PASSWORD = "sales@demo.example", "correct horse äöü"

# Debian keeps it where only root looks.
PROGRAM = shutil.which("dovecot") or "/usr/sbin/dovecot"
# Dovecot hands the mail to somebody else when it runs as root.
OWNER = "nobody" if os.geteuid() == 0 else getpass.getuser()
INTERNAL = "" if os.geteuid() == 0 else f"""
default_internal_user = {OWNER}
default_login_user = {OWNER}
default_internal_group = {OWNER}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
"""

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
{internal}
disable_plaintext_auth = no
auth_mechanisms = plain login{xoauth2}
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail
{capability}
{tokens}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/mail
}}
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
"""

TOKENS = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {folder}/oauth2.conf
}}
"""


class Dovecot:
    """`tokens` is where it asks whose an access token is."""

    def __init__(self, idles=True, tokens=None):
        # Not below pytest's own folders, which only we may enter.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        self.plain, self.tls = free_port(), free_port()
        self.process = None
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"],
            check=True, capture_output=True,
        )
        (self.folder / "mail").mkdir()
        (self.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        if OWNER == "nobody":
            shutil.chown(self.folder / "mail", "nobody", "nogroup")
        group = "nogroup" if OWNER == "nobody" else str(os.getgid())
        capability = "" if idles else "imap_capability = IMAP4rev1 LITERAL+"
        (self.folder / "dovecot.conf").write_text(CONFIG.format(
            folder=self.folder, internal=INTERNAL, owner=OWNER, group=group, capability=capability,
            plain=self.plain, tls=self.tls, xoauth2=" xoauth2" if tokens else "",
            tokens=TOKENS.format(folder=self.folder) if tokens else "",
        ))
        if tokens:
            asked = ["introspection_mode = get", f"introspection_url = {tokens}", "username_attribute = email"]
            (self.folder / "oauth2.conf").write_text("\n".join(asked) + "\n")

    @property
    def ca(self):
        return str(self.folder / "cert.pem")

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "-F", "-c", self.folder / "dovecot.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_up, 10, lambda: (self.folder / "dovecot.log").read_text()[-2000:])
        return self

    def is_up(self):
        try:
            self.client().logout()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self):
        """Somebody else who reads and writes the same mailbox."""
        client = imaplib.IMAP4("127.0.0.1", self.plain)
        client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
        return client

    def deliver(self, *messages, folder="INBOX"):
        """Mails arrive, unread."""
        client = self.client()
        if folder != "INBOX":
            client.create(folder)
        for message in messages:
            raw = message if isinstance(message, bytes) else message.as_bytes()
            status, said = client.append(folder, None, imaplib.Time2Internaldate(time.time()), raw)
            assert status == "OK", said
        client.logout()

    def flags(self):
        """Of every mail in the inbox."""
        client = self.client()
        client.select("INBOX", readonly=True)
        _, mails = client.fetch("1:*", "(FLAGS)")
        client.logout()
        return [imaplib.ParseFlags(mail) for mail in mails if mail]

    def uidvalidity(self):
        client = self.client()
        _, said = client.status("INBOX", "(UIDVALIDITY)")
        client.logout()
        return int(said[0].split()[-1].strip(b")"))

    def rebuild(self):
        """The index is lost, as after a restore or a move: the mails are the same and have other numbers."""
        before = self.uidvalidity()
        self.stop()
        for file in (self.folder / "mail").glob("dovecot*"):
            file.unlink()
        time.sleep(1.1)
        self.start()
        assert self.uidvalidity() != before
