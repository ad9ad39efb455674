#!/usr/bin/env python3
"""proves: O5, S0-R4, FA-1

Several nodes over one PostgreSQL: one works, the others stand by and take over. Nothing is lost, nothing is done twice.
"""

import contextlib
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Background, Server, Services, binary, poll  # noqa: E402

KEYS = {"SECRET_KEY": hashlib.sha256(b"of both nodes").hexdigest(), "ENCRYPTION_KEY": hashlib.sha256(b"of both, too").hexdigest()}
END_WORKERS = ("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and "
               "classid = hashtext('pawl engine')::oid and objid = hashtext('{schema}')::oid")


def document(name, body, metadata=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{metadata}}}\n{body}"


class Service:
    """Notes what the steps of runs do: the path, the number of the run, the key. `/held/...` answers when the test says so."""

    def __init__(self):
        service = self
        self.calls = []
        self.release = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
                service.calls.append((self.path, body["n"], self.headers.get("Idempotency-Key")))
                if self.path == "/held":
                    service.release.wait(60)
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # nodes that are killed hang up

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def task(self, path):
        return f"{{call: http, with: {{method: put, endpoint: '{self.url}{path}', body: {{n: '${{ $workflow.input.n }}'}}}}}}"

    def numbers(self, path):
        return sorted(number for each, number, _ in self.calls if each == path)

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Standby(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        # Directly below /tmp: the servers run as another user.
        cls.services = Services(tempfile.mkdtemp(prefix="pawl-services-", dir="/tmp"))

    @classmethod
    def tearDownClass(cls):
        cls.services.stop()
        cls.folder.cleanup()

    def setUp(self):
        self.schema = self._testMethodName[:60].lower()
        self.sql(f"create schema {self.schema}")
        self.service = Service()
        url = f"{self.services.database_url}?options=-csearch_path%3D{self.schema}"
        place = os.path.join(self.folder.name, self.schema)
        os.mkdir(place)
        environment = {**KEYS, "DATABASE_URL": url}
        self.nodes = [Server(os.path.join(place, name), extra_environment=environment) for name in ("first", "second")]

    def tearDown(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
            node.stop()
        self.service.stop()

    def sql(self, statement):
        subprocess.run(["psql", "-q", "-X", self.services.database_url, "-c", statement], check=True, capture_output=True)

    def readiness(self, node):
        try:
            status, reply, _ = node.request("GET", "/health/readiness", timeout=5)
            return "ready" if status == 200 else reply["status"]
        except OSError:
            return "gone"

    def start_both(self):
        active, standby = self.nodes
        active.start()
        standby.launch()
        poll(lambda: self.readiness(standby) == "standby", 30, "the second node stands by")
        return active, standby

    def wait_ready(self, node):
        began = time.monotonic()
        poll(lambda: self.readiness(node) == "ready", 60, f"the node takes over: {node.tail()}")
        return time.monotonic() - began

    def anywhere(self, method, path, body=None, headers=None, seconds=60):
        """A client that asks the nodes in turn until one does what it wants."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for node in self.nodes:
                with contextlib.suppress(OSError):
                    status, reply, _ = node.request(method, path, body, headers)
                    if status < 500:
                        return status, reply
        raise RuntimeError(f"{method} {path}: no node answered in {seconds} s")

    def run_view(self, node, run):
        status, view, _ = node.request("GET", f"/api/runs/{run}")
        self.assertEqual(status, 200, view)
        return view

    def wait_completed(self, node, runs):
        for run in runs:
            poll(lambda run=run: self.run_view(node, run)["status"] == "completed", 60, f"the run ends: {self.run_view(node, run)}")

    def keep_executing(self, workflow, stop, acknowledged):
        """Threads of clients that try again under the same key until their run is accepted."""
        def client(name):
            number = 0
            while not stop.is_set():
                number += 1
                key = f"{name}-{number}"
                status, reply = self.anywhere("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": key}, "wait": True},
                                              {"Idempotency-Key": key})
                # 202: it was started, and who waited was sent away by the end of its node.
                self.assertIn(status, (200, 202), reply)
                acknowledged[key] = reply["id"]
        return [Background(lambda name=name: client(name)) for name in ("a", "b", "c")]

    def all_runs(self, node, workflow):
        found, cursor = [], ""
        while True:
            _, page, _ = node.request("GET", f"/api/workflows/{workflow}/executions?limit=100{cursor}")
            found += page["items"]
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"

    # ---- waiting --------------------------------------------------------------------------------------------------------------

    def test_O5_a_second_node_is_alive_and_not_ready(self):
        _, standby = self.start_both()
        status, reply, headers = standby.request("GET", "/health/readiness")
        self.assertEqual((status, reply["status"], reply["checks"], headers["Retry-After"]), (503, "standby", {}, "1"))
        for path in ("/health/liveness", "/api/live"):
            self.assertEqual(standby.request("GET", path)[:2][0], 200)
        for method, path in (("GET", "/"), ("GET", "/api/workflows"), ("POST", "/api/workflows/x/execute"), ("GET", "/health"),
                             ("GET", "/health/detailed"), ("DELETE", "/api/runs/1"), ("GET", "/metrics"), ("GET", "/assets/x.js")):
            status, reply, headers = standby.request(method, path)
            self.assertEqual((status, reply["code"], headers["Retry-After"]), (503, "node.standby", "1"), (method, path))
        self.assertIn("stands by on", standby.tail())
        done = subprocess.run([binary(), "migrate", "status", "--data-dir", os.path.join(self.folder.name, "third")],
                              env=standby.environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another Pawl process", done.stderr)
        standby.process.send_signal(signal.SIGTERM)
        self.assertEqual(standby.process.wait(10), 0)

    # ---- taking over ----------------------------------------------------------------------------------------------------------

    def test_O5_S0_R4_a_node_that_is_killed_is_replaced(self):
        active, standby = self.start_both()
        steps = active.create_workflow(document("steps", f"do:\n  - first: {self.service.task('/first')}\n  - nap: {{wait: {{seconds: 2}}}}\n"
                                                         f"  - second: {self.service.task('/second')}\n"))
        held = active.create_workflow(document("held", f"do:\n  - call: {self.service.task('/held')}\n"))
        load = active.create_workflow(document("load", f"do:\n  - call: {self.service.task('/step')}\n"))
        ticking = active.create_workflow(document("tick", "schedule: {every: {milliseconds: 500}}\ndo:\n  - say: {set: {x: 1}}\n",
                                                  ", metadata: {misfire: catch-up}"))
        runs = [active.request("POST", f"/api/workflows/{steps}/execute", {"input": {"n": n}})[1]["id"] for n in range(20)]
        called = active.request("POST", f"/api/workflows/{held}/execute", {"input": {"n": 0}})[1]["id"]
        poll(lambda: self.service.numbers("/held"), 30, "a call is under way")
        poll(lambda: all(self.run_view(active, run)["status"] == "waiting" for run in runs), 30, "the runs rest between their steps")
        stop, acknowledged = threading.Event(), {}
        clients = self.keep_executing(load, stop, acknowledged)
        poll(lambda: len(acknowledged) > 10, 30, "load")
        active.kill()
        took = self.wait_ready(standby)
        before = len(acknowledged)
        poll(lambda: len(acknowledged) > before + 10, 30, "load on the second node")
        stop.set()
        for client in clients:
            client.join(60)
        self.service.release.set()
        self.wait_completed(standby, [*runs, called, *acknowledged.values()])
        for path in ("/first", "/second"):
            self.assertEqual(self.service.numbers(path), list(range(20)), path)
        keys = {key for path, _, key in self.service.calls if path == "/held"}
        self.assertEqual((len(self.service.numbers("/held")), len(keys)), (2, 1), "what was interrupted is done again under its key")
        poll(lambda: len(self.all_runs(standby, ticking)) >= 6, 30, "firings")
        ticks = self.all_runs(standby, ticking)
        dues = sorted(self.run_view(standby, run["id"])["trigger"]["due"] for run in ticks)
        times = [datetime.fromisoformat(due.replace("Z", "+00:00")).timestamp() for due in dues]
        self.assertEqual([round(b - a, 3) for a, b in zip(times, times[1:])], [0.5] * (len(times) - 1), "each time fires once")
        self.assertLess(took, 15)
        print(f"taken over {took:.2f} s after kill -9; {len(acknowledged)} acknowledged under load, {len(times)} firings, each once")

    def test_O5_a_rolling_restart_loses_and_repeats_nothing(self):
        active, standby = self.start_both()
        load = active.create_workflow(document("load", f"do:\n  - call: {self.service.task('/step')}\n"))
        stop, acknowledged = threading.Event(), {}
        clients = self.keep_executing(load, stop, acknowledged)
        poll(lambda: len(acknowledged) > 20, 30, "load")
        gaps = []
        for _ in range(2):
            active.process.send_signal(signal.SIGTERM)
            self.assertEqual(active.process.wait(30), 0)
            gaps.append(self.wait_ready(standby))
            active.launch()
            before = len(acknowledged)
            poll(lambda before=before: len(acknowledged) > before + 20, 30, "load goes on")
            poll(lambda node=active: self.readiness(node) == "standby", 30, "the node that was restarted stands by")
            active, standby = standby, active
        stop.set()
        for client in clients:
            client.join(60)
        self.wait_completed(active, acknowledged.values())
        steps = self.service.numbers("/step")
        self.assertEqual(len(steps), len(set(steps)), "no finished step is done again")
        self.assertLessEqual(set(acknowledged), set(steps))
        runs = self.all_runs(active, load)
        self.assertEqual(len(runs), len(set(steps)), "one run for each key")
        print(f"two hand-overs, {gaps[0]:.2f} s and {gaps[1]:.2f} s; {len(acknowledged)} acknowledged, {len(runs)} runs")

    # ---- fencing --------------------------------------------------------------------------------------------------------------

    def test_O5_a_node_that_slept_through_its_replacement_writes_nothing_more(self):
        active, standby = self.start_both()
        load = active.create_workflow(document("load", f"do:\n  - call: {self.service.task('/step')}\n"))
        nap = active.create_workflow(document("nap", f"do:\n  - nap: {{wait: {{seconds: 1}}}}\n  - call: {self.service.task('/nap')}\n"))
        napping = [active.request("POST", f"/api/workflows/{nap}/execute", {"input": {"n": n}})[1]["id"] for n in range(10)]
        done = [active.request("POST", f"/api/workflows/{load}/execute", {"input": {"n": n}, "wait": True})[1]["id"] for n in range(10)]
        active.process.send_signal(signal.SIGSTOP)
        # What a client sends now, the sleeper finds when it wakes.
        answers = []
        late = [Background(lambda n=n: answers.append(self.late(active, load, n))) for n in range(100, 105)]
        self.sql(END_WORKERS.format(schema=self.schema))
        took = self.wait_ready(standby)
        self.wait_completed(standby, [*done, *napping])
        active.process.send_signal(signal.SIGCONT)
        for thread in late:
            thread.join(30)
        self.assertEqual(active.process.wait(30), 1)
        self.assertTrue(all(answer is None or answer >= 500 for answer in answers), answers)
        self.assertIn("another Pawl process has taken the work over", active.tail())
        self.assertEqual(self.service.numbers("/step"), list(range(10)))
        self.assertEqual(self.service.numbers("/nap"), list(range(10)))
        self.assertEqual({run["id"] for run in self.all_runs(standby, load)}, set(done))
        status, reply, _ = standby.request("POST", f"/api/workflows/{load}/execute", {"input": {"n": 10}, "wait": True})
        self.assertEqual((status, reply["status"]), (200, "completed"), reply)
        active.launch()
        poll(lambda: self.readiness(active) == "standby", 30, "started again it stands by")
        print(f"taken over {took:.2f} s after the sleeper's session had ended; {len(answers)} late requests, none accepted")

    def late(self, node, workflow, number):
        try:
            return node.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": number}}, timeout=60)[0]
        except OSError:
            return None

    # ---- the database -------------------------------------------------------------------------------------------------------------

    def test_O5_a_restarted_database_finds_one_node_at_work(self):
        active, standby = self.start_both()
        load = active.create_workflow(document("load", f"do:\n  - call: {self.service.task('/step')}\n"))
        nap = active.create_workflow(document("nap", f"do:\n  - nap: {{wait: {{seconds: 2}}}}\n  - call: {self.service.task('/nap')}\n"))
        napping = [active.request("POST", f"/api/workflows/{nap}/execute", {"input": {"n": n}})[1]["id"] for n in range(5)]
        stop, acknowledged = threading.Event(), {}
        clients = self.keep_executing(load, stop, acknowledged)
        poll(lambda: len(acknowledged) > 20, 30, "load")
        self.services.run("restart-postgresql")
        restarted, before = time.monotonic(), len(acknowledged)
        poll(lambda: len(acknowledged) > before + 20, 60, "load after the restart")
        took = time.monotonic() - restarted
        stop.set()
        for client in clients:
            client.join(60)
        states = [self.readiness(node) for node in self.nodes]
        self.assertEqual(states.count("ready"), 1, states)
        worker = self.nodes[states.index("ready")]
        self.wait_completed(worker, [*acknowledged.values(), *napping])
        self.assertEqual(self.service.numbers("/nap"), list(range(5)))
        if worker is active:
            active.kill()
            self.wait_ready(standby)
        print(f"work goes on {took:.1f} s after the restart, at the {'same' if worker is active else 'other'} node")


if __name__ == "__main__":
    unittest.main()
