#!/usr/bin/env python3
"""proves: A1, A2, A3, A4, A6, F2

Language models over HTTP and as steps of runs, against mock servers that others wrote (npm `@copilotkit/aimock`, version pinned in
aimock/package-lock.json) and against our own scripts. The wire formats themselves are proven in src/models/codec_test.cpp.
"""

import base64
import http.client
import http.server
import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from packages import install  # noqa: E402
from pawl_server import API_KEY, Server, free_port, poll  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from people import Person  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aimock")

GOOD = """document: {dsl: '1.0.3', namespace: default, name: nightly-sort, version: '1.0.0'}
do:
  - sort: {call: file-organizer, with: {target: inbox}}
"""
BAD = """document: {dsl: '1.0.3', namespace: default, name: nightly-sort, version: '1.0.0'}
do:
  - sort: {call: file-organiser, with: {target: inbox}}
"""
ROAMING = GOOD.replace("'1.0.0'}", "'1.0.0', metadata: {files: {folder: ../outside}}}")  # no folder that may be watched here
PLAN = {"execution_strategy": "sequential", "task_order": ["fetch", "store"], "parallel_groups": [], "estimated_duration": "a second",
        "llm_suggestions": "none", "risks": ["no timeout"], "optimizations": [], "explanation": "Gets and keeps."}
RECOVERY = {"recovery_strategy": "retry", "root_cause": "It was down.", "actions": ["wait"], "modified_params": {}, "confidence": "high",
            "preventive_measures": [], "llm_analysis": "{{user}}"}
SCRIPTS = {
    "drafter": [{"match": {"instructions": "You write workflow documents", "turn": 1},
                 "content": {"document": BAD, "explanation": "Sorts."}},
                {"match": {"contains": "file-organizer"}, "content": {"document": GOOD, "explanation": "Sorts."}}],
    "hopeless": [{"content": {"document": BAD, "explanation": "Sorts."}}],
    "roaming": [{"content": {"document": ROAMING, "explanation": "Watches."}}],
    "planner": [{"match": {"turn": 1}, "content": {**PLAN, "task_order": ["fetch", "invented"]}},
                {"match": {"contains": "invented"}, "content": PLAN}],
    "reviewer": [{"content": {"issues": [{"severity": "warning", "field": "/do/0", "message": "m", "fix": "f"}], "suggestions": ["s"],
                              "fixed_document": GOOD}}],
    "reader": [{"content": {"issues": [], "suggestions": ["{{user}}"], "fixed_document": None}}],
    "doctor": [{"content": RECOVERY}],
    "echo": [{"content": "You said {{user}}"}],
}
TWO_TASKS = {"document": {"dsl": "1.0.3", "namespace": "t", "name": "two", "version": "1.0.0"},
             "do": [{"fetch": {"set": {"a": 1}}}, {"store": {"set": {"b": 2}}}]}


class Base(unittest.TestCase):
    @classmethod
    def begin(cls, environment):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server(os.path.join(cls.folder.name, "data"),
                            extra_environment={"LLM_SCRIPTS": write_scripts(cls.folder.name, SCRIPTS), **environment}).start()
        cls.addClassCleanup(cls.server.stop)

    def post(self, route, body, status=200):
        got, reply, _ = self.server.request("POST", f"/api/llm/{route}", body)
        self.assertEqual(got, status, reply)
        return reply

    def events(self, route, body):
        """-> [(event, data)] of a streamed answer"""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("POST", f"/api/llm/{route}", json.dumps({**body, "stream": True}),
                           {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"})
        text = connection.getresponse().read().decode()
        connection.close()
        events = []
        for block in text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
            if "data" in fields:
                events.append((fields["event"], json.loads(fields["data"])))
        return events

    def run_of(self, task, expected="completed"):
        workflow = self.server.create_workflow({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": f"n{os.urandom(6).hex()}", "version": "1.0.0"}, "do": [{"ask": task}]})
        status, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30})
        self.assertEqual((status, run["status"]), (200, expected), run)
        return run


class ScriptedTest(Base):
    @classmethod
    def setUpClass(cls):
        cls.begin({})

    def test_a6_without_a_provider_there_is_no_answer(self):
        for route, body in (("generate", {"prompt": "x"}), ("chat", {"message": "x"}), ("plan", {"workflow_spec": TWO_TASKS}),
                            ("validate", {"workflow_spec": TWO_TASKS}), ("recover", {"task_id": "a", "error_message": "b"}),
                            ("generate-workflow", {"description": "x"})):
            self.assertEqual(self.post(route, body, 409)["code"], "llm.not_configured", route)
        self.assertEqual(self.post("generate", {"prompt": "x", "model": "openai/gpt-4o"}, 409)["code"], "llm.not_configured")
        self.assertEqual(self.post("generate", {"prompt": "x", "provider": "dummy"}, 400)["code"], "llm.unknown_provider")
        providers = {each["name"]: each for each in self.server.request("GET", "/api/llm/providers")[1]["providers"]}
        self.assertEqual([name for name, each in providers.items() if each["available"]], ["scripted"])
        self.assertIn("OPENAI_API_KEY", providers["openai"]["error"])

    def test_nobody_asks_without_a_key(self):
        for method, route in (("POST", "generate"), ("POST", "plan"), ("GET", "providers")):
            status, _, _ = self.server.request(method, f"/api/llm/{route}", {} if method == "POST" else None, headers={"Authorization": ""})
            self.assertEqual(status, 401)

    def test_scripts_say_that_they_are_scripts(self):
        reply = self.post("generate", {"prompt": "hi", "model": "scripted/echo"})
        self.assertEqual((reply["response"], reply["scripted"], reply["provider"]), ("You said hi", True, "scripted"))
        events = self.events("chat", {"message": "hi there", "model": "scripted/echo"})
        self.assertEqual("".join(data["text"] for name, data in events if name == "chunk"), "You said hi there")
        self.assertEqual((events[-1][0], events[-1][1]["prompt"]), ("done", "chat@1"))
        self.assertEqual(self.events("chat", {"message": "x", "model": "scripted/nobody"})[-1][1]["code"], "llm.invalid_request")

    def test_a4_a_draft_is_repaired_until_it_compiles(self):
        reply = self.post("generate-workflow", {"description": "sort the inbox every night", "model": "scripted/drafter"})
        self.assertEqual((reply["status"], reply["valid"], reply["rounds"], reply["prompt"]), ("success", True, 2, "generate-workflow@3"))
        self.assertEqual(reply["definition"], GOOD)
        self.assertEqual(reply["workflow"]["do"][0]["sort"]["call"], "file-organizer")
        self.assertEqual(self.server.request("POST", "/api/workflows/validate", {"definition": reply["definition"]})[1]["valid"], True)
        self.assertEqual(self.server.request("GET", "/api/workflows")[1]["items"], [], "nothing was saved")

    def test_a4_a_draft_that_is_kept_does_nothing_before_a_person_switches_it_on(self):
        ask = {"description": "sort the inbox every night: für Ürsula" + ", and again" * 800, "model": "scripted/drafter", "save": True}
        self.assertGreater(len(ask["description"]), 8000, "what a workflow that is saved may have, a draft keeps")
        reply = self.post("generate-workflow", ask)
        self.assertEqual((reply["valid"], reply["definition"], reply["save_error"]), (True, GOOD, None))
        saved = reply["saved"]
        self.assertEqual((saved["name"], saved["version"], saved["is_active"]), ("nightly-sort", 1, False))
        path = f"/api/workflows/{saved['id']}"
        self.addCleanup(self.server.request, "DELETE", path)
        kept = self.server.request("GET", path)[1]
        self.assertEqual((kept["definition"], kept["is_active"], kept["description"]), (GOOD, False, ask["description"]))
        versions = self.server.request("GET", f"{path}/versions")[1]["items"]
        self.assertEqual([each["change_summary"] for each in versions], ["Drafted by scripted/drafter"])
        status, refused, _ = self.server.request("POST", f"{path}/execute", {"input": {}})
        self.assertEqual((status, refused["code"]), (409, "workflow.inactive"))
        trail = self.server.request("GET", "/api/audit?action=workflows.createWorkflow")[1]["items"]
        self.assertEqual([(each["resource_id"], each["details"]["by"]) for each in trail if "by" in each["details"]], [(saved["id"], "llm.draftWorkflow")])
        status, active, _ = self.server.request("PUT", path, {"is_active": True})
        self.assertEqual((status, active["is_active"]), (200, True), active)

    def test_a4_what_is_given_up_is_not_kept_and_neither_is_what_may_not_be_saved(self):
        reply = self.post("generate-workflow", {"description": "x", "model": "scripted/hopeless", "save": True})
        self.assertEqual((reply["status"], reply["saved"], reply["save_error"]), ("given_up", None, None))
        reply = self.post("generate-workflow", {"description": "x", "model": "scripted/roaming", "save": True})
        self.assertEqual((reply["valid"], reply["saved"]), (True, None), "the answer is there all the same")
        self.assertEqual(reply["save_error"]["code"], "workflow.files", reply["save_error"])
        failures = self.server.request("GET", "/api/audit?action=workflows.createWorkflow&outcome=failure")[1]["items"]
        self.assertEqual([each["details"] for each in failures],
                         [{"by": "llm.draftWorkflow", "prompt": reply["prompt"], "error": "workflow.files"}], "the trail has it")
        person = Person(self.server, "draws@example.org")
        status, key = person.call("POST", "/api/api-keys", {"name": "k", "scopes": ["execute", "read"]})
        self.assertEqual(status, 201, key)
        asks = {"description": "sort", "model": "scripted/drafter"}
        who = {"Authorization": f"Bearer {key['key']}"}
        status, refused, _ = self.server.request("POST", "/api/llm/generate-workflow", {**asks, "save": True}, who)
        self.assertEqual((status, refused["code"]), (403, "auth.forbidden"))
        status, reply, _ = self.server.request("POST", "/api/llm/generate-workflow", asks, who)
        self.assertEqual((status, reply["saved"]), (200, None), "without it nothing more is needed than before")
        for where in (self.server.request("GET", "/api/workflows")[1], person.call("GET", "/api/workflows")[1]):
            self.assertEqual(where["items"], [])

    def test_a4_or_it_is_given_up_with_the_reasons(self):
        reply = self.post("generate-workflow", {"description": "x", "model": "scripted/hopeless"})
        self.assertEqual((reply["status"], reply["valid"], reply["workflow"], reply["definition"]), ("given_up", False, None, None))
        self.assertIn("file-organiser", json.dumps(reply["findings"]))

    def test_a_plan_names_tasks_that_exist(self):
        reply = self.post("plan", {"workflow_spec": TWO_TASKS, "model": "scripted/planner"})
        self.assertEqual(reply["plan"]["task_order"], ["fetch", "store"])
        self.assertEqual((reply["explanation"], reply["prompt"]), ("Gets and keeps.", "plan@1"))
        self.assertEqual(self.post("plan", {"workflow_spec": BAD, "model": "scripted/planner"}, 422)["code"], "workflow.invalid")

    def test_a_review_has_the_findings_of_the_compiler(self):
        reply = self.post("validate", {"workflow_spec": BAD, "auto_fix": True, "model": "scripted/reviewer"})
        self.assertFalse(reply["is_valid"])
        self.assertEqual({each["source"] for each in reply["issues"]}, {"compiler", "model"})
        self.assertEqual(reply["fixed_spec"], GOOD)
        reply = self.post("validate", {"workflow_spec": GOOD, "model": "scripted/reviewer"})
        self.assertTrue(reply["is_valid"], "a model's opinion does not make it wrong")
        self.assertIsNone(reply["fixed_spec"])

    def test_a_review_sends_no_value_under_the_name_of_a_secret(self):
        text = GOOD.replace("target: inbox", "target: inbox, password: canary-0816")
        for spec in (text, {**TWO_TASKS, "do": [{"fetch": {"set": {"api_key": "canary-0816"}}}]}):
            reply = self.post("validate", {"workflow_spec": spec, "model": "scripted/reader"})
            self.assertIn("redacted", reply["suggestions"][0])
            self.assertNotIn("canary-0816", json.dumps(reply["suggestions"]))
        reply = self.post("validate", {"workflow_spec": "# mine\n" + GOOD, "model": "scripted/reader"})
        self.assertIn("# mine", reply["suggestions"][0], "else it is the text as it was written")

    def test_a_run_is_explained_to_those_who_may_look_at_it(self):
        person = {"email": "ada@example.org", "password": "correct-horse-battery", "name": "Ada"}
        _, session, _ = self.server.request("POST", "/api/auth/register", person, {"Authorization": ""})
        for scopes, expected in ((["execute"], (403, "auth.forbidden")), (["execute", "read"], (404, "run.not_found"))):
            status, key, _ = self.server.request("POST", "/api/api-keys", {"name": "k", "scopes": scopes},
                                                 {"Authorization": f"Bearer {session['access_token']}"})
            self.assertEqual(status, 201, key)
            run = {"run_id": "00000000-0000-7000-8000-000000000001", "model": "scripted/doctor"}
            status, reply, _ = self.server.request("POST", "/api/llm/recover", run, {"Authorization": f"Bearer {key['key']}"})
            self.assertEqual((status, reply["code"]), expected, scopes)

    def test_what_cannot_be_sent_is_refused(self):
        image = {"role": "user", "content": [{"type": "image", "path": "x.png"}]}
        reply = self.post("generate", {"prompt": "see", "messages": [image], "model": "scripted/echo"}, 400)
        self.assertEqual(reply["code"], "llm.arguments")

    def test_a_failure_is_explained_without_its_secrets(self):
        reply = self.post("recover", {"task_id": "fetch", "error_message": "refused", "model": "scripted/doctor",
                                      "task_context": {"params": {"url": "http://x", "password": "canary-4711"}}})
        self.assertEqual(reply["recovery_plan"]["recovery_strategy"], "retry")
        self.assertIn("http://x", reply["recovery_plan"]["llm_analysis"])
        self.assertNotIn("canary-4711", json.dumps(reply))
        run = self.run_of({"call": "llm", "with": {"model": "scripted/nobody", "prompt": "x"}}, expected="faulted")
        reply = self.post("recover", {"run_id": run["id"], "model": "scripted/doctor"})
        self.assertEqual(reply["recovery_plan"]["task_id"], "ask")
        self.assertIn("no script", json.dumps(reply["recovery_plan"]["original_error"]))


class ProvidersTest(Base):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", scratch.name), "tests", "aimock")
        install(SOURCE, packages, os.path.join("@copilotkit", "aimock"))
        port = free_port()
        cls.mock_url = f"http://127.0.0.1:{port}"
        program = os.path.join(packages, "node_modules", "@copilotkit", "aimock", "dist", "cli.js")
        cls.mock = subprocess.Popen(["node", program, "-p", str(port),
                                     "-f", os.path.join(SOURCE, "fixtures.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.end_mock)
        poll(cls.mock_is_there, 20, "the mock server")
        cls.begin({"OPENAI_API_KEY": "sk-canary-0815", "OPENAI_BASE_URL": cls.mock_url + "/v1", "ANTHROPIC_API_KEY": "ant-canary-0815",
                   "ANTHROPIC_BASE_URL": cls.mock_url, "GEMINI_API_KEY": "gem-canary-0815", "GEMINI_BASE_URL": cls.mock_url,
                   "OLLAMA_BASE_URL": cls.mock_url, "LLM_PROVIDER": "openai", "LLM_MODEL": "gpt-4o-mini"})

    @classmethod
    def mock_is_there(cls):
        try:
            return cls.journal() is not None
        except OSError:
            return None

    @classmethod
    def end_mock(cls):
        cls.mock.terminate()
        cls.mock.wait(timeout=20)

    @classmethod
    def journal(cls):
        with urllib.request.urlopen(f"{cls.mock_url}/__aimock/journal", timeout=10) as reply:
            return json.loads(reply.read())

    MODELS = ("openai/gpt-4o-mini", "openai-responses/gpt-4o-mini", "openai-compatible/gpt-4o-mini", "anthropic/claude-sonnet-4-5",
              "gemini/gemini-2.5-flash", "ollama/llama3")

    def test_a1_every_provider_answers_whole_and_streamed(self):
        for model in self.MODELS:
            with self.subTest(model):
                reply = self.post("generate", {"prompt": "hello", "model": model, "temperature": 0, "max_tokens": 100})
                self.assertEqual(reply["response"], "Hi from the mock, with ümlauts.")
                self.assertEqual((reply["finish_reason"], reply["scripted"]), ("stop", False))
                self.assertEqual(reply["attempts"], [{"model": model, "error": None}])
                events = self.events("generate", {"prompt": "hello", "model": model})
                chunks = [data["text"] for name, data in events if name == "chunk"]
                self.assertEqual("".join(chunks), "Hi from the mock, with ümlauts.", events)
                self.assertGreater(len(chunks), 1)
                self.assertEqual(events[-1][0], "done")
                self.assertEqual(events[-1][1]["response"], "Hi from the mock, with ümlauts.")
        reply = self.post("generate", {"prompt": "hello"})
        self.assertEqual((reply["provider"], reply["model"], reply["tokens_used"]), ("openai", "gpt-4o-mini", 1100))
        self.assertAlmostEqual(reply["cost"], (1000 * 0.15 + 100 * 0.6) / 1e6)

    def test_a2_temperature_zero_reaches_every_provider_and_none_is_sent_where_none_was_given(self):
        """The mock reads it from where each provider has it: beside the messages, in `generationConfig` (Gemini), in `options` (Ollama)."""
        for model in self.MODELS:
            for stream in (False, True):
                for given in ({"temperature": 0}, {"temperature": 0.25}, {}):
                    with self.subTest(model=model, stream=stream, given=given):
                        asked = len(self.journal())
                        run = self.run_of({"call": "llm", "with": {"model": model, "prompt": "hello", "stream": stream, **given}})
                        self.assertEqual(run["output"]["content"], "Hi from the mock, with ümlauts.")
                        (entry,) = self.journal()[asked:]
                        self.assertEqual(entry["body"].get("temperature"), given.get("temperature"))

    def test_a2_a_run_gets_tool_calls_from_every_provider(self):
        tool = {"name": "get_weather", "description": "The weather",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
        for model in self.MODELS:
            with self.subTest(model):
                run = self.run_of({"call": "llm", "with": {"model": model, "prompt": "weather", "tools": [tool]}})
                output = run["output"]
                self.assertEqual(output["finish_reason"], "tool_calls")
                self.assertEqual([(call["name"], call["arguments"]) for call in output["tool_calls"]], [("get_weather", {"city": "Bonn"})])
                self.assertTrue(output["tool_calls"][0]["id"])

    def test_a1_a_busy_server_is_asked_again_when_it_says(self):
        reply = self.post("generate", {"prompt": "busy", "model": "openai/gpt-4o"})
        self.assertEqual(reply["response"], "Here I am.")
        self.assertEqual(len(reply["attempts"]), 2)
        self.assertIn("llm.rate_limited", reply["attempts"][0]["error"])

    def test_a_stream_that_breaks_off_is_void(self):
        events = self.events("generate", {"prompt": "broken off", "model": "anthropic/claude-sonnet-4-5"})
        self.assertEqual(events[-1][1]["response"], "This one is whole.")
        self.assertEqual(len(events[-1][1]["attempts"]), 2, "nobody asks again in secret")

    def test_a2_an_answer_is_repaired(self):
        schema = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}
        run = self.run_of({"call": "llm", "with": {"model": "openai/gpt-4o", "prompt": "structured", "output": {"schema": schema}}})
        self.assertEqual(run["output"]["output"], {"urgent": True})
        self.assertEqual(len(run["output"]["attempts"]), 2)

    def test_keys_show_nowhere_and_tokens_are_counted(self):
        self.post("generate", {"prompt": "hello"})
        self.assertTrue(all(each["available"] for each in self.server.request("GET", "/api/llm/providers")[1]["providers"]))
        metrics = self.server.request("GET", "/metrics")[1]
        self.assertRegex(metrics, r'gen_ai_client_token_usage_total\{[^}]*gpt-4o-mini[^}]*input[^}]*\} \d{4}')
        self.assertRegex(metrics, r'pawl_model_cost_microdollars_total\{[^}]*gpt-4o-mini[^}]*\} [1-9]\d*')
        self.assertRegex(metrics, r'gen_ai_client_operation_duration_seconds_count\{[^}]*gpt-4o-mini[^}]*\} [1-9]\d*')
        self.assertNotIn("canary-0815", metrics + self.server.tail())


class KeepingProvider(http.server.ThreadingHTTPServer):
    """Speaks OpenAI Chat, always says the same, when it may, and keeps what it was asked with which key."""

    daemon_threads = True

    def __init__(self):
        provider = self
        self.asked = []
        self.content = "yes"
        self.may_answer = threading.Event()
        self.may_answer.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.asked.append((self.headers.get("Authorization"), body))
                provider.may_answer.wait(60)
                reply = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": provider.content}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class KeysAndFilesTest(Base):
    """Whose key a call goes with, and which files it may take along."""

    @classmethod
    def setUpClass(cls):
        cls.provider = KeepingProvider()
        cls.addClassCleanup(cls.provider.server_close)
        cls.addClassCleanup(cls.provider.shutdown)
        cls.begin({"OPENAI_API_KEY": "sk-of-the-installation", "OPENAI_BASE_URL": cls.provider.url})

    def test_a1_an_integrations_key_goes_first_and_the_installations_key_serves_nobody_else(self):
        ask = {"prompt": "may I?", "model": "openai/gpt-4o-mini"}
        self.post("generate", ask)
        self.assertEqual(self.provider.asked[-1][0], "Bearer sk-of-the-installation")
        person = Person(self.server, "own@example.org")
        status, reply = person.call("POST", "/api/llm/generate", ask)
        self.assertEqual((status, reply["code"]), (409, "llm.not_configured"), "an organization of its own has no key")
        count = len(self.provider.asked)
        config = {"api_key": "sk-of-the-person", "base_url": self.provider.url}
        status, reply = person.call("POST", "/api/integrations", {"connector": "openai", "name": "mine", "config": config})
        self.assertEqual(status, 201, reply)
        self.assertEqual(person.call("POST", "/api/llm/generate", ask)[0], 200)
        self.assertEqual([key for key, _ in self.provider.asked[count:]], ["Bearer sk-of-the-person"])
        made = self.server.request("POST", "/api/integrations", {"connector": "openai", "name": "ours", "config": {**config, "api_key": "sk-ours"}})
        self.assertEqual(made[0], 201, made[1])
        self.addCleanup(self.server.request, "DELETE", f"/api/integrations/{made[1]['id']}")
        self.post("generate", ask)
        self.assertEqual(self.provider.asked[-1][0], "Bearer sk-ours", "before that of the environment")

    def test_a2_a_file_below_the_allowed_folders_goes_along_and_no_other_does(self):
        data = base64.b64encode(b"\x89PNG and the rest").decode()
        self.run_of({"call": "file-write", "with": {"path": "seen.png", "content": data, "encoding": "base64", "allow_destructive": True}})
        part = {"type": "image", "path": "seen.png"}

        def asks(part):
            return {"call": "llm", "with": {"model": "openai/gpt-4o-mini", "messages": [
                {"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]}}

        self.assertEqual(self.run_of(asks(part))["output"]["content"], "yes")
        sent = self.provider.asked[-1][1]["messages"][-1]["content"]
        self.assertEqual(sent[1]["image_url"]["url"], f"data:image/png;base64,{data}")
        count = len(self.provider.asked)
        for path in ("/etc/passwd", "../../etc/passwd", "missing.png"):
            with self.subTest(path):
                self.run_of(asks({**part, "path": path}), expected="faulted")
        self.assertEqual(len(self.provider.asked), count, "nobody is asked without it")


class RightsMeanwhileTest(Base):
    """What a person may do is looked at where it is done, not only before a model is asked."""

    @classmethod
    def setUpClass(cls):
        cls.provider = KeepingProvider()
        cls.addClassCleanup(cls.provider.server_close)
        cls.addClassCleanup(cls.provider.shutdown)
        cls.provider.content = json.dumps({"document": GOOD, "explanation": "Sorts."})
        cls.begin({})

    def test_a4_a_draft_is_not_kept_by_whom_the_right_is_taken_while_the_model_thinks(self):
        owner, drafter = Person(self.server, "keeps@example.org"), Person(self.server, "drafts@example.org")
        status, made = owner.call("POST", "/api/organizations", {"name": "acme"})
        self.assertEqual(status, 201, made)
        here = f"organization_id={made['id']}"
        config = {"api_key": "sk-acme", "base_url": self.provider.url}
        status, reply = owner.call("POST", f"/api/integrations?{here}", {"connector": "openai", "name": "ours", "config": config})
        self.assertEqual(status, 201, reply)
        member = f"/api/organizations/{made['id']}/members/{drafter.id}"
        lost = {"a lower role": (lambda: owner.call("PUT", member, {"role": "viewer"}), "auth.forbidden"),
                "no longer a member": (lambda: owner.call("DELETE", member), "auth.forbidden"),
                "signed out": (lambda: drafter.call("POST", "/api/auth/logout", {}), "auth.invalid_token")}
        failed = []
        for what, (take, code) in lost.items():
            with self.subTest(what):
                owner.call("DELETE", member)
                status, reply = owner.call("POST", f"/api/organizations/{made['id']}/members", {"user_id": drafter.id, "role": "member"})
                self.assertEqual(status, 201, reply)
                count = len(self.provider.asked)
                self.provider.may_answer.clear()
                self.addCleanup(self.provider.may_answer.set)
                answers = queue.Queue()
                ask = {"description": "sort the inbox", "model": "openai/gpt-4o-mini", "save": True}
                threading.Thread(target=lambda: answers.put(drafter.call("POST", f"/api/llm/generate-workflow?{here}", ask)), daemon=True).start()
                poll(lambda: len(self.provider.asked) > count or None, 20, "the model is asked")
                self.assertIn(take()[0], (200, 204))
                self.provider.may_answer.set()
                status, reply = answers.get(timeout=30)
                self.assertEqual((status, reply["valid"], reply["definition"], reply["saved"]), (200, True, GOOD, None), "it is answered all the same")
                self.assertEqual(reply["save_error"]["code"], code)
                failed.append(code)
                trail = owner.call("GET", f"/api/audit?action=workflows.createWorkflow&outcome=failure&{here}")[1]["items"]
                self.assertEqual([each["details"]["error"] for each in trail], failed[::-1])
                self.assertEqual({each["user_id"] for each in trail}, {drafter.id})
        self.assertEqual(owner.call("GET", f"/api/workflows?{here}")[1]["items"], [])


class StallingProvider:
    """Takes requests, answers nothing (or the beginning of a stream), and notes when its client hangs up."""

    BEGINNING = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                 b'data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"Once"}}]}\n\n')

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.asked = queue.Queue()
        self.left = queue.Queue()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            text = b""
            while b"\r\n\r\n" not in text:
                text += connection.recv(65536)
            head, _, body = text.partition(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            while len(body) < length:
                body += connection.recv(65536)
            if json.loads(body).get("stream"):
                connection.sendall(self.BEGINNING)
            self.asked.put(json.loads(body))
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass
            self.left.put(True)


class LeavingTest(Base):
    """A model that nobody waits for any more is not paid any longer."""

    @classmethod
    def setUpClass(cls):
        cls.provider = StallingProvider()
        cls.addClassCleanup(cls.provider.listener.close)
        cls.begin({"OPENAI_API_KEY": "sk-canary-0815", "OPENAI_BASE_URL": cls.provider.url, "LLM_PROVIDER": "openai", "LLM_MODEL": "gpt-4o-mini"})

    def ask(self, route, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("POST", f"/api/llm/{route}", json.dumps(body),
                           {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"})
        self.provider.asked.get(timeout=20)
        return connection

    def cancelled(self):
        lines = [line for line in self.server.request("GET", "/metrics")[1].splitlines() if "llm.cancelled" in line and "_count" in line]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)

    def test_a6_the_call_of_a_client_that_leaves_is_ended(self):
        before = self.cancelled()
        bodies = (("generate", {"prompt": "x"}), ("chat", {"message": "x"}), ("plan", {"workflow_spec": TWO_TASKS}),
                  ("validate", {"workflow_spec": TWO_TASKS}), ("recover", {"task_id": "a", "error_message": "b"}),
                  ("generate-workflow", {"description": "x"}))
        for route, body in bodies:
            with self.subTest(route):
                self.ask(route, body).close()
                self.assertTrue(self.provider.left.get(timeout=20))
        poll(lambda: self.cancelled() == before + len(bodies) or None, 20, "six cancelled calls in the figures")
        self.assertTrue(self.provider.asked.empty(), "nobody was asked again")

    def test_a6_so_is_the_call_of_a_reader_that_leaves_its_stream(self):
        before = self.cancelled()
        connection = self.ask("generate", {"prompt": "x", "stream": True})
        answer = connection.getresponse()
        self.assertEqual(answer.readline(), b"event: chunk\n")
        answer.close()
        connection.close()
        self.assertTrue(self.provider.left.get(timeout=20))
        poll(lambda: self.cancelled() == before + 1 or None, 20, "the cancelled call in the figures")


if __name__ == "__main__":
    unittest.main()
