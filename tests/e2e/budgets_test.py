#!/usr/bin/env python3
"""proves: A2, A6

Budgets of organizations in the real binary, beside a provider that counts what it was paid: a hundred agents at once never pass the limit, SIGKILL in
the middle of calls loses no reservation and counts none twice, and who is refused hears why. And what a model says in a run goes to who follows it.
"""

import http.server
import json
import os
import random
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent_case import TURNS, AgentCase, agent_document  # noqa: E402
from pawl_server import API_KEY, Server  # noqa: E402
from websocket_client import WebSocket  # noqa: E402

CAUGHT = """
document: {dsl: '1.0.3', namespace: test, name: caught, version: '1.0.0'}
do:
  - asked:
      try:
        - ask: {call: llm, with: {model: openai-compatible/counting, prompt: once, max_tokens: 10}}
      catch:
        errors: {with: {status: 429}}
        as: problem
        do:
          - tell: {set: {problem: '${ $problem }'}}
"""
BRANCHES = ", ".join(f"{{b{i}: {{call: agent, with: {{model: openai-compatible/counting, prompt: greedy-{i}, max_tokens: 400, max_turns: 100, "
                     f"allow_after_untrusted: [act], tools: $TOOLS}}}}}}" for i in range(100))
CROWD = """
document: {dsl: '1.0.3', namespace: test, name: NAME, version: '1.0.0'}
use:
  functions:
    many: {fork: {branches: [BRANCHES]}}
do:
  - ask:
      call: agent
      with: {model: openai-compatible/counting, prompt: '${ .run }', on_budget: finish, tools: [{function: many}], budget: {BUDGET}}
"""
SPOKEN = """
document: {dsl: '1.0.3', namespace: test, name: spoken, version: '1.0.0'}
do:
  - hear: {listen: {to: {one: {with: {type: go}}}}}
  - ask: {call: llm, with: {model: openai-compatible/m, prompt: hi, stream: true}}
"""


class BudgetsTest(AgentCase):
    def budget(self):
        status, state, _ = self.server.request("GET", "/api/llm/budget")
        self.assertEqual(status, 200, state)
        return state

    def limit(self, **limits):
        status, state, _ = self.server.request("PUT", "/api/llm/budget", limits)
        self.assertEqual(status, 200, state)
        return state

    def agents(self, name, more, count):
        workflow = self.create(name, more)
        return [self.start(workflow, f"{name}-{i}") for i in range(count)]

    def test_a2_a_hundred_agents_at_once_hold_the_organizations_budget_to_the_token(self):
        limit = 1_000_000
        self.limit(tokens=limit)
        passed = []
        done = threading.Event()

        def watch():
            while not done.wait(0.1):
                state = self.budget()
                if state["used"]["tokens"] + state["reserved"]["tokens"] > limit:
                    passed.append(state)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            runs = self.ended(self.agents("greedy", "allow_after_untrusted: [act]\n        max_tokens: 4000\n        max_turns: 100", 100))
        finally:
            done.set()
            watcher.join()
        self.assertEqual(passed, [])
        paid = sum(self.world.used.values())
        state = self.budget()
        self.assertEqual(state["used"]["tokens"], paid)
        self.assertEqual((state["reserved"]["tokens"], state["assumed"]["tokens"]), (0, 0))
        self.assertLessEqual(paid, limit)
        self.assertGreater(paid, limit // 2, "the budget is there to be used")
        for run in runs:
            self.assertEqual(run["status"], "faulted")
            self.assertTrue(run["error"]["type"].endswith("/errors/budget-exceeded"), run["error"])
            self.assertEqual((run["error"]["status"], run["error"]["budget"]), (429, "organization"))

    def test_a2_killed_in_the_middle_of_calls_no_reservation_is_lost_or_counted_twice(self):
        seed = random.SystemRandom().randrange(1 << 30)
        chance = random.Random(seed)
        self.world.delay = 0.05
        self.limit(tokens=50_000_000)
        runs = self.agents("steady", "allow_after_untrusted: [act]", 6)
        for _ in range(8):
            time.sleep(chance.uniform(0.05, 0.4))  # the moment is what is tried: there is nothing to wait for
            self.server.kill()
            self.server.start()
        for run in self.ended(runs):
            self.assertEqual(run["status"], "completed", (seed, run["error"]))
        state = self.budget()
        paid = sum(self.world.used.values())
        asked = sum(len(turns) for turns in self.world.turns.values())
        self.assertGreaterEqual(asked, 6 * TURNS)
        self.assertEqual(state["reserved"], {"tokens": 0, "cost": 0}, seed)
        self.assertGreaterEqual(state["used"]["tokens"], paid, f"seed {seed}: what was paid is counted")
        self.assertLessEqual(state["used"]["tokens"] - state["assumed"]["tokens"], paid, f"seed {seed}: and counted once")
        self.assertGreaterEqual(asked, state["requests"], seed)
        self.assertGreaterEqual(state["requests"], 6 * TURNS, f"seed {seed}: each answer that a run went on with is settled")

    def crowd(self, name, budget):
        tools = (f"[{{function: http, name: look, with: {{method: get, endpoint: '{self.base}/look', output: content}}}}, "
                 f"{{function: http, name: act, with: {{method: post, endpoint: '{self.base}/act', output: raw}}}}]")
        text = CROWD.replace("BRANCHES", BRANCHES.replace("$TOOLS", tools)).replace("NAME", name).replace("BUDGET", budget)
        return self.ended([self.start(self.server.create_workflow(text), name)])[0]

    def test_a2_a_hundred_agents_below_one_keep_its_budget_to_the_millionth_of_a_dollar_and_to_the_token(self):
        for name, budget, limit, counted in (
                ("crowd-money", "cost: 2", 2_000_000, self.world.paid), ("crowd-tokens", "tokens: 600000", 600_000, self.world.used)):
            with self.subTest(name):
                self.world.paid.clear()
                self.world.used.clear()
                run = self.crowd(name, budget)
                self.assertIn(run["status"], ("completed", "faulted"), run["error"])
                spent = sum(counted.values())
                self.assertLessEqual(spent, limit)
                self.assertGreater(spent, limit // 2, "the budget is there to be used")
                self.assertGreater(len(self.world.used), 20, "many of them had a turn")

    def test_a2_money_is_set_aside_before_a_turn_also_where_the_process_is_killed_in_its_middle(self):
        seed = random.SystemRandom().randrange(1 << 30)
        chance = random.Random(seed)
        self.world.delay = 0.05
        cost = 0.08
        runs = self.agents("greedy", f"allow_after_untrusted: [act]\n        max_tokens: 500\n        max_turns: 100\n        budget: {{cost: {cost}}}", 8)
        for _ in range(6):
            time.sleep(chance.uniform(0.05, 0.4))  # the moment is what is tried: there is nothing to wait for
            self.server.kill()
            self.server.start()
        for i, run in enumerate(self.ended(runs)):
            self.assertEqual((run["status"], run["error"]["budget"]), ("faulted", "cost"), (seed, run["error"]))
            self.assertLessEqual(self.world.paid[f"greedy-{i}"], cost * 1e6, f"seed {seed}: what was paid for and lost counts as well")
            self.assertGreater(self.world.paid[f"greedy-{i}"], 0)

    def test_a2_an_unknown_price_is_refused_before_anybody_is_asked(self):
        for more in ("budget: {cost: 1}", "budget: {cost: 1}\n        on_budget: finish"):
            text = agent_document("unpriced", self.base, more).replace("/counting", "/unheard-of")
            workflow = self.server.create_workflow(text.replace("name: unpriced", f"name: unpriced-{len(more)}"))
            run = self.ended([self.start(workflow, f"unpriced-{len(more)}")])[0]
            self.assertEqual(run["status"], "faulted")
            self.assertEqual(run["error"]["budget"], "cost")
            self.assertIn("not known", run["error"]["detail"])
        self.assertEqual(sum(self.world.used.values()), 0)

    def test_a2_a_provider_that_lies_about_usage_gives_nobody_tokens_back(self):
        for i, lie in enumerate(({"prompt_tokens": -1_000_000, "completion_tokens": -5}, {"prompt_tokens": 10**18, "completion_tokens": 10**18}, None, {})):
            self.world.lie = lie
            more = "allow_after_untrusted: [act]\n        max_tokens: 300\n        max_turns: 60\n        budget: {tokens: 20000, cost: 0.05}"
            workflow = self.create(f"liar-{i}", more)
            run = self.ended([self.start(workflow, f"greedy-liar-{i}")])[0]
            self.assertEqual(run["status"], "faulted", f"it ends, whatever is claimed: {lie}")
            if lie is None:
                self.assertLessEqual(self.world.used[f"greedy-liar-{i}"], 20_000)
            self.assertLessEqual(len(self.world.turns[f"greedy-liar-{i}"]), 61)

    def test_a2_who_is_refused_hears_why_and_a_workflow_catches_it(self):
        workflow = self.server.create_workflow(CAUGHT)
        self.limit(tokens=0)
        status, problem, _ = self.server.request("POST", "/api/llm/generate", {"provider": "openai-compatible", "model": "counting", "prompt": "hello"})
        self.assertEqual((status, problem["code"]), (429, "llm.budget"))
        _, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": True})
        self.assertEqual(run["status"], "completed", run)
        self.assertEqual(run["output"]["problem"]["budget"], "organization")
        self.assertEqual(sum(self.world.used.values()), 0, "nobody was asked")
        self.limit(cost=0.000001)
        status, problem, _ = self.server.request("POST", "/api/llm/generate", {"provider": "openai-compatible", "model": "counting", "prompt": "hello"})
        self.assertEqual((status, problem["code"]), (429, "llm.budget"))
        self.limit(cost=5)
        status, problem, _ = self.server.request("POST", "/api/llm/generate", {"provider": "openai-compatible", "model": "unheard-of", "prompt": "hello"})
        self.assertEqual((status, problem["code"]), (429, "llm.budget"), "an unknown price is not for nothing")
        status, reply, _ = self.server.request("POST", "/api/llm/generate", {"provider": "openai-compatible", "model": "counting", "prompt": "hello"})
        self.assertEqual(status, 200, reply)
        state = self.budget()
        self.assertGreater(state["used"]["cost"], 0)
        self.assertEqual(state["limit"], {"tokens": None, "cost": 5})
        status, cleared, _ = self.server.request("DELETE", "/api/llm/budget")
        self.assertEqual((status, cleared["limit_source"]), (200, "none"))
        status, default, _ = self.server.request("PUT", "/api/admin/llm/budget", {"tokens": 0})
        self.assertEqual((status, default["limit"]), (200, {"tokens": 0, "cost": None}))
        self.assertEqual((self.budget()["limit_source"], self.budget()["limit"]["tokens"]), ("installation", 0))
        status, problem, _ = self.server.request("POST", "/api/llm/generate", {"provider": "openai-compatible", "model": "counting", "prompt": "hello"})
        self.assertEqual((status, problem["code"]), (429, "llm.budget"))
        for wrong in ({"tokens": -1}, {"cost": "much"}, {"euros": 5}):
            self.assertIn(self.server.request("PUT", "/api/llm/budget", wrong)[0], (400, 422), wrong)
        _, trail, _ = self.server.request("GET", "/api/audit?action=llm.budget_changed")
        cleared = next(item["details"] for item in trail["items"] if item["details"]["after"] is None)
        self.assertEqual(cleared, {"before": {"tokens": None, "cost_nano": 5_000_000_000}, "after": None})

    def test_a2_who_follows_a_run_hears_what_the_model_says_in_it(self):
        self.world.delay = 0.2
        run = self.agents("told", "allow_after_untrusted: [act]", 1)[0]
        client = WebSocket(self.server.port, headers={"Authorization": f"Bearer {API_KEY}"})
        self.addCleanup(client.close)
        client.send({"type": "subscribe", "topics": [f"run:{run}"]})
        told = {}
        while True:
            message = client.receive()
            if message["type"] != "event":
                continue
            if message["event"] == "run.status" and message["data"]["status"] == "completed":
                break
            if message["event"] == "run.tokens":
                self.assertEqual(message["topic"], f"run:{run}")
                told.setdefault(message["data"]["reference"], []).append(message["data"])
        self.assertGreaterEqual(len(told), 3, "turns that began after somebody listened")
        _, view, _ = self.server.request("GET", f"/api/runs/{run}")
        answers = {task["reference"]: task["output"] for task in view["tasks"] if task["type"] == "model"}
        whole = 0
        for reference, pieces in told.items():
            self.assertIn(reference, answers)
            if pieces[0]["sequence"] != 0:
                continue
            whole += 1
            self.assertEqual([piece["sequence"] for piece in pieces], list(range(len(pieces))))
            self.assertEqual(pieces[-1]["kind"], "end")
            self.assertEqual("".join(piece["text"] for piece in pieces if piece["kind"] == "text"), answers[reference]["content"])
            calls = {piece["index"]: piece for piece in pieces if piece["kind"] == "tool_call"}
            said = {index: "".join(piece["text"] for piece in pieces if piece["kind"] == "arguments" and piece["index"] == index) for index in calls}
            for index, call in enumerate(answers[reference]["tool_calls"]):
                self.assertEqual(calls[index]["name"], call["name"])
                self.assertEqual(json.loads(said[index]), call["arguments"])
        self.assertGreater(whole, 0)

    def test_a2_what_a_model_says_is_streamed_without_known_secrets_also_where_they_come_in_parts(self):
        secret = "hush-hush-4711-0815"
        parts = ["the key", " is " + secret[:5], secret[5:], " and so on"]

        class Talker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for part in parts:
                    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]}
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                    time.sleep(0.08)  # so that each part is a piece of its own
                self.wfile.write(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')

            def log_message(self, *_):
                pass

        talker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Talker)
        threading.Thread(target=talker.serve_forever, daemon=True).start()
        self.addCleanup(talker.server_close)
        self.addCleanup(talker.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        base = f"http://127.0.0.1:{talker.server_port}/v1"
        server = Server(os.path.join(folder.name, "data"), extra_environment={"OPENAI_BASE_URL": base, "PAWL_SECRET_TOKEN": secret}).start()
        self.addCleanup(server.stop)
        workflow = server.create_workflow(SPOKEN)
        run = server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": False})[1]["id"]
        client = WebSocket(server.port, headers={"Authorization": f"Bearer {API_KEY}"})
        self.addCleanup(client.close)
        client.send({"type": "subscribe", "topics": [f"run:{run}"]})
        self.assertEqual(client.receive()["type"], "subscribed")
        server.request("POST", "/api/events", {"specversion": "1.0", "id": "1", "source": "https://example.com", "type": "go"})
        said = ""
        while True:
            message = client.receive()
            if message.get("event") == "run.tokens":
                said += message["data"].get("text", "")
            if message.get("event") == "run.status" and message["data"]["status"] in ("completed", "faulted"):
                break
        self.assertEqual(said, "the key is [redacted] and so on")


if __name__ == "__main__":
    unittest.main(verbosity=2)
