#!/usr/bin/env python3
"""proves: W3, W5, W7, P5, P11, S0-T3, S0-T4, AI-M3

The HTTP contract against the real binary: every route on its good and its bad paths.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Background, Server, binary, poll  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
ECHO = HEADER % "echo" + "do:\n  - say: {set: {got: '${ $input }'}}\n"
NAP = HEADER % "nap" + "do:\n  - nap: {wait: {seconds: 60}}\n"
FAULT = HEADER % "fault" + """do:
  - break:
      raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime', status: 500, title: Broken}}
"""
LISTEN = HEADER % "listen" + """do:
  - hear:
      listen: {to: {one: {with: {type: com.example.go}}}}
"""
UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$"
NOBODY = "01900000-0000-7000-8000-000000000000"


def completed(view):
    return view if view["status"] == "completed" else None


class ServerTest(unittest.TestCase):
    """One server for all tests of a class; each test makes its own workflows."""

    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment=cls.environment).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=None, headers=None):
        status, reply, fields = self.server.request(method, path, body, headers)
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        self.fields = fields
        return reply

    def problem(self, method, path, body=None, expect=400, code=None, headers=None):
        reply = self.call(method, path, body, expect, headers)
        self.assertEqual(self.fields["Content-Type"], "application/problem+json")
        for member in ("type", "title", "status", "detail", "instance", "request_id"):
            self.assertIn(member, reply)
        self.assertEqual(reply["status"], expect)
        if code:
            self.assertEqual(reply["code"], code)
        return reply

    def create(self, definition, **members):
        return self.call("POST", "/api/workflows", {"definition": definition, **members}, 201)

    def execute(self, workflow, expect=200, **members):
        return self.call("POST", f"/api/workflows/{workflow['id']}/execute", members, expect)

    def run_in_phase(self, run, *phases):
        def look():
            view = self.call("GET", f"/api/runs/{run['id']}", expect=200)
            return view if view["status"] in phases else None
        return poll(look, 10, f"run {run['id']} is {phases}")


class Health(ServerTest):
    def test_health_routes_are_open_and_readiness_names_its_checks(self):
        for path in ("/health", "/health/liveness", "/health/readiness", "/health/migrations", "/api/health", "/api/ready", "/api/live",
                     "/"):
            status, _, _ = self.server.request("GET", path, headers={"Authorization": ""})
            self.assertEqual(status, 200, path)
        checks = self.call("GET", "/health/readiness", expect=200)["checks"]
        self.assertEqual(set(checks), {"database", "redis", "mail", "database_pool", "migrations", "disk"})
        self.assertEqual(checks["database"], "ok")
        self.assertEqual(self.call("GET", "/health/migrations", expect=200)["status"], "up_to_date")
        self.assertIn("engine", self.call("GET", "/health/detailed", expect=200))


class Surface(ServerTest):
    environment = {"CORS_ORIGINS": "https://app.example.org", "PAWL_MAX_BODY_BYTES": "65536"}

    # proves: AI-H1
    def test_every_route_but_the_open_ones_needs_the_key(self):
        for key in ("", "Bearer wrong", "Bearer " + API_KEY + "x", "Basic " + API_KEY, "Bearer"):
            for method, path in (("GET", "/api/workflows"), ("POST", "/api/workflows"), ("GET", f"/api/runs/{NOBODY}"),
                                 ("GET", "/api/plugins"),
                                 ("POST", "/api/events"), ("GET", "/api/schedules"), ("GET", "/health/detailed"), ("GET", "/api/v1/runs"),
                                 ("GET", f"/api/runs/{NOBODY}/events"), ("POST", f"/api/workflows/{NOBODY}/execute")):
                self.problem(method, path, {} if method == "POST" else None, 401, headers={"Authorization": key})
                self.assertEqual(self.fields["WWW-Authenticate"], "Bearer")

    def test_unknown_paths_and_methods(self):
        self.problem("GET", "/api/nothing", expect=404)
        self.problem("PATCH", "/api/workflows", {}, 405)
        self.assertIn("POST", self.fields["Allow"])
        for path in ("/api//workflows", "/api/workflows/../runs", "/api/%2e%2e/runs", "/api/workflows%2f1", "/api;x/workflows",
                     "/api/runs/%00"):
            status, _, _ = self.server.request("GET", path)
            self.assertIn(status, (400, 404), path)
        for path in ("/api/workflows/not-an-id", f"/api/workflows/{NOBODY}", "/api/runs/1", f"/api/runs/{NOBODY}",
                     f"/api/schedules/{NOBODY}",
                     "/api/plugins/nope", f"/api/workflows/{NOBODY}/versions", f"/api/runs/{NOBODY}/events"):
            self.problem("GET", path, expect=404)
        for action in ("cancel", "suspend", "resume", "retry"):
            self.problem("POST", f"/api/runs/{NOBODY}/{action}", {}, 404)

    # proves: AI-H12
    def test_bodies_are_read_strictly(self):
        self.problem("POST", "/api/workflows", "{nope", 400, "request.malformed")
        self.problem("POST", "/api/workflows", "a: b", 415, headers={"Content-Type": "application/yaml"})
        self.problem("POST", "/api/workflows", [1], 422)
        self.problem("POST", "/api/workflows", "x" * 70_000, 413)
        self.problem("POST", "/api/workflows", "[" * 1000 + "]" * 1000, 400)
        reply = self.problem("POST", "/api/workflows", {"id": "x", "created_by": "me", "name": 7, "is_active": "yes"}, 422)
        self.assertEqual({error["pointer"] for error in reply["errors"]}, {"/id", "/created_by", "/name", "/is_active", "/definition"})
        self.problem("GET", "/api/workflows?limit=500", expect=400)
        self.problem("GET", "/api/workflows?color=red", expect=400)
        self.problem("GET", "/api/runs?status=sleeping", expect=400)
        self.problem("GET", "/api/runs?since=yesterday", expect=400)

    def test_a_definition_is_refused_with_every_finding(self):
        bad = HEADER % "bad" + "do:\n  - a: {set: {x: '${ .a | }'}}\n  - b: {set: {x: 1}, then: nowhere}\n  - c: {call: no-such-function}\n"
        reply = self.problem("POST", "/api/workflows", {"definition": bad}, 422, "workflow.invalid")
        self.assertEqual([error["line"] for error in reply["errors"]], [3, 4, 5])
        checked = self.call("POST", "/api/workflows/validate", {"definition": bad}, 200)
        self.assertFalse(checked["valid"])
        self.assertEqual([finding["line"] for finding in checked["findings"]], [3, 4, 5])
        for member in ("severity", "pointer", "line", "column", "message", "rule"):
            self.assertIn(member, checked["findings"][0])
        good = self.call("POST", "/api/workflows/validate", {"definition": ECHO}, 200)
        self.assertTrue(good["valid"])
        self.assertEqual([node["name"] for node in good["graph"]["nodes"]], ["say"])

    def test_replies_carry_ids_and_protection(self):
        self.call("GET", "/api/workflows", headers={"X-Request-Id": "my-id.1"})
        self.assertEqual(self.fields["X-Request-Id"], "my-id.1")
        self.assertEqual(self.fields["X-Content-Type-Options"], "nosniff")
        reply = self.problem("GET", "/api/nothing", expect=404)
        self.assertEqual(reply["request_id"], self.fields["X-Request-Id"])

    def test_only_the_configured_origin_may_read(self):
        self.call("GET", "/api/workflows", headers={"Origin": "https://app.example.org"})
        self.assertEqual(self.fields["Access-Control-Allow-Origin"], "https://app.example.org")
        self.call("GET", "/api/workflows", headers={"Origin": "https://evil.example.org"})
        self.assertNotIn("Access-Control-Allow-Origin", self.fields)
        self.call("OPTIONS", "/api/workflows", expect=204, headers={"Origin": "https://app.example.org",
                                                                    "Access-Control-Request-Method": "POST"})
        self.assertIn("POST", self.fields["Access-Control-Allow-Methods"])

    def test_lists_the_plug_ins_with_their_schemas(self):
        items = self.call("GET", "/api/plugins", expect=200)["items"]
        names = {item["name"] for item in items}
        self.assertLessEqual({"http", "log", "noop", "file-organizer", "web-scraper", "shell-command"}, names)
        one = self.call("GET", "/api/plugins/file_organizer", expect=200)
        self.assertTrue(one["destructive"])
        self.assertEqual(one["parameters"]["type"], "object")


class Workflows(ServerTest):
    def test_create_read_change_delete(self):
        made = self.create(ECHO, description="says it again")
        self.assertRegex(made["id"], UUID)
        self.assertEqual(set(made), {"id", "organization_id", "name", "description", "version", "definition", "is_active", "triggers",
                                     "created_by", "updated_by",
                                     "created_at",
                                     "updated_at"})
        self.assertEqual((made["name"], made["version"], made["definition"], made["is_active"]), ("echo", 1, ECHO, True))
        path = f"/api/workflows/{made['id']}"
        self.assertEqual(self.fields["Location"], path)
        self.assertEqual(self.call("GET", path, expect=200), made)
        self.assertEqual(self.call("GET", path.replace("/api/", "/api/v1/"), expect=200), made)
        renamed = self.call("PUT", path, {"name": "other", "definition": ECHO}, 200)
        self.assertEqual((renamed["name"], renamed["version"]), ("other", 1))
        changed = self.call("PUT", path, {"definition": ECHO.replace("got", "heard"), "change_summary": "a better word"}, 200)
        self.assertEqual(changed["version"], 2)
        versions = self.call("GET", path + "/versions", expect=200)["items"]
        self.assertEqual([(v["version"], v["change_summary"]) for v in versions], [(2, "a better word"), (1, "")])
        self.assertEqual(self.call("GET", path + "/versions/1", expect=200)["definition"], ECHO)
        self.problem("GET", path + "/versions/9", expect=404)
        self.assertEqual(self.execute(made, input={"a": 1}, wait=True)["output"], {"heard": {"a": 1}})
        self.assertEqual(self.execute(made, input={"a": 1}, wait=True, version=1)["output"], {"got": {"a": 1}})
        self.call("DELETE", path, expect=204)
        self.problem("GET", path, expect=404)
        self.problem("POST", path + "/execute", {}, 404)
        self.problem("DELETE", path, expect=404)

    def test_takes_definitions_as_data(self):
        document = {"document": {"dsl": "1.0.3", "namespace": "test", "name": "data", "version": "1.0.0"},
                    "do": [{"say": {"set": {"n": 1}}}]}
        made = self.create(document)
        self.assertEqual(made["definition"], document)
        self.assertEqual(self.execute(made, wait=True)["output"], {"n": 1})

    def test_lists_by_cursor_and_searches(self):
        ids = [self.create(ECHO, name=f"page {n} zebra")["id"] for n in range(5)]
        seen = []
        cursor = ""
        while True:
            page = self.call("GET", f"/api/workflows?limit=2&q=ZEBRA{cursor}", expect=200)
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual(seen, ids[::-1])

    def test_an_inactive_workflow_does_not_start(self):
        made = self.create(ECHO, is_active=False)
        self.problem("POST", f"/api/workflows/{made['id']}/execute", {}, 409, "workflow.inactive")
        self.call("PUT", f"/api/workflows/{made['id']}", {"is_active": True}, 200)
        self.execute(made, wait=True)


class Runs(ServerTest):
    # proves: N-2
    def test_execute_waits_or_not(self):
        echo = self.create(ECHO)
        done = self.execute(echo, input={"x": 9007199254740993}, wait=True)
        self.assertEqual((done["status"], done["output"]), ("completed", {"got": {"x": 9007199254740993}}))
        accepted = self.execute(echo, 202)
        self.assertEqual(self.fields["Location"], f"/api/runs/{accepted['id']}")
        self.run_in_phase(accepted, "completed")
        nap = self.create(NAP)
        napping = self.execute(nap, 202, wait=0.05)
        view = self.run_in_phase(napping, "waiting")
        self.assertTrue(view["waiting_reason"])
        fault = self.execute(self.create(FAULT), wait=5)
        self.assertEqual((fault["status"], fault["error"]["title"], fault["error"]["instance"]), ("faulted", "Broken", "/do/0/break"))

    def test_execute_refuses_what_it_does_not_understand(self):
        path = f"/api/workflows/{self.create(ECHO)['id']}/execute"
        reply = self.problem("POST", path, {"wait": 61, "version": 0, "dry_run": 1, "colour": 1, "priority": "high"}, 422)
        self.assertEqual({error["pointer"] for error in reply["errors"]}, {"/wait", "/version", "/dry_run", "/colour", "/priority"})
        self.problem("POST", path, {"version": 7}, 404)
        self.call("POST", path, None, 202)

    def test_an_idempotency_key_names_one_run(self):
        echo = self.create(ECHO)
        first = self.execute(echo, input={"n": 1}, wait=True, idempotency_key="order-1")
        again = self.execute(echo, input={"n": 1}, wait=True, idempotency_key="order-1")
        self.assertEqual(first["id"], again["id"])
        path = f"/api/workflows/{echo['id']}/execute"
        body = {"input": {"n": 2}, "wait": True}
        by_header = self.call("POST", path, body, 200, headers={"Idempotency-Key": "order-2"})
        self.assertEqual(self.call("POST", path, body, 200, headers={"Idempotency-Key": "order-2"})["id"], by_header["id"])
        self.problem("POST", path, {"input": {"n": 3}, "idempotency_key": "order-1", "wait": True}, 422, "request.idempotency_conflict")
        self.assertEqual(len(self.call("GET", f"/api/workflows/{echo['id']}/executions", expect=200)["items"]), 2)

    def test_detail_shows_tasks(self):
        run = self.execute(self.create(ECHO), input={"a": 1}, wait=True)
        view = self.call("GET", f"/api/runs/{run['id']}", expect=200)
        for member in ("id", "workflow_id", "version", "status", "input", "output", "error", "dry_run", "trigger", "created_at",
                       "started_at", "ended_at",
                       "tasks"):
            self.assertIn(member, view)
        task = view["tasks"][0]
        self.assertEqual((task["reference"], task["name"], task["type"], task["status"], task["attempt"], task["iteration"]),
                         ("/do/0/say", "say", "set", "completed", 1, []))
        self.assertRegex(view["started_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_lists_filter_by_state_workflow_and_time(self):
        nap = self.create(NAP, name="sleepy")
        run = self.execute(nap, 202)
        self.run_in_phase(run, "waiting")
        ids = lambda query: [item["id"] for item in self.call("GET", "/api/runs?" + query, expect=200)["items"]]  # noqa: E731
        self.assertEqual(ids(f"workflow_id={nap['id']}&status=waiting,running"), [run["id"]])
        self.assertEqual(ids(f"workflow_id={nap['id']}&status=completed"), [])
        self.assertEqual(ids(f"workflow_id={nap['id']}&since=2001-01-01T00:00:00Z"), [run["id"]])
        self.assertEqual(ids(f"workflow_id={nap['id']}&until=2001-01-01T00:00:00Z"), [])

    def test_cancel_suspend_resume(self):
        run = self.execute(self.create(NAP), 202)
        self.run_in_phase(run, "waiting")
        path = f"/api/runs/{run['id']}"
        self.call("POST", path + "/suspend", {}, 202)
        self.run_in_phase(run, "suspended")
        self.call("POST", path + "/resume", {}, 202)
        self.run_in_phase(run, "waiting")
        self.call("POST", path + "/cancel", {"reason": "enough"}, 202)
        view = self.run_in_phase(run, "cancelled")
        self.assertIn("enough", json.dumps(view["error"]))
        self.problem("POST", path + "/retry", {"from": "/do/9/x"}, headers=None, expect=self.retry_status(path))

    def retry_status(self, path):
        status, _, _ = self.server.request("POST", path + "/retry", {"from": "/do/9/x"})
        self.assertIn(status, (404, 409, 422))
        return status

    def test_retry_runs_the_faulted_task_again(self):
        flaky = HEADER % "flaky" + """do:
  - check:
      if: ${ .ok | not }
      raise: {error: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime', status: 500, title: NotOk}}
  - done: {set: {fine: true}}
"""
        run = self.execute(self.create(flaky), input={"ok": False}, wait=True)
        self.assertEqual(run["status"], "faulted")
        self.call("POST", f"/api/runs/{run['id']}/retry", {"input": {"ok": True}}, 202)
        self.assertEqual(self.run_in_phase(run, "completed")["output"], {"fine": True})

    def test_an_event_reaches_the_run_that_listens(self):
        listen = self.create(LISTEN)
        event = {"specversion": "1.0", "id": "e1", "source": "/test", "type": "com.example.go", "data": {"n": 1}}
        run = self.execute(listen, 202)
        self.run_in_phase(run, "waiting")
        self.problem("POST", f"/api/runs/{run['id']}/events", {"type": "x"}, 422, "event.invalid")
        self.call("POST", f"/api/runs/{run['id']}/events", event, 202, headers={"Content-Type": "application/cloudevents+json"})
        self.assertEqual(self.run_in_phase(run, "completed")["output"], [{"n": 1}])
        second = self.execute(listen, 202)
        self.run_in_phase(second, "waiting")
        self.call("POST", "/api/events", {"n": 2}, 202,
                  headers={"ce-specversion": "1.0", "ce-id": "e2", "ce-source": "/test", "ce-type": "com.example.go"})
        self.assertEqual(self.run_in_phase(second, "completed")["output"], [{"n": 2}])


class Streams(ServerTest):
    def open(self, run, last=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        if last:
            headers["Last-Event-ID"] = last
        connection.request("GET", f"/api/runs/{run['id']}/events", headers=headers)
        reply = connection.getresponse()
        self.assertEqual((reply.status, reply.getheader("Content-Type").split(";")[0]), (200, "text/event-stream"))
        self.addCleanup(connection.close)
        return reply

    def events(self, reply):
        """Yields (id, event, data) until the stream ends."""
        fields = {}
        for raw in reply:
            line = raw.decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield fields.get("id"), fields.get("event"), json.loads(fields["data"])
                fields = {}

    def test_follows_a_run_to_its_end_and_resumes(self):
        run = self.execute(self.create(LISTEN), 202)
        self.run_in_phase(run, "waiting")
        stream = self.events(self.open(run))
        first = next(stream)
        self.assertEqual(first[1], "task")
        event = {"specversion": "1.0", "id": "s1", "source": "/test", "type": "com.example.go", "data": 1}
        self.call("POST", f"/api/runs/{run['id']}/events", event, 202)
        rest = list(stream)
        self.assertEqual((rest[-1][1], rest[-1][2]["status"], rest[-1][2]["output"]), ("status", "completed", [1]))
        again = list(self.events(self.open(run, first[0])))
        self.assertEqual(again[-1][2]["status"], "completed")

    def test_resumes_after_the_last_seen_event_of_a_running_run(self):
        two = HEADER % "two" + """do:
  - hear: {listen: {to: {one: {with: {type: com.example.go}}}}}
  - again: {listen: {to: {one: {with: {type: com.example.more}}}}}
"""
        run = self.execute(self.create(two), 202)
        self.run_in_phase(run, "waiting")
        first = next(self.events(self.open(run)))
        event = {"specversion": "1.0", "id": "s1", "source": "/test", "type": "com.example.go", "data": 1}
        self.call("POST", f"/api/runs/{run['id']}/events", event, 202)
        stream = self.events(self.open(run, first[0]))
        seen = next(item for item in stream if item[2].get("reference") == "/do/1/again")
        self.assertGreater(int(seen[0]), int(first[0]))
        self.call("POST", f"/api/runs/{run['id']}/cancel", {}, 202)
        self.assertEqual(list(stream)[-1][2]["status"], "cancelled")


class Life(unittest.TestCase):
    """Start, crash, stop."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.data = os.path.join(self.folder.name, "data")

    def test_an_acknowledged_run_survives_kill_9(self):
        server = Server(self.data)
        self.addCleanup(server.stop)
        server.start()
        workflow = server.create_workflow(HEADER % "short" + "do:\n  - nap: {wait: {milliseconds: 300}}\n  - last: {set: {done: true}}\n")
        runs = [server.request("POST", f"/api/workflows/{workflow}/execute", {})[1]["id"] for _ in range(5)]
        server.kill()
        server.start()
        for run in runs:
            view = poll(lambda path=f"/api/runs/{run}": completed(server.request("GET", path)[1]), 10, run)
            self.assertEqual(view["output"], {"done": True})

    # proves: AI-M12
    def test_stops_gracefully(self):
        server = Server(self.data)
        self.addCleanup(server.stop)
        server.start()
        workflow = server.create_workflow(HEADER % "short" + "do:\n  - nap: {wait: {milliseconds: 400}}\n  - last: {set: {done: true}}\n")
        run = server.request("POST", f"/api/workflows/{workflow}/execute", {})[1]["id"]
        long = server.create_workflow(NAP)
        waiting = Background(lambda: self.assertEqual(server.request("POST", f"/api/workflows/{long}/execute", {"wait": True})[0], 202))
        poll(lambda: server.request("GET", f"/api/workflows/{long}/executions")[1]["items"], 10, "the long run has begun")
        server.process.send_signal(signal.SIGTERM)
        waiting.join(10)
        self.assertEqual(server.process.wait(timeout=20), 0, server.tail())
        server.start()
        poll(lambda: server.request("GET", f"/api/runs/{run}")[1]["status"] == "completed", 10, "the run goes on")

    # proves: N-3, N-11, AI-C2
    def test_development_makes_a_key_once(self):
        def start():
            process = subprocess.Popen([binary(), "serve", "--port", "0", "--data-dir", self.data], stdout=subprocess.PIPE, text=True,
                                       env={"PATH": os.environ["PATH"]})
            self.addCleanup(process.kill)
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "listens" in line:
                    break
            text = "".join(lines)
            return process, text, int(re.search(r"http://127\.0\.0\.1:(\d+)", text).group(1))

        process, text, port = start()
        key = re.search(r"^  ([\w-]{43})$", text, re.M).group(1)
        keys = [name for name in os.listdir(self.data) if name.endswith(".key")]
        self.assertEqual(set(keys), {"api.key", "secret.key", "encryption.key"}, "no secret of its own has a default")
        for name in keys:
            self.assertEqual(os.stat(os.path.join(self.data, name)).st_mode & 0o777, 0o600, name)
        process.terminate()
        self.assertEqual(process.wait(timeout=20), 0)
        process.stdout.close()
        process, text, port = start()
        self.assertNotIn(key, text)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/api/workflows", headers={"Authorization": f"Bearer {key}"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()

    def test_a_busy_port_and_a_busy_folder_are_told_clearly(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = subprocess.run([binary(), "serve", "--port", str(port), "--data-dir", self.data], capture_output=True, text=True,
                                  timeout=20,
                                  check=False, env={"PATH": os.environ["PATH"]})
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(port), done.stderr)
        server = Server(self.data)
        self.addCleanup(server.stop)
        server.start()
        done = subprocess.run([binary(), "serve", "--port", "0", "--data-dir", self.data], capture_output=True, text=True, timeout=20,
                              check=False,
                              env={"PATH": os.environ["PATH"]})
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("pawl: "))

    def test_a_worker_offers_health_only(self):
        process = subprocess.Popen([binary(), "worker", "--port", "0", "--data-dir", self.data], stdout=subprocess.PIPE, text=True,
                                   env={"PATH": os.environ["PATH"], "PAWL_API_KEY": API_KEY})
        self.addCleanup(process.kill)
        port = int(re.search(r":(\d+)", process.stdout.readline()).group(1))
        for path, status in (("/health/readiness", 200), ("/api/workflows", 404), ("/hooks/x", 404)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path, headers={"Authorization": f"Bearer {API_KEY}"})
            self.assertEqual(connection.getresponse().status, status, path)
            connection.close()
        process.terminate()
        self.assertEqual(process.wait(timeout=20), 0)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
