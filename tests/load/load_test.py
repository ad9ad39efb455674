#!/usr/bin/env python3
"""proves: S4-L2, S4-L5, S4-R3, S4-R5, O7, S4-A-P3

Load with thresholds: health, log-in, list, create and execute against the real server on SQLite and, where PAWL_TEST_DATABASE_URL names one, on
PostgreSQL, beside a bare Boost.Beast server in the same run. Bounded in requests and time, on loopback, ends what it starts.

    scripts/build release --tests && tests/load/load_test.py            # the thresholds
    tests/load/load_test.py --report                                    # ten times the load, and a table for docs/benchmarks.md

The thresholds lie far below what a machine with nothing else to do reaches: they find what has become slow by a factor. So does the gate: each
rate, divided by that of the bare server a moment before, may not be less than a fifth of what baseline.json says; `--record` writes that file anew.
`TARGETS` is what an installation should keep on a machine of its own; `--report` says which are missed there.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, binary  # noqa: E402

PASSWORD = "correct-horse-battery-staple"
STEP = "document: {dsl: '1.0.3', namespace: load, name: step, version: '1.0.0'}\ndo:\n  - one: {set: {n: 1}}\n"
ROWS = 100
LIMIT_SECONDS = 20
# name: connections, requests, least requests a second, most p99 in milliseconds
SCENARIOS = {
    "bare Beast": (64, 10_000, 1000, 500),
    "GET /health": (64, 10_000, 1000, 500),
    "POST /api/auth/login": (4, 20, 0.5, 15_000),
    "GET /api/workflows (100 rows)": (16, 1000, 25, 3000),
    "POST /api/workflows": (16, 500, 10, 5000),
    "POST .../execute (wait: true)": (64, 5000, 50, 5000),
}
# name: most p50 and p99 in milliseconds on two cores with nothing else to do, at the scenario's connections
TARGETS = {
    "GET /health": (2, 10),
    "POST /api/auth/login": (500, 1500),
    "GET /api/workflows (100 rows)": (20, 60),
    "POST /api/workflows": (20, 80),
    "POST .../execute (wait: true)": (10, 40),
}
BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
MARGIN = 5  # machines differ, and others work on them
report = "--report" in sys.argv
record = "--record" in sys.argv


def program(name):
    return os.path.join(os.path.dirname(binary()), name)


def request(method, path, body=None, bearer=API_KEY):
    text = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if bearer:
        text += f"Authorization: Bearer {bearer}\r\n"
    if body is None:
        return text + "\r\n"
    content = json.dumps(body)
    return f"{text}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"


class Load(unittest.TestCase):
    figures = {}  # (scenario, store) -> result
    bare = None   # requests a second of the yardstick

    @classmethod
    def setUpClass(cls):
        with open(BASELINE, encoding="utf-8") as file:
            cls.baseline = json.load(file)

    @classmethod
    def tearDownClass(cls):
        for (name, store), result in cls.figures.items():
            rate = result["completed"] / result["seconds"]
            p50, p99 = TARGETS.get(name, (0, 0))
            missed = " missed" if p99 and report and (result["p50_ms"] > p50 or result["p99_ms"] > p99) else ""
            target = f"{p50} / {p99} ms{missed}" if p99 else ""
            ratio = f"{rate / cls.bare:.5f}" if cls.bare else ""
            print(f"| {name} | {store} | {rate:,.1f} | {result['p50_ms']:.2f} | {result['p99_ms']:.2f} | {target} | {ratio} |", file=sys.stderr)
        if record:
            for (name, store), result in cls.figures.items():
                if store != "-":
                    cls.baseline.setdefault(store, {})[name] = float(f"{result['completed'] / result['seconds'] / cls.bare:.3g}")
            with open(BASELINE, "w", encoding="utf-8") as file:
                json.dump(cls.baseline, file, indent=2, sort_keys=True)
                file.write("\n")
        print(f"load average at the end: {' '.join(f'{each:.1f}' for each in os.getloadavg())}", file=sys.stderr)

    def load(self, name, store, port, text):
        connections, requests, least, most = SCENARIOS[name]
        done = subprocess.run([program("bench_http_load"), str(port), str(connections), str(requests * (10 if report else 1)), str(LIMIT_SECONDS)],
                              input=text, capture_output=True, text=True, timeout=LIMIT_SECONDS + 20, check=False)
        self.assertEqual(done.returncode, 0, f"{name} on {store}: {done.stderr}")
        result = json.loads(done.stdout)
        self.figures[name, store] = result
        self.assertEqual(result["refused"], 0, f"{name} on {store}: {result}")
        rate = result["completed"] / result["seconds"]
        self.assertGreaterEqual(rate, least, f"{name} on {store}: {result}")
        self.assertLessEqual(result["p99_ms"], most, f"{name} on {store}: {result}")
        before = self.baseline.get(store, {}).get(name)
        if self.bare and before and not record:
            self.assertGreaterEqual(rate / self.bare * MARGIN, before, f"{name} on {store} has become slower beside the bare server, which does "
                                                                       f"{self.bare:,.0f} a second in this run: {result}")
        return rate

    def yardstick(self):
        """In the same minute as what is measured beside it."""
        bare = subprocess.Popen([program("bench_http_hello"), "beast"], stdout=subprocess.PIPE, text=True)
        try:
            type(self).bare = self.load("bare Beast", "-", int(bare.stdout.readline()), request("GET", "/hello", bearer=None))
        finally:
            bare.terminate()
            bare.communicate(timeout=20)

    def all_scenarios(self, store):
        self.yardstick()
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.join(folder, "data")).start()
            try:
                account = {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"}
                self.assertEqual(server.request("POST", "/api/auth/register", account, {"Authorization": ""})[0], 201)
                workflow = [server.create_workflow(STEP, f"step {number}") for number in range(ROWS)][0]
                self.assertEqual(len(server.request("GET", f"/api/workflows?limit={ROWS}")[1]["items"]), ROWS)
                port = server.port
                self.load("GET /health", store, port, request("GET", "/health", bearer=None))
                self.load("GET /api/workflows (100 rows)", store, port, request("GET", f"/api/workflows?limit={ROWS}"))
                self.load("POST .../execute (wait: true)", store, port, request("POST", f"/api/workflows/{workflow}/execute", {"wait": True}))
                self.load("POST /api/auth/login", store, port,
                          request("POST", "/api/auth/login", {"email": account["email"], "password": PASSWORD}, bearer=None))
                self.load("POST /api/workflows", store, port, request("POST", "/api/workflows", {"definition": STEP}))
            finally:
                server.stop()

    def test_on_sqlite(self):
        os.environ.pop("PAWL_TEST_BACKEND", None)
        self.all_scenarios("SQLite")

    @unittest.skipUnless(os.environ.get("PAWL_TEST_DATABASE_URL"), "PAWL_TEST_DATABASE_URL is not set: PostgreSQL is NOT tested")
    def test_on_postgresql(self):
        os.environ["PAWL_TEST_BACKEND"] = "postgresql"
        self.addCleanup(os.environ.pop, "PAWL_TEST_BACKEND", None)
        self.all_scenarios("PostgreSQL")


if __name__ == "__main__":
    unittest.main(argv=[each for each in sys.argv if each not in ("--report", "--record")])
