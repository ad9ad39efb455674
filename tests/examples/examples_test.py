#!/usr/bin/env python3
"""proves: W1, F2, F3, A2, S4-H3, S4-A-P1, S4-R1

Every document in examples/ is run for real by the binary: on real files, processes and HTTP services. A new example without a test here
fails.
"""

import csv
import email
import email.policy
import http.server
import io
import json
import os
import socketserver
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from media import pdf, png  # noqa: E402
from pawl_server import Server, binary, poll  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402

EXAMPLES = os.path.join(HERE, "..", "..", "examples")

PAGES = {
    "/": '<ul><li><a class="product" href="/p/1">One</a><li><a class="product" href="/p/2">Two</a><li><a href="/about">About</a></ul>',
    "/p/1": '<html><body><h1>Blue &amp; white mug</h1><p class="price">$7.50</p><p class="stock">12 left</p></body></html>',
    "/p/2": '<html><body><h1>Tea, green</h1><span class="price">$3</span><div><b class="stock">sold out</b></div></body></html>',
}


class Site(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Pages, two services (one flaky) and a shop that remembers what it was asked."""

    daemon_threads = True

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []
        self.flaky_left = 2
        self.failing = set()
        self.price = 9
        self.messages = []
        self.objects = {}
        super().__init__(("127.0.0.1", 0), SiteHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class SiteHandler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, body, kind="application/json"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        with self.server.lock:
            self.server.calls.append(self.path)
            flaky = self.path == "/traffic" and self.server.flaky_left > 0
            if flaky:
                self.server.flaky_left -= 1
        if self.path in PAGES:
            return self.reply(200, PAGES[self.path], "text/html; charset=utf-8")
        if self.path == "/weather":
            return self.reply(200, '{"sky": "clear"}')
        if self.path == "/stock":
            return self.reply(200, '{"mugs": 3}')
        if self.path == "/price":
            return self.reply(200, json.dumps({"item": "tea", "price": self.server.price}))
        if self.path == "/traffic":
            return self.reply(503, '{"error": "busy"}') if flaky else self.reply(200, '{"jam": "light"}')
        return self.reply(404, "{}")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        with self.server.lock:
            if self.path == "/hook":
                self.server.messages.append(body["text"])
                return self.reply(200, "ok", "text/plain")
            self.server.calls.append((self.path, body.get("order"), bool(self.headers.get("Idempotency-Key"))))
        if self.path in self.server.failing:
            return self.reply(409, '{"error": "no truck"}')
        return self.reply(200, '{"ok": true}')

    def do_HEAD(self):
        self.reply(200 if self.path in self.server.objects else 404, "")

    def do_PUT(self):
        """As S3 does: the object is there, its digest is the answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=key/"):
            return self.reply(403, "")
        self.server.objects[self.path] = body
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def snapshot(folder):
    found = {}
    for root, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(root, name)
            with open(path, "rb") as content:
                found[os.path.relpath(path, folder)] = content.read()
    return found


class Examples(unittest.TestCase):
    covered = set()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.site = Site()
        self.addCleanup(self.site.server_close)
        self.addCleanup(self.site.shutdown)

    def run_example(self, name, value, expect=0, more=()):
        Examples.covered.add(name)
        scripts = {"LLM_SCRIPTS": os.path.join(EXAMPLES, "scripts")}
        done = subprocess.run([binary(), "run", os.path.join(EXAMPLES, name), "--input", json.dumps(value), *more], cwd=self.folder.name,
                              env={**os.environ, **scripts}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_organises_a_folder_shows_first_moves_and_undoes(self):
        inbox = os.path.join(self.folder.name, "inbox")
        os.mkdir(inbox)
        for name, content in {"photo.PNG": b"\x89PNG...", "notes.txt": b"notes", "table.csv": b"a,b\n", "old.zip": b"PK", "what": b"?",
                              "copy of notes.txt": b"notes"}.items():
            with open(os.path.join(inbox, name), "wb") as file:
                file.write(content)
        before = snapshot(inbox)
        plan = self.run_example("organize-folder.yaml", {"folder": "inbox"})
        self.assertEqual(snapshot(inbox), before, "a plan must not move anything")
        self.assertGreaterEqual(len(plan["plan"]), 5)
        moved = self.run_example("organize-folder.yaml", {"folder": "inbox", "apply": True})
        after = snapshot(inbox)
        self.assertIn(os.path.join("images", "photo.png"), {path.lower() for path in after})
        self.assertTrue(any(path.startswith("archives") for path in after), after.keys())
        self.assertTrue(any(path.startswith("duplicates") for path in after), after.keys())
        self.assertEqual(sorted(before.values()), sorted(content for path, content in after.items() if not path.startswith(".")))
        self.run_example("organize-folder.yaml", {"undo": moved["undo"]})
        restored = {path: content for path, content in snapshot(inbox).items() if not path.startswith(".")}
        self.assertEqual(restored, before)

    def test_scrapes_pages_into_a_csv(self):
        result = self.run_example("scrape-to-csv.yaml", {"site": self.site.address, "output": "products.csv"})
        self.assertEqual(result["rows"], 2)
        with open(os.path.join(self.folder.name, "products.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows, [["name", "price", "stock"], ["Blue & white mug", "7.5", "12 left"], ["Tea, green", "3", "sold out"]])

    def test_asks_two_services_and_tries_the_flaky_one_again(self):
        result = self.run_example("two-services.yaml",
                                  {"weather": self.site.address + "/weather", "traffic": self.site.address + "/traffic"})
        self.assertEqual(result["summary"], "It is clear and traffic is light.")
        self.assertEqual(self.site.calls.count("/traffic"), 3)

    def test_packs_a_backup_that_can_be_unpacked(self):
        data = os.path.join(self.folder.name, "data")
        os.makedirs(os.path.join(data, "sub"))
        for name in ("one.txt", os.path.join("sub", "two.bin")):
            with open(os.path.join(data, name), "wb") as file:
                file.write(name.encode() * 100)
        os.mkdir(os.path.join(self.folder.name, "backups"))
        result = self.run_example("nightly-backup.yaml", {"folder": "data", "to": "backups"})
        with open(os.path.join(self.folder.name, result["file"]), "rb") as archive:
            names = tarfile.open(fileobj=io.BytesIO(archive.read()), mode="r:gz").getnames()
        self.assertIn("./sub/two.bin", names)

    def test_runs_a_pipeline_of_scripts(self):
        result = self.run_example("script-pipeline.yaml", {"count": 10})
        self.assertEqual(result, {"text": "10 squares, sum 385, mean 38.5", "sum": 385})

    def test_takes_an_order_and_compensates_when_it_fails(self):
        self.assertEqual(self.run_example("order-saga.yaml", {"shop": self.site.address, "order": "A-1"}),
                         {"order": "A-1", "status": "accepted"})
        self.assertEqual([call[0] for call in self.site.calls], ["/stock/reserve", "/payment/charge", "/shipping/book"])
        self.assertTrue(all(call[2] for call in self.site.calls), "every writing call carries an idempotency key")
        self.site.calls.clear()
        self.site.failing.add("/shipping/book")
        refused = self.run_example("order-saga.yaml", {"shop": self.site.address, "order": "A-2"})
        self.assertEqual(refused["status"], "refused")
        self.assertEqual([call[0] for call in self.site.calls],
                         ["/stock/reserve", "/payment/charge", "/shipping/book", "/payment/undo", "/stock/undo"])

    def test_waits_for_an_approval_across_a_crash(self):
        self.assertEqual(self.run_example("approval.yaml", {"amount": 5}), {"approved": True, "decision": "rule"})
        server = Server(os.path.join(self.folder.name, "data"))
        self.addCleanup(server.stop)
        server.start()
        with open(os.path.join(EXAMPLES, "approval.yaml"), encoding="utf-8") as document:
            workflow = server.create_workflow(document.read())
        _, started, _ = server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"amount": 900}})
        run = f"/api/runs/{started['id']}"
        poll(lambda: server.request("GET", run)[1]["status"] == "waiting", 10, "the run waits")
        self.assertIn('approval of "Pay 900 EUR?" by admin', server.request("GET", run)[1]["waiting_reason"])
        server.kill()
        server.start()
        asked = server.request("GET", "/api/approvals")[1]["items"]
        self.assertEqual([each["run_id"] for each in asked], [started["id"]])
        status, reply, _ = server.request("POST", f"/api/approvals/{asked[0]['id']}/approve",
                                          {"digest": asked[0]["digest"], "data": {"account": "4711"}})
        self.assertEqual(status, 200, reply)
        ended = poll(lambda: (lambda view: view if view["status"] == "completed" else None)(server.request("GET", run)[1]),
                     10, "the run ends")
        self.assertEqual(ended["output"], {"approved": True, "decision": "approved", "account": "4711", "amount": 900})

    def write(self, name, content):
        with open(os.path.join(self.folder.name, name), "wb") as file:
            file.write(content)

    def test_mails_a_digest_of_a_mailbox(self):
        self.write("inbox.mbox", (
            "From ada@example.org Tue Nov 25 22:01:00 2025\nFrom: =?utf-8?q?Ada_L=C3=B6wen?= <ada@example.org>\nSubject: Release plan\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            "The release moves to Friday. Bob is on holiday. The release needs a new plan for the=\n database. See you.\n> old text\n\n"
            "From bob@example.org Tue Nov 25 22:02:00 2025\nFrom: bob@example.org\nSubject: Lunch\n\nLet us meet at noon.\n").encode())
        smtp = SmtpServer()
        self.addCleanup(smtp.server_close)
        self.addCleanup(smtp.shutdown)
        result = self.run_example("mail-digest.yaml", {"mailbox": "inbox.mbox", "to": "boss@example.org", "host": "127.0.0.1",
                                                       "port": smtp.server_address[1]})
        self.assertEqual(result, {"mails": 2, "sent": True})
        [text] = smtp.to("boss@example.org")
        message = email.message_from_string(text, policy=email.policy.default)
        self.assertEqual(message["Subject"], "Digest of 2 mails")
        body = message.get_body(("plain",)).get_content()
        self.assertIn("* Release plan (Ada Löwen <ada@example.org>)\n  The release moves to Friday. "
                      "The release needs a new plan for the database.", body)
        self.assertIn("* Lunch (bob@example.org)\n  Let us meet at noon.", body)
        self.assertNotIn("old text", body)

    def test_looks_into_pdfs(self):
        self.write("a.pdf", pdf("Contract", ["The period of notice", "Nothing here", "notice again"]))
        self.write("b.pdf", b"not a PDF")
        result = self.run_example("pdf-index.yaml", {"files": ["a.pdf", "b.pdf"], "word": "notice", "table": "index.csv"})
        self.assertEqual(result["rows"], 2)
        with open(os.path.join(self.folder.name, "index.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[1:], [["a.pdf", "Contract", "3", "8", "1 3"], ["b.pdf", "unreadable", "0", "0", ""]])

    def test_makes_a_gallery(self):
        self.write("cat & dog.png", png(320, 200))
        self.write("small.png", png(40, 30))
        result = self.run_example("gallery.yaml", {"pictures": ["cat & dog.png", "small.png"], "folder": "gallery"})
        self.assertEqual(result["pictures"], 2)
        made = snapshot(os.path.join(self.folder.name, "gallery"))
        self.assertEqual(sorted(made), ["index.html", "thumbnail-0.webp", "thumbnail-1.webp"])
        self.assertEqual(made["thumbnail-0.webp"][8:12], b"WEBP")
        self.assertIn(b"cat &amp; dog.png, 320 x 200", made["index.html"])

    def test_researches_with_two_agents_side_by_side(self):
        self.site.flaky_left = 0
        result = self.run_example("research-agent.yaml", {"site": self.site.address, "model": "scripted"})
        self.assertTrue(result["answer"].startswith("Take the bicycle."), result)
        self.assertIn("jam", result["answer"])
        self.assertEqual((result["turns"], result["tool_calls"], result["read"]), (2, 2, ["researcher"]))
        self.assertEqual(sorted(self.site.calls), ["/traffic", "/weather"])

    def test_reviews_a_change_with_a_linter_over_mcp(self):
        def git(*words):
            subprocess.run(["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *words], cwd=self.folder.name, check=True, capture_output=True)

        path = os.path.join(self.folder.name, "app.py")
        git("init", "--quiet", "--initial-branch=main")
        for text in ("total = 1\n", "try:\n    total = int(input())\nexcept:\n    print(1)\n"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            git("add", "app.py")
            git("commit", "--quiet", "-m", "Change the total")
        data = os.path.join(self.folder.name, "state")
        os.mkdir(data)
        with open(os.path.join(EXAMPLES, "mcp", "mcp-servers.yaml"), encoding="utf-8") as example:
            catalogue = example.read().replace("/opt/pawl/examples/mcp", os.path.abspath(os.path.join(EXAMPLES, "mcp")))
        with open(os.path.join(data, "mcp-servers.yaml"), "w", encoding="utf-8") as file:
            file.write(catalogue)
        review = self.run_example("review-over-mcp.yaml", {"repository": ".", "model": "scripted/mcp-reviewer"}, more=("--data-dir", data))
        self.assertIs(review["merge"], False)
        self.assertIn("app.py: a bare `except` hides every mistake", review["reasons"])
        self.assertIn("app.py: a print that was left over", review["reasons"])

    def test_triages_a_request_and_pays_back_what_a_person_approved(self):
        Examples.covered.add("support-triage.yaml")
        server = Server(os.path.join(self.folder.name, "data"), extra_environment={"LLM_SCRIPTS": os.path.join(EXAMPLES, "scripts")})
        self.addCleanup(server.stop)
        server.start()
        with open(os.path.join(EXAMPLES, "support-triage.yaml"), encoding="utf-8") as document:
            workflow = server.create_workflow(document.read())
        _, started, _ = server.request("POST", f"/api/workflows/{workflow}/execute", {
            "input": {"shop": self.site.address, "request": "My mug A-1 came broken", "model": "scripted/triage"}})
        run = f"/api/runs/{started['id']}"
        poll(lambda: server.request("GET", run)[1]["status"] == "waiting", 10, "the run waits")
        server.kill()
        server.start()
        asked = server.request("GET", "/api/approvals")[1]["items"]
        self.assertEqual(asked[0]["title"], "Call of refund")
        self.assertEqual(self.site.calls, ["/stock"], "nothing is paid before somebody has looked at it")
        status, reply, _ = server.request("POST", f"/api/approvals/{asked[0]['id']}/approve", {"digest": asked[0]["digest"]})
        self.assertEqual(status, 200, reply)
        ended = poll(lambda: (lambda view: view if view["status"] == "completed" else None)(server.request("GET", run)[1]),
                     10, "the run ends")
        self.assertEqual(ended["output"]["priority"], "high")
        self.assertEqual(self.site.calls, ["/stock", ("/payment/undo", "A-1", True)])
        self.assertIn("/do/0/triage/agent/turn/1/approval/0", [task["reference"] for task in ended["tasks"]])

    def test_reports_the_sales_of_a_month(self):
        with sqlite3.connect(os.path.join(self.folder.name, "shop.db")) as shop:
            shop.execute("create table sales (day text, product text, quantity integer, price real)")
            shop.executemany("insert into sales values (?, ?, ?, ?)", [
                ("2026-10-01", "mug", 2, 7.5), ("2026-10-31", "tea, green", 10, 3), ("2026-10-02", "mug", 1, 7.5), ("2026-11-01", "mug", 9, 7.5)])
        shop.close()
        result = self.run_example("sales-report.yaml", {"database": "shop.db", "month": "2026-10", "report": "sales.csv"})
        self.assertEqual(result, {"products": 2, "revenue": 52.5, "best": "tea, green"})
        with open(os.path.join(self.folder.name, "sales.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["product", "pieces", "revenue"])
        self.assertEqual([(name, int(pieces), float(revenue)) for name, pieces, revenue in rows[1:]],
                         [("tea, green", 10, 30.0), ("mug", 3, 22.5)])
        self.assertEqual(self.run_example("sales-report.yaml", {"database": "shop.db", "month": "2025-01", "report": "none.csv"})["products"], 0)

    def test_remembers_prices_and_notices_a_lower_one(self):
        with sqlite3.connect(os.path.join(self.folder.name, "prices.db")) as prices:
            prices.execute("create table prices (item text primary key, price real)")
        prices.close()
        value = {"url": self.site.address + "/price", "database": "prices.db"}
        found = []
        for price in (9, 7, 8):
            self.site.price = price
            found.append(self.run_example("price-watch.yaml", value)["cheaper_by"])
        self.assertEqual(found, [0, 2, 0])

    def test_writes_a_changelog(self):
        repository = os.path.join(self.folder.name, "work")
        git = ["git", "-C", repository, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "init", "-q", repository], check=True)
        for subject in ("Begin", "Add tea", "Fix the mug", "Add milk"):
            subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", subject], check=True)
            if subject == "Begin":
                subprocess.run([*git, "tag", "v1"], check=True)
        result = self.run_example("changelog.yaml", {"repository": "work", "since": "v1", "file": "CHANGES.md"})
        self.assertEqual((result["sections"], result["commits"]), (["Added", "Fixed"], 3))
        with open(os.path.join(self.folder.name, "CHANGES.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "## Added\n\n- Add milk\n- Add tea\n\n## Fixed\n\n- Fix the mug\n")

    def test_finds_duplicates_and_leaves_them(self):
        photos = os.path.join(self.folder.name, "photos")
        os.makedirs(os.path.join(photos, "old"))
        for name, content in {"a.png": b"x" * 100, "old/b.png": b"x" * 100, "c.png": b"y" * 100, "empty": b"", "old/empty": b""}.items():
            self.write(os.path.join("photos", name), content)
        os.symlink("a.png", os.path.join(photos, "link.png"))
        before = snapshot(photos)
        result = self.run_example("duplicate-finder.yaml", {"folder": "photos"})
        self.assertEqual(result, {"groups": [{"bytes": 100, "files": ["photos/a.png", "photos/old/b.png"]}], "wasted": 100})
        self.assertEqual(snapshot(photos), before)

    def test_rotates_archives(self):
        for folder in ("logs", "old"):
            os.mkdir(os.path.join(self.folder.name, folder))
        self.write("logs/today.log", b"all is well\n")
        for day in ("2026-11-22", "2026-11-24", "2026-11-25"):
            self.write(f"old/{day}.tar.gz", b"")
        self.write("old/notes.txt", b"stays")
        result = self.run_example("archive-rotation.yaml", {"folder": "logs", "archives": "old", "day": "2026-11-26", "keep": 2})
        self.assertEqual(result["removed"], ["2026-11-24.tar.gz", "2026-11-22.tar.gz"])
        self.assertEqual(sorted(os.listdir(os.path.join(self.folder.name, "old"))), ["2026-11-25.tar.gz", "2026-11-26.tar.gz", "notes.txt"])
        with tarfile.open(os.path.join(self.folder.name, "old", "2026-11-26.tar.gz")) as archive:
            self.assertEqual(archive.extractfile("logs/today.log").read(), b"all is well\n")

    def test_stores_a_backup_in_s3_and_shares_it(self):
        os.mkdir(os.path.join(self.folder.name, "data"))
        self.write("data/one.txt", b"one")
        result = self.run_example("s3-backup.yaml", {"folder": "data", "bucket": "backups", "endpoint": self.site.address,
                                                     "access_key_id": "key", "secret_access_key": "CANARY-s3-secret"})
        [(path, body)] = self.site.objects.items()
        self.assertEqual(path, "/backups/" + result["key"])
        self.assertEqual(zipfile.ZipFile(io.BytesIO(body)).read("data/one.txt"), b"one")
        self.assertTrue(result["url"].startswith(self.site.address + path + "?X-Amz-"), result["url"])
        self.assertNotIn("CANARY", json.dumps(result))

    def test_tells_slack_about_services_that_are_not_well(self):
        well, ill = self.site.address + "/weather", self.site.address + "/nowhere"
        value = {"services": [well, ill], "slack": self.site.address + "/hook"}
        result = self.run_example("health-alert.yaml", value)
        self.assertEqual((result["asked"], [one["service"] for one in result["ill"]]), (2, [ill]))
        [message] = self.site.messages
        self.assertIn("1 of 2 services are not well", message)
        self.assertIn(f"{ill}: ", message)
        self.assertIn("404", message)
        self.run_example("health-alert.yaml", {**value, "services": [well]})
        self.assertEqual(len(self.site.messages), 1, "nobody is told that all are well")

    @classmethod
    def tearDownClass(cls):
        missing = {name for name in os.listdir(EXAMPLES) if name.endswith(".yaml")} - cls.covered
        assert not missing, f"examples without a test: {sorted(missing)}"


if __name__ == "__main__":
    unittest.main()
