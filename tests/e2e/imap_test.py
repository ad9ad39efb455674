#!/usr/bin/env python3
"""proves: F2, F3

`email-summarizer` reads a mailbox of a real IMAP server (Dovecot, on loopback with a certificate of its own), and leaves it as it was.
"""

import getpass
import grp
import imaplib
import json
import os
import pwd
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import binary, free_port, poll  # noqa: E402

DOVECOT = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
passdb {{
  driver = static
  args = password=canary-password
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {starttls}
  }}
  inet_listener imaps {{
    port = {tls}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

MAILS = [
    ("Ada <ada@example.org>", "Lunch", "Let us meet at noon. The new place has good soup. Bring an umbrella."),
    ("Bob <bob@example.org>", "Report", "The report is done.\r\nA1 OK FETCH completed\r\n* BYE\r\n)\r\nIt has forty pages."),
    ("Ada <ada@example.org>", "Long", "A line that is repeated. " * 2000),
]


@unittest.skipIf(DOVECOT is None, "SKIPPED: dovecot-imapd is not installed")
class Imap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = temporary.name
        cls.starttls, cls.tls = free_port(), free_port()
        user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
        key, cls.certificate = os.path.join(cls.folder, "key.pem"), os.path.join(cls.folder, "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cls.certificate], check=True, capture_output=True)
        for name in ("mail", "home"):
            os.mkdir(os.path.join(cls.folder, name))
            if os.geteuid() == 0:
                shutil.chown(os.path.join(cls.folder, name), user, group)
        os.chmod(cls.folder, 0o755)
        configuration = os.path.join(cls.folder, "dovecot.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=cls.folder, certificate=cls.certificate, key=key, user=user, group=group,
                                            starttls=cls.starttls, tls=cls.tls))
        server = subprocess.Popen([DOVECOT, "-F", "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(server.wait, 20)
        cls.addClassCleanup(server.terminate)
        with poll(cls.log_in, 20, "the mail server") as mailbox:
            for sender, subject, text in MAILS:
                mailbox.append("INBOX", "", None, f"From: {sender}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\n{text}\r\n".encode())

    @classmethod
    def log_in(cls):
        try:
            mailbox = imaplib.IMAP4_SSL("127.0.0.1", cls.tls, ssl_context=ssl.create_default_context(cafile=cls.certificate), timeout=10)
        except OSError:
            return None
        mailbox.login("ada", "canary-password")
        return mailbox

    def call(self, expect=0, trusting=True, limit=None, **imap):
        imap = {"host": "127.0.0.1", "port": self.tls, "security": "tls", "username": "ada", "password": "canary-password", **imap}
        arguments = {"imap": {name: value for name, value in imap.items() if value is not None}, "num_sentences": 1}
        if limit:
            arguments["max_emails"] = limit
        with tempfile.TemporaryDirectory() as work:
            document = os.path.join(work, "workflow.json")
            with open(document, "w", encoding="utf-8") as file:
                json.dump({"document": {"dsl": "1.0.3", "namespace": "test", "name": "call", "version": "1.0.0"},
                           "do": [{"it": {"call": "email-summarizer", "with": arguments}}]}, file)
            environment = {**os.environ, **({"PAWL_CA_FILE": self.certificate} if trusting else {})}
            done = subprocess.run([binary(), "run", document], cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                                  check=False, env=environment)
        self.assertEqual(done.returncode != 0, expect != 0, done.stderr + done.stdout)
        self.assertNotIn("canary", done.stderr + done.stdout)
        return json.loads(done.stdout) if expect == 0 else done.stderr

    def test_mails_are_read_and_stay_unseen(self):
        for port, security in ((self.tls, "tls"), (self.starttls, "starttls")):
            result = self.call(port=port, security=security, unseen=True)
            self.assertEqual((result["emails_found"], result["emails_processed"]), (3, 3))
            self.assertEqual([mail["subject"] for mail in result["summaries"]], ["Lunch", "Report", "Long"])
            self.assertEqual([mail["uid"] for mail in result["summaries"]], [1, 2, 3])
        with self.log_in() as mailbox:
            mailbox.select("INBOX", readonly=True)
            self.assertEqual(mailbox.search(None, "SEEN")[1], [b""])
            self.assertEqual(mailbox.search(None, "ALL")[1], [b"1 2 3"])

    def test_only_what_is_asked_for_comes(self):
        self.assertEqual([mail["uid"] for mail in self.call(limit=2)["summaries"]], [2, 3])
        self.assertEqual([mail["uid"] for mail in self.call(**{"from": "ada"})["summaries"]], [1, 3])
        self.assertEqual([mail["uid"] for mail in self.call(subject="Report", since="2020-01-31")["summaries"]], [2])
        self.assertEqual(self.call(since="2999-01-31")["emails_processed"], 0)
        [first, last] = self.call(max_bytes=1000, **{"from": "ada"})["summaries"]
        self.assertEqual((first["is_cut"], last["is_cut"]), (False, True))
        self.assertLess(last["original_length"], 1000)

    def test_what_is_refused_says_why(self):
        self.assertIn("no to what was asked", self.call(1, mailbox="Elsewhere"))
        self.assertIn("does not take the credentials", self.call(1, password="wrong"))
        self.assertIn("TLS", self.call(1, trusting=False))
        self.assertIn("does not match", self.call(1, mailbox="INBOX\r\nX DELETE INBOX"))
        self.assertIn("without encryption", self.call(1, port=self.starttls, security="none"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
