#!/usr/bin/env python3
"""proves: S4-R3, O7, S4-A-P3

Soak and stress, bounded: memory and files do not grow with the work that was done, and more than the server takes is refused and hurts nobody.

    tests/load/soak_test.py                     # rounds of a few seconds
    PAWL_SOAK_ROUNDS=200 tests/load/soak_test.py    # as long as wished for

Each round is the same mix: workflows are executed and listed, one that fails, one that waits and is cancelled. After a warm-up (caches fill, pools
open) the process may not hold more than `GROWTH_KB` more than before at the end, nor more files.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, binary, poll  # noqa: E402

WARM_UP = 3
ROUNDS = int(os.environ.get("PAWL_SOAK_ROUNDS", "8"))
EXECUTIONS, LISTS = 400, 100  # a round
GROWTH_KB = 24 * 1024
CONNECTIONS, CROWD = 32, 200
HEAD = "document: {dsl: '1.0.3', namespace: soak, name: %s, version: '1.0.0'}\ndo:\n"
STEP = HEAD % "step" + "  - one: {set: {text: '${ [range(100)] }'}}\n"
FAILS = HEAD % "fails" + "  - one: {raise: {error: {type: 'https://example.com/errors/no', status: 400}}}\n"
WAITS = HEAD % "waits" + "  - one: {wait: {hours: 1}}\n"


def request(method, path, body=None):
    content = json.dumps(body) if body is not None else ""
    return (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}")


def load(port, connections, count, text, seconds=30):
    program = os.path.join(os.path.dirname(binary()), "bench_http_load")
    done = subprocess.run([program, str(port), str(connections), str(count), str(seconds)], input=text, capture_output=True, text=True,
                          timeout=seconds + 20, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


class Soak(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def start(self, **environment):
        self.server = Server(os.path.join(self.folder.name, "data"), extra_environment=environment).start()
        self.addCleanup(self.server.stop)

    def resident_kb(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as file:
            return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])

    def files(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def round(self, workflows):
        port = self.server.port
        done = load(port, 16, EXECUTIONS, request("POST", f"/api/workflows/{workflows['step']}/execute", {"wait": True}))
        self.assertEqual((done["completed"], done["refused"]), (EXECUTIONS, 0), done)
        load(port, 8, LISTS, request("GET", "/api/runs?limit=50"))
        load(port, 8, LISTS, request("POST", f"/api/workflows/{workflows['fails']}/execute", {"wait": True}))
        for _ in range(10):
            status, run, _ = self.server.request("POST", f"/api/workflows/{workflows['waits']}/execute", {})
            self.assertIn(status, (200, 202), run)
            self.assertLess(self.server.request("POST", f"/api/runs/{run['id']}/cancel", {})[0], 300)

    def test_memory_and_files_do_not_grow(self):
        self.start()
        workflows = {name: self.server.create_workflow(text) for name, text in (("step", STEP), ("fails", FAILS), ("waits", WAITS))}
        for _ in range(WARM_UP):
            self.round(workflows)
        memory, files = self.resident_kb(), self.files()
        began = time.monotonic()
        for _ in range(ROUNDS):
            self.round(workflows)
        grown = self.resident_kb() - memory
        print(f"soak: {ROUNDS} rounds of {EXECUTIONS + 2 * LISTS + 20} requests in {time.monotonic() - began:.1f} s: "
              f"{memory} kB and {grown:+d} kB, {files} files and {self.files() - files:+d}", file=sys.stderr)
        self.assertLess(grown, GROWTH_KB)
        self.assertLessEqual(self.files(), files + 4)

    def test_more_than_it_takes_is_refused_and_hurts_nobody(self):
        self.start(PAWL_MAX_CONNECTIONS=str(CONNECTIONS))
        workflow = self.server.create_workflow(STEP)
        outcomes, lock, ready = [], threading.Lock(), threading.Barrier(CROWD)

        def call():
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            ready.wait()
            try:
                connection.request("POST", f"/api/workflows/{workflow}/execute", body='{"wait": true}',
                                   headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"})
                reply = connection.getresponse()
                outcome = reply.status
                reply.read()
            except (OSError, http.client.HTTPException):
                outcome = "closed"
            finally:
                connection.close()
            with lock:
                outcomes.append(outcome)

        crowd = [threading.Thread(target=call, daemon=True) for _ in range(CROWD)]
        for each in crowd:
            each.start()
        for each in crowd:
            each.join(60)
        self.assertEqual(len(outcomes), CROWD, "somebody got neither an answer nor an end")
        self.assertLessEqual(set(outcomes), {200, 503, "closed"})
        self.assertGreaterEqual(outcomes.count(200), 1)
        print(f"stress: {CROWD} at once at {CONNECTIONS} places: {outcomes.count(200)} served, {outcomes.count(503)} told 503, "
              f"{outcomes.count('closed')} closed", file=sys.stderr)
        # A moment later it is as it was: ready, and whoever was told 200 finds the run.
        poll(lambda: self.server.request("GET", "/health/readiness")[0] == 200, 20, "readiness")
        total = sum(1 for _ in self.runs())
        self.assertEqual(total, outcomes.count(200))

    def runs(self):
        cursor = ""
        while cursor is not None:
            status, page, _ = self.server.request("GET", "/api/runs?limit=200" + (f"&cursor={cursor}" if cursor else ""))
            self.assertEqual(status, 200, page)
            yield from page["items"]
            cursor = page["next_cursor"]


if __name__ == "__main__":
    unittest.main()
