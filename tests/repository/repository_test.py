#!/usr/bin/env python3
"""What holds for the repository itself: pages that exist and are found, pinned parts, files that stay out, tests with limits, the platform."""

import importlib.machinery
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(os.environ.get("PAWL_SOURCE_DIR") or pathlib.Path(__file__).resolve().parents[2])
BUILD = pathlib.Path(os.environ.get("PAWL_BINARY_DIR") or ROOT / "build/release")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


class RepositoryTest(unittest.TestCase):
    # proves: F1
    def test_a_function_is_one_file_and_one_line(self):
        """proves: F1

        Beside its own file a built-in function stands in the table of factories and nowhere else in the program: no switch, list or form knows its name.
        """
        folder = ROOT / "src" / "functions"
        made = {}
        for path in folder.glob("*.cpp"):
            for factory in re.findall(r"^std::unique_ptr<engine::Function> (make_\w+)\(const Parts&", path.read_text(encoding="utf-8"), re.MULTILINE):
                self.assertNotIn(factory, made)
                made[factory] = path
        self.assertEqual(len(set(made.values())), len(made), "one file for each")
        table = (folder / "detail" / "builtins.hpp").read_text(encoding="utf-8")
        for apart in ("make_mcp", "make_a2a"):  # talk to servers of a catalogue that is read later (`add_mcp_functions`)
            made.pop(apart)
        self.assertEqual(sorted(re.findall(r"^  X\((make_\w+)\)", table, re.MULTILINE)), sorted(made))
        for path in (ROOT / "src").rglob("*.[ch]pp"):
            if path.name == "builtins.hpp":
                continue
            known = set(re.findall(r"\bmake_\w+\b", path.read_text(encoding="utf-8"))) & set(made)
            self.assertEqual(known, {factory for factory, own in made.items() if own == path}, path)

    # proves: FA-20, FA-16
    def test_every_page_is_found_from_the_readme(self):
        found, open_pages = set(), [ROOT / "README.md"]
        while open_pages:
            page = open_pages.pop()
            if page in found:
                continue
            found.add(page)
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
                file = (page.parent / target).resolve()
                if file.suffix == ".md" and file.is_file():
                    open_pages.append(file)
        names = {str(page.relative_to(ROOT)) for page in found}
        self.assertLessEqual({"ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/api.md", "docs/operations.md", "docs/runbook.md"}, names)
        pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
        self.assertEqual(pages - names, set(), "nobody would find these")

    def test_every_security_check_names_tests_that_exist(self):
        page = (ROOT / "docs/security-tests.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", page, re.M)
        self.assertEqual([int(number) for number, _ in rows], list(range(1, 41)))
        suites = set()
        for name in output("git", "ls-files", "--cached", "--others", "--exclude-standard", "src/*_test.cpp", "tests/*.cpp").split():
            text = (ROOT / name).read_text(encoding="utf-8")
            suites |= {".".join(found) for found in re.findall(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\s*\(\s*(\w+)\s*,\s*(\w+)", text, re.M)}
        for number, proofs in rows:
            names = re.findall(r"`([^`]+)`", proofs)
            self.assertTrue(names, number)
            for name in names:
                file, _, test = name.partition("::")
                if (ROOT / file).is_file():
                    self.assertTrue(not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{number}: {name}")
                else:
                    self.assertIn(name, suites, number)

    # Points 14 and 35: what users and models write is text for React, which escapes it.
    def test_the_interface_makes_no_markup_of_data(self):
        files = [ROOT / name for name in output("git", "ls-files", "web/src/*.ts", "web/src/*.tsx").split()]
        self.assertGreater(len(files), 50)
        for file in files:
            for way in ("dangerouslySetInnerHTML", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "srcDoc"):
                self.assertNotIn(way, file.read_text(encoding="utf-8"), file)
        packages = json.loads((ROOT / "web/package.json").read_text(encoding="utf-8"))
        named = {**packages.get("dependencies", {}), **packages.get("devDependencies", {})}
        self.assertEqual([name for name in named if re.search(r"marked|markdown|showdown|remark|dompurify", name)], [])

    # Point 5.
    def test_nothing_is_read_that_brings_code(self):
        for name in output("git", "ls-files", "src/*.cpp", "src/*.hpp", "src/*.py", "src/*.js").split():
            if name.endswith("_test.cpp"):
                continue
            text = (ROOT / name).read_text(encoding="utf-8")
            self.assertIsNone(re.search(r"pickle|marshal\.loads|boost/serialization|yaml\.(unsafe_)?load\(", text), name)

    # proves: FA-20
    def test_who_begins_finds_commands_that_exist(self):
        text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
        commands = set(re.findall(r"`(scripts/\w+)", text))
        self.assertGreaterEqual(len(commands), 5)
        for command in commands | {".ci/run"}:
            self.assertTrue(os.access(ROOT / command, os.X_OK), command)
            self.assertIn("--help", (ROOT / command).read_text(encoding="utf-8"), f"{command} explains itself")

    # proves: AI-M6
    def test_what_is_made_or_secret_is_ignored(self):
        for path in ("build/release/pawl", "pawl-bench-x/functions/secret.key", "pawl-data/secret.key", "pawl-data/pawl.db",
                     ".cache/x", "node_modules/x", "tests/__pycache__/x.pyc"):
            done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
            self.assertEqual(done.returncode, 0, path)
        for path in ("src/base/ids.hpp", "docs/api.md", ".env.example"):
            self.assertEqual(subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode, 1, path)
        image = {line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()}
        self.assertLessEqual({".git", "build", "pawl-data", "node_modules"}, image, "an image would carry the history, or somebody's keys")

    # proves: AI-M9
    def test_every_part_is_pinned(self):
        # Debian's packages by a range; npm's, which stand in a section of their own, by the lock files below.
        packages = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").partition("\n## Web interface")[0]
        rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| ([^|]+?) \|", packages, re.M)
        self.assertGreater(len(rows), 40)
        for name, limits in rows:
            self.assertRegex(limits, r"^>= \S+( < \S+)?$", name)
        for manifest in output("git", "ls-files", "*package.json").split():
            lock = json.loads((ROOT / manifest).with_name("package-lock.json").read_text())
            for path, package in lock["packages"].items():
                if path:
                    self.assertTrue(package["version"], f"{manifest}: {path}")
                    self.assertTrue(package.get("integrity") or package.get("link"), f"{manifest}: {path} could be anything")

    # proves: AI-M2
    def test_the_core_is_run_by_its_unit_tests(self):
        """The figures that scripts/coverage --write has kept. What was written since counts as not run, as large a part of it being code as
        of the rest, so that nobody need measure after each change, and nobody gets around measuring after a large one."""
        loader = importlib.machinery.SourceFileLoader("coverage", str(ROOT / "scripts/coverage"))
        coverage = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(coverage)
        record = json.loads((ROOT / "tests/coverage.json").read_text())
        self.assertLessEqual({"base", "json", "yaml", "jq", "dsl"}, set(record))
        for module, figures in record.items():
            written_since = max(coverage.source_lines(module) - figures["source_lines"], 0)
            share = 100 * figures["ran"] / (figures["lines"] * (1 + written_since / figures["source_lines"]))
            self.assertGreaterEqual(share, 90, f"{module}: {written_since} lines were written since; measure with scripts/coverage --write")

    # proves: FA-21
    def test_every_test_has_a_limit_and_none_relies_on_an_order(self):
        listed = json.loads(output("ctest", "--test-dir", BUILD, "--show-only=json-v1"))["tests"]
        self.assertGreater(len(listed), 30)
        for test in listed:
            properties = {each["name"]: each["value"] for each in test.get("properties", [])}
            self.assertLessEqual(properties.get("TIMEOUT", 10**9), 1800, f"{test['name']} may hang for ever")
            program = test["command"][-1] if "command" in test else ""
            if re.search(r"/tests/pawl_\w+_test$", program):
                self.assertIn("GTEST_SHUFFLE=1", properties.get("ENVIRONMENT", []), f"{test['name']} always runs in the same order")

    # proves: S4-T2
    def test_the_platform_is_the_one_that_is_stated(self):
        stated = re.search(r"built and tested on Debian (\d+) \((\w+), GCC ([\d.]+)\)", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
        system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
        self.assertEqual((system["ID"], system["VERSION_ID"]), ("debian", stated[1]))
        self.assertEqual(output("dpkg", "--print-architecture").strip(), stated[2])
        self.assertTrue(output("g++", "-dumpfullversion").startswith(stated[3] + "."))


if __name__ == "__main__":
    unittest.main()
