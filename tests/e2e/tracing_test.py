#!/usr/bin/env python3
"""proves: A2, S4-L1, O3, AI-H14, FA-16, S4-R2

Traces at a collector: what of requests, runs, the database and calls to the outside comes there, how it hangs together with callers and with
those who are called, and that no content is in it.
"""

import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import API_KEY, Server, poll  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\ndo:"
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


class Upstream(http.server.ThreadingHTTPServer):
    """Somebody who is called; keeps what it was told of the trace."""
    daemon_threads = True

    def __init__(self):
        upstream = self
        self.contexts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                upstream.contexts.append(self.headers.get("traceparent"))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


AGENT = """document: {dsl: '1.0.3', namespace: test, name: asked, version: '1.0.0'}
do:
  - ask:
      call: agent
      with:
        model: scripted/clerk
        prompt: ${ .who }
        tools: [{name: stock, description: How much is there., function: transform, parameters: {type: object, properties: {}},
                 with: {expression: '{mugs: "canary-in-the-answer-4712"}', input: {}}}]
"""
OPEN_AGENT = """document: {dsl: '1.0.3', namespace: test, name: open, version: '1.0.0'}
use: {secrets: [STOCK]}
do:
  - ask:
      call: agent
      with:
        model: scripted/clerk
        instructions: Count the mugs.
        prompt: ${ .who }
        tools: [{name: stock, description: How much is there., function: transform, parameters: {type: object, properties: {}},
                 with: {expression: '{mugs: "canary-in-the-answer-4712", note: .note, password: .password}',
                        input: {note: '${ $secrets.STOCK }', password: hush-4715}}}]
  - told: {call: llm, with: {model: scripted/echo, prompt: '%s'}}
""" % API_KEY
CLERK = """replies:
  - {match: {turn: 1}, tool_calls: [{name: stock, arguments: {}}]}
  - {content: 'canary-of-the-model-4713'}
"""
CALLERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLERS_SPAN = "00f067aa0ba902b7"


def traceparent(sampled=True):
    return {"traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-0{int(sampled)}"}


def attributes(span):
    return {entry["key"]: next(iter(entry["value"].values())) for entry in span["attributes"]}


class Tracing(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.collector = Collector()
        self.addCleanup(self.collector.server_close)
        self.addCleanup(self.collector.shutdown)
        self.start()

    def start(self, **more):
        self.server = Server(os.path.join(self.folder.name, "data"), extra_environment={
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.collector.server_address[1]}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=collectors-own-key", "OTEL_SERVICE_NAME": "pawl-test", **more}).start()
        self.addCleanup(self.server.stop)

    def restart(self, **more):
        self.server.stop()
        self.start(**more)

    def span_of_request(self, name, trace=None):
        """The newest span of a request; with `trace` of that trace."""
        found = poll(lambda: [span for span in self.collector.spans() if span["name"] == name and span["kind"] == 2
                              and trace in (None, span["traceId"])], 15, name)
        return found[-1]

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

    def test_agents_models_and_tools_have_the_names_of_the_conventions_and_no_content(self):
        """A2: OpenTelemetry's conventions for generative AI: the agent, each of its turns with model and tokens, each call of a tool. Nothing of
        what was asked, answered or given to tools is in any span."""
        self.restart(LLM_SCRIPTS=write_scripts(self.folder.name, {"clerk": CLERK}))
        run = self.run_once(AGENT, "completed")
        spans = {}
        for span in self.spans_of(run, 5):
            spans.setdefault(span["name"], []).append(span)
        [agent], [tool], turns = spans["invoke_agent ask"], spans["execute_tool stock"], spans["chat clerk"]
        self.assertEqual((attributes(agent)["gen_ai.operation.name"], attributes(agent)["gen_ai.agent.name"]), ("invoke_agent", "ask"))
        self.assertEqual((attributes(tool)["gen_ai.operation.name"], attributes(tool)["gen_ai.tool.name"]), ("execute_tool", "stock"))
        self.assertEqual({attributes(turn)["pawl.task.reference"] for turn in turns}, {f"/do/0/ask/agent/turn/{i}" for i in range(2)})
        for turn in turns:
            facts = attributes(turn)
            self.assertEqual((turn["kind"], facts["gen_ai.operation.name"], facts["gen_ai.provider.name"], facts["gen_ai.request.model"]),
                             (3, "chat", "scripted", "clerk"))
            self.assertGreater(int(facts["gen_ai.usage.input_tokens"]), 0)
            self.assertGreater(int(facts["gen_ai.usage.output_tokens"]), 0)
        reasons = {attributes(turn)["gen_ai.response.finish_reasons"]["values"][0]["stringValue"] for turn in turns}
        self.assertEqual(reasons, {"tool_calls", "stop"})
        with self.collector.lock:
            told = "".join(self.collector.texts)
        for content in (CANARY, "canary-in-the-answer-4712", "canary-of-the-model-4713", "How much is there"):
            self.assertNotIn(content, told)

    def test_contents_are_told_where_the_installation_asks_for_them_and_secrets_all_the_same_not(self):
        """A2, S4-O9: `PAWL_TRACE_CONTENT` puts what models and tools are told and say into their spans, in the form of the conventions. What is known
        as a secret, of the installation or of the run, and what stands under the name of one is not among it."""
        self.restart(LLM_SCRIPTS=write_scripts(self.folder.name, {"clerk": CLERK, "echo": [{"content": "You said {{user}}"}]}),
                     PAWL_TRACE_CONTENT="true", PAWL_SECRET_STOCK="canary-secret-of-the-run-4714")
        run = self.run_once(OPEN_AGENT, "completed")
        spans = {}
        for span in self.spans_of(run, 6):
            spans.setdefault(span["name"], []).append(attributes(span))
        first, second = sorted(spans["chat clerk"], key=lambda facts: len(facts["gen_ai.input.messages"]))
        user = {"role": "user", "parts": [{"type": "text", "content": CANARY}]}
        call = {"type": "tool_call", "name": "stock", "arguments": {}}
        self.assertEqual(json.loads(first["gen_ai.input.messages"]), [user])
        self.assertEqual(json.loads(first["gen_ai.system_instructions"]), [{"type": "text", "content": "Count the mugs."}])
        self.assertEqual([tool["description"] for tool in json.loads(first["gen_ai.tool.definitions"])], ["How much is there."])
        [said] = json.loads(first["gen_ai.output.messages"])
        [part] = said["parts"]
        self.assertEqual((said["role"], said["finish_reason"], {**part, "id": None}), ("assistant", "tool_call", {**call, "id": None}))
        asked, called, answered = json.loads(second["gen_ai.input.messages"])
        self.assertEqual((asked, called["parts"]), (user, [part]))
        [response] = answered["parts"]
        self.assertEqual((answered["role"], response["type"], response["id"]), ("tool", "tool_call_response", part["id"]))
        self.assertEqual(response["response"], {"mugs": "canary-in-the-answer-4712", "note": "[redacted]", "password": "[redacted]"})
        self.assertEqual(json.loads(second["gen_ai.output.messages"])[0]["parts"], [{"type": "text", "content": "canary-of-the-model-4713"}])
        [tool] = spans["execute_tool stock"]
        self.assertEqual(json.loads(tool["gen_ai.tool.call.result"]), {"mugs": "canary-in-the-answer-4712", "note": "[redacted]", "password": "[redacted]"})
        self.assertIn('"note":"[redacted]"', tool["gen_ai.tool.call.arguments"].replace("\\", "").replace(" ", ""))
        [echo] = spans["chat echo"]
        self.assertEqual(json.loads(echo["gen_ai.output.messages"])[0]["parts"][0]["content"], "You said [redacted]")
        with self.collector.lock:
            told = "".join(self.collector.texts)
        for secret in ("canary-secret-of-the-run-4714", API_KEY, "hush-4715"):
            self.assertNotIn(secret, told)

    def test_a_call_that_fails_tells_what_it_was_asked(self):
        """A2: also one that nobody may make, for it carries a secret to a model: without the secret."""
        self.restart(LLM_SCRIPTS=write_scripts(self.folder.name, {"echo": [{"content": "You said {{user}}"}]}), PAWL_TRACE_CONTENT="true",
                     PAWL_SECRET_STOCK="canary-secret-of-the-run-4714")
        run = self.run_once((HEADER % "telling").replace("do:", "use: {secrets: [STOCK]}\ndo:") + """
  - tell: {call: llm, with: {model: scripted/echo, prompt: '${ "It is " + $secrets.STOCK }'}}
""", "faulted")
        [task] = [attributes(span) for span in self.spans_of(run, 2) if span.get("parentSpanId")]
        self.assertEqual(json.loads(task["gen_ai.input.messages"])[0]["parts"][0]["content"], "It is [redacted]")
        self.assertNotIn("gen_ai.output.messages", task)
        self.assertRegex(task["error.type"], r"^\d{3}$")
        with self.collector.lock:
            self.assertNotIn("secret-of-the-run-4714", "".join(self.collector.texts))

    def test_a_request_that_asks_a_model_names_the_prompt_and_its_version(self):
        """A2, A6: prompts of the program are files with versions (src/models/prompts), and the trace says which one was asked with."""
        plan = {"execution_strategy": "sequential", "task_order": ["one", "each"], "parallel_groups": [], "estimated_duration": "a second",
                "llm_suggestions": "none", "risks": [], "optimizations": [], "explanation": "canary-of-the-model-4713"}
        self.restart(LLM_SCRIPTS=write_scripts(self.folder.name, {"planner": [{"content": plan}]}))
        status, reply, _ = self.server.request("POST", "/api/llm/plan", {"workflow_spec": STEPS, "model": "scripted/planner"})
        self.assertEqual(status, 200, reply)
        request = self.span_of_request("POST /api/llm/plan")
        [span] = poll(lambda: [span for span in self.collector.spans() if span["name"] == "chat planner"], 15, "the model's span")
        facts = attributes(span)
        self.assertEqual((span["parentSpanId"], span["traceId"], span["kind"]), (request["spanId"], request["traceId"], 3))
        self.assertEqual((facts["gen_ai.prompt.name"], facts["gen_ai.provider.name"], facts["gen_ai.operation.name"]), (reply["prompt"], "scripted", "chat"))
        self.assertRegex(facts["gen_ai.prompt.name"], r"^plan@\d+$")
        self.assertGreater(int(facts["gen_ai.usage.output_tokens"]), 0)
        status, _, _ = self.server.request("POST", "/api/llm/generate", {"prompt": CANARY, "model": "scripted/nobody"})
        self.assertNotEqual(status, 200)
        [failed] = poll(lambda: [span for span in self.collector.spans() if span["name"] == "chat nobody"], 15, "the one that failed")
        self.assertEqual((failed["status"]["code"], attributes(failed)["error.type"]), (2, "llm.invalid_request"))
        self.assertNotIn("gen_ai.prompt.name", attributes(failed))
        with self.collector.lock:
            told = "".join(self.collector.texts)
        for content in (CANARY, "canary-of-the-model-4713"):
            self.assertNotIn(content, told)

    def test_what_failed_is_marked(self):
        spans = self.spans_of(self.run_once(BROKEN, "faulted"), 2)
        self.assertEqual({span["status"].get("code") for span in spans}, {2})

    def test_a_collector_that_refuses_costs_no_run(self):
        self.collector.status = 503
        self.run_once(STEPS, "completed")
        poll(lambda: "were not taken by the collector" in self.server.tail(), 15, "the warning")
        self.assertNotIn("collectors-own-key", self.server.tail())

    def test_what_the_database_did_stands_beneath_the_request(self):
        self.assertEqual(self.server.request("GET", f"/api/workflows?q={CANARY}")[0], 200)
        request = self.span_of_request("GET /api/workflows")
        below = poll(lambda: [span for span in self.collector.spans() if span.get("parentSpanId") == request["spanId"]], 15, "the database")
        facts = attributes(below[0])
        self.assertIn(facts["db.system.name"], ("sqlite", "postgresql"))
        self.assertTrue(facts["db.query.text"].startswith("select"), facts)
        self.assertGreaterEqual(int(facts["pawl.database.statements"]), 1)
        self.assertEqual({span["traceId"] for span in below}, {request["traceId"]})
        self.server.create_workflow(STEPS)
        created = self.span_of_request("POST /api/workflows")
        poll(lambda: [span for span in self.collector.spans() if span.get("parentSpanId") == created["spanId"]
                      and span["name"].startswith("write ")], 15, "the write")
        with self.collector.lock:
            self.assertNotIn(CANARY, "".join(self.collector.texts), "a parameter of a statement")

    def test_whoever_is_called_hears_of_the_trace(self):
        upstream = Upstream()
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        port = upstream.server_address[1]
        run = self.run_once(HEADER % "calls" + f"""
  - ask: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{port}/x?{CANARY}'}}}}
  - own: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{port}/', headers: {{traceparent: 'their own'}}}}}}
""", "completed")
        spans = self.spans_of(run, 5)
        tasks = {attributes(span)["pawl.task.reference"]: span for span in spans if "pawl.task.reference" in attributes(span)}
        call = [span for span in spans if span.get("parentSpanId") == tasks["/do/0/ask"]["spanId"]]
        self.assertEqual([span["name"] for span in call], ["GET"])
        self.assertEqual(attributes(call[0])["http.response.status_code"], "200")
        self.assertEqual(attributes(call[0])["server.address"], "127.0.0.1")
        self.assertEqual(upstream.contexts, [f"00-{run.replace('-', '')}-{call[0]['spanId']}-01", "their own"])
        with self.collector.lock:
            self.assertNotIn(CANARY, "".join(self.collector.texts), "a part of an address")

    def test_a_caller_is_a_link_unless_the_installation_trusts_it(self):
        self.server.request("GET", "/api/workflows", headers=traceparent())
        span = self.span_of_request("GET /api/workflows")
        self.assertNotEqual(span["traceId"], CALLERS_TRACE)
        self.assertNotIn("parentSpanId", span)
        self.assertEqual(span["links"], [{"traceId": CALLERS_TRACE, "spanId": CALLERS_SPAN}])
        self.restart(PAWL_TRACE_CALLERS="ignore")
        self.server.request("GET", "/api/runs", headers=traceparent())
        self.assertNotIn("links", self.span_of_request("GET /api/runs"))

    def test_a_trusted_caller_is_the_parent_and_says_what_is_kept(self):
        self.restart(PAWL_TRACE_CALLERS="parent", LOG_LEVEL="info", LOG_FORMAT="json")
        self.server.request("GET", "/api/runs", headers=traceparent(sampled=False))
        self.server.request("GET", "/api/workflows", headers=traceparent())
        span = self.span_of_request("GET /api/workflows", CALLERS_TRACE)
        self.assertEqual(span["parentSpanId"], CALLERS_SPAN)
        self.assertEqual([each["name"] for each in self.collector.spans() if each["traceId"] == CALLERS_TRACE and each["kind"] == 2],
                         ["GET /api/workflows"], "what the caller does not keep is not kept")
        with open(self.server.log.name, encoding="utf-8", errors="replace") as log:
            lines = [json.loads(line) for line in log if line.startswith("{")]
        told = [line for line in lines if line.get("event") == "http.request" and line.get("route") == "/api/workflows"]
        self.assertEqual(told[-1]["trace_id"], CALLERS_TRACE)


if __name__ == "__main__":
    unittest.main()
