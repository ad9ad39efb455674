#!/usr/bin/env python3
"""proves: P1, N-5

Sign-in with a provider, against a certified OpenID provider on loopback (npm `oidc-provider`, version pinned in oidc/package-lock.json).
What a provider must not get away with (algorithms, nonces, audiences, times) is in src/identity/oauth_test.cpp, where tokens are forged.
"""

import http.client
import http.cookies
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pawl_server import Server, free_port  # noqa: E402
from packages import install  # noqa: E402
from people import PASSWORD, Mailbox, Person  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oidc")


class Browser:
    """Follows redirects one by one and keeps cookies by host and path, as far as this test needs it."""

    def __init__(self):
        self.cookies = {}

    def request(self, method, url, form=None):
        """-> (status, headers, body)"""
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        jar = {name: value for (host, path, name), value in self.cookies.items()
               if host == parts.netloc and parts.path.startswith(path)}
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body=body, headers=headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        for line in reply.headers.get_all("Set-Cookie") or []:
            for name, morsel in http.cookies.SimpleCookie(line).items():
                key = (parts.netloc, morsel["path"] or "/", name)
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = morsel.value
        connection.close()
        return reply.status, reply.headers, text

    def step(self, method, url, form=None):
        """One request; -> the absolute address that it redirects to, or None, and the body."""
        status, headers, text = self.request(method, url, form)
        location = headers.get("Location")
        return (urllib.parse.urljoin(url, location) if location and 300 <= status < 400 else None), text


class OAuthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        packages = os.environ.get("PAWL_OIDC_DIR") or os.path.join(
            os.environ.get("PAWL_BINARY_DIR", cls.folder.name), "tests", "oidc-provider")
        install(SOURCE, packages, "oidc-provider")
        shutil.copy(os.path.join(SOURCE, "provider.mjs"), packages)
        port, provider_port = free_port(), free_port()
        cls.base = f"http://127.0.0.1:{port}"
        cls.provider = subprocess.Popen(["node", "provider.mjs", str(provider_port), f"{cls.base}/api/auth/oidc/callback"], cwd=packages,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(cls.end_provider)
        while cls.provider.stdout.readline().strip() != "ready":
            if cls.provider.poll() is not None:
                raise RuntimeError("the provider does not start")
        data = os.path.join(cls.folder.name, "data")
        cls.mailbox = Mailbox(data)
        cls.server = Server(data, port=port, extra_environment={
            "RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "debug", "PAWL_PUBLIC_URL": cls.base, "OIDC_ISSUER": f"http://127.0.0.1:{provider_port}",
            "OIDC_CLIENT_ID": "pawl", "OIDC_CLIENT_SECRET": "the-secret-of-the-test-client"}).start()
        cls.addClassCleanup(cls.server.stop)

    @classmethod
    def end_provider(cls):
        cls.provider.terminate()
        cls.provider.wait(timeout=20)
        cls.provider.stdout.close()

    def sign_in(self, browser, who, url=None):
        """From our login, or from `url`, to the address that the provider sends the browser back to."""
        url = url or browser.step("GET", f"{self.base}/api/auth/oidc/login")[0]
        self.assertIn("code_challenge_method=S256", url)
        for _ in range(12):
            if url.startswith(f"{self.base}/api/auth/oidc/callback"):
                return url
            following, page = browser.step("GET", url)
            if following is None:
                prompt = re.search(r'name="prompt" value="(\w+)"', page).group(1)
                form = {"prompt": prompt, "login": who, "password": "any"} if prompt == "login" else {"prompt": prompt}
                following, page = browser.step("POST", url, form)
            url = following
        self.fail("the provider does not send the browser back")

    def test_the_provider_is_listed(self):
        status, reply, _ = self.server.request("GET", "/api/auth/providers", headers={"Authorization": ""})
        self.assertEqual((status, [each["name"] for each in reply["items"]]), (200, ["oidc"]))

    def test_who_signs_in_there_is_signed_in_here(self):
        browser = Browser()
        callback = self.sign_in(browser, "newcomer")
        status, headers, _ = browser.request("GET", callback)
        self.assertEqual((status, headers["Location"]), (302, "/"))
        for line in headers.get_all("Set-Cookie"):
            if line.startswith("pawl_access="):
                self.assertIn("HttpOnly", line)
        status, _, body = browser.request("GET", f"{self.base}/api/auth/me")
        self.assertEqual(status, 200, body)
        self.assertIn("newcomer@example.org", body)

    def test_a_code_and_a_state_count_once(self):
        browser = Browser()
        callback = self.sign_in(browser, "replayed")
        kept = dict(browser.cookies)
        self.assertEqual(browser.request("GET", callback)[1]["Location"], "/")
        browser.cookies = kept
        self.assertEqual(browser.request("GET", callback)[1]["Location"], "/login?error=oauth.invalid_state")

    def test_an_answer_counts_for_the_browser_that_asked_only(self):
        callback = self.sign_in(Browser(), "somebody")
        status, headers, _ = Browser().request("GET", callback)
        self.assertEqual((status, headers["Location"]), (302, "/login?error=oauth.invalid_state"))
        self.assertFalse([line for line in headers.get_all("Set-Cookie") or [] if line.startswith("pawl_access=") and "Max-Age=0" not in line])

    def test_an_unverified_address_signs_nobody_in(self):
        browser = Browser()
        self.assertEqual(browser.request("GET", self.sign_in(browser, "unverified-eve"))[1]["Location"],
                         "/login?error=oauth.unverified_email")

    def test_accounts_are_joined_by_addresses_that_both_sides_have_verified(self):
        person = Person(self.server, "joined@example.org")
        browser = Browser()
        self.assertEqual(browser.request("GET", self.sign_in(browser, "joined"))[1]["Location"], "/login?error=oauth.sign_in_required",
                         "the account here has not confirmed the address")
        token = self.mailbox.token("joined@example.org", "verify-email")
        self.assertEqual(person.call("POST", "/api/auth/verify-email", {"token": token})[0], 200)
        browser = Browser()
        self.assertEqual(browser.request("GET", self.sign_in(browser, "joined"))[1]["Location"], "/")
        status, _, body = browser.request("GET", f"{self.base}/api/auth/me")
        self.assertEqual(status, 200)
        self.assertIn(person.id, body)
        self.assertEqual(person.call("GET", "/api/auth/me")[0], 401, "whoever knew the password before the link is out")
        _, _, trail = browser.request("GET", f"{self.base}/api/audit?action=account")
        told = [(item["action"], item["details"].get("reason")) for item in json.loads(trail)["items"]]
        self.assertIn(("account.login", "by a provider"), told)
        self.assertIn(("account.oauth_linked", "oidc"), told)

    def linked(self, person):
        status, reply = person.call("GET", "/api/auth/oauth/links")
        self.assertEqual(status, 200, reply)
        return [each["provider"] for each in reply["items"]]

    def begin_link(self, person, password=PASSWORD):
        """-> where to go, and a browser with the cookie of this attempt."""
        status, reply, headers = self.server.request("POST", "/api/auth/oauth/links/oidc", {"password": password},
                                                     headers={"Authorization": f"Bearer {person.access_token}"})
        browser = Browser()
        for name, morsel in http.cookies.SimpleCookie(headers.get("Set-Cookie", "")).items():
            browser.cookies[(urllib.parse.urlsplit(self.base).netloc, morsel["path"] or "/", name)] = morsel.value
        return status, reply, browser

    def test_who_is_signed_in_links_a_provider_and_takes_it_away(self):
        person = Person(self.server, "linker@example.net")
        self.assertEqual(self.linked(person), [])
        status, reply, _ = self.begin_link(person, "wrong")
        self.assertEqual(status, 403, reply)
        self.assertEqual(reply["code"], "oauth.wrong_password")
        status, reply, browser = self.begin_link(person)
        self.assertEqual(status, 200, reply)
        callback = self.sign_in(browser, "unverified-linker", reply["location"])
        self.assertEqual(Browser().request("GET", callback)[1]["Location"], "/login?error=oauth.invalid_state", "only the browser that asked")
        self.assertEqual(browser.request("GET", callback)[1]["Location"], "/profile?linked=oidc")
        self.assertEqual(self.linked(person), ["oidc"])
        visitor = Browser()
        self.assertEqual(visitor.request("GET", self.sign_in(visitor, "unverified-linker"))[1]["Location"], "/", "signs in with it now")
        self.assertIn(person.id, visitor.request("GET", f"{self.base}/api/auth/me")[2])
        other = Person(self.server, "other-linker@example.net")
        _, reply, browser = self.begin_link(other)
        self.assertEqual(browser.request("GET", self.sign_in(browser, "unverified-linker", reply["location"]))[1]["Location"],
                         "/profile?error=oauth.linked_elsewhere")
        self.assertEqual(person.call("DELETE", "/api/auth/oauth/links/oidc", {"password": "wrong"})[0], 403)
        self.assertEqual(person.call("DELETE", "/api/auth/oauth/links/google", {"password": PASSWORD})[0], 404)
        self.assertEqual(person.call("DELETE", "/api/auth/oauth/links/oidc", {"password": PASSWORD})[0], 204)
        self.assertEqual(self.linked(person), [])
        self.assertEqual(visitor.request("GET", f"{self.base}/api/auth/me")[0], 401, "whoever came by the provider is out")
        trail = person.call("GET", "/api/audit?action=account")[1]
        told = {item["action"] for item in trail["items"]}
        self.assertLessEqual({"account.oauth_linked", "account.oauth_unlinked"}, told)

    def test_the_last_way_to_sign_in_stays(self):
        browser = Browser()
        browser.request("GET", self.sign_in(browser, "onlyhere"))
        csrf = json.loads(browser.request("GET", f"{self.base}/api/auth/csrf")[2])["csrf_token"]
        cookies = "; ".join(f"{name}={value}" for (_, _, name), value in browser.cookies.items())
        status, reply, _ = self.server.request("DELETE", "/api/auth/oauth/links/oidc", {"password": "x"}, headers={
            "Authorization": "", "Cookie": cookies, "X-CSRF-Token": csrf})
        self.assertEqual(status, 409, reply)
        self.assertEqual(reply["code"], "oauth.last_way")

    # proves: N-18
    def test_neither_secrets_nor_people_stand_in_the_log(self):
        browser = Browser()
        browser.request("GET", self.sign_in(browser, "logged"))
        browser.request("GET", self.sign_in(browser, "unverified-logged"))
        self.server.log.flush()
        with open(self.server.log.name, encoding="utf-8", errors="replace") as log:
            text = log.read()
        self.assertIn("/api/auth/{provider}/callback", text)
        for part in ("the-secret-of-the-test-client", "@example.org", "unverified-logged", "code_verifier", "id_token"):
            self.assertNotIn(part, text)


if __name__ == "__main__":
    unittest.main()
