#!/usr/bin/env python3
"""proves: W6, W9, W10, AI-M11

Flow control over HTTP: concurrency keys and priority, workflows after workflows, conditional changes, compressed replies, figures.
"""

import gzip
import http.client
import json
import os
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, poll  # noqa: E402

NAP = "do:\n  - nap: {wait: {seconds: 60}}\n"
WAIT_FOR_GO = "do:\n  - go: {listen: {to: {one: {with: {type: com.example.go}}}}}\n"


def document(name, body, metadata=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'{metadata}}}\n{body}"


class Flow(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = Server(os.path.join(self.folder.name, "data")).start()

    def tearDown(self):
        self.server.stop()
        self.folder.cleanup()

    def call(self, method, path, body=None, expect=None, headers=None):
        status, reply, self.headers = self.server.request(method, path, body, headers)
        if expect is not None:
            self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def create(self, definition, expect=201, **members):
        return self.call("POST", "/api/workflows", {"definition": definition, **members}, expect)

    def execute(self, workflow, expect=202, **wish):
        return self.call("POST", f"/api/workflows/{workflow['id']}/execute", wish, expect)

    def run_of(self, run):
        return self.call("GET", f"/api/runs/{run['id']}", expect=200)

    def wait_for(self, run, status):
        return poll(lambda: (lambda view: view if view["status"] == status else None)(self.run_of(run)), 10, f"{run['id']} is {status}")

    def runs(self, workflow):
        return self.call("GET", f"/api/workflows/{workflow['id']}/executions", expect=200)["items"]

    # ---- concurrency keys and priority

    def test_W9_one_run_of_a_key_is_active_and_the_highest_priority_is_next(self):
        nap = self.create(document("nap", NAP))
        first = self.execute(nap, concurrency_key="customer-17")
        self.assertEqual(first["status"], "waiting")
        low = self.execute(nap, concurrency_key="customer-17")
        high = self.execute(nap, concurrency_key="customer-17", priority=9)
        other = self.execute(nap, concurrency_key="customer-18")
        self.assertEqual([low["status"], high["status"], other["status"]], ["pending", "pending", "waiting"])
        view = self.run_of(low)
        self.assertIn("1 active, limit 1, 1 waiting before this one", view["waiting_reason"])
        self.assertEqual(view["trigger"]["concurrency"], {"limit": 1, "policy": "queue", "key": "customer-17"})
        listed = self.call("GET", "/api/runs?status=pending", expect=200)["items"]
        self.assertEqual({run["id"] for run in listed}, {low["id"], high["id"]})
        self.call("POST", f"/api/runs/{first['id']}/cancel", {}, 202)
        self.wait_for(high, "waiting")
        self.assertEqual(self.run_of(low)["status"], "pending")
        self.call("POST", f"/api/runs/{high['id']}/cancel", {}, 202)
        self.wait_for(low, "waiting")

    def test_W9_who_waits_for_a_place_survives_kill_9(self):
        nap = self.create(document("nap", NAP))
        first = self.execute(nap, concurrency_key="k")
        waiting = [self.execute(nap, concurrency_key="k", input={"n": n}) for n in range(3)]
        self.server.kill()
        self.server.start()
        self.assertEqual(self.run_of(first)["status"], "waiting")
        for run in waiting:
            self.assertEqual(self.run_of(run)["status"], "pending")
        for before, after in zip([first] + waiting, waiting):
            self.call("POST", f"/api/runs/{before['id']}/cancel", {}, 202)
            self.wait_for(after, "waiting")
        self.assertEqual(self.run_of(waiting[2])["input"], {"n": 2})

    def test_W9_a_limit_above_one_a_skip_and_a_replacement(self):
        nap = self.create(document("nap", NAP))
        wish = {"concurrency_key": "k", "concurrency_limit": 2}
        pair = [self.execute(nap, **wish), self.execute(nap, **wish)]
        problem = self.execute(nap, 409, concurrency_policy="skip", **wish)
        self.assertEqual(problem["code"], "run.concurrency_busy", problem)
        last = self.execute(nap, concurrency_policy="replace", **wish)
        for run in pair:
            self.assertIn(last["id"], self.wait_for(run, "cancelled")["error"]["detail"])
        self.wait_for(last, "waiting")

    def test_W9_a_workflow_may_limit_its_own_runs(self):
        alone = self.create(document("alone", NAP, ", metadata: {concurrency: {limit: 1, policy: queue}}"))
        first = self.execute(alone)
        second = self.execute(alone)
        self.assertEqual(second["status"], "pending")
        self.assertIn("runs of the workflow", self.run_of(second)["waiting_reason"])
        self.call("POST", f"/api/runs/{first['id']}/cancel", {}, 202)
        self.wait_for(second, "waiting")
        findings = self.create(document("wrong", NAP, ", metadata: {concurrency: {limit: 0, policy: never, keys: 1}}"), 422)["errors"]
        self.assertEqual(len(findings), 3, findings)

    def test_W9_wishes_are_checked(self):
        nap = self.create(document("nap", NAP))
        for wish in ({"concurrency_key": ""}, {"concurrency_key": "a b"}, {"concurrency_limit": 2}, {"priority": 101},
                     {"concurrency_key": "k", "concurrency_policy": "drop"}, {"concurrency_key": "k", "concurrency_limit": 0}):
            self.execute(nap, 422, **wish)

    # ---- after another workflow

    def after(self, name, *earlier, on=None):
        listed = ", ".join(f"{{workflow: {each}{'' if on is None else f', on: [{on}]'}}}" for each in earlier)
        return document(name, "do:\n  - say: {set: {from: '${ $workflow.input[0].output }'}}\n", f", metadata: {{after: [{listed}]}}")

    def test_W6_a_workflow_starts_after_another_once_and_with_its_output(self):
        first = self.create(document("first", "do:\n  - nap: {wait: {milliseconds: 100}}\n  - say: {set: {n: 7}}\n"))
        second = self.create(self.after("second", "first"))
        self.assertEqual(second["triggers"][0]["after"], [{"namespace": "test", "workflow": "first", "on": ["completed"]}])
        failing = self.create(document("failing", "do:\n  - no: {raise: {error: {type: 'urn:x', status: 500, title: No}}}\n"))
        rescue = self.create(self.after("rescue", "failing", on="faulted"))
        run = self.execute(first, 200, wait=True)
        found = poll(lambda: self.runs(second), 10, "the second workflow runs")
        self.assertEqual(len(found), 1)
        view = self.wait_for(found[0], "completed")
        self.assertEqual(view["output"], {"from": {"n": 7}})
        self.assertEqual((view["trigger"]["type"], view["trigger"]["after"], view["trigger"]["chain"]), ("event", run["id"], 1))
        self.execute(failing, 200, wait=True)
        poll(lambda: self.runs(rescue), 10, "the rescue runs")
        self.server.kill()
        self.server.start()
        self.assertEqual((len(self.runs(second)), len(self.runs(rescue))), (1, 1), "a restart starts nothing again")
        self.execute(first, 200, wait=True)
        poll(lambda: len(self.runs(second)) == 2, 10, "it goes on after a restart")

    def test_W6_workflows_after_each_other_are_refused(self):
        self.create(self.after("a", "b"))
        self.create(self.after("b", "c"))
        problem = self.create(self.after("c", "a"), 422)
        self.assertEqual(problem["code"], "workflow.trigger_cycle", problem)
        self.assertIn("test/c -> test/b -> test/a -> test/c", problem["detail"])
        self.assertEqual(problem["errors"][0]["pointer"], "/document/metadata/after")
        problem = self.create(self.after("self", "self"), 422)
        self.assertIn("would never stop", problem["errors"][0]["message"])
        made = self.create(document("c", NAP))
        problem = self.call("PUT", f"/api/workflows/{made['id']}", {"definition": self.after("c", "a")}, 422)
        self.assertEqual(problem["code"], "workflow.trigger_cycle", problem)

    def test_W6_a_circle_that_no_document_shows_ends(self):
        body = "schedule: {on: {one: {with: {type: io.serverlessworkflow.workflow.completed.v1}}}}\ndo:\n  - say: {set: {x: 1}}\n"
        endless = self.create(document("endless", body))
        start = self.create(document("start", "do:\n  - nap: {wait: {milliseconds: 100}}\n"))
        self.execute(start, 200, wait=True)
        poll(lambda: len(self.runs(endless)) >= 16, 20, "sixteen in a row")
        chains = sorted(self.run_of(run)["trigger"]["chain"] for run in self.runs(endless))
        self.assertEqual(chains, list(range(1, 17)))

    # ---- conditional requests

    def test_a_lost_update_is_refused(self):
        made = self.create(document("shared", NAP))
        path = f"/api/workflows/{made['id']}"
        self.call("GET", path, expect=200)
        tag = self.headers["ETag"]
        self.call("GET", path, expect=304, headers={"If-None-Match": f'"other", {tag}'})
        self.assertEqual(self.headers["ETag"], tag)
        self.call("PUT", path, {"description": "mine"}, 200, {"If-Match": tag})
        newer = self.headers["ETag"]
        self.assertNotEqual(newer, tag)
        self.call("GET", path, expect=200, headers={"If-None-Match": tag})
        problem = self.call("PUT", path, {"definition": document("shared", NAP) + "# theirs\n"}, 412, {"If-Match": tag})
        self.assertEqual(problem["code"], "workflow.changed", problem)
        self.assertEqual(problem["detail"].count("version 1"), 2, problem)
        self.call("PUT", path, {"definition": document("shared", NAP) + "# theirs\n"}, 200, {"If-Match": newer})
        self.call("PUT", path, {"description": "anyway"}, 200, {"If-Match": "*"})
        self.call("PUT", path, {"description": "no"}, 412, {"If-Match": '"nonsense"'})
        self.call("PUT", path, {"description": "no"}, 400, {"If-Match": f"{newer}, {tag}"})
        self.assertEqual(self.call("GET", path, expect=200)["description"], "anyway")

        config = {"access_token": "ghp_0123456789abcdef0123456789abcdef0123"}
        made = self.call("POST", "/api/integrations", {"connector": "github", "name": "hub", "config": config}, 201)
        path = f"/api/integrations/{made['id']}"
        self.call("GET", path, expect=200)
        tag = self.headers["ETag"]
        self.call("GET", path, expect=304, headers={"If-None-Match": tag})
        self.call("PUT", path, {"name": "hub-2"}, 200, {"If-Match": tag})
        problem = self.call("PUT", path, {"name": "hub-3"}, 412, {"If-Match": tag})
        self.assertEqual(problem["code"], "integration.changed", problem)

    # ---- compression

    def raw(self, path, encoding):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {API_KEY}", "Accept-Encoding": encoding})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def test_long_replies_are_compressed_and_those_of_credentials_never(self):
        for n in range(20):
            self.create(document(f"flow-{n}", NAP))
        plain, text = self.raw("/api/workflows", "identity")
        self.assertIsNone(plain.headers["Content-Encoding"])
        self.assertIn("Accept-Encoding", plain.headers["Vary"])
        packed, body = self.raw("/api/workflows", "gzip, br;q=0.9")
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertIn("Accept-Encoding", packed.headers["Vary"])
        self.assertLess(len(body), len(text) / 4)
        self.assertEqual(json.loads(gzip.decompress(body)), json.loads(text))
        small, _ = self.raw("/api/workflows?q=flow-19", "gzip")
        self.assertIsNone(small.headers["Content-Encoding"])
        for n in range(8):
            self.call("POST", "/api/integrations", {"connector": "github", "name": f"hub-{n}", "config": {"access_token": "x" * 40}}, 201)
        for path in ("/api/integrations", "/api/integrations/connectors"):
            kept, body = self.raw(path, "gzip")
            self.assertGreater(len(body), 1024)
            self.assertIsNone(kept.headers["Content-Encoding"], path)
        made = self.create(document("one", NAP + "# " + "x" * 3000 + "\n"))
        tagged, _ = self.raw(f"/api/workflows/{made['id']}", "gzip")
        self.assertTrue(tagged.headers["ETag"].endswith('-gzip"'))
        self.call("GET", f"/api/workflows/{made['id']}", expect=304, headers={"If-None-Match": tagged.headers["ETag"]})

    # ---- figures

    def test_FA_16_AI_M11_the_figures_are_well_formed_and_move(self):
        done = self.create(document("done", "do:\n  - say: {set: {x: 1}}\n"))
        self.execute(done, 200, wait=True)
        nap = self.create(document("nap", NAP))
        self.execute(nap, concurrency_key="k")
        self.execute(nap, concurrency_key="k")
        _, body = self.raw("/metrics", "identity")
        series = parse_prometheus(self, body.decode())
        self.assertEqual(series['pawl_run_duration_seconds_count{status="completed"}'], 1)
        self.assertEqual(series['pawl_concurrency_runs{state="active"}'], 1)
        self.assertEqual(series['pawl_concurrency_runs{state="waiting"}'], 1)
        self.assertEqual(series["pawl_live_subscribers"], 0)
        self.assertIn("pawl_blocking_jobs_queued", series)
        self.assertTrue(any(name.startswith("pawl_http_request_duration_seconds_bucket") for name in series))


def parse_prometheus(test, text):
    """As strict as `promtool check metrics`: types before samples, one family in one place, no sample twice, buckets that grow to +Inf."""
    test.assertTrue(text.endswith("\n"))
    types, closed, series, family = {}, set(), {}, None
    for line in text.splitlines():
        if line.startswith("# HELP ") or line.startswith("# TYPE "):
            _, kind, name, rest = line.split(" ", 3)
            if name != family:
                test.assertNotIn(name, closed, f"{name} in two places")
                closed.add(family)
                family = name
            if kind == "TYPE":
                test.assertIn(rest, ("counter", "gauge", "histogram"))
                types[name] = rest
            continue
        match = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (-?[0-9.e+-]+|\+Inf|NaN)', line)
        test.assertIsNotNone(match, line)
        name, labels, value = match[1], match[2] or "", float(match[3])
        base = re.sub(r"_(bucket|sum|count)$", "", name) if types.get(family) == "histogram" else name
        test.assertEqual(base, family, line)
        test.assertNotIn(name + labels, series)
        if types[family] == "counter":
            test.assertTrue(name.endswith("_total"), f"{name}: counters end in _total")
            test.assertGreaterEqual(value, 0)
        series[name + labels] = value
    buckets = {}
    for name, value in series.items():
        match = re.fullmatch(r'(\w+)_bucket\{(.*?),?le="([^"]+)"\}', name)
        if match:
            buckets.setdefault((match[1], match[2]), []).append((float(match[3]), value))
    for (name, labels), values in buckets.items():
        test.assertEqual(values, sorted(values), name)
        test.assertEqual(values, sorted(values, key=lambda each: each[1]), name)
        test.assertEqual(values[-1][0], float("inf"), name)
        test.assertEqual(values[-1][1], series[f"{name}_count" + (f"{{{labels}}}" if labels else "")], name)
    return series


if __name__ == "__main__":
    unittest.main(verbosity=2)
