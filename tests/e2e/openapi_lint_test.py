#!/usr/bin/env python3
"""proves: P8, S4-L4

The served OpenAPI document under a public linter: Spectral, from npm, pinned in openapi_lint/package-lock.json. No error and no warning.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server  # noqa: E402
from packages import install  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "openapi_lint")


class OpenApiLint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", cls.folder.name), "tests", "openapi-lint")
        install(SOURCE, cls.packages, "@stoplight/spectral-cli", required_in_ci=True)
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.addClassCleanup(cls.server.stop)
        _, cls.document, _ = cls.server.request("GET", "/api/openapi.json")

    def lint(self, document):
        """-> (exit status, findings as texts)"""
        path = os.path.join(self.folder.name, "openapi.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        done = subprocess.run([os.path.join(self.packages, "node_modules", ".bin", "spectral"), "lint", "--ruleset",
                               os.path.join(SOURCE, "ruleset.yaml"), "--fail-severity", "hint", "--format", "json", "--quiet", path],
                              capture_output=True, text=True, timeout=240, check=False)
        try:
            return done.returncode, [f"{each['code']} at /{'/'.join(map(str, each['path']))}: {each['message']}" for each in json.loads(done.stdout)]
        except ValueError:
            raise RuntimeError(f"the linter failed: {done.stdout[-500:]} {done.stderr[-500:]}") from None

    def test_the_linter_finds_nothing(self):
        self.assertEqual(self.lint(self.document), (0, []))

    def test_the_linter_would_find_something(self):
        del self.document["paths"]["/api/workflows"]["get"]["operationId"]
        self.document["components"]["schemas"]["Problem"]["properties"]["status"]["type"] = "a number"
        status, found = self.lint(self.document)
        self.assertNotEqual(status, 0)
        codes = {each.split(" ")[0] for each in found}
        self.assertLessEqual({"operation-operationId", "oas3-schema"}, codes, found)


if __name__ == "__main__":
    unittest.main()
