#!/usr/bin/env python3
"""proves: W6

What starts workflows by itself: intervals, cron, events, webhooks.
"""

import contextlib
import hashlib
import hmac
import json
import os
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, poll  # noqa: E402

SECRET = "hook-signing-words"


def document(name, body, metadata=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{metadata}}}\n{body}"


class Triggers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={"PAWL_SECRET_SIGNING": SECRET}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=None, headers=None):
        status, reply, _ = self.server.request(method, path, body, headers)
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def create(self, definition, **members):
        return self.call("POST", "/api/workflows", {"definition": definition, **members}, 201)

    def runs(self, workflow, query=""):
        return self.call("GET", f"/api/workflows/{workflow['id']}/executions?{query}", expect=200)["items"]

    def trigger(self, run):
        """Of a run in a list, which itself holds the narrow columns only."""
        return self.call("GET", f"/api/runs/{run['id']}", expect=200)["trigger"]

    def wait_for_runs(self, workflow, count, query=""):
        return poll(lambda: (lambda found: found if len(found) >= count else None)(self.runs(workflow, query)), 10, f"{count} runs")

    # proves: S0-R4
    def test_an_interval_fires_again_and_again_until_paused(self):
        made = self.create(document("tick", "schedule: {every: {milliseconds: 200}}\ndo:\n  - say: {set: {at: '${ now }'}}\n"))
        trigger = made["triggers"][0]
        self.assertEqual((trigger["type"], trigger["kind"], trigger["every_ms"]), ("schedule", "every", 200))
        runs = self.wait_for_runs(made, 3, "status=completed")
        self.assertEqual(self.trigger(runs[0])["type"], "schedule")
        dues = [self.trigger(run)["due"] for run in runs]
        self.assertEqual(len(set(dues)), len(dues), "each due time fires once")
        view = self.call("POST", f"/api/schedules/{trigger['id']}", {"enabled": False}, 200)
        self.assertEqual((view["enabled"], view["next_due"]), (False, None))
        self.assertTrue(any(item["id"] == trigger["id"] for item in self.call("GET", "/api/schedules", expect=200)["items"]))
        self.call("DELETE", f"/api/workflows/{made['id']}", expect=204)
        self.call("GET", f"/api/schedules/{trigger['id']}", expect=404)

    # proves: S0-R4, FA-1
    def test_a_cron_schedule_fires_at_its_second(self):
        made = self.create(document("second", "schedule: {cron: '* * * * * *'}\ndo:\n  - say: {set: {x: 1}}\n"))
        run = self.wait_for_runs(made, 1)[0]
        self.assertTrue(self.trigger(run)["due"].endswith(".000Z"), run)
        self.call("DELETE", f"/api/workflows/{made['id']}", expect=204)

    def test_after_waits_for_the_end_of_the_run(self):
        made = self.create(document("again", "schedule: {after: {milliseconds: 150}}\ndo:\n  - nap: {wait: {milliseconds: 100}}\n"))
        runs = self.wait_for_runs(made, 2, "status=completed")
        self.assertGreaterEqual(runs[0]["created_at"], runs[1]["ended_at"])
        self.call("PUT", f"/api/workflows/{made['id']}", {"is_active": False}, 200)

    def test_an_overlapping_time_is_skipped_when_asked_for(self):
        body = "schedule: {every: {milliseconds: 100}}\ndo:\n  - nap: {wait: {seconds: 60}}\n"
        made = self.create(document("long", body, ", metadata: {overlap: skip}"))
        schedule = f"/api/schedules/{made['triggers'][0]['id']}"
        poll(lambda: self.call("GET", schedule, expect=200)["skipped"] >= 2, 10, "two times are skipped")
        self.assertEqual(len(self.runs(made)), 1)
        self.call("DELETE", f"/api/workflows/{made['id']}", expect=204)

    def test_an_event_starts_a_run_once(self):
        body = """schedule: {on: {one: {with: {type: com.example.order}}}}
do:
  - say: {set: {order: '${ $workflow.input[0].number }'}}
"""
        made = self.create(document("on-order", body))
        event = {"specversion": "1.0", "id": "o-1", "source": "/shop", "type": "com.example.order", "data": {"number": 7}}
        for _ in range(3):
            self.call("POST", "/api/events", event, 202)
        self.call("POST", "/api/events", {**event, "type": "com.example.other", "id": "o-2"}, 202)
        run = self.wait_for_runs(made, 1, "status=completed")[0]
        self.assertEqual(self.trigger(run)["type"], "event")
        self.assertEqual(self.call("GET", f"/api/runs/{run['id']}", expect=200)["output"], {"order": 7})
        self.call("POST", "/api/events", {**event, "id": "o-3"}, 202)
        self.wait_for_runs(made, 2)
        self.assertEqual(len(self.runs(made)), 2)

    def test_a_changed_document_listens_for_other_events(self):
        body = "schedule: {on: {one: {with: {type: %s}}}}\ndo:\n  - a: {set: {x: 1}}\n"
        made = self.create(document("changing", body % "com.example.before"))
        self.call("PUT", f"/api/workflows/{made['id']}", {"definition": document("changing", body % "com.example.after")}, 200)
        for number, kind in enumerate(("before", "after")):
            event = {"specversion": "1.0", "id": f"c-{number}", "source": "/test", "type": f"com.example.{kind}"}
            self.call("POST", "/api/events", event, 202)
        self.wait_for_runs(made, 1)
        self.assertEqual(len(self.runs(made)), 1)

    def test_an_emitted_event_starts_another_workflow(self):
        follower = self.create(document("follower", "schedule: {on: {one: {with: {type: com.example.said}}}}\ndo:\n  - a: {set: {x: 1}}\n"))
        emitter = self.create(document("emitter",
                                       "do:\n  - tell: {emit: {event: {with: {type: com.example.said, source: /test, data: 1}}}}\n"))
        self.call("POST", f"/api/workflows/{emitter['id']}/execute", {"wait": True}, 200)
        self.wait_for_runs(follower, 1)

    def hook(self, metadata, body="do:\n  - say: {set: {method: '${ .method }', body: '${ .body }', who: '${ .query.who }'}}\n", use=""):
        made = self.create(document("hooked", use + body, f", metadata: {{webhook: {metadata}}}"))
        return made, next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")

    def test_a_webhook_starts_a_run_and_may_answer_with_its_output(self):
        made, url = self.hook("{wait: true}")
        self.assertGreaterEqual(len(url), 40)
        reply = self.call("POST", url + "?who=ann", {"n": 1}, 200, headers={"Authorization": ""})
        self.assertEqual(reply, {"method": "POST", "body": {"n": 1}, "who": "ann"})
        run = self.runs(made)[0]
        self.assertEqual(self.trigger(run)["type"], "webhook")
        self.assertNotIn("authorization", json.dumps(self.call("GET", f"/api/runs/{run['id']}", expect=200)["input"]).lower())
        _, quick = self.hook("{}")
        self.assertIn("id", self.call("PUT", quick, "plain", 202, headers={"Content-Type": "text/plain"}))

    # Bytes that no database stores as text once ended the server, and an event with them all schedules of everybody.
    def test_bytes_that_are_no_text_harm_nobody(self):
        ticking = self.create(document("ticking", "schedule: {every: {milliseconds: 200}}\ndo:\n  - say: {set: {x: 1}}\n"))
        listening = self.create(document("listening", "schedule: {on: {one: {with: {type: com.example.bytes}}}}\ndo:\n  - a: {set: {x: 1}}\n"))
        made, url = self.hook("{}", "do:\n  - tell: {call: log, with: {message: '${ .body + (.headers[\"x-city\"] // \"\") }'}}\n"
                                    "  - fail: {raise: {error: {type: 'https://example.com/e', status: 500, detail: '${ .body }'}}}\n")
        headers = {"Content-Type": "text/plain", "X-City": "M\xfcnchen"}
        self.call("POST", url, b"\xff\xfe\xed\xa0\x80", 202, headers=headers)
        run = self.wait_for_runs(made, 1, "status=faulted")[0]
        text = self.call("GET", f"/api/runs/{run['id']}", expect=200)["input"]
        self.assertEqual((text["body"], text["headers"]["x-city"]), ("\ufffd" * 5, "M\ufffdnchen"))
        binary = {"Content-Type": "text/plain", "ce-id": "b-1", "ce-source": "/test", "ce-type": "com.example.bytes", "ce-specversion": "1.0"}
        self.assertIn("UTF-8", json.dumps(self.call("POST", "/api/events", b"\xff", 422, headers=binary)))
        self.assertIn("UTF-8", json.dumps(self.call("POST", "/api/events", b"x", 422, headers={**binary, "ce-subject": "\xff"})))
        self.call("POST", "/api/events", b"text", 202, headers=binary)
        self.wait_for_runs(listening, 1)
        before = len(self.runs(ticking))
        self.wait_for_runs(ticking, before + 2)
        self.assertTrue(self.call("GET", "/api/audit/verify", expect=200)["valid"])

    def test_a_webhook_tells_strangers_nothing(self):
        made, url = self.hook("{wait: true}")
        unknown = self.call("POST", "/hooks/" + "x" * 43, {}, 404)
        self.call("PUT", f"/api/workflows/{made['id']}", {"is_active": False}, 200)
        gone = self.call("POST", url, {}, 404)
        self.assertEqual(unknown["code"], gone["code"])
        _, failing = self.hook("{wait: true}", "do:\n  - a: {set: {x: '${ error(\"inner secret\") }'}}\n")
        self.assertNotIn("inner secret", json.dumps(self.call("POST", failing, {}, 500)))

    def test_a_signed_webhook_refuses_a_wrong_signature(self):
        _, url = self.hook("{wait: true, secret: SIGNING}", use="use: {secrets: [SIGNING]}\n")
        body = b'{"n": 2}'
        good = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.call("POST", url, body, 200, headers={"X-Hub-Signature-256": good})
        self.call("POST", url, body, 404, headers={"X-Hub-Signature-256": good[:-1] + "0"})
        self.call("POST", url, body, 404)

    # proves: S4-O8
    def test_a_signed_delivery_is_taken_once_and_started_where_a_crash_came_between(self):
        made, url = self.hook("{wait: true, secret: SIGNING}", use="use: {secrets: [SIGNING]}\n")
        body = b'{"n": 3}'
        headers = {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
        self.call("POST", url, body, 200, headers=headers)
        self.call("POST", url, body, 404, headers=headers)
        run = self.runs(made)[0]["id"]
        if "DATABASE_URL" in self.server.environment:
            return  # looks into the file below
        # As if the process had died between the claim and the start: the claim is there, the run is not.
        self.server.kill()
        path = os.path.join(self.server.data_dir, "pawl.db")
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("delete from runs where id = ?", (bytes.fromhex(run.replace("-", "")),))
            database.commit()
        self.server.start()
        self.call("POST", url, body, 200, headers=headers)
        self.assertEqual([item["id"] for item in self.runs(made)], [run], "under the same id")
        self.call("POST", url, body, 404, headers=headers)

    # proves: S0-R4
    def test_schedules_and_webhooks_survive_a_restart(self):
        made = self.create(document("steady", "schedule: {every: {milliseconds: 200}}\ndo:\n  - say: {set: {x: 1}}\n",
                                    ", metadata: {webhook: {wait: true}}"))
        url = next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")
        self.wait_for_runs(made, 1)
        self.server.kill()
        self.server.start()
        before = len(self.runs(made))
        self.wait_for_runs(made, before + 1)
        self.assertEqual(self.call("POST", url, {}, 200), {"x": 1})
        triggers = [self.trigger(run) for run in self.runs(made, "limit=200")]
        dues = [trigger["due"] for trigger in triggers if trigger["type"] == "schedule"]
        self.assertEqual(len(set(dues)), len(dues))
        self.call("DELETE", f"/api/workflows/{made['id']}", expect=204)


if __name__ == "__main__":
    unittest.main()
