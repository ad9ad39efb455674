#!/usr/bin/env python3
"""proves: F1, F3, S4-H3, S4-O9

What must hold for every function that the real server has, whichever it is: a wrong parameter is found when the workflow is saved, whoever lacks the role for
it destroys nothing, and a secret comes out of nothing that is kept or shown, in whichever parameter it was and however the call ended.
"""

import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import audit_test  # noqa: E402
from canaries_test import spellings, unpacked  # noqa: E402
from media import pdf, png  # noqa: E402
from pawl_server import Server, poll  # noqa: E402
from people import Person  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402

# One that fits wherever a name does, so that the call gets far; and one that every notation writes in another way.
CANARIES = {"PLAIN": "kanari9" + os.urandom(12).hex(), "ODD": f"Kanari9-{os.urandom(6).hex()}+/ \"'%{os.urandom(6).hex()}"}
HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
TAKES_ANYTHING = {"noop": "gives its arguments back, whatever they are"}
# What says what the call is and not what it is about: with a word that nobody knows nothing of the function is reached. One task for it is enough.
SLOW = {"run.container": "asks an engine that is not there", "web-scraper": "has a browser of its own"}

# A question that makes no sense is refused before it is asked: there is no call that a record could tell of.
NEVER_CALLED = {"approval": {"deadline", "form", "on_deadline"}}


def arguments_of(task):
    """The arguments of a task, to be changed in place."""
    return task["with"] if "call" in task else next(iter(task["run"].values()))


class EveryFunction(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), audit_test.Site)
        threading.Thread(target=cls.site.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.site.server_close)
        cls.addClassCleanup(cls.site.shutdown)
        cls.smtp = SmtpServer()
        cls.addClassCleanup(cls.smtp.server_close)
        cls.addClassCleanup(cls.smtp.shutdown)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.data = os.path.join(cls.folder.name, "data")
        cls.files = os.path.join(cls.folder.name, "files")
        scripts = os.path.join(cls.folder.name, "scripts")
        for path in (cls.files, os.path.join(cls.files, "inbox"), scripts):
            os.mkdir(path)
        for name, content in {"here.txt": b"here", "inbox/paper.txt": b"x", "here.pdf": pdf("Here", ["a page"]), "here.png": png(8, 8)}.items():
            with open(os.path.join(cls.files, name), "wb") as file:
                file.write(content)
        with sqlite3.connect(os.path.join(cls.files, "shop.db")) as database:
            database.execute("create table products (name text)")
        database.close()
        subprocess.run(["git", "init", "--quiet", os.path.join(cls.files, "repository")], check=True,
                       env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"})
        with open(os.path.join(scripts, "echo.json"), "w", encoding="utf-8") as file:
            json.dump({"replies": [{"content": "yes"}]}, file)
        cls.server = Server(cls.data, extra_environment={
            "LLM_SCRIPTS": scripts, "PAWL_FILE_ROOTS": cls.files, "PAWL_SANDBOX": "none", "LOG_LEVEL": "debug",
            **{f"PAWL_SECRET_{name}": value for name, value in CANARIES.items()}}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.table = audit_test.cases(cls.site.server_port, cls.smtp.server_address[1])
        cls.plugins = {item["name"]: item for item in cls.server.request("GET", "/api/plugins")[1]["items"]}

    def call(self, method, path, body=None, expect=200):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def case(self, name):
        """A call of the function that goes well, where one can."""
        outcomes = self.table[name]
        return json.loads(json.dumps(outcomes.get("success", next(iter(outcomes.values())))))

    def test_no_function_is_left_out(self):
        self.assertEqual(set(self.plugins), set(self.table))
        self.assertLessEqual(set(TAKES_ANYTHING), set(self.plugins))

    # ---- parameters -----------------------------------------------------------------------------------------------------------------

    def test_f1_a_wrong_parameter_is_found_when_the_workflow_is_saved_with_its_line(self):
        for name in self.plugins:
            with self.subTest(function=name):
                task = self.case(name)
                arguments_of(task)["nonsense-that-nobody-knows"] = 1
                text = HEADER % "wrong" + "do:\n  - good: {set: {a: 1}}\n  - bad: " + json.dumps(task) + "\n"
                status, reply, _ = self.server.request("POST", "/api/workflows", {"definition": text})
                if name in TAKES_ANYTHING:
                    self.assertEqual(status, 201, reply)
                    continue
                self.assertEqual((status, reply.get("code")), (422, "workflow.invalid"), reply)
                self.assertEqual({error["line"] for error in reply["errors"]}, {4}, reply)
                self.assertIn("nonsense-that-nobody-knows", json.dumps(reply["errors"]))
                checked = self.call("POST", "/api/workflows/validate", {"definition": text})
                self.assertEqual((checked["valid"], {finding["line"] for finding in checked["findings"]}), (False, {4}))

    # ---- the right to destroy ---------------------------------------------------------------------------------------------------------

    def tree(self):
        """Every file below the root with its content, but for what the repository's own index notes when it is looked at."""
        found = {}
        for folder, _, names in os.walk(self.files):
            for name in names:
                path = os.path.join(folder, name)
                if "/.git/" not in path:
                    with open(path, "rb") as file:
                        found[path] = file.read()
        return found

    def test_s4_h3_whoever_lacks_the_role_gets_the_plan_of_each_function_and_nothing_changes(self):
        owner, member = (Person(self.server, f"{who}@example.org") for who in ("owner", "member"))
        acme = owner.call("POST", "/api/organizations", {"name": "Acme"})[1]["id"]
        owner.call("POST", f"/api/organizations/{acme}/members", {"user_id": member.id, "role": "member"})
        self.assertEqual(owner.call("PUT", f"/api/organizations/{acme}", {"destroy_role": "owner"})[0], 200)
        destructive = sorted(name for name, item in self.plugins.items() if item["destructive"])
        self.assertEqual(set(destructive), audit_test.DESTRUCTIVE)
        before = self.tree()
        for name in destructive:
            with self.subTest(function=name):
                task = json.loads(json.dumps(self.table[name]["refused"]))
                arguments_of(task)["allow_destructive"] = True
                text = HEADER % ("role-" + name.replace(".", "-")) + "do:\n  - step: " + json.dumps(task) + "\n"
                status, made = owner.call("POST", "/api/workflows", {"definition": text, "organization_id": acme})
                self.assertEqual(status, 201, made)
                status, run = member.call("POST", f"/api/workflows/{made['id']}/execute", {"wait": 30})
                self.assertEqual((status, run["status"]), (200, "completed"), run)
                self.assertTrue(run["output"]["dry_run"], run)
                self.assertTrue(run["output"]["plan"], run)
                self.assertIn("destroy_role", run["output"]["reason"])
                record = poll(lambda run=run: owner.call("GET", f"/api/audit?run_id={run['id']}&organization_id={acme}")[1]["items"], 10,
                              "the trail tells it")[0]
                self.assertEqual((record["outcome"], record["user_id"], record["resource_id"]), ("refused", member.id, name))
        self.assertEqual(self.tree(), before)

    # ---- secrets ----------------------------------------------------------------------------------------------------------------------

    def variants(self, name):
        """Calls of the function, each with a secret in one more of its parameters that may be text."""
        properties = self.plugins[name]["parameters"].get("properties", {})
        told = [parameter for parameter, schema in properties.items() if schema.get("type", "string") == "string"]
        for parameter in told or ["anything"]:
            for canary in list(CANARIES)[:1 if name in SLOW else None]:
                task = self.case(name)
                arguments_of(task)[parameter] = "${ $secrets." + canary + " }"
                yield parameter, task
        # In a text, and in the depth of what is no text.
        for parameter, value in arguments_of(self.case(name)).items():
            if parameter in told:
                task = self.case(name)
                arguments_of(task)[parameter] = "${ \"x \" + $secrets.ODD }"
                yield parameter, task
            elif isinstance(value, (dict, list)):
                task = self.case(name)
                inner = arguments_of(task)[parameter]
                if isinstance(inner, dict):
                    inner["kanari"] = "${ $secrets.PLAIN }"
                else:
                    inner.append("${ $secrets.PLAIN }")
                yield parameter, task

    def run_with_secrets(self, name):
        """One run over all variants, each of which may fail: its error is in the output. -> the parameter of each, and those in which a secret came"""
        parameters, calls = zip(*self.variants(name))
        tasks = [{f"t{index}": {"try": [{"step": task}], "catch": {"as": "problem", "do": [{"tell": {"set": {"problem": "${ $problem }"}}}]}}}
                 for index, task in enumerate(calls)]
        while True:
            text = HEADER % ("secret-" + name.replace(".", "-")) + "use: {secrets: [PLAIN, ODD]}\ndo: " + json.dumps(tasks) + "\n"
            status, made, _ = self.server.request("POST", "/api/workflows", {"definition": text})
            self.said.append(("saving", json.dumps(made)))
            if status == 201:
                break
            # The document is looked at when it is saved: what it refuses is not run.
            wrong = {int(error["pointer"].split("/")[2]) for error in made["errors"]}
            self.assertTrue(wrong, made)
            tasks = [task for index, task in enumerate(tasks) if index not in wrong]
            parameters = [parameter for index, parameter in enumerate(parameters) if index not in wrong]
        status, run, _ = self.server.request("POST", f"/api/workflows/{made['id']}/execute", {"wait": 60}, timeout=90)
        self.assertEqual((status, run["status"]), (200, "completed"), run)
        self.said.append(("the run", json.dumps(run)))
        for path in (f"/api/runs/{run['id']}", f"/api/runs/{run['id']}/events", f"/api/audit?run_id={run['id']}",
                     f"/api/workflows/{made['id']}", f"/api/workflows/{made['id']}/executions", f"/api/approvals?status=all&run_id={run['id']}"):
            status, reply, _ = self.server.request("GET", path)
            self.assertEqual(status, 200, f"{path}: {reply}")
            self.said.append((path, reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)))
        return parameters, self.reached(name, run["id"])

    def reached(self, name, run):
        """The parameters in which calls of the function had a secret, as their records tell: it was taken out there, or stands as a size."""
        sizes = {len(CANARIES["PLAIN"]), len(CANARIES["ODD"]), len("x " + CANARIES["ODD"])}
        longer = {parameter: len(value) + 1 for parameter, value in arguments_of(self.case(name)).items() if isinstance(value, list)}
        found = set()
        for record in self.call("GET", f"/api/audit?run_id={run}&action=function.executed&limit=200")["items"]:
            if record["resource_id"] != name:
                continue
            for parameter, value in record["details"]["params"].items():
                size = value.get("size") if isinstance(value, dict) else None
                if "[redacted]" in json.dumps(value) or size in sizes or (size is not None and size == longer.get(parameter)):
                    found.add(parameter)
        return found

    def search(self, where, content):
        found = [name for name, secret in CANARIES.items() if any(spelling in content for spelling in spellings(secret))]
        self.assertEqual(found, [], where)

    def test_s4_o9_a_secret_in_any_parameter_of_any_function_is_neither_kept_nor_shown(self):
        self.said = []
        used, reached = {}, {}
        for name in self.plugins:
            with self.subTest(function=name):
                first = len(self.said)
                used[name], reached[name] = self.run_with_secrets(name)
                for where, content in self.said[first:]:
                    self.search(f"{name}: {where}", content.encode())
        self.assertEqual(set(used), set(self.plugins))
        self.assertGreater(sum(map(len, used.values())), 150, used)
        for name in self.plugins:
            self.assertEqual(set(used[name]) - reached[name], NEVER_CALLED.get(name, set()), f"{name}: a secret reached calls in each of these")

        with open(self.server.log.name, "rb") as log:
            self.search("the log", log.read())
        with sqlite3.connect(f"file:{self.data}/pawl.db?mode=ro", uri=True) as database:
            newest = database.execute("select max(seq) from audit_records").fetchone()[0]
            tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]
            for table in tables:
                for row in database.execute(f'select * from "{table}"'):
                    for value in row:
                        if isinstance(value, (str, bytes)):
                            self.search(f"table {table}", unpacked(value.encode() if isinstance(value, str) else value))

        def file_text():
            with open(os.path.join(self.data, "audit.jsonl"), "rb") as file:
                return file.read()

        poll(lambda: json.loads(file_text().splitlines()[-1])["sequence"] >= newest, 10, "the file follows the database")
        self.search("the file of the trail", file_text())


if __name__ == "__main__":
    unittest.main()
