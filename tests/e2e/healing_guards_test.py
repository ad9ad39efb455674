#!/usr/bin/env python3
"""proves: A3

What keeps self-healing in bounds: who may propose, decide and apply; one remedy at a time; what the approver is shown; what is in the audit trail; and that
nothing sticks where the run that asks ends otherwise.
"""

import concurrent.futures
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import Server, poll  # noqa: E402
from people import PASSWORD, Person  # noqa: E402

HEAD = "document: {dsl: '1.0.3', namespace: shop, name: NAME, version: '1.0.0'}\n"
BROKEN = HEAD + "do:\n  - sum: {set: {total: '${ .amounts | add | error }'}}\n"
MENDED = BROKEN.replace(" | error", "")
ASKING = HEAD + "do:\n  - ask: {call: approval, with: {title: ok}}\n  - sum: {set: {total: '${ error(\"no\") }'}}\n"
UNASKED = HEAD + "do:\n  - sum: {set: {total: 1}}\n"
PICKY = HEAD + "do:\n  - a: {set: {y: '${ if .x then 1 else error(\"no\") end }'}}\n"


def answer(kind, **more):
    return {"kind": kind, "root_cause": "The sum is raised as an error.", "explanation": "Do not raise it.", "confidence": "high",
            "from": None, "input": None, "document": None, **more}


def scripts():
    mend = [{"match": {"contains": name}, "content": answer("new_version", document=MENDED.replace("NAME", name))}
            for name in ("keyed", "shared", "audited", "resting", "asleep")]
    return {"healer": [{"match": {"contains": "may not change workflows", "turn": 2}, "content": answer("none", explanation="no write")},
                       {"match": {"contains": "must stay as they are", "turn": 2}, "content": answer("none", explanation="no trigger")},
                       {"match": {"contains": "switched off", "turn": 2}, "content": answer("none", explanation="off")},
                       {"match": {"contains": "timed"},
                        "content": answer("new_version", document="schedule: {every: {seconds: 2}}\n" + MENDED.replace("NAME", "timed"))},
                       {"match": {"contains": "guarded"}, "content": answer("new_version", document=UNASKED.replace("NAME", "guarded"))},
                       *mend,
                       {"content": answer("rerun", input={"x": 1})}]}


class HealingGuardsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server(os.path.join(cls.folder.name, "data"),
                            extra_environment={"LLM_SCRIPTS": write_scripts(cls.folder.name, scripts())}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.ada = Person(cls.server, "ada@example.org")

    def call(self, method, path, body=None, status=200, who=None):
        if who is None:
            got, reply, _ = self.server.request(method, path, body)
        elif isinstance(who, str):
            got, reply, _ = self.server.request(method, path, body, headers={"Authorization": f"Bearer {who}"})
        else:
            got, reply = who.call(method, path, body)
        self.assertEqual(got, status, reply)
        return reply

    def failing(self, name, document=BROKEN, who=None, given=None):
        workflow = self.call("POST", "/api/workflows", {"definition": document.replace("NAME", name)}, 201, who)["id"]
        run = self.call("POST", f"/api/workflows/{workflow}/execute", {"input": given or {"amounts": [1, 2]}, "wait": 30}, who=who)
        self.assertEqual(run["status"], "faulted", run)
        return workflow, run["id"]

    def heal(self, run, status=200, who=None, **more):
        return self.call("POST", "/api/llm/heal", {"run_id": run, "model": "scripted/healer", **more}, status, who)

    def remedy(self, remedy, who=None):
        return self.call("GET", f"/api/llm/remedies/{remedy}", who=who)

    def question(self, remedy, who=None):
        asked = poll(lambda: self.remedy(remedy, who)["approval_id"], 10, "a person is asked")
        return self.call("GET", f"/api/approvals/{asked}", who=who)

    def approve(self, question, status=200, who=None):
        return self.call("POST", f"/api/approvals/{question['id']}/approve", {"digest": question["digest"]}, status, who)

    def in_status(self, remedy, *status, who=None):
        return poll(lambda: (lambda seen: seen if seen["status"] in status else None)(self.remedy(remedy, who)), 20, f"the remedy is {status}")

    def versions(self, workflow, who=None):
        return [each["version"] for each in self.call("GET", f"/api/workflows/{workflow}/versions", who=who)["items"]]

    def key(self, *scopes):
        return self.call("POST", "/api/api-keys", {"name": "-".join(scopes), "scopes": list(scopes)}, 201, self.ada)["key"]

    def test_a3_a_key_without_write_changes_no_workflow_by_a_remedy(self):
        small, large = self.key("read", "execute"), self.key("read", "execute", "write")
        workflow, run = self.failing("keyed", who=self.ada)
        refused = self.heal(run, who=small)
        self.assertEqual((refused["remedy"], refused["diagnosis"]["explanation"]), (None, "no write"))
        remedy = self.heal(run, who=large)["remedy"]
        self.assertEqual(remedy["kind"], "new_version")
        for key in (small, large):
            question = self.question(remedy["id"], key)
            self.assertEqual(question["can_decide"], False)
            self.assertEqual(self.call("GET", "/api/approvals?mine=true", who=key)["items"], [])
            self.assertEqual(self.approve(question, 403, key)["code"], "approval.forbidden")
            self.call("POST", f"/api/approvals/{question['id']}/reject", {"digest": question["digest"]}, 403, key)
        self.assertEqual((self.remedy(remedy["id"], self.ada)["status"], self.versions(workflow, self.ada)), ("proposed", [1]))
        self.approve(self.question(remedy["id"], self.ada), who=self.ada)
        self.in_status(remedy["id"], "applied", who=self.ada)
        self.assertEqual(self.versions(workflow, self.ada), [2, 1])

    def test_a3_whoever_asks_decides_only_where_nobody_else_could(self):
        owner, member, viewer = (Person(self.server, f"{name}@example.org") for name in ("owner", "member", "viewer"))
        shop = self.call("POST", "/api/organizations", {"name": "Shop"}, 201, owner)["id"]
        at = f"?organization_id={shop}"
        self.call("POST", f"/api/organizations/{shop}/members", {"user_id": viewer.id, "role": "viewer"}, 201, owner)

        def failing(name):
            workflow = self.call("POST", "/api/workflows" + at, {"definition": BROKEN.replace("NAME", name)}, 201, owner)["id"]
            return self.call("POST", f"/api/workflows/{workflow}/execute", {"input": {"amounts": [1]}, "wait": 30}, who=owner)["id"]

        def heal(run, status=200, **more):
            return self.call("POST", "/api/llm/heal" + at, {"run_id": run, "model": "scripted/healer", **more}, status, owner)

        run = failing("shared")
        self.assertEqual(heal(run, 422, approvers="viewer")["code"], "request.invalid")
        alone = heal(run)["remedy"]
        self.assertEqual(self.question(alone["id"], owner)["exclude_starter"], False, "a viewer could not")
        self.approve(self.question(alone["id"], viewer), 403, viewer)
        self.approve(self.question(alone["id"], owner), who=owner)
        self.in_status(alone["id"], "applied", who=owner)

        self.call("POST", f"/api/organizations/{shop}/members", {"user_id": member.id, "role": "member"}, 201, owner)
        remedy = heal(failing("shared"), fresh=True)["remedy"]
        question = self.question(remedy["id"], owner)
        self.assertEqual((question["exclude_starter"], question["can_decide"]), (True, False))
        self.assertEqual(self.approve(question, 403, owner)["code"], "approval.forbidden")
        self.approve(question, who=member)
        self.in_status(remedy["id"], "applied", who=owner)

    def test_a3_what_somebody_approved_who_is_erased_is_done_by_nobody(self):
        """proves: A3, S4-H3

        Between the approval and what follows from it the approver goes: the remedy has no more right than nobody, and not that of the installation's key.
        """
        boss, other = (Person(self.server, f"{name}@example.org") for name in ("boss", "other"))
        shop = self.call("POST", "/api/organizations", {"name": "Gone"}, 201, boss)["id"]
        self.call("POST", f"/api/organizations/{shop}/members", {"user_id": other.id, "role": "admin"}, 201, boss)
        at = f"?organization_id={shop}"
        workflow = self.call("POST", "/api/workflows" + at, {"definition": BROKEN.replace("NAME", "shared")}, 201, boss)["id"]
        run = self.call("POST", f"/api/workflows/{workflow}/execute", {"input": {"amounts": [1]}, "wait": 30}, who=boss)["id"]
        remedy = self.call("POST", "/api/llm/heal" + at, {"run_id": run, "model": "scripted/healer"}, who=boss)["remedy"]
        question = self.question(remedy["id"], boss)
        self.call("POST", f"/api/runs/{question['run_id']}/suspend", {}, 202, boss)
        poll(lambda: self.call("GET", f"/api/runs/{question['run_id']}", who=boss)["status"] == "suspended", 10, "it rests")
        self.approve(question, who=other)
        self.call("DELETE", "/api/data/me", {"password": PASSWORD, "confirm": "erase"}, 204, who=other)
        self.call("POST", f"/api/runs/{question['run_id']}/resume", {}, 202, boss)
        self.assertIn("approved", self.in_status(remedy["id"], "failed", "applied", who=boss)["failure"])
        self.assertEqual(self.versions(workflow, boss), [1])
        self.assertIsNone(self.call("GET", f"/api/approvals/{question['id']}", who=boss)["decided_by"])

    def test_a3_one_remedy_at_a_time_however_many_ask(self):
        workflow, run = self.failing("crowd", PICKY)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: self.server.request("POST", "/api/llm/heal", {"run_id": run, "model": "scripted/healer"})[:2], range(8)))
        self.assertEqual(sorted(status for status, _ in replies), [200] + [409] * 7, replies)
        self.assertEqual({reply["code"] for status, reply in replies if status == 409}, {"remedy.open"})
        remedies = self.call("GET", f"/api/llm/remedies?run_id={run}")["items"]
        self.assertEqual(len(remedies), 1)
        self.approve(self.question(remedies[0]["id"]))
        poll(lambda: self.remedy(remedies[0]["id"])["outcome"], 20, "it is judged")
        self.assertEqual(self.heal(run, 409)["code"], "remedy.applied")
        runs = [each for each in self.call("GET", f"/api/workflows/{workflow}/executions")["items"] if not each["dry_run"]]
        self.assertEqual(len(runs), 2)

    def test_a3_a_model_that_finds_nothing_gives_the_run_back(self):
        _, run = self.failing("timed")
        for _ in range(2):
            self.assertIsNone(self.heal(run)["remedy"])
        self.assertEqual(self.call("GET", f"/api/llm/remedies?run_id={run}")["items"], [])
        self.heal(run, 422, model="scripted/nobody")
        self.assertIsNone(self.heal(run)["remedy"])

    def test_a3_a_remedy_whose_question_is_gone_is_settled(self):
        _, run = self.failing("gone", PICKY)
        remedy = self.heal(run)["remedy"]
        question = self.question(remedy["id"])
        self.call("POST", f"/api/runs/{remedy['healing_run_id']}/cancel", {}, 202)
        self.assertIn("ended before it was decided", self.in_status(remedy["id"], "failed")["failure"])
        self.approve(question, 409)
        second = self.heal(run)["remedy"]
        self.question(second["id"])
        self.server.kill()
        self.server.start()
        self.assertEqual(self.remedy(second["id"])["status"], "proposed", "its question is still there")
        self.assertEqual(self.heal(run, 409)["code"], "remedy.open")
        self.call("POST", f"/api/runs/{second['healing_run_id']}/cancel", {}, 202)
        self.in_status(second["id"], "failed")

    def test_a3_the_approver_is_told_what_a_change_gives_up(self):
        workflow = self.call("POST", "/api/workflows", {"definition": ASKING.replace("NAME", "guarded")}, 201)["id"]
        run = self.call("POST", f"/api/workflows/{workflow}/execute", {"input": {}}, 202)["id"]
        asked = poll(lambda: self.call("GET", f"/api/approvals?run_id={run}")["items"], 10, "it asks")[0]
        self.approve(asked)
        poll(lambda: self.call("GET", f"/api/runs/{run}")["status"] == "faulted", 10, "it fails")
        remedy = self.heal(run)["remedy"]
        self.assertEqual(remedy["weakened"], ["The approval /ask is gone"])
        question = self.question(remedy["id"])
        self.assertEqual(question["data"]["weakened"], remedy["weakened"])
        self.assertIn("CAUTION: The approval /ask is gone.", question["message"])

    def test_a3_a_remedy_changes_no_trigger(self):
        _, run = self.failing("timed")
        reply = self.heal(run)
        self.assertEqual((reply["remedy"], reply["diagnosis"]["explanation"]), (None, "no trigger"))

    def test_a3_a_workflow_that_is_switched_off_is_not_started(self):
        workflow, run = self.failing("resting")
        remedy = self.heal(run)["remedy"]
        question = self.question(remedy["id"])
        self.call("PUT", f"/api/workflows/{workflow}", {"is_active": False})
        self.approve(question)
        failed = self.in_status(remedy["id"], "failed")
        self.assertEqual((failed["failure"], self.versions(workflow)), ("The workflow is switched off.", [1]))
        reply = self.heal(run)
        self.assertEqual((reply["remedy"], reply["diagnosis"]["explanation"]), (None, "off"))

    def test_a3_the_audit_trail_says_who_proposed_and_who_applied(self):
        workflow, run = self.failing("audited", who=self.ada)
        remedy = self.heal(run, who=self.ada)["remedy"]
        self.approve(self.question(remedy["id"], self.ada), who=self.ada)
        self.in_status(remedy["id"], "applied", who=self.ada)
        records = self.call("GET", "/api/audit?limit=200", who=self.ada)["items"]

        def one(action, resource):
            found = [each for each in records if each["action"] == action and each["resource_id"] == resource]
            self.assertEqual(len(found), 1, (action, records))
            self.assertIn(self.ada.id, json.dumps(found[0]))
            return found[0]

        one("llm.proposeRemedy", run)
        self.assertEqual(one("remedy.proposed", remedy["id"])["run_id"], run)
        one("remedy.applied", remedy["id"])
        changed = one("workflows.updateWorkflow", workflow)
        self.assertEqual((changed["details"]["version"], changed["details"]["remedy"]), (2, remedy["id"]))


if __name__ == "__main__":
    unittest.main()
