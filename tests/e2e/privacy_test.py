#!/usr/bin/env python3
"""proves: S4-D3, P7

Data about people: the inventory in docs/pii.md names every column of a migrated database and no other; what one person leaves is taken along
and erased completely.
"""

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
from pawl_server import Server, binary, poll  # noqa: E402
from people import PASSWORD, Mailbox, Person  # noqa: E402


class InventoryTest(unittest.TestCase):
    def setUp(self):
        source = os.environ.get("PAWL_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
        with open(os.path.join(source, "docs", "pii.md"), encoding="utf-8") as file:
            self.text = file.read()

    def listed(self):
        about, without = self.text.split("## Columns about people")[1].split("## Columns without")
        without = without.split("## ")[0]
        columns = re.findall(r"^\| `([a-z_0-9]+\.[a-z_0-9]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", about, re.M)
        for table, names in re.findall(r"^- `([a-z_0-9]+)`: (.+)$", without, re.M):
            columns += [f"{table}.{name}" for name in re.findall(r"`([a-z_0-9]+)`", names)]
        return columns

    def test_s4_d3_the_inventory_names_every_column_once_and_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([binary(), "migrate", "up", "--data-dir", folder], env={"PATH": os.environ["PATH"]},
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done)
            with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
                tables = [row[0] for row in database.execute(
                    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]
                schema = [f"{table}.{row[1]}" for table in tables for row in database.execute(f"pragma table_info({table})")]
            database.close()
        self.assertEqual(sorted(self.listed()), sorted(schema))


class PersonTest(unittest.TestCase):
    """One person's data, taken along and erased."""

    NAME = "Zephyrine Quillfeather"
    EMAIL = "zephyrine.quillfeather@example.org"

    def call(self, method, path, body=None):
        status, reply = self.person.call(method, path, body)
        self.assertTrue(200 <= status < 300, f"{method} {path}: {status} {reply}")
        return reply

    def live(self):
        """Leaves something in every section of an export."""
        self.call("POST", "/api/auth/verify-email", {"token": self.mailbox.token(self.EMAIL, "verify-email")})
        self.call("POST", "/api/api-keys", {"name": f"key of {self.NAME}", "scopes": ["read"]})
        self.call("POST", "/api/integrations", {"connector": "github", "name": f"hub of {self.NAME}", "config": {"access_token": "gh-token-0815"}})
        workflow = self.call("POST", "/api/workflows", {"name": f"flow of {self.NAME}", "definition": (
            "document: {dsl: '1.0.3', namespace: test, name: mine, version: '1.0.0'}\n"
            f"do:\n  - a: {{set: {{who: '{self.NAME}', mail: '{self.EMAIL}'}}}}\n"
            f"  - b: {{call: memory-write, with: {{key: me, messages: [{{role: user, content: 'I am {self.NAME}'}}]}}}}\n")})
        self.call("POST", f"/api/workflows/{workflow['id']}/execute", {"input": {"from": self.EMAIL}, "wait": 30})
        asking = self.call("POST", "/api/workflows", {"name": f"question of {self.NAME}", "definition": (
            "document: {dsl: '1.0.3', namespace: test, name: asking, version: '1.0.0'}\n"
            f"do:\n  - ask: {{call: approval, with: {{title: 'Is that right?'}}}}\n")})
        self.call("POST", f"/api/workflows/{asking['id']}/execute", {"input": {}})
        asked = poll(lambda: self.call("GET", "/api/approvals")["items"], 10, "the question")[0]
        self.call("POST", f"/api/approvals/{asked['id']}/approve", {"digest": asked["digest"], "comment": f"says {self.NAME}"})
        team = self.other.call("POST", "/api/organizations", {"name": "Team"})[1]["id"]
        self.other.call("POST", f"/api/organizations/{team}/invitations", {"email": self.EMAIL, "role": "member"})
        self.call("POST", "/api/invitations/accept", {"token": self.mailbox.token(self.EMAIL, "invitation")})
        self.other.call("PUT", f"/api/organizations/{team}/members/{self.person.id}", {"role": "admin"})
        self.call("POST", f"/api/organizations/{team}/invitations", {"email": "third@example.org", "role": "viewer"})

    def test_p7_everything_is_in_the_export_and_nothing_is_left_after_the_erasure(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            server = Server(data).start()
            try:
                self.mailbox = Mailbox(data)
                self.person = Person(server, self.EMAIL, self.NAME)
                self.other = Person(server, "other@example.org")
                self.other.call("POST", "/api/auth/verify-email", {"token": self.mailbox.token("other@example.org", "verify-email")})
                self.live()
                taken = self.call("GET", "/api/data/export")
                empty = {name for name, items in taken.items() if not items} - {"other_logins"}
                self.assertEqual(empty, set(), "sections that nothing was put into")
                self.assertEqual((taken["account"][0]["email"], taken["account"][0]["name"]), (self.EMAIL, self.NAME))
                self.assertEqual(taken["integrations"][0]["name"], f"hub of {self.NAME}")
                self.assertEqual({m["organization"] for m in taken["memberships"]}, {self.NAME, "Team"})
                self.assertIn("account.registered", {item["action"] for item in taken["audit"]})
                text = json.dumps(taken)
                for secret in (PASSWORD, "gh-token-0815", self.person.access_token):
                    self.assertNotIn(secret, text)
                kept = self.files(data)
                self.assertIn(self.EMAIL.encode(), kept)
                status, reply = self.person.call("DELETE", "/api/data/me", {"password": "wrong", "confirm": "erase"})
                self.assertEqual(status, 403, reply)
                self.call("DELETE", "/api/data/me", {"password": PASSWORD, "confirm": "erase"})
                self.assertEqual(self.person.call("GET", "/api/auth/me")[0], 401, "at once")
            finally:
                server.stop()
            self.assertEqual(self.mailbox.mails(self.EMAIL), [], "the files of mails that development keeps")
            self.assertNotEqual(self.mailbox.mails("other@example.org"), [])
            kept = self.files(data)
            for canary in (self.NAME, self.EMAIL, "gh-token-0815"):
                self.assertNotIn(canary.encode(), kept)
            done = subprocess.run([binary(), "audit", "verify", "--data-dir", data], env={"PATH": os.environ["PATH"]}, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done)

    def test_p7_words_of_an_erased_person_do_not_come_back_with_a_run_that_held_them(self):
        """Bob's run has read the memory, waits while Ann is erased, and keeps what it has: nothing of it, under nobody's name. A run that
        begins later keeps."""
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            server = Server(data).start()
            try:
                self.mailbox = Mailbox(data)
                self.person = Person(server, self.EMAIL, self.NAME)
                bob = Person(server, "bob@example.org")
                for email in (self.EMAIL, "bob@example.org"):
                    server.request("POST", "/api/auth/verify-email", {"token": self.mailbox.token(email, "verify-email")})
                team = bob.call("POST", "/api/organizations", {"name": "Team"})[1]["id"]
                bob.call("POST", f"/api/organizations/{team}/invitations", {"email": self.EMAIL, "role": "member"})
                self.call("POST", "/api/invitations/accept", {"token": self.mailbox.token(self.EMAIL, "invitation")})

                def as_member(person, method, path, body=None):
                    status, reply, _ = server.request(method, path, body, {"Authorization": f"Bearer {person.access_token}", "X-Organization-Id": team})
                    self.assertTrue(200 <= status < 300, f"{method} {path}: {status} {reply}")
                    return reply

                workflow = as_member(bob, "POST", "/api/workflows", {"name": "shared", "definition": (
                    "document: {dsl: '1.0.3', namespace: test, name: shared, version: '1.0.0'}\n"
                    "do:\n  - read: {call: memory-read, with: {key: team}, export: {as: '${ {read: .} }'}}\n"
                    "  - hold: {if: '${ $workflow.input.hold }', listen: {to: {one: {with: {type: go}}}}}\n"
                    "  - keep: {call: memory-write, with: {key: team, messages: '${ ($context.read.messages // []) + "
                    "[{role: \"user\", content: $workflow.input.text}] }'}}\n")})["id"]

                def run(person, text, hold=False):
                    body = {"input": {"text": text, "hold": hold}, **({} if hold else {"wait": 30})}
                    return as_member(person, "POST", f"/api/workflows/{workflow}/execute", body)

                run(self.person, f"I am {self.NAME}")
                held = run(bob, "Bob here", hold=True)["id"]
                poll(lambda: "event of type go" in as_member(bob, "GET", f"/api/runs/{held}").get("waiting_reason", ""), 10, "the wait")
                self.call("DELETE", "/api/data/me", {"password": PASSWORD, "confirm": "erase"})
                as_member(bob, "POST", f"/api/runs/{held}/events", {"specversion": "1.0", "id": "1", "source": "/t", "type": "go", "data": {}})
                ended = poll(lambda: (lambda r: r if r["status"] == "completed" else None)(as_member(bob, "GET", f"/api/runs/{held}")), 10, "its end")
                self.assertEqual((ended["output"]["kept"], ended["output"]["messages"]), (False, 0), ended["output"])
                self.assertEqual(as_member(bob, "GET", "/api/llm/memories")["items"], [])
                run(bob, "Bob again")
                [memory] = as_member(bob, "GET", "/api/llm/memories")["items"]
                whole = as_member(bob, "GET", f"/api/llm/memories/{memory['id']}")
                self.assertEqual(whole["messages"], [{"role": "user", "content": "Bob again"}])
                self.assertEqual(as_member(bob, "GET", "/api/data/export")["agent_memories"][0]["messages"], whole["messages"])
            finally:
                server.stop()

    @staticmethod
    def files(data):
        """Every byte of the data folder but the mails that went out: of those the person has the original."""
        parts = []
        for folder, _, names in os.walk(data):
            if os.path.basename(folder) == "outbox":
                continue
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    parts.append(file.read())
        return b"\n".join(parts)


if __name__ == "__main__":
    unittest.main()
