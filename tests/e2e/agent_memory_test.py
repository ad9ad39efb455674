#!/usr/bin/env python3
"""proves: A2

What agents remember, in the real binary: a conversation that is kept between runs, whatever is killed meanwhile, and marked as what it is; and old
messages that become a summary. The provider is the counting one of agents_test.py.
"""

import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent_case import TURNS, AgentCase, agent_document  # noqa: E402


class AgentMemoryTest(AgentCase):
    def memories(self):
        status, page, _ = self.server.request("GET", "/api/llm/memories")
        self.assertEqual(status, 200, page)
        return page["items"]

    def test_a2_a_conversation_is_kept_between_runs_and_survives_kills(self):
        self.world.delay = 0.05
        workflow = self.server.create_workflow(agent_document(
            "kept", self.base, "allow_after_untrusted: [act]\n        memory: {stored: {key: customer-17, ttl: P1D}}"))
        first = self.start(workflow, "first")
        for _ in range(3):
            time.sleep(0.25)  # the moment is what is tried: there is nothing to wait for
            self.server.kill()
            self.server.start()
        [run] = self.ended([first])
        self.assertEqual(run["status"], "completed", run["error"])
        kinds = [task["type"] for task in run["tasks"] if task["type"].startswith("memory")]
        self.assertEqual(kinds, ["memory-read", "memory-write"])
        [memory] = self.memories()
        self.assertEqual((memory["scope"], memory["key"], memory["run_id"]), ("test/kept", "customer-17", first))
        self.assertEqual(sorted(memory["untrusted"]), ["act", "look"])
        self.assertGreater(memory["bytes"], 1000)
        self.assertGreater(memory["message_count"], TURNS)
        _, whole, _ = self.server.request("GET", f"/api/llm/memories/{memory['id']}")
        self.assertEqual(whole["messages"][0], {"role": "user", "content": "first"})
        self.assertEqual(sum(1 for message in whole["messages"] if message["role"] == "assistant"), TURNS)
        self.assertNotIn("raw", json.dumps(whole["messages"]))

        [again] = self.ended([self.start(workflow, "second")])
        self.assertEqual((again["status"], again["output"]["turns"]), ("completed", 1), "the provider sees ten turns, and is done")
        asked = json.loads(self.world.turns["first"][-1][1])["messages"]
        self.assertEqual([message["content"] for message in asked if message["role"] == "user"], ["first", "second"])
        self.assertEqual(sorted(again["output"]["untrusted"]), ["memory:act", "memory:look"], "what nobody vouched for stays untrusted")
        self.assertEqual(self.server.request("DELETE", f"/api/llm/memories/{self.memories()[0]['id']}")[0], 204)
        self.assertEqual(self.memories(), [])
        [third] = self.ended([self.start(workflow, "third")])
        self.assertEqual(third["output"]["turns"], TURNS, "forgotten")

    def test_a2_old_messages_become_a_summary_that_is_paid_for_once(self):
        workflow = self.server.create_workflow(agent_document(
            "long", self.base, "allow_after_untrusted: [act]\n        max_turns: 12\n        on_budget: finish\n"
                               "        memory: {summary: {after: 9, keep: 3}}"))
        [run] = self.ended([self.start(workflow, "long")])
        self.assertEqual(run["status"], "completed", run["error"])
        steps = [task for task in run["tasks"] if task["type"] == "summary"]
        self.assertGreaterEqual(len(steps), 2)
        models = [task for task in run["tasks"] if task["type"] in ("model", "summary")]
        spent = sum(task["output"]["usage"]["input_tokens"] + task["output"]["usage"]["output_tokens"] for task in models)
        self.assertEqual(run["output"]["usage"]["input_tokens"] + run["output"]["usage"]["output_tokens"], spent)
        _, budget, _ = self.server.request("GET", "/api/llm/budget")
        self.assertEqual(budget["used"]["tokens"], spent, "the organization's account has the summaries too")
        self.assertEqual(budget["requests"], len(models))
        self.assertLessEqual(max(len(json.loads(body)["messages"]) for turns in self.world.turns.values() for _, body in turns), 17)


if __name__ == "__main__":
    unittest.main(verbosity=2)
