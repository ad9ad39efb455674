#!/usr/bin/env python3
"""What an operator relies on: the figures, the state of the migrations, the smoke test after a release, the guide for an upgrade, and that what
runs and lists say is what happened.
"""

import base64
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import API_KEY, Server, binary, poll  # noqa: E402
from people import Person  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
SET = HEADER % "set" + "do:\n  - a: {set: {x: 1}}\n"


def key(name):
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": key("tokens"), "PAWL_API_KEY": key("api"), "ENCRYPTION_KEY": key("sealing"),
              "LOG_FORMAT": "text"}


def smoke(url, api_key=API_KEY):
    return subprocess.run([os.path.join(ROOT, "scripts", "smoke"), url], env={"PATH": os.environ["PATH"], "PAWL_API_KEY": api_key},
                          capture_output=True, text=True, timeout=120, check=False)


class OperationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        cls.server = Server(cls.data, extra_environment={"PAWL_SECRET_SIGNING": "hook-signing-words"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=200, headers=None):
        status, reply, self.fields = self.server.request(method, path, body, headers)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def create(self, definition, **members):
        return self.call("POST", "/api/workflows", {"definition": definition, **members}, 201)

    def execute(self, workflow, **members):
        return self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"wait": True, **members})

    # ---- figures

    def figure(self, name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.call("GET", "/metrics"), re.M)
        return float(found[1]) if found else 0.0

    # proves: AI-M11
    def test_metrics_count_what_happens_and_are_for_administrators(self):
        self.call("GET", "/metrics", expect=401, headers={"Authorization": ""})
        requests = 'pawl_http_requests_total{route="/api/plugins",method="GET",status="200"}'
        before, runs = self.figure(requests), self.figure("pawl_runs_started_total")
        self.assertTrue(self.fields["Content-Type"].startswith("text/plain; version=0.0.4"))
        for _ in range(3):
            self.call("GET", "/api/plugins")
        self.execute(self.create(SET))
        self.assertEqual(self.figure(requests), before + 3)
        self.assertEqual(self.figure("pawl_runs_started_total"), runs + 1)
        for line in self.call("GET", "/metrics").splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [-+0-9.e]+|\w+(\{.*\})? [+-]Inf)$')

    # proves: S4-R2, FA-16
    def test_alerts_and_dashboard_ask_for_figures_that_there_are(self):
        made = self.create(HEADER % "calls" + "do:\n  - a: {call: log, with: {message: hello}}\n")
        self.execute(made)
        figures = self.call("GET", "/metrics")
        known = set(re.findall(r"^# TYPE (\w+) ", figures, re.M))
        folder = os.path.join(ROOT, "examples", "monitoring")
        with open(os.path.join(folder, "alerts.yml"), encoding="utf-8") as file:
            alerts = file.read()
        with open(os.path.join(folder, "dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        expressions = re.findall(r"^ +expr: (.+)$", alerts, re.M)
        self.assertGreaterEqual(len(expressions), 6)
        expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        for expression in expressions:
            names = set(re.findall(r"\b((?:pawl|process)_\w+)", expression))
            self.assertTrue(names, expression)
            self.assertLessEqual({re.sub(r"_bucket$", "", name) for name in names}, known, expression)
            for name, labels in re.findall(r"(pawl_\w+)\{([^}]*)\}", expression):
                for label in re.findall(r"(\w+)=", labels):
                    self.assertRegex(figures, rf"(?m)^{name}\{{.*\b{label}=", expression)
        with open(os.path.join(ROOT, "docs", "runbook.md"), encoding="utf-8") as page:
            headings = {re.sub(r"[^\w\- ]", "", line[3:].lower()).replace(" ", "-") for line in page.read().splitlines() if line.startswith("## ")}
        places = re.findall(r"docs/runbook\.md#([\w-]+)", alerts)
        self.assertEqual(len(places), len(re.findall(r"- alert:", alerts)))
        self.assertEqual(set(places) - headings, set())

    # ---- what runs and lists say

    # proves: FA-5, N-2
    def test_a_run_does_what_it_says(self):
        made = self.create(HEADER % "write" + "do:\n  - save: {call: file-write, with: {path: proof.txt, content: '${ .text }', "
                           "allow_destructive: true}}\n")
        file = os.path.join(self.data, "files", "proof.txt")
        self.assertFalse(os.path.exists(file))
        run = self.execute(made, input={"text": "done by a run"})
        self.assertEqual(run["status"], "completed", run)
        with open(file, encoding="utf-8") as written:
            self.assertEqual(written.read(), "done by a run")

    # proves: N-12
    def test_lists_are_never_older_than_the_last_change(self):
        person = Person(self.server, "lists@example.org")
        makers = {
            "/api/workflows": ({"definition": SET, "name": "first"}, {"name": "second"}),
            "/api/organizations": ({"name": "First"}, {"name": "Second"}),
            "/api/integrations": ({"connector": "http", "name": "first", "config": {"base_url": "https://example.org"}}, {"name": "second"}),
        }
        for path, (body, change) in makers.items():
            def names(made, path=path):
                return [item["name"] for item in person.call("GET", path)[1]["items"] if item["id"] == made["id"]]

            for _ in range(5):
                person.call("GET", path)  # a cache would be warm now
                status, made = person.call("POST", path, body)
                self.assertEqual((status, names(made)), (201, [body["name"]]), made)
                self.assertEqual(person.call("PUT", f"{path}/{made['id']}", change)[0], 200)
                self.assertEqual(names(made), [change["name"]], path)
                self.assertIn(person.call("DELETE", f"{path}/{made['id']}")[0], (200, 204))
                self.assertEqual(names(made), [], path)

    # proves: AI-C4
    def test_no_argument_reaches_a_shell(self):
        made = self.create(HEADER % "arguments" + "do:\n  - say:\n      call: shell-command\n      with:\n        command: printf\n"
                           "        args: ['%s', '${ .text }']\n        allow_destructive: true\n")
        for text in ("; touch broken", "$(touch broken)", "`touch broken`", "| touch broken", "&& touch broken", "\ntouch broken\n", "' ; touch broken '",
                     '" ; touch broken "', "> broken", "$HOME", "*"):
            run = self.execute(made, input={"text": text})
            self.assertEqual((run["status"], run.get("output", {}).get("stdout")), ("completed", text), run)
        self.assertFalse(os.path.exists(os.path.join(self.data, "files", "broken")))

    # proves: N-13
    def test_a_webhook_takes_no_secret_from_the_caller(self):
        made = self.create("document: {dsl: '1.0.3', namespace: test, name: hooked, version: '1.0.0', metadata: {webhook: {wait: true, secret: SIGNING}}}\n"
                           "use: {secrets: [SIGNING]}\ndo:\n  - a: {set: {x: 1}}\n")
        url = made["triggers"][0]["url"]
        own = "chosen-by-the-caller"
        signed = "sha256=" + subprocess.run(["openssl", "dgst", "-sha256", "-hmac", own, "-r"], input=b"{}", capture_output=True,
                                            check=True).stdout.decode().split()[0]
        for secret in (own, "hook-signing-words"):
            for query, body, headers in ((f"?secret={secret}", "{}", {}), ("", f'{{"secret": "{secret}"}}', {}), ("", "{}", {"X-Webhook-Secret": secret}),
                                         ("", "{}", {"Authorization": f"Bearer {secret}"}), (f"?secret={own}", "{}", {"X-Hub-Signature-256": signed}),
                                         ("", "{}", {"X-Webhook-Secret": own, "X-Hub-Signature-256": signed})):
                self.call("POST", url + query, body, 404, {"Authorization": "", **headers})
        self.assertEqual(self.call("GET", f"/api/workflows/{made['id']}/executions")["items"], [])

    # ---- releases

    # proves: S0-N1
    def test_the_smoke_test_tells_a_good_installation_from_a_bad_one(self):
        url = f"http://127.0.0.1:{self.server.port}"
        good = smoke(url)
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        self.assertEqual([line.split()[:2] for line in good.stdout.splitlines()],
                         [["ok", name] for name in ("health", "readiness", "migrations", "strangers", "workflow", "figures")])
        left = self.call("GET", "/api/workflows?q=smoke-test")["items"]
        self.assertEqual(left, [], "it cleans up")
        wrong_key = smoke(url, "not-the-key-not-the-key-not-the-key")
        self.assertEqual(wrong_key.returncode, 1)
        self.assertIn("WRONG  workflow", wrong_key.stdout)
        gone = smoke("http://127.0.0.1:1")
        self.assertEqual((gone.returncode, gone.stdout.split()[:2]), (1, ["WRONG", "health"]))
        with open(os.path.join(ROOT, "docs", "release.md"), encoding="utf-8") as page:
            self.assertIn("scripts/smoke", page.read())


class MigrationStateTest(unittest.TestCase):
    # proves: S0-11
    def test_the_state_of_the_migrations_is_told_as_it_is(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            server = Server(data, extra_environment={"DATABASE_URL": ""}).start()

            def state():
                return server.request("GET", "/health/migrations", headers={"Authorization": ""})[:2]

            def change(statement):
                database = sqlite3.connect(os.path.join(data, "pawl.db"), timeout=20)
                with database:
                    database.execute(statement)
                database.close()

            try:
                status, reply = state()
                head = reply["head_revision"]
                self.assertEqual((status, reply["status"], reply["current_revision"], reply["pending_migrations"]), (200, "up_to_date", head, 0))
                change(f"create table kept as select * from schema_migrations where version = {head}")
                change(f"delete from schema_migrations where version = {head}")
                status, reply = state()
                self.assertEqual((status, reply["status"], reply["pending_migrations"]), (503, "pending", 1))
                poll(lambda: server.request("GET", "/health/readiness")[0] == 503, 10, "a needed check has failed")
                change("insert into schema_migrations select * from kept")
                self.assertEqual(state()[1]["status"], "up_to_date")
                change("update schema_migrations set checksum = 'another text' where version = 1")
                self.assertEqual((state()[0], state()[1]["status"]), (503, "drift"))
                change("alter table schema_migrations rename column version to revision")
                self.assertEqual((state()[0], state()[1]["status"]), (503, "unknown"))
            finally:
                server.stop()


class UpgradeGuideTest(unittest.TestCase):
    """The start-up matrix of docs/upgrading.md, row by row on the real program."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, "docs", "upgrading.md"), encoding="utf-8") as page:
            cls.page = page.read()
        table = cls.page.partition("| change | production | names |\n")[2].partition("\n\n")[0]
        cls.rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]

    def outcome(self, folder, settings):
        """-> (starts, standard error)"""
        log = os.path.join(folder, "log")
        with open(log, "wb") as stream:
            process = subprocess.Popen([binary(), "serve", "--port", "0", "--data-dir", os.path.join(folder, "data")], stdout=subprocess.PIPE,
                                       stderr=stream, text=True, env={"PATH": os.environ["PATH"], "PAWL_AUTO_MIGRATE": "true", **settings})
        try:
            starts = any("listens" in line for line in iter(process.stdout.readline, ""))
            if starts:
                process.terminate()
            status = process.wait(timeout=60)
        finally:
            process.kill()
            process.stdout.close()
        self.assertEqual(status == 0, starts, settings)
        with open(log, encoding="utf-8") as stream:
            return starts, stream.read()

    # proves: S0-G1, S0-G2, S0-G3, AI-M15
    def test_what_the_guide_says_of_the_start_is_so(self):
        self.assertGreaterEqual(len(self.rows), 15)
        for change, expected, names in self.rows:
            with self.subTest(change), tempfile.TemporaryDirectory() as folder:
                settings = dict(part.split("=", 1) for part in change.strip("`").split()) if "=" in change else {}
                starts, told = self.outcome(folder, {**PRODUCTION, **settings})
                self.assertEqual(starts, expected == "starts", told)
                wanted = re.findall(r"`(\w+)`", names)
                self.assertEqual(bool(wanted), not starts, "a refusal names what is wrong")
                for name in wanted:
                    self.assertRegex(told, rf"(?m)^.*\b{name}: .{{10,}}$")
                for value in settings.values() if not starts else ():
                    if len(value) > 12:
                        self.assertNotIn(value, told.replace("http://", "").replace("https://", ""), "values are not repeated")

    # proves: S0-G1
    def test_the_guide_names_settings_that_there_are(self):
        with open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8") as page:
            known = set(re.findall(r"^\| `(\w+)`", page.read(), re.M))
        named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])\b", self.page))
        self.assertEqual(named - known, set(), "named, and not read")
        self.assertLessEqual({"ENVIRONMENT", "SECRET_KEY", "CORS_ORIGINS", "DATABASE_POOL_SIZE", "RATE_LIMIT_PER_MINUTE", "REDIS_URL"}, named)


if __name__ == "__main__":
    unittest.main()
