#!/usr/bin/env python3
"""proves: A2, A3

The examples of agents, run as their comments say: self-healing and the review of code.
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


if __name__ == "__main__":
    unittest.main()
