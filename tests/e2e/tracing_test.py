#!/usr/bin/env python3
"""proves: S4-L1, O3, AI-H14

Traces at a collector: what of requests and runs comes there, how it hangs together, and that no content is in it.
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

CANARY = "canary-in-the-input-4711"
STEPS = """document: {dsl: '1.0.3', namespace: test, name: traced, version: '1.0.0'}
do:
  - one: {call: noop}
  - each: {for: {in: '${ [1, 2] }'}, do: [{inner: {call: log, with: {message: '${ .who }'}}}]}
"""
BROKEN = """document: {dsl: '1.0.3', namespace: test, name: broken, version: '1.0.0'}
do:
  - no: {raise: {error: {type: 'https://example.com/errors/no', status: 400}}}
"""


class Collector(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        collector = self
        self.texts, self.keys, self.status, self.lock = [], [], 200, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with collector.lock:
                    if self.path == "/v1/traces" and collector.status == 200:
                        collector.texts.append(body)
                        collector.keys.append(self.headers.get("X-Key"))
                self.send_response(collector.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def spans(self):
        with self.lock:
            requests = [json.loads(text) for text in self.texts]
        return [span for request in requests for resource in request["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]


def attributes(span):
    return {entry["key"]: next(iter(entry["value"].values())) for entry in span["attributes"]}


class Tracing(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.collector = Collector()
        self.addCleanup(self.collector.server_close)
        self.addCleanup(self.collector.shutdown)
        self.server = Server(os.path.join(self.folder.name, "data"), extra_environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.collector.server_address[1]}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=collectors-own-key", "OTEL_SERVICE_NAME": "pawl-test"}).start()
        self.addCleanup(self.server.stop)

    def run_once(self, text, expect):
        workflow = self.server.create_workflow(text)
        status, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"who": CANARY}, "wait": True})
        self.assertEqual((status, run["status"]), (200, expect), run)
        return run["id"]

    def spans_of(self, run, count):
        trace = run.replace("-", "")
        return poll(lambda: (lambda found: found if len(found) >= count else None)(
            [span for span in self.collector.spans() if span["traceId"] == trace]), 15, f"{count} spans")

    def test_a_run_is_a_trace_of_its_steps(self):
        run = self.run_once(STEPS, "completed")
        spans = self.spans_of(run, 5)
        root = [span for span in spans if "parentSpanId" not in span]
        self.assertEqual([span["name"] for span in root], ["invoke_workflow traced"])
        facts = attributes(root[0])
        self.assertEqual((facts["pawl.run.id"], facts["pawl.run.status"]), (run, "completed"))
        steps = [span for span in spans if span is not root[0]]
        self.assertEqual({span["parentSpanId"] for span in steps}, {root[0]["spanId"]})
        self.assertEqual(len({span["spanId"] for span in spans}), len(spans))
        self.assertEqual(sorted(attributes(span)["pawl.task.reference"] for span in steps).count("/do/1/each/do/0/inner"), 2)
        for span in spans:
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        requests = poll(lambda: [span for span in self.collector.spans() if span["name"].startswith("POST") and span["kind"] == 2], 15, "requests")
        self.assertEqual(attributes(requests[-1])["http.request.method"], "POST")
        with self.collector.lock:
            self.assertNotIn(CANARY, "".join(self.collector.texts))
            self.assertEqual(set(self.collector.keys), {"collectors-own-key"})
            resource = json.loads(self.collector.texts[0])["resourceSpans"][0]["resource"]
        self.assertEqual(attributes(resource)["service.name"], "pawl-test")

    def test_what_failed_is_marked(self):
        spans = self.spans_of(self.run_once(BROKEN, "faulted"), 2)
        self.assertEqual({span["status"].get("code") for span in spans}, {2})

    def test_a_collector_that_refuses_costs_no_run(self):
        self.collector.status = 503
        self.run_once(STEPS, "completed")
        poll(lambda: "were not taken by the collector" in self.server.tail(), 15, "the warning")
        self.assertNotIn("collectors-own-key", self.server.tail())


if __name__ == "__main__":
    unittest.main()
