#!/usr/bin/env python3
"""proves: W3, W5, P4, S0-1, S0-2, S0-4, S0-T1, S0-T2, S4-C3

The command line as its contract says: exit codes, what goes to which stream, configuration that is refused.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import binary, poll  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: sample, version: '1.0.0'}\n"
HELLO = HEADER + "do:\n  - greet: {set: {text: '${ \"Hello \" + .name }'}}\n"
FAULT = HEADER + """do:
  - break:
      raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime', status: 500, title: Broken, detail: on purpose}}
"""
SLEEP = HEADER + "do:\n  - nap: {wait: {seconds: 60}}\n"
STRONG = "Zx8vQ2mN7kL4tR9wB1yC6hJ3fD5gS0aE"
OTHER = "u7Yt4Re2Wq9Az6Sx3Dc8Vf5Bg1Nh0Mj2"
SEALING = "p9Lk3Jh6Gf2Ds8Aq5Wt1Er7Ty4Ui0OxZ"


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def pawl(self, *arguments, stdin="", environment=None):
        return subprocess.run([binary(), *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.folder.name,
                              env={"PATH": os.environ["PATH"], **(environment or {})})

    def expect(self, done, code, stdout=None):
        self.assertEqual(done.returncode, code, f"stdout: {done.stdout}\nstderr: {done.stderr}")
        if stdout is not None:
            self.assertEqual(done.stdout, stdout)
        return done

    # ---- usage

    def test_help_goes_to_standard_output_everywhere(self):
        for command in ([], ["run"], ["validate"], ["eval"], ["serve"], ["worker"], ["migrate"], ["backup"], ["restore"], ["bench"]):
            done = self.expect(self.pawl(*command, "--help"), 0)
            self.assertIn("--help", done.stdout)
        self.assertIn("pawl ", self.expect(self.pawl("--version"), 0).stdout)

    def test_mistakes_of_usage_end_with_2(self):
        for arguments in ([], ["dance"], ["run"], ["eval"], ["run", "x.yaml", "--loudly"], ["migrate"], ["run", "missing.yaml"]):
            done = self.expect(self.pawl(*arguments), 2, "")
            self.assertTrue(done.stderr)

    # ---- eval

    def test_eval_prints_one_compact_result_a_line(self):
        self.expect(self.pawl("eval", ".a[] | {b: .}", "--input", '{"a": [1, "x"]}'), 0, '{"b":1}\n{"b":"x"}\n')
        self.expect(self.pawl("eval", "$x + 1", "--args", '{"x": 9007199254740993}'), 0, "9007199254740994\n")
        self.expect(self.pawl("eval", ".", "--input", "-", stdin="[1, 2]"), 0, "[1,2]\n")
        self.expect(self.pawl("eval", "empty"), 0, "")

    def test_eval_tells_compile_errors_from_runtime_errors(self):
        self.assertIn("1:", self.expect(self.pawl("eval", ".a |"), 3, "").stderr)
        done = self.expect(self.pawl("eval", "1, error(\"oh\")"), 5, "1\n")
        self.assertIn("oh", done.stderr)
        self.expect(self.pawl("eval", ".", "--input", "{"), 2, "")

    def test_eval_runs_cases_in_the_format_of_jq(self):
        good = self.write("good.test", "# comment\n.a\n{\"a\":1}\n1\n\n%%FAIL\n{(\njq: error\n\n")
        self.assertEqual(self.expect(self.pawl("eval", "--run-tests", good), 0).stdout.splitlines()[-1], "2 passed, 0 failed")
        bad = self.write("bad.test", ".a\n{\"a\":1}\n2\n")
        done = self.pawl("eval", "--run-tests", bad)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed")

    # ---- validate

    def test_validate_names_file_line_and_column(self):
        good = self.write("good.yaml", HELLO)
        self.expect(self.pawl("validate", good), 0, "")
        bad = self.write("bad.yaml", HEADER + "do:\n  - greet:\n      set: {a: '${ .x | }'}\n  - jump: {set: {x: 1}, then: nowhere}\n")
        done = self.expect(self.pawl("validate", good, bad), 2)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2, done.stdout)
        self.assertRegex(lines[0], r"bad\.yaml:4:\d+: error: .* \[[a-z-]+\]$")
        self.assertRegex(lines[1], r"bad\.yaml:5:\d+: error: .* \[[a-z-]+\]$")
        found = json.loads(self.expect(self.pawl("validate", "--json", bad), 2).stdout)
        self.assertFalse(found["valid"])
        self.assertEqual([finding["line"] for finding in found["findings"]], [4, 5])

    # ---- run

    def test_run_prints_the_output_alone_on_standard_output(self):
        file = self.write("hello.yaml", HELLO)
        done = self.expect(self.pawl("run", file, "--input", '{"name": "Ann"}'), 0)
        self.assertEqual(json.loads(done.stdout), {"text": "Hello Ann"})
        self.assertIn("greet", done.stderr)
        self.write("input.json", '{"name": "Bob"}')
        self.assertEqual(json.loads(self.pawl("run", file, "--input", "@" + self.path("input.json")).stdout), {"text": "Hello Bob"})
        self.assertEqual(json.loads(self.pawl("run", file, "--input", "-", stdin='{"name": "Cy"}').stdout), {"text": "Hello Cy"})
        self.assertEqual(os.listdir(self.folder.name).count("pawl-data"), 0)

    def test_run_writes_the_problem_of_a_fault_on_standard_error(self):
        done = self.expect(self.pawl("run", self.write("fault.yaml", FAULT)), 1, "")
        problem = json.loads(done.stderr.splitlines()[-1])
        self.assertEqual((problem["title"], problem["status"], problem["instance"]), ("Broken", 500, "/do/0/break"))

    def test_run_tells_invalid_documents_and_inputs(self):
        done = self.expect(self.pawl("run", self.write("bad.yaml", HEADER + "do: 7\n")), 2, "")
        self.assertRegex(done.stderr, r"bad\.yaml:2:\d+: error:")
        self.expect(self.pawl("run", self.write("hello.yaml", HELLO), "--input", "{nope"), 2, "")
        self.expect(self.pawl("run", self.path("hello.yaml"), "--timeout", "soon"), 2, "")

    def test_run_stops_after_its_time(self):
        done = self.expect(self.pawl("run", self.write("sleep.yaml", SLEEP), "--timeout", "200ms"), 3, "")
        self.assertIn("timed out", done.stderr)

    def test_run_is_cancelled_by_an_interrupt(self):
        process = subprocess.Popen([binary(), "run", self.write("sleep.yaml", SLEEP), "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE,
                                   text=True, env={"PATH": os.environ["PATH"]})
        for line in process.stderr:
            if "/do/0/nap" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out), (3, ""), err)

    def test_run_shows_progress_as_json_lines(self):
        done = self.expect(self.pawl("run", self.write("hello.yaml", HELLO), "--input", '{"name": "A"}', "--json"), 0)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertTrue(any(line.get("task") == "/do/0/greet" and line["status"] == "completed" for line in lines), lines)
        self.assertEqual(lines[-1].get("run"), "completed")

    def test_run_dry_touches_nothing(self):
        file = self.write("write.yaml",
                          HEADER + "do:\n  - save: {call: file-write, with: {path: out.txt, content: hi, allow_destructive: true}}\n"
                          "  - tell: {call: log, with: {message: saved}}\n")
        planned = [line.split(" would do ") for line in self.expect(self.pawl("run", file, "--dry-run"), 0).stderr.splitlines() if " would do " in line]
        self.assertEqual([(task, json.loads(step)["action"]) for task, step in planned], [("/do/0/save", "create"), ("/do/1/tell", "log")])
        self.assertFalse(os.path.exists(self.path("out.txt")))
        self.expect(self.pawl("run", file), 0)
        self.assertTrue(os.path.exists(self.path("out.txt")))

    def test_run_takes_up_what_an_earlier_process_left(self):
        data = self.path("data")
        file = self.write("sleep.yaml", HEADER + "do:\n  - nap: {wait: {seconds: 30}}\n")
        process = subprocess.Popen([binary(), "run", file, "--data-dir", data, "--json"], stderr=subprocess.PIPE, text=True,
                                   env={"PATH": os.environ["PATH"]})
        for line in process.stderr:
            if "/do/0/nap" in line:
                break
        process.kill()
        process.communicate()
        done = self.expect(self.pawl("run", self.write("hello.yaml", HELLO), "--input", '{"name": "A"}', "--data-dir", data), 0)
        self.assertIn("1 unfinished run", done.stderr)

    # ---- configuration and migrations

    # proves: AI-C1, AI-M15, S0-G2, S0-G3, FA-1
    def test_serve_refuses_an_unsafe_production_and_names_every_problem(self):
        for settings, names in [
            ({"ENVIRONMENT": "production"}, ["SECRET_KEY", "ENCRYPTION_KEY", "PAWL_API_KEY"]),
            ({"ENVIRONMENT": "production", "SECRET_KEY": "change-me-in-production", "ENCRYPTION_KEY": SEALING,
              "PAWL_API_KEY": OTHER}, ["SECRET_KEY"]),
            ({"ENVIRONMENT": "production", "SECRET_KEY": STRONG, "ENCRYPTION_KEY": STRONG, "PAWL_API_KEY": "short", "CORS_ORIGINS": "*"},
             ["ENCRYPTION_KEY", "PAWL_API_KEY", "CORS_ORIGINS"]),
            ({"ENVIRONMENT": "production", "SECRET_KEY": STRONG, "ENCRYPTION_KEY": SEALING, "PAWL_API_KEY": OTHER,
              "CORS_ORIGINS": "http://a.org"}, ["CORS_ORIGINS"]),
            ({"ENVIRONMENT": "production", "SECRET_KEY": "1234567890" * 4, "ENCRYPTION_KEY": SEALING, "PAWL_API_KEY": OTHER,
              "PAWL_TRUSTED_PROXIES": "10.0.0.0/99", "PAWL_ALLOWED_ADDRESSES": "a b", "REDIS_URL": "redis://localhost/x",
              "PAWL_CA_FILE": "/no/such/file", "API_HOST": "nowhere", "LLM_PRICES": "/no/such/prices.yaml", "LOG_FILE": "/no/such/log",
              "AUDIT_LOG_PATH": "/no/such/trail", "PAWL_FILE_ROOTS": "/no/such/folder", "LLM_SCRIPTS": "/no/such/scripts",
              "PAWL_DATA_DIR": self.path("empty")},
             ["SECRET_KEY", "PAWL_TRUSTED_PROXIES", "PAWL_ALLOWED_ADDRESSES", "REDIS_URL", "PAWL_CA_FILE", "API_HOST", "LLM_PRICES",
              "LOG_FILE", "AUDIT_LOG_PATH", "PAWL_FILE_ROOTS", "LLM_SCRIPTS", "PAWL_AUTO_MIGRATE"]),
            ({"ENVIRONMENT": "prod"}, ["ENVIRONMENT"]),
        ]:
            done = self.pawl("serve", "--port", "0", environment=settings)
            self.assertNotEqual(done.returncode, 0)
            for name in names:
                self.assertIn(f"{name}:", done.stderr)
            self.assertNotIn("listens", done.stdout)
        self.assertFalse(os.path.exists(self.path("empty")), "who only asks makes no database")

    def test_serve_takes_settings_from_a_file(self):
        file = self.write("my.env", "API_PORT=ninety\nNO_SUCH=1\n")
        done = self.expect(self.pawl("serve", "--config", file), 2)
        self.assertIn("API_PORT", done.stderr)
        self.assertIn("my.env:2", done.stderr)

    def test_migrations_go_up_and_down(self):
        data = self.path("data")
        self.expect(self.pawl("migrate", "status", "--data-dir", data), 1)
        self.expect(self.pawl("migrate", "verify", "--data-dir", data), 1)
        self.expect(self.pawl("migrate", "up", "--data-dir", data), 0)
        self.expect(self.pawl("migrate", "verify", "--data-dir", data), 0)
        self.assertIn("0001", self.expect(self.pawl("migrate", "status", "--data-dir", data), 0).stdout)
        while "nothing" not in self.expect(self.pawl("migrate", "down", "--data-dir", data), 0).stdout:
            pass
        self.expect(self.pawl("migrate", "up", "--data-dir", data), 0)

    # proves: S0-10, S4-M5
    def test_production_does_not_migrate_by_itself(self):
        done = self.pawl("serve", "--port", "0", "--data-dir", self.path("data"),
                         environment={"ENVIRONMENT": "production", "SECRET_KEY": STRONG, "ENCRYPTION_KEY": SEALING,
                                      "PAWL_API_KEY": OTHER})
        self.expect(done, 1)
        self.assertIn("migrate up", done.stderr)


if __name__ == "__main__":
    unittest.main()
