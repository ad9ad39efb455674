#!/usr/bin/env python3
"""proves: W10

What a run does at its end: compensations of what had finished, then `finally`; across `kill -9`, in views, capabilities and dry runs.
"""

import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, poll  # noqa: E402

DOCUMENT = """
document:
  dsl: '1.0.3'
  namespace: test
  name: order
  version: '1.0.0'
  metadata:
    finally:
      - close: {call: http, with: {method: post, endpoint: 'SHOP/close', body: {how: '${ $status }', why: '${ $error.instance }'}}}
do:
  - reserve:
      call: http
      with: {method: post, endpoint: 'SHOP/stock/reserve'}
      metadata: {compensate: {call: http, with: {method: post, endpoint: 'SHOP/stock/undo', body: {number: '${ $task.output.number }'}}}}
  - charge:
      call: http
      with: {method: post, endpoint: 'SHOP/payment/charge'}
      metadata: {compensate: {call: http, with: {method: post, endpoint: 'SHOP/payment/undo', body: {number: '${ $task.output.number }'}}}}
  - ship: {call: http, with: {method: post, endpoint: 'SHOP/shipping/book'}}
"""


class Shop(http.server.ThreadingHTTPServer):
    """Numbers its calls; holds those to one path until it may answer them; does what it is asked once for each key."""

    daemon_threads = True

    def __init__(self):
        self.calls = []
        self.held = None
        self.go = threading.Event()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Till)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def keys(self, path):
        with self.lock:
            return [key for each, key, _ in self.calls if each == path]

    def paths(self):
        with self.lock:
            return [each for each, _, _ in self.calls]


class Till(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        with self.server.lock:
            self.server.calls.append((self.path, self.headers.get("Idempotency-Key"), body))
            number = len(self.server.calls)
        if self.path == self.server.held:
            self.server.go.wait(30)
        data = json.dumps({"number": number}).encode()
        self.send_response(409 if self.path == "/shipping/book" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Compensation(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.shop = Shop()
        self.server = Server(os.path.join(self.folder.name, "data")).start()

    def tearDown(self):
        self.shop.go.set()
        self.server.stop()
        self.shop.shutdown()
        self.shop.server_close()
        self.folder.cleanup()

    def call(self, method, path, body=None, expect=200):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def definition(self):
        return DOCUMENT.replace("SHOP", f"http://127.0.0.1:{self.shop.server_port}")

    def create(self):
        return self.call("POST", "/api/workflows", {"definition": self.definition()}, 201)

    def ended(self, run):
        def view():
            found = self.call("GET", f"/api/runs/{run}")
            return found if found["status"] in ("completed", "faulted", "cancelled") else None
        return poll(view, 20, "the run ends")

    def test_W10_across_kill_9_each_compensation_takes_effect_once(self):
        workflow = self.create()
        self.shop.held = "/stock/undo"
        run = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {}, 202)["id"]
        poll(lambda: self.shop.keys("/stock/undo"), 20, "the second compensation is under way")
        open_run = self.call("GET", f"/api/runs/{run}")
        self.assertEqual(open_run["status"], "running")
        self.assertEqual(open_run["waiting_reason"], "answer of http /do/0/reserve/metadata/compensate")
        self.server.kill()
        self.shop.held = None
        self.shop.go.set()
        self.server.start()
        view = self.ended(run)
        self.assertEqual((view["status"], view["error"]["instance"]), ("faulted", "/do/2/ship"))
        for path in ("/stock/reserve", "/payment/charge", "/shipping/book", "/payment/undo", "/close"):
            self.assertEqual(len(self.shop.keys(path)), 1, path)
        undone = self.shop.keys("/stock/undo")
        self.assertEqual((len(undone), len(set(undone))), (2, 1), "the one under way again, with its key")
        told = {path: body for path, _, body in self.shop.calls}
        self.assertEqual((told["/payment/undo"], told["/stock/undo"]), ({"number": 2}, {"number": 1}))
        self.assertEqual(told["/close"], {"how": "faulted", "why": "/do/2/ship"})
        self.assertEqual([(task["reference"], task["status"]) for task in view["tasks"]],
                         [("/do/0/reserve", "completed"), ("/do/1/charge", "completed"), ("/do/2/ship", "faulted"),
                          ("/do/1/charge/metadata/compensate", "completed"), ("/do/0/reserve/metadata/compensate", "completed"),
                          ("/document/metadata/finally/0/close", "completed")])
        # What was undone cannot go on; from the beginning it can.
        self.assertEqual(self.call("POST", f"/api/runs/{run}/retry", {}, 409)["code"], "run.not_retryable")
        self.assertEqual(self.call("POST", f"/api/runs/{run}/fork", {"from": "/do/2/ship"}, 409)["code"], "run.not_forkable")
        fork = self.call("POST", f"/api/runs/{run}/fork", {}, 202)["id"]
        self.assertEqual(self.ended(fork)["status"], "faulted")
        self.assertEqual(len(self.shop.keys("/payment/undo")), 2)

    def test_W10_a_cancelled_run_is_undone(self):
        workflow = self.create()
        self.shop.held = "/shipping/book"
        run = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {}, 202)["id"]
        poll(lambda: self.shop.keys("/shipping/book"), 20, "the last call is under way")
        self.call("POST", f"/api/runs/{run}/cancel", {}, 202)
        self.assertEqual(self.ended(run)["status"], "cancelled")
        self.assertEqual(self.shop.paths()[3:], ["/payment/undo", "/stock/undo", "/close"])

    def test_W10_a_run_that_is_undone_is_not_broken_off_by_another_cancel(self):
        workflow = self.create()
        self.shop.held = "/payment/undo"
        run = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {}, 202)["id"]
        poll(lambda: self.shop.keys("/payment/undo"), 20, "the first compensation is under way")
        for _ in range(3):
            self.assertEqual(self.call("POST", f"/api/runs/{run}/cancel", {}, 202)["status"], "running")
        self.shop.go.set()
        self.assertEqual(self.ended(run)["status"], "faulted")
        self.assertEqual(self.shop.paths()[3:], ["/payment/undo", "/stock/undo", "/close"])

    def test_W10_they_are_among_what_a_workflow_may_reach_and_in_its_graph(self):
        workflow = self.create()
        reached = self.call("GET", f"/api/workflows/{workflow['id']}/versions/1/capabilities")
        self.assertEqual(reached["hosts"][0]["tasks"],
                         ["/do/0/reserve", "/do/0/reserve/metadata/compensate", "/do/1/charge", "/do/1/charge/metadata/compensate",
                          "/do/2/ship", "/document/metadata/finally/0/close"])
        drawn = self.call("POST", "/api/workflows/validate", {"definition": self.definition()})["graph"]
        self.assertIn({"from": "/do/2/ship", "to": "/document/metadata/finally/0/close", "label": "finally"}, drawn["edges"])
        dry = self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"dry_run": True, "wait": 30})
        tasks = self.call("GET", f"/api/runs/{dry['id']}")["tasks"]
        self.assertIn("/document/metadata/finally/0/close", [task["reference"] for task in tasks])
        self.assertEqual(self.shop.paths(), [], "a dry run calls nobody")


if __name__ == "__main__":
    unittest.main()
