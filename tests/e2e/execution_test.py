#!/usr/bin/env python3
"""proves: W5, FA-5, N-2, N-12, N-13, AI-M12, AI-M16, AI-H13

That runs really do what their documents say, seen from the outside: at a service that the test itself plays.
"""

import hashlib
import hmac
import http.server
import json
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, poll  # noqa: E402


def document(name, body, metadata=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{metadata}}}\n{body}"


class Service:
    """Notes what is asked of it; `/busy` answers 503 twice before it answers, `/slow` when the test says so."""

    def __init__(self):
        service = self
        self.requests = []
        self.release = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
                service.requests.append((time.monotonic(), self.path, body, self.headers.get("Idempotency-Key")))
                if self.path == "/slow":
                    service.release.wait(30)
                seen = sum(1 for each in service.requests if each[1] == self.path)
                reply = json.dumps({"seen": seen}).encode()
                self.send_response(503 if self.path == "/busy" and seen <= 2 else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Execution(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.service = Service()
        self.server = Server(os.path.join(self.folder.name, "data"), extra_environment={"PAWL_SECRET_SIGNING": "hook-signing-words"}).start()

    def tearDown(self):
        self.server.stop()
        self.service.stop()
        self.folder.cleanup()

    def call(self, method, path, body=None, expect=None, headers=None):
        status, reply, _ = self.server.request(method, path, body, headers)
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def create(self, definition, **members):
        return self.call("POST", "/api/workflows", {"definition": definition, **members}, 201)

    def post(self, name, path, around="{task}"):
        task = f"{{call: http, with: {{method: post, endpoint: '{self.service.url}{path}', body: {{order: '${{ .order }}'}}}}}}"
        return self.create(document(name, "do:\n  - send: " + around.format(task=task) + "\n"))

    def test_FA_5_N_2_a_run_that_the_api_starts_does_its_work_and_ends(self):
        made = self.post("send", "/orders")
        run = self.call("POST", f"/api/workflows/{made['id']}/execute", {"input": {"order": 7}}, 202)
        view = poll(lambda: (lambda seen: seen if seen["status"] == "completed" else None)(
            self.call("GET", f"/api/runs/{run['id']}", expect=200)), 10, "the run ends")
        self.assertEqual([(path, body) for _, path, body, _ in self.service.requests], [("/orders", {"order": 7})])
        self.assertEqual(view["output"], {"seen": 1})

    def test_FA_5_a_dry_run_does_nothing_to_the_outside(self):
        made = self.post("send", "/orders")
        self.call("POST", f"/api/workflows/{made['id']}/execute", {"input": {"order": 7}, "wait": True, "dry_run": True}, 200)
        self.assertEqual(self.service.requests, [])

    def test_AI_M16_calls_that_fail_are_made_again_with_growing_delays_and_one_key(self):
        around = ("{{try: [{{it: {task}}}], catch: {{retry: {{delay: {{milliseconds: 200}}, backoff: {{exponential: {{}}}}, "
                  "limit: {{attempt: {{count: 4}}}}}}}}}}")
        made = self.post("again", "/busy", around)
        view = self.call("POST", f"/api/workflows/{made['id']}/execute", {"input": {"order": 1}, "wait": True}, 200)
        self.assertEqual((view["status"], view["output"]), ("completed", {"seen": 3}), view)
        times = [at for at, _, _, _ in self.service.requests]
        self.assertEqual(len(times), 3)
        first, second = times[1] - times[0], times[2] - times[1]
        self.assertGreaterEqual(first, 0.2)
        self.assertGreaterEqual(second, 0.4)

    def test_W5_a_run_tells_the_attempts_of_its_tasks(self):
        around = "{{try: [{{it: {task}}}], catch: {{retry: {{delay: {{milliseconds: 50}}, limit: {{attempt: {{count: 5}}}}}}}}}}"
        workflow = self.post("attempts", "/busy", around)
        run = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"input": {"order": 1}, "wait": 30}, 200)
        self.assertEqual(run["status"], "completed", run)
        for task in ("/do/0/send", "/do/0/send/try/0/it"):
            attempts = poll(lambda: (lambda found: found if len(found) == 3 else None)(
                self.call("GET", f"/api/runs/{run['id']}/attempts?task={task}", expect=200)["items"]), 10, "the trail has all three")
            self.assertEqual([(each["number"], each["outcome"]) for each in attempts], [(1, "failure"), (2, "failure"), (3, "success")])
            self.assertEqual([bool(each["error"]) for each in attempts], [True, True, False])
            for before, after in zip(attempts, attempts[1:]):
                self.assertLess(before["ended_at"], after["ended_at"])
        self.assertEqual(self.call("GET", f"/api/runs/{run['id']}/attempts?task=/do/0/sen", expect=200)["items"], [])
        self.call("GET", f"/api/runs/{run['id']}/attempts", expect=400)

    def test_W5_a_value_of_a_run_is_read_alone_and_in_parts(self):
        workflow = self.create(document("large", (
            "do:\n  - many: {set: {list: '${ [range(5000) | {id: ., text: \"item \\(.)\"}] }', small: 1}}\n"
            "  - round: {for: {each: x, in: '${ [1, 2] }'}, do: [{say: {set: {word: '${ \"round \\($x)\" }'}}}]}\n")))
        run = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"input": {"who": "Ada"}, "wait": 30}, 200)
        self.assertEqual(run["status"], "completed", run)
        path = f"/api/runs/{run['id']}"
        whole = self.call("GET", path, expect=200)
        thin = self.call("GET", f"{path}?max_value=1000", expect=200)
        many, thin_many = whole["tasks"][0], thin["tasks"][0]
        self.assertIsNone(thin_many["output"])
        self.assertGreater(thin_many["left_out"]["output"], 100_000)
        self.assertEqual(thin_many["input"], {"who": "Ada"})
        self.assertEqual(thin["input"], {"who": "Ada"})
        self.assertNotIn("left_out", thin)
        self.assertNotIn("left_out", many)

        def value(expect=200, **query):
            return self.call("GET", f"{path}/value?{urllib.parse.urlencode(query)}", expect=expect)

        self.assertEqual(value(of="input")["value"], {"who": "Ada"})
        outline = value(of="output", task="/do/0/many")
        self.assertEqual((outline["kind"], outline["size"]), ("object", 2))
        self.assertNotIn("value", outline)
        listed, small = outline["members"]
        self.assertEqual((listed["name"], listed["kind"], listed["size"]), ("list", "array", 5000))
        self.assertNotIn("value", listed)
        self.assertEqual((small["name"], small["value"]), ("small", 1))
        part = value(of="output", task="/do/0/many", pointer="/list", offset=4990, limit=5)
        self.assertEqual([each["value"]["id"] for each in part["members"]], [4990, 4991, 4992, 4993, 4994])
        self.assertEqual(part["next_offset"], 4995)
        self.assertNotIn("next_offset", value(of="output", task="/do/0/many", pointer="/list", offset=4995))
        self.assertEqual(value(of="output", task="/do/0/many", pointer="/list/7/text")["value"], "item 7")
        self.assertEqual(value(of="output", task="/do/0/many", max_value=1 << 20)["value"], many["output"])
        self.assertEqual(value(of="output", task="/do/1/round/do/0/say", iteration="1")["value"], {"word": "round 2"})
        for wrong in ({"of": "all"}, {}, {"of": "input", "limit": 5000}, {"of": "input", "iteration": "a"}, {"of": "input", "more": 1}):
            value(400, **wrong)
        for nowhere in ({"of": "output", "task": "/do/9"}, {"of": "input", "pointer": "/x"}, {"of": "output", "task": "/do/0/many", "nth": 1}):
            value(404, **nowhere)

    def test_AI_M12_a_stop_lets_calls_end_and_keeps_what_waits(self):
        made = self.post("slow", "/slow")
        path = f"/api/workflows/{made['id']}/execute"
        active = self.call("POST", path, {"input": {"order": 1}, "concurrency_key": "k"}, 202)
        queued = self.call("POST", path, {"input": {"order": 2}, "concurrency_key": "k"}, 202)
        poll(lambda: self.service.requests, 10, "the call is under way")
        self.server.process.send_signal(signal.SIGTERM)
        poll(lambda: self.refuses_connections(), 10, "nobody is let in any more")
        self.service.release.set()
        self.assertEqual(self.server.process.wait(timeout=20), 0)
        self.server.start()
        self.assertEqual(self.call("GET", f"/api/runs/{active['id']}", expect=200)["output"], {"seen": 1})
        poll(lambda: self.call("GET", f"/api/runs/{queued['id']}", expect=200)["status"] == "completed", 10, "the queue goes on")
        self.assertEqual([body["order"] for _, _, body, _ in self.service.requests], [1, 2], "no call is made twice")

    def refuses_connections(self):
        try:
            self.server.request("GET", "/health/liveness", timeout=2)
            return False
        except OSError:
            return True

    def test_AI_H13_the_api_has_a_version_in_its_path(self):
        made = self.post("send", "/orders")
        for path in ("/api/workflows", f"/api/workflows/{made['id']}", "/api/runs", "/api/plugins"):
            self.assertEqual(self.call("GET", path, expect=200), self.call("GET", path.replace("/api/", "/api/v1/"), expect=200))
        self.call("GET", "/api/v2/workflows", expect=404)

    def test_N_12_lists_show_a_change_at_once(self):
        made = self.post("send", "/orders")
        names = lambda: [each["name"] for each in self.call("GET", "/api/workflows", expect=200)["items"]]  # noqa: E731
        for n in range(20):
            self.call("PUT", f"/api/workflows/{made['id']}", {"name": f"name {n}"}, 200)
            self.assertEqual(names(), [f"name {n}"])
        self.call("DELETE", f"/api/workflows/{made['id']}", expect=204)
        self.assertEqual(names(), [])

    def test_N_13_a_webhook_believes_no_secret_that_its_caller_sends(self):
        body = "use: {secrets: [SIGNING]}\ndo:\n  - say: {set: {x: 1}}\n"
        made = self.create(document("hook", body, ", metadata: {webhook: {wait: true, secret: SIGNING}}"))
        url = next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")
        own = "callers-own-secret"
        payload = json.dumps({"secret": own, "n": 1}).encode()
        signed = {"X-Hub-Signature-256": "sha256=" + hmac.new(own.encode(), payload, hashlib.sha256).hexdigest()}
        for extra in ({}, {"X-Webhook-Secret": own}, {"X-Hub-Secret": own}):
            self.call("POST", f"{url}?secret={own}", payload, 404, {**signed, **extra})
        signed = {"X-Hub-Signature-256": "sha256=" + hmac.new(b"hook-signing-words", payload, hashlib.sha256).hexdigest()}
        self.call("POST", f"{url}?secret={own}", payload, 200, signed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
