#!/usr/bin/env python3
"""proves: F1, F5, A3

What an earlier release saved and this one would not: a version with a member of `call: mcp` that nobody knows. It runs, is drawn, is healed by a version
without that member, and is not saved again; a user function with such a member is left out, and everything that misses it says why.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import Server, binary, poll  # noqa: E402

HEAD = "document: {dsl: '1.0.3', namespace: shop, name: NAME, version: '1.0.0'}\n"
ASK = "  - ask: {if: '${ .ask == true }', call: mcp, with: {method: tools/list, transport: {server: none}TOL}}\n"
BROKEN = HEAD + "do:\n" + ASK + "  - sum: {set: {total: '${ .amounts | add | error }'}}\n"
MENDED = BROKEN.replace(" | error", "")
UNKNOWN = ", tol: search"
FAULTY = "metadata: {summary: Asks}\ncall: mcp\nwith: {method: tools/list, transport: {server: none}, tol: x}\n"


def answer(kind, **more):
    return {"kind": kind, "root_cause": "The sum is raised as an error.", "explanation": "Do not raise it.", "confidence": "high",
            "from": None, "input": None, "document": None, **more}


def mended(name, unknown):
    return answer("new_version", document=MENDED.replace("NAME", name).replace("TOL", unknown))


def scripts():
    """The first answer takes the member over, in another place than it was; when it goes back with the reason, the second one leaves it out."""
    moved = mended("learner", UNKNOWN)
    moved["document"] = moved["document"].replace("do:\n", "do:\n  - first: {set: '${ . }'}\n")
    return {"healer": [{"match": {"contains": "it must go", "turn": 2}, "content": mended("learner", "")},
                       {"match": {"contains": "learner"}, "content": moved},
                       {"match": {"contains": "/do/0/ask/with/tol"}, "content": mended("knower", "")},
                       {"content": answer("none", explanation="told nothing")}]}


class StoredVersionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.data = os.path.join(cls.folder.name, "data")
        cls.server = Server(cls.data, extra_environment={"LLM_SCRIPTS": write_scripts(cls.folder.name, scripts())}).start()
        cls.addClassCleanup(cls.server.stop)
        names = ("learner", "knower", "drawn", "gone")
        cls.workflows = {name: cls.server.create_workflow(BROKEN.replace("NAME", name).replace("TOL", "")) for name in names}
        cls.server.kill()
        with sqlite3.connect(os.path.join(cls.data, "pawl.db")) as database:  # as an earlier release has saved them
            for name, workflow in cls.workflows.items():
                text = BROKEN.replace("NAME", name).replace("TOL", UNKNOWN) if name != "gone" else "nothing that compiles"
                changed = database.execute("update workflow_versions set definition = ? where hex(workflow_id) = ?",
                                           (text, workflow.replace("-", "").upper()))
                if changed.rowcount != 1:
                    raise AssertionError("there is one version")
        database.close()
        cls.server.start()

    def call(self, method, path, body=None, status=200):
        got, reply, _ = self.server.request(method, path, body)
        self.assertEqual(got, status, reply)
        return reply

    def failed_run(self, name):
        reply = self.call("POST", f"/api/workflows/{self.workflows[name]}/execute", {"input": {"amounts": [1, 2]}, "wait": 30})
        self.assertEqual(reply["status"], "faulted", reply)
        return reply["id"]

    def test_f1_a_stored_version_is_drawn_with_a_warning_and_not_saved_again(self):
        path = f"/api/workflows/{self.workflows['drawn']}/versions/1"
        drawn = self.call("GET", f"{path}/graph")
        self.assertEqual([node["id"] for node in drawn["graph"]["nodes"]], ["/do/0/ask", "/do/1/sum"])
        self.assertEqual([(one["severity"], one["rule"], one["pointer"], one["line"]) for one in drawn["findings"]],
                         [("warning", "unknown-property", "/do/0/ask/with/tol", 3)])
        judged = self.call("POST", "/api/workflows/validate", {"definition": self.call("GET", path)["definition"]})
        self.assertEqual((judged["valid"], judged["graph"], judged["findings"][0]["severity"]), (False, None, "error"))
        self.call("POST", f"/api/workflows/{self.workflows['drawn']}/rollback", {"version": 1}, 422)
        self.call("PUT", f"/api/workflows/{self.workflows['drawn']}", {"definition": BROKEN.replace("NAME", "drawn").replace("TOL", ", tol: y")}, 422)

    def test_f1_what_does_not_compile_any_more_has_no_drawing_and_says_why(self):
        drawn = self.call("GET", f"/api/workflows/{self.workflows['gone']}/versions/1/graph")
        self.assertEqual((drawn["graph"], drawn["findings"][0]["severity"]), (None, "error"))
        self.call("GET", f"/api/workflows/{self.workflows['gone']}/versions/2/graph", status=404)

    def test_a3_a_remedy_is_a_version_without_what_may_not_be_saved(self):
        for name, rounds in (("knower", 1), ("learner", 2)):
            workflow = self.workflows[name]
            run = self.failed_run(name)
            reply = self.call("POST", "/api/llm/heal", {"run_id": run, "model": "scripted/healer"})
            remedy = reply["remedy"]
            self.assertIsNotNone(remedy, reply)
            self.assertEqual((remedy["kind"], remedy["model"]["rounds"]), ("new_version", rounds), reply)
            self.assertIn("-" + ASK.replace("TOL", UNKNOWN) + "-  - sum", remedy["diff"])
            question = self.call("GET", "/api/approvals/" + poll(
                lambda one=remedy: self.call("GET", f"/api/llm/remedies/{one['id']}")["approval_id"], 10, "a person is asked"))
            self.call("POST", f"/api/approvals/{question['id']}/approve", {"digest": question["digest"]})
            done = poll(lambda one=remedy: (lambda seen: seen if seen["outcome"] else None)(self.call("GET", f"/api/llm/remedies/{one['id']}")),
                        20, "the remedy is judged")
            self.assertEqual((done["status"], done["outcome"], done["new_version"]), ("applied", "worked", 2), done)
            self.assertNotIn("tol", json.dumps(self.call("GET", f"/api/workflows/{workflow}")["definition"]))


class LeftOutFunctionsTest(unittest.TestCase):
    """A user function that an earlier release read."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.plugins = os.path.join(folder.name, "plugins")
        self.data = os.path.join(folder.name, "data")
        self.write("asks", FAULTY)
        self.write("greet", "set: {text: hello}\n")

    def write(self, name, text):
        path = os.path.join(self.plugins, "functions", name, "1.0.0")
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "function.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def test_f5_a_function_that_is_left_out_is_named_with_its_cause(self):
        server = Server(self.data, extra_environment={"PLUGIN_DIRECTORY": self.plugins}).start()
        self.addCleanup(server.stop)
        listed = server.request("GET", "/api/plugins?limit=1")[1]
        (found,) = listed["findings"]
        self.assertEqual((found["file"], found["line"], found["rule"]), ("functions/asks/1.0.0/function.yaml", 3, "unknown-property"))
        for words in ("`tol`", "Earlier releases", "left out"):
            self.assertIn(words, found["message"])
        status, problem, _ = server.request("GET", "/api/plugins/asks")
        self.assertEqual((status, problem["code"]), (404, "plugin.not_found"))
        self.assertIn("functions/asks/1.0.0/function.yaml, line 3", problem["detail"])
        self.assertIn("`tol`", problem["detail"])
        self.assertEqual(server.request("GET", "/api/plugins/other")[1]["detail"], "There is no plug-in of this name.")
        log = poll(lambda: [line for line in server.tail().splitlines() if "a user function has a fault" in line], 10, "the log tells of it")
        self.assertIn("left out", log[0])
        self.write("asks", FAULTY.replace(", tol: x", ""))
        poll(lambda: server.request("GET", "/api/plugins/asks")[0] == 200, 20, "the mended function is seen")
        self.assertEqual(server.request("GET", "/api/plugins")[1]["findings"], [])

    def test_f5_a_start_that_needs_it_says_why_it_is_not_there(self):
        environment = {"PATH": os.environ["PATH"], "PLUGIN_DIRECTORY": self.plugins, "PAWL_API_KEY": "k" * 40}
        for wanted, cause in (("greet,asks", "`tol`"), ("greet,nobody", "there is no function `nobody`")):
            done = subprocess.run([binary(), "serve", "--data-dir", self.data, "--port", "0"], env={**environment, "PAWL_MCP_FUNCTIONS": wanted},
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0, done)
            (refusal,) = [line for line in done.stderr.splitlines() if "PAWL_MCP_FUNCTIONS" in line]
            self.assertIn(cause, refusal)
            self.assertEqual("left out" in refusal, "asks" in wanted)


if __name__ == "__main__":
    unittest.main()
