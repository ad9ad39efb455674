#!/usr/bin/env python3
"""proves: S4-C4, S4-A-P0d, S0-9, S0-R6, FA-6, P3

Rate limits of the real server: headers, refusals, proxies, and two processes over one Redis.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, free_port, poll  # noqa: E402

SECRET = "a-secret-for-tests-0123456789-0123456789-abcdef"
ANONYMOUS = {"Authorization": ""}


class Redis:
    """A redis-server of the test's own; `start` may follow `kill`."""

    def __init__(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


class LimitsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.count = 0

    def serve(self, **environment):
        self.count += 1
        data = os.path.join(self.folder.name, f"data-{self.count}")
        server = Server(data, extra_environment={"RATE_LIMIT_ENABLED": "true", "SECRET_KEY": SECRET, **environment}).start()
        self.addCleanup(server.stop)
        return server

    def login(self, server, email, headers=None):
        """A log-in that fails. -> the answer of `request`."""
        return server.request("POST", "/api/auth/login", {"email": email, "password": "wrong horse battery"},
                              {**ANONYMOUS, **(headers or {})})

    def assert_refused(self, answer, seconds=60):
        status, reply, fields = answer
        self.assertEqual(status, 429, reply)
        self.assertEqual(reply["code"], "rate.limited")
        self.assertEqual(fields["X-RateLimit-Remaining"], "0")
        self.assertGreaterEqual(int(fields["Retry-After"]), 1)
        self.assertLessEqual(int(fields["Retry-After"]), seconds)
        return fields

    def test_every_counted_answer_says_where_its_caller_stands(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5")
        for left in (4, 3, 2, 1, 0):
            status, _, fields = server.request("GET", "/api/workflows")
            self.assertEqual(status, 200)
            self.assertEqual(fields["X-RateLimit-Limit"], "5")
            self.assertEqual(fields["X-RateLimit-Remaining"], str(left))
            self.assertLessEqual(abs(int(fields["X-RateLimit-Reset"]) - time.time()), 3601)
            self.assertNotIn("Retry-After", fields)
        fields = self.assert_refused(server.request("GET", "/api/workflows"), 720)
        self.assertEqual(fields["X-RateLimit-Limit"], "5")
        for path in ("/health", "/health/readiness"):
            status, _, fields = server.request("GET", path)
            self.assertEqual(status, 200)
            self.assertNotIn("X-RateLimit-Limit", fields)

    def test_keys_cannot_be_guessed_without_end(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5")
        for guess in range(5):
            self.assertEqual(server.request("GET", "/api/workflows", None, {"Authorization": f"Bearer guess-{guess}"})[0], 401)
        self.assert_refused(server.request("GET", "/api/workflows", None, {"Authorization": "Bearer guess-6"}), 720)
        self.assertEqual(server.request("GET", "/api/workflows")[0], 200, "who has a key is not concerned")

    def test_who_brings_no_key_is_counted_by_address(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5")
        for _ in range(5):
            self.assertEqual(server.request("POST", "/api/workflows", {}, ANONYMOUS)[0], 401)
        self.assert_refused(server.request("GET", "/api/workflows", None, ANONYMOUS), 720)
        self.assertEqual(server.request("GET", "/api/workflows")[0], 200, "who has a key is not concerned")

    # proves: A6
    def test_asking_models_has_a_budget_of_its_own_beside_the_general_one(self):
        server = self.serve(RATE_LIMIT_LLM_PER_MINUTE="2")
        for left in (1, 0):
            status, reply, fields = server.request("POST", "/api/llm/generate", {"prompt": "x"})
            self.assertEqual((status, reply["code"]), (409, "llm.not_configured"))
            self.assertEqual((fields["X-RateLimit-Limit"], fields["X-RateLimit-Remaining"]), ("2", str(left)))
        for route in ("chat", "execute", "generate", "generate-workflow", "heal", "observe", "plan", "recover", "validate"):
            self.assertEqual(self.assert_refused(server.request("POST", f"/api/llm/{route}", {}))["X-RateLimit-Limit"], "2", route)
        status, _, fields = server.request("GET", "/api/llm/providers")
        self.assertEqual((status, fields["X-RateLimit-Limit"]), (200, "600"), "no model is asked")
        server = self.serve(RATE_LIMIT_PER_HOUR="2")
        for _ in range(2):
            self.assertEqual(server.request("POST", "/api/llm/generate", {"prompt": "x"})[0], 409)
        self.assert_refused(server.request("POST", "/api/llm/generate", {"prompt": "x"}), 1800)

    def test_limits_can_be_switched_off(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5", RATE_LIMIT_ENABLED="false")
        for _ in range(20):
            status, _, fields = server.request("GET", "/api/workflows")
            self.assertEqual(status, 200)
            self.assertNotIn("X-RateLimit-Limit", fields)

    # proves: S4-C4, AI-C6
    def test_guessed_webhooks_are_counted_by_address_and_leave_no_record(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5")
        for guess in range(5):
            self.assertEqual(server.request("POST", f"/hooks/nosuch{guess}", {}, ANONYMOUS)[0], 404)
        self.assert_refused(server.request("POST", "/hooks/nosuch6", {}, ANONYMOUS), 720)
        records = server.request("GET", "/api/audit?all=true&action=webhooks.hookPost")[1]["items"]
        self.assertEqual([record["details"]["status"] for record in records if record["outcome"] == "failure"], [])

    # proves: S4-C4, AI-C6
    def test_malformed_log_ins_are_counted_too(self):
        server = self.serve(RATE_LIMIT_PER_HOUR="5")
        for _ in range(5):
            self.assertEqual(server.request("POST", "/api/auth/login", "{", ANONYMOUS)[0], 400)
        self.assert_refused(server.request("POST", "/api/auth/login", "{", ANONYMOUS), 720)

    def test_what_nobody_signed_in_for_fills_no_trail(self):
        server = self.serve(RATE_LIMIT_ENABLED="false")
        began = time.monotonic()
        for _ in range(150):
            self.assertEqual(server.request("POST", "/api/auth/login", "{", ANONYMOUS)[0], 400)
        seconds = time.monotonic() - began
        records = server.request("GET", "/api/audit?all=true&action=auth.login&limit=200")[1]["items"]
        self.assertLessEqual(len(records), 20 * (int(seconds) + 2))

    # proves: P11
    def test_credentials_have_a_small_body(self):
        server = self.serve(RATE_LIMIT_ENABLED="false")
        body = json.dumps({"email": "a@example.org", "password": "x" * 70_000})
        self.assertEqual(server.request("POST", "/api/auth/login", body, ANONYMOUS)[0], 413)

    # proves: AI-C6, S4-R1, FA-1
    def test_the_sixth_log_in_of_an_address_is_refused(self):
        server = self.serve()
        for attempt in range(5):
            status, reply, fields = self.login(server, f"user{attempt}@example.org")
            self.assertEqual(status, 401, reply)
            self.assertEqual(fields["X-RateLimit-Limit"], "5")
        self.assert_refused(self.login(server, "somebody@example.org"))
        for path, body in (("/api/auth/forgot-password", {"email": "a@example.org"}),
                           ("/api/auth/register", {"email": "a@example.org", "password": "a long Passphrase 17", "name": "A"})):
            self.assert_refused(server.request("POST", path, body, ANONYMOUS))

    # proves: S4-C4, S4-A-P0d
    def test_every_route_that_takes_a_password_a_code_or_a_link_is_refused_at_the_sixth(self):
        server = self.serve(PAWL_TRUSTED_PROXIES="127.0.0.1")
        account = {"email": "%d@example.org", "password": "a long Passphrase 17", "name": "Ann"}

        def signed_in(name):
            """Each somebody else: the attempts of one account are counted over all routes."""
            status, session, _ = server.request("POST", "/api/auth/register", {**account, "email": f"{name}@example.org"},
                                                {**ANONYMOUS, "X-Forwarded-For": f"203.0.113.{ord(name)}"})
            self.assertEqual(status, 201, session)
            return {"Authorization": f"Bearer {session['access_token']}"}

        routes = [("/api/auth/register", {**account, "password": "short"}, ANONYMOUS),
                  ("/api/auth/login", {"email": "%d@example.org", "password": "wrong horse battery"}, ANONYMOUS),
                  ("/api/auth/forgot-password", {"email": "%d@example.org"}, ANONYMOUS),
                  ("/api/auth/reset-password", {"token": "guess-%d", "new_password": "a long Passphrase 17"}, ANONYMOUS),
                  ("/api/auth/verify-email", {"token": "guess-%d"}, ANONYMOUS),
                  ("/api/invitations/preview", {"token": "guess-%d"}, ANONYMOUS),
                  ("/api/auth/change-password", {"old_password": "wrong", "new_password": "a long Passphrase 18"}, signed_in("a")),
                  ("/api/auth/totp/setup", {"password": "wrong"}, signed_in("b")),
                  ("/api/auth/totp/enable", {"code": "%06d"}, signed_in("c")),
                  ("/api/auth/totp/disable", {"password": "wrong", "code": "%06d"}, signed_in("d"))]
        for number, (path, body, headers) in enumerate(routes):
            headers = {**headers, "X-Forwarded-For": f"198.51.100.{number}"}
            for attempt in range(6):
                filled = {name: value % attempt if "%" in value else value for name, value in body.items()}
                answer = server.request("POST", path, filled, headers)
                if attempt < 5:
                    self.assertNotEqual(answer[0], 429, f"{path}: attempt {attempt + 1}")
                    self.assertEqual(answer[2]["X-RateLimit-Limit"], "5", path)
            self.assert_refused(answer)

    def test_a_client_cannot_choose_its_address(self):
        server = self.serve()
        for attempt in range(5):
            status, _, _ = self.login(server, f"user{attempt}@example.org", {"X-Forwarded-For": f"198.51.100.{attempt}"})
            self.assertEqual(status, 401)
        self.assert_refused(self.login(server, "x@example.org", {"X-Forwarded-For": "198.51.100.99", "Forwarded": "for=198.51.100.99"}))

    def test_an_account_is_counted_over_all_addresses(self):
        server = self.serve(PAWL_TRUSTED_PROXIES="127.0.0.1")
        for attempt in range(5):
            status, reply, _ = self.login(server, "Ann@example.org", {"X-Forwarded-For": f"198.51.100.{attempt}"})
            self.assertEqual(status, 401, reply)
        self.assert_refused(self.login(server, "ann@example.org", {"X-Forwarded-For": "198.51.100.77"}))
        status, reply, _ = self.login(server, "bob@example.org", {"X-Forwarded-For": "198.51.100.77"})
        self.assertEqual(status, 401, reply)

    def test_a_dead_place_is_called_five_times_and_then_left_alone(self):
        server = self.serve(RATE_LIMIT_ENABLED="false")
        target = f"http://127.0.0.1:{free_port()}"
        workflow = server.create_workflow(
            "document: {dsl: '1.0.3', namespace: test, name: dead, version: '1.0.0'}\n"
            f"do:\n  - ask: {{call: http, with: {{method: get, endpoint: {target}/}}}}\n")
        for _ in range(7):
            server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": True})
        status, health, _ = server.request("GET", "/health/detailed")
        self.assertEqual(status, 200)
        breaker = next(one for one in health["circuit_breakers"] if one["origin"] == target)
        self.assertEqual((breaker["state"], breaker["failures"]), ("open", 5))
        self.assertGreaterEqual(breaker["refused"], 2)
        self.assertIn(f'pawl_circuit_breaker_state{{target="{target}"}} 2\n', server.request("GET", "/metrics")[1])

    # proves: S0-T3
    @unittest.skipUnless(shutil.which("redis-server"), "no redis-server in PATH: sharing between processes is NOT tested")
    def test_two_processes_share_one_budget_and_survive_without_redis(self):
        redis = Redis().start()
        self.addCleanup(redis.kill)
        settings = {"REDIS_URL": redis.url, "RATE_LIMIT_PER_HOUR": "6", "LOG_LEVEL": "warning"}
        servers = [self.serve(**settings), self.serve(**settings)]

        def redis_is(status):
            return all(server.request("GET", "/health/readiness")[1]["checks"]["redis"] == status for server in servers)

        poll(lambda: redis_is("ok"), 20, "both servers reach Redis")
        self.assertIn("pawl_redis_connected 1\n", servers[0].request("GET", "/metrics")[1])
        for attempt in range(6):
            status, _, fields = servers[attempt % 2].request("GET", "/api/workflows")
            self.assertEqual(status, 200)
            self.assertEqual(fields["X-RateLimit-Limit"], "6")
        for server in servers:
            self.assert_refused(server.request("GET", "/api/workflows"), 600)
        for attempt in range(5):
            self.assertEqual(self.login(servers[attempt % 2], "ann@example.org")[0], 401)
        for server in servers:
            self.assert_refused(self.login(server, "ann@example.org"), 600)  # it counts for the six of the address too

        redis.kill()
        poll(lambda: redis_is("warning"), 20, "readiness says warning")
        for server in servers:
            self.assertEqual(server.request("GET", "/health/readiness")[0], 200)
            allowed = [server.request("GET", "/api/workflows")[0] for _ in range(10)].count(200)
            self.assertEqual(allowed, 6, "each process has its own budget now")
        redis.start()
        poll(lambda: redis_is("ok"), 20, "both servers come back to Redis")
        for server in servers:
            text = server.tail()
            self.assertEqual(text.count("is not available"), 1, text)
            self.assertNotIn("Traceback", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
