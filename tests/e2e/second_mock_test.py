#!/usr/bin/env python3
"""proves: A1, A2, A3

Models over HTTP against a second server that others wrote (npm `@dwmkerr/mock-llm`, pinned in mock_llm/package-lock.json), so that nothing holds only
because one mock happens to read requests as Pawl writes them. It speaks OpenAI Chat, matches requests with JMESPath and tells back what it has read
(mock_llm/rules.yaml). The same server is the live model of `pawl eval-agent`: nothing of those cases is recorded.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from packages import install  # noqa: E402
from pawl_server import binary, free_port, poll  # noqa: E402

sys.path.insert(0, HERE)
from llm_test import Base  # noqa: E402

SOURCE = os.path.join(HERE, "mock_llm")
KEY = "sk-canary-0821"
PRICE = {"name": "price", "description": "What an article costs.", "function": "transform", "trusted": True,
         "parameters": {"type": "object", "required": ["input"], "properties": {"input": {
             "type": "object", "required": ["article"], "properties": {"article": {"type": "string"}}}}},
         "with": {"expression": "if .article == \"mug\" then {price: 12.5} else null end"}}
SHOP = {"document": {"dsl": "1.0.3", "namespace": "t", "name": "shop", "version": "1.0.0"}, "do": [{"ask": {"call": "agent", "with": {
    "model": "${ .model }", "prompt": "${ .question }", "temperature": 0, "max_tokens": 200, "max_turns": 4, "budget": {"tokens": 5000},
    "tools": [PRICE]}}}]}


class Mock:
    """The server, a process of its own."""

    def __init__(self, packages):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        program = os.path.join(packages, "node_modules", "@dwmkerr", "mock-llm", "dist", "main.js")
        self.process = subprocess.Popen(["node", program, "--config", os.path.join(SOURCE, "rules.yaml")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port)})
        poll(self.is_there, 20, "the mock server")

    def is_there(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=10) as reply:
                return reply.status == 200
        except OSError:
            return None

    def begin_again(self):
        """Of rules that hold for the first request only."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/config", method="DELETE"), timeout=10):
            pass

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def start_mock(case):
    scratch = tempfile.TemporaryDirectory()
    case.addClassCleanup(scratch.cleanup)
    packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", scratch.name), "tests", "mock-llm")
    install(SOURCE, packages, os.path.join("@dwmkerr", "mock-llm"))
    mock = Mock(packages)
    case.addClassCleanup(mock.end)
    return mock


class SecondMockTest(Base):
    @classmethod
    def setUpClass(cls):
        cls.mock = start_mock(cls)
        cls.begin({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": cls.mock.url + "/v1", "LLM_PROVIDER": "openai", "LLM_MODEL": "gpt-4o-mini"})

    def test_a1_it_reads_what_was_asked_whole_and_streamed(self):
        for model, key in (("openai/gpt-4o-mini", f"Bearer {KEY}"), ("openai-compatible/gpt-4o-mini", f"Bearer {KEY}")):
            for given, told in (({"temperature": 0}, "0"), ({"temperature": 0.5}, "0.5"), ({}, "null")):
                with self.subTest(model=model, given=given):
                    said = f"temperature {told}, last said hello, key {key}"
                    reply = self.post("generate", {"prompt": "hello", "model": model, **given})
                    self.assertEqual((reply["response"], reply["finish_reason"], reply["scripted"]), (said, "stop", False))
                    self.assertEqual(reply["tokens_used"], 26)
                    events = self.events("generate", {"prompt": "hello", "model": model, **given})
                    chunks = [data["text"] for name, data in events if name == "chunk"]
                    self.assertGreater(len(chunks), 1)
                    self.assertEqual(("".join(chunks), events[-1][0], events[-1][1]["response"]), (said, "done", said))

    def test_a1_what_it_refuses_is_told_and_what_may_pass_is_asked_again(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                self.mock.begin_again()
                ask = {"prompt": "are you busy?", "model": "openai/gpt-4o-mini"}
                # Of a stream this server says so as OpenAI does: 200, and the error where the answer would be.
                reply = self.events("generate", ask)[-1][1] if stream else self.post("generate", ask)
                self.assertIn("last said are you busy?", reply["response"])
                self.assertEqual(len(reply["attempts"]), 2)
                self.assertIn("llm.rate_limited", reply["attempts"][0]["error"])
                ask["prompt"] = "with a wrong key"
                reply = self.events("generate", ask)[-1][1] if stream else self.post("generate", ask, 409)
                self.assertEqual(reply["code"], "llm.auth")
                self.assertNotIn(KEY, json.dumps(reply))

    def test_a2_an_answer_is_repaired(self):
        schema = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}
        run = self.run_of({"call": "llm", "with": {"model": "openai/gpt-4o", "prompt": "is it urgent?", "output": {"schema": schema}}})
        self.assertEqual(run["output"]["output"], {"urgent": True})
        self.assertEqual(len(run["output"]["attempts"]), 2)

    def test_a3_an_agent_calls_the_tool_that_it_names_and_ends(self):
        workflow = self.server.create_workflow(SHOP)
        status, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {
            "wait": 30, "input": {"model": "openai/gpt-4o-mini", "question": "how much is a mug?"}})
        self.assertEqual((status, run["status"]), (200, "completed"), run)
        self.assertEqual(run["output"]["content"], "A mug is 12.5.")
        tasks = self.server.request("GET", f"/api/runs/{run['id']}")[1]["tasks"]
        self.assertEqual([(task["name"], task["output"]) for task in tasks if task["type"] == "tool"], [("price", {"price": 12.5})])
        used = [(task["output"]["usage"]["input_tokens"], task["output"]["usage"]["output_tokens"]) for task in tasks if task["type"] == "model"]
        self.assertEqual(used, [(30, 10), (50, 6)], "what the server counted")


class LiveEvaluationTest(unittest.TestCase):
    """`pawl eval-agent` without recorded answers: whoever the configuration names is asked."""

    @classmethod
    def setUpClass(cls):
        cls.mock = start_mock(cls)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        with open(os.path.join(cls.folder.name, "shop.json"), "w", encoding="utf-8") as file:
            json.dump(SHOP, file)

    def evaluate(self, cases, *options, **environment):
        path = os.path.join(self.folder.name, "suite.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"workflow": "shop.json", "cases": cases}, file)
        done = subprocess.run([binary(), "eval-agent", path, *options], check=False, capture_output=True, text=True, timeout=60, cwd=self.folder.name,
                              env={"PATH": os.environ["PATH"], "PAWL_SANDBOX": "none", "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.mock.url + "/v1",
                                   **environment})
        self.assertNotIn(KEY, done.stderr)
        return done.returncode, done.stdout, done.stderr

    @staticmethod
    def case(question, **more):
        return {"name": question, "input": {"model": "openai/gpt-4o-mini", "question": question}, **more}

    def test_a3_a_live_model_is_asked_measured_and_judged(self):
        cases = [self.case("how much is a mug?", repeat=2, limits={"turns": 2, "seconds": 30, "tokens": 96, "cost": 0.001},
                           expect={"status": "completed", "check": '.turns == 2 and .tools == ["price"] and .output.content == "A mug is 12.5."'})]
        code, out, err = self.evaluate(cases, "--json")
        self.assertEqual(code, 0, out + err)
        report = json.loads(out)
        self.assertEqual((report["pass_rate"], report["runs"], report["tokens"]), (1, 2, 2 * 96), "what the server counted")
        self.assertAlmostEqual(report["cost"], 2 * (80 * 0.15 + 16 * 0.6) / 1e6)
        self.assertEqual([each["turns"] for each in report["cases"]], [2, 2])
        code, out, err = self.evaluate(cases)
        self.assertEqual(code, 0, out + err)
        self.assertRegex(out, r"pass rate 100.0 % \(2 of 2 runs; wanted 100.0 %\), 192 tokens, \$0.00\d\d, \d+\.\d\d s")

    def test_a3_what_a_live_model_does_otherwise_fails_and_says_why(self):
        over = self.case("how much is a mug?", limits={"tokens": 95})
        other = self.case("is it raining?", expect={"check": '.tools == ["price"]'})
        code, out, err = self.evaluate([over, other, self.case("hello")])
        self.assertEqual(code, 1, out + err)
        self.assertRegex(out, r"FAIL how much is a mug\? \(2 turns, 96 tokens[^\n]*\n     [^\n]*tokens")
        self.assertIn("FAIL is it raining?", out)
        self.assertIn("ok   hello", out)
        self.assertIn("pass rate 33.3 % (1 of 3 runs", out)

    def test_a3_nobody_answers_in_place_of_a_model_that_is_not_there(self):
        code, out, err = self.evaluate([self.case("how much is a mug?", expect={"status": "completed"})], OPENAI_API_KEY="", OPENAI_BASE_URL="")
        self.assertEqual(code, 1, out + err)
        self.assertRegex(out, r"FAIL how much is a mug\? \(\d turns, 0 tokens, \$0.0000[^\n]*\n[^\n]*llm\.not_configured")
        self.assertIn("pass rate 0.0 %", out)


if __name__ == "__main__":
    unittest.main()
