#!/usr/bin/env python3
"""proves: F2, W5, W8

Approvals over HTTP: who may decide, once, about what was shown; deadlines; kill -9 while people are asked. What becomes of an interrupted call.
The capability manifest. A dry run over every kind of task.
"""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, poll  # noqa: E402
from people import Mailbox, Person  # noqa: E402

HEAD = "document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'}}\n"


def document(name, body):
    return HEAD.format(name=name) + body


ASK = """
do:
  - ask:
      call: approval
      with:
        title: Pay ${ .amount }?
        data: {amount: '${ .amount }'}
        approvers: {roles: [admin]}
        exclude_starter: true
        form: {type: object, properties: {limit: {type: integer}}, required: [limit]}
  - out: {set: {approved: '${ .approved }', decision: '${ .decision }', by: '${ .by }', limit: '${ .data.limit }', said: '${ .comment }'}}
"""


class ApprovalsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = os.path.join(cls.folder.name, "files")
        os.mkdir(cls.files)
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={"PAWL_FILE_ROOTS": cls.files, "PAWL_SANDBOX": "none"}).start()
        cls.mailbox = Mailbox(cls.server.data_dir)
        cls.people = {name: Person(cls.server, f"{name}@example.org") for name in ("owner", "admin", "member", "viewer", "stranger")}
        status, made = cls.people["owner"].call("POST", "/api/organizations", {"name": "Acme"})
        assert status == 201, made
        cls.acme = made["id"]
        for role in ("admin", "member", "viewer"):
            status, reply = cls.people["owner"].call("POST", f"/api/organizations/{cls.acme}/members",
                                                     {"user_id": cls.people[role].id, "role": role})
            assert status == 201, reply

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, who, method, path, body=None, expect=200):
        status, reply = self.people[who].call(method, path, body)
        self.assertEqual(status, expect, f"{who} {method} {path}: {reply}")
        return reply

    def start(self, name, body, data=None, who="member", **wish):
        made = self.call("owner", "POST", "/api/workflows", {"definition": document(name, body), "organization_id": self.acme}, 201)
        status, started = self.people[who].call("POST", f"/api/workflows/{made['id']}/execute", {"input": data or {}, **wish})
        self.assertIn(status, (200, 202), started)
        return started

    def inbox(self, who, query=""):
        return self.call(who, "GET", f"/api/approvals?organization_id={self.acme}{query}")["items"]

    def asked(self, run, who="admin"):
        return poll(lambda: self.inbox(who, f"&run_id={run['id']}"), 10, "the question is in the inbox")[0]

    def decide(self, who, approval, how, expect=200, digest=None, **more):
        body = {"digest": digest or approval["digest"], **more}
        return self.call(who, "POST", f"/api/approvals/{approval['id']}/{how}", body, expect)

    def ended(self, run, status="completed"):
        def look():
            view = self.call("owner", "GET", f"/api/runs/{run['id']}")
            return view if view["status"] == status else None

        return poll(look, 10, f"the run is {status}")

    # ---- deciding

    def test_W8_approved_once_by_whom_it_may_be_about_what_was_shown(self):
        run = self.start("pay", ASK, {"amount": 900})
        asked = self.asked(run)
        self.assertEqual((asked["title"], asked["data"], asked["status"], asked["roles"]), ("Pay 900?", {"amount": 900}, "open", ["admin"]))
        self.assertEqual(asked["started_by"], self.people["member"].id)
        view = self.call("member", "GET", f"/api/runs/{run['id']}")
        self.assertEqual(view["status"], "waiting")
        self.assertIn('approval of "Pay 900?" by admin', view["waiting_reason"])
        # Others see it and may not decide; strangers see nothing.
        for who, can in (("admin", True), ("owner", True), ("member", False), ("viewer", False)):
            self.assertEqual(self.asked(run, who)["can_decide"], can, who)
            self.assertEqual(bool(self.inbox(who, f"&mine=true&run_id={run['id']}")), can, who)
        data = {"limit": 5}
        self.assertEqual(self.decide("member", asked, "approve", 403, data=data)["code"], "approval.forbidden")
        self.decide("viewer", asked, "approve", 403, data=data)
        self.assertEqual(self.decide("stranger", asked, "approve", 404, data=data)["code"], "approval.not_found")
        self.call("stranger", "GET", f"/api/approvals/{asked['id']}", expect=404)
        self.assertEqual(self.call("stranger", "GET", "/api/approvals")["items"], [])
        self.assertEqual(self.decide("admin", asked, "approve", 409, digest="0" * 64, data=data)["code"], "approval.changed")
        refused = self.decide("admin", asked, "approve", 422, data={"limit": "much"})
        self.assertEqual(refused["errors"][0]["pointer"], "/data/limit")
        self.decide("admin", asked, "approve", 422)
        done = self.decide("admin", asked, "approve", data=data, comment="fine")
        self.assertEqual((done["run_id"], done["status"]), (run["id"], "approved"))
        self.assertEqual(self.decide("owner", asked, "reject", 409)["code"], "approval.closed")
        self.assertEqual(self.ended(run)["output"], {"approved": True, "decision": "approved", "by": self.people["admin"].id, "limit": 5,
                                                     "said": "fine"})
        kept = self.call("viewer", "GET", f"/api/approvals/{asked['id']}")
        self.assertEqual((kept["status"], kept["decided_by"], kept["comment"], kept["answer"], kept["can_decide"]),
                         ("approved", self.people["admin"].id, "fine", data, False))
        records = self.call("owner", "GET", f"/api/audit?organization_id={self.acme}&action=approvals.approve")["items"]
        self.assertIn((self.people["admin"].id, asked["id"], "success"),
                      [(each["user_id"], each["resource_id"], each["outcome"]) for each in records])

    def test_W8_who_started_it_may_not_decide_and_a_rejection_needs_no_form(self):
        run = self.start("pay-own", ASK, {"amount": 1}, who="admin")
        asked = self.asked(run, "owner")
        self.assertFalse(self.asked(run, "admin")["can_decide"])
        self.decide("admin", asked, "reject", 403)
        self.decide("owner", asked, "reject", comment="no")
        self.assertEqual(self.ended(run)["output"]["decision"], "rejected")

    def test_W8_named_users_decide(self):
        body = f"do: [{{ask: {{call: approval, with: {{title: T, approvers: {{users: [{self.people['member'].id}]}}}}}}}}]\n"
        run = self.start("named", body, who="owner")
        asked = self.asked(run, "member")
        self.decide("owner", asked, "approve", 403)
        self.decide("member", asked, "approve")
        self.ended(run)

    def test_W8_a_deadline_decides(self):
        body = """
do:
  - ask: {call: approval, with: {title: T, deadline: {milliseconds: 300}, on_deadline: ON}}
  - out: {set: '${ [.approved, .decision] }'}
"""
        rejected = self.start("late", body.replace("ON", "reject"))
        approved = self.start("late-yes", body.replace("ON", "approve"))
        faulted = self.start("late-fault", body.replace("ON", "fault"))
        self.assertEqual(self.ended(rejected)["output"], [False, "expired"])
        self.assertEqual(self.ended(approved)["output"], [True, "expired"])
        self.assertEqual(self.ended(faulted, "faulted")["error"]["status"], 408)
        closed = self.inbox("admin", f"&status=expired&run_id={rejected['id']}")
        self.assertEqual([each["decided_by"] for each in closed], [None])
        self.decide("admin", closed[0], "approve", 409)

    def test_W8_survives_kill_9_while_it_waits(self):
        run = self.start("crash", ASK, {"amount": 7})
        before = self.asked(run)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.asked(run), before)
        self.decide("admin", before, "approve", data={"limit": 1})
        self.server.kill()
        self.server.start()
        self.assertEqual(self.ended(run)["output"]["approved"], True)
        self.assertEqual(self.inbox("admin", f"&status=all&run_id={run['id']}")[0]["status"], "approved")

    def test_W8_the_inbox_is_paged_and_a_cancelled_run_withdraws_its_question(self):
        runs = [self.start(f"page-{number}", ASK, {"amount": number}) for number in range(3)]
        for run in runs:
            self.asked(run)
        first = self.call("admin", "GET", f"/api/approvals?organization_id={self.acme}&limit=2")
        second = self.call("admin", "GET", f"/api/approvals?organization_id={self.acme}&limit=200&cursor={first['next_cursor']}")
        ids = [each["id"] for each in first["items"] + second["items"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual({run["id"] for run in runs}, {each["run_id"] for each in first["items"] + second["items"]})
        self.call("admin", "GET", f"/api/approvals?organization_id={self.acme}&status=odd", expect=400)
        self.call("member", "POST", f"/api/runs/{runs[0]['id']}/cancel", {}, 202)
        self.ended(runs[0], "cancelled")
        self.assertEqual(self.inbox("admin", f"&status=all&run_id={runs[0]['id']}")[0]["status"], "withdrawn")

    def test_W8_who_is_named_gets_a_mail_with_the_way_to_the_approval(self):
        token = self.mailbox.token("admin@example.org", "verify-email")
        status, reply, _ = self.server.request("POST", "/api/auth/verify-email", {"token": token}, headers={"Authorization": ""})
        self.assertIn(status, (200, 204), reply)
        run = self.start("mailed", ASK, {"amount": 17})
        asked = self.asked(run)

        def texts(to):
            return [mail.get_body(("plain",)).get_content() for mail in self.mailbox.mails(to)]

        text = poll(lambda: [each for each in texts("admin@example.org") if asked["id"] in each], 20, "a mail about the approval")[0]
        self.assertIn(f"/approvals/{asked['id']}", text)
        self.assertIn("Pay 17?", text)
        for who in ("owner", "member", "viewer", "stranger"):  # not confirmed, or not asked
            self.assertFalse([each for each in texts(f"{who}@example.org") if asked["id"] in each], who)

    # ---- outcome unknown

    def test_an_interrupted_call_asks_what_became_of_it(self):
        body = "do: [{nap: {run: {shell: {command: sleep 5}}, metadata: {effect: once, on_unknown: ask}}}]\n"
        run = self.start("doubt", body)
        poll(lambda: self.call("owner", "GET", f"/api/runs/{run['id']}")["status"] == "running", 10, "the call is under way")
        self.server.kill()
        self.server.start()
        asked = self.asked(run, "member")
        self.assertIn("Did it happen?", asked["title"])
        self.decide("member", asked, "approve", 422, data={"outcome": "perhaps"})
        self.decide("member", asked, "approve", data={"outcome": "done", "output": "slept"})
        view = self.ended(run)
        self.assertEqual(view["output"], "slept")
        self.assertIn("outcome unknown: people are asked whether it happened", [line["text"] for line in view["tasks"][0]["logs"]])

    # ---- capabilities

    def test_versions_say_what_they_reach_and_are_compared_by_it(self):
        first = "do: [{a: {call: file-read, with: {path: ./in.txt}}}]\n"
        second = "do: [{a: {call: http, with: {method: get, endpoint: 'https://api.example.com/x'}}}, {b: {call: log, with: {message: hi}}}]\n"
        checked = self.call("viewer", "POST", "/api/workflows/validate", {"definition": document("reach", second)})
        self.assertEqual([each["name"] for each in checked["capabilities"]["functions"]], ["http", "log"])
        broken = self.call("viewer", "POST", "/api/workflows/validate", {"definition": document("reach", "do: [{a: {call: nothing}}]\n")})
        self.assertIsNone(broken["capabilities"])
        made = self.call("owner", "POST", "/api/workflows", {"definition": document("reach", first), "organization_id": self.acme}, 201)
        path = f"/api/workflows/{made['id']}"
        self.call("owner", "PUT", path, {"definition": document("reach", second)})
        reached = self.call("viewer", "GET", f"{path}/versions/1/capabilities")
        self.assertEqual(reached["functions"], [{"name": "file-read", "tasks": ["/do/0/a"]}])
        change = self.call("viewer", "GET", f"{path}/versions/1/diff/2")["capabilities"]
        self.assertEqual([each["name"] for each in change["added"]["functions"]], ["http", "log"])
        self.assertEqual([each["name"] for each in change["removed"]["functions"]], ["file-read"])
        self.call("stranger", "GET", f"{path}/versions/1/capabilities", expect=404)
        self.call("viewer", "GET", f"{path}/versions/9/capabilities", expect=404)

    # ---- dry run

    def test_W5_a_dry_run_shows_the_plan_of_every_kind_of_task(self):
        target = os.path.join(self.files, "must-not-exist")
        body = f"""
use:
  functions:
    greet: {{call: log, with: {{message: hello}}}}
do:
  - set: {{set: {{n: 3}}}}
  - nested: {{do: [{{inner: {{call: log, with: {{message: inside}}}}}}]}}
  - http: {{call: http, with: {{method: post, endpoint: 'http://127.0.0.1:9/pay', body: {{a: 1}}}}, output: {{as: $input}}}}
  - own: {{call: greet, output: {{as: $input}}}}
  - shell: {{run: {{shell: {{command: touch {target}}}}}, output: {{as: $input}}}}
  - script: {{run: {{script: {{language: python, code: 'open("{target}", "w")'}}}}, output: {{as: $input}}}}
  - child: {{run: {{workflow: {{namespace: test, name: nowhere, version: '1.0.0'}}}}, output: {{as: $input}}}}
  - emit: {{emit: {{event: {{with: {{type: com.example.done, source: /test}}}}}}}}
  - wait: {{wait: {{days: 300}}}}
  - listen: {{listen: {{to: {{one: {{with: {{type: com.example.never}}}}}}}}}}
  - ask: {{call: approval, with: {{title: Go on?, deadline: {{days: 1}}}}}}
  - switch: {{switch: [{{yes: {{when: .approved, then: loop}}}}, {{no: {{then: end}}}}]}}
  - loop: {{for: {{each: x, in: '[1, 2]'}}, do: [{{each: {{call: log, with: {{message: '${{ $x }}'}}}}}}]}}
  - fork: {{fork: {{branches: [{{left: {{call: log, with: {{message: l}}}}}}, {{right: {{wait: {{days: 1}}}}}}]}}}}
  - try:
      try: [{{raise: {{raise: {{error: {{type: 'https://example.com/odd', status: 418, title: Odd}}}}}}}}]
      catch: {{do: [{{caught: {{call: log, with: {{message: c}}}}}}]}}
  - write: {{call: file-write, with: {{path: must-not-exist, content: x, allow_destructive: true}}}}
"""
        run = self.start("everything", body, dry_run=True, wait=True)
        view = self.ended(run)
        self.assertTrue(view["dry_run"])
        tasks = {}
        for task in view["tasks"]:
            tasks.setdefault(task["name"], []).append(task)
        wanted = {"set", "nested", "inner", "http", "own", "shell", "script", "child", "emit", "wait", "listen", "ask", "switch", "loop", "each",
                  "fork", "left", "right", "try", "raise", "caught", "write"}
        self.assertEqual(wanted - set(tasks), set())
        self.assertEqual(len(tasks["each"]), 2)
        for name in ("inner", "ask", "each", "write"):
            self.assertTrue(tasks[name][0]["output"]["dry_run"], name)
            self.assertTrue(tasks[name][0]["output"]["plan"][0]["action"], name)
        self.assertIn("it would wait until", tasks["wait"][0]["logs"][0]["text"])
        self.assertIn("it would wait for events", tasks["listen"][0]["logs"][0]["text"])
        self.assertFalse(os.path.exists(target))
        self.assertEqual(self.inbox("admin", f"&status=all&run_id={run['id']}"), [])


if __name__ == "__main__":
    unittest.main()
