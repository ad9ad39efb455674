#!/usr/bin/env python3
"""proves: A5

Workflows as tools of the Model Context Protocol: both eras over HTTP, progress, tasks, prompts, resources, questions, who may, and what a
client can get wrong.
"""

import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, binary, poll  # noqa: E402
from people import Person  # noqa: E402

NEWEST = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": NEWEST, "io.modelcontextprotocol/clientCapabilities": {}}
TASKS = {**META, "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}

GREET = """document: {dsl: '1.0.3', namespace: test, name: greet, version: '1.0.0', title: Greets, summary: Says hello to somebody.}
input: {schema: {document: {type: object, properties: {who: {type: string}}, required: [who], additionalProperties: false}}}
output: {schema: {document: {type: object, properties: {text: {type: string}}, required: [text]}}}
do:
  - say: {set: {text: '${ "Hello, " + .who }'}}
"""
STEPS = """document: {dsl: '1.0.3', namespace: test, name: steps, version: '1.0.0'}
do:
  - one: {call: noop}
  - two: {call: noop}
  - three: {set: {done: true}}
"""
BROKEN = """document: {dsl: '1.0.3', namespace: test, name: broken, version: '1.0.0'}
do:
  - no: {raise: {error: {type: 'https://example.com/errors/no', status: 400, title: Not today, detail: 'The shop is closed.'}}}
"""
LONG = """document: {dsl: '1.0.3', namespace: test, name: patient, version: '1.0.0'}
do:
  - hear: {listen: {to: {one: {with: {type: go}}}}}
  - done: {set: {heard: true}}
"""
ASKING = """document: {dsl: '1.0.3', namespace: test, name: asking, version: '1.0.0'}
do:
  - ask:
      call: approval
      with:
        title: Delete it?
        data: {path: /tmp/x}
        form: {type: object, properties: {reason: {type: string}}, required: [reason]}
  - tell: {set: {approved: '${ .approved }', reason: '${ .data.reason }'}}
"""
FOUR_EYES = """document: {dsl: '1.0.3', namespace: test, name: four-eyes, version: '1.0.0'}
do:
  - ask: {call: approval, with: {title: 'Pay?', exclude_starter: true}}
"""
LETTER = """document: {dsl: '1.0.3', namespace: test, name: letter, version: '1.0.0', summary: Writes a letter., metadata: {mcp: {prompt: true}}}
input:
  schema:
    document:
      type: object
      properties:
        to: {type: string, description: Who gets it}
        lines: {type: integer}
        tone: {type: string, enum: [friendly, formal, firm]}
        urgent: {type: boolean}
      required: [to]
do:
  - write:
      set: {messages: [{role: user, content: {type: text, text: '${ "Write \\(.lines // 3) lines to \\(.to)." }'}}]}
"""
PICTURE = """document: {dsl: '1.0.3', namespace: test, name: picture, version: '1.0.0'}
do:
  - draw: {set: {content: [{type: image, data: 'AA==', mimeType: image/png}]}}
"""


class Mcp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.ids = {name: cls.server.create_workflow(text) for name, text in
                   (("greet", GREET), ("steps", STEPS), ("broken", BROKEN), ("patient", LONG), ("picture", PICTURE), ("asking", ASKING),
                    ("four-eyes", FOUR_EYES))}
        cls.prompt = cls.server.create_workflow(LETTER)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def post(self, method, params=None, headers=None, accept="application/json", request_id=1):
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
        return self.server.request("POST", "/mcp", message, {"Accept": accept, **(headers or {})})

    def modern(self, method, params=None, meta=None, name=None, **more):
        fields = {"MCP-Protocol-Version": NEWEST, "Mcp-Method": method, **({"Mcp-Name": name} if name else {})}
        return self.post(method, {**(params or {}), "_meta": meta or META}, fields, **more)

    def call(self, tool, arguments=None):
        status, reply, _ = self.post("tools/call", {"name": tool, "arguments": arguments or {}})
        self.assertEqual(status, 200, reply)
        return reply["result"]

    def stream(self, tool, arguments=None, meta=None):
        """The messages of a streamed call."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": tool, "arguments": arguments or {}, "_meta": meta or {}}}
        connection.request("POST", "/mcp", json.dumps(message), {
            "Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
        reply = connection.getresponse()
        self.assertEqual(reply.getheader("Content-Type"), "text/event-stream")
        text = reply.read().decode()
        connection.close()
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]

    def test_a_message_of_too_many_values_is_refused(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": [0] * 100_001}})
        status, reply, _ = self.server.request("POST", "/mcp", body, {"Accept": "application/json", "Content-Type": "application/json"})
        self.assertEqual((status, reply["error"]["code"]), (400, -32600))

    def test_a_client_of_the_earlier_revisions_begins_and_lists_tools(self):
        status, reply, _ = self.post("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
        self.assertEqual((status, reply["result"]["protocolVersion"]), (200, "2025-06-18"))
        status, body, _ = self.server.request("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.assertEqual((status, body), (202, ""))
        tools = {tool["name"]: tool for tool in self.post("tools/list")[1]["result"]["tools"]}
        self.assertEqual(set(tools), set(self.ids))
        greet = tools["greet"]
        self.assertEqual((greet["title"], greet["description"]), ("Greets", "Says hello to somebody."))
        self.assertEqual(greet["inputSchema"]["required"], ["who"])
        self.assertEqual(greet["outputSchema"]["required"], ["text"])
        self.assertEqual(tools["steps"]["inputSchema"], {"type": "object"})
        self.assertEqual(self.post("ping")[1]["result"], {})

    def test_a_call_runs_the_workflow(self):
        result = self.call("greet", {"who": "Ada"})
        self.assertEqual(result["structuredContent"], {"text": "Hello, Ada"})
        self.assertEqual(json.loads(result["content"][0]["text"]), {"text": "Hello, Ada"})
        self.assertIs(result["isError"], False)
        run = self.server.request("GET", f"/api/runs/{result['_meta']['io.pawl/runId']}")[1]
        self.assertEqual((run["status"], run["trigger"]["via"]), ("completed", "mcp"))

        def recorded():
            records = self.server.request("GET", "/api/audit?action=mcp.callTool&limit=50")[1]["items"]
            return [record for record in records if record["run_id"] == run["id"]]

        record = poll(recorded, 10, "the record")[0]
        self.assertEqual((record["resource_id"], record["details"]["tool"]), (self.ids["greet"], "greet"))

    def test_a_result_that_no_stream_carries_is_named(self):
        made = self.server.create_workflow(GREET.replace("name: greet", "name: large").replace('"Hello, " + .who', '"x" * 900000'))
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{made}")
        last = self.stream("large", {"who": "Ada"})[-1]["result"]
        self.assertIs(last["isError"], True)
        self.assertIn(last["_meta"]["io.pawl/runId"], last["content"][0]["text"])

    def test_what_goes_wrong_in_a_tool_is_told_to_the_model(self):
        failed = self.call("broken")
        self.assertIs(failed["isError"], True)
        self.assertIn("The shop is closed.", failed["content"][0]["text"])
        wrong = self.call("greet", {"whom": 1})
        self.assertIs(wrong["isError"], True)
        self.assertIn("who", wrong["content"][0]["text"])

    def test_content_blocks_pass_as_they_are(self):
        self.assertEqual(self.call("picture")["content"], [{"type": "image", "data": "AA==", "mimeType": "image/png"}])

    def test_progress_is_streamed_where_it_is_asked_for(self):
        messages = self.stream("steps", meta={"progressToken": "p1"})
        self.assertEqual(messages[-1]["id"], 9)
        self.assertEqual(messages[-1]["result"]["structuredContent"], {"done": True})
        self.assertEqual(len(self.stream("steps")), 1, "not asked for")
        for message in messages[:-1]:
            self.assertEqual((message["method"], message["params"]["progressToken"]), ("notifications/progress", "p1"))

    def test_a6_progress_is_told_while_the_run_goes_on(self):
        halting = self.server.create_workflow(STEPS.replace("name: steps", "name: halting").replace(
            "  - three:", "  - hear: {listen: {to: {one: {with: {type: go}}}}}\n  - three:"))
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{halting}")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)
        message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "halting", "_meta": {"progressToken": "p2"}}}
        connection.request("POST", "/mcp", json.dumps(message), {
            "Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
        reply = connection.getresponse()
        first = [self.next_event(reply)["params"] for _ in range(2)]  # two are over, and the third waits
        run, = self.server.request("GET", f"/api/workflows/{halting}/executions")[1]["items"]
        poll(lambda: self.server.request("GET", f"/api/runs/{run['id']}")[1]["status"] == "waiting", 10, "the third task")
        self.assertEqual(self.server.request("POST", f"/api/runs/{run['id']}/events", {
            "specversion": "1.0", "id": "1", "source": "/t", "type": "go", "data": {}})[0], 202)
        rest = []
        while "result" not in (event := self.next_event(reply)):
            rest.append(event["params"])
        told = first + rest
        self.assertEqual([each["progress"] for each in told], list(range(1, len(told) + 1)), "it only grows")
        self.assertEqual({each["progressToken"] for each in told}, {"p2"})
        self.assertEqual([each["message"] for each in told][:2], ["one", "two"])
        self.assertEqual(event["result"]["structuredContent"], {"done": True})

    def test_a_client_without_sessions(self):
        status, reply, _ = self.modern("server/discover")
        self.assertEqual((status, reply["result"]["resultType"]), (200, "complete"))
        self.assertIn(NEWEST, reply["result"]["supportedVersions"])
        listed = self.modern("tools/list")[1]["result"]
        self.assertEqual((listed["resultType"], listed["cacheScope"]), ("complete", "private"))
        called = self.modern("tools/call", {"name": "greet", "arguments": {"who": "Bo"}}, name="greet")[1]["result"]
        self.assertEqual((called["resultType"], called["structuredContent"]), ("complete", {"text": "Hello, Bo"}))
        self.assertEqual(self.modern("tools/call", {"name": "greet"}, name="steps")[0], 400)
        self.assertEqual(self.modern("nothing/here")[0], 404)

    def test_a_long_call_becomes_a_task_for_who_takes_tasks(self):
        created = self.modern("tools/call", {"name": "patient"}, meta=TASKS, name="patient")[1]["result"]
        self.assertEqual((created["resultType"], created["status"]), ("task", "working"))
        task = created["taskId"]

        def state():
            return self.modern("tasks/get", {"taskId": task}, meta=TASKS, name=task)[1]["result"]

        self.assertEqual(state()["status"], "working")
        # It is durable: the server may die.
        self.server.kill()
        self.server.start()
        self.assertEqual(state()["status"], "working")
        status, _, _ = self.server.request("POST", f"/api/runs/{task}/events", {
            "specversion": "1.0", "id": "1", "source": "/t", "type": "go", "data": {}})
        self.assertEqual(status, 202)
        done = poll(lambda: (lambda s: s if s["status"] == "completed" else None)(state()), 10, "the end")
        self.assertEqual(done["result"]["structuredContent"], {"heard": True})

    def test_a_task_can_be_cancelled_and_belongs_to_its_organization(self):
        task = self.modern("tools/call", {"name": "patient"}, meta=TASKS, name="patient")[1]["result"]["taskId"]
        stranger = Person(self.server, "stranger@example.org")
        foreign = {"Authorization": f"Bearer {stranger.access_token}", "MCP-Protocol-Version": NEWEST, "Mcp-Method": "tasks/get", "Mcp-Name": task}
        status, reply, _ = self.post("tasks/get", {"taskId": task, "_meta": TASKS}, foreign)
        self.assertEqual((status, reply["error"]["code"]), (400, -32602))
        self.assertEqual(self.modern("tasks/cancel", {"taskId": task}, meta=TASKS, name=task)[0], 200)
        self.assertEqual(self.modern("tasks/cancel", {"taskId": task}, meta=TASKS, name=task)[0], 200)
        poll(lambda: self.modern("tasks/get", {"taskId": task}, meta=TASKS, name=task)[1]["result"]["status"] == "cancelled", 10, "the cancellation")

    def test_a_cancel_that_changes_nothing_says_so(self):
        ending = self.server.create_workflow("""document: {dsl: '1.0.3', namespace: test, name: ending, version: '1.0.0',
  metadata: {finally: [{last: {listen: {to: {one: {with: {type: go}}}}}}]}}
do:
  - first: {set: {done: true}}
""")
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{ending}")
        task = self.modern("tools/call", {"name": "ending"}, meta=TASKS, name="ending")[1]["result"]["taskId"]
        poll(lambda: "event of type go" in self.server.request("GET", f"/api/runs/{task}")[1].get("waiting_reason", ""), 10, "its last task")

        def cancelled():
            """Acknowledged, as the protocol has it: what became of it says the status. -> the task, as it is then"""
            status, reply, _ = self.modern("tasks/cancel", {"taskId": task}, meta=TASKS, name=task)
            self.assertEqual((status, reply["result"]), (200, {"resultType": "complete"}))
            return self.modern("tasks/get", {"taskId": task}, meta=TASKS, name=task)[1]["result"]

        seen = cancelled()
        self.assertEqual(seen["status"], "working")
        self.assertIn("Its work is done: its last tasks run.", seen["statusMessage"])
        self.assertEqual(self.server.request("POST", f"/api/runs/{task}/suspend")[0], 202)
        seen = cancelled()
        self.assertEqual(seen["status"], "working")
        self.assertIn("is ending already", seen["statusMessage"])
        self.assertIn("goes on when somebody resumes the run", seen["statusMessage"])
        self.assertEqual(self.server.request("POST", f"/api/runs/{task}/resume")[0], 202)
        self.server.request("POST", f"/api/runs/{task}/events", {"specversion": "1.0", "id": "1", "source": "/t", "type": "go", "data": {}})
        poll(lambda: self.modern("tasks/get", {"taskId": task}, meta=TASKS, name=task)[1]["result"]["status"] == "completed", 10, "its end")

    def test_who_closes_the_stream_of_a_new_request_cancels_it(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "patient", "_meta": META}}
        connection.request("POST", "/mcp", json.dumps(message), {
            "Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json", "Accept": "text/event-stream, application/json",
            "MCP-Protocol-Version": NEWEST, "Mcp-Method": "tools/call", "Mcp-Name": "patient"})
        connection.sock.settimeout(30)
        self.assertTrue(connection.sock.recv(1))

        def newest():
            return self.server.request("GET", f"/api/workflows/{self.ids['patient']}/executions?limit=1")[1]["items"][0]

        run = poll(newest, 10, "the run")
        connection.sock.close()
        connection.close()
        poll(lambda: self.server.request("GET", f"/api/runs/{run['id']}")[1]["status"] == "cancelled", 60,
             "the cancellation: a client that left is noticed by the next line of comment, after 15 s")

    def test_who_leaves_before_anything_was_said_leaves_nothing_behind(self):
        leaving = self.server.create_workflow(LONG.replace("patient", "leaving"))
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "leaving", "_meta": META}})
        lines = ["POST /mcp HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {API_KEY}", "Content-Type: application/json",
                 "Accept: text/event-stream, application/json", f"MCP-Protocol-Version: {NEWEST}", "Mcp-Method: tools/call", "Mcp-Name: leaving",
                 f"Content-Length: {len(body)}", "", body]
        for i in range(20):
            connection = socket.create_connection(("127.0.0.1", self.server.port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed with a reset
            connection.sendall("\r\n".join(lines).encode())
            time.sleep(i % 10 * 0.005)  # the moment is what is tried: there is nothing to wait for
            connection.close()

        def ended():
            runs = self.server.request("GET", f"/api/workflows/{leaving}/executions?limit=100")[1]["items"]
            return bool(runs) and all(run["status"] == "cancelled" for run in runs)

        poll(ended, 30, "the cancellation of every run that was started")
        self.server.request("DELETE", f"/api/workflows/{leaving}")

    # ---- prompts and resources -------------------------------------------------------------------------------------------------

    def test_arguments_are_completed_by_what_their_schemas_offer(self):
        """Of a prompt's argument the choices of its schema that begin with what was typed, of the templates the ids of what is there, of
        what is free or unknown nothing; a tool is no prompt, and another organization's workflows are not there."""
        def completed(ref, name, value=""):
            return self.post("completion/complete", {"ref": ref, "argument": {"name": name, "value": value}})[1]
        letter = {"type": "ref/prompt", "name": "letter"}
        self.assertEqual(completed(letter, "tone", "f")["result"]["completion"], {"values": ["friendly", "formal", "firm"], "total": 3, "hasMore": False})
        self.assertEqual(completed(letter, "tone", "fo")["result"]["completion"]["values"], ["formal"])
        self.assertEqual(completed(letter, "urgent")["result"]["completion"]["values"], ["true", "false"])
        self.assertEqual(completed(letter, "to", "A")["result"]["completion"]["values"], [])
        self.assertEqual(completed({"type": "ref/prompt", "name": "pawl.plan"}, "workflow")["result"]["completion"]["values"], [])
        listed = [resource["uri"].rsplit("/", 1)[1] for resource in self.post("resources/list")[1]["result"]["resources"]
                  if resource["uri"].startswith("pawl://workflows/")]
        template = {"type": "ref/resource", "uri": "pawl://workflows/{workflow_id}"}
        self.assertEqual(sorted(completed(template, "workflow_id")["result"]["completion"]["values"]), sorted(listed))
        self.assertEqual(completed(template, "workflow_id", listed[0])["result"]["completion"]["values"], [listed[0]])
        for ref in ({"type": "ref/prompt", "name": "greet"}, {"type": "ref/prompt", "name": "nobody"}, {"type": "ref/resource", "uri": "file:///{x}"}):
            self.assertEqual(completed(ref, "x")["error"]["code"], -32602, ref)

    def test_prompts_are_workflows_and_the_programs_own(self):
        prompts = {prompt["name"]: prompt for prompt in self.post("prompts/list")[1]["result"]["prompts"]}
        self.assertEqual(prompts["letter"]["arguments"], [{"name": "to", "required": True, "description": "Who gets it"},
                                                          {"name": "lines", "required": False}, {"name": "tone", "required": False},
                                                          {"name": "urgent", "required": False}])
        self.assertIn("letter", prompts)
        self.assertNotIn("letter", [tool["name"] for tool in self.post("tools/list")[1]["result"]["tools"]])
        got = self.post("prompts/get", {"name": "letter", "arguments": {"to": "Ada", "lines": "5"}})[1]["result"]
        self.assertEqual(got["messages"], [{"role": "user", "content": {"type": "text", "text": "Write 5 lines to Ada."}}])
        self.assertEqual(got["description"], "Writes a letter.")
        wrong = self.post("prompts/get", {"name": "letter", "arguments": {"lines": "5"}})[1]["error"]
        self.assertEqual(wrong["code"], -32602)
        self.assertEqual(self.post("prompts/get", {"name": "greet"})[1]["error"]["code"], -32602, "a tool is no prompt")
        self.assertEqual(self.post("tools/call", {"name": "letter"})[1]["error"]["code"], -32602, "and a prompt no tool")
        self.assertEqual(prompts["pawl.plan"]["_meta"], {"io.pawl/prompt": "plan@1"})
        own = self.post("prompts/get", {"name": "pawl.plan", "arguments": {"workflow": "do: []"}})[1]["result"]
        self.assertIn('"do: []"', own["messages"][0]["content"]["text"])
        listed = self.modern("prompts/list")[1]["result"]
        self.assertEqual((listed["resultType"], listed["cacheScope"]), ("complete", "private"))

    def test_resources_are_documents_and_runs(self):
        run = self.call("greet", {"who": "Ada"})["_meta"]["io.pawl/runId"]
        listed = {resource["uri"]: resource for resource in self.post("resources/list")[1]["result"]["resources"]}
        document = "pawl://workflows/" + self.ids["greet"]
        self.assertLessEqual({document, "pawl://runs/" + run}, set(listed))

        def read(uri, **more):
            return self.post("resources/read", {"uri": uri}, **more)[1]

        self.assertEqual(read(document)["result"]["contents"][0]["text"], GREET)
        self.assertEqual(read(document + "/versions/1")["result"]["contents"][0]["mimeType"], "application/yaml")
        output = read(f"pawl://runs/{run}/output")["result"]["contents"][0]
        self.assertEqual((json.loads(output["text"]), output["_meta"]), ({"text": "Hello, Ada"}, {"io.pawl/untrusted": True}))
        self.assertEqual(json.loads(read("pawl://runs/" + run)["result"]["contents"][0]["text"])["status"], "completed")
        for unknown in ("pawl://runs/nothing", "pawl://workflows/" + run, document + "/versions/99", "file:///etc/passwd"):
            self.assertEqual(read(unknown)["error"]["code"], -32002, unknown)
        status, reply, _ = self.modern("resources/read", {"uri": "pawl://x"}, name="pawl://x")
        self.assertEqual((status, reply["error"]["code"]), (400, -32602))
        self.assertEqual(len(self.post("resources/templates/list")[1]["result"]["resourceTemplates"]), 4)
        stranger = {"Authorization": f"Bearer {Person(self.server, 'curious@example.org').access_token}"}
        for foreign in (document, document + "/versions/1", "pawl://runs/" + run, f"pawl://runs/{run}/output"):
            self.assertEqual(read(foreign, headers=stranger)["error"]["code"], -32002, foreign)
        self.assertEqual(self.post("resources/list", headers=stranger)[1]["result"]["resources"], [])

    def test_a_result_that_is_too_large_is_not_read(self):
        made = self.server.create_workflow(GREET.replace("name: greet", "name: heavy").replace('"Hello, " + .who', '"x" * 900000'))
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{made}")
        run = self.server.request("POST", f"/api/workflows/{made}/execute", {"input": {"who": "x"}, "wait": 30})[1]["id"]
        error = self.post("resources/read", {"uri": f"pawl://runs/{run}/output"})[1]["error"]
        self.assertIn(f"/api/runs/{run}", error["message"])

    # ---- questions -------------------------------------------------------------------------------------------------------------

    ELICITS = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}

    def session(self):
        _, reply, fields = self.post("initialize", {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}})
        self.assertEqual(reply["result"]["capabilities"], {"tools": {}, "prompts": {}, "resources": {}, "completions": {}})
        return {"Mcp-Session-Id": fields["Mcp-Session-Id"]}

    def asked(self, tool, headers=None, key=API_KEY):
        """Calls a tool of a session. -> the connection, its answer, the question in its stream"""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)
        message = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": tool}}
        connection.request("POST", "/mcp", json.dumps(message), {
            "Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            **(self.session() if headers is None else headers)})
        reply = connection.getresponse()
        return connection, reply, self.next_event(reply)

    @staticmethod
    def next_event(reply):
        while True:
            line = reply.readline()
            if not line:
                return None
            if line.startswith(b"data: "):
                return json.loads(line[6:])

    def test_a_session_is_asked_in_its_stream(self):
        _, reply, question = self.asked("asking")
        self.assertEqual(question["method"], "elicitation/create")
        self.assertEqual(question["params"]["requestedSchema"]["required"], ["reason"])
        self.assertIn("Delete it?", question["params"]["message"])
        self.assertIn("/tmp/x", question["params"]["message"])

        def answer(result, **fields):
            return self.server.request("POST", "/mcp", {"jsonrpc": "2.0", "id": question["id"], "result": result}, fields)[0]

        stranger = f"Bearer {Person(self.server, 'answers@example.org').access_token}"
        self.assertEqual(answer({"action": "accept", "content": {"reason": "x"}}, Authorization=stranger), 404)
        self.assertEqual(answer({"action": "accept", "content": {"reason": 5}}), 400, "not what the form asks for")
        self.assertEqual(answer({"action": "perhaps"}), 400)
        self.assertEqual(answer({"action": "cancel"}), 202, "it stays open")
        self.assertEqual(answer({"action": "accept", "content": {"reason": "It is old."}}), 202)
        last = self.next_event(reply)
        self.assertEqual(last["result"]["structuredContent"], {"approved": True, "reason": "It is old."})
        self.assertEqual(answer({"action": "decline"}), 400, "decided once")
        records = poll(lambda: self.server.request("GET", "/api/audit?action=approvals.approve")[1]["items"], 10, "the record")
        self.assertEqual(records[0]["details"]["via"], "mcp")

    def test_a_client_without_sessions_repeats_the_call_with_the_answer(self):
        call = {"name": "asking", "arguments": {}}
        asked = self.modern("tools/call", call, meta=self.ELICITS, name="asking")[1]["result"]
        self.assertEqual(asked["resultType"], "input_required")
        (key, question), = asked["inputRequests"].items()
        self.assertEqual(question["method"], "elicitation/create")
        state = asked["requestState"]
        again = self.modern("tools/call", {**call, "requestState": state}, meta=self.ELICITS, name="asking", request_id=2)[1]["result"]
        self.assertEqual(list(again["inputRequests"]), [key], "what is not answered is asked again")
        answers = {"inputResponses": {key: {"action": "decline"}, "unknown": {"action": "accept"}}, "requestState": state}
        altered = ("y" if state[0] == "x" else "x") + state[1:]
        for wrong in ({**answers, "requestState": altered}, {**answers, "arguments": {"other": 1}}, {"inputResponses": answers["inputResponses"]}):
            status, reply, _ = self.modern("tools/call", {**call, **wrong}, meta=self.ELICITS, name="asking")
            self.assertEqual((status, reply["error"]["code"]), (400, -32602), wrong)
        done = self.modern("tools/call", {**call, **answers}, meta=self.ELICITS, name="asking", request_id=3)[1]["result"]
        self.assertEqual((done["resultType"], done["structuredContent"]["approved"]), ("complete", False))

    def test_a_task_tells_its_questions_and_takes_the_answers(self):
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}}
        task = self.modern("tools/call", {"name": "asking"}, meta=meta, name="asking")[1]["result"]["taskId"]

        def state():
            return self.modern("tasks/get", {"taskId": task}, meta=meta, name=task)[1]["result"]

        asked = state()
        self.assertEqual(asked["status"], "input_required")
        other = self.modern("tools/call", {"name": "asking"}, meta=meta, name="asking")[1]["result"]["taskId"]
        foreign = {key: {"action": "decline"} for key in self.modern("tasks/get", {"taskId": other}, meta=meta, name=other)[1]["result"]["inputRequests"]}
        status, reply, _ = self.modern("tasks/update", {"taskId": task, "inputResponses": foreign}, meta=meta, name=task)
        self.assertEqual((status, reply["error"]["code"]), (400, -32602), "who answers for a task decides nothing else")
        self.assertEqual(self.modern("tasks/get", {"taskId": other}, meta=meta, name=other)[1]["result"]["status"], "input_required")
        responses = {key: {"action": "accept", "content": {"reason": "r"}} for key in asked["inputRequests"]}
        self.assertEqual(self.modern("tasks/update", {"taskId": task, "inputResponses": responses}, meta=meta, name=task)[0], 200)
        done = poll(lambda: (lambda s: s if s["status"] == "completed" else None)(state()), 10, "the end")
        self.assertEqual(done["result"]["structuredContent"], {"approved": True, "reason": "r"})

    def test_nobody_is_asked_what_is_for_others(self):
        person = Person(self.server, "starter@example.org")
        own = {"Authorization": f"Bearer {person.access_token}"}
        status, made, _ = self.server.request("POST", "/api/workflows", {"definition": FOUR_EYES}, own)
        self.assertEqual(status, 201, made)
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}}
        fields = {**own, "MCP-Protocol-Version": NEWEST}

        def ask(method, params, name):
            return self.post(method, {**params, "_meta": meta}, {**fields, "Mcp-Method": method, "Mcp-Name": name})[1]["result"]

        task = ask("tools/call", {"name": "four-eyes"}, "four-eyes")["taskId"]
        open_ones = self.server.request("GET", "/api/approvals", None, own)[1]["items"]
        self.assertEqual([each["can_decide"] for each in open_ones], [False])
        self.assertEqual(ask("tasks/get", {"taskId": task}, task)["status"], "working", "who started it does not decide it")
        key = f"pawl-approval:{open_ones[0]['id']}:{open_ones[0]['digest']}"
        status, reply, _ = self.server.request("POST", "/mcp", {"jsonrpc": "2.0", "id": key, "result": {"action": "accept"}}, own)
        self.assertEqual(status, 403, reply)

    # proves: P2
    def test_an_organization_has_its_own_tools(self):
        stranger = Person(self.server, "own.tools@example.org")
        own = {"Authorization": f"Bearer {stranger.access_token}"}
        self.assertEqual(self.post("tools/list", headers=own)[1]["result"]["tools"], [])
        status, reply, _ = self.post("tools/call", {"name": "greet", "arguments": {"who": "x"}}, headers=own)
        self.assertEqual((status, reply["error"]["code"]), (200, -32602))

    def test_a_key_that_may_only_read_lists_and_does_not_call(self):
        person = Person(self.server, "reader@example.org")
        status, made = person.call("POST", "/api/api-keys", {"name": "mcp", "scopes": ["read"]})
        self.assertEqual(status, 201, made)
        key = {"Authorization": f"Bearer {made['key']}"}
        self.assertEqual(self.post("tools/list", headers=key)[0], 200)
        status, reply, _ = self.post("tools/call", {"name": "greet"}, headers=key)
        self.assertEqual((status, "execute" in reply["error"]["message"]), (403, True))

    def test_strangers_and_foreign_pages_are_refused(self):
        self.assertEqual(self.post("tools/list", headers={"Authorization": ""})[0], 401)
        self.assertEqual(self.post("tools/list", headers={"Origin": "https://evil.example.com"})[0], 403)
        self.assertEqual(self.server.request("GET", "/mcp")[0], 405)

    def test_the_command_carries_messages_between_a_client_and_the_server(self):
        messages = [{"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {"protocolVersion": "2025-11-25"}},
                    {"jsonrpc": "2.0", "method": "notifications/initialized"},
                    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
                        "name": "steps", "_meta": {"progressToken": 5}}},
                    {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
                        "name": "greet", "arguments": {"who": "Dee"}, "_meta": META}}]
        text = "".join(json.dumps(message) + "\n" for message in messages) + "not json\n"
        done = subprocess.run([binary(), "mcp", "--url", f"http://127.0.0.1:{self.server.port}"], input=text, capture_output=True, text=True,
                              timeout=30, env={"PATH": os.environ["PATH"], "PAWL_API_KEY": API_KEY})
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        by_id = {answer["id"]: answer for answer in answers if "id" in answer}
        self.assertEqual(by_id["a"]["result"]["serverInfo"]["name"], "pawl")
        self.assertEqual(by_id[2]["result"]["structuredContent"], {"done": True})
        self.assertEqual(by_id[3]["result"]["structuredContent"], {"text": "Hello, Dee"})
        self.assertEqual(by_id[None]["error"]["code"], -32603)
        refused = subprocess.run([binary(), "mcp", "--url", f"http://127.0.0.1:{self.server.port}"], input=json.dumps(messages[0]) + "\n",
                                 capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"], "PAWL_API_KEY": "wrong-" * 8})
        self.assertIn("401", json.loads(refused.stdout)["error"]["message"])

    def test_a_workflow_that_is_not_active_is_no_tool(self):
        made = self.server.create_workflow(GREET.replace("name: greet", "name: resting"))
        self.assertIn("resting", [tool["name"] for tool in self.post("tools/list")[1]["result"]["tools"]])
        self.server.request("PUT", f"/api/workflows/{made}", {"is_active": False})
        self.assertNotIn("resting", [tool["name"] for tool in self.post("tools/list")[1]["result"]["tools"]])
        # Two of one name: the older one keeps it.
        twin = self.server.create_workflow(GREET.replace("Hello", "Hi"))
        names = sorted(tool["name"] for tool in self.post("tools/list")[1]["result"]["tools"] if tool["name"].startswith("greet"))
        self.assertEqual(names, ["greet", "greet-" + twin[-8:]])
        self.assertEqual(self.call(names[1], {"who": "Cy"})["structuredContent"], {"text": "Hi, Cy"})
        self.server.request("DELETE", f"/api/workflows/{twin}")


if __name__ == "__main__":
    unittest.main()
