#!/usr/bin/env python3
"""proves: S0-3, S4-O9, FA-11, N-11, P11

Secrets of every kind are planted, used and misused; then everything that the program has said or written is searched for them: the log at its
most talkative, every answer, the links of mails, live events, exports, metrics, the audit trail with its file, and every file of the data folder.
security-checks.md 12, 18, 29, 31.
"""

import base64
import ctypes
import http.server
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import API_KEY, Server, poll  # noqa: E402
from people import Mailbox, totp  # noqa: E402
from websocket_client import WebSocket  # noqa: E402

ALLOWED_IN_MAILS = {"verification", "reset", "invitation"}


class Echo:
    """A service on loopback that answers with what it was sent, and faults where asked to."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = json.dumps({"path": self.path, "headers": dict(self.headers), "body": self.rfile.read(size).decode()}).encode()
                self.send_response(500 if "fault" in self.path else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def spellings(secret):
    """A secret as itself and as the encodings that would give it away just as well."""
    plain = secret.encode()
    once = base64.b64encode(plain)
    # Inside of a longer text base64 starts at any of three places; the outer characters of a piece depend on its neighbours.
    shifted = [base64.b64encode(b"x" * shift + plain)[4 * (shift > 0):-4] for shift in range(3)]
    return {plain, once, base64.urlsafe_b64encode(plain).rstrip(b"="), plain.hex().encode(), urllib.parse.quote(secret, safe="").encode(),
            json.dumps(secret)[1:-1].encode(), *(piece for piece in shifted if len(piece) >= 12)}


class Canaries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.data = os.path.join(cls.folder.name, "data")
        cls.echo = Echo()
        cls.addClassCleanup(cls.echo.close)
        cls.secrets = {}  # name -> text
        cls.said = []  # (where, bytes): answers, apart from the one that shows a secret for the first and only time
        environment = {"LOG_LEVEL": "debug", "PAWL_SECRET_SIGNING": cls.plant("signing"), "SECRET_KEY": cls.plant("secret_key", 24),
                       "ENCRYPTION_KEY": cls.plant("encryption_key", 24)}
        cls.secrets["installation_key"] = API_KEY
        cls.server = Server(cls.data, extra_environment=environment).start()
        cls.addClassCleanup(cls.server.stop)
        cls.mailbox = Mailbox(cls.data)
        cls.use_everything()
        cls.ask_everywhere()
        cls.server.stop()

    @classmethod
    def plant(cls, name, size=12):
        cls.secrets[name] = f"Kanari9-{os.urandom(size).hex()}"
        return cls.secrets[name]

    @classmethod
    def keep(cls, name, secret):
        cls.secrets[name] = secret
        return secret

    @classmethod
    def call(cls, method, path, body=None, token="", shows=(), fields=None, expect=None):
        """`shows` names the members of the answer that are secrets shown this once."""
        status, reply, headers = cls.server.request(method, path, body, {"Authorization": f"Bearer {token}" if token else "", **(fields or {})})
        if expect is not None and status != expect:
            raise RuntimeError(f"{method} {path}: {status} {reply}")
        told = {name: value for name, value in reply.items() if name not in shows} if isinstance(reply, dict) else reply
        cls.said.append((f"{method} {path} {status}", json.dumps([told, headers]).encode()))
        return reply

    @classmethod
    def signed_in(cls, name, reply):
        cls.keep(f"access_token of {name}", reply["access_token"])
        cls.keep(f"refresh_token of {name}", reply["refresh_token"])
        return reply["access_token"]

    # ---- planting -------------------------------------------------------------------------------------------------------------------

    @classmethod
    def use_everything(cls):
        tokens = ("access_token", "refresh_token")
        first, second, third, wrong = (cls.plant(f"password {name}") for name in ("first", "second", "third", "wrong"))
        address = "ada@example.org"
        ada = cls.signed_in("registration", cls.call("POST", "/api/auth/register", {"email": address, "password": first, "name": "Ada"}, shows=tokens,
                                                     expect=201))
        cls.call("POST", "/api/auth/verify-email", {"token": cls.keep("verification", cls.mailbox.token(address, "verify-email"))}, expect=200)
        cls.call("POST", "/api/auth/login", {"email": address, "password": wrong}, expect=401)
        cls.call("POST", "/api/auth/change-password", {"old_password": first, "new_password": second}, ada, shows=tokens, expect=200)
        session = cls.call("POST", "/api/auth/login", {"email": address, "password": second}, shows=tokens, expect=200)
        cls.signed_in("login", session)
        refreshed = cls.call("POST", "/api/auth/refresh", {"refresh_token": session["refresh_token"]}, shows=tokens, expect=200)
        cls.signed_in("refresh", refreshed)
        cls.call("POST", "/api/auth/refresh", {"refresh_token": "pawr_" + cls.plant("a refresh token that never was")}, expect=401)
        cls.call("POST", "/api/auth/forgot-password", {"email": address}, expect=200)
        reset = cls.keep("reset", cls.mailbox.token(address, "reset-password"))
        cls.call("POST", "/api/auth/reset-password", {"token": reset, "new_password": third}, expect=200)
        cls.call("POST", "/api/auth/reset-password", {"token": reset, "new_password": third}, expect=400)
        ada = cls.signed_in("last login", cls.call("POST", "/api/auth/login", {"email": address, "password": third}, shows=tokens, expect=200))
        setup = cls.call("POST", "/api/auth/totp/setup", {"password": third}, ada, shows=("secret", "uri"), expect=200)
        seed = cls.keep("second factor", setup["secret"])
        codes = cls.call("POST", "/api/auth/totp/enable", {"code": totp(seed)}, ada, shows=("backup_codes",), expect=200)["backup_codes"]
        for index, code in enumerate(codes):
            cls.keep(f"backup code {index}", code)
        cls.call("POST", "/api/auth/login", {"email": address, "password": third, "otp": codes[0]}, shows=tokens, expect=200)
        key = cls.call("POST", "/api/api-keys", {"name": "robot", "scopes": ["read", "write", "execute"]}, ada, shows=("key",), expect=201)["key"]
        cls.call("GET", "/api/workflows", token=cls.keep("API key", key), expect=200)
        cls.call("GET", "/api/workflows", token=cls.plant("a key that never was"), expect=401)
        organization = cls.call("POST", "/api/organizations", {"name": "Acme"}, ada, expect=201)["id"]
        cls.call("POST", f"/api/organizations/{organization}/invitations", {"email": "bob@example.org", "role": "member"}, ada, expect=201)
        invitation = cls.keep("invitation", cls.mailbox.token("bob@example.org", "invitation"))
        cls.call("POST", "/api/invitations/preview", {"token": invitation}, expect=200)
        cls.call("POST", "/api/invitations/accept", {"token": invitation}, ada)
        cls.use_integration(ada, organization)
        cls.use_webhook(ada, organization)
        cls.ada, cls.organization = ada, organization

    @classmethod
    def use_integration(cls, ada, organization):
        secret = cls.plant("integration")
        at = f"organization_id={organization}"
        made = cls.call("POST", f"/api/integrations?{at}", {"connector": "github", "name": "echo", "config": {
            "base_url": f"http://127.0.0.1:{cls.echo.port}", "access_token": secret}}, ada, expect=201)
        cls.call("POST", f"/api/integrations?{at}", {"connector": "github", "name": "bad", "config": {"access_token": 5, "surprise": secret}}, ada,
                 expect=422)
        cls.call("POST", f"/api/integrations/{made['id']}/test", {}, ada)
        cls.call("PUT", f"/api/integrations/{made['id']}", {"name": "echo"}, ada, expect=200)
        for name, path in (("reflects", "issues"), ("faults", "fault")):
            definition = (f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'}}\nuse: {{secrets: [echo]}}\ndo:\n"
                          "  - ask:\n      call: http\n      with:\n        method: post\n"
                          f"        endpoint: 'http://127.0.0.1:{cls.echo.port}/{path}'\n"
                          f"        headers: {{X-Token: '${{ $secrets.echo.access_token }}'}}\n"
                          f"        body: {{token: '${{ $secrets.echo.access_token }}', basic: '${{ $secrets.echo.access_token | @base64 }}'}}\n")
            made = cls.call("POST", "/api/workflows", {"definition": definition, "organization_id": organization}, ada, expect=201)
            run = cls.call("POST", f"/api/workflows/{made['id']}/execute", {"wait": True}, ada, expect=200)
            view = cls.call("GET", f"/api/runs/{run['id']}", None, ada, expect=200)
            if name == "reflects":
                assert view["status"] == "completed", view
            cls.call("GET", f"/api/workflows/{made['id']}/export", None, ada, expect=200)

    @classmethod
    def use_webhook(cls, ada, organization):
        definition = ("document: {dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0', metadata: {webhook: true}}\n"
                      "do:\n  - a: {set: {x: '${ error(\"no\") }'}}\n")
        made = cls.call("POST", "/api/workflows", {"definition": definition, "organization_id": organization}, ada, shows=("triggers",), expect=201)
        url = made["triggers"][0]["url"]
        cls.hook = cls.keep("webhook", url.rsplit("/", 1)[1])
        cls.server.request("POST", url, {}, {"Authorization": "Bearer " + cls.plant("a caller's token"), "Cookie": "session=" + cls.plant("a caller's cookie")})
        cls.server.request("POST", url + "x", {}, {"Authorization": ""})
        rotated = cls.call("POST", f"/api/workflows/{made['id']}/webhook/rotate", {}, ada, shows=("triggers",), expect=200)
        cls.keep("webhook after its rotation", re.search(r"/hooks/([\w-]+)", json.dumps(rotated))[1])

    # ---- asking -----------------------------------------------------------------------------------------------------------------------

    @classmethod
    def ask_everywhere(cls):
        """Everything that can be read, by everybody who may."""
        socket = WebSocket(cls.server.port, f"/ws?organization_id={cls.organization}", protocols=["pawl.v1", "pawl.bearer." + cls.ada])
        socket.send({"type": "subscribe", "topics": ["runs"]})
        cls.said.append(("the live events", json.dumps(socket.receive()).encode()))
        listed = cls.call("GET", f"/api/workflows?organization_id={cls.organization}", None, cls.ada, shows=("items",), expect=200)["items"]
        faulting = next(each for each in listed if each["name"] == "faults")
        cls.call("POST", f"/api/workflows/{faulting['id']}/execute", {"wait": True}, cls.ada, expect=200)
        while True:
            event = socket.receive()
            cls.said.append(("the live events", json.dumps(event).encode()))
            if '"faulted"' in json.dumps(event):
                break
        socket.close()
        for path, methods in cls.server.document.document["paths"].items():
            if "get" not in methods or "{" in path or path in ("/ws", "/api/events/stream"):
                continue
            for token in (cls.ada, API_KEY):
                url = f"{path}?organization_id={cls.organization}" if token == cls.ada else path
                shows = ("items",) if path == "/api/workflows" else ("csrf_token", "token") if path == "/api/auth/csrf" else ()
                cls.call("GET", url if methods["get"]["x-pawl-permission"] not in ("open", "account", "administer") else path, None, token, shows=shows)
        for query in ("format=json", "format=csv"):
            cls.call("GET", f"/api/audit/export?all=true&{query}", None, API_KEY, expect=200)
        poll(lambda: not cls.waiting(), 20, "the trail's file to follow")

    @classmethod
    def waiting(cls):
        """Records that are not in the file yet."""
        total = cls.server.request("GET", "/api/audit?all=true&limit=1")[1]["items"][0]["sequence"]
        path = os.path.join(cls.data, "audit")
        lines = 0
        for folder, _, names in os.walk(path if os.path.isdir(path) else cls.data):
            for name in names:
                if name.endswith(".jsonl"):
                    with open(os.path.join(folder, name), "rb") as file:
                        lines += file.read().count(b"\n")
        return total - lines > 2  # asking is recorded as well

    # ---- searching --------------------------------------------------------------------------------------------------------------------

    def search(self, where, content, allowed=lambda name: False):
        found = [f"{name} in {where}" for name, secret in self.secrets.items() if not allowed(name)
                 for spelling in spellings(secret) if spelling in content]
        self.assertEqual([], sorted(set(found)))

    def test_what_was_planted_was_used(self):
        self.assertGreaterEqual(len(self.secrets), 30)
        self.assertTrue(all(len(secret) >= 8 for secret in self.secrets.values()), self.secrets)
        self.assertGreaterEqual(len(self.said), 80)

    def test_no_answer_repeats_a_secret(self):
        for where, content in self.said:
            self.search(where, content)

    def test_the_log_has_none(self):
        with open(self.server.log.name, "rb") as log:
            content = log.read()
        self.assertGreater(len(content), 5000, "the log is silent")
        self.search("the log", content)

    def test_no_address_of_a_mail_carries_one_to_a_server(self):
        links = re.findall(r"https?://\S+", " ".join(mail.get_body(("plain",)).get_content() for mail in self.mailbox.mails()))
        self.assertGreaterEqual(len(links), 3)
        for link in links:
            # What follows `#` stays in the browser.
            self.search(f"the link {link}", link.split("#")[0].encode())

    def test_no_file_of_the_data_folder_has_one_in_clear(self):
        seen = 0
        for folder, _, names in os.walk(self.data):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    content = file.read()
                seen += len(content)
                mail = name.endswith(".eml")
                self.search(os.path.relpath(path, self.data), content, lambda secret, mail=mail: mail and secret in ALLOWED_IN_MAILS)
        self.assertGreater(seen, 20_000)

    def test_no_value_of_the_database_has_one(self):
        """Value by value, unpacked: what is compressed in the file is searched as well."""
        if os.environ.get("PAWL_TEST_BACKEND") == "postgresql":
            url = self.server.environment["DATABASE_URL"]
            base, schema = url.split("?options=-csearch_path%3D")
            dump = subprocess.run(["pg_dump", "--data-only", f"--schema={schema}", base], check=True, capture_output=True).stdout
            self.assertGreater(len(dump), 10_000)
            return self.search("the database", dump)
        path = next(os.path.join(self.data, name) for name in os.listdir(self.data) if name.endswith(".db"))
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.addCleanup(database.close)
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]
        values = packed = 0
        for table in tables:
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, (str, bytes)):
                        raw = value.encode() if isinstance(value, str) else value
                        content = unpacked(raw)
                        values, packed = values + 1, packed + (content is not raw)
                        self.search(f"table {table}", content)
        self.assertGreater(values, 500)
        self.assertGreater(packed, 0, "nothing was unpacked")
        return None


def unpacked(value):
    """The content of a record's zstd frame, which two bytes of its own precede; anything else as it is."""
    if value[2:6] != b"\x28\xb5\x2f\xfd":
        return value
    value = value[2:]
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_getFrameContentSize.restype = zstd.ZSTD_decompress.restype = ctypes.c_ulonglong
    zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    size = zstd.ZSTD_getFrameContentSize(ctypes.c_char_p(value), ctypes.c_size_t(len(value)))
    content = ctypes.create_string_buffer(size)
    if zstd.ZSTD_decompress(content, size, value, len(value)) != size:
        raise RuntimeError("a frame that cannot be unpacked")
    return content.raw


if __name__ == "__main__":
    unittest.main()
