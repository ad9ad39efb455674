#!/usr/bin/env python3
"""proves: F1

Figures of runs for the dashboard, and the plan of one call of a function.
"""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from people import Person  # noqa: E402
from pawl_server import Server, poll  # noqa: E402

GOOD = "do:\n  - a: {set: {x: 1}}\n"
BAD = "do:\n  - a: {raise: {error: {type: 'https://example.com/e', status: 400, title: no}}}\n"
OPEN = "do:\n  - go: {listen: {to: {one: {with: {type: com.example.never}}}}}\n"


def document(name, body):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'}}\n{body}"


class Stats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.home = {}
        cls.other = {"Authorization": f"Bearer {Person(cls.server, 'ola@example.org').access_token}"}
        for headers, ends in ((cls.home, ("good", "good", "good", "bad")), (cls.other, ("bad",))):
            made = {name: cls.create(cls, name, body, headers) for name, body in (("good", GOOD), ("bad", BAD), ("open", OPEN))}
            for name in ends:
                cls.call(cls, "POST", f"/api/workflows/{made[name]}/execute", {"wait": True}, headers)
            cls.call(cls, "POST", f"/api/workflows/{made['open']}/execute", {}, headers)
            cls.call(cls, "POST", f"/api/workflows/{made['good']}/execute", {"wait": True, "dry_run": True}, headers)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, headers=None):
        _, reply, _ = self.server.request(method, path, body, headers or {})
        return reply

    def create(self, name, body, headers):
        return self.call(self, "POST", "/api/workflows", {"definition": document(name, body)}, headers)["id"]

    def stats(self, headers, ended, path="/api/stats"):
        """Once the ends are in the table: an answer may come before its row can be read."""
        found = {}

        def complete():
            found.update(self.call("GET", path, headers=headers))
            return sum(found["ended"].values()) == ended and found["open"]["waiting"] == 1

        poll(complete, 10, "the figures are complete")
        return found

    def test_runs_are_counted_by_how_they_ended_and_dry_ones_are_not(self):
        stats = self.stats(self.home, 4)
        self.assertEqual(stats["ended"], {"completed": 3, "faulted": 1, "cancelled": 0})
        self.assertEqual(stats["open"], {"pending": 0, "running": 0, "waiting": 1, "suspended": 0})
        self.assertEqual(stats["times"]["runs"], 3)
        times = [stats["times"][name] for name in ("p50_ms", "p95_ms", "p99_ms")]
        self.assertEqual(times, sorted(times))
        self.assertGreaterEqual(times[0], 0)

    def test_slices_cover_the_window_and_add_up(self):
        for window, slices, seconds in (("1h", 60, 60), ("24h", 48, 1800), ("7d", 42, 14400), ("30d", 30, 86400)):
            stats = self.stats(self.home, 4, f"/api/stats?window={window}")
            self.assertEqual((stats["window"], len(stats["slices"]), stats["slice_seconds"]), (window, slices, seconds))
            for name, number in stats["ended"].items():
                self.assertEqual(sum(one[name] for one in stats["slices"]), number)
            self.assertEqual(stats["slices"][0]["at"], stats["since"])

    def test_another_organization_has_its_own_figures(self):
        stats = self.stats(self.other, 1)
        self.assertEqual(stats["ended"], {"completed": 0, "faulted": 1, "cancelled": 0})
        self.assertEqual(stats["times"], {"runs": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None})

    def test_only_known_windows_are_asked_for(self):
        status, reply, _ = self.server.request("GET", "/api/stats?window=1y")
        self.assertEqual((status, reply["errors"][0]["pointer"]), (400, "/query/window"))

    # -- what fires next

    def test_schedules_tell_their_next_times(self):
        daily = document("daily", "schedule: {cron: '0 6 * * *'}\n" + GOOD).replace("}", ", metadata: {timezone: Europe/Berlin}}", 1)
        often = document("often", "schedule: {every: {minutes: 1}}\n" + GOOD)
        ids = [self.call("POST", "/api/workflows", {"definition": text})["id"] for text in (daily, often)]
        items = {one["workflow_id"]: one for one in poll(lambda: self.upcoming(2), 10, "both schedules have times")}
        self.assertEqual((len(items[ids[0]]["times"]), items[ids[0]]["more"]), (30, False))
        self.assertEqual((len(items[ids[1]]["times"]), items[ids[1]]["more"]), (200, True))
        self.assertEqual(items[ids[1]]["times"], sorted(set(items[ids[1]]["times"])))
        self.assertEqual(self.call("GET", "/api/schedules/upcoming", headers=self.other)["items"], [])
        for days in ("0", "63", "x", "1x"):
            status, _, _ = self.server.request("GET", f"/api/schedules/upcoming?days={days}")
            self.assertEqual(status, 400)

    def upcoming(self, number):
        items = self.call("GET", "/api/schedules/upcoming?days=30")["items"]
        return items if len(items) == number and all(one["times"] for one in items) else None

    # -- the plan of one call

    def test_a_function_says_what_it_would_do_and_does_nothing(self):
        target = os.path.join(self.folder.name, "touched")
        body = {"params": {"command": "touch", "args": [target]}}
        reply = self.call("POST", "/api/plugins/shell-command/test", body)
        self.assertEqual((reply["dry_run"], reply["effect"]), (True, "once"))
        self.assertEqual(len(reply["plan"]), 1)
        self.assertFalse(os.path.exists(target))

    def test_a_function_is_called_once_and_destroys_only_where_that_is_said(self):
        own = {"Authorization": f"Bearer {Person(self.server, 'eva@example.org').access_token}"}  # the others' runs are counted
        reply = self.call("POST", "/api/plugins/noop/execute", {"params": {"n": 1}}, own)
        self.assertEqual((reply["status"], reply["output"], reply["error"]), ("completed", {"n": 1}, None))
        body = {"params": {"path": "made.txt", "content": "x"}}
        self.assertTrue(self.call("POST", "/api/plugins/file_write/execute", body, own)["output"]["dry_run"])
        self.assertEqual(self.call("POST", "/api/plugins/file-read/execute", {"params": {"path": "made.txt"}}, own)["status"], "faulted")
        self.assertTrue(self.call("POST", "/api/plugins/file-write/execute", {**body, "allow_destructive": True}, own)["output"]["created"])
        self.assertEqual(self.call("POST", "/api/plugins/file-read/execute", {"params": {"path": "made.txt"}}, own)["status"], "completed")

    def test_parameters_that_do_not_fit_are_findings_at_their_places(self):
        status, reply, _ = self.server.request("POST", "/api/plugins/shell_command/test", {"params": {"command": 7, "check": "yes"}})
        self.assertEqual((status, reply["code"]), (422, "plugin.invalid_params"))
        self.assertEqual({one["pointer"] for one in reply["errors"]}, {"/params/command", "/params/check"})

    def test_a_function_tells_the_effects_that_its_calls_can_have(self):
        effects = {one["name"]: one["effects"] for one in self.call("GET", "/api/plugins")["items"]}
        self.assertEqual(effects["http"], ["read", "idempotent"])
        self.assertEqual(effects["shell-command"], ["once"])


if __name__ == "__main__":
    unittest.main()
