#!/usr/bin/env python3
"""proves: A2, A3

The examples of agents, run as their comments say: self-healing, the review of code, and a suite of evaluations by `pawl eval-agent`.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, binary, poll  # noqa: E402

ROOT = os.environ.get("PAWL_SOURCE_DIR", os.getcwd())
EXAMPLES = os.path.join(ROOT, "examples")
SCRIPTS = os.path.join(EXAMPLES, "scripts")


def pawl(*arguments, cwd=None, **environment):
    done = subprocess.run([binary(), *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={"PATH": os.environ["PATH"], "PAWL_SANDBOX": "none", **environment})
    return done.returncode, done.stdout, done.stderr


class SelfHealingTest(unittest.TestCase):
    def test_the_demonstration(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.join(folder, "data"), extra_environment={"LLM_SCRIPTS": SCRIPTS}).start()
            try:
                self.demonstrate(server)
            finally:
                server.stop()

    def demonstrate(self, server):
        with open(os.path.join(EXAMPLES, "agents", "invoice-total.yaml"), encoding="utf-8") as file:
            workflow = server.create_workflow(file.read())
        run = server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"amounts": []}, "wait": 30})[1]
        self.assertEqual(run["status"], "faulted")
        remedy = server.request("POST", "/api/llm/heal", {"run_id": run["id"], "model": "scripted/healer"})[1]["remedy"]
        self.assertIn("+        average: ${ if .amounts == [] then 0", remedy["diff"])
        asked = poll(lambda: server.request("GET", "/api/approvals")[1]["items"], 10, "a person is asked")[0]
        self.assertEqual(server.request("POST", f"/api/approvals/{asked['id']}/approve", {"digest": asked["digest"]})[0], 200)
        done = poll(lambda: (lambda seen: seen if seen["outcome"] else None)(server.request("GET", f"/api/llm/remedies/{remedy['id']}")[1]), 20, "it ends")
        self.assertEqual(done["outcome"], "worked")
        self.assertEqual(server.request("GET", f"/api/runs/{done['result_run_id']}")[1]["output"], {"total": 0, "average": 0})


class CodeReviewTest(unittest.TestCase):
    def review(self, folder, text):
        with open(os.path.join(folder, "site", "settings.py"), "w", encoding="utf-8") as file:
            file.write(text)
        self.git(folder, "commit", "--quiet", "--all", "--message", "change")
        return pawl("run", os.path.join(EXAMPLES, "agents", "code-review.yaml"), "--input", json.dumps({"repository": "site", "model": "scripted/reviewer"}),
                    cwd=folder, LLM_SCRIPTS=SCRIPTS)

    def git(self, folder, *arguments):
        subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments], cwd=os.path.join(folder, "site"), check=True,
                       capture_output=True)

    def test_a_change_is_reviewed(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "site"))
            self.git(folder, "init", "--quiet")
            with open(os.path.join(folder, "site", "settings.py"), "w", encoding="utf-8") as file:
                file.write("debug = True\n")
            self.git(folder, "add", "settings.py")
            self.git(folder, "commit", "--quiet", "--message", "start")
            code, out, err = self.review(folder, "debug = False\n")
            self.assertEqual((code, json.loads(out or "null")), (0, {"verdict": "accept", "findings": []}), err)
            code, _, err = self.review(folder, "password = 'canary-4711'\n")
            self.assertEqual(code, 1)
            self.assertIn("settings.py:1 A password does not belong into the source.", err)


class EvaluationTest(unittest.TestCase):
    SUITE = os.path.join(EXAMPLES, "agents", "help-desk-suite.yaml")

    def test_a_suite_that_passes(self):
        code, out, err = pawl("eval-agent", self.SUITE)
        self.assertEqual(code, 0, out + err)
        self.assertRegex(out, r"pass rate 100.0 % \(4 of 4 runs; wanted 100.0 %\), \d+ tokens, .*\d s")
        code, out, _ = pawl("eval-agent", self.SUITE, "--json")
        report = json.loads(out)
        self.assertEqual((report["pass_rate"], report["runs"], [each["passed"] for each in report["cases"]]), (1, 4, [True] * 4))
        self.assertGreater(report["tokens"], 0)

    def suite(self, folder, **changes):
        suite = {"workflow": os.path.join(EXAMPLES, "agents", "help-desk.yaml"), "scripts": SCRIPTS, **changes}
        path = os.path.join(folder, "suite.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(suite, file)
        return path

    def test_a_suite_that_fails_says_why(self):
        question = {"request": "When do you open?", "model": "scripted/desk"}
        broken = {"request": "It came broken", "model": "scripted/desk"}
        cases = [{"name": "wrong", "input": question, "expect": {"output": {"priority": "high"}}}, {"name": "asked", "input": broken},
                 {"name": "right", "input": question}]
        with tempfile.TemporaryDirectory() as folder:
            code, out, err = pawl("eval-agent", self.suite(folder, cases=cases))
            self.assertEqual(code, 1, out + err)
            self.assertIn('FAIL wrong', out)
            self.assertIn('output/priority: expected "high", got "low"', out)
            self.assertIn("a person is asked", out)
            self.assertIn("pass rate 33.3 %", out)
            self.assertEqual(pawl("eval-agent", self.suite(folder, cases=cases, pass_rate=0.3))[0], 0)

    def test_what_is_no_suite(self):
        with tempfile.TemporaryDirectory() as folder:
            code, _, err = pawl("eval-agent", self.suite(folder, cases=[{"name": "x", "expects": {}}]))
            self.assertEqual(code, 2)
            self.assertIn("expects", err)
            self.assertEqual(pawl("eval-agent", self.suite(folder, workflow="missing.yaml", cases=[{"name": "x"}]))[0], 2)
            self.assertEqual(pawl("eval-agent", os.path.join(folder, "none.yaml"))[0], 2)


if __name__ == "__main__":
    unittest.main()
