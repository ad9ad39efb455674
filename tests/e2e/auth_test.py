#!/usr/bin/env python3
"""proves: P1, S0-3, N-4, N-6, N-8, N-9, N-14, S4-O2, S4-O7

Accounts against the real binary: from the link of the first start to the second factor, by bearer and by cookie. At the end: no token,
password or link in any log or in the database.
"""

import email
import email.policy
import glob
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, binary, free_port, poll  # noqa: E402
from people import Mailbox, totp  # noqa: E402

PASSWORD = "correct horse battery"
OTHER = "staple of another kind"


class AuthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        port = free_port()
        cls.server = Server(cls.data, port=port, extra_environment={
            "LOG_LEVEL": "debug", "PAWL_PUBLIC_URL": f"http://127.0.0.1:{port}", "RATE_LIMIT_ENABLED": "false"}).start()
        cls.secrets = [PASSWORD, OTHER]
        cls.people = 0

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=None, token=None, headers=None):
        all_headers = {"Authorization": f"Bearer {token}" if token else "", **(headers or {})}
        status, reply, self.fields = self.server.request(method, path, body, all_headers)
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        if isinstance(reply, dict):
            for name in ("access_token", "refresh_token", "key", "secret", "csrf_token"):
                if reply.get(name):
                    self.secrets.append(reply[name])
        return reply

    def refused(self, method, path, body, expect, code, **more):
        reply = self.call(method, path, body, expect, **more)
        self.assertTrue(reply["type"].endswith(code.replace(".", "/")) or code in json.dumps(reply), reply)

    def register(self):
        AuthTest.people += 1
        address = f"ada{AuthTest.people}@example.org"
        reply = self.call("POST", "/api/auth/register", {"email": address, "password": PASSWORD, "name": "Ada"}, 201)
        return address, reply

    def login(self, address, password=PASSWORD, expect=200, **more):
        return self.call("POST", "/api/auth/login", {"email": address, "password": password, **more}, expect)

    def link(self, address, page, count=1):
        """The token behind `#` of the newest mail to this address that leads to `page`."""
        def newest():
            found = []
            for name in glob.glob(os.path.join(self.data, "**", "*.eml"), recursive=True):
                with open(name, "rb") as file:
                    mail = email.message_from_binary_file(file, policy=email.policy.default)
                if mail["To"] != address:
                    continue
                text = mail.get_body(("plain",)).get_content()
                match = re.search(r"/%s#(\S+)" % page, text)
                if match:
                    found.append((os.path.getmtime(name), match.group(1)))
            return sorted(found)[-1][1] if len(found) >= count else None
        token = poll(newest, 20, f"a mail to {address} with a link to {page}")
        self.secrets.append(token)
        return token

    # ---- the first start: runs first, while there are no users ----

    def test_00_the_setup_link_makes_the_first_administrator_once(self):
        link = poll(lambda: re.search(r"(http\S+)/setup#(\S+)", self.server.tail()), 10, "the setup link on the console")
        token = link.group(2)
        body = {"token": token, "email": "root@example.org", "password": PASSWORD, "name": "Root"}
        self.call("POST", "/api/auth/setup", {**body, "token": "x" * 43}, 400)
        reply = self.call("POST", "/api/auth/setup", body, 201)
        self.assertTrue(reply["user"]["is_superuser"])
        self.call("POST", "/api/auth/setup", {**body, "email": "eve@example.org"}, 400)
        AuthTest.setup_token = token

    # ---- tokens ----

    def test_register_login_me_and_profile(self):
        address, session = self.register()
        self.assertEqual(session["token_type"], "bearer")
        self.assertEqual(session["expires_in"], 900)
        me = self.call("GET", "/api/auth/me", expect=200, token=session["access_token"])
        self.assertEqual(me["email"], address)
        self.assertEqual(me["organizations"][0]["role"], "owner")
        self.call("PUT", "/api/auth/profile", {"name": "Countess"}, 200, token=session["access_token"])
        self.call("PUT", "/api/auth/profile", {"name": "x", "is_superuser": True}, 422, token=session["access_token"])
        self.assertEqual(self.login(address.upper())["user"]["name"], "Countess")
        self.refused("POST", "/api/auth/register", {"email": address, "password": PASSWORD, "name": "Eve"}, 409, "auth.email_taken")
        self.call("POST", "/api/auth/register", {"email": address, "password": "short", "name": "Eve"}, 422)

    def test_preferences_follow_the_person_and_are_closed_and_small(self):
        address, session = self.register()
        token = session["access_token"]
        self.assertIsNone(self.call("GET", "/api/auth/me", expect=200, token=token)["preferences"])
        chosen = {"theme": "dark", "time_zone": "Asia/Tokyo", "letter_shortcuts": False}
        self.assertEqual(self.call("PUT", "/api/auth/preferences", chosen, 200, token=token), chosen)
        self.assertEqual(self.call("PUT", "/api/auth/preferences", {"theme": "light"}, 200, token=token), {**chosen, "theme": "light"})
        other = self.login(address)["access_token"]
        self.assertEqual(self.call("GET", "/api/auth/me", expect=200, token=other)["preferences"], {**chosen, "theme": "light"})
        for wrong in ({"theme": "pink"}, {"theme": 1}, {"time_zone": "x" * 65}, {"time_zone": "a b"}, {"letter_shortcuts": "no"}, {"font": "large"}, [],
                      {"theme": "dark", "user_id": "01900000-0000-7000-8000-000000000000"}):
            self.call("PUT", "/api/auth/preferences", wrong, 422, token=token)
        self.refused("PUT", "/api/auth/preferences", {"time_zone": "../etc"}, 422, "auth.invalid_time_zone", token=token)
        self.call("PUT", "/api/auth/preferences", {"theme": "dark"}, 401)
        self.assertEqual(self.call("GET", "/api/auth/me", expect=200, token=token)["preferences"], {**chosen, "theme": "light"})
        _, stranger = self.register()
        self.assertIsNone(self.call("GET", "/api/auth/me", expect=200, token=stranger["access_token"])["preferences"])
        taken = self.call("GET", "/api/data/export", expect=200, token=token)
        self.assertEqual(taken["account"][0]["preferences"], {**chosen, "theme": "light"})

    def test_a_wrong_password_and_an_unknown_address_look_the_same(self):
        address, _ = self.register()
        answers = []
        for who in (address, "nobody@example.org"):
            reply = self.login(who, "not the password", 401)
            answers.append({key: value for key, value in reply.items() if key not in ("request_id", "instance")})
        self.assertEqual(answers[0], answers[1])
        self.assertIn("invalid", answers[0]["type"])

    def test_bad_bearers_are_401_and_nothing_else(self):
        for token in ("x", "a.b.c", "pawl_" + "A" * 43, "eyJhbGciOiJub25lIn0.e30.", "A" * 4000):
            self.call("GET", "/api/auth/me", expect=401, token=token)
        self.call("GET", "/api/auth/me", expect=401)

    # proves: AI-H8
    def test_refresh_rotates_and_reuse_revokes_the_family(self):
        _, first = self.register()
        self.call("GET", "/api/auth/me", expect=401, token=first["refresh_token"])
        second = self.call("POST", "/api/auth/refresh", {"refresh_token": first["refresh_token"]}, 200)
        again = self.call("POST", "/api/auth/refresh", {"refresh_token": first["refresh_token"]}, 200)
        self.assertEqual(second["refresh_token"], again["refresh_token"])
        third = self.call("POST", "/api/auth/refresh", {"refresh_token": second["refresh_token"]}, 200)
        self.call("GET", "/api/auth/me", expect=200, token=third["access_token"])
        self.refused("POST", "/api/auth/refresh", {"refresh_token": first["refresh_token"]}, 401, "auth.token_reused")
        self.call("POST", "/api/auth/refresh", {"refresh_token": third["refresh_token"]}, 401)
        self.call("GET", "/api/auth/me", expect=401, token=third["access_token"])

    def test_sessions_and_logout(self):
        address, first = self.register()
        second = self.login(address)
        sessions = self.call("GET", "/api/auth/sessions", expect=200, token=first["access_token"])["items"]
        self.assertEqual(len(sessions), 2)
        other = next(each for each in sessions if not each["current"])
        self.assertEqual(self.call("GET", f"/api/auth/sessions/{other['id']}", expect=200, token=first["access_token"]), other)
        stranger = self.register()[1]
        self.call("GET", f"/api/auth/sessions/{other['id']}", expect=404, token=stranger["access_token"])
        self.call("DELETE", f"/api/auth/sessions/{other['id']}", expect=204, token=first["access_token"])
        self.call("GET", "/api/auth/me", expect=401, token=second["access_token"])
        self.call("GET", f"/api/auth/sessions/{other['id']}", expect=404, token=first["access_token"])
        self.call("POST", "/api/auth/logout", expect=204, token=first["access_token"])
        self.call("GET", "/api/auth/me", expect=401, token=first["access_token"])

    def test_pages_of_sessions_hold_each_once_whichever_is_used_meanwhile(self):
        """proves: P1

        Between two pages the session that is still to come is used: it comes all the same, where it was."""
        address, first = self.register()
        for _ in range(3):
            token = self.login(address)["access_token"]
        whole = [each["id"] for each in self.call("GET", "/api/auth/sessions", expect=200, token=token)["items"]]
        seen, cursor, refresh = [], None, first["refresh_token"]
        while True:
            page = self.call("GET", "/api/auth/sessions?limit=1" + (f"&cursor={cursor}" if cursor else ""), expect=200, token=token)
            seen += [each["id"] for each in page["items"]]
            if (cursor := page["next_cursor"]) is None:
                break
            refresh = self.call("POST", "/api/auth/refresh", {"refresh_token": refresh}, 200)["refresh_token"]
        self.assertEqual(seen, whole)
        self.assertEqual(seen, sorted(seen, reverse=True), "the newest stands first")
        self.assertEqual(len(set(seen)), 4)

    # ---- passwords and links ----

    def test_reset_ends_all_sessions_and_works_once(self):
        address, session = self.register()
        known = self.call("POST", "/api/auth/forgot-password", {"email": address}, 200)
        unknown = self.call("POST", "/api/auth/forgot-password", {"email": "nobody@example.org"}, 200)
        self.assertEqual(known, unknown)
        token = self.link(address, "reset-password")
        body = {"token": token, "new_password": OTHER}
        self.call("POST", "/api/auth/reset-password", body, 200)
        self.call("POST", "/api/auth/reset-password", body, 400)
        self.call("GET", "/api/auth/me", expect=401, token=session["access_token"])
        self.login(address, expect=401)
        self.login(address, OTHER)

    def test_change_password_and_verify_email(self):
        address, session = self.register()
        other = self.login(address)
        self.call("POST", "/api/auth/change-password", {"old_password": "wrong", "new_password": OTHER}, 401, token=session["access_token"])
        self.call("POST", "/api/auth/change-password", {"old_password": PASSWORD, "new_password": OTHER}, 200, token=session["access_token"])
        self.call("GET", "/api/auth/me", expect=200, token=session["access_token"])
        self.call("GET", "/api/auth/me", expect=401, token=other["access_token"])
        self.call("POST", "/api/auth/verify-email", {"token": self.link(address, "verify-email")}, 200)
        self.assertTrue(self.call("GET", "/api/auth/me", expect=200, token=session["access_token"])["email_verified"])

    # ---- second factor ----

    def test_the_second_factor(self):
        address, session = self.register()
        token = session["access_token"]
        setup = self.call("POST", "/api/auth/totp/setup", {"password": PASSWORD}, 200, token=token)
        self.assertIn(setup["secret"], setup["uri"])
        now = time.time()
        codes = self.call("POST", "/api/auth/totp/enable", {"code": totp(setup["secret"], now)}, 200, token=token)["backup_codes"]
        self.secrets.extend(codes)
        self.assertEqual(len(codes), 10)
        self.refused("POST", "/api/auth/login", {"email": address, "password": PASSWORD}, 401, "otp")
        self.login(address, otp=totp(setup["secret"], now), expect=401)
        self.login(address, otp=totp(setup["secret"], now + 30))
        self.login(address, otp=codes[0])
        self.login(address, otp=codes[0], expect=401)
        self.call("POST", "/api/auth/totp/disable", {"password": PASSWORD, "code": "000000"}, 401, token=token)
        self.call("POST", "/api/auth/totp/disable", {"password": PASSWORD, "code": codes[1]}, 200, token=token)
        self.login(address)

    # ---- API keys ----

    def test_api_keys(self):
        _, session = self.register()
        token = session["access_token"]
        made = self.call("POST", "/api/api-keys", {"name": "deploy", "scopes": ["read"]}, 201, token=token)
        self.assertRegex(made["key"], r"^pawl_[A-Za-z0-9_-]{43}$")
        listed = self.call("GET", "/api/api-keys", expect=200, token=token)["items"]
        self.assertNotIn("key", listed[0])
        self.call("GET", "/api/workflows", expect=200, token=made["key"])
        self.call("POST", "/api/workflows", {"definition": "x"}, 403, token=made["key"])
        self.call("GET", "/api/auth/me", expect=403, token=made["key"])
        self.call("POST", "/api/api-keys", {"name": "root", "scopes": ["administer"]}, 422, token=token)
        _, stranger = self.register()
        self.call("DELETE", f"/api/api-keys/{made['id']}", expect=404, token=stranger["access_token"])
        self.call("DELETE", f"/api/api-keys/{made['id']}", expect=204, token=token)
        self.call("GET", "/api/workflows", expect=401, token=made["key"])

    # ---- browsers ----

    def exchange(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            text = reply.read().decode()
            cookies = [value for name, value in reply.getheaders() if name.lower() == "set-cookie"]
            return reply.status, json.loads(text) if text else None, cookies
        finally:
            connection.close()

    # proves: AI-H6
    def test_cookies_and_csrf(self):
        address, _ = self.register()
        ask = {"X-Pawl-Session": "cookie"}
        status, reply, cookies = self.exchange("POST", "/api/auth/login", {"email": address, "password": PASSWORD}, ask)
        self.assertEqual(status, 200, reply)
        self.assertNotIn("access_token", reply)
        self.assertNotIn("refresh_token", reply)
        jar = {each.split("=", 1)[0]: each.split(";", 1)[0].split("=", 1)[1] for each in cookies}
        rules = {each.split("=", 1)[0]: each for each in cookies}
        self.secrets.extend(jar.values())
        access, refresh, csrf = (next(name for name in jar if name.endswith(end)) for end in ("pawl_access", "pawl_refresh", "pawl_csrf"))
        self.assertIn("HttpOnly", rules[access])
        self.assertIn("SameSite=Lax", rules[access])
        self.assertIn("HttpOnly", rules[refresh])
        self.assertIn("SameSite=Strict", rules[refresh])
        self.assertNotIn("HttpOnly", rules[csrf])
        self.assertEqual(jar[csrf], reply["csrf_token"])
        cookie = {"Cookie": f"{access}={jar[access]}"}
        self.assertEqual(self.exchange("GET", "/api/auth/me", headers=cookie)[0], 200)
        change = ("PUT", "/api/auth/profile", {"name": "Changed"})
        self.assertEqual(self.exchange(*change, headers=cookie)[0], 403)
        self.assertEqual(self.exchange(*change, headers={**cookie, "X-CSRF-Token": "x" * 43})[0], 403)
        _, _, others = self.exchange("POST", "/api/auth/login", {"email": address, "password": PASSWORD}, ask)
        foreign = next(each.split(";", 1)[0].split("=", 1)[1] for each in others if "pawl_csrf" in each)
        self.assertEqual(self.exchange(*change, headers={**cookie, "X-CSRF-Token": foreign})[0], 403)
        self.assertEqual(self.exchange(*change, headers={**cookie, "X-CSRF-Token": jar[csrf]})[0], 200)
        by_cookie = {"Cookie": f"{refresh}={jar[refresh]}"}
        self.assertEqual(self.exchange("POST", "/api/auth/refresh", {}, by_cookie)[0], 401, "without the header no form can send")
        status, reply, cookies = self.exchange("POST", "/api/auth/refresh", {}, {**by_cookie, **ask})
        self.assertEqual(status, 200, reply)
        self.assertEqual(len(cookies), 3)

    # ---- what is left behind: runs last ----

    # proves: AI-C7, N-18
    def test_zz_nothing_secret_in_logs_or_database(self):
        secrets = {each for each in self.secrets if len(each) >= 16}
        self.assertGreater(len(secrets), 20)
        self.server.log.flush()
        with open(self.server.log.name, "rb") as log:
            lines = [line for line in log.read().decode(errors="replace").splitlines() if "/setup#" not in line]
        written = "\n".join(lines)
        self.assertIn("/api/auth/login", written)
        self.assertNotIn("@example.org", written, "addresses of people are not for logs either")
        for name in glob.glob(os.path.join(self.data, "**", "*"), recursive=True):
            if os.path.isfile(name) and not name.endswith(".eml"):
                with open(name, "rb") as file:
                    written += file.read().decode("latin-1")
        self.assertIn("root@example.org", written)  # the dump is one
        for secret in secrets | {self.setup_token}:
            self.assertNotIn(secret, written)


class ConfirmFirstTest(unittest.TestCase):
    """proves: P1

    With PAWL_CONFIRM_ADDRESS registering tells nobody who has an account: not by the answer, its fields, a sign-in afterwards, or its time.
    """

    def test_a_registration_answers_the_same_for_every_address(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            server = Server(data, extra_environment={"PAWL_CONFIRM_ADDRESS": "true"}).start()
            self.addCleanup(server.stop)
            mailbox = Mailbox(data)

            def ask(path, body):
                status, reply, headers = server.request("POST", path, body, {"Authorization": ""})
                return status, reply, sorted(name for name in headers if name not in ("Date", "X-Request-Id"))

            def register(address, password=PASSWORD):
                return ask("/api/auth/register", {"email": address, "password": password, "name": "Ada"})

            def login(address, password=PASSWORD):
                status, reply, _ = ask("/api/auth/login", {"email": address, "password": password})
                return status, reply.get("type"), reply.get("detail")

            first = register("owner@example.org")
            self.assertEqual(first[0], 202, first)
            token = mailbox.token("owner@example.org", "verify-email")
            self.assertEqual(login("owner@example.org"), login("nobody@example.org"), "not before the address is confirmed")
            self.assertEqual(ask("/api/auth/verify-email", {"token": token})[0], 200)
            self.assertEqual(login("owner@example.org")[0], 200)
            for address in ("owner@example.org", "new@example.org", "new@example.org"):
                self.assertEqual(register(address, "another password of length"), first, address)
                refused = login(address, "another password of length")
                self.assertEqual(refused, login("nobody@example.org"), address)
            self.assertEqual(login("owner@example.org")[0], 200, "nothing has changed")
            reset = mailbox.token("owner@example.org", "reset-password")
            self.assertEqual(ask("/api/auth/reset-password", {"token": reset, "new_password": OTHER})[0], 200)
            self.assertEqual(login("owner@example.org", OTHER)[0], 200)


class UserCommandTest(unittest.TestCase):
    def test_makes_the_first_administrator_at_the_console(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            command = [binary(), "user", "create", "--data-dir", data, "--email", "root@example.org", "--admin", "--password-stdin"]
            made = subprocess.run(command, input=PASSWORD + "\n", capture_output=True, text=True, timeout=60)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertRegex(made.stdout, r"^[0-9a-f-]{36}\n$")
            again = subprocess.run(command, input=PASSWORD + "\n", capture_output=True, text=True, timeout=60)
            self.assertEqual(again.returncode, 1)
            weak = subprocess.run(command[:-1] + ["--password-stdin", "--name", "x"], input="short\n", capture_output=True, text=True, timeout=60)
            self.assertEqual(weak.returncode, 1)
            server = Server(data).start()
            try:
                self.assertNotIn("/setup#", server.tail())
                status, reply, _ = server.request("POST", "/api/auth/login", {"email": "root@example.org", "password": PASSWORD},
                                                  {"Authorization": ""})
                self.assertEqual(status, 200, reply)
                self.assertTrue(reply["user"]["is_superuser"])
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main()
