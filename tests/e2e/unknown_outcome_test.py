#!/usr/bin/env python3
"""proves: S4-M2, F3

A call that may have taken effect when the process was killed: each policy for it, against a real service that counts. None calls a second time in silence, the
run says what was done, and that the intent was written down before the call is what lets it know.
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


class Bank(http.server.ThreadingHTTPServer):
    """Takes payments (POST) and says what became of them (GET). While it is `slow` a payment is made and its answer never comes."""

    daemon_threads = True

    def __init__(self):
        bank = self
        self.slow = True
        self.calls = []  # (method, path, key)
        self.lock = threading.Lock()
        self.over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with bank.lock:
                    bank.calls.append(("POST", self.path, self.headers.get("Idempotency-Key")))
                    slow = bank.slow
                if slow:
                    bank.over.wait(60)
                self.answer({"paid": self.path})

            def do_GET(self):
                with bank.lock:
                    bank.calls.append(("GET", self.path, None))
                self.answer({"happened": "lost" not in self.path, "receipt": self.path} if "broken" not in self.path else ["nobody knows"])

            def answer(self, value):
                body = json.dumps(value).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked was killed

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def of(self, path):
        with self.lock:
            return [call for call in self.calls if call[1].endswith("/" + path)]


class UnknownOutcome(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.bank = Bank()
        cls.addClassCleanup(cls.bank.server_close)
        cls.addClassCleanup(cls.bank.shutdown)
        cls.addClassCleanup(cls.bank.over.set)
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.addClassCleanup(cls.server.stop)

    def call(self, method, path, body=None, status=200):
        got, reply, _ = self.server.request(method, path, body)
        self.assertEqual(got, status, reply)
        return reply

    def pay(self, name, policy):
        url = f"http://127.0.0.1:{self.bank.server_port}"
        text = (f"document: {{dsl: '1.0.3', namespace: test, name: pay-{name}, version: '1.0.0'}}\ndo:\n"
                f"  - pay:\n      call: http\n      with: {{method: post, endpoint: '{url}/pay/{name}', body: {{amount: 1}}}}\n"
                f"      metadata: {{effect: once{policy.replace('BANK', url)}}}\n")
        workflow = self.server.create_workflow(text)
        return self.call("POST", f"/api/workflows/{workflow}/execute", {}, 202)["id"]

    def ended(self, run):
        return poll(lambda: (lambda seen: seen if seen["status"] in ("completed", "faulted") else None)(self.call("GET", f"/api/runs/{run}")), 30,
                    "the run ends")

    def test_each_policy_is_kept_after_kill_9_and_none_calls_again_in_silence(self):
        """proves: S4-M2

        One kill in the middle of six payments, each under another policy; then what the bank was told, and what the runs say.
        """
        probe = ", on_unknown: {probe: {call: http, with: {method: get, endpoint: 'BANK/settled/%s'}}}"
        policies = {"default": "", "fail": ", on_unknown: fail", "keyed": ", on_unknown: retry-with-key", "asked": ", on_unknown: ask",
                    "done": probe % "done", "lost": probe % "lost", "broken": probe % "broken"}
        runs = {name: self.pay(name, policy) for name, policy in policies.items()}
        poll(lambda: all(self.bank.of(name) for name in policies), 20, "every payment is under way")
        self.server.kill()
        with self.bank.lock:
            self.bank.slow = False
        self.server.start()

        question = poll(lambda: self.call("GET", f"/api/approvals?run_id={runs['asked']}")["items"], 20, "somebody is asked")[0]
        self.assertEqual(len(self.bank.of("asked")), 1, "nothing happens before somebody answers")
        self.call("POST", f"/api/approvals/{question['id']}/approve", {"digest": question["digest"], "data": {"outcome": "repeat"}})

        views = {name: self.ended(run) for name, run in runs.items()}
        posts = {name: [call for call in self.bank.of(name) if call[0] == "POST"] for name in policies}
        gets = {name: [call for call in self.bank.of(name) if call[0] == "GET"] for name in policies}
        self.assertEqual({name: len(calls) for name, calls in posts.items()},
                         {"default": 1, "fail": 1, "keyed": 2, "asked": 2, "done": 1, "lost": 2, "broken": 1})
        self.assertEqual({name: len(calls) for name, calls in gets.items() if calls}, {"done": 1, "lost": 1, "broken": 1})
        for name in ("keyed", "asked", "lost"):
            keys = {call[2] for call in posts[name]}
            self.assertEqual(len(keys), 1, f"{name}: what is made again carries the same key")
            self.assertTrue(all(keys), name)
        for name in ("default", "fail", "broken"):
            self.assertEqual(views[name]["status"], "faulted", views[name])
            self.assertEqual(views[name]["error"]["title"], "Outcome unknown", name)
        for name in ("keyed", "asked", "done", "lost"):
            self.assertEqual(views[name]["status"], "completed", views[name])
        self.assertEqual(views["done"]["output"]["receipt"], "/settled/done")
        self.assertEqual(views["lost"]["output"]["paid"], "/pay/lost")
        said = {name: " ".join(line["text"] for task in view["tasks"] for line in task["logs"] or []) for name, view in views.items()}
        for name in ("keyed", "asked", "done", "lost", "broken"):
            self.assertIn("outcome unknown", said[name], f"{name}: {views[name]['tasks']}")


if __name__ == "__main__":
    unittest.main()
