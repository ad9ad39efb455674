#!/usr/bin/env python3
"""What must never happen, asked of the real server: looking at a document runs nothing, nothing that a workflow says is served as a page, the
trail has no switch, a crash leaves no memory behind. security-checks.md 3, 14, 29, 40; the others are named in docs/security-tests.md."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, binary  # noqa: E402

PAGE = "<script>alert(document.domain)</script>"


class Trap:
    """Listens on loopback and remembers that somebody came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.came = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(20)


def document(name, body, metadata="{}"):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {metadata}}}\n{body}"


class Safety(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.data = os.path.join(cls.folder.name, "data")
        cls.server = Server(cls.data).start()
        cls.addClassCleanup(cls.server.stop)

    def call(self, method, path, body=None, expect=200):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    # Point 3.
    def test_validating_importing_comparing_and_previewing_run_nothing(self):
        trap = Trap()
        self.addCleanup(trap.close)
        marker = os.path.join(self.data, "files", "executed.txt")

        def body(word):
            return (f"do:\n  - fetch: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{trap.port}/{word}'}}}}\n"
                    f"  - ask: {{call: llm, with: {{prompt: '{word}', base_url: 'http://127.0.0.1:{trap.port}'}}}}\n"
                    "  - write: {call: file-write, with: {path: executed.txt, content: x, allow_destructive: true}}\n"
                    "  - run: {call: shell-command, with: {command: 'touch executed.txt', allow_destructive: true}}\n")

        text = document("trap", body("one"))
        found = self.call("POST", "/api/workflows/validate", {"definition": text})
        body_ok = found["valid"]
        if not body_ok:  # the model's call has its parameters checked: without it the others remain
            text = document("trap", "".join(line + "\n" for line in body("one").splitlines() if "call: llm" not in line))
            found = self.call("POST", "/api/workflows/validate", {"definition": text})
        self.assertTrue(found["valid"], found)
        made = self.call("POST", "/api/workflows", {"definition": text, "is_active": False}, 201)
        other = text.replace("/one", "/two")
        self.call("PUT", f"/api/workflows/{made['id']}", {"definition": other})
        self.call("GET", f"/api/workflows/{made['id']}/versions/1/diff/2")
        self.call("GET", f"/api/workflows/{made['id']}/versions/2/capabilities")
        self.call("GET", f"/api/workflows/{made['id']}/versions/2")
        self.call("POST", f"/api/workflows/{made['id']}/rollback", {"version": 1})
        self.call("POST", "/api/workflows/import", {"source": text, "dry_run": True})
        self.call("PUT", f"/api/workflows/{made['id']}", {"is_active": True})
        run = self.call("POST", f"/api/workflows/{made['id']}/execute", {"dry_run": True, "wait": True})
        self.assertTrue(run.get("dry_run", True), run)
        file = os.path.join(self.folder.name, "trap.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
        for command in (["validate", "--capabilities", file], ["run", "--dry-run", file]):
            done = subprocess.run([binary(), *command], capture_output=True, text=True, check=False, cwd=self.folder.name,
                                  env={"PATH": os.environ["PATH"]}, timeout=60)
            self.assertEqual(done.returncode, 0, done)
        self.assertEqual(trap.came, 0, "somebody was called")
        self.assertFalse(os.path.exists(marker))
        self.assertFalse(os.path.exists(os.path.join(self.folder.name, "executed.txt")))

    # Point 14.
    def test_what_a_workflow_says_is_never_served_as_a_page(self):
        made = self.call("POST", "/api/workflows", {"definition": document(
            "page", f"do:\n  - say: {{set: {{html: '{PAGE}'}}}}\noutput: {{as: '${{ .html }}'}}\n", "{webhook: {wait: true}}")}, 201)
        url = next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")
        run = self.call("POST", f"/api/workflows/{made['id']}/execute", {"wait": True})
        self.assertEqual(run["output"], PAGE)
        for method, path in (("POST", urllib.parse.urlsplit(url).path), ("GET", f"/api/runs/{run['id']}"),
                             ("GET", "/api/" + PAGE.replace(" ", "")), ("GET", f"/api/workflows?q={urllib.parse.quote(PAGE)}")):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            connection.request(method, urllib.parse.quote(path, safe="/?=%"), body="{}" if method == "POST" else None,
                               headers={"Authorization": f"Bearer {self.server.environment['PAWL_API_KEY']}", "Content-Type": "application/json"})
            reply = connection.getresponse()
            reply.read()
            connection.close()
            self.assertRegex(reply.headers["Content-Type"], r"^application/(problem\+)?json", path)
            self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff", path)
            self.assertIn("default-src 'none'", reply.headers["Content-Security-Policy"], path)

    # Point 40.
    def test_the_trail_has_no_route_that_changes_it(self):
        paths = self.call("GET", "/api/openapi.json")["paths"]
        audit = {path: sorted(set(operations) & {"get", "put", "post", "patch", "delete"})
                 for path, operations in paths.items() if "/audit" in path}
        self.assertGreaterEqual(len(audit), 5)
        self.assertEqual({tuple(methods) for methods in audit.values()}, {("get",)}, audit)
        self.assertEqual([path for path in paths if "audit" in json.dumps(paths[path].get("put", {}).get("requestBody", {}))], [])

    # Point 29.
    def test_a_crash_leaves_no_memory_behind(self):
        with open(f"/proc/{self.server.process.pid}/limits", encoding="ascii") as limits:
            core = next(line for line in limits if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"], core)
        with tempfile.TemporaryDirectory() as folder:
            refused = subprocess.run(
                [binary(), "config"], capture_output=True, text=True, check=False, cwd=folder,
                env={"PATH": os.environ["PATH"], "ENVIRONMENT": "production", "PAWL_CORE_DUMPS": "true"})
            self.assertIn("PAWL_CORE_DUMPS", refused.stdout + refused.stderr)


if __name__ == "__main__":
    unittest.main()
