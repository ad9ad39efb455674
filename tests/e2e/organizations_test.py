#!/usr/bin/env python3
"""proves: P2, S0-12, FA-2, FA-3, FA-13, FA-18, N-10

Organizations against the real binary: two of them, four roles, foreign ids, the last owner, invitations by mail, deletion.
"""

import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server  # noqa: E402
from people import Mailbox, Person  # noqa: E402

NOBODY = "01900000-0000-7000-8000-000000000000"
WORKFLOW = "document: {dsl: '1.0.3', namespace: test, name: nap, version: '1.0.0'}\ndo:\n  - nap: {wait: {seconds: 60}}\n"


class OrganizationsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        data = os.path.join(cls.folder.name, "data")
        cls.server = Server(data, extra_environment={"RATE_LIMIT_ENABLED": "false"}).start()
        cls.mailbox = Mailbox(data)
        cls.people = {name: Person(cls.server, f"{name}@example.org") for name in ("owner", "admin", "member", "viewer", "stranger")}
        cls.owner = cls.people["owner"]
        cls.stranger = cls.people["stranger"]
        cls.acme = cls.make(cls.owner, "Acme")
        cls.theirs = cls.make(cls.stranger, "Theirs")
        for role in ("admin", "member", "viewer"):
            status, reply = cls.owner.call("POST", f"/api/organizations/{cls.acme}/members",
                                           {"user_id": cls.people[role].id, "role": role})
            assert status == 201, reply

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    @staticmethod
    def make(person, name):
        status, reply = person.call("POST", "/api/organizations", {"name": name})
        assert status == 201, reply
        return reply["id"]

    def test_a_role_permits_what_it_should_and_nothing_more(self):
        path = f"/api/organizations/{self.acme}"
        asks = [("GET", path, None, "viewer"), ("GET", path + "/members", None, "viewer"),
                ("PUT", path, {"description": "x"}, "admin"), ("GET", path + "/invitations", None, "admin"),
                ("DELETE", path + "?dry_run=true", None, "owner")]
        order = ["viewer", "member", "admin", "owner"]
        for method, url, body, least in asks:
            for role in order:
                status, reply = self.people[role].call(method, url, body)
                expected = 200 if order.index(role) >= order.index(least) else 403
                self.assertEqual(status, expected, f"{role} {method} {url}: {reply}")

    # proves: S4-C1
    def test_only_who_may_execute_sees_the_address_of_a_webhook(self):
        hooked = WORKFLOW.replace("version: '1.0.0'", "version: '1.0.0', metadata: {webhook: true}")
        self.assertIn("webhook", hooked)
        status, made = self.owner.call("POST", "/api/workflows", {"definition": hooked, "organization_id": self.acme})
        self.assertEqual(status, 201, made)
        key = self.owner.call("POST", "/api/api-keys", {"name": "r", "scopes": ["read"], "organization_id": self.acme})[1]["key"]

        def seen(call):
            one = call("GET", f"/api/workflows/{made['id']}")
            listed = next(item for item in call("GET", f"/api/workflows?organization_id={self.acme}")["items"] if item["id"] == made["id"])
            return {trigger["url"] for workflow in (one, listed) for trigger in workflow["triggers"]}
        for role in ("viewer", "member"):
            urls = seen(lambda method, path, role=role: self.people[role].call(method, path)[1])
            self.assertEqual(urls, {None} if role == "viewer" else {made["triggers"][0]["url"]}, role)
        by_key = seen(lambda method, path: self.server.request(method, path, headers={"Authorization": f"Bearer {key}"})[1])
        self.assertEqual(by_key, {None})

    def test_to_a_stranger_nothing_of_it_exists(self):
        path = f"/api/organizations/{self.acme}"
        member = self.people["member"].id
        for method, url, body in [("GET", path, None), ("PUT", path, {"name": "x"}), ("DELETE", path, None),
                                  ("GET", path + "/members", None), ("POST", path + "/members", {"user_id": member, "role": "viewer"}),
                                  ("PUT", f"{path}/members/{member}", {"role": "viewer"}), ("DELETE", f"{path}/members/{member}", None),
                                  ("GET", path + "/invitations", None),
                                  ("POST", path + "/invitations", {"email": "x@example.org", "role": "viewer"}),
                                  ("POST", f"{path}/invitations/{NOBODY}/resend", None), ("DELETE", f"{path}/invitations/{NOBODY}", None)]:
            status, foreign = self.stranger.call(method, url, body)
            self.assertEqual(status, 404, f"{method} {url}: {foreign}")
            status, missing = self.stranger.call(method, url.replace(self.acme, NOBODY), body)
            self.assertEqual(status, 404)
            self.assertEqual(foreign["detail"], missing["detail"], "a foreign id reads like one that does not exist")

    def test_nothing_is_created_in_a_foreign_organization(self):
        status, reply = self.stranger.call("POST", "/api/workflows", {"definition": WORKFLOW, "organization_id": self.acme})
        self.assertEqual(status, 404, reply)

    def test_server_owned_fields_are_refused(self):
        for body in ({"name": "x", "id": NOBODY}, {"name": "x", "personal": True}, {"name": "x", "owner": NOBODY}):
            self.assertEqual(self.owner.call("POST", "/api/organizations", body)[0], 422)

    def test_an_admin_has_no_power_over_owners(self):
        admin = self.people["admin"]
        path = f"/api/organizations/{self.acme}/members"
        self.assertEqual(admin.call("PUT", f"{path}/{self.owner.id}", {"role": "viewer"})[0], 403)
        self.assertEqual(admin.call("DELETE", f"{path}/{self.owner.id}")[0], 403)
        self.assertEqual(admin.call("PUT", f"{path}/{admin.id}", {"role": "owner"})[0], 403)

    def test_a_change_of_role_counts_at_once(self):
        viewer = self.people["viewer"]
        path = f"/api/organizations/{self.acme}"
        self.assertEqual(viewer.call("PUT", path, {"description": "y"})[0], 403)
        self.owner.call("PUT", f"{path}/members/{viewer.id}", {"role": "admin"})
        self.assertEqual(viewer.call("PUT", path, {"description": "y"})[0], 200)
        self.owner.call("PUT", f"{path}/members/{viewer.id}", {"role": "viewer"})
        self.assertEqual(viewer.call("PUT", path, {"description": "z"})[0], 403)

    def test_twenty_owners_who_step_down_at_once_leave_one(self):
        organization = self.make(self.owner, "Crowd")
        path = f"/api/organizations/{organization}/members"
        owners = [self.owner] + [Person(self.server, f"owner{i}@example.org") for i in range(19)]
        for other in owners[1:]:
            self.assertEqual(self.owner.call("POST", path, {"user_id": other.id, "role": "owner"})[0], 201)
        answers = [None] * len(owners)
        barrier = threading.Barrier(len(owners))

        def step_down(index):
            barrier.wait()
            answers[index] = owners[index].call("PUT", f"{path}/{owners[index].id}", {"role": "member"})[0]

        threads = [threading.Thread(target=step_down, args=(index,)) for index in range(len(owners))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answers), [200] * 19 + [409])
        members = self.owner.call("GET", path)[1]["items"]
        self.assertEqual([member["role"] for member in members].count("owner"), 1)

    def test_an_invitation_travels_by_mail_and_counts_once(self):
        path = f"/api/organizations/{self.acme}/invitations"
        newcomer = Person(self.server, "newcomer@example.org")
        status, sent = self.owner.call("POST", path, {"email": "Newcomer@Example.org", "role": "member"})
        self.assertEqual(status, 201, sent)
        self.assertNotIn("token", sent)
        token = self.mailbox.token("newcomer@example.org", "invitation")
        status, preview = newcomer.call("POST", "/api/invitations/preview", {"token": token})
        self.assertEqual((status, preview["organization"], preview["role"]), (200, "Acme", "member"))
        self.assertEqual(self.stranger.call("POST", "/api/invitations/accept", {"token": token})[0], 403)
        self.assertEqual(newcomer.call("POST", "/api/invitations/accept", {"token": token})[0], 403, "the address is not verified yet")
        verification = self.mailbox.token("newcomer@example.org", "verify-email")
        self.assertEqual(newcomer.call("POST", "/api/auth/verify-email", {"token": verification})[0], 200)
        status, joined = newcomer.call("POST", "/api/invitations/accept", {"token": token})
        self.assertEqual((status, joined["role"]), (200, "member"))
        self.assertEqual(newcomer.call("POST", "/api/invitations/accept", {"token": token})[0], 404)
        self.assertEqual(newcomer.call("GET", f"/api/organizations/{self.acme}")[0], 200, "the membership counts at once")

    def test_mails_are_for_their_owner_only(self):
        self.owner.call("POST", f"/api/organizations/{self.acme}/invitations", {"email": "someone@example.org", "role": "viewer"})
        self.mailbox.token("someone@example.org", "invitation")
        for name in os.listdir(self.mailbox.folder):
            self.assertEqual(os.stat(os.path.join(self.mailbox.folder, name)).st_mode & 0o777, 0o600)

    def test_deleting_says_what_goes_and_takes_it(self):
        organization = self.make(self.owner, "Doomed")
        status, workflow = self.owner.call("POST", "/api/workflows", {"definition": WORKFLOW, "organization_id": organization})
        self.assertEqual(status, 201, workflow)
        run = self.owner.call("POST", f"/api/workflows/{workflow['id']}/execute", {})
        self.assertEqual(run[0], 202, run[1])
        status, preview = self.owner.call("DELETE", f"/api/organizations/{organization}?dry_run=true")
        self.assertEqual(status, 200, preview)
        self.assertTrue(preview["dry_run"])
        self.assertEqual(preview["removed"]["workflows"], 1)
        self.assertEqual(preview["removed"]["runs"], 1)
        shown = {"Prefer": "return=representation"}
        status, removed = self.owner.call("DELETE", f"/api/organizations/{organization}", fields=shown)
        self.assertEqual((status, removed["removed"]), (200, preview["removed"]))
        self.assertEqual(self.owner.call("GET", f"/api/organizations/{organization}")[0], 404)
        self.assertEqual(self.owner.call("GET", f"/api/workflows/{workflow['id']}")[0], 404)

    def test_deleting_answers_as_the_contract_says(self):
        organization = self.make(self.owner, "Doomed as well")
        self.assertEqual(self.owner.call("DELETE", f"/api/organizations/{organization}"), (204, ""))
        self.assertEqual(self.owner.call("GET", f"/api/organizations/{organization}")[0], 404)

    def test_a_personal_organization_stays(self):
        own = [each for each in self.owner.call("GET", "/api/organizations")[1]["items"] if each["personal"]]
        self.assertEqual(len(own), 1)
        self.assertEqual(self.owner.call("DELETE", f"/api/organizations/{own[0]['id']}")[0], 409)

    def test_users_are_managed_by_administrators_only(self):
        for method, url in (("GET", "/api/admin/users"), ("GET", f"/api/admin/users/{self.owner.id}"),
                            ("DELETE", f"/api/admin/users/{self.owner.id}")):
            self.assertEqual(self.owner.call(method, url)[0], 403, url)
        status, found, _ = self.server.request("GET", "/api/admin/users?q=STRANGER")
        self.assertEqual((status, [user["email"] for user in found["items"]]), (200, ["stranger@example.org"]))
        self.assertNotIn("password", str(found))
        victim = Person(self.server, "victim@example.org")
        status, changed, _ = self.server.request("PUT", f"/api/admin/users/{victim.id}", {"is_active": False})
        self.assertEqual((status, changed["is_active"]), (200, False))
        self.assertEqual(victim.call("GET", "/api/organizations")[0], 401)
        self.assertEqual(self.server.request("DELETE", f"/api/admin/users/{victim.id}")[0], 204)
        self.assertEqual(self.server.request("GET", f"/api/admin/users/{victim.id}")[0], 404)


if __name__ == "__main__":
    unittest.main()
