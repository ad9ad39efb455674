#!/usr/bin/env python3
"""proves: W4, W5, W6, W9, W11, S0-13, FA-8, FA-9, S4-O8

Workflows beyond the basics over the real HTTP contract: versions, import and export, signed webhooks, forks, dead letters, idempotency keys.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, binary, poll  # noqa: E402

SECRET = "hook-signing-words"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def document(name, body, metadata=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{metadata}}}\n{body}"


def setting(value):
    return document("setting", f"do:\n  - a: {{set: {{x: {value}}}}}\n")


def signature(body, at=None, secret=SECRET):
    at = int(at if at is not None else time.time())
    return f"t={at},v1=" + hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


TASKS = """id: nightly-tidy
name: Nightly tidy
tasks:
  - id: look
    type: noop
    params: {found: 3}
  - id: ask
    type: openai
    params: {prompt: hello}
"""

N8N = {
    "name": "Two ways",
    "nodes": [
        {"name": "Go", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "parameters": {}},
        {"name": "Much?", "type": "n8n-nodes-base.if", "typeVersion": 2, "parameters": {"conditions": {
            "combinator": "and",
            "conditions": [{"leftValue": "={{ $json.amount }}", "rightValue": 100, "operator": {"type": "number", "operation": "gt"}}]}}},
        {"name": "Yes", "type": "n8n-nodes-base.set", "typeVersion": 3.2, "parameters": {"assignments": {"assignments": [
            {"name": "said", "type": "string", "value": "=much: {{ $json.amount }}"}]}}},
        {"name": "No", "type": "n8n-nodes-base.set", "typeVersion": 3.2, "parameters": {"assignments": {"assignments": [
            {"name": "said", "type": "string", "value": "little"}]}}},
        {"name": "End", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "parameters": {}},
    ],
    "connections": {
        "Go": {"main": [[{"node": "Much?", "type": "main", "index": 0}]]},
        "Much?": {"main": [[{"node": "Yes", "type": "main", "index": 0}], [{"node": "No", "type": "main", "index": 0}]]},
        "Yes": {"main": [[{"node": "End", "type": "main", "index": 0}]]},
        "No": {"main": [[{"node": "End", "type": "main", "index": 0}]]},
    },
}


class Workflows(unittest.TestCase):
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

    def execute(self, workflow, body=None, expect=200):
        return self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"wait": True, **(body or {})}, expect)

    # ---- versions ---------------------------------------------------------------------------------------------------------------

    def test_only_so_many_versions_are_kept_and_those_that_runs_need(self):
        folder = os.path.join(self.folder.name, "few")
        server = Server(folder, extra_environment={"DATABASE_URL": "", "MAX_VERSIONS_PER_WORKFLOW": "2"}).start()
        self.addCleanup(server.stop)
        workflow = server.create_workflow(setting(1))
        run = server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": True})[1]["id"]
        for value in range(2, 6):
            self.assertEqual(server.request("PUT", f"/api/workflows/{workflow}", {"definition": setting(value)})[0], 200)
        # A start that is under way may still want a version that was current a moment ago: let them all be older.
        database = sqlite3.connect(os.path.join(folder, "pawl.db"), timeout=20)
        with database:
            database.execute("update workflow_versions set created_at = created_at - 120000")
        database.close()
        self.assertEqual(server.request("PUT", f"/api/workflows/{workflow}", {"definition": setting(6)})[0], 200)
        kept = [each["version"] for each in server.request("GET", f"/api/workflows/{workflow}/versions")[1]["items"]]
        self.assertEqual(kept, [6, 5, 1], "the newest two, and the one that a run is pinned to")
        self.assertEqual(server.request("GET", f"/api/runs/{run}")[1]["output"], {"x": 1})

    def test_versions_are_compared_and_a_rollback_is_a_new_version(self):
        made = self.create(setting(1))
        path = f"/api/workflows/{made['id']}"
        self.call("PUT", path, {"definition": setting(2), "change_summary": "two"}, 200)
        diff = self.call("GET", f"{path}/versions/1/diff/2", expect=200)
        self.assertEqual([(task["change"], task["reference"]) for task in diff["tasks"]], [("changed", "/do/0/a")])
        self.assertEqual([line["kind"] for line in diff["hunks"][0]["lines"]][-2:], ["removed", "added"])
        back = self.call("POST", f"{path}/rollback", {"version": 1}, 200)
        self.assertEqual((back["version"], back["definition"]), (3, setting(1)))
        self.assertEqual(self.execute(made)["output"], {"x": 1})
        self.assertEqual(self.execute(made, {"version": 2})["output"], {"x": 2})
        self.assertEqual(self.call("GET", f"{path}/versions", expect=200)["items"][0]["version"], 3)
        self.call("POST", f"{path}/rollback", {"version": 7}, 404)
        self.call("POST", f"{path}/rollback", {}, 422)
        self.call("GET", f"{path}/versions/1/diff/x", expect=404)
        self.call("GET", f"/api/workflows/{UNKNOWN}/versions/1/diff/2", expect=404)

    def test_two_editors_do_not_overwrite_each_other(self):
        made = self.create(setting(1))
        path = f"/api/workflows/{made['id']}"
        self.call("PUT", path, {"definition": setting(2), "expected_version": 1}, 200)
        self.call("PUT", path, {"definition": setting(3), "expected_version": 1}, 409)
        self.assertEqual(self.call("GET", path, expect=200)["definition"], setting(2))

    def test_lists_are_searched_filtered_and_sorted(self):
        for name in ("zebra crossing", "Apple pie", "apple core"):
            self.create(setting(1), name=name, description=f"about {name}", is_active=name != "apple core")
        found = self.call("GET", "/api/workflows?q=APPLE&sort=name&is_active=true", expect=200)["items"]
        self.assertEqual([item["name"] for item in found], ["Apple pie"])
        found = self.call("GET", "/api/workflows?q=about+apple&sort=name", expect=200)["items"]
        self.assertEqual([item["name"] for item in found], ["apple core", "Apple pie"])
        self.call("GET", "/api/workflows?sort=colour", expect=400)

    # ---- import and export ------------------------------------------------------------------------------------------------------

    def test_a_document_is_exported_as_it_was_written_or_converted(self):
        made = self.create(setting(1))
        path = f"/api/workflows/{made['id']}/export"
        status, text, headers = self.server.request("GET", path)
        self.assertEqual((status, text), (200, setting(1)))
        self.assertIn("attachment", headers["Content-Disposition"])
        as_json = self.call("GET", f"{path}?format=json", expect=200)
        self.assertEqual(as_json["do"], [{"a": {"set": {"x": 1}}}])
        data = self.create(as_json)
        status, text, _ = self.server.request("GET", f"/api/workflows/{data['id']}/export?format=yaml")
        self.assertIn("      set:\n        x: 1\n", text)
        self.call("GET", f"{path}?format=xml", expect=400)

    def test_an_import_runs_and_names_what_it_could_not_translate(self):
        reply = self.call("POST", "/api/workflows/import", {"source": N8N, "is_active": True}, 201)
        self.assertEqual((reply["format"], reply["workflow"]["name"]), ("n8n", "Two ways"))
        self.assertEqual(self.execute(reply["workflow"], {"input": {"amount": 200}})["output"], {"said": "much: 200"})
        self.assertEqual(self.execute(reply["workflow"], {"input": {"amount": 2}})["output"], {"said": "little"})
        tasks = self.call("POST", "/api/workflows/import", {"source": TASKS, "format": "tasks", "dry_run": True}, 200)
        self.assertIsNone(tasks["workflow"])
        self.assertTrue(any("openai" in finding["message"] for finding in tasks["findings"]))
        self.call("POST", "/api/workflows/import", {"source": "just text"}, 422)

    def test_the_command_line_imports_without_a_server(self):
        source = os.path.join(self.folder.name, "tasks.yaml")
        with open(source, "w", encoding="utf-8") as file:
            file.write(TASKS)
        done = subprocess.run([binary(), "import", source, "--from", "tasks"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("openai", done.stderr)
        converted = os.path.join(self.folder.name, "converted.yaml")
        with open(converted, "w", encoding="utf-8") as file:
            file.write(done.stdout)
        self.assertEqual(subprocess.run([binary(), "validate", converted], capture_output=True, check=False).returncode, 0)
        self.assertEqual(subprocess.run([binary(), "import", source, "--from", "n8n"], capture_output=True, check=False).returncode, 2)

    # ---- webhooks ---------------------------------------------------------------------------------------------------------------

    def hook(self, metadata):
        made = self.create(document("hooked", "use: {secrets: [SIGNING]}\ndo:\n  - a: {set: {n: '${ .body.n }'}}\n",
                                    f", metadata: {{webhook: {metadata}}}"))
        return made, made["triggers"][0]["url"]

    def test_a_signed_delivery_is_taken_once_within_its_window(self):
        _, url = self.hook("{wait: true, secret: SIGNING, scheme: pawl}")
        body = b'{"n": 2}'
        good = {"X-Pawl-Signature": signature(body)}
        self.assertEqual(self.call("POST", url, body, 200, good), {"n": 2})
        replayed = self.call("POST", url, body, 404, good)
        unknown = self.call("POST", "/hooks/" + "x" * 43, body, 404)
        self.assertEqual(replayed["code"], unknown["code"], "a replay looks like an address that is not there")
        self.call("POST", url, body, 404, {"X-Pawl-Signature": signature(body, time.time() - 400)})
        self.call("POST", url, body, 404, {"X-Pawl-Signature": signature(body, time.time() + 400)})
        self.call("POST", url, body, 404, {"X-Pawl-Signature": signature(body, secret="other")})
        github = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.call("POST", url, body, 404, {"X-Hub-Signature-256": github})
        self.call("POST", url, body, 404)
        self.server.kill()
        self.server.start()
        self.call("POST", url, body, 404, good)
        later = {"X-Pawl-Signature": signature(body, time.time() + 2)}
        self.call("POST", url, body, 200, later)

    def test_a_sender_that_can_sign_is_never_taken_unsigned(self):
        self.call("POST", "/api/workflows", {"definition": document(
            "open", "do:\n  - a: {set: {x: 1}}\n", ", metadata: {webhook: {scheme: github}}")}, 422)

    def test_a_webhook_gets_another_address(self):
        made, url = self.hook("{wait: true}")
        rotated = self.call("POST", f"/api/workflows/{made['id']}/webhook/rotate", expect=200)
        fresh = rotated["triggers"][0]["url"]
        self.assertNotEqual(fresh, url)
        self.call("POST", url, {"n": 1}, 404)
        self.call("POST", fresh, {"n": 1}, 200)
        self.call("POST", f"/api/workflows/{self.create(setting(1))['id']}/webhook/rotate", expect=409)

    # ---- runs -------------------------------------------------------------------------------------------------------------------

    def test_a_run_is_forked_from_a_task_with_edited_input(self):
        made = self.create(document("chain", "do:\n  - a: {set: {n: '${ .n + 1 }'}}\n  - b: {set: {n: '${ .n * 10 }'}}\n"))
        run = self.execute(made, {"input": {"n": 1}})
        self.assertEqual(run["output"], {"n": 20})

        def forked(body):
            reply = self.call("POST", f"/api/runs/{run['id']}/fork", body, 202)
            return poll(lambda: (lambda view: view if view["status"] == "completed" else None)(
                self.call("GET", f"/api/runs/{reply['id']}", expect=200)), 10, "the fork's end")

        edited = forked({"from": "/do/1/b", "input": {"n": 5}})
        self.assertEqual(edited["output"], {"n": 50})
        self.assertEqual((edited["trigger"]["type"], edited["trigger"]["run_id"]), ("fork", run["id"]))
        self.assertEqual(edited["tasks"][0]["output"], {"n": 2})
        self.assertEqual(forked({})["output"], {"n": 20})
        self.assertEqual(self.call("GET", f"/api/runs/{run['id']}", expect=200)["output"], {"n": 20})
        self.call("POST", f"/api/runs/{run['id']}/fork", {"from": "/do/9/x"}, 422)
        self.call("POST", f"/api/runs/{UNKNOWN}/fork", {}, 404)

    def test_fifty_requests_with_one_key_start_one_run(self):
        made = self.create(setting(1))

        def ask(_):
            status, reply, _ = self.server.request("POST", f"/api/workflows/{made['id']}/execute", {"input": {}},
                                                   {"Idempotency-Key": "order-4711"})
            return status, reply.get("id")

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(ask, range(50)))
        self.assertEqual({status for status, _ in answers} - {200, 202}, set(), answers)
        self.assertEqual(len({run for _, run in answers}), 1)
        self.assertEqual(len(self.call("GET", f"/api/workflows/{made['id']}/executions", expect=200)["items"]), 1)
        self.call("POST", f"/api/workflows/{made['id']}/execute", {"input": {"other": 1}}, 422, {"Idempotency-Key": "order-4711"})
        self.server.kill()
        self.server.start()
        self.assertEqual(ask(0)[1], answers[0][1])

    def test_a_faulted_delivery_waits_as_a_dead_letter_and_is_replayed_once(self):
        made = self.create(document("fragile", "do:\n  - a: {set: {x: '${ if .body.ok then 1 else error(\"no\") end }'}}\n",
                                    ", metadata: {webhook: true}"))
        self.call("POST", made["triggers"][0]["url"], {"ok": False}, 202)

        def letters(status="waiting"):
            return self.call("GET", f"/api/dead-letters?workflow_id={made['id']}&status={status}", expect=200)["items"]

        letter = poll(letters, 10, "the letter")[0]
        self.assertEqual((letter["kind"], letter["trigger"]["type"], letter["input"]["body"]), ("run", "webhook", {"ok": False}))
        self.server.kill()
        self.server.start()
        self.assertEqual(letters()[0]["id"], letter["id"])
        self.call("PUT", f"/api/workflows/{made['id']}", {"definition": document(
            "fragile", "do:\n  - a: {set: {fixed: '${ .body.ok }'}}\n", ", metadata: {webhook: true}")}, 200)
        replayed = self.call("POST", f"/api/dead-letters/{letter['id']}/replay", expect=202)
        run = poll(lambda: (lambda view: view if view["status"] == "completed" else None)(
            self.call("GET", f"/api/runs/{replayed['id']}", expect=200)), 10, "the replay's end")
        self.assertEqual(run["output"], {"fixed": False})
        self.assertEqual(run["trigger"]["dead_letter_id"], letter["id"])
        self.assertEqual(self.call("POST", f"/api/dead-letters/{letter['id']}/replay", expect=202)["id"], replayed["id"])
        self.assertEqual(letters(), [])
        self.assertEqual(letters("replayed")[0]["replay_run_id"], replayed["id"])
        self.call("DELETE", f"/api/dead-letters/{letter['id']}", expect=204)
        self.call("GET", f"/api/dead-letters/{letter['id']}", expect=404)

    def test_a_run_that_somebody_waits_for_leaves_no_letter(self):
        made = self.create(document("asked", "do:\n  - a: {set: {x: '${ error(\"no\") }'}}\n"))
        self.assertEqual(self.execute(made)["status"], "faulted")
        self.assertEqual(self.call("GET", f"/api/dead-letters?workflow_id={made['id']}", expect=200)["items"], [])


if __name__ == "__main__":
    unittest.main()
