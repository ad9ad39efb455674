#!/usr/bin/env python3
"""proves: A3, A4

Agents that look at runs and choose what to run, over HTTP, with the scripted provider: the observer, the executor, drafts that are dry-run.
"""

import base64
import hashlib
import json
import os
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import Server, poll  # noqa: E402
from people import Person  # noqa: E402

HEAD = {"dsl": "1.0.3", "namespace": "shop", "version": "1.0.0"}


def document(name, *tasks, **more):
    return {"document": {**HEAD, "name": name}, **more, "do": list(tasks)}


GREETER = document("greeter", {"greet": {"set": {"text": "Hello ${ .name }"}}},
                   input={"schema": {"document": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}})
FAILING = "document: {dsl: '1.0.3', namespace: shop, name: draft, version: '1.0.0'}\ndo:\n  - sum: {set: {total: '${ .items | add / 0 | error }'}}\n"
DRAFT = "document: {dsl: '1.0.3', namespace: shop, name: draft, version: '1.0.0'}\ndo:\n  - sum: {set: {total: '${ .items | add }'}}\n"
UNKNOWN = ("document: {dsl: '1.0.3', namespace: shop, name: draft, version: '1.0.0'}\ndo:\n"
           "  - fetch: {call: http, with: {method: get, endpoint: 'https://shop.example/'}}\n  - sum: {set: {total: '${ .orders | add | error }'}}\n")
SECRET = "canary-secret-471199"
HEADED = "document: {dsl: '1.0.3', namespace: shop, name: draft, version: '1.0.0'}\n"
TAKING = HEADED + "use: {secrets: [CANARY]}\ndo:\n  - a: {set: {x: '${ $secrets.CANARY | explode | map(. + 1) }'}}\n"
TELLING = TAKING.replace("map(. + 1)", "map(. + 1) | tojson | error")
SLOW = HEADED + ("do:\n  - t: {try: [{a: {set: {y: '${ error(\"no\") }'}}}], catch: {retry: {delay: {hours: 1}, limit: {attempt: {count: 3}}}}}\n")
ENDLESS = HEADED + "do:\n  - a: {set: {n: 1}}\n  - b: {set: {n: 2}, then: a}\n"
RAISING = HEADED + "do:\n  - a: {raise: {error: {type: 'https://shop.example/timeout', status: 408, title: t}}}\n"


def coded(text):
    return [ord(each) + 1 for each in text]


def chosen(kind, name, data):
    return {"kind": kind, "name": name, "input": data, "reason": "It says so."}


SCRIPTS = {
    "chooser": [{"match": {"contains": "greet Ada"}, "content": chosen("workflow", "greeter", {"name": "Ada"})},
                {"match": {"contains": "a name that is missing", "turn": 1}, "content": chosen("workflow", "greeter", {})},
                {"match": {"contains": "name", "turn": 2}, "content": chosen("workflow", "greeter", {"name": "Bob"})},
                {"match": {"contains": "note this"}, "content": chosen("function", "log", {"message": "${ 1 + 1 } is no expression"})},
                {"match": {"contains": "delete everything", "turn": 1},
                 "content": chosen("function", "file-write", {"path": "a.txt", "content": "x", "allow_destructive": True})},
                {"match": {"contains": "run a program"}, "content": chosen("function", "shell-command", {"command": "true"})},
                {"match": {"contains": "write a file"}, "content": chosen("function", "file-write", {"path": "a.txt", "content": "x"})},
                {"match": {"contains": "person who asked"}, "content": chosen("none", "", {})},
                {"content": chosen("none", "", {})}],
    "drafter": [{"match": {"turn": 1}, "content": {"document": FAILING, "explanation": "Adds.", "example_input": {"items": [1, 2]}}},
                {"match": {"contains": "in a dry run"}, "content": {"document": DRAFT, "explanation": "Adds.", "example_input": {"items": [1, 2]}}}],
    "hopeless": [{"content": {"document": FAILING, "explanation": "Adds.", "example_input": {"items": [1, 2]}}}],
    **{name: [{"content": {"document": text, "explanation": "Adds."}}]
       for name, text in (("taking", TAKING), ("telling", TELLING), ("slow", SLOW), ("endless", ENDLESS), ("raising", RAISING))},
    "unknown": [{"content": {"document": UNKNOWN, "explanation": "Adds."}}],
    "reporter": [{"match": {"instructions": "You explain"}, "content": {"summary": "Look at checkout first."}}],
}


class AgentsOnRunsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server(os.path.join(cls.folder.name, "data"),
                            extra_environment={"LLM_SCRIPTS": write_scripts(cls.folder.name, SCRIPTS), "PAWL_SECRET_CANARY": SECRET}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.greeter = cls.server.create_workflow(GREETER)

    def post(self, route, body, status=200):
        got, reply, _ = self.server.request("POST", f"/api/llm/{route}", body)
        self.assertEqual(got, status, reply)
        return reply

    def runs(self):
        return [run for run in self.server.request("GET", "/api/runs?limit=200")[1]["items"] if not run["dry_run"]]

    def test_a3_the_observer_finds_what_is_unusual(self):
        workflow = self.server.create_workflow(document(
            "checkout", {"pay": {"if": "${ .fail }", "raise": {"error": {
                "type": "https://shop.example/errors/declined", "status": 402, "title": "Card 4711 declined"}}}}))
        for fail in (True, True, False, True, True, True):
            self.server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"fail": fail}, "wait": True})
        reply = self.post("observe", {"workflow_id": workflow})
        seen = reply["observation"]
        self.assertEqual((seen["runs"], seen["failed"], seen["compared_runs"], seen["complete"]), (6, 5, 0, True))
        self.assertEqual([each["type"] for each in seen["anomalies"]], ["failure_rate"])
        self.assertEqual((seen["anomalies"][0]["workflow"], len(seen["anomalies"][0]["run_ids"])), ("checkout", 5))
        self.assertIsNone(reply["summary"], "no model was asked")
        for _ in range(3):
            self.server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"fail": True}, "wait": True})
        kinds = {each["type"]: each for each in self.post("observe", {"workflow_id": workflow, "window": "1h"})["observation"]["anomalies"]}
        self.assertEqual(set(kinds), {"failure_rate", "repeated_error"})
        self.assertIn("declined 402: Card # declined", kinds["repeated_error"]["message"])

        reply = self.post("observe", {"summarize": True, "model": "scripted/reporter"})
        self.assertEqual((reply["summary"]["text"], reply["summary"]["scripted"], reply["summary"]["prompt"]), ("Look at checkout first.", True, "observe@1"))
        reply = self.post("observe", {"summarize": True})
        self.assertEqual((reply["summary"], reply["summary_error"]["code"]), (None, "llm.not_configured"), "the figures stand by themselves")
        self.post("observe", {"window": "1y"}, 422)

    def test_a3_the_executor_proposes_and_starts_only_what_is_confirmed(self):
        before = len(self.runs())
        reply = self.post("execute", {"instruction": "greet Ada please", "model": "scripted/chooser"})
        proposal = reply["proposal"]
        self.assertEqual((proposal["kind"], proposal["name"], proposal["workflow_id"], proposal["input"]),
                         ("workflow", "greeter", self.greeter, {"name": "Ada"}))
        self.assertEqual((reply["dry_run"]["status"], reply["findings"], reply["prompt"]), ("completed", [], "execute@1"))
        self.assertEqual(len(self.runs()), before, "nothing was started")

        changed = {**proposal, "input": {"name": "Eve"}}
        self.assertEqual(self.post("execute/confirm", {"proposal": changed}, 409)["code"], "llm.proposal_changed")
        started = self.post("execute/confirm", {"proposal": proposal}, 202)
        again = self.post("execute/confirm", {"proposal": proposal}, 202)
        self.assertEqual(started["id"], again["id"], "confirmed twice, started once")
        run = poll(lambda: self.finished(started["id"]), 10, "the run ends")
        self.assertEqual((run["status"], run["output"]), ("completed", {"text": "Hello Ada"}))
        self.assertEqual(len(self.runs()), before + 1)

        stale = self.post("execute", {"instruction": "greet Ada please", "model": "scripted/chooser"})["proposal"]
        newer = {**GREETER, "do": [{"greet": {"set": {"text": "Good day ${ .name }"}}}]}
        self.assertEqual(self.server.request("PUT", f"/api/workflows/{self.greeter}", {"definition": newer})[0], 200)
        self.assertEqual(self.post("execute/confirm", {"proposal": stale}, 409)["code"], "llm.proposal_changed")

    def finished(self, run):
        view = self.server.request("GET", f"/api/runs/{run}")[1]
        return view if view["status"] in ("completed", "faulted") else None

    def test_a3_what_does_not_fit_goes_back_to_the_model(self):
        reply = self.post("execute", {"instruction": "greet with a name that is missing", "model": "scripted/chooser"})
        self.assertEqual(reply["proposal"]["input"], {"name": "Bob"})
        reply = self.post("execute", {"instruction": "delete everything", "model": "scripted/chooser"})
        self.assertIsNone(reply["proposal"], "how far a call may go is not the model's to say")
        reply = self.post("execute", {"instruction": "write a poem", "model": "scripted/chooser"})
        self.assertEqual((reply["proposal"], reply["reason"]), (None, "It says so."))

    def test_a3_a_function_is_called_with_data_and_no_expressions(self):
        proposal = self.post("execute", {"instruction": "note this", "model": "scripted/chooser"})["proposal"]
        self.assertEqual((proposal["kind"], proposal["name"], proposal["workflow_id"]), ("function", "log", None))
        run = poll(lambda: self.finished(self.post("execute/confirm", {"proposal": proposal}, 202)["id"]), 10, "the run ends")
        self.assertEqual(run["status"], "completed", run)
        self.assertIn("${ 1 + 1 } is no expression", json.dumps(run["tasks"]))

    def test_a4_a_draft_is_dry_run_before_it_is_offered(self):
        reply = self.post("generate-workflow", {"description": "add the items", "model": "scripted/drafter"})
        self.assertEqual((reply["status"], reply["valid"], reply["rounds"], reply["definition"]), ("success", True, 2, DRAFT))
        self.assertEqual(reply["dry_run"]["status"], "completed")
        reply = self.post("generate-workflow", {"description": "add the items", "model": "scripted/hopeless"})
        self.assertEqual((reply["status"], reply["definition"], reply["dry_run"]["status"]), ("given_up", None, "faulted"))
        self.assertIn("in a dry run", reply["findings"][0]["message"])
        names = [each["name"] for each in self.server.request("GET", "/api/workflows")[1]["items"]]
        self.assertNotIn("draft", names, "nothing was saved")

    def test_a4_what_only_the_real_run_can_tell_speaks_against_nothing(self):
        reply = self.post("generate-workflow", {"description": "add the orders", "model": "scripted/unknown"})
        self.assertEqual((reply["status"], reply["valid"], reply["dry_run"]["conclusive"]), ("success", True, False))
        self.assertEqual(reply["dry_run"]["tasks"][0]["plan"][0]["action"], "request", reply["dry_run"])

    def test_a4_a_dry_run_has_no_secrets_to_give_away(self):
        reply = self.post("generate-workflow", {"description": "take the secret", "model": "scripted/taking"})
        dry = self.server.request("GET", f"/api/runs/{reply['dry_run']['run_id']}")[1]
        self.assertEqual(dry["output"], {"x": coded("placeholder-of-a-secret")}, "what a model drafts sees no secret")
        reply = self.post("generate-workflow", {"description": "tell the secret", "model": "scripted/telling"})
        self.assertEqual(reply["status"], "given_up")
        told = reply["findings"][0]["message"]
        self.assertIn(json.dumps(coded("placeholder-of-a-secret"), separators=(",", ":"))[:30], told, "nor is one told to the model")

        workflow = self.server.create_workflow(TAKING)
        for dry_run, text in ((True, "placeholder-of-a-secret"), (False, SECRET)):
            run = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30, "dry_run": dry_run})[1]
            self.assertEqual((run["status"], run["output"]), ("completed", {"x": coded(text)}), "a run has its secrets, a dry run never")

    def test_a4_what_the_document_does_wrong_by_itself_speaks_against_it(self):
        for model, why in (("slow", "no"), ("endless", "Too many steps"), ("raising", "t")):
            reply = self.post("generate-workflow", {"description": "add the items", "model": f"scripted/{model}"})
            self.assertIsNotNone(reply["dry_run"], reply["findings"])
            self.assertEqual((reply["status"], reply["dry_run"]["conclusive"]), ("given_up", True), reply)
            self.assertIn(why, reply["findings"][0]["message"])

    # ---- who may confirm what ----

    def asked(self, who, instruction, headers=None):
        status, reply, _ = self.server.request("POST", "/api/llm/execute", {"instruction": instruction, "model": "scripted/chooser"},
                                               {"Authorization": f"Bearer {who}", **(headers or {})})
        self.assertEqual(status, 200, reply)
        return reply["proposal"]

    def confirmed(self, who, proposal, **more):
        status, reply, _ = self.server.request("POST", "/api/llm/execute/confirm", {"proposal": proposal, **more}, {"Authorization": f"Bearer {who}"})
        return status, reply

    def test_a3_nobody_can_make_a_proposal_but_the_server(self):
        ada = Person(self.server, "ada@example.org")
        data = {"path": "a.txt", "content": "x"}

        def made(proposal_id, name="file-write", given=None):
            """as anybody can compute it"""
            content = json.dumps([ada.id, "function", name, None, None, given or data], separators=(",", ":"))
            digest = base64.urlsafe_b64encode(hashlib.blake2b(content.encode(), digest_size=32).digest()).rstrip(b"=").decode()
            return {"id": proposal_id, "kind": "function", "name": name, "input": given or data, "digest": digest}

        proposal = self.asked(ada.access_token, "write a file")
        self.assertEqual(proposal["digest"], made(proposal["id"])["digest"], "else the forgeries below prove nothing")
        call = {"document": {**HEAD, "name": "own"}, "do": [{"call": {"call": "file-write", "with": data}}]}
        workflow = ada.call("POST", "/api/workflows", {"definition": call})[1]["id"]
        own_dry_run = ada.call("POST", f"/api/workflows/{workflow}/execute", {"input": data, "dry_run": True, "wait": 30})[1]["id"]
        other = {**data, "path": "b.txt"}
        for forged in (made(str(uuid.uuid4())), made(own_dry_run), made(proposal["id"], given=other), made(proposal["id"], "file-read", {"path": "a.txt"}),
                       {**proposal, "input": other}, {**proposal, "digest": ""}):
            status, reply = self.confirmed(ada.access_token, forged)
            self.assertEqual((status, reply["code"]), (409, "llm.proposal_changed"), forged)
        bob = Person(self.server, "bob@example.org")
        self.assertEqual(self.confirmed(bob.access_token, proposal)[0], 409, "made for another, in another organization")
        status, first = self.confirmed(ada.access_token, proposal)
        self.assertEqual((status, self.confirmed(ada.access_token, proposal)[1]["id"]), (202, first["id"]))
        self.assertEqual(self.confirmed(ada.access_token, made(first["id"]))[0], 409, "a run is no proposal")

    def test_a3_a_function_is_for_who_may_write_and_what_destroys_for_a_person(self):
        carol = Person(self.server, "carol@example.org")
        keys = {scope: carol.call("POST", "/api/api-keys", {"name": scope, "scopes": ["read", "execute", scope]})[1]["key"]
                for scope in ("execute", "write")}
        self.assertIsNone(self.asked(keys["execute"], "write a file"), "no function is offered")
        self.assertIsNone(self.asked(keys["write"], "run a program"), "a program is never offered")
        proposal = self.asked(keys["write"], "write a file")
        self.assertEqual(self.confirmed(keys["execute"], proposal)[1]["code"], "auth.forbidden")
        status, reply = self.confirmed(keys["write"], proposal, allow_destructive=True)
        self.assertEqual((status, reply["code"]), (403, "llm.person_needed"))
        status, reply = self.confirmed(carol.access_token, proposal, allow_destructive=True)
        self.assertEqual(status, 202, reply)


if __name__ == "__main__":
    unittest.main()
