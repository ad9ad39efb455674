#!/usr/bin/env python3
"""proves: S4-O9, FA-11, P6, AI-H5

What happens to accounts, API keys and organizations is in the audit trail: in the chain, in the file, and in the organization that it belongs to.
"""

import base64
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server, binary, poll  # noqa: E402
from people import PASSWORD, Mailbox, Person  # noqa: E402

OTHER = "staple of another kind"


def totp(secret, step=0):
    seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(seed, struct.pack(">Q", int(time.time() // 30) + step), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7FFFFFFF) % 1000000)


class TrailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        cls.server = Server(cls.data).start()
        cls.mailbox = Mailbox(cls.data)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=None, token=None):
        headers = {} if token is None else {"Authorization": f"Bearer {token}" if token else ""}
        status, reply, _ = self.server.request(method, path, body, headers)
        self.assertTrue(status == expect if expect else 200 <= status < 300, f"{method} {path}: {status} {reply}")
        return reply

    def login(self, email, password=PASSWORD, expect=None, **more):
        return self.call("POST", "/api/auth/login", {"email": email, "password": password, **more}, expect, token="")

    def records(self, **filters):
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return self.call("GET", f"/api/audit?all=true&limit=200&{query}")["items"]

    def own(self, person, **filters):
        """What the person sees of the own personal organization."""
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        return self.call("GET", f"/api/audit?limit=200&{query}", token=person.access_token)["items"]

    def assert_told(self, action, outcome, actor, resource, organization, reason=None):
        """The newest record of the action, by the API and in the file."""
        found = self.records(action=action)
        self.assertTrue(found, f"no record of {action}")
        record = found[0]
        self.assertEqual((record["outcome"], record["actor"], record["resource_id"]), (outcome, actor, resource), record)
        self.assertEqual(record["organization_id"], organization, record)
        if reason is not None:
            self.assertEqual(record["details"].get("reason"), reason, record)

        def line():
            with open(os.path.join(self.data, "audit.jsonl"), encoding="utf-8") as file:
                return [entry for entry in map(json.loads, file) if entry["sequence"] == record["sequence"]]
        self.assertEqual(poll(line, 10, "the record in the file")[0]["id"], record["id"])
        return record

    def personal(self, person):
        return self.call("GET", "/api/auth/me", token=person.access_token)["organization_id"]

    def test_s4_o9_every_event_of_an_account_is_recorded_in_the_chain_and_the_file(self):
        address = "ada@example.org"
        ada = Person(self.server, address)
        home = self.personal(ada)
        state = {}

        def verify():
            token = self.mailbox.token(address, "verify-email")
            self.call("POST", "/api/auth/verify-email", {"token": token}, token="")

        def refresh():
            first = self.login(address)
            self.call("POST", "/api/auth/refresh", {"refresh_token": first["refresh_token"]}, token="")
            second = self.login(address)
            token = second["refresh_token"]
            for _ in range(2):  # two generations on, the first token is stolen goods
                token = self.call("POST", "/api/auth/refresh", {"refresh_token": token}, token="")["refresh_token"]
            self.call("POST", "/api/auth/refresh", {"refresh_token": second["refresh_token"]}, 401, token="")

        def logout():
            self.call("POST", "/api/auth/logout", {}, token=self.login(address)["access_token"])

        def revoke_one():
            other = self.login(address)["access_token"]
            current = [item["id"] for item in self.call("GET", "/api/auth/sessions", token=other)["items"] if item["current"]]
            self.call("DELETE", f"/api/auth/sessions/{current[0]}", token=ada.access_token)

        def change_password():
            self.call("POST", "/api/auth/change-password", {"old_password": PASSWORD, "new_password": OTHER}, token=ada.access_token)
            self.call("POST", "/api/auth/change-password", {"old_password": OTHER, "new_password": PASSWORD}, token=ada.access_token)

        def forgot():
            self.call("POST", "/api/auth/forgot-password", {"email": address}, token="")
            state["reset"] = self.mailbox.token(address, "reset-password")

        def reset():
            self.call("POST", "/api/auth/reset-password", {"token": state["reset"], "new_password": PASSWORD}, token="")
            ada.access_token = self.login(address)["access_token"]

        def prepare_totp():
            state["seed"] = self.call("POST", "/api/auth/totp/setup", {"password": PASSWORD}, token=ada.access_token)["secret"]

        def enable_totp():
            state["codes"] = self.call("POST", "/api/auth/totp/enable", {"code": totp(state["seed"])}, token=ada.access_token)["backup_codes"]

        def disable_totp():
            self.call("POST", "/api/auth/totp/disable", {"password": PASSWORD, "code": state["codes"][0]}, token=ada.access_token)

        def create_key():
            state["key"] = self.call("POST", "/api/api-keys", {"name": "k", "scopes": ["read"]}, token=ada.access_token)["id"]

        user = ada.id
        table = [
            # what is done, action, outcome, actor, resource, reason
            (lambda: None, "account.registered", "success", "user", user, None),
            (verify, "account.email_verified", "success", "user", user, None),
            (lambda: self.login(address), "account.login", "success", "user", user, None),
            (lambda: self.login(address, OTHER, 401), "account.login", "failure", "anonymous", user, "wrong password"),
            (refresh, "account.token_reused", "failure", "anonymous", user, "the session was revoked"),
            (logout, "account.logout", "success", "user", user, None),
            (revoke_one, "account.session_revoked", "success", "user", user, None),
            (lambda: self.call("DELETE", "/api/auth/sessions", token=ada.access_token), "account.sessions_revoked", "success", "user",
             user, None),
            (lambda: self.call("POST", "/api/auth/change-password", {"old_password": OTHER, "new_password": OTHER + "!"}, 401,
                               token=ada.access_token), "account.password_changed", "failure", "anonymous", user, "wrong password"),
            (change_password, "account.password_changed", "success", "user", user, None),
            (forgot, "account.reset_requested", "success", "anonymous", user, None),
            (reset, "account.password_reset", "success", "user", user, None),
            (prepare_totp, "account.totp_prepared", "success", "user", user, None),
            (enable_totp, "account.totp_enabled", "success", "user", user, None),
            (lambda: self.login(address, PASSWORD, 401, otp="000000"), "account.login", "failure", "anonymous", user, "wrong code"),
            (disable_totp, "account.totp_disabled", "success", "user", user, None),
            (create_key, "api_key.created", "success", "user", None, None),
            (lambda: self.call("DELETE", f"/api/api-keys/{state['key']}", token=ada.access_token), "api_key.revoked", "success",
             "user", None, None),
        ]
        for act, action, outcome, actor, resource, reason in table:
            with self.subTest(action=action, outcome=outcome):
                act()
                self.assert_told(action, outcome, actor, resource or state["key"], home, reason)
        seen = {item["action"] for item in self.own(ada)}
        self.assertLessEqual({row[1] for row in table}, seen, "people see what happened to their own account")
        trail = json.dumps(self.records()) + open(os.path.join(self.data, "audit.jsonl"), encoding="utf-8").read()
        for secret in (address, PASSWORD, OTHER, state["seed"], state["codes"][0], state["reset"]):
            self.assertNotIn(secret, trail)
        report = self.call("GET", "/api/audit/verify")
        self.assertTrue(report["valid"], report)

    def test_s4_o9_a_login_with_an_unknown_address_is_the_installations_alone(self):
        bob = Person(self.server, "bob@example.org")
        self.login("nobody@example.org", expect=401)
        record = self.assert_told("account.login", "failure", "anonymous", "", None, "wrong password")
        self.assertNotIn(record["id"], {item["id"] for item in self.own(bob)})
        self.call("GET", f"/api/audit/{record['id']}", expect=404, token=bob.access_token)
        self.call("GET", "/api/audit?all=true", expect=400, token=bob.access_token)

    def test_s4_o9_invitations_and_roles_are_recorded_in_their_organization(self):
        eve = Person(self.server, "eve@example.org")
        organization = self.call("POST", "/api/organizations", {"name": "Engines"}, token=eve.access_token)["id"]
        base = f"/api/organizations/{organization}"
        self.call("POST", f"{base}/invitations", {"email": "mia@example.org", "role": "viewer"}, token=eve.access_token)
        token = self.mailbox.token("mia@example.org", "invitation")
        wish = {"email": "mia@example.org", "password": PASSWORD, "name": "Mia", "invitation": token}
        mia = self.call("POST", "/api/auth/register", wish, token="")["user"]["id"]
        self.assert_told("organization.joined", "success", "user", mia, organization, "viewer")
        self.call("PUT", f"{base}/members/{mia}", {"role": "admin"}, token=eve.access_token)
        self.call("DELETE", f"{base}/members/{mia}", token=eve.access_token)
        for action in ("organization.created", "organization.invited", "organization.role_changed", "organization.member_removed"):
            with self.subTest(action=action):
                self.assert_told(action, "success", "user", organization, organization)

    def test_s4_d4_records_of_an_earlier_secret_key_verify_when_it_is_given(self):
        first, second, third = ("Zx8vQ2mN7kL4tR9wB1yC6hJ3fD5gS0aE", "u7Yt4Re2Wq9Az6Sx3Dc8Vf5Bg1Nh0Mj2", "p0Lm9Ko8Ij7Uh6Yg5Tf4Rd3Es2Wa1Qz")
        folder = os.path.join(self.folder.name, "keys")
        for number, key in enumerate((first, second)):
            server = Server(folder, extra_environment={"SECRET_KEY": key}).start()
            Person(server, f"person{number}@example.org")
            server.stop()

        def verify(**environment):
            done = subprocess.run([binary(), "audit", "verify", "--data-dir", folder, "--json"], capture_output=True, text=True, check=False,
                                  env={"PATH": os.environ["PATH"], **environment})
            return done.returncode, json.loads(done.stdout)
        code, report = verify(SECRET_KEY=second, SECRET_KEY_PREVIOUS=first)
        self.assertEqual((code, report["problem"]), (0, None), report)
        code, report = verify(SECRET_KEY=second)
        self.assertEqual((code, report["valid"]), (1, False))
        self.assertEqual((report["problem"]["kind"], report["problem"]["sequence"]), ("unknown_key", 1), report)
        code, report = verify(SECRET_KEY=third, SECRET_KEY_PREVIOUS=first)
        self.assertEqual(report["problem"]["kind"], "unknown_key", report)
        self.assertGreater(report["problem"]["sequence"], 1)
        code, report = verify(SECRET_KEY=first)  # the newest were written under a key that nobody gives
        self.assertEqual((code, report["problem"]["kind"]), (1, "forged"), report)


if __name__ == "__main__":
    unittest.main()
