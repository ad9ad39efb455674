#!/usr/bin/env python3
"""proves: S0-G1, O3

Errors of the server at a service that speaks Sentry's protocol, which may also stall and want to be left alone.
"""

import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, binary, poll  # noqa: E402

KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


class Service(http.server.ThreadingHTTPServer):
    """Takes envelopes."""
    daemon_threads = True

    def __init__(self):
        service = self
        self.envelopes, self.status, self.stalled, self.lock = [], 200, threading.Event(), threading.Lock()
        self.stalled.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with service.lock:
                    service.envelopes.append((self.path, self.headers.get("X-Sentry-Auth"), body))
                service.stalled.wait(20)
                self.send_response(service.status)
                if service.status == 429:
                    self.send_header("Retry-After", "600")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def events(self):
        with self.lock:
            return [json.loads(body.split("\n")[2]) for _, _, body in self.envelopes]


@unittest.skipIf(os.environ.get("PAWL_TEST_BACKEND") == "postgresql", "the table is taken away in SQLite's file")
class Sentry(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.service = Service()
        self.addCleanup(self.service.server_close)
        self.addCleanup(self.service.shutdown)
        self.addCleanup(self.service.stalled.set)

    def start(self, **more):
        dsn = f"http://{KEY}@127.0.0.1:{self.service.server_address[1]}/below/42"
        self.data = os.path.join(self.folder.name, "data")
        self.server = Server(self.data, extra_environment={"SENTRY_DSN": dsn, "MAIL_FILE": "", **more}).start()
        self.addCleanup(self.server.stop)

    def provoke(self):
        """A request that fails: a table is taken away from under it."""
        with sqlite3.connect(os.path.join(self.data, "pawl.db"), timeout=10) as database:
            database.execute("alter table notification_preferences rename to somewhere_else")
        return self.server.request("GET", "/api/notifications?kind=run.failed")

    def test_a_failed_request_is_reported_once_and_says_nothing_of_people(self):
        self.start()
        self.assertEqual(self.provoke()[0], 500)
        for _ in range(4):
            self.assertEqual(self.server.request("GET", "/api/notifications?kind=run.failed")[0], 500)
        events = poll(self.service.events, 15, "a report")
        with self.service.lock:
            path, auth, body = self.service.envelopes[0]
        self.assertEqual(path, "/below/api/42/envelope/")
        self.assertIn(f"sentry_key={KEY}", auth)
        event = events[0]
        self.assertEqual((event["level"], event["tags"]["route"], event["tags"]["method"]), ("error", "/api/notifications", "GET"))
        self.assertRegex(event["event_id"], "^[0-9a-f]{32}$")
        self.assertTrue(event["release"].startswith("pawl@"))
        for secret in (API_KEY, KEY, "127.0.0.1", "kind=run.failed"):
            self.assertNotIn(secret, body)
        failed = [each for each in self.service.events() if each["tags"]["event"] == "http.failed"]
        self.assertEqual(len(failed), 1, "the same within a minute")
        self.assertNotIn(KEY, self.server.tail())

    def test_a_service_that_stalls_holds_nobody_up(self):
        self.service.stalled.clear()
        self.start()
        self.assertEqual(self.provoke()[0], 500)
        poll(lambda: self.service.envelopes, 15, "a report")
        began = time.monotonic()
        self.assertEqual(self.server.request("GET", "/health")[0], 200)
        self.assertLess(time.monotonic() - began, 5)
        self.service.stalled.set()

    def test_a_service_that_wants_to_be_left_alone_is(self):
        self.service.status = 429
        self.start()
        self.assertEqual(self.provoke()[0], 500)
        poll(lambda: "was not taken" in self.server.tail(), 15, "the warning")
        count = len(self.service.events())
        self.assertEqual(self.server.request("GET", "/api/notifications/preferences")[0], 500)  # another report
        self.assertEqual(self.server.request("GET", "/health")[0], 200)
        self.assertEqual(len(self.service.events()), count)

    def test_an_address_that_is_none_is_refused_without_being_shown(self):
        done = subprocess.run([binary(), "serve", "--port", "0", "--data-dir", os.path.join(self.folder.name, "other")], capture_output=True,
                              text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"], "SENTRY_DSN": f"https://{KEY}/no-project"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("SENTRY_DSN", done.stderr)
        self.assertNotIn(KEY, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
