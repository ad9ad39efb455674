#!/usr/bin/env python3
"""proves: F3, S4-H2, S4-D4, S4-O9, FA-11, P6, S4-A-P1, S4-R1, AI-H5

The audit trail of the real binary: every function leaves one record for each way to end, secrets stay out of everything that is kept or
shown, a killed process continues its file, and `pawl audit verify` finds what somebody changed.
"""

import base64
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from media import pdf, png  # noqa: E402
from pawl_server import Server, binary, poll  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
CANARY = "canary-7f3a+91/bc de\"42"


class Site(http.server.BaseHTTPRequestHandler):
    """A page, a document of an API, and a 500."""

    def do_GET(self):
        document = {"openapi": "3.0.0", "info": {"title": "t", "version": "1"},
                    "servers": [{"url": f"http://127.0.0.1:{self.server.server_port}"}],
                    "paths": {"/ok": {"get": {"operationId": "ok", "responses": {"200": {"description": "ok"}}}},
                              "/bad": {"get": {"operationId": "bad", "responses": {"200": {"description": "ok"}}}}}}
        status, kind, body = 200, "application/json", b"{}"
        if self.path == "/api.json":
            body = json.dumps(document).encode()
        elif self.path == "/page":
            kind, body = "text/html", b"<h1>Hello</h1>"
        elif self.path == "/rpc":
            body = b'{"jsonrpc": "2.0", "id": 1, "result": {}}'
        elif self.path == "/slack":
            kind, body = "text/plain", b"ok"
        elif self.path.startswith("/bad"):
            status, body = 500, b"{}"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


def cases(site, smtp):
    """By function: a task for each outcome. Missing outcomes cannot be: `reason` says why."""
    def call(name, **arguments):
        return {"call": name, "with": arguments}
    url = f"http://127.0.0.1:{site}"
    mail = {"smtp_host": "127.0.0.1", "security": "none", "from_email": "a@example.org", "to_email": "b@example.org", "subject": "s", "body": "b"}
    storage = {"bucket": "bad", "key": "k", "endpoint": url, "access_key_id": "id", "secret_access_key": "key"}
    return {
        "noop": {"success": call("noop", n=1)},
        "approval": {"success": call("approval", title="Go on?", deadline={"milliseconds": 50}, on_deadline="approve"),
                     "failure": call("approval", title="Go on?", deadline={"milliseconds": 50}, on_deadline="fault")},
        # Succeeds only in a run of the server's own, once somebody has approved (healing_test.py).
        "apply-remedy": {"failure": call("apply-remedy", remedy="01890000-0000-7000-8000-000000000000", approved=True)},
        "log": {"success": call("log", message="hello")},
        "llm": {"success": call("llm", model="scripted/echo", prompt="hello"), "failure": call("llm", model="scripted/nobody", prompt="hello")},
        "memory-read": {"success": call("memory-read", key="k"), "failure": call("memory-read", key="${ 1 }")},
        "memory-write": {"success": call("memory-write", key="k", messages=[]),
                         "failure": call("memory-write", key="${ 1 }", messages=[])},
        "http": {"success": call("http", method="get", endpoint=url + "/ok"), "failure": call("http", method="get", endpoint=url + "/bad")},
        "http-task": {"success": call("http-task", url=url + "/ok"), "failure": call("http-task", url="http://127.0.0.1:1/")},
        "web-scraper": {"success": call("web-scraper", url=url + "/page", selectors={"title": "h1"}),
                        "failure": call("web-scraper", url=url + "/bad", selectors={"title": "h1"}),
                        "refused": call("web-scraper", url=url + "/page", selectors={"title": "h1"}, screenshot=True, overwrite=True)},
        "openapi": {"success": call("openapi", document={"endpoint": url + "/api.json"}, operationId="ok"),
                    "failure": call("openapi", document={"endpoint": url + "/api.json"}, operationId="bad")},
        "mcp": {outcome: call("mcp", method="prompts/get", transport={"http": {"endpoint": url + path}}, parameters={"name": "p"}, protocolVersion="2026-07-28")
                for outcome, path in (("success", "/rpc"), ("failure", "/bad"))},
        "a2a": {outcome: call("a2a", method="tasks/get", server=url + path, parameters={"id": "t"})
                for outcome, path in (("success", "/rpc"), ("failure", "/bad"))},
        "run.shell": {"success": {"run": {"shell": {"command": "true"}}}, "failure": {"run": {"shell": {"command": "exit 3"}}}},
        "run.script": {"success": {"run": {"script": {"language": "python", "code": "print(1)"}}},
                       "failure": {"run": {"script": {"language": "python", "code": "raise SystemExit(3)"}}}},
        "run.container": {"failure": {"run": {"container": {"image": "no.such.registry.invalid/none:0"}}}},
        "shell-command": {"success": call("shell-command", command="true", allow_destructive=True),
                          "failure": call("shell-command", command="false", allow_destructive=True),
                          "refused": call("shell-command", command="true")},
        "file-write": {"success": call("file-write", path="out.txt", content="x", allow_destructive=True),
                       "failure": call("file-write", path="../../etc/out.txt", content="x", allow_destructive=True),
                       "refused": call("file-write", path="never.txt", content="x")},
        "file-read": {"success": call("file-read", path="here.txt"), "failure": call("file-read", path="nowhere.txt")},
        "csv": {"success": call("csv", text="a\n1\n"), "failure": call("csv", path="nowhere.csv"),
                "refused": call("csv", operation="format", rows=[[1]], path="never.csv")},
        "transform": {"success": call("transform", expression=". + 1", input=1), "failure": call("transform", expression=". + 1", input=[])},
        "archive": {"success": call("archive", operation="create", archive="a.zip", paths=["here.txt"]),
                    "failure": call("archive", operation="list", archive="nowhere.zip"),
                    "refused": call("archive", operation="extract", archive="a.zip", overwrite=True)},
        "sql-query": {"success": call("sql-query", path="shop.db", query="select * from products"),
                      "failure": call("sql-query", path="shop.db", query="delete from products"),
                      "refused": call("sql-query", path="shop.db", query="delete from products", read_only=False)},
        "database-backup": {"success": call("database-backup", path="shop.db", target="copy.db"),
                            "failure": call("database-backup", path="nowhere.db", target="other.db"),
                            "refused": call("database-backup", path="shop.db", target="copy.db", overwrite=True)},
        "git": {"success": call("git", operation="status", repo_path="repository"), "failure": call("git", operation="status", repo_path="nowhere"),
                "refused": call("git", operation="push", repo_path="repository", force=True)},
        "file-organizer": {"success": call("file-organizer", target="inbox", allow_destructive=True),
                           "failure": call("file-organizer", target="no-such-folder", allow_destructive=True),
                           "refused": call("file-organizer", target=".")},
        "slack": {"success": call("slack", webhook_url=url + "/slack", message="x"),
                  "failure": call("slack", webhook_url=url + "/bad", message="x")},
        "send-email": {"success": call("send-email", smtp_port=smtp, **mail), "failure": call("send-email", smtp_port=1, **mail)},
        "email-summarizer": {"success": call("email-summarizer", email_content="Subject: x\n\nHello you."),
                             "failure": call("email-summarizer", source_path="nowhere.mbox")},
        "s3": {"success": call("s3", operation="presign", **storage), "failure": call("s3", operation="get", **storage),
               "refused": call("s3", operation="delete", **storage)},
        "pdf-extractor": {"success": call("pdf-extractor", input_path="here.pdf"),
                          "failure": call("pdf-extractor", input_path="here.txt"),
                          "refused": call("pdf-extractor", input_path="here.pdf", output_path="never.txt", overwrite=True)},
        "image-processor": {"success": call("image-processor", input_path="here.png"),
                            "failure": call("image-processor", input_path="here.txt"),
                            "refused": call("image-processor", operation="convert", input_path="here.png", output_path="never.gif", overwrite=True)},
    }


DESTRUCTIVE = {"shell-command", "web-scraper", "file-write", "file-organizer", "s3", "pdf-extractor", "image-processor", "csv", "archive",
               "sql-query", "database-backup", "git"}


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        threading.Thread(target=cls.site.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        cls.files = os.path.join(cls.folder.name, "files")
        os.mkdir(cls.files)
        with open(os.path.join(cls.files, "here.txt"), "w", encoding="utf-8") as file:
            file.write("here")
        with sqlite3.connect(os.path.join(cls.files, "shop.db")) as database:
            database.execute("create table products (name text)")
        database.close()
        subprocess.run(["git", "init", "--quiet", os.path.join(cls.files, "repository")], check=True,
                       env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"})
        os.mkdir(os.path.join(cls.files, "inbox"))
        for name, content in {"inbox/paper.txt": b"x", "here.pdf": pdf("Here", ["a page"]), "here.png": png(8, 8)}.items():
            with open(os.path.join(cls.files, name), "wb") as file:
                file.write(content)
        cls.smtp = SmtpServer()
        scripts = os.path.join(cls.folder.name, "scripts")
        os.mkdir(scripts)
        with open(os.path.join(scripts, "echo.json"), "w", encoding="utf-8") as file:
            json.dump({"replies": [{"content": "yes"}]}, file)
        cls.server = Server(cls.data, extra_environment={"LLM_SCRIPTS": scripts, "PAWL_SECRET_CANARY": CANARY,
                                                         "PAWL_FILE_ROOTS": cls.files, "PAWL_SANDBOX": "none"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.site.shutdown()
        cls.smtp.shutdown()
        cls.smtp.server_close()
        cls.folder.cleanup()

    def lines(self):
        with open(os.path.join(self.data, "audit.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def run_tasks(self, name, tasks, extra="", **request):
        definition = HEADER % name + extra + "do: " + json.dumps(tasks) + "\n"
        workflow = self.server.create_workflow(definition, name)
        status, run, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30, **request})
        self.assertEqual(status, 200, run)
        return run

    def records_of(self, run):
        """Those of one run, once the file has them: it follows the database within a second."""
        newest = self.newest()
        poll(lambda: (self.lines() or [{"sequence": 0}])[-1]["sequence"] >= newest, 10, "the file follows the database")
        return [line for line in self.lines() if line["run_id"] == run["id"]]

    def newest(self):
        with sqlite3.connect(f"file:{self.data}/pawl.db?mode=ro", uri=True) as database:
            return database.execute("select coalesce(max(seq), 0) from audit_records").fetchone()[0]

    def test_s4_h2_every_function_leaves_one_record_for_each_way_to_end(self):
        table = cases(self.site.server_port, self.smtp.server_address[1])
        _, plugins, _ = self.server.request("GET", "/api/plugins")
        self.assertEqual({item["name"] for item in plugins["items"]}, set(table), "a function without a case")
        self.assertEqual({item["name"] for item in plugins["items"] if item["destructive"]}, DESTRUCTIVE)
        for name, outcomes in table.items():
            wanted = dict(outcomes)
            wanted["dry_run"] = next(iter(outcomes.values()))
            self.assertEqual("refused" in outcomes, name in DESTRUCTIVE)
            for outcome, task in wanted.items():
                with self.subTest(function=name, outcome=outcome):
                    run = self.run_tasks(f"{name.replace('.', '-')}-{outcome.replace('_', '-')}", [{"step": task}],
                                         dry_run=outcome == "dry_run")
                    records = self.records_of(run)
                    self.assertEqual(len(records), 1, (run, records))
                    record = records[0]
                    self.assertEqual(record["outcome"], outcome, (record, run))
                    self.assertEqual(record["action"], "function.executed")
                    self.assertEqual((record["resource_type"], record["resource_id"]), ("function", name))
                    self.assertEqual(record["task"], "/do/0/step")
                    self.assertIsInstance(record["duration_ms"], int)
                    self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                    self.assertEqual(record["actor"], "administrator")
                    self.assertIn("params", record["details"])
                    self.assertEqual("error" in record["details"], outcome in ("failure", "refused"))

    def test_f3_a_try_out_leaves_a_record_as_every_execution_does(self):
        """proves: F3, S4-H2

        `POST /api/plugins/{name}/test` of every function: one record, a plan or its failure, of whoever asked, without a run.
        """
        for name, outcomes in cases(self.site.server_port, self.smtp.server_address[1]).items():
            task = outcomes.get("success", next(iter(outcomes.values())))
            params = task["with"] if "call" in task else next(iter(task["run"].values()))
            with self.subTest(function=name):
                newest = self.newest()
                status, reply, fields = self.server.request("POST", f"/api/plugins/{name}/test", {"params": params})
                self.assertIn("plan" if status == 200 else "detail", reply)
                records = self.tried(newest)
                self.assertEqual(len(records), 1, records)
                record = records[0]
                self.assertEqual((record["resource_type"], record["resource_id"], record["actor"]), ("function", name, "administrator"))
                self.assertEqual(record["outcome"], "dry_run" if status == 200 else "failure")
                self.assertIsNone(record["run_id"])
                self.assertTrue(record["details"]["trial"])
                self.assertEqual(record["request_id"], fields["X-Request-Id"])
        newest = self.newest()
        self.call("POST", "/api/plugins/shell-command/test", {"params": {"command": 7}}, expect=422)
        self.assertEqual(self.tried(newest), [], "what does not fit is not asked for its plan")

    def tried(self, after):
        self.records_of({"id": None})  # waits for the file
        return [line for line in self.lines() if line["sequence"] > after and line["action"] == "function.executed"]

    def test_f3_content_of_mails_files_and_prompts_is_not_in_the_trail(self):
        """proves: F3, S4-O9

        Functions declare which of their arguments are content: the trail has the size, and everything else.
        """
        said = "what-ann-told-bob-in-confidence"
        mail = {"smtp_host": "127.0.0.1", "smtp_port": self.smtp.server_address[1], "security": "none", "from_email": "a@example.org",
                "to_email": "b@example.org", "subject": "s", "body": said, "attachments": [{"name": "a.txt", "content": said}]}
        run = self.run_tasks("content", [
            {"mail": {"call": "send-email", "with": mail}},
            {"file": {"call": "file-write", "with": {"path": "kept.txt", "content": said, "mode": "overwrite", "allow_destructive": True}}},
            {"rows": {"call": "csv", "with": {"operation": "format", "rows": [{"a": said}]}}},
            {"sum": {"call": "email-summarizer", "with": {"email_content": "Subject: x\n\n" + said + "."}}},
            {"post": {"call": "slack", "with": {"webhook_url": f"http://127.0.0.1:{self.site.server_port}/slack", "message": said}}},
            {"ask": {"call": "llm", "with": {"model": "scripted/echo", "prompt": said}}},
            {"keep": {"call": "memory-write", "with": {"key": "k", "messages": [{"role": "user", "content": said}]}}}])
        self.call("POST", "/api/plugins/file-write/test", {"params": {"path": "kept.txt", "content": said}})
        records = self.records_of(run)
        self.assertEqual([record["outcome"] for record in records], ["success"] * 7, records)
        self.assertEqual(records[0]["details"]["params"]["body"], {"size": len(said)})
        self.assertEqual(records[0]["details"]["params"]["attachments"], [{"name": "a.txt", "content": {"size": len(said)}}])
        self.assertEqual(records[1]["details"]["params"]["path"], "kept.txt")
        with open(os.path.join(self.data, "audit.jsonl"), encoding="utf-8") as file:
            self.assertNotIn(said, file.read())

    def forms(self):
        raw = CANARY.encode()
        yield CANARY
        yield json.dumps(CANARY)[1:-1]
        yield raw.hex()
        yield urllib.parse.quote(CANARY, safe="")
        for before in (b"", b":", b"u:"):
            text = base64.b64encode(before + raw).decode().rstrip("=")
            yield text[len(before) + (1 if before else 0):len(text) - 2]

    def test_s4_o9_secrets_do_not_come_out_of_the_trail_or_the_log(self):
        say = "${ $secrets.CANARY }"
        encoded = "${ $secrets.CANARY | @base64 }"
        run = self.run_tasks(
            "canary",
            [{"a": {"call": "log", "with": {"message": say}}},
             {"b": {"call": "http-task", "with": {"url": f"http://127.0.0.1:{self.site.server_port}/ok", "method": "POST",
                                                  "payload": {"password": "hidden by name", "note": encoded, "plain": say}}}},
             {"c": {"call": "http", "with": {"method": "get", "endpoint": f"http://127.0.0.1:{self.site.server_port}/ok",
                                             "headers": {"Authorization": encoded, "X-Note": encoded}}}}],
            extra="use: {secrets: [CANARY]}\n")
        records = self.records_of(run)
        self.assertEqual(len(records), 3)
        self.assertEqual(records[1]["details"]["params"]["payload"]["password"], "[redacted]")
        with open(os.path.join(self.data, "audit.jsonl"), encoding="utf-8") as file:
            trail = file.read()
        with sqlite3.connect(f"file:{self.data}/pawl.db?mode=ro", uri=True) as database:
            trail += "".join(row[0] for row in database.execute("select details from audit_records"))
        trail += self.server.tail()
        for form in self.forms():
            self.assertNotIn(form, trail)

    def test_secrets_do_not_come_out_of_what_runs_show(self):
        run = self.run_tasks(
            "shown",
            [{"a": {"call": "log", "with": {"message": "say ${ $secrets.CANARY } aloud"}}},
             {"b": {"set": {"plain": "${ $secrets.CANARY }", "coded": "${ $secrets.CANARY | @base64 }", "uri": "${ $secrets.CANARY | @uri }"}}}],
            extra="use: {secrets: [CANARY]}\n")
        replies = json.dumps(run)
        for path in (f"/api/runs/{run['id']}", f"/api/runs/{run['id']}/events"):
            status, reply, _ = self.server.request("GET", path)
            self.assertEqual(status, 200, reply)
            replies += reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        self.assertIn("[redacted]", replies)
        for form in self.forms():
            self.assertNotIn(form, replies)

    def call(self, method, path, body=None, expect=200, headers=None):
        status, reply, fields = self.server.request(method, path, body, headers)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply, fields

    def test_p6_the_trail_is_listed_counted_exported_and_verified_over_http(self):
        run = self.run_tasks("listed", [{"step": {"call": "noop", "with": {"n": 1}}}])
        page, _ = self.call("GET", f"/api/audit?run_id={run['id']}")
        self.assertEqual(len(page["items"]), 1)
        record = page["items"][0]
        self.assertEqual((record["action"], record["outcome"], record["resource_id"]), ("function.executed", "success", "noop"))
        for path in ("/api/audit", "/api/audit/logs"):
            self.assertEqual(self.call("GET", f"{path}/{record['id']}")[0], record)
        self.call("GET", f"/api/audit/{run['id']}", expect=404)
        first, _ = self.call("GET", "/api/audit?limit=1")
        second, _ = self.call("GET", f"/api/audit?limit=1&cursor={first['next_cursor']}")
        self.assertLess(second["items"][0]["sequence"], first["items"][0]["sequence"])
        self.assertEqual(self.call("GET", "/api/audit?outcome=refused&action=no.such")[0]["items"], [])
        self.call("GET", "/api/audit?outcome=sideways", expect=400)
        stats, _ = self.call("GET", "/api/audit/stats")
        self.assertGreaterEqual(stats["by_action"]["function.executed"], 1)
        self.assertEqual(sum(stats["by_day"].values()), stats["total"])
        text, fields = self.call("GET", f"/api/audit/export?format=csv&run_id={run['id']}")
        self.assertTrue(fields["Content-Type"].startswith("text/csv"))
        self.assertEqual(text.count("\r\n"), 2)
        exported, _ = self.call("GET", "/api/audit/export?format=json&action=function")
        self.assertGreaterEqual(len(exported), 1)
        report, _ = self.call("GET", "/api/audit/verify")
        self.assertTrue(report["valid"], report)
        self.assertEqual(report["last"], report["records"])

    def test_s4_o9_changes_and_refusals_are_recorded_by_the_gate(self):
        workflow = self.server.create_workflow(HEADER % "gate" + "do:\n  - a: {set: {n: 1}}\n", "gate")
        self.call("DELETE", f"/api/workflows/{workflow}", expect=204)
        self.call("DELETE", f"/api/workflows/{workflow}", expect=404, headers={"X-Request-Id": "second-try"})
        self.call("DELETE", f"/api/workflows/{workflow}", expect=401, headers={"Authorization": "Bearer wrong", "X-Request-Id": "no-key"})

        def told_of_all():  # nobody waits for the record of a refusal
            page, _ = self.call("GET", f"/api/audit?all=true&resource_id={workflow}")
            return page if len(page["items"]) == 3 else None
        page = poll(told_of_all, 10, "the refusal is recorded")
        told = [(item["action"], item["outcome"], item["actor"]) for item in page["items"]]
        self.assertEqual(told[:3], [("workflows.deleteWorkflow", "refused", "anonymous"), ("workflows.deleteWorkflow", "failure", "administrator"),
                                    ("workflows.deleteWorkflow", "success", "administrator")])
        self.assertEqual(page["items"][0]["request_id"], "no-key")
        self.assertEqual(page["items"][0]["address"], "127.0.0.1")
        self.assertEqual(page["items"][1]["details"], {"status": 404})

    def test_fa_17_retention_has_a_policy_and_a_dry_run_over_http(self):
        policy, _ = self.call("GET", "/api/admin/data-retention/policy")
        rules = {item["type"]: item for item in policy["items"]}
        self.assertEqual(rules["runs"]["keep_hours"], 180 * 24)
        self.assertEqual(rules["audit_records"]["setting"], "AUDIT_RETENTION_DAYS")
        for dry_run in ("true", "false"):
            result, _ = self.call("POST", f"/api/admin/data-retention/cleanup?dry_run={dry_run}")
            self.assertEqual(result["dry_run"], dry_run == "true")
            self.assertEqual({item["type"] for item in result["items"]}, set(rules))

    def test_s4_d4_the_trail_survives_a_kill_and_shows_what_was_changed(self):
        folder = os.path.join(self.folder.name, "killed")
        server = Server(folder).start()
        workflow = server.create_workflow(HEADER % "kill" + "do:\n  - a: {call: noop, with: {n: 1}}\n  - b: {call: noop, with: {n: 2}}\n")
        for _ in range(20):
            server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30})
        server.kill()
        verify = [binary(), "audit", "verify", "--data-dir", folder]
        environment = {"PATH": os.environ["PATH"]}
        server.start()
        server.stop()
        done = subprocess.run([*verify, "--json"], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        report = json.loads(done.stdout)
        self.assertGreaterEqual(report["records"], 40)
        self.assertEqual(report["records"], report["file_lines"])
        expected = f"{report['last']}:{report['head']}"
        self.assertEqual(subprocess.run([*verify, "--expect", expected], env=environment, capture_output=True, check=False).returncode, 0)
        with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
            # Records that were written together share a row: one that stands alone.
            [(altered,)] = database.execute("select min(seq) from audit_records where seq >= 10 and body is null and outcome = 'success'")
            database.execute("update audit_records set outcome = 'failure' where seq = ?", (altered,))
        database.close()
        done = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(f"record {altered}:", done.stdout)
        with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
            database.execute("update audit_records set outcome = 'success' where seq = ?", (altered,))
            database.execute("delete from audit_records where seq > 30")
            database.execute("delete from audit_head")
        database.close()
        done = subprocess.run([*verify, "--json"], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done)

    def test_fa_17_retention_counts_before_it_removes(self):
        folder = os.path.join(self.folder.name, "old")
        server = Server(folder).start()
        workflow = server.create_workflow(HEADER % "old" + "do:\n  - a: {set: {n: 1}}\n")
        for _ in range(3):
            server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": 30})
        server.stop()
        day = 86_400_000
        with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
            database.execute(f"update runs set created_at = created_at - 200 * {day}, key = key - 200 * {day} * 4194304 "
                             "where key in (select key from runs limit 2)")  # the key begins with the time
        database.close()
        command = [binary(), "retention", "--data-dir", folder, "--json"]
        environment = {"PATH": os.environ["PATH"]}

        def counted(*extra):
            done = subprocess.run([*command, *extra], env=environment, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done)
            return {item["type"]: item["count"] for item in json.loads(done.stdout)["items"]}["runs"]
        self.assertEqual(counted("--dry-run"), 2)
        self.assertEqual(counted("--dry-run"), 2)
        self.assertEqual(counted(), 2)
        self.assertEqual(counted("--dry-run"), 0)
        with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
            self.assertEqual(database.execute("select count(*) from runs").fetchone()[0], 1)
            self.assertEqual(database.execute("select action, details from audit_records where action like 'retention%'").fetchall(),
                             [("retention.purged", '{"runs":2}')])
        database.close()
        done = subprocess.run([binary(), "audit", "verify", "--data-dir", folder], env=environment, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done)


if __name__ == "__main__":
    unittest.main()
