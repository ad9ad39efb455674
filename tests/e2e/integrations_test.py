#!/usr/bin/env python3
"""proves: F6, S0-14, S4-D1, S0-R5, FA-10, S4-O9, S4-M4

Integrations against the real binary: masked everywhere, really tested, used by workflows toward their own hosts only, re-sealed when the
key changes. A canary secret must appear in nothing that the program writes.
"""

import http.server
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Background, Server, binary  # noqa: E402
from people import PASSWORD, Person  # noqa: E402
import subprocess  # noqa: E402

CANARY = "canary-secret-4711-0815"
FIRST = "Zx8vQ2mN7kL4tR9wB1yC6hJ3fD5gS0aE"
SECOND = "u7Yt4Re2Wq9Az6Sx3Dc8Vf5Bg1Nh0Mj2"
HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
NOBODY = "01900000-0000-7000-8000-000000000000"


class Service:
    """An API on loopback: `answers` maps a path to status and body; keeps what it was asked."""

    def __init__(self):
        service = self
        self.answers = {}
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                service.requests.append((self.path, dict(self.headers)))
                status, body = service.answers.get(self.path, (404, "{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class IntegrationsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.data = os.path.join(self.folder.name, "data")
        self.service = Service()
        self.addCleanup(self.service.close)
        self.server = None
        self.start({"ENCRYPTION_KEY": FIRST})
        self.addCleanup(lambda: self.server.stop())
        self.seen = []

    # proves: S0-R5
    def test_a_masked_secret_is_not_sent_to_another_address(self):
        made = self.call("POST", "/api/integrations", {"connector": "http", "name": "svc", "config": {
            "base_url": "https://service.example", "header_value": CANARY}}, 201)
        path = f"/api/integrations/{made['id']}"
        config = {**made["config"], "base_url": f"http://127.0.0.1:{self.service.port}"}
        reply = self.call("PUT", path, {"config": config}, 422)
        self.assertEqual([error["pointer"] for error in reply["errors"]], ["/config/header_value"])
        self.assertEqual(self.call("GET", path, expect=200)["config"]["base_url"], "https://service.example")
        self.call("PUT", path, {"config": {**config, "header_value": "another"}}, 200)

    # proves: O8
    def test_stopping_during_a_test_of_an_integration_ends_well(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.start({"ENCRYPTION_KEY": FIRST, "PAWL_STOP_SECONDS": "1"})
        made = self.call("POST", "/api/integrations", {"connector": "http", "name": "slow", "config": {
            "base_url": f"http://127.0.0.1:{silent.getsockname()[1]}", "header_value": CANARY}}, 201)

        def ask():
            try:
                self.server.request("POST", f"/api/integrations/{made['id']}/test", {}, timeout=40)
            except OSError:
                pass  # the server ends
        asking = Background(ask)
        connection, _ = silent.accept()
        self.addCleanup(connection.close)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(timeout=40), 0, self.server.tail())
        asking.join(40)

    def start(self, environment):
        if self.server:
            self.server.stop()
        self.server = Server(self.data, extra_environment={"LOG_LEVEL": "debug", **environment}).start()

    def call(self, method, path, body=None, expect=None):
        status, reply, _ = self.server.request(method, path, body)
        self.seen.append(json.dumps(reply))
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def make(self, name="ours", expect=201):
        return self.call("POST", "/api/integrations", {
            "connector": "github", "name": name,
            "config": {"access_token": CANARY, "base_url": f"http://127.0.0.1:{self.service.port}"}}, expect)

    def run_to_end(self, definition, expect_status):
        workflow = self.server.create_workflow(definition)
        view = self.call("POST", f"/api/workflows/{workflow}/execute", {"input": {}, "wait": True})
        self.assertEqual(view["status"], expect_status, view)
        return view

    def written(self):
        """Everything the program has written: replies, log, data folder."""
        parts = [part.encode() for part in self.seen]
        with open(self.server.log.name, "rb") as log:
            parts.append(log.read())
        for folder, _, files in os.walk(self.data):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    parts.append(file.read())
        return b"\n".join(parts)

    def test_lists_the_connectors_with_their_schemas(self):
        connectors = {c["name"]: c for c in self.call("GET", "/api/integrations/connectors", expect=200)["items"]}
        self.assertEqual(sorted(connectors), ["anthropic", "dropbox", "email", "github", "googledrive", "http", "openai", "postgres", "s3",
                                              "slack"])
        self.assertTrue(connectors["github"]["config_schema"]["properties"]["access_token"]["writeOnly"])

    def test_masks_on_every_read_and_keeps_the_secret_through_an_update(self):
        made = self.make()
        self.assertEqual(made["config"]["access_token"], "********")
        path = f"/api/integrations/{made['id']}"
        self.assertEqual(self.call("GET", path, expect=200)["config"]["access_token"], "********")
        self.assertEqual(self.call("GET", "/api/integrations", expect=200)["items"][0]["config"]["access_token"], "********")
        changed = self.call("PUT", path, {"name": "renamed", "config": {**made["config"], "repository": "a/b"}}, 200)
        self.assertEqual(changed["config"]["repository"], "a/b")
        self.service.answers = {"/user": (200, '{"login": "x"}'), "/repos/a/b": (200, '{"full_name": "a/b"}')}
        self.assertEqual(self.call("POST", path + "/test", {}, 200)["status"], "ok")
        self.assertEqual(self.service.requests[-1][1]["Authorization"], f"Bearer {CANARY}")
        self.call("DELETE", path, expect=204)
        self.call("GET", path, expect=404)
        self.assertNotIn(CANARY.encode(), self.written())

    def test_refuses_what_the_schema_forbids_with_all_findings(self):
        reply = self.call("POST", "/api/integrations", {"connector": "s3", "name": "x", "config": {"bucket_name": "B", "more": CANARY}}, 422)
        pointers = {error["pointer"] for error in reply["errors"]}
        self.assertIn("/config/bucket_name", pointers)
        self.assertNotIn(CANARY, json.dumps(reply))
        self.call("POST", "/api/integrations", {"connector": "fax", "name": "x", "config": {}}, 422)
        self.call("POST", "/api/integrations", {"connector": "github", "name": "x", "config": {}, "id": NOBODY}, 422)
        self.make("twice")
        self.make("twice", 409)
        self.call("GET", f"/api/integrations/{NOBODY}", expect=404)

    def test_tests_really_ask_the_service(self):
        made = self.make()
        path = f"/api/integrations/{made['id']}"
        for status, body, expected in [(200, '{"login": "x"}', "ok"), (401, "{}", "failed"), (200, "<html>", "failed")]:
            self.service.answers["/user"] = (status, body)
            reply = self.call("POST", path + "/test", {}, 200)
            self.assertEqual(reply["status"], expected, reply)
            self.assertGreaterEqual(reply["latency_ms"], 0)
        self.assertTrue(self.call("GET", path, expect=200)["last_error"])

    def test_workflows_use_it_by_name_and_toward_its_own_host_only(self):
        self.make()
        self.service.answers["/issues"] = (200, '{"ok": true}')
        call = HEADER + """use: {secrets: [ours]}
do:
  - ask:
      call: http
      with: {method: get, endpoint: 'http://%s:%d/issues', headers: {Authorization: '${ "Bearer " + $secrets.ours.access_token }'}}
"""
        self.run_to_end(call % ("good", "127.0.0.1", self.service.port), "completed")
        self.assertEqual(self.service.requests[-1][1]["Authorization"], f"Bearer {CANARY}")
        asked = len(self.service.requests)
        view = self.run_to_end(call % ("bad", "localhost", self.service.port), "faulted")
        self.assertIn("ours", json.dumps(view))
        self.assertEqual(len(self.service.requests), asked, "nothing was sent")
        policy = HEADER % "policy" + """use: {secrets: [ours]}
do:
  - ask:
      call: http
      with: {method: get, endpoint: {uri: 'http://127.0.0.1:%d/issues', authentication: {bearer: {use: ours}}}}
""" % self.service.port
        self.run_to_end(policy, "completed")
        self.assertEqual(self.service.requests[-1][1]["Authorization"], f"Bearer {CANARY}")
        self.assertNotIn(CANARY.encode(), self.written())

    def test_s4_o9_what_a_service_echoes_is_kept_and_shown_without_the_secret(self):
        self.make()
        self.service.answers = {"/echo": (200, json.dumps({"you_sent": f"Bearer {CANARY}", "host": "127.0.0.1"})),
                                "/bad": (500, json.dumps({"error": f"no such key {CANARY}"}))}
        ask = HEADER % "%s" + """use: {secrets: [ours]}
do:
  - held: {set: {secret: '${ $secrets.ours.access_token }', coded: '${ $secrets.ours.access_token | @base64 }'}}
  - ask: {call: http, with: {method: get, endpoint: {uri: 'http://127.0.0.1:%d/%s'}}}
"""
        view = self.run_to_end(ask % ("echo", self.service.port, "echo"), "completed")
        self.assertEqual(view["output"], {"you_sent": "Bearer [redacted]", "host": "127.0.0.1"})
        runs = [view["id"], self.run_to_end(ask % ("bad", self.service.port, "bad"), "faulted")["id"]]
        for run in runs:
            for path in ("", "/events", "/tasks"):
                self.seen.append(json.dumps(self.server.request("GET", f"/api/runs/{run}{path}")[1]))
        self.seen.append(json.dumps(self.call("GET", "/api/audit?limit=200")))
        self.server.stop()  # everything is on disk
        for form in (CANARY, "Y2FuYXJ5LXNlY3JldC00NzExLTA4MT"):
            self.assertNotIn(form.encode(), self.written())
        self.server = Server(self.data, extra_environment={"ENCRYPTION_KEY": FIRST}).start()

    def keys(self, *arguments, environment):
        return subprocess.run([binary(), "keys", *arguments, "--data-dir", self.data], capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], **environment})

    def test_the_key_is_exchanged_without_a_gap(self):
        made = self.make()
        self.service.answers["/user"] = (200, '{"login": "x"}')
        test = f"/api/integrations/{made['id']}/test"
        hook = self.server.create_workflow("document:\n  {dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0', metadata: {webhook: true}}\n"
                                           "do:\n  - a: {set: {n: 1}}\n")
        address = [t for t in self.call("GET", f"/api/workflows/{hook}", expect=200)["triggers"] if t["type"] == "webhook"][0]["url"]
        ada = Person(self.server, "ada@example.org")
        self.assertEqual(ada.call("POST", "/api/auth/totp/setup", {"password": PASSWORD})[0], 200)
        both = {"ENCRYPTION_KEY": SECOND, "ENCRYPTION_KEY_PREVIOUS": FIRST}
        self.start(both)
        self.assertEqual(self.call("POST", test, {}, 200)["status"], "ok")
        self.server.stop()
        lost = self.keys("rotate", environment={"ENCRYPTION_KEY": SECOND})
        self.assertEqual(lost.returncode, 1, lost)
        self.assertIn("keys.cannot_open", lost.stderr)
        self.assertIn(made["id"], lost.stderr)
        dry = self.keys("rotate", "--dry-run", environment=both)
        self.assertEqual(dry.returncode, 0, dry)
        for column in ("integrations.sealed_config", "users.sealed_totp_seed", "webhooks.sealed_token"):
            self.assertRegex(dry.stdout, column + r" +1 rows, 1 to be sealed anew")
        self.assertEqual(self.keys("status", environment={"ENCRYPTION_KEY": SECOND}).returncode, 1)
        done = self.keys("rotate", environment=both)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"users.sealed_totp_seed +1 rows, 1 sealed anew")
        self.assertRegex(done.stdout, r"webhooks.sealed_token +1 rows, 1 sealed anew")
        self.assertEqual(self.keys("status", environment={"ENCRYPTION_KEY": SECOND}).returncode, 0)
        self.server = Server(self.data, extra_environment={"ENCRYPTION_KEY": SECOND}).start()
        self.assertEqual(self.call("POST", test, {}, 200)["status"], "ok")
        again = [t for t in self.call("GET", f"/api/workflows/{hook}", expect=200)["triggers"] if t["type"] == "webhook"][0]["url"]
        self.assertEqual(again, address)
        self.server.stop()
        self.server = Server(self.data, extra_environment={"ENCRYPTION_KEY": FIRST}).start()
        reply = self.call("POST", test, {}, 500)
        self.assertNotIn(CANARY, json.dumps(reply))


if __name__ == "__main__":
    unittest.main()
