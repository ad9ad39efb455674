#!/usr/bin/env python3
"""The contract with clients: what the last release promised still holds, by either prefix, and what will go says so.

    contract_test.py --write     writes docs/api-contract.txt anew: at a release, and where a break is meant
"""

import calendar
import copy
import email.utils
import os
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from contract import Contract  # noqa: E402
from pawl_server import Server  # noqa: E402

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "api-contract.txt")
HEAD = "# What clients may rely on, compared with the served document by tests/e2e/contract_test.py, which also writes it (--write).\n"
HALF_A_YEAR = 180 * 86400


def served_document(server):
    status, document, _ = server.request("GET", "/api/openapi.json", headers={"Authorization": ""})
    if status != 200:
        raise RuntimeError(f"/api/openapi.json: {status}")
    return document


class ContractTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data")).start()
        cls.document = served_document(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    # proves: S0-15, FA-7
    def test_nothing_that_was_promised_is_broken(self):
        with open(PAGE, encoding="utf-8") as file:
            promised = Contract.of_text(file.read())
        self.assertGreater(len(promised.operations), 90)
        broken = promised.broken_by(Contract.of_document(self.document))
        self.assertEqual(broken, [], "clients break; if that is meant, say so in CHANGELOG.md and run tests/e2e/contract_test.py --write")

    # proves: S0-15
    def test_every_kind_of_break_is_found_and_additions_are_free(self):
        promised = Contract.of_document(self.document)

        def found(change):
            changed = copy.deepcopy(self.document)
            change(changed)
            return promised.broken_by(Contract.of_document(changed))

        def body(document):
            return document["paths"]["/api/integrations"]["post"]["requestBody"]["content"]["application/json"]["schema"]

        def inner(document, schema):
            return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

        def run(document):
            return inner(document, document["paths"]["/api/runs/{run_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"])

        breaks = {
            "gone: GET /api/runs": lambda d: d["paths"].pop("/api/runs"),
            "GET /api/runs = : is listRuns": lambda d: d["paths"]["/api/runs"]["get"].update(operationId="other"),
            "GET /api/runs = : needs own": lambda d: d["paths"]["/api/runs"]["get"].update({"x-pawl-permission": "own"}),
            "GET /api/runs = : answers 200": lambda d: d["paths"]["/api/runs"]["get"]["responses"].pop("200"),
            "GET /api/runs ? /status": lambda d: d["paths"]["/api/runs"]["get"].update(
                parameters=[each for each in d["paths"]["/api/runs"]["get"]["parameters"] if each["name"] != "status"]),
            "POST /api/integrations < /name: takes string": lambda d: inner(d, body(d))["properties"].pop("name"),
            "POST /api/integrations < /size: must be given": lambda d: (
                inner(d, body(d))["properties"].update(size={"type": "integer"}), inner(d, body(d))["required"].append("size")),
            "GET /api/runs/{run_id} > /status: is there": lambda d: run(d)["required"].remove("status"),
            "GET /api/runs/{run_id} > /status: may be integer": lambda d: run(d)["properties"].update(status={"type": "integer"}),
            "GET /api/runs/{run_id} > /status: may be null": lambda d: run(d)["properties"].update(status={"type": ["string", "null"]}),
        }
        for sentence, change in breaks.items():
            with self.subTest(sentence):
                self.assertTrue(any(sentence in each for each in found(change)), found(change))

        def add(document):
            document["paths"]["/api/new"] = copy.deepcopy(document["paths"]["/api/integrations"])
            inner(document, body(document))["properties"]["hint"] = {
                "type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
            run(document)["properties"]["extra"] = {"type": ["string", "null"]}
            run(document)["required"].append("extra")
        self.assertEqual(found(add), [])
        self.assertEqual(Contract.of_text(promised.text()).lines, promised.lines)

    # proves: FA-4, AI-H13
    def test_every_route_below_api_answers_below_the_version_too(self):
        walked = 0
        for method, path, operation in self.operations():
            if not path.startswith("/api/") or operation["x-pawl-permission"] == "open":
                continue
            filled = re.sub(r"\{[^}]+\}", "01900000-0000-7000-8000-000000000000", path)
            answers = []
            for url in (filled, filled.replace("/api/", "/api/v1/", 1)):
                status, reply, _ = self.server.request(method, url, headers={"Authorization": ""})
                answers.append((status, reply["code"]))
            self.assertEqual(answers, [(401, "auth.missing")] * 2, f"{method} {path}")
            walked += 1
        self.assertGreater(walked, 60)
        for prefix in ("/api", "/api/v1"):
            self.assertEqual(self.server.request("GET", prefix + "/workflows")[0], 200)
        self.assertEqual(self.server.request("GET", "/api/v2/workflows")[0], 404, "a version that is not there is no other's alias")

    # proves: FA-4
    def test_what_will_go_says_so_in_every_answer_and_in_the_document(self):
        deprecated = [(method, path) for method, path, operation in self.operations() if operation.get("deprecated")]
        self.assertIn(("GET", "/api/ready"), deprecated)
        for method, path, operation in self.operations():
            if operation["x-pawl-permission"] != "open" or method != "GET" or "{" in path:
                continue
            for url in {path, path.replace("/api/", "/api/v1/", 1)}:
                status, _, fields = self.server.request(method, url)
                if (method, path) not in deprecated:
                    self.assertNotIn("Deprecation", fields, url)
                    self.assertNotIn("Sunset", fields, url)
                    continue
                self.assertEqual(status, 200, url)
                since = int(re.fullmatch(r"@(\d+)", fields["Deprecation"])[1])
                sunset = calendar.timegm(email.utils.parsedate(fields["Sunset"]))
                self.assertGreaterEqual(sunset - since, HALF_A_YEAR, url)
                self.assertRegex(fields["Sunset"], r"^\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT$")
                successor = re.fullmatch(r'<(/[^>]+)>; rel="successor-version"', fields["Link"])[1]
                self.assertEqual(self.server.request(method, successor)[0], 200, "what takes its place is there")

    # proves: AI-M10
    def test_the_documentation_page_needs_nothing_from_elsewhere(self):
        status, page, fields = self.server.request("GET", "/api/docs", headers={"Authorization": ""})
        self.assertEqual((status, fields["Content-Type"].split(";")[0]), (200, "text/html"))
        parts = re.findall(r'(?:src|href)="([^"]+)"', page)
        self.assertGreaterEqual(len(parts), 2)
        for part in parts:
            self.assertNotRegex(part, r"^(https?:)?//", "an outside asset")
            url = part if part.startswith("/") else "/api/" + part
            self.assertEqual(self.server.request("GET", url, headers={"Authorization": ""})[0], 200, url)
        self.assertIn("default-src", fields["Content-Security-Policy"])
        self.assertNotIn("http", fields["Content-Security-Policy"])

    # proves: FA-12
    def test_nothing_takes_uploads_beside_the_database(self):
        """There is no route for files: what a client sends is JSON, checked, and kept in the database. Forms with files are refused."""
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../../evil.html"\r\n\r\n<script>\r\n--x--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        for method, path, operation in self.operations():
            for kind in operation.get("requestBody", {}).get("content", {}):
                self.assertRegex(kind, r"^application/(\w+\+)?json$", f"{method} {path}")
            if "requestBody" in operation and path.startswith("/api/") and "{" not in path:
                status, reply, _ = self.server.request(method, path, form, headers)
                self.assertEqual(status, 415, f"{method} {path}: {reply}")
        left = [os.path.join(folder, name) for folder, _, names in os.walk(self.folder.name) for name in names if "evil" in name]
        self.assertEqual(left, [])


def write():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, "data")).start()
        try:
            text = Contract.of_document(served_document(server)).text()
        finally:
            server.stop()
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(HEAD + text)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        unittest.main()
