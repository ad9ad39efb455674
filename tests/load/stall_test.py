#!/usr/bin/env python3
"""proves: S4-H1, S4-A-P1, S4-R1, AI-H3

Ten workflows, each executed ten times at once, call an upstream that takes the request and stays silent: `/health` answers all the same, its 95th
percentile below 100 ms. When the upstream comes back to life, every run completes. The same with a hundred requests of `/api/llm/generate`.
"""

import http.client
import os
import socket
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Background, Server, poll  # noqa: E402

WORKFLOWS, EXECUTIONS, PROBES, BOUND_MS = 10, 10, 200, 100


class Stalling:
    """Accepts and reads, and answers nobody before `release`."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.held = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.hold, args=(connection,), daemon=True).start()

    def hold(self, connection):
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                data = connection.recv(4096)
                if not data:
                    return
                received += data
            with self.lock:
                self.held.append(connection)
            self.released.wait()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"text\": \"hi\"}")

    def close(self):
        self.released.set()
        self.listener.close()


class Stall(unittest.TestCase):
    def test_health_answers_at_once_while_a_hundred_calls_stall(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        upstream = Stalling()
        self.addCleanup(upstream.close)
        server = Server(os.path.join(folder.name, "data")).start()
        self.addCleanup(server.stop)
        workflows = [server.create_workflow(
            f"document: {{dsl: '1.0.3', namespace: test, name: generate-{number}, version: '1.0.0'}}\ndo:\n  - ask: {{call: http, with: "
            f"{{method: post, endpoint: 'http://127.0.0.1:{upstream.port}/v1/generate', body: {{prompt: hello}}}}}}\n")
            for number in range(WORKFLOWS)]
        answers = []

        def execute(workflow):
            answers.append(server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 60}, timeout=90))

        callers = [Background(lambda workflow=workflow: execute(workflow)) for workflow in workflows for _ in range(EXECUTIONS)]
        poll(lambda: len(upstream.held) == WORKFLOWS * EXECUTIONS, 30, "every call to be under way")
        self.check_health(server, upstream)
        self.assertEqual(len(answers), 0, "the calls stalled all the while")
        upstream.released.set()
        for caller in callers:
            caller.join(90)
        self.assertEqual([(status, reply["status"]) for status, reply, _ in answers], [(200, "completed")] * (WORKFLOWS * EXECUTIONS))

    def test_health_answers_at_once_while_a_hundred_questions_to_a_model_stall(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        upstream = Stalling()
        self.addCleanup(upstream.close)
        server = Server(os.path.join(folder.name, "data"), extra_environment={
            "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream.port}/v1", "OPENAI_API_KEY": "key", "OPENAI_MODEL": "m",
            "LLM_MAX_CONCURRENT": str(WORKFLOWS * EXECUTIONS), "RATE_LIMIT_LLM_PER_MINUTE": "10000"}).start()
        self.addCleanup(server.stop)
        answers = []

        def generate():
            status, reply, _ = server.request("POST", "/api/llm/generate", {"prompt": "hello", "provider": "openai-compatible"}, timeout=90)
            answers.append((status, reply.get("code")))

        callers = [Background(generate) for _ in range(WORKFLOWS * EXECUTIONS)]
        poll(lambda: len(upstream.held) == WORKFLOWS * EXECUTIONS, 30, "every question to be under way")
        self.check_health(server, upstream)
        self.assertEqual(len(answers), 0, "the questions stalled all the while")
        upstream.released.set()
        for caller in callers:
            caller.join(90)
        self.assertEqual(answers, [(503, "llm.protocol")] * (WORKFLOWS * EXECUTIONS), "what came was no model's answer: each is told so")

    def check_health(self, server, upstream):
        # Other work on the machine only ever adds to a measurement: the best of three is nearest to what the server does.
        percentiles = []
        while len(percentiles) < 3 and min(percentiles, default=BOUND_MS) >= BOUND_MS:
            percentiles.append(self.measure(server))
        print(f"/health beside {len(upstream.held)} stalling calls: p95 {min(percentiles):.1f} ms", file=sys.stderr)
        self.assertLess(min(percentiles), BOUND_MS, percentiles)

    def measure(self, server):
        """The 95th percentile in ms, each request on a connection of its own."""
        times = []
        for _ in range(PROBES):
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", "/health")
            reply = connection.getresponse()
            reply.read()
            connection.close()
            times.append((time.monotonic() - began) * 1000)
            self.assertEqual(reply.status, 200)
        return sorted(times)[int(PROBES * 0.95) - 1]


if __name__ == "__main__":
    unittest.main()
