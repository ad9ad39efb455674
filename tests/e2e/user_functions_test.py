#!/usr/bin/env python3
"""proves: F5

Functions that users have written, in the real program: seen before they run, called by name and version, followed without a restart, kept by
the versions of workflows that were saved with them; and those of catalogs elsewhere, pinned by their digests.
"""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import Server, binary, poll  # noqa: E402
from people import Person  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
GREET = """\
input:
  schema:
    document: {type: object, properties: {name: {type: string}}, required: [name]}
metadata: {summary: Greets somebody}
set: {greeting: '${ "%s " + .name }'}
"""
KEEP = """\
metadata: {summary: Keeps a text in a file}
call: file-write
with: {path: kept.txt, content: '${ .text }', mode: overwrite, allow_destructive: true}
"""
WAITS = """\
do:
  - signal:
      listen: {to: {one: {with: {type: go}}}}
  - say: {set: {said: '%s'}}
"""


class Catalog(http.server.ThreadingHTTPServer):
    """A catalog on loopback; what it answers is a dictionary of paths."""

    def __init__(self):
        self.files = {}
        self.asked = []
        catalog = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                catalog.asked.append(self.path)
                status, body = catalog.files.get(self.path, (404, ""))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", body)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Case(unittest.TestCase):
    environment = {}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.plugins = os.path.join(folder.name, "plugins")
        self.write("greet/1.0.0", GREET % "Hello")
        self.write("keep/1.0.0", KEEP)
        self.write("broken/1.0.0", "# comment\ncall: shout\n")
        self.server = Server(os.path.join(folder.name, "data"), extra_environment={"PLUGIN_DIRECTORY": self.plugins, **self.environment})
        self.addCleanup(self.server.stop)
        self.server.start()

    def write(self, name, text):
        path = os.path.join(self.plugins, "functions", name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "function.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def call(self, method, path, body=None, expect=200):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expect, reply)
        return reply

    def create(self, name, tasks, expect=201):
        return self.call("POST", "/api/workflows", {"definition": HEADER % name + tasks}, expect)

    def execute(self, workflow):
        view = self.call("POST", f"/api/workflows/{workflow}/execute", {"wait": True})
        self.assertEqual(view["status"], "completed", view)
        return view["output"]

    def run_task(self, name, task):
        return self.execute(self.create(name, f"do:\n  - one: {task}\n")["id"])

    def plugin(self, name):
        status, reply, _ = self.server.request("GET", f"/api/plugins/{name}")
        return reply if status == 200 else None


class UserFunctions(Case):
    def test_shows_what_a_function_may_reach_before_it_runs(self):
        listed = {item["name"]: item for item in self.call("GET", "/api/plugins")["items"]}
        self.assertEqual(listed["greet"]["description"], "Greets somebody")
        self.assertNotIn("broken", listed)
        keep = self.call("GET", "/api/plugins/keep")
        self.assertTrue(keep["destructive"])
        self.assertEqual(keep["effects"], ["idempotent"])
        self.assertIn("kept.txt", json.dumps(keep["permissions"]))
        plan = self.call("POST", "/api/plugins/keep/test", {"params": {"text": "x"}})
        self.assertEqual([step["function"] for step in plan["plan"]], ["file-write"])
        self.call("POST", "/api/plugins/greet/test", {"params": {"name": 7}}, 422)
        environment = {"PATH": os.environ["PATH"], "PLUGIN_DIRECTORY": self.plugins}
        shown = subprocess.run([binary(), "functions", "show", "keep"], env=environment, capture_output=True, text=True, check=True)
        self.assertIn("kept.txt", shown.stdout)
        self.assertIn("functions/broken/1.0.0/function.yaml:2:7: error", shown.stderr)
        document = os.path.join(self.folder, "keeps.yaml")
        with open(document, "w", encoding="utf-8") as file:
            file.write(HEADER % "keeps" + "do:\n  - one: {call: keep, with: {text: x}}\n")
        told = subprocess.run([binary(), "validate", "--capabilities", document], env=environment, capture_output=True, text=True, check=True)
        self.assertIn("writes kept.txt (/do/0/one/call/keep:1.0.0)", told.stdout)
        self.assertIn("destroys by file-write", told.stdout)

    # proves: F5, S4-O9
    def test_what_is_wrong_is_told_whole_to_administrators_and_never_without_end(self):
        for number in range(100):
            self.write(f"f{number:03}/1.0.0", "call: canary-4716\n")
        self.write("greet/1.0.0", "set: {a: [}\n")
        self.assertEqual(len(self.call("POST", "/api/plugins/reload")["findings"]), 102)
        first = self.call("GET", "/api/plugins?limit=1")
        self.assertEqual((len(first["findings"]), first["findings_total"]), (100, 102))
        self.assertIn("`canary-4716`", json.dumps(first["findings"]))
        second = self.call("GET", f"/api/plugins?limit=1&cursor={first['next_cursor']}")
        self.assertEqual((second["findings"], second["findings_total"]), ([], 102), "not with every page")
        self.assertIn("`canary-4716`", self.call("GET", "/api/plugins/f000", expect=404)["detail"])
        member = Person(self.server, "member@example.org")
        status, listed = member.call("GET", "/api/plugins")
        self.assertEqual((status, len(listed["findings"]), listed["findings_total"]), (200, 100, 102))
        place = ("file", "line", "column", "rule")
        self.assertEqual([[one[what] for what in place] for one in listed["findings"]], [[one[what] for what in place] for one in first["findings"]])
        told = {one["file"].split("/")[1]: one["message"] for one in listed["findings"]}
        self.assertIn("`greet` 1.0.0 stays as it was before", told["greet"])
        self.assertIn("`f000` 1.0.0 is left out", told["f000"])
        status, missing = member.call("GET", "/api/plugins/f000")
        self.assertEqual((status, missing["code"]), (404, "plugin.not_found"))
        self.assertIn("functions/f000/1.0.0/function.yaml, line 1: The function `f000` 1.0.0 is left out", missing["detail"])
        self.assertNotIn("canary", json.dumps([listed, missing]))

    def restart_with(self, scripts, **environment):
        self.server.stop()
        self.server = Server(os.path.join(self.folder, "data"), extra_environment={
            "PLUGIN_DIRECTORY": self.plugins, "LLM_SCRIPTS": write_scripts(self.folder, scripts), **environment})
        self.addCleanup(self.server.stop)
        self.server.start()

    # proves: A5, S4-O9
    def test_a_secret_that_it_is_given_reaches_no_model(self):
        self.write("asks/1.0.0", "call: llm\nwith: {model: scripted/echo, prompt: '${ \"It is \" + .word }'}\n")
        self.restart_with({"echo": [{"content": "{{user}}"}]}, PAWL_SECRET_WORD="canary-4716")
        given = "use: {secrets: [WORD]}\ndo:\n  - one: {call: asks, with: {word: '%s'}}\n"
        refused = self.create("gives", given % "${ $secrets.WORD }")
        view = self.call("POST", f"/api/workflows/{refused['id']}/execute", {"wait": True})
        self.assertEqual((view["status"], view["error"]["title"]), ("faulted", "llm.secret"), view)
        self.assertNotIn("canary-4716", json.dumps(self.call("GET", f"/api/runs/{view['id']}")))
        self.assertEqual(self.execute(self.create("keeps", given % "no secret")["id"])["content"], "It is no secret")

    # proves: A2
    def test_is_a_tool_of_an_agent(self):
        self.restart_with({"host": [{"match": {"tool": "greet"}, "content": "done"}, {"tool_calls": [{"name": "greet", "arguments": {"name": "Ann"}}]}]})
        made = self.create("host", "do:\n  - ask: {call: agent, with: {model: scripted/host, prompt: q, tools: [{function: 'greet:1.0.0'}]}}\n")
        view = self.call("POST", f"/api/workflows/{made['id']}/execute", {"wait": 20})
        self.assertEqual((view["status"], (view.get("output") or {}).get("content")), ("completed", "done"), view)
        whole = self.call("GET", f"/api/runs/{view['id']}")
        self.assertIn("Hello Ann", json.dumps(whole["tasks"]))
        self.assertTrue(any("/tool/greet/call/greet:1.0.0" in task["reference"] for task in whole["tasks"]), whole["tasks"])

    def test_is_called_and_followed_without_a_restart(self):
        self.assertEqual(self.run_task("a", "{call: greet, with: {name: Ann}}"), {"greeting": "Hello Ann"})
        self.create("b", "do:\n  - one: {call: greet, with: {nam: Ann}}\n", 422)
        self.create("c", "do:\n  - one: {call: 'greet:2.0.0', with: {name: Ann}}\n", 422)
        self.write("greet/2.0.0", GREET % "Good day")
        poll(lambda: self.plugin("greet")["version"] == "2.0.0", 20, "the new version is seen")
        self.assertEqual(self.run_task("d", "{call: greet, with: {name: Ann}}"), {"greeting": "Good day Ann"})
        self.write("greet/2.0.0", "set: {a: [}\n")  # the good one stays
        reloaded = self.call("POST", "/api/plugins/reload")
        self.assertIn({"name": "greet", "version": "2.0.0"}, reloaded["functions"])
        self.assertEqual({(one["file"], one["rule"]) for one in reloaded["findings"]},
                         {("functions/broken/1.0.0/function.yaml", "unknown-function"),
                          ("functions/greet/2.0.0/function.yaml", "yaml-syntax")})
        self.assertEqual(self.run_task("e", "{call: greet, with: {name: Ann}}"), {"greeting": "Good day Ann"})
        self.run_task("f", "{call: keep, with: {text: hello}}")
        with open(os.path.join(self.server.data_dir, "files", "kept.txt"), encoding="utf-8") as kept:
            self.assertEqual(kept.read(), "hello")

    def test_a_version_of_a_workflow_keeps_what_it_was_saved_with(self):
        definition = HEADER % "a" + "do:\n  - one: {call: greet, with: {name: Ann}}\n"
        workflow = self.call("POST", "/api/workflows", {"definition": definition}, 201)["id"]
        self.write("greet/1.0.0", GREET % "Changed")
        self.call("POST", "/api/plugins/reload")
        self.assertEqual(self.execute(workflow), {"greeting": "Hello Ann"})
        saved = self.call("PUT", f"/api/workflows/{workflow}", {"definition": definition})
        self.assertEqual(saved["version"], 2)
        self.assertEqual(self.execute(workflow), {"greeting": "Changed Ann"})
        saved = self.call("PUT", f"/api/workflows/{workflow}", {"definition": definition})
        self.assertEqual(saved["version"], 2)
        rolled = self.call("POST", f"/api/workflows/{workflow}/rollback", {"version": 1})
        self.assertEqual(rolled["version"], 3)
        self.assertEqual(self.execute(workflow), {"greeting": "Hello Ann"})

    def test_a_run_goes_on_with_its_function_after_the_file_is_gone_and_the_server_was_killed(self):
        self.write("waits/1.0.0", WAITS % "as it was")
        poll(lambda: self.plugin("waits"), 20, "the function is seen")
        workflow = self.create("w", "do:\n  - one: {call: waits}\n")["id"]
        run = self.call("POST", f"/api/workflows/{workflow}/execute", {"wait": False}, 202)["id"]
        poll(lambda: self.call("GET", f"/api/runs/{run}")["status"] == "waiting", 20, "the run waits")
        self.write("waits/1.0.0", WAITS % "changed")  # the kill may come in the middle of the reading
        self.server.kill()
        shutil.rmtree(os.path.join(self.plugins, "functions", "waits"))
        self.server.start()
        self.call("POST", "/api/events", {"specversion": "1.0", "id": "1", "source": "test", "type": "go"}, 202)
        view = poll(lambda: (lambda v: v if v["status"] == "completed" else None)(self.call("GET", f"/api/runs/{run}")), 20, "it ends")
        self.assertEqual(view["output"], {"said": "as it was"})
        drawn = self.call("GET", f"/api/workflows/{workflow}/versions/1/graph")
        self.assertEqual([node["id"] for node in drawn["graph"]["nodes"]], ["/do/0/one"])

    def test_only_administrators_ask_for_a_reading(self):
        person = Person(self.server, "ann@example.org")
        self.assertEqual(person.call("POST", "/api/plugins/reload")[0], 403)
        status, _, _ = self.server.request("POST", "/api/plugins/reload", {}, headers={"Authorization": ""})
        self.assertEqual(status, 401)


class RemoteFunctions(Case):
    def setUp(self):
        super().setUp()
        self.catalog = Catalog()
        self.addCleanup(self.catalog.server_close)
        self.addCleanup(self.catalog.shutdown)
        self.file = "/functions/hello/1.0.0/function.yaml"
        self.text = GREET % "Far"
        self.catalog.files[self.file] = (200, self.text)

    def document(self, name, pin=None):
        digest = hashlib.sha256(self.text.encode()).hexdigest() if pin is None else pin
        return (HEADER % name + f"use:\n  catalogs:\n    far:\n      endpoint: {self.catalog.address}\n"
                f"      pins: {{'hello:1.0.0': 'sha256:{digest}'}}\n"
                "do:\n  - one: {call: 'hello:1.0.0@far', with: {name: Ann}}\n")

    def refusal(self, name, **pin):
        problem = self.call("POST", "/api/workflows", {"definition": self.document(name, **pin)}, 422)
        return json.dumps(problem)


class PinnedCatalogs(RemoteFunctions):
    def test_fetches_once_and_then_needs_no_network(self):
        workflow = self.call("POST", "/api/workflows", {"definition": self.document("a")}, 201)["id"]
        self.assertEqual(self.execute(workflow), {"greeting": "Far Ann"})
        self.catalog.files.clear()
        self.call("POST", "/api/workflows", {"definition": self.document("b")}, 201)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.execute(workflow), {"greeting": "Far Ann"})
        self.call("POST", "/api/workflows", {"definition": self.document("c")}, 201)
        self.assertEqual(self.catalog.asked, [self.file])

    def test_refuses_another_file_a_redirect_and_silence(self):
        self.assertIn("not the one that was pinned", self.refusal("a", pin="0" * 64))
        self.text = GREET % "Other"
        self.assertIn("not the one that was pinned", self.refusal("b"))
        self.catalog.files[self.file] = (302, "http://169.254.169.254/latest")
        self.assertIn("redirects are not followed", self.refusal("c"))
        self.catalog.files.clear()
        self.assertIn("answered 404", self.refusal("d"))


class GuardedCatalogs(RemoteFunctions):
    environment = {"PAWL_ALLOW_PRIVATE_ADDRESSES": "false"}

    def test_a_catalog_on_a_private_address_is_not_asked(self):
        self.assertIn("was not fetched", self.refusal("a"))
        self.assertEqual(self.catalog.asked, [])


del RemoteFunctions, Case

if __name__ == "__main__":
    unittest.main()
