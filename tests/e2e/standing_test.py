#!/usr/bin/env python3
"""proves: P1, P2, P7, S0-12

What credentials may, and when they end: API keys have no power beyond their scopes, and whoever erases the own account leaves nothing that
goes on by itself.
"""

import json
import os
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server, poll  # noqa: E402
from people import PASSWORD, Person  # noqa: E402

WORKFLOW = ("document: {dsl: '1.0.3', namespace: test, name: tick, version: '1.0.0'}\n"
            "schedule: {every: {hours: 1}}\ndo:\n  - nap: {set: {a: 1}}\n")
INTEGRATION = {"connector": "github", "name": "ours", "config": {"access_token": "x", "base_url": "http://127.0.0.1:9"}}
ERASURE = {"password": PASSWORD, "confirm": "erase"}


class StandingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        cls.server = Server(cls.data).start()
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def person(self, name):
        StandingTest.count += 1
        return Person(self.server, f"{name}{self.count}@example.org")

    def admin(self, method, path, body, expected):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expected, reply)
        return reply

    def must(self, person, method, path, body, expected):
        status, reply = person.call(method, path, body)
        self.assertEqual(status, expected, f"{method} {path}: {reply}")
        return reply

    def key(self, person, scopes, **more):
        return self.must(person, "POST", "/api/api-keys", {"name": "key", "scopes": scopes, **more}, 201)["key"]

    def with_key(self, key, method, path, body=None):
        status, reply, _ = self.server.request(method, path, body, headers={"Authorization": f"Bearer {key}"})
        return status, reply

    # ---- scopes -------------------------------------------------------------------------------------------------------------------

    def test_a_key_to_manage_makes_and_changes_no_owners(self):
        owner, stranger = self.person("owner"), self.person("stranger")
        acme = self.must(owner, "POST", "/api/organizations", {"name": "Acme"}, 201)["id"]
        key = self.key(owner, ["read", "manage"], organization_id=acme)
        path = f"/api/organizations/{acme}/members"
        self.assertEqual(self.with_key(key, "POST", path, {"user_id": stranger.id, "role": "owner"})[0], 403)
        self.assertEqual(self.with_key(key, "PUT", f"{path}/{owner.id}", {"role": "viewer"})[0], 403)
        self.assertEqual(self.with_key(key, "POST", f"/api/organizations/{acme}/invitations",
                                       {"email": "x@example.org", "role": "owner"})[0], 403)
        self.assertEqual(self.with_key(key, "POST", path, {"user_id": stranger.id, "role": "member"})[0], 201)

    def test_a_superusers_key_reads_the_whole_trail_only_with_the_scope_to_administer(self):
        root = self.person("root")
        self.admin("PUT", f"/api/admin/users/{root.id}", {"is_superuser": True}, 200)
        weak, strong = self.key(root, ["read", "manage", "own"]), self.key(root, ["read", "manage", "administer"])
        for path in ("/api/audit?all=true", "/api/audit/stats?all=true", "/api/audit/export?all=true"):
            self.assertIn(self.with_key(weak, "GET", path)[0], (400, 422), path)
            self.assertEqual(self.with_key(strong, "GET", path)[0], 200, path)
        records = poll(lambda: [each for each in self.with_key(strong, "GET", "/api/audit?all=true")[1]["items"]
                                if each["action"] == "account.registered" and root.id not in json.dumps(each)], 20, "a record of somebody else")
        self.assertEqual(self.with_key(weak, "GET", f"/api/audit/{records[0]['id']}")[0], 404)
        self.assertEqual(self.with_key(strong, "GET", f"/api/audit/{records[0]['id']}")[0], 200)

    def test_a_key_for_the_account_reaches_no_further_than_its_organization(self):
        owner = self.person("owner")
        acme = self.must(owner, "POST", "/api/organizations", {"name": "Acme"}, 201)["id"]
        key = self.key(owner, ["account"], organization_id=acme)
        self.assertEqual([each["id"] for each in self.with_key(key, "GET", "/api/organizations")[1]["items"]], [acme])
        for method, path, body in (("POST", "/api/organizations", {"name": "Mine"}), ("GET", "/api/auth/sessions", None),
                                   ("DELETE", "/api/auth/sessions", None), ("GET", "/api/data/export", None),
                                   ("DELETE", "/api/data/me", ERASURE)):
            status, reply = self.with_key(key, method, path, body)
            self.assertEqual(status, 403, f"{method} {path}: {reply}")
        self.must(owner, "GET", "/api/auth/sessions", None, 200)

    def test_an_address_that_is_not_confirmed_is_added_to_nothing(self):
        owner, squatter = self.person("owner"), self.person("squatter")
        acme = self.must(owner, "POST", "/api/organizations", {"name": "Acme"}, 201)["id"]
        known = self.must(owner, "POST", f"/api/organizations/{acme}/members", {"email": squatter.email, "role": "admin"}, 404)
        unknown = self.must(owner, "POST", f"/api/organizations/{acme}/members", {"email": "no@example.org", "role": "admin"}, 404)
        self.assertEqual(known["detail"], unknown["detail"])

    # ---- erasure ------------------------------------------------------------------------------------------------------------------

    def test_whoever_is_erased_is_gone_at_once_and_leaves_no_address(self):
        eve = self.person("eve")
        home = self.must(eve, "GET", "/api/organizations", None, 200)["items"][0]["id"]
        workflow = self.must(eve, "POST", "/api/workflows", {"definition": WORKFLOW}, 201)["id"]
        integration = self.must(eve, "POST", "/api/integrations", INTEGRATION, 201)["id"]
        self.must(eve, "DELETE", "/api/data/me", {**ERASURE, "password": "wrong"}, 403)
        self.must(eve, "GET", f"/api/workflows/{workflow}", None, 200)
        self.must(eve, "DELETE", "/api/data/me", ERASURE, 204)
        self.must(eve, "GET", "/api/auth/me", None, 401)
        self.must(eve, "POST", "/api/workflows", {"definition": WORKFLOW, "organization_id": home}, 401)
        self.admin("GET", f"/api/workflows/{workflow}", None, 404)
        self.admin("GET", f"/api/integrations/{integration}", None, 404)
        if "DATABASE_URL" not in self.server.environment:
            with sqlite3.connect(f"file:{self.data}/pawl.db?mode=ro", uri=True) as database:
                left = database.execute("select count(*) from audit_addresses where seq in (select seq from audit_records where actor_user = ?)",
                                        (bytes.fromhex(eve.id.replace("-", "")),)).fetchone()[0]
                self.assertEqual(left, 0)
                for table in ("integrations", "schedules", "workflows"):
                    rows = database.execute(f"select count(*) from {table} where organization_id = ?",
                                            (bytes.fromhex(home.replace("-", "")),)).fetchone()[0]
                    self.assertEqual(rows, 0, table)
            database.close()

    def test_nothing_is_made_in_an_organization_that_is_gone(self):
        owner = self.person("owner")
        acme = self.must(owner, "POST", "/api/organizations", {"name": "Gone"}, 201)["id"]
        self.must(owner, "DELETE", f"/api/organizations/{acme}", None, 204)
        self.must(owner, "POST", "/api/workflows", {"definition": WORKFLOW, "organization_id": acme}, 404)


if __name__ == "__main__":
    unittest.main()
