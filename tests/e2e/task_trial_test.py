#!/usr/bin/env python3
"""proves: F1

One task alone: POST /api/workflows/test-task. And what administrators read of settings and limits.
"""

import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from people import Person  # noqa: E402
from pawl_server import API_KEY, Server, poll  # noqa: E402

PATH = "/api/workflows/test-task"
SECRET = "hush-hush-4711-0815"
HEAD = "document: {dsl: '1.0.3', namespace: test, name: NAME, version: '1.0.0'}\n"
FLOW = HEAD + """use: {secrets: [TOKEN]}
do:
  - look: {call: http, with: {method: post, endpoint: 'BASE/pay', body: {amount: '${ .amount }', token: '${ $secrets.TOKEN }'}}}
  - decide: {switch: [{large: {when: '${ .amount > 100 }', then: review}}, {usual: {then: continue}}]}
  - ship: {set: {shipped: '${ .amount + $context.extra }'}}
  - review: {set: {reviewed: true}}
  - each:
      for: {each: pet, at: number, in: '${ .pets }'}
      do:
        - name: {set: {said: '${ $pet.name + ($number | tostring) }'}}
        - wrong: {set: {x: '${ error("no") }'}}
"""
LIST = """name: list
tasks:
  - {id: first, type: set, params: {x: 1}}
  - {id: second, type: set, params: {y: '${ .first.x + .input.z }'}, depends_on: [first]}
"""


class Asked(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_POST(self):
        Asked.count += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class TaskTrial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.outside = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        threading.Thread(target=cls.outside.serve_forever, daemon=True).start()
        cls.flow = FLOW.replace("BASE", f"http://127.0.0.1:{cls.outside.server_port}")
        environment = {"PAWL_SECRET_TOKEN": SECRET, "SMTP_PASSWORD": SECRET, "RATE_LIMIT_PER_MINUTE": "4321"}
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment=environment).start()
        cls.ada, cls.bob = Person(cls.server, "ada@example.org"), Person(cls.server, "bob@example.org")
        status, made = cls.ada.call("POST", "/api/workflows", {"definition": cls.flow.replace("NAME", "flow")})
        if status != 201:
            raise RuntimeError(made)
        cls.workflow = made["id"]

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.outside.shutdown()
        cls.outside.server_close()
        cls.folder.cleanup()

    def tried(self, task, expect=200, person=None, **body):
        if "definition" not in body:
            body.setdefault("workflow_id", self.workflow)
        status, reply = (person or self.ada).call("POST", PATH, {"task": task, **body})
        self.assertEqual(status, expect, reply)
        return reply

    def test_a_call_says_what_it_would_do_does_nothing_and_knows_no_secret(self):
        reply = self.tried("/do/0/look", input={"amount": 7})
        self.assertEqual((reply["status"], reply["reference"]), ("completed", "/do/0/look"))
        self.assertEqual(len(reply["plan"]), 1)
        self.assertIn("/pay", json.dumps(reply["plan"]))
        self.assertEqual(Asked.count, 0)
        _, run = self.ada.call("GET", f"/api/runs/{reply['run_id']}")
        self.assertTrue(run["dry_run"])
        self.assertEqual(run["trigger"]["task"], "/do/0/look")
        self.assertNotIn(SECRET, json.dumps([reply, run]))

    def test_what_stands_around_the_task_is_given(self):
        self.assertEqual(self.tried("/do/2/ship", input={"amount": 7}, context={"extra": 5})["output"], {"shipped": 12})
        inner = "/do/4/each/do/0/name"
        reply = self.tried(inner, variables={"pet": {"name": "Rex"}, "number": 3})
        self.assertEqual((reply["output"], reply["variables"]), ({"said": "Rex3"}, ["pet", "number"]))
        self.assertEqual([one["reference"] for one in reply["tasks"]], [inner])

    def test_a_choice_says_where_it_goes_on(self):
        self.assertEqual(self.tried("/do/1/decide", input={"amount": 700})["next"], "review")
        self.assertEqual(self.tried("/do/1/decide", input={"amount": 7})["next"], "ship")
        self.assertIsNone(self.tried("/do/3/review")["next"])

    def test_an_error_has_its_place_in_the_definition(self):
        reply = self.tried("/do/4/each/do/1/wrong", variables={"pet": 1, "number": 0})
        self.assertEqual(reply["status"], "faulted")
        self.assertEqual(reply["error"]["instance"], "/do/4/each/do/1/wrong")
        whole = self.tried("/do/4/each", input={"pets": [{"name": "Rex"}]})
        self.assertEqual(whole["error"]["instance"], "/do/4/each/do/1/wrong")
        self.assertIn("/do/4/each/do/0/name", [one["reference"] for one in whole["tasks"]])

    def test_what_is_not_saved_is_tested_and_a_task_list_gets_the_outputs_of_others(self):
        text = self.flow.replace("NAME", "flow").replace("reviewed: true", "reviewed: maybe")
        self.assertEqual(self.tried("/do/3/review", definition=text)["output"], {"reviewed": "maybe"})
        reply = self.tried("/tasks/1", definition=LIST, input={"first": {"x": 40}, "input": {"z": 2}})
        self.assertEqual(reply["output"], {"y": 42})
        listed = self.ada.call("GET", "/api/workflows")[1]["items"]
        self.assertEqual([one["id"] for one in listed], [self.workflow], "nothing was saved")

    def test_what_cannot_be_tested_is_refused_with_its_reason(self):
        self.assertEqual(self.tried("/do/9/none", 422)["code"], "workflow.unknown_task")
        broken = self.tried("/do/0/a", 422, definition=HEAD + "do: [{a: {call: nothing}}]\n")
        self.assertEqual((broken["code"], broken["errors"][0]["pointer"][:8]), ("workflow.invalid", "/do/0/a/"))
        status, reply = self.ada.call("POST", PATH, {"task": "/do/0/a"})
        self.assertEqual((status, reply["errors"][0]["pointer"]), (422, "/definition"))

    def test_others_find_nothing_and_keys_do_what_their_scopes_say(self):
        self.assertEqual(self.tried("/do/3/review", 404, self.bob)["code"], "workflow.not_found")
        key = self.ada.call("POST", "/api/api-keys", {"name": "runs", "scopes": ["read", "execute"]})[1]["key"]
        look = self.ada.call("POST", "/api/api-keys", {"name": "looks", "scopes": ["read"]})[1]["key"]
        saved = {"task": "/do/3/review", "workflow_id": self.workflow}
        own = {"task": "/do/3/review", "definition": self.flow}
        for token, body, expected in ((key, saved, 200), (key, own, 403), (look, saved, 403)):
            self.assertEqual(self.server.request("POST", PATH, body, {"Authorization": f"Bearer {token}"})[0], expected)

    def test_it_is_in_the_trail(self):
        self.tried("/do/3/review")
        poll(lambda: self.ada.call("GET", "/api/audit?q=testTask")[1]["items"], 10, "a record of the test")

    # -- settings and limits -----------------------------------------------------------------------------------------------------

    def test_administrators_read_settings_with_sources_and_never_a_secret(self):
        _, reply, _ = self.server.request("GET", "/api/admin/settings")
        rows = {one["name"]: one for one in reply["items"]}
        self.assertEqual((rows["RATE_LIMIT_PER_MINUTE"]["value"], rows["RATE_LIMIT_PER_MINUTE"]["source"]), ("4321", "environment"))
        self.assertEqual((rows["API_PORT"]["source"], rows["API_PORT"]["default"]), ("flag", "8000"))
        self.assertEqual((rows["REFRESH_TOKEN_EXPIRE_DAYS"]["source"], rows["REFRESH_TOKEN_EXPIRE_DAYS"]["value"]), ("default", "30"))
        self.assertEqual((rows["SMTP_PASSWORD"]["is_set"], rows["SMTP_PASSWORD"]["value"]), (True, None))
        self.assertNotIn(SECRET, json.dumps(reply))
        self.assertNotIn(API_KEY, json.dumps(reply))
        self.assertEqual([self.ada.call("GET", f"/api/admin/{page}")[0] for page in ("settings", "limits")], [403, 403])

    def test_limits_say_what_they_are_and_what_they_refused(self):
        folder = os.path.join(self.folder.name, "limited")
        server = Server(folder, extra_environment={"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_PER_MINUTE": "30"}).start()
        try:
            for _ in range(6):
                server.request("POST", "/api/auth/login", {"email": "nobody@example.org", "password": "wrong-wrong-wrong"}, {"Authorization": ""})
            _, reply, _ = server.request("GET", "/api/admin/limits")
            rules = {one["rule"]: one for one in reply["rules"]}
            self.assertEqual((reply["enabled"], reply["counted_by"]), (True, "process"))
            self.assertEqual((rules["minute"]["amount"], rules["minute"]["window_seconds"]), (30, 60))
            self.assertEqual(rules["auth_address"]["allowed"], 5)
            self.assertEqual(rules["auth_address"]["refused"] + rules["auth_account"]["refused"], 1)
            self.assertGreaterEqual(rules["minute"]["allowed"], 1)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
