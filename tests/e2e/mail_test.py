#!/usr/bin/env python3
"""proves: FA-18

Mails over SMTP: against a small server on loopback that can also say "later", stall, and hang up.
"""

import email
import email.policy
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server, free_port, poll  # noqa: E402
from people import Mailbox, Person  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402


class MailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.smtp = SmtpServer()
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={
            "RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "debug", "PAWL_PUBLIC_URL": "https://pawl.example.com", "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(cls.smtp.server_address[1]), "SMTP_USE_TLS": "false", "SMTP_FROM_EMAIL": "pawl@example.com"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.smtp.shutdown()
        cls.smtp.server_close()
        cls.folder.cleanup()

    def test_a_registration_sends_its_mail_with_a_link_of_the_configured_address(self):
        Person(self.server, "ada@example.org")
        text = poll(lambda: self.smtp.to("ada@example.org"), 20, "a mail")[0]
        self.assertIn("From: pawl@example.com", text)
        message = email.message_from_string(text, policy=email.policy.default)
        self.assertIn("https://pawl.example.com/verify-email#", message.get_body(("plain",)).get_content())

    def test_what_the_server_puts_off_or_breaks_off_is_sent_again_once(self):
        for mood, address in (("later", "later@example.org"), ("hang up", "broken@example.org")):
            with self.smtp.lock:
                self.smtp.moods.append(mood)
            Person(self.server, address)
            poll(lambda address=address: self.smtp.to(address), 30, f"the mail after `{mood}`")
            self.assertEqual(len(self.smtp.to(address)), 1)

    def test_a_line_break_in_an_address_sends_nothing(self):
        status, _, _ = self.server.request("POST", "/api/auth/register",
                                           {"email": "eve@example.org\r\nBcc: all@example.org", "password": "correct-horse-battery-staple",
                                            "name": "Eve"}, headers={"Authorization": ""})
        self.assertEqual(status, 422)
        self.assertEqual(self.smtp.to("all@example.org"), [])

    # proves: N-18
    def test_who_gets_mail_stands_in_no_log(self):
        with self.smtp.lock:
            self.smtp.moods.append("later")
        Person(self.server, "private@example.org")
        poll(lambda: self.smtp.to("private@example.org"), 30, "the mail, after a failure")
        self.server.log.flush()
        with open(self.server.log.name, encoding="utf-8", errors="replace") as log:
            text = log.read()
        self.assertIn("/api/auth/register", text)
        self.assertNotIn("@example.org", text)

    def other_server(self, name, **environment):
        server = Server(os.path.join(self.folder.name, name), extra_environment={"SMTP_USE_TLS": "false", **environment}).start()
        self.addCleanup(server.stop)
        return server

    def mail_check(self, server):
        status, reply, _ = server.request("GET", "/health/readiness")
        self.assertEqual(status, 200, reply)
        detail = server.request("GET", "/health/detailed")[1]
        return reply["checks"]["mail"], json.dumps(detail)

    def test_readiness_says_whether_mails_can_leave(self):
        smtp = SmtpServer()
        self.addCleanup(smtp.server_close)
        self.addCleanup(smtp.shutdown)
        port = str(smtp.server_address[1])
        there = self.other_server("there", SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_FROM_EMAIL="pawl@example.com")
        self.assertEqual(self.mail_check(there)[0], "ok")
        self.assertEqual(smtp.mails, [])
        gone = self.other_server("gone", SMTP_HOST="127.0.0.1", SMTP_PORT=str(free_port()), SMTP_FROM_EMAIL="pawl@example.com")
        status, detail = self.mail_check(gone)
        self.assertEqual(status, "warning")
        self.assertIn("mail", detail)
        files = self.other_server("files")
        self.assertEqual(self.mail_check(files)[0], "ok")
        self.assertEqual(Mailbox(files.data_dir).mails(), [])

    def test_links_begin_with_the_address_of_the_pages_where_that_is_another(self):
        server = self.other_server("pages", PAWL_PUBLIC_URL="https://api.example.com", FRONTEND_URL="https://app.example.com/")
        Person(server, "ada@example.org")
        mail = poll(lambda: Mailbox(server.data_dir).mails("ada@example.org"), 20, "a mail")[0]
        self.assertIn("https://app.example.com/verify-email#", mail.get_body(("plain",)).get_content())


if __name__ == "__main__":
    unittest.main()
