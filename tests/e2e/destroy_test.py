#!/usr/bin/env python3
"""proves: F3, S4-H3, P2

Whose runs may destroy: `destroy_role` of the organization, against the role of who starts a run, or of who saved what starts by itself. Told in the
plan, in the run and in the audit trail; whoever may is not hindered.
"""

import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server, poll  # noqa: E402
from people import Person  # noqa: E402

ROLES = ["viewer", "member", "admin", "owner"]
WRITE = "{call: file-write, with: {path: %s, content: x, mode: overwrite, allow_destructive: true}}"


def document(name, body, more=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{more}}}\n{body}"


def writing(path):
    return "do:\n  - act: " + WRITE % path + "\n"


class DestroyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = os.path.join(cls.folder.name, "files")
        cls.plugins = os.path.join(cls.folder.name, "plugins")
        scripts = os.path.join(cls.folder.name, "scripts")
        for path in (cls.files, os.path.join(cls.files, "in"), scripts, os.path.join(cls.plugins, "functions", "keep", "1.0.0")):
            os.makedirs(path)
        with open(os.path.join(cls.plugins, "functions", "keep", "1.0.0", "function.yaml"), "w", encoding="utf-8") as file:
            file.write("metadata: {summary: Keeps}\ncall: file-write\n"
                       "with: {path: '${ .path }', content: x, mode: overwrite, allow_destructive: true}\n")
        with open(os.path.join(scripts, "writer.json"), "w", encoding="utf-8") as file:
            json.dump({"replies": [{"match": {"turn": 1}, "tool_calls": [{"name": "save", "arguments": {"path": "agent.txt"}}]},
                                   {"content": "done"}]}, file)
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={
            "PAWL_FILE_ROOTS": cls.files, "PLUGIN_DIRECTORY": cls.plugins, "LLM_SCRIPTS": scripts, "RATE_LIMIT_ENABLED": "false"}).start()
        cls.people = {role: Person(cls.server, f"{role}@example.org") for role in ROLES}

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def setUp(self):
        self.acme = self.by("owner", "POST", "/api/organizations", {"name": "Acme"}, 201)["id"]
        for role in ROLES[:-1]:
            self.by("owner", "POST", f"/api/organizations/{self.acme}/members", {"user_id": self.people[role].id, "role": role}, 201)

    def by(self, role, method, path, body=None, expect=200):
        status, reply = self.people[role].call(method, path, body)
        self.assertEqual(status, expect, f"{role}: {method} {path}: {reply}")
        return reply

    def reserve(self, least, role="owner"):
        reply = self.by(role, "PUT", f"/api/organizations/{self.acme}", {"destroy_role": least})
        self.assertEqual(reply["destroy_role"], least)

    def save(self, role, name, body, more=""):
        made = self.by(role, "POST", "/api/workflows", {"definition": document(name, body, more), "organization_id": self.acme}, 201)
        self.addCleanup(lambda: self.by("owner", "DELETE", f"/api/workflows/{made['id']}", expect=204))
        return made

    def run_by(self, role, workflow, body=None):
        return self.by(role, "POST", f"/api/workflows/{workflow['id']}/execute", {"wait": 30, **(body or {})})

    def exists(self, path):
        """Whether it was made; it is gone afterwards."""
        full = os.path.join(self.files, path)
        if not os.path.exists(full):
            return False
        os.remove(full)
        return True

    def refused(self, output):
        self.assertTrue(output["dry_run"], output)
        self.assertEqual(len(output["plan"]), 1, output)
        self.assertIn("destroy_role", output["reason"])

    def newest_run(self, workflow, known=()):
        """The first run that is not among those known; it has ended."""
        def ended():
            items = self.by("owner", "GET", f"/api/workflows/{workflow['id']}/executions?limit=100")["items"]
            new = [item for item in items if item["id"] not in known and item["status"] in ("completed", "faulted")]
            return new[-1] if new else None
        run = poll(ended, 20, "a run has ended")
        return self.by("owner", "GET", f"/api/runs/{run['id']}")

    # ---- who starts ---------------------------------------------------------------------------------------------------------------

    def test_s4_h3_as_it_was_whoever_may_run_may_destroy(self):
        workflow = self.save("member", "usual", writing("usual.txt"))
        self.assertEqual(self.by("viewer", "GET", f"/api/organizations/{self.acme}")["destroy_role"], "member")
        self.by("viewer", "POST", f"/api/workflows/{workflow['id']}/execute", {"wait": 30}, 403)
        self.assertFalse(self.exists("usual.txt"))
        for role in ROLES[1:]:
            run = self.run_by(role, workflow)
            self.assertTrue(run["output"]["created"] or run["output"]["bytes"], run)
            self.assertTrue(self.exists("usual.txt"), role)
            self.assertNotIn("may_destroy", self.by(role, "GET", f"/api/runs/{run['id']}")["trigger"])

    def test_s4_h3_a_smaller_role_only_plans_and_is_told_why(self):
        """proves: S4-H3, F3

        For each setting and role: the file is there, or the output says why it is not, and so does the trail.
        """
        workflow = self.save("member", "reserved", writing("reserved.txt"))
        for least in ("admin", "owner", "member"):
            self.reserve(least)
            for role in ROLES[1:]:
                with self.subTest(least=least, role=role):
                    run = self.run_by(role, workflow)
                    may = ROLES.index(role) >= ROLES.index(least)
                    self.assertEqual(self.exists("reserved.txt"), may)
                    record = poll(lambda run=run: self.by("owner", "GET", f"/api/audit?run_id={run['id']}&organization_id={self.acme}")["items"],
                                  10, "the trail tells it")[0]
                    self.assertEqual(record["outcome"], "success" if may else "refused")
                    if may:
                        continue
                    self.refused(run["output"])
                    self.assertIn("destroy_role", record["details"]["error"])
                    self.assertEqual(self.by(role, "GET", f"/api/runs/{run['id']}")["trigger"]["may_destroy"], False)
        # Not asked for with `allow_destructive` it is a plan as before, whoever asks, and says so.
        plain = self.save("owner", "plain", "do:\n  - act: {call: file-write, with: {path: plain.txt, content: x}}\n")
        self.assertIn("allow_destructive", self.run_by("owner", plain)["output"]["reason"])

    def test_s4_h3_an_api_key_acts_as_its_user(self):
        self.reserve("admin")
        for role in ("member", "admin"):
            key = self.by(role, "POST", "/api/api-keys", {"name": "k", "scopes": ["read", "execute", "write"], "organization_id": self.acme}, 201)["key"]
            path = f"/api/plugins/file-write/execute?organization_id={self.acme}"
            body = {"params": {"path": "key.txt", "content": "x", "mode": "overwrite"}, "allow_destructive": True}
            status, reply, _ = self.server.request("POST", path, body, {"Authorization": f"Bearer {key}"})
            self.assertEqual(status, 200, reply)
            self.assertEqual(self.exists("key.txt"), role == "admin", reply)
            if role == "member":
                self.refused(reply["output"])

    # ---- who sets it --------------------------------------------------------------------------------------------------------------

    def test_p2_only_who_has_the_role_sets_it_and_the_trail_tells(self):
        path = f"/api/organizations/{self.acme}"
        self.by("member", "PUT", path, {"destroy_role": "member"}, 403)
        self.by("admin", "PUT", path, {"destroy_role": "owner"}, 403)
        for wrong in ("viewer", "nobody", 7):
            self.by("owner", "PUT", path, {"destroy_role": wrong}, 422)
        self.reserve("admin", "admin")
        self.reserve("owner")
        self.by("admin", "PUT", path, {"destroy_role": "member"}, 403)
        self.by("admin", "PUT", path, {"description": "the rest is theirs"})
        told = self.by("owner", "GET", f"/api/audit?organization_id={self.acme}&action=organization.destroy_role_changed")["items"]
        self.assertEqual([record["details"]["role"] for record in told], ["owner", "admin"])
        self.assertEqual([record["user_id"] for record in told], [self.people["owner"].id, self.people["admin"].id])

    # ---- what starts by itself ----------------------------------------------------------------------------------------------------

    def test_s4_h3_a_schedule_destroys_where_who_saved_it_may(self):
        self.reserve("admin")
        for role in ("member", "admin"):
            made = self.save(role, f"tick-{role}", "schedule: {every: {milliseconds: 300}}\n" + writing(f"tick-{role}.txt"))
            run = self.newest_run(made)
            self.assertEqual(run["trigger"]["type"], "schedule")
            self.assertEqual("may_destroy" in run["trigger"], role == "member")
            if role == "member":
                self.refused(run["output"])
                self.assertFalse(self.exists(f"tick-{role}.txt"))
                known = {item["id"] for item in self.by("owner", "GET", f"/api/workflows/{made['id']}/executions?limit=100")["items"]}
                self.reserve("member")
                poll(lambda: self.exists("tick-member.txt"), 20, "the setting counts from the next start on")
                self.assertNotIn(self.newest_run(made, known)["id"], known)
                self.reserve("admin")
            else:
                poll(lambda: self.exists("tick-admin.txt"), 20, "an admin's schedule acts")
                # The author is no admin any more: neither are the schedules.
                self.by("owner", "PUT", f"/api/organizations/{self.acme}/members/{self.people['admin'].id}", {"role": "member"})
                known = {item["id"] for item in self.by("owner", "GET", f"/api/workflows/{made['id']}/executions?limit=100")["items"]}

                def refused_by_now():
                    run = self.newest_run(made, known)
                    known.add(run["id"])
                    return run["trigger"].get("may_destroy") is False
                poll(refused_by_now, 20, "a role that is gone counts no more")

    def test_s4_h3_an_event_a_webhook_and_a_file_destroy_where_who_saved_it_may(self):
        self.reserve("admin")
        for role in ("member", "admin"):
            with self.subTest(role=role):
                event = self.save(role, f"on-{role}", f"schedule: {{on: {{one: {{with: {{type: com.example.{role}}}}}}}}}\n" + writing("event.txt"))
                body = {"specversion": "1.0", "id": "1", "source": "/test", "type": f"com.example.{role}", "data": 1}
                self.by("member", "POST", f"/api/events?organization_id={self.acme}", body, 202)
                hooked = self.save(role, f"hook-{role}", writing("hook.txt"), ", metadata: {webhook: {wait: true}}")
                url = next(trigger["url"] for trigger in hooked["triggers"] if trigger["type"] == "webhook")
                status, answer, _ = self.server.request("POST", url, {}, {"Authorization": ""})
                self.assertEqual(status, 200, answer)
                folder = f"in/{role}"
                os.makedirs(os.path.join(self.files, folder))
                watched = self.save(role, f"files-{role}", writing("file.txt"), f", metadata: {{files: {{folder: {folder}, settle: {{milliseconds: 200}}}}}}")
                path = f"/api/schedules/{watched['triggers'][0]['id']}"
                poll(lambda path=path: self.by("owner", "GET", path)["watching"], 20, "the folder is watched")
                with open(os.path.join(self.files, folder, "new"), "w", encoding="utf-8") as file:
                    file.write("x")
                for made, kind, written in ((event, "event", "event.txt"), (hooked, "webhook", "hook.txt"), (watched, "file", "file.txt")):
                    run = self.newest_run(made)
                    self.assertEqual(run["trigger"]["type"], kind)
                    self.assertEqual(self.exists(written), role == "admin", kind)
                    if role == "member":
                        self.refused(run["output"])

    def test_s4_h3_a_new_version_has_the_right_of_who_saved_it(self):
        self.reserve("admin")
        more = ", metadata: {webhook: {wait: true}}"
        made = self.save("admin", "handed", writing("one.txt"), more)
        url = next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")
        hook = lambda: self.server.request("POST", url, {}, {"Authorization": ""})[1]  # noqa: E731
        hook()
        self.assertTrue(self.exists("one.txt"))
        self.by("member", "PUT", f"/api/workflows/{made['id']}", {"definition": document("handed", writing("two.txt"), more)})
        self.refused(hook())
        self.by("admin", "POST", f"/api/workflows/{made['id']}/rollback", {"version": 1})
        hook()
        self.assertTrue(self.exists("one.txt"))

    def test_s4_h3_what_nobody_on_record_saved_destroys_only_while_everybody_may(self):
        def ask(method, path, body=None, expect=200):
            status, reply, _ = self.server.request(method, path, body)
            self.assertEqual(status, expect, reply)
            return reply
        made = ask("POST", "/api/workflows", {"definition": document("keyed", writing("keyed.txt"), ", metadata: {webhook: {wait: true}}")}, 201)
        ours = made["organization_id"]
        url = next(trigger["url"] for trigger in made["triggers"] if trigger["type"] == "webhook")
        self.addCleanup(lambda: ask("PUT", f"/api/organizations/{ours}", {"destroy_role": "member"}))
        for least in ("admin", "owner", "member"):
            ask("PUT", f"/api/organizations/{ours}", {"destroy_role": least})
            status, answer, _ = self.server.request("POST", url, {}, {"Authorization": ""})
            self.assertEqual(status, 200, answer)
            self.assertEqual(self.exists("keyed.txt"), least == "member")
            ask("POST", f"/api/workflows/{made['id']}/execute", {"wait": 30})
            self.assertTrue(self.exists("keyed.txt"), "the installation's own key may")

    # ---- what a run does ----------------------------------------------------------------------------------------------------------

    def test_s4_h3_agents_user_functions_and_sub_workflows_have_the_right_of_the_run(self):
        self.reserve("admin")
        self.save("admin", "inner", writing("inner.txt"))
        bodies = {
            "inner.txt": "do:\n  - sub: {run: {workflow: {namespace: test, name: inner, version: '1.0.0'}}}\n",
            "function.txt": "do:\n  - keep: {call: keep, with: {path: function.txt}}\n",
            "agent.txt": "do:\n  - ask:\n      call: agent\n      with:\n        model: scripted/writer\n        prompt: save it\n        tools:\n"
                         "          - {function: file-write, name: save, with: {content: x, mode: overwrite, allow_destructive: true}}\n"}
        for written, body in bodies.items():
            workflow = self.save("admin", "outer-" + written.split(".", maxsplit=1)[0], body)
            for role in ("member", "admin"):
                with self.subTest(written=written, role=role):
                    run = self.run_by(role, workflow)
                    self.assertEqual(run["status"], "completed", run)
                    self.assertEqual(self.exists(written), role == "admin", run)
                    if role == "admin":
                        continue
                    if written != "agent.txt":
                        self.refused(run["output"])
                        continue
                    tasks = self.by("member", "GET", f"/api/runs/{run['id']}")["tasks"]
                    self.refused(next(task["output"] for task in tasks if task["name"] == "save"))

    def test_s4_h3_what_a_run_that_nobody_started_calls_by_name_has_the_right_of_its_own_author(self):
        """proves: S4-H3

        Who may save a workflow of a name has nothing of the right of those whose schedules, webhooks and events call that name.
        """
        self.reserve("admin")
        inner = self.save("member", "lent", writing("lent.txt"))
        outer = self.save("admin", "lender", "do:\n  - sub: {run: {workflow: {namespace: test, name: lent, version: latest}}}\n",
                          ", metadata: {webhook: {wait: true}}")
        url = next(trigger["url"] for trigger in outer["triggers"] if trigger["type"] == "webhook")

        def hook():
            status, answer, _ = self.server.request("POST", url, {}, {"Authorization": ""})
            self.assertEqual(status, 200, answer)
            return answer
        self.refused(hook())
        self.assertFalse(self.exists("lent.txt"))
        self.assertEqual(self.run_by("admin", outer)["status"], "completed")
        self.assertTrue(self.exists("lent.txt"), "an admin who starts it has looked at what it calls")
        for role in ("admin", "member"):
            body = f"do:\n  - of-{role}: " + WRITE % "lent.txt" + "\n"
            self.by(role, "PUT", f"/api/workflows/{inner['id']}", {"definition": document("lent", body)})
            answer = hook()
            self.assertEqual(self.exists("lent.txt"), role == "admin", "whose the version is that is called")
            if role == "member":
                self.refused(answer)
        self.reserve("member")
        hook()
        self.assertTrue(self.exists("lent.txt"), "where everybody may")

    def test_s4_h3_a_fork_and_a_retry_have_the_right_of_who_asks(self):
        self.reserve("admin")
        failing = writing("again.txt") + "  - fail: {raise: {error: {type: 'https://example.com/e', status: 500}}}\n"
        workflow = self.save("member", "failing", failing)

        def end_of(run_id):
            run = poll(lambda: (lambda view: view if view["status"] == "faulted" else None)(self.by("owner", "GET", f"/api/runs/{run_id}")), 20, "it ends")
            return run["trigger"].get("may_destroy", True)
        for first, second in (("member", "admin"), ("admin", "member")):
            with self.subTest(first=first):
                run = self.run_by(first, workflow)
                self.assertEqual(self.exists("again.txt"), first == "admin")
                fork = self.by(second, "POST", f"/api/runs/{run['id']}/fork", {}, 202)["id"]
                self.assertEqual(end_of(fork), second == "admin")
                self.assertEqual(self.exists("again.txt"), second == "admin", "of the fork")
                self.assertEqual(end_of(run["id"]), first == "admin", "the run itself is left alone")
                ended = self.by("owner", "GET", f"/api/runs/{run['id']}")["ended_at"]
                self.by(second, "POST", f"/api/runs/{run['id']}/retry", {"from": "/do/0/act"}, 202)
                poll(lambda run=run, ended=ended: self.by("owner", "GET", f"/api/runs/{run['id']}")["ended_at"] not in (None, ended), 20, "it has ended again")
                self.assertEqual(end_of(run["id"]), second == "admin")
                self.assertEqual(self.exists("again.txt"), second == "admin", "of the retry")
                trigger = self.by("owner", "GET", f"/api/runs/{run['id']}")["trigger"]
                self.assertEqual((trigger["user"], trigger["starters"]), (self.people[second].id, [self.people[first].id]))
                records = poll(lambda run=run: (lambda items: items if len(items) == 2 else None)(
                    self.by("owner", "GET", f"/api/audit?run_id={run['id']}&organization_id={self.acme}&action=function.executed")["items"]), 10, "told")
                self.assertEqual([record["user_id"] for record in records], [self.people[who].id for who in (second, first)], "the newest first")

    def test_s4_h3_the_right_is_kept_over_a_crash(self):
        self.reserve("admin")
        body = "do:\n  - signal: {listen: {to: {one: {with: {type: go}}}}}\n  - act: " + WRITE % "later.txt" + "\n"
        workflow = self.save("admin", "later", body)
        runs = {role: self.by(role, "POST", f"/api/workflows/{workflow['id']}/execute", {}, 202)["id"] for role in ("member", "admin")}
        for run in runs.values():
            poll(lambda run=run: self.by("owner", "GET", f"/api/runs/{run}")["status"] == "waiting", 20, "it waits")
        self.server.kill()
        self.server.start()
        for role, run in runs.items():
            event = {"specversion": "1.0", "id": role, "source": "/t", "type": "go", "data": {}}
            self.by("owner", "POST", f"/api/runs/{run}/events", event, 202)
            view = poll(lambda run=run: (lambda one: one if one["status"] == "completed" else None)(self.by("owner", "GET", f"/api/runs/{run}")), 20, "it ends")
            self.assertEqual(self.exists("later.txt"), role == "admin", view)


if __name__ == "__main__":
    unittest.main(verbosity=2)
