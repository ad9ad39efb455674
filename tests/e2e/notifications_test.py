#!/usr/bin/env python3
"""proves: P10

Notifications of the real server: what a member sees and what not, what is new, channels that are signed, stall and fail, mails, and that nothing is
lost or told twice when the process is killed.
"""

import hashlib
import hmac
import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import API_KEY, Server, poll  # noqa: E402
from people import Mailbox, Person  # noqa: E402
from websocket_client import WebSocket  # noqa: E402

HEAD = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\ndo:\n"
FAILS = "  - no: {raise: {error: {type: 'https://example.com/errors/no', status: 400, detail: canary-of-an-error}}}\n"
ASKS = "  - ask: {call: approval, with: {title: Go on?}}\n"
FINE = "  - one: {set: {n: 1}}\n"
KEY = "key-of-this-webhook"


class Receiver(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        receiver = self
        self.deliveries, self.status, self.lock = [], 204, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.deliveries.append((self.path, dict(self.headers), body))
                    status = receiver.status
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def told(self, path="/"):
        with self.lock:
            return [json.loads(body) for where, _, body in self.deliveries if where == path]


class NotificationsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={"PAWL_NOTIFICATION_INTERVAL_SECONDS": "1"}).start()
        cls.people = {name: Person(cls.server, f"{name}@example.org") for name in ("owner", "admin", "member", "viewer", "stranger")}
        cls.receiver = Receiver()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.receiver.shutdown()
        cls.receiver.server_close()
        cls.folder.cleanup()

    def setUp(self):
        made = self.call("owner", "POST", "/api/organizations", {"name": "Acme"}, 201)
        self.acme = made["id"]
        for role in ("admin", "member", "viewer"):
            self.call("owner", "POST", f"/api/organizations/{self.acme}/members", {"user_id": self.people[role].id, "role": role}, 201)

    def call(self, who, method, path, body=None, expect=200):
        status, reply = self.people[who].call(method, path, body)
        self.assertEqual(status, expect, f"{who} {method} {path}: {reply}")
        return reply

    def there(self, path):
        return path + ("&" if "?" in path else "?") + f"organization_id={self.acme}"

    def create(self, name, steps):
        return self.call("member", "POST", self.there("/api/workflows"), {"definition": HEAD % name + steps, "organization_id": self.acme}, 201)["id"]

    def run_once(self, workflow, wait=True):
        return self.call("member", "POST", self.there(f"/api/workflows/{workflow}/execute"), {"wait": wait}, 200 if wait else 202)["id"]

    def list(self, who, query=""):
        return self.call(who, "GET", self.there(f"/api/notifications?{query}limit=100"))["items"]

    def unread(self, who):
        return self.call(who, "GET", self.there("/api/notifications/unread-count"))["unread"]

    def test_a_failed_run_is_one_line_that_counts_and_says_no_content(self):
        workflow = self.create("nightly", FAILS)
        run = [self.run_once(workflow) for _ in range(5)][-1]
        self.run_once(self.create("fine", FINE))
        found = self.list("viewer", "kind=run.failed&")
        self.assertEqual([(item["count"], item["data"]["run_id"], item["data"]["workflow_id"]) for item in found], [(5, run, workflow)])
        self.assertNotIn("canary", json.dumps(found))
        self.assertEqual(self.people["stranger"].call("GET", self.there("/api/notifications"))[0], 404)
        self.assertEqual(self.people["stranger"].call("POST", f"/api/notifications/{found[0]['id']}/read")[0], 404)
        self.call("viewer", "POST", f"/api/notifications/{found[0]['id']}/read", None, 204)
        self.assertTrue(self.list("viewer", "kind=run.failed&")[0]["read"])
        self.assertFalse(self.list("member", "kind=run.failed&")[0]["read"])
        self.assertEqual(self.list("viewer", "unread=true&kind=run.failed&"), [])
        self.run_once(workflow)
        self.assertFalse(self.list("viewer", "kind=run.failed&")[0]["read"], "it has happened again")
        self.assertGreaterEqual(self.call("viewer", "POST", self.there("/api/notifications/read-all"))["marked"], 1)
        self.assertEqual(self.unread("viewer"), 0)

    def test_questions_switched_off_workflows_and_members_are_told_to_whom_they_concern(self):
        self.run_once(self.create("asks", ASKS), wait=False)
        found = poll(lambda: self.list("member", "kind=approval.waiting&"), 15, "the question")
        self.assertIn("approval_id", found[0]["data"])
        self.assertEqual(self.list("viewer", "kind=approval.waiting&"), [])
        workflow = self.create("off", FINE)
        status, reply = self.people["member"].call("PUT", f"/api/workflows/{workflow}", {"is_active": False})
        self.assertEqual(status, 200, reply)
        self.assertEqual(self.list("viewer", "kind=workflow.disabled&")[0]["data"]["workflow_id"], workflow)
        self.assertEqual(len(self.list("admin", "kind=member.changed&")), 3)
        self.assertEqual(self.list("member", "kind=member.changed&"), [])

    def test_preferences_are_ones_own(self):
        self.run_once(self.create("nightly", FAILS))
        self.call("member", "PUT", self.there("/api/notifications/preferences"), {"items": [{"kind": "run.failed", "in_app": False, "email": False}]})
        self.assertEqual(self.list("member", "kind=run.failed&"), [])
        self.assertEqual(len(self.list("admin", "kind=run.failed&")), 1)
        status, _ = self.people["member"].call("PUT", self.there("/api/notifications/preferences"),
                                               {"items": [{"kind": "no.such", "in_app": True, "email": True}]})
        self.assertEqual(status, 422)

    def channel(self, **more):
        body = {"kind": "webhook", "name": "on call", "url": f"http://127.0.0.1:{self.receiver.server_address[1]}/{self.id()}", "key": KEY, **more}
        return self.call("admin", "POST", self.there("/api/notification-channels"), body, 201)

    def test_a_webhook_is_signed_and_its_address_never_shown(self):
        made = self.channel(kinds=["run.failed"])
        self.assertNotIn(self.id(), json.dumps(made))
        self.assertNotIn(KEY, json.dumps(self.call("admin", "GET", self.there("/api/notification-channels"))))
        self.assertEqual(self.people["member"].call("GET", self.there("/api/notification-channels"))[0], 403)
        self.assertEqual(self.people["stranger"].call("DELETE", f"/api/notification-channels/{made['id']}")[0], 404)
        self.assertEqual(self.call("admin", "POST", f"/api/notification-channels/{made['id']}/test")["status"], "ok")
        workflow = self.create("nightly", FAILS)
        self.run_once(workflow)
        poll(lambda: len(self.receiver.told("/" + self.id())) >= 2, 20, "the delivery")
        with self.receiver.lock:
            _, headers, body = [each for each in self.receiver.deliveries if each[0] == "/" + self.id()][-1]
        moment, signature = (part.split("=")[1] for part in headers["X-Pawl-Signature"].split(","))
        self.assertEqual(signature, hmac.new(KEY.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest())
        told = json.loads(body)
        self.assertEqual((told["organization_id"], told["notifications"][0]["data"]["workflow_id"]), (self.acme, workflow))
        self.assertNotIn("canary", body.decode())
        self.call("admin", "DELETE", f"/api/notification-channels/{made['id']}", None, 204)

    def test_a_channel_that_fails_says_so_and_is_told_later(self):
        self.receiver.status = 500
        made = self.channel(kinds=["run.failed"])
        self.run_once(self.create("nightly", FAILS))
        shown = poll(lambda: next((each for each in self.call("admin", "GET", self.there("/api/notification-channels"))["items"]
                                   if each["last_error"]), None), 20, "the error")
        self.assertEqual(shown["last_error"], "The channel answered 500.")
        self.receiver.status = 204
        poll(lambda: self.call("admin", "GET", self.there("/api/notification-channels"))["items"][0]["last_sent_at"], 30, "the repetition")
        with self.receiver.lock:
            names = [headers["X-Pawl-Delivery"] for where, headers, _ in self.receiver.deliveries if where == "/" + self.id()]
        self.assertEqual(len(set(names)), 1, "a receiver knows a repetition")
        self.call("admin", "DELETE", f"/api/notification-channels/{made['id']}", None, 204)

    def test_followers_hear_at_once(self):
        client = WebSocket(self.server.port, path=f"/ws?organization_id={self.acme}",
                           headers={"Authorization": f"Bearer {self.people['viewer'].access_token}"})
        self.addCleanup(client.close)
        client.send({"type": "subscribe", "topics": ["notifications"]})
        self.assertEqual(client.receive()["type"], "subscribed")
        self.run_once(self.create("nightly", FAILS))
        message = client.receive()
        while message.get("event") != "notification.created" or "kind" not in message["data"]:
            message = client.receive()
        self.assertEqual(message["data"]["kind"], "run.failed")

    def test_nothing_is_lost_or_doubled_by_a_kill(self):
        self.receiver.status = 500
        made = self.channel(kinds=["run.failed"])
        workflow = self.create("nightly", FAILS)
        self.run_once(workflow)
        self.server.kill()
        self.receiver.status = 204
        self.server.start()
        poll(lambda: self.call("admin", "GET", self.there("/api/notification-channels"))["items"][0]["last_sent_at"], 30, "the delivery")
        self.assertEqual([item["count"] for item in self.list("viewer", "kind=run.failed&")], [1])
        self.assertEqual({each["notifications"][0]["count"] for each in self.receiver.told("/" + self.id())}, {1})
        self.call("admin", "DELETE", f"/api/notification-channels/{made['id']}", None, 204)

    def test_mail_goes_to_confirmed_addresses_that_want_it(self):
        self.call("owner", "PUT", self.there("/api/notifications/preferences"), {"items": [{"kind": "run.failed", "in_app": True, "email": True}]})
        self.call("admin", "PUT", self.there("/api/notifications/preferences"), {"items": [{"kind": "run.failed", "in_app": True, "email": True}]})
        mailbox = Mailbox(self.server.data_dir)
        token = mailbox.token("owner@example.org", "verify-email")
        self.server.request("POST", "/api/auth/verify-email", {"token": token}, {"Authorization": ""})
        self.run_once(self.create("nightly", FAILS))
        mail = poll(lambda: [each for each in mailbox.mails("owner@example.org") if "has failed" in each["Subject"]], 20, "the mail")[0]
        self.assertIn("/notifications", mail.get_body(("plain",)).get_content())
        self.assertEqual([each for each in mailbox.mails("admin@example.org") if "has failed" in each["Subject"]], [], "not confirmed")


if __name__ == "__main__":
    unittest.main()
