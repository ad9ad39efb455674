#!/usr/bin/env python3
"""proves: A3

Self-healing over HTTP: a remedy for a failed run is proposed, dry-run, approved by a person in the inbox, applied once whatever crashes, judged by how its
run ends, and offered first the next time. The model is the scripted provider.
"""

import http.server
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from model_scripts import write_scripts  # noqa: E402
from pawl_server import Server, free_port, poll  # noqa: E402
from people import Person  # noqa: E402

BROKEN = ("document: {dsl: '1.0.3', namespace: shop, name: NAME, version: '1.0.0'}\ndo:\n  - note: {call: noop, output: {as: $input}}\n"
          "  - sum: {set: {total: '${ .amounts | add | error }'}}\n")
MENDED = BROKEN.replace(" | error", "")


def answer(kind, **more):
    return {"kind": kind, "root_cause": "The sum is raised as an error.", "explanation": "Do not raise it.", "confidence": "high",
            "from": None, "input": None, "document": None, **more}


def scripts():
    healed = [{"match": {"contains": name}, "content": answer("new_version", document=MENDED.replace("NAME", name))}
              for name in ["invoice", "stale", "forged", "mine", "secret"] + [f"crash{i}" for i in range(5)]]
    return {
        "healer": [{"match": {"contains": "must stay as they are", "turn": 2}, "content": answer("none")},
                   {"match": {"contains": "holds secrets", "turn": 2}, "content": answer("none", explanation="Mend it by hand.")},
                   {"match": {"contains": "in a dry run"}, "content": answer("rerun", input={"amounts": [1]})},
                   {"match": {"contains": "renamed"}, "content": answer("new_version", document=MENDED.replace("NAME", "other"))},
                   {"match": {"contains": "twice"}, "content": answer("new_version", document=BROKEN.replace("NAME", "twice") + "# no better\n")},
                   *healed],
        "retrier": [{"content": answer("retry")}],
    }


class HealingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.server = Server(os.path.join(cls.folder.name, "data"),
                            extra_environment={"LLM_SCRIPTS": write_scripts(cls.folder.name, scripts())}).start()
        cls.addClassCleanup(cls.server.stop)

    def call(self, method, path, body=None, status=200):
        got, reply, _ = self.server.request(method, path, body)
        self.assertEqual(got, status, reply)
        return reply

    def failed_run(self, workflow, **wish):
        reply = self.call("POST", f"/api/workflows/{workflow}/execute", {"input": {"amounts": [1, 2]}, "wait": 30, **wish})
        self.assertEqual(reply["status"], "faulted", reply)
        return reply["id"]

    def broken(self, name, document=BROKEN):
        workflow = self.server.create_workflow(document.replace("NAME", name))
        return workflow, self.failed_run(workflow)

    def heal(self, run, model="scripted/healer", status=200, **more):
        return self.call("POST", "/api/llm/heal", {"run_id": run, "model": model, **more}, status)

    def remedy(self, remedy):
        return self.call("GET", f"/api/llm/remedies/{remedy}")

    def question(self, remedy):
        asked = poll(lambda: self.remedy(remedy)["approval_id"], 10, "a person is asked")
        return self.call("GET", f"/api/approvals/{asked}")

    def approve(self, remedy):
        question = self.question(remedy)
        return self.call("POST", f"/api/approvals/{question['id']}/approve", {"digest": question["digest"]})

    def in_status(self, remedy, *status):
        return poll(lambda: (lambda seen: seen if seen["status"] in status else None)(self.remedy(remedy)), 20, f"the remedy is {status}")

    def judged(self, remedy):
        return poll(lambda: (lambda seen: seen if seen["outcome"] else None)(self.remedy(remedy)), 20, "the remedy is judged")

    def versions(self, workflow):
        return [each["version"] for each in self.call("GET", f"/api/workflows/{workflow}/versions")["items"]]

    def runs_of(self, workflow):
        return [run for run in self.call("GET", f"/api/workflows/{workflow}/executions")["items"] if not run["dry_run"]]

    def test_a3_a_new_version_is_proposed_approved_applied_and_remembered(self):
        workflow, run = self.broken("invoice")
        reply = self.heal(run)
        remedy = reply["remedy"]
        self.assertEqual((remedy["kind"], remedy["source"], remedy["status"], remedy["run_id"]), ("new_version", "model", "proposed", run))
        self.assertEqual((remedy["dry_run"]["status"], remedy["model"]["prompt"], reply["scripted"]), ("completed", "heal@3", True))
        self.assertIn("-  - sum: {set: {total: '${ .amounts | add | error }'}}\n+  - sum: {set: {total: '${ .amounts | add }'}}", remedy["diff"])
        question = self.question(remedy["id"])
        self.assertEqual((question["status"], question["data"]["diff"], question["data"]["remedy_id"]), ("open", remedy["diff"], remedy["id"]))
        self.assertEqual(self.heal(run, status=409)["code"], "remedy.open")
        self.assertEqual(self.versions(workflow), [1], "nothing is changed before somebody approves")
        self.assertEqual(len(self.runs_of(workflow)), 1)

        self.approve(remedy["id"])
        done = self.judged(remedy["id"])
        self.assertEqual((done["status"], done["outcome"], done["new_version"]), ("applied", "worked", 2))
        self.assertEqual(self.versions(workflow), [2, 1])
        result = self.call("GET", f"/api/runs/{done['result_run_id']}")
        self.assertEqual((result["status"], result["version"], result["output"], result["trigger"]["type"]), ("completed", 2, {"total": 3}, "remedy"))
        self.assertEqual(self.call("GET", f"/api/runs/{run}")["status"], "faulted", "what failed stays as it was")
        trail = self.call("GET", f"/api/audit?run_id={done['result_run_id']}&all=true")["items"]
        self.assertEqual({(each["action"], each["actor"]) for each in trail if each["action"] == "function.executed"},
                         {("function.executed", "administrator")}, "who approved it answers for what its run does")
        self.assertIn('pawl_function_calls_total{function="apply-remedy",outcome="ok"}', self.server.request("GET", "/metrics")[1])

        again = self.heal(self.failed_run(workflow, version=1), model="scripted/nobody")
        learned = again["remedy"]
        self.assertEqual((learned["source"], learned["kind"], learned["model"]), ("learned", "rerun", None))
        self.assertNotIn("provider", again, "no model was asked")
        self.assertIn("1 of 1", learned["explanation"])
        self.approve(learned["id"])
        self.assertEqual(self.judged(learned["id"])["outcome"], "worked")
        self.assertEqual(self.versions(workflow), [2, 1])
        listed = self.call("GET", f"/api/llm/remedies?workflow_id={workflow}&status=applied")["items"]
        self.assertEqual([each["id"] for each in listed], [learned["id"], remedy["id"]])

    def test_a3_a_retry_that_worked_is_offered_first(self):
        port = free_port()
        document = ("document: {dsl: '1.0.3', namespace: shop, name: caller, version: '1.0.0'}\ndo:\n"
                    f"  - fetch: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{port}/x', output: content}}}}\n")
        workflow, run = self.broken("caller", document)
        remedy = self.heal(run, model="scripted/retrier")["remedy"]
        self.assertEqual((remedy["kind"], remedy["dry_run"]), ("retry", None))
        with Shop(port):
            self.approve(remedy["id"])
            done = self.judged(remedy["id"])
        self.assertEqual((done["outcome"], done["result_run_id"]), ("worked", run))
        self.assertEqual(self.call("GET", f"/api/runs/{run}")["status"], "completed")
        self.assertEqual(self.heal(run, status=409)["code"], "run.not_failed")
        learned = self.heal(self.failed_run(workflow), model="scripted/nobody")["remedy"]
        self.assertEqual((learned["source"], learned["kind"]), ("learned", "retry"))
        self.approve(learned["id"])
        self.assertEqual(self.judged(learned["id"])["outcome"], "failed", "the shop is closed: it is written down that it did not work")

    def test_a3_nothing_happens_without_approval(self):
        workflow, run = self.broken("mine")
        remedy = self.heal(run)["remedy"]
        question = self.question(remedy["id"])
        self.call("POST", f"/api/approvals/{question['id']}/reject", {"digest": question["digest"]})
        self.assertEqual(self.in_status(remedy["id"], "rejected")["result_run_id"], None)
        self.assertEqual((self.versions(workflow), len(self.runs_of(workflow))), ([1], 1))
        stranger = Person(self.server, "stranger@example.org")
        for path in (f"/api/llm/remedies/{remedy['id']}", f"/api/runs/{run}"):
            self.assertEqual(stranger.call("GET", path)[0], 404)
        self.assertEqual(stranger.call("GET", "/api/llm/remedies")[1]["items"], [])
        self.assertEqual(stranger.call("POST", "/api/llm/heal", {"run_id": run})[1]["code"], "run.not_found")

    def test_a3_another_run_cannot_apply_it(self):
        workflow, run = self.broken("forged")
        remedy = self.heal(run)["remedy"]
        self.question(remedy["id"])
        thief = self.server.create_workflow({"document": {"dsl": "1.0.3", "namespace": "shop", "name": "thief", "version": "1.0.0"},
                                             "do": [{"take": {"call": "apply-remedy", "with": {"remedy": remedy["id"], "approved": True}}}]})
        reply = self.call("POST", f"/api/workflows/{thief}/execute", {"wait": 30})
        self.assertEqual((reply["status"], reply["error"]["status"]), ("faulted", 403))
        self.assertEqual((self.remedy(remedy["id"])["status"], self.versions(workflow)), ("proposed", [1]))

    def test_a3_what_has_changed_since_is_not_overwritten(self):
        workflow, run = self.broken("stale")
        remedy = self.heal(run)["remedy"]
        self.question(remedy["id"])
        self.call("PUT", f"/api/workflows/{workflow}", {"definition": BROKEN.replace("NAME", "stale") + "# by hand\n"})
        self.approve(remedy["id"])
        failed = self.in_status(remedy["id"], "failed")
        self.assertIn("Version 2 is current", failed["failure"])
        self.assertEqual((self.versions(workflow), len(self.runs_of(workflow))), ([2, 1], 1))

    def test_a3_a_proposal_that_does_not_hold_goes_back(self):
        _, run = self.broken("renamed")
        reply = self.heal(run)
        self.assertEqual((reply["remedy"], reply["diagnosis"]["confidence"]), (None, "high"))
        workflow, run = self.broken("twice")
        remedy = self.heal(run)["remedy"]
        self.assertIsNone(remedy, "the broken workflow fails its dry run with any input")
        _, run = self.broken("secret", BROKEN.replace("{total:", "{password: canary-4711, total:"))
        reply = self.heal(run)
        self.assertEqual((reply["remedy"], reply["diagnosis"]["explanation"]), (None, "Mend it by hand."))

    def test_a3_a_crash_between_approval_and_end_applies_it_once(self):
        for i in range(5):
            workflow, run = self.broken(f"crash{i}")
            remedy = self.heal(run)["remedy"]
            self.approve(remedy["id"])
            for _ in range(i):  # a little later each time
                self.call("GET", "/health/liveness")
            self.server.kill()
            self.server.start()
            done = self.judged(remedy["id"])
            self.assertEqual((done["status"], done["outcome"], done["new_version"]), ("applied", "worked", 2))
            self.assertEqual(self.versions(workflow), [2, 1])
            self.assertEqual(sorted(each["id"] for each in self.runs_of(workflow)), sorted([run, done["result_run_id"]]))


class Shop:
    """Answers everything while it is open."""

    def __init__(self, port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


if __name__ == "__main__":
    unittest.main()
