#!/usr/bin/env python3
"""proves: A5, F1, F3

Functions as tools of the Model Context Protocol: those that the administrator names and no others, with the declaration that drives everything else. A
call is a run of its own, with the caller's rights, records and limits.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import API_KEY, Server, binary, poll  # noqa: E402
from people import Person  # noqa: E402

OFFERED = ["file-read", "file-write", "transform", "run.script", "approval", "greet"]
# What users have written, by what each is for: the text, and its hints (reads only, destroys, repeatable, open world).
HINTED = {
    "calm": ("do: [{a: {set: {x: 1}}}, {b: {call: transform, with: {input: [], expression: .}}}]", (True, False, True, False)),
    "peek": ("{call: file-read, with: {path: '${ .path }'}}", (True, False, True, False)),
    "nested": ("{call: peek, with: {path: note.txt}}", (True, False, True, False)),
    "fetch": ("{call: http, with: {method: get, endpoint: 'https://api.example.org/{id}'}}", (True, False, True, True)),
    "fetch-any": ("{call: http, with: {method: get, endpoint: 'https://{host}/'}}", (False, True, False, True)),
    "delete": ("{call: http, with: {method: delete, endpoint: 'https://api.example.org/{id}'}}", (False, True, False, True)),
    "choose": ("{call: http, with: {method: '${ .method }', endpoint: 'https://api.example.org/x'}}", (False, True, False, True)),
    "keep": ("{call: file-write, with: {path: kept.txt, content: x, mode: overwrite, allow_destructive: true}}", (False, True, False, False)),
    "tell": ("emit: {event: {with: {source: 'https://x.example', type: a.b}}}", (False, True, False, True)),
    "hear": ("listen: {to: {one: {with: {type: a.b}}}}", (True, False, True, True)),
    "ask": ("{call: approval, with: {title: Well?}}", (False, False, False, True)),
    "start": ("run: {workflow: {namespace: a, name: b, version: '1.0.0'}}", (False, True, False, True)),
    "claims": ("{run: {shell: {command: ls}}, metadata: {effect: read}}", (False, True, False, True)),
    "deep": ("do: [{a: {try: [{b: {set: {x: 1}}}], catch: {do: [{c: {run: {script: {language: js, code: '1'}}}}]}}}]", (False, True, False, True)),
    "both": ("""do: [{look: {call: file-read, with: {path: note.txt}}},
      {keep: {call: file-write, with: {path: planned-too.txt, content: x, allow_destructive: true}}}]""",
             (False, True, False, False)),
    "uses": ("do: [{look: {call: file-read, with: {path: note.txt}}}, {loud: {set: {text: '${ .content | ascii_upcase }'}}}]", (True, False, True, False)),
    "think": ("{call: llm, with: {prompt: x}}", (False, True, False, True)),
}
# Workflows of names that a tool of a function has, or would have if it were offered.
NAMESAKE = """document: {dsl: '1.0.3', namespace: test, name: mine, version: '1.0.0', metadata: {mcp: {name: %s}}}
do:
  - say: {set: {mine: true}}
"""
GREET = """metadata: {summary: Greets somebody}
input: {schema: {document: {type: object, properties: {who: {type: string}}, required: [who], additionalProperties: false}}}
set: {text: '${ "Hello, " + .who }'}
"""
# What they take and give.
FORMED = {
    "typed": """input: {schema: {document: {type: object, properties: {n: {}}}}}
output: {schema: {document: {type: object, properties: {n: {type: integer}}, required: [n]}}}
set: {n: '${ .n }'}""",
    "blocks": """output: {schema: {document: {type: object, required: [content]}}}
set: {content: [{type: text, text: a}], structuredContent: 5}""",
    "refers": """output: {schema: {document: {type: object, $defs: {n: {type: integer}}, properties: {n: {$ref: '#/$defs/n'}}}}}
set: {n: 1}""",
    "own-switch": """input: {schema: {document: {type: object, properties: {_dry_run: {type: string}}, additionalProperties: false}}}
set: {got: '${ ._dry_run }'}""",
    "listed": "{input: {schema: {document: {type: array}}}, set: {n: 1}}",
}
NEWEST = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}}


class McpFunctionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = os.path.join(cls.folder.name, "files")
        plugins = os.path.join(cls.folder.name, "plugins")
        greet = os.path.join(plugins, "functions", "greet", "1.0.0")
        for path in (cls.files, greet):
            os.makedirs(path)
        written = {name: text for name, (text, _) in HINTED.items()} | FORMED
        for name, text in written.items():
            folder = os.path.join(plugins, "functions", name, "1.0.0")
            os.makedirs(folder)
            with open(os.path.join(folder, "function.yaml"), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        with open(os.path.join(greet, "function.yaml"), "w", encoding="utf-8") as file:
            file.write(GREET)
        with open(os.path.join(cls.files, "note.txt"), "w", encoding="utf-8") as file:
            file.write("a note")
        names = [name.replace("-", "_") if name == "file-read" else name for name in OFFERED]
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={
            "PAWL_FILE_ROOTS": cls.files, "PLUGIN_DIRECTORY": plugins, "PAWL_MCP_FUNCTIONS": ", ".join([*names, *written])}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def post(self, method, params=None, who=None, **fields):
        headers = {"Accept": "application/json", **fields}
        if who is not None:
            headers["Authorization"] = f"Bearer {who}"
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self.server.request("POST", "/mcp", message, headers)

    def call(self, tool, arguments=None, who=None):
        status, reply, _ = self.post("tools/call", {"name": tool, "arguments": arguments or {}}, who)
        self.assertEqual(status, 200, reply)
        return reply["result"]

    def modern(self, method, params, name):
        return self.modern_reply(method, params, name)[1]["result"]

    def modern_reply(self, method, params, name, who=None, meta=None):
        fields = {"MCP-Protocol-Version": NEWEST, "Mcp-Method": method, "Mcp-Name": name}
        return self.post(method, {**params, "_meta": meta or META}, who, **fields)

    def tools(self, who=None):
        return {tool["name"]: tool for tool in self.post("tools/list", who=who)[1]["result"]["tools"]}

    def records(self, action, run):
        found = self.server.request("GET", f"/api/audit?action={action}&limit=200")[1]["items"]
        return [record for record in found if record.get("run_id") == run]

    def test_f1_a_tool_has_the_declaration_of_its_function(self):
        tools = self.tools()
        self.assertEqual(set(tools), {"function_" + name.replace(".", "_") for name in (*OFFERED, *HINTED, *FORMED) if name != "listed"})
        for name in OFFERED:
            plugin = self.server.request("GET", f"/api/plugins/{name}")[1]
            tool = tools["function_" + name.replace(".", "_")]
            taken = json.loads(json.dumps(tool["inputSchema"]))
            switch = taken["properties"].pop("_dry_run")
            self.assertEqual((switch["type"], switch["default"]), ("boolean", False), name)
            self.assertEqual({"properties": {}, **taken}, {"properties": {}, **plugin["parameters"]}, name)
            self.assertEqual((tool["title"], tool["description"]), (name, plugin["description"]))
            hints = tool["annotations"]
            self.assertEqual(set(hints), {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"})
            if plugin["destructive"]:
                self.assertTrue(hints["destructiveHint"] and not hints["readOnlyHint"], name)
            if hints["readOnlyHint"]:
                self.assertLessEqual(set(plugin["effects"]), {"pure", "read"}, name)
            if hints["idempotentHint"]:
                self.assertNotIn("once", plugin["effects"], name)
        self.assertEqual(tools["function_file-read"]["annotations"],
                         {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False})
        self.assertTrue(tools["function_greet"]["annotations"]["readOnlyHint"], "it only makes a text")
        self.assertEqual(tools["function_run_script"]["annotations"],
                         {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True})

    # proves: F1, F5
    def test_the_hints_of_what_users_wrote_follow_from_its_steps(self):
        tools = self.tools()
        for name, (text, (reads, destroys, repeatable, outside)) in HINTED.items():
            self.assertEqual(tools["function_" + name]["annotations"],
                             {"readOnlyHint": reads, "destructiveHint": destroys, "idempotentHint": repeatable, "openWorldHint": outside},
                             name + ": " + text)

    def test_f1_a_call_is_a_run_with_records(self):
        result = self.call("function_file-read", {"path": "note.txt"})
        self.assertFalse(result["isError"], result)
        self.assertEqual(result["structuredContent"]["content"], "a note")
        run = result["_meta"]["io.pawl/runId"]
        view = self.server.request("GET", f"/api/runs/{run}")[1]
        self.assertEqual((view["status"], view["trigger"]["via"], view["trigger"]["plugin"]), ("completed", "mcp", "file-read"))
        self.assertEqual([task["name"] for task in view["tasks"]], ["call"])
        called, = poll(lambda: self.records("mcp.callTool", run), 10, "the record of the call")
        self.assertEqual((called["resource_type"], called["resource_id"], called["outcome"]), ("function", "file-read", "success"))
        self.assertEqual(called["details"]["tool"], "function_file-read")
        executed, = poll(lambda: self.records("function.executed", run), 10, "the record of the function")
        self.assertEqual(executed["resource_id"], "file-read")

    # proves: F1, A5
    def test_each_function_tells_its_plan_when_asked_for_it(self):
        target = os.path.join(self.files, "planned.txt")
        wish = {"path": "planned.txt", "content": "x", "mode": "overwrite", "allow_destructive": True}
        planned = self.call("function_file-write", {**wish, "_dry_run": True})
        self.assertFalse(planned["isError"], planned)
        self.assertEqual(planned["structuredContent"]["dry_run"], True)
        step, = planned["structuredContent"]["plan"]
        self.assertEqual((step["action"], step["path"]), ("create", target))
        self.assertFalse(os.path.exists(target), "a plan changes nothing, whatever is allowed")
        run = planned["_meta"]["io.pawl/runId"]
        self.assertTrue(self.server.request("GET", f"/api/runs/{run}")[1]["dry_run"])
        called, = poll(lambda: self.records("mcp.callTool", run), 10, "the record of the call")
        self.assertEqual(called["details"], {"tool": "function_file-write", "dry_run": True})
        executed, = poll(lambda: self.records("function.executed", run), 10, "the record of the function")
        self.assertEqual(executed["outcome"], "dry_run")
        self.assertEqual(self.call("function_run_script", {"language": "js", "code": "1", "_dry_run": True})["structuredContent"]["plan"][0]["action"], "run")
        done = self.call("function_file-write", {**wish, "_dry_run": False})
        self.assertEqual((done["isError"], os.path.exists(target)), (False, True), done)
        os.remove(target)

    # proves: F1, A5
    def test_the_plan_of_what_users_wrote_is_that_of_its_steps(self):
        both = self.call("function_both", {"_dry_run": True})
        self.assertFalse(both["isError"], both)
        self.assertEqual([(step["task"], step["action"]) for step in both["structuredContent"]["plan"]], [("look", "read"), ("keep", "create")])
        self.assertFalse(os.path.exists(os.path.join(self.files, "planned-too.txt")))
        self.assertEqual(self.call("function_calm", {"_dry_run": True})["structuredContent"]["plan"][0]["task"], "b")
        asked = self.call("function_ask", {"_dry_run": True})
        self.assertEqual(asked["structuredContent"]["plan"][0]["action"], "ask", "nobody is asked, and nothing waits")
        stopped = self.call("function_uses", {"_dry_run": True})
        self.assertFalse(stopped["isError"], stopped)
        self.assertEqual([step["task"] for step in stopped["structuredContent"]["plan"]], ["look"])
        self.assertIn("stopped", stopped["structuredContent"], "what it would do with an answer, only the answer tells")

    # proves: F1, A5
    def test_what_is_no_switch_is_refused_and_not_taken_for_no(self):
        before = self.server.request("GET", "/api/runs")[1]["items"]
        for wish in ("true", 1, None, [], {}):
            result = self.call("function_file-write", {"path": "odd.txt", "content": "x", "allow_destructive": True, "_dry_run": wish})
            self.assertTrue(result["isError"], wish)
            self.assertIn("/_dry_run", result["content"][0]["text"])
        self.assertTrue(self.call("function_file-read", {"path": 5, "_dry_run": True})["isError"], "wrong arguments have no plan")
        self.assertTrue(self.call("function_file-read", {"path": "note.txt", "__dry_run": True})["isError"], "nor is any other name known")
        self.assertEqual(self.server.request("GET", "/api/runs")[1]["items"], before)
        self.assertFalse(os.path.exists(os.path.join(self.files, "odd.txt")))

    # proves: F1, A5
    def test_a_function_with_such_a_parameter_keeps_it(self):
        tool = self.tools()["function_own-switch"]
        self.assertEqual(list(tool["inputSchema"]["properties"]), ["_dry_run", "__dry_run"])
        self.assertEqual(self.call("function_own-switch", {"_dry_run": "mine"})["structuredContent"], {"got": "mine"})
        self.assertTrue(self.call("function_own-switch", {"_dry_run": "mine", "__dry_run": True})["structuredContent"]["dry_run"])

    # proves: F1, A5
    def test_a_plan_is_a_task_as_well(self):
        reply = self.modern("tools/call", {"name": "function_both", "arguments": {"_dry_run": True}}, "function_both")
        self.assertEqual(len(reply["structuredContent"]["plan"]), 2)
        task = reply["_meta"]["io.pawl/runId"]
        again = self.modern("tasks/get", {"taskId": task}, task)
        self.assertEqual(again["result"]["structuredContent"], reply["structuredContent"])

    # proves: F1, A5
    def test_an_output_is_declared_where_it_always_holds(self):
        tools = self.tools()
        for name, declared in (("file-read", True), ("file-write", True), ("approval", True), ("typed", True), ("blocks", True),
                               ("transform", False), ("run_script", False), ("greet", False), ("refers", False)):
            self.assertEqual("outputSchema" in tools["function_" + name], declared, name)
        plugin = self.server.request("GET", "/api/plugins/file-read")[1]
        told = tools["function_file-read"]["outputSchema"]
        self.assertEqual((told["type"], told["anyOf"][0]), ("object", plugin["output"]))
        self.assertEqual(told["anyOf"][1]["required"], ["dry_run", "plan"])
        typed = self.call("function_typed", {"n": 5})
        self.assertEqual((typed["isError"], typed["structuredContent"], typed["content"][0]["text"]), (False, {"n": 5}, '{"n":5}'))
        self.assertTrue(self.call("function_typed", {"n": "5"})["isError"], "what does not fit is no result")
        # Content blocks pass, and what was declared is there as well.
        blocks = self.call("function_blocks")
        self.assertEqual(blocks["content"], [{"type": "text", "text": "a"}])
        self.assertEqual(blocks["structuredContent"], {"content": [{"type": "text", "text": "a"}], "structuredContent": 5})
        run = blocks["_meta"]["io.pawl/runId"]
        self.assertEqual(self.modern("tasks/get", {"taskId": run}, run)["result"]["structuredContent"], blocks["structuredContent"])
        self.assertNotIn("function_listed", tools, "a tool takes an object, and this function does not")

    def test_functions_of_users_are_called_too(self):
        self.assertEqual(self.call("function_greet", {"who": "Ada"})["structuredContent"], {"text": "Hello, Ada"})
        self.assertTrue(self.call("function_greet", {"who": 5})["isError"])

    def test_arguments_are_data_and_no_expressions(self):
        for text in ("${ 1 + 1 }", "${HOME} and ${", r'${ "\(1 + 1)" } \(2) "quoted"', "$secrets.x"):
            written = self.call("function_file-write", {"path": "data.txt", "content": text, "mode": "overwrite", "allow_destructive": True})
            self.assertFalse(written["isError"], written)
            with open(os.path.join(self.files, "data.txt"), encoding="utf-8") as file:
                self.assertEqual(file.read(), text)

    def test_wrong_arguments_are_told_to_the_model_and_start_nothing(self):
        before = self.server.request("GET", "/api/runs")[1]["items"]
        result = self.call("function_file-read", {"path": 5})
        self.assertTrue(result["isError"])
        self.assertIn("/path", result["content"][0]["text"])
        self.assertNotIn("_meta", result)
        self.assertTrue(self.call("function_file-read", {"path": "note.txt", "unheard": 1})["isError"])
        self.assertEqual(self.server.request("GET", "/api/runs")[1]["items"], before)
        failed = self.call("function_file-read", {"path": "../data/pawl.db"})
        self.assertTrue(failed["isError"], "and the folders of the installation hold")

    # proves: F3, S4-H3
    def test_a_function_that_destroys_plans_unless_allowed_and_permitted(self):
        target = os.path.join(self.files, "made.txt")
        wish = {"path": "made.txt", "content": "x", "mode": "overwrite"}
        planned = self.call("function_file-write", wish)["structuredContent"]
        self.assertTrue(planned["dry_run"], planned)
        self.assertFalse(os.path.exists(target))
        owner, member = Person(self.server, "owner.mcp@example.org"), Person(self.server, "member.mcp@example.org")
        acme = owner.call("POST", "/api/organizations", {"name": "Acme"})[1]["id"]
        self.assertEqual(owner.call("POST", f"/api/organizations/{acme}/members", {"user_id": member.id, "role": "member"})[0], 201)
        self.assertEqual(owner.call("PUT", f"/api/organizations/{acme}", {"destroy_role": "owner"})[0], 200)

        def act(person):
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": {"name": "function_file-write", "arguments": {**wish, "allow_destructive": True}}}
            status, reply, _ = self.server.request("POST", f"/mcp?organization_id={acme}", message, {
                "Accept": "application/json", "Authorization": f"Bearer {person.access_token}"})
            self.assertEqual(status, 200, reply)
            return reply["result"]

        refused = act(member)
        self.assertFalse(os.path.exists(target), refused)
        done = act(owner)
        self.assertFalse(done["isError"], done)
        self.assertTrue(os.path.exists(target))
        os.remove(target)

    # proves: P2
    def test_whoever_may_not_write_workflows_calls_no_function(self):
        person = Person(self.server, "scopes.mcp@example.org")
        status, made = person.call("POST", "/api/api-keys", {"name": "mcp", "scopes": ["read", "execute"]})
        self.assertEqual(status, 201, made)
        self.assertEqual(self.tools(made["key"]), {}, "nor is told of one")
        status, reply, _ = self.post("tools/call", {"name": "function_transform", "arguments": {}}, made["key"])
        self.assertEqual((status, "write" in reply["error"]["message"]), (403, True), reply)
        records = poll(lambda: [record for record in person.call("GET", "/api/audit?action=mcp.callTool")[1]["items"]], 10, "the record")
        self.assertEqual((records[0]["outcome"], records[0]["resource_id"]), ("failure", "transform"))
        status, made = person.call("POST", "/api/api-keys", {"name": "mcp", "scopes": ["read", "write"]})
        self.assertEqual(self.post("tools/call", {"name": "function_transform", "arguments": {}}, made["key"])[0], 403, "nor who may not execute")

    # proves: P2
    def test_another_organization_sees_nothing_of_the_run(self):
        mine, stranger = Person(self.server, "mine.mcp@example.org"), Person(self.server, "stranger.mcp@example.org")
        run = self.call("function_file-read", {"path": "note.txt"}, mine.access_token)["_meta"]["io.pawl/runId"]
        self.assertEqual(mine.call("GET", f"/api/runs/{run}")[0], 200)
        self.assertEqual(stranger.call("GET", f"/api/runs/{run}")[0], 404)
        self.assertEqual(stranger.call("GET", "/api/runs")[1]["items"], [])
        self.assertIn("error", self.post("resources/read", {"uri": f"pawl://runs/{run}"}, stranger.access_token)[1])
        self.assertEqual(mine.call("GET", "/api/workflows")[1]["items"], [], "it stands in no list of workflows")

    def test_what_is_not_named_is_no_tool(self):
        for name in ("function_http", "function_log", "file-read", "function_agent", "function_"):
            reply = self.post("tools/call", {"name": name, "arguments": {}})[1]
            self.assertEqual(reply["error"]["code"], -32602, name)

    def test_a_workflow_of_that_name_gets_another(self):
        made = self.server.create_workflow(NAMESAKE % "function_file-read")
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{made}")
        other = self.server.create_workflow(NAMESAKE % "function_http")
        self.addCleanup(self.server.request, "DELETE", f"/api/workflows/{other}")
        tools = self.tools()
        self.assertLessEqual({"function_file-read", "function_file-read-" + made[-8:], "function_http"}, set(tools))
        self.assertIn("annotations", tools["function_file-read"])
        self.assertNotIn("annotations", tools["function_http"], "a function that is not offered takes no name away")
        self.assertEqual(self.call("function_file-read-" + made[-8:])["structuredContent"], {"mine": True})
        self.assertEqual(self.call("function_file-read", {"path": "note.txt"})["structuredContent"]["content"], "a note")

    def test_a_long_call_is_a_task_and_asks_its_client(self):
        task = self.modern("tools/call", {"name": "function_approval", "arguments": {"title": "Go on?"}}, "function_approval")["taskId"]
        asked = self.modern("tasks/get", {"taskId": task}, task)
        self.assertEqual(asked["status"], "input_required", asked)
        key, = asked["inputRequests"]
        self.modern("tasks/update", {"taskId": task, "inputResponses": {key: {"action": "accept"}}}, task)
        done = poll(lambda: (lambda s: s if s["status"] == "completed" else None)(self.modern("tasks/get", {"taskId": task}, task)), 10, "the end")
        self.assertTrue(done["result"]["structuredContent"]["approved"])

    # proves: A5, P2
    def test_a_client_without_sessions_repeats_the_call_with_the_answer(self):
        tool = "function_approval"
        call = {"name": tool, "arguments": {"title": "Go on?"}}
        elicits = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        mine, stranger = Person(self.server, "state.mcp@example.org"), Person(self.server, "thief.mcp@example.org")

        def send(changes, who=mine):
            return self.modern_reply("tools/call", {**call, **changes}, changes.get("name", tool), who.access_token, elicits)

        asked = send({})[1]["result"]
        self.assertEqual(asked["resultType"], "input_required", asked)
        key, = asked["inputRequests"]
        state = asked["requestState"]
        again = send({"requestState": state})[1]["result"]
        self.assertEqual(list(again["inputRequests"]), [key], "the same run, which still waits")
        answers = {"inputResponses": {key: {"action": "accept"}}, "requestState": state}
        forged = ("y" if state[0] == "x" else "x") + state[1:]
        other = send({"arguments": {"title": "Other?"}})[1]["result"]["requestState"]
        for wrong in ({**answers, "requestState": forged}, {**answers, "requestState": state[:-4]}, {**answers, "requestState": other},
                      {**answers, "requestState": "x"}, {**answers, "arguments": {"title": "Delete all?"}},
                      {**answers, "arguments": {"title": "Go on?", "_dry_run": False}}, {**answers, "name": "function_ask", "arguments": {}}):
            status, reply, _ = send(wrong)
            self.assertEqual((status, reply["error"]["code"]), (400, -32602), wrong)
        status, reply, _ = send(answers, stranger)
        self.assertEqual((status, reply["error"]["code"]), (400, -32602), "nor does it open for anybody else")
        status, reply, _ = self.modern_reply("tools/call", {**call, **answers}, tool, None, elicits)
        self.assertEqual(status, 400, "the administrator's key is somebody else too")
        runs = mine.call("GET", "/api/runs")[1]["items"]
        self.assertEqual([run["status"] for run in runs], ["waiting"] * 2, "none of that has decided anything")
        done = send(answers)[1]["result"]
        self.assertEqual((done["resultType"], done["structuredContent"]["approved"]), ("complete", True))
        self.assertEqual(len(mine.call("GET", "/api/runs")[1]["items"]), 2, "and started no other run")
        late = send(answers)[1]["result"]
        self.assertEqual(late["_meta"], done["_meta"], "told again, it is the same end")

    # proves: P2
    def test_a_viewer_neither_plans_nor_calls(self):
        owner, viewer = Person(self.server, "owner2.mcp@example.org"), Person(self.server, "viewer.mcp@example.org")
        acme = owner.call("POST", "/api/organizations", {"name": "Acme"})[1]["id"]
        self.assertEqual(owner.call("POST", f"/api/organizations/{acme}/members", {"user_id": viewer.id, "role": "viewer"})[0], 201)
        for arguments in ({"path": "note.txt"}, {"path": "note.txt", "_dry_run": True}):
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "function_file-read", "arguments": arguments}}
            status, _, _ = self.server.request("POST", f"/mcp?organization_id={acme}", message, {
                "Accept": "application/json", "Authorization": f"Bearer {viewer.access_token}"})
            self.assertEqual(status, 403)
        self.assertEqual(owner.call("GET", f"/api/runs?organization_id={acme}")[1]["items"], [])

    # proves: P2, F6
    def test_secrets_are_not_there_whatever_the_arguments_say(self):
        for name in ("authentication", "use"):
            result = self.call("function_file-read", {"path": "note.txt", name: {"use": "github"}})
            self.assertTrue(result["isError"], result)
        told = self.call("function_transform", {"input": {"a": "${ $secrets.x }"}, "expression": ".a"})
        self.assertEqual(told["content"][0]["text"], "${ $secrets.x }")
        self.assertTrue(self.call("function_transform", {"input": {}, "expression": "$secrets"})["isError"])

    def test_the_command_carries_them(self):
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "function_file-read", "arguments": {"path": "note.txt"}}}
        done = subprocess.run([binary(), "mcp", "--url", f"http://127.0.0.1:{self.server.port}"], input=json.dumps(message) + "\n",
                              capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"], "PAWL_API_KEY": API_KEY})
        self.assertEqual(json.loads(done.stdout)["result"]["structuredContent"]["content"], "a note", done.stderr)


class McpFunctionsStartTest(unittest.TestCase):
    def test_none_is_a_tool_by_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.join(folder, "data")).start()
            try:
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
                self.assertEqual(server.request("POST", "/mcp", message, {"Accept": "application/json"})[1]["result"]["tools"], [])
                message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "function_file-read"}}
                self.assertEqual(server.request("POST", "/mcp", message, {"Accept": "application/json"})[1]["error"]["code"], -32602)
            finally:
                server.stop()

    # proves: F1, A5
    def test_every_function_of_the_program_plans_its_examples_as_a_tool(self):
        with tempfile.TemporaryDirectory() as folder:
            files = os.path.join(folder, "files")
            os.makedirs(files)
            known = Server(os.path.join(folder, "first")).start()
            try:
                plugins = known.request("GET", "/api/plugins")[1]["items"]
            finally:
                known.stop()
            server = Server(os.path.join(folder, "data"), extra_environment={
                "PAWL_FILE_ROOTS": files, "PAWL_MCP_FUNCTIONS": ",".join(plugin["name"] for plugin in plugins)}).start()

            def ask(method, params):
                message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                return server.request("POST", "/mcp", message, {"Accept": "application/json"})[1]["result"]

            try:
                tools = {tool["title"]: tool for tool in ask("tools/list", {})["tools"]}
                self.assertEqual(set(tools), {plugin["name"] for plugin in plugins})
                planned = 0
                for plugin in plugins:
                    tool, hints = tools[plugin["name"]], tools[plugin["name"]]["annotations"]
                    reads = set(plugin["effects"]) <= {"pure", "read"} and not plugin["destructive"]
                    self.assertTrue(reads or (hints["destructiveHint"] and not hints["readOnlyHint"]), plugin["name"])
                    for example in plugin["examples"]:
                        result = ask("tools/call", {"name": tool["name"], "arguments": {**example, "_dry_run": True}})
                        # Of a few the plan has to look at what is not there.
                        if not result["isError"]:
                            self.assertEqual(set(result["structuredContent"]), {"dry_run", "plan"}, plugin["name"])
                            planned += 1
                self.assertGreater(planned, 50)
                self.assertTrue(all(run["dry_run"] for run in server.request("GET", "/api/runs?limit=200")[1]["items"]))
                self.assertEqual(os.listdir(files), [])
            finally:
                server.stop()

    # proves: P2, F6
    def test_no_argument_leads_to_a_secret_of_the_organization(self):
        secret = "canary-of-a-function-7731"
        seen = []

        class Echo(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.path + str(self.headers))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{echo.server_port}/"
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.join(folder, "data"), extra_environment={
                "PAWL_MCP_FUNCTIONS": "http", "PAWL_ALLOW_PRIVATE_ADDRESSES": "true", "PAWL_SECRET_MINE": secret}).start()
            try:
                made = server.request("POST", "/api/integrations", {"connector": "http", "name": "wiki", "config": {
                    "base_url": place, "header_name": "X-Key", "header_value": secret}})
                self.assertEqual(made[0], 201, made[1])

                def call(**arguments):
                    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
                        "name": "function_http", "arguments": {"method": "get", "endpoint": place, **arguments}}}
                    return server.request("POST", "/mcp", message, {"Accept": "application/json"})[1]["result"]

                self.assertFalse(call()["isError"])
                self.assertEqual(len(seen), 1)
                text = '${ $secrets.MINE // $secrets.wiki.header_value }'
                for name in ("wiki", "MINE"):
                    for authentication in ({"use": name}, {"basic": {"use": name}}, {"bearer": {"use": name}}, {"bearer": {"token": text}}):
                        call(endpoint={"uri": place, "authentication": authentication})
                        call(authentication=authentication)
                call(headers={"X-Key": text}, query={"q": text})
                call(integration="wiki", credentials={"use": "wiki"}, use={"secrets": ["MINE", "wiki"]})
                self.assertNotIn(secret, "".join(seen))
                self.assertIn("$secrets", "".join(seen), "a text is a text")
            finally:
                server.stop()
                echo.shutdown()
                echo.server_close()

    def test_a_name_that_is_no_function_refuses_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([binary(), "serve", "--port", "0", "--data-dir", folder], capture_output=True, text=True, timeout=30,
                                  env={"PATH": os.environ["PATH"], "PAWL_API_KEY": API_KEY, "PAWL_MCP_FUNCTIONS": "file-read,fiel-write"}, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("`fiel-write`", done.stderr)
            self.assertIn("PAWL_MCP_FUNCTIONS", done.stderr)


if __name__ == "__main__":
    unittest.main()
