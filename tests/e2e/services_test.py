#!/usr/bin/env python3
"""proves: F2, F3

`send-email` and `s3` against real servers on loopback (npm `smtp-server` and `s3rver`, pinned in services/package-lock.json); and how calls share the
connections to a server, over TLS and where the server says more than it was asked for.
"""

import email
import email.policy
import hashlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from packages import install  # noqa: E402
from pawl_server import binary, free_port  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "services")


def make_certificate(key, certificate):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)


class Services(unittest.TestCase):
    """A folder and a way to call; holds no tests itself."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", cls.folder.name), "tests", "services")
        install(SOURCE, cls.packages, "s3rver")
        for script in ("smtp.js", "s3.js"):
            shutil.copy(os.path.join(SOURCE, script), cls.packages)

    @classmethod
    def service(cls, script, *arguments):
        port = free_port()
        process = subprocess.Popen(["node", script, str(port), *arguments], cwd=cls.packages, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end, process)
        while process.stdout.readline().strip() != "ready":
            if process.poll() is not None:
                raise RuntimeError(f"{script} does not start")
        return port

    @staticmethod
    def end(process):
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()

    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)

    def path(self, name):
        return os.path.join(self.work.name, name)

    def command(self, function, arguments):
        document = self.path("workflow.json")
        with open(document, "w", encoding="utf-8") as file:
            json.dump({"document": {"dsl": "1.0.3", "namespace": "test", "name": "call", "version": "1.0.0"},
                       "do": [{"it": {"call": function, "with": arguments}}]}, file)
        return [binary(), "run", document]

    def call(self, function, expect=0, environment=None, **arguments):
        done = subprocess.run(self.command(function, arguments), cwd=self.work.name, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False, env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode != 0, expect != 0, done.stderr + done.stdout)
        return json.loads(done.stdout) if expect == 0 else done.stderr


class Mail(Services):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        key, certificate, cls.mails = (os.path.join(cls.folder.name, name) for name in ("key.pem", "certificate.pem", "mails"))
        os.mkdir(cls.mails)
        make_certificate(key, certificate)
        cls.port = cls.service("smtp.js", key, certificate, cls.mails)
        cls.trusting = {"PAWL_CA_FILE": certificate}

    def setUp(self):
        super().setUp()
        for name in os.listdir(self.mails):
            os.remove(os.path.join(self.mails, name))

    def received(self):
        mails = []
        for name in sorted(os.listdir(self.mails)):
            with open(os.path.join(self.mails, name), encoding="utf-8") as file:
                mails.append(json.load(file))
        return mails

    def send(self, expect=0, trusting=True, **arguments):
        mail = {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_username": "robot", "smtp_password": "canary-password",
                "from_email": "robot@example.org", "to_email": "ada@example.org", "subject": "Report", "body": "It is done.\n", **arguments}
        mail = {name: value for name, value in mail.items() if value is not None}
        return self.call("send-email", expect, self.trusting if trusting else None, **mail)

    def test_a_mail_with_everything_arrives_over_tls(self):
        with open(self.path("Übersicht.csv"), "w", encoding="utf-8") as file:
            file.write("a,b\n1,2\n")
        result = self.send(to_email=["ada@example.org", "bob@example.org"], cc="cc@example.org", bcc="hidden@example.org, ada@example.org",
                           reply_to="desk@example.org", subject="Grüße & mehr", html="<p>It is <b>done</b>.</p>", body=".\nIt is done.\n",
                           attachments=[{"path": "Übersicht.csv"}, {"name": "b.bin", "content": "AAEC", "encoding": "base64"}])
        self.assertEqual((result["status"], result["recipients"]), ("sent", 4))
        [mail] = self.received()
        self.assertTrue(mail["secure"])
        self.assertEqual((mail["from"], mail["to"]), ("robot@example.org", ["ada@example.org", "bob@example.org", "cc@example.org", "hidden@example.org"]))
        self.assertNotIn("hidden@example.org", mail["raw"])
        message = email.message_from_string(mail["raw"], policy=email.policy.default)
        self.assertEqual(message["Subject"], "Grüße & mehr")
        self.assertEqual((message["Reply-To"], message["Message-ID"]), ("desk@example.org", result["message_id"]))
        self.assertEqual(message.get_body(("plain",)).get_content(), ".\nIt is done.\n")
        self.assertIn("<b>done</b>", message.get_body(("html",)).get_content())
        files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
        self.assertEqual(files, {"Übersicht.csv": "a,b\n1,2\n", "b.bin": b"\x00\x01\x02"})

    # proves: S4-O3
    def test_no_field_adds_a_header_or_a_recipient(self):
        for field in ("to_email", "cc", "bcc", "reply_to", "from_email", "subject"):
            for evil in ("x@example.org\r\nBcc: eve@example.org", "x@example.org\nBcc: eve@example.org", "x@example.org>\r\nRCPT TO:<eve@example.org"):
                self.assertIn("validation", self.send(1, **{field: evil}), field)
        self.assertIn("validation", self.send(1, attachments=[{"name": "a\r\nBcc: eve@example.org", "content": "x"}]))
        self.assertEqual(self.received(), [])

    def test_an_unknown_certificate_and_wrong_credentials_send_nothing(self):
        self.assertIn("TLS", self.send(1, trusting=False))
        error = self.send(1, smtp_password="wrong-canary")
        self.assertIn("does not take the credentials", error)
        self.assertNotIn("wrong-canary", error)
        self.assertEqual(self.received(), [])

    def test_encryption_is_required_unless_waived_and_credentials_need_it(self):
        plain = self.service("smtp.js", "-", "-", self.mails)
        self.assertIn("TLS", self.send(1, smtp_port=plain, smtp_username=None, smtp_password=None))
        self.assertIn("without encryption", self.send(1, smtp_port=plain, security="none"))
        self.assertEqual(self.received(), [])
        self.send(smtp_port=plain, security="none", smtp_username=None, smtp_password=None)
        self.assertFalse(self.received()[0]["secure"])

    def test_refused_recipients_are_errors_and_nobody_gets_the_mail(self):
        self.assertIn("550", self.send(1, to_email=["ada@example.org", "nobody@example.org"]))
        self.assertIn("communication", self.send(1, to_email="later@example.org"))
        self.assertIn("timeout", self.send(1, to_email="slow@example.org", timeout=0.5))
        self.assertEqual(self.received(), [])

    def test_files_come_from_below_the_roots_only(self):
        self.assertIn("authorization", self.send(1, attachments=[{"path": "/etc/passwd"}]))
        os.symlink("/etc/passwd", self.path("link"))
        self.send(1, attachments=[{"path": "link"}])
        self.assertEqual(self.received(), [])


class Storage(Services):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.store = os.path.join(cls.folder.name, "store")
        os.mkdir(cls.store)
        cls.port = cls.service("s3.js", cls.store)

    def s3(self, operation, expect=0, **arguments):
        return self.call("s3", expect, operation=operation, **{"bucket": "reports", "endpoint": f"http://127.0.0.1:{self.port}",
                                                               "access_key_id": "S3RVER", "secret_access_key": "S3RVER", **arguments})

    def test_objects_of_any_name_go_and_come_back(self):
        for key in ("plain.txt", "a b/ü=+&%?#*~'()!$,;:@.txt", "deep/er/name=x/y"):
            stored = self.s3("put", key=key, content={"n": 1}, content_type="application/json")
            self.assertEqual(stored["etag"], hashlib.md5(b'{"n":1}', usedforsecurity=False).hexdigest(), key)
            fetched = self.s3("get", key=key, encoding="json")
            self.assertEqual((fetched["content"], fetched["content_type"]), ({"n": 1}, "application/json"), key)
            listed = self.s3("list", prefix=key)
            self.assertEqual([entry["key"] for entry in listed["objects"]], [key])
            self.assertEqual(self.s3("head", key=key)["size"], 7)
            deleted = self.s3("delete", key=key, allow_destructive=True)
            self.assertTrue(deleted["deleted"])
            self.assertFalse(self.s3("head", key=key)["exists"])

    def test_large_files_travel_in_pieces(self):
        content = os.urandom(20 * 1024 * 1024 + 17)
        with open(self.path("large.bin"), "wb") as file:
            file.write(content)
        self.assertEqual(self.s3("upload", s3_key="large", local_path="large.bin")["size"], len(content))
        self.s3("download", s3_key="large", local_path="in/back.bin")
        with open(self.path("in/back.bin"), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(content).digest())
        self.assertIn("more than the limit", self.s3("get", 1, key="large", encoding="base64"))
        self.s3("put", key="empty", content="")
        self.s3("get", key="empty", local_path="empty")
        self.assertEqual(os.path.getsize(self.path("empty")), 0)

    # proves: S4-H3
    def test_nothing_is_replaced_or_deleted_without_leave(self):
        self.s3("put", key="precious", content="one")
        self.assertIn("exists already", self.s3("put", 1, key="precious", content="two"))
        for arguments in ({"operation": "put", "content": "two", "overwrite": True}, {"operation": "delete"}):
            planned = self.s3(key="precious", **arguments)
            self.assertTrue(planned["dry_run"] and planned["plan"][0]["destructive"], planned)
        self.assertEqual(self.s3("get", key="precious")["content"], "one")
        self.s3("put", key="precious", content="two", overwrite=True, allow_destructive=True)
        with open(self.path("local"), "w", encoding="utf-8") as file:
            file.write("mine")
        self.assertIn("exists already", self.s3("get", 1, key="precious", local_path="local"))
        self.s3("get", key="precious", local_path="local", overwrite=True, allow_destructive=True)
        with open(self.path("local"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "two")

    def test_listings_are_grouped(self):
        for number in range(5):
            self.s3("put", key=f"list/{number % 2}/{number}", content="x")
        listed = self.s3("list", prefix="list/")  # (s3rver answers 500 where a listing has a second page)
        self.assertEqual((listed["count"], listed["truncated"]), (5, False))
        grouped = self.s3("list", prefix="list/", delimiter="/")
        self.assertEqual((grouped["count"], grouped["prefixes"]), (0, ["list/0/", "list/1/"]))

    def test_a_signed_address_works_for_everybody(self):
        self.s3("put", key="shared file.txt", content="for all")
        signed = self.s3("presign", key="shared file.txt", expires=60)
        self.assertNotIn("S3RVER&", signed["url"].split("X-Amz-Signature")[1])
        with urllib.request.urlopen(signed["url"], timeout=10) as answer:
            self.assertEqual(answer.read(), b"for all")
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(signed["url"].replace("shared", "other"), timeout=10)

    def test_what_the_service_refuses_is_said_and_leaves_nothing(self):
        self.s3("put", key="kept", content="x")
        error = self.s3("get", 1, key="kept", access_key_id="NOBODY", secret_access_key="wrong-canary")
        self.assertIn("403", error)
        self.assertNotIn("wrong-canary", error)
        self.assertIn("there is no object missing", self.s3("get", 1, key="missing", local_path="made"))
        self.assertIn("NoSuchBucket", self.s3("put", 1, bucket="missing", key="x", content="x"))
        self.assertFalse(os.path.exists(self.path("made")))
        self.assertEqual([name for name in os.listdir(self.work.name) if name.startswith(".pawl")], [])
        self.assertIn("validation", self.s3("get", 1, key="a/../../other/b"))
        self.assertIn("authorization", self.s3("put", 1, key="x", local_path="/etc/passwd"))


class Counting(http.server.BaseHTTPRequestHandler):
    """Notes on which connection each request came. Says more answers after that to a HEAD, which nobody has asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.came.append((self.command, self.client_address[1]))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n"
        # Far more than a client reads at once, so that most of it lies there when the next request is about to go out.
        if self.path == "/apart":  # so that the client has read the head when the second record comes, whose rest stays in its TLS library
            self.wfile.write(answer)
            time.sleep(0.1)
            self.wfile.write(b"good" + answer + b"evil")
            return
        self.wfile.write(answer + ((answer + b"evil") * 2000 if self.command == "HEAD" else b"good"))

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class KeptConnections(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
        server.came = []
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_tasks(self, tasks, environment=None):
        document = os.path.join(self.folder, "workflow.json")
        with open(document, "w", encoding="utf-8") as file:
            json.dump({"document": {"dsl": "1.0.3", "namespace": "test", "name": "calls", "version": "1.0.0"}, "do": tasks}, file)
        done = subprocess.run([binary(), "run", document], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_calls_share_a_connection_over_every_version_of_tls(self):
        key, certificate = (os.path.join(self.folder, name) for name in ("key.pem", "certificate.pem"))
        make_certificate(key, certificate)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(certificate, key)
            server = self.serve(context)
            call = {"call": "http", "with": {"method": "get", "endpoint": f"https://localhost:{server.server_port}/"}}
            self.assertEqual(self.run_tasks([{f"call{i}": call} for i in range(5)], {"PAWL_CA_FILE": certificate}), "good")
            self.assertEqual(len(server.came), 5)
            self.assertEqual(len(set(server.came)), 1, f"{version}: {server.came}")

    def test_what_lies_in_a_tls_record_after_an_answer_is_no_answer_to_the_next_call(self):
        key, certificate = (os.path.join(self.folder, name) for name in ("key.pem", "certificate.pem"))
        make_certificate(key, certificate)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(certificate, key)
            server = self.serve(context)
            call = {"call": "http", "with": {"method": "get", "endpoint": f"https://localhost:{server.server_port}/"}}
            apart = {"call": "http", "with": {"method": "get", "endpoint": f"https://localhost:{server.server_port}/apart"}}
            self.assertEqual(self.run_tasks([{"apart": apart}, {"next": call}], {"PAWL_CA_FILE": certificate}), "good", version)
            self.assertEqual(len(set(server.came)), 2, f"{version}: {server.came}")

    def test_what_a_storage_says_after_its_answer_is_no_answer_to_the_next_call(self):
        server = self.serve()
        place = f"http://127.0.0.1:{server.server_port}"
        tasks = [{"head": {"call": "s3", "with": {"operation": "head", "bucket": "bucket", "key": "key", "endpoint": place, "access_key_id": "a",
                                                  "secret_access_key": "b"}}},
                 {"get": {"call": "http", "with": {"method": "get", "endpoint": place + "/"}}}]
        self.assertEqual(self.run_tasks(tasks), "good")
        self.assertEqual([command for command, _ in server.came], ["HEAD", "GET"])


if __name__ == "__main__":
    unittest.main()
