#!/usr/bin/env python3
"""proves: W6

Files that start workflows: what appears, changes and goes below a folder, once each, also across restarts.
"""

import http.client
import json
import os
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, poll  # noqa: E402

ECHO = "do:\n  - say: {set: {got: '${ $workflow.input }'}}\n"


def document(name, files, body=ECHO, more=""):
    return f"document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{files: {files}{more}}}}}\n{body}"


class FileWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = os.path.join(cls.folder.name, "root")
        os.mkdir(cls.root)
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment={"PAWL_FILE_ROOTS": cls.root}).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def call(self, method, path, body=None, expect=200):
        status, reply, _ = self.server.request(method, path, body)
        self.assertEqual(status, expect, f"{method} {path}: {reply}")
        return reply

    def create(self, definition, **members):
        made = self.call("POST", "/api/workflows", {"definition": definition, **members}, 201)
        self.addCleanup(lambda: self.server.request("DELETE", f"/api/workflows/{made['id']}"))
        return made

    def watch(self, folder, members="", body=ECHO, more="", name=None):
        """A workflow that watches a folder of this test's own."""
        os.makedirs(os.path.join(self.root, folder), exist_ok=True)
        return self.create(document(name or folder, f"{{folder: {folder}, settle: {{milliseconds: 200}}{members}}}", body, more))

    def write(self, path, text="x"):
        with open(os.path.join(self.root, path), "a", encoding="utf-8") as file:
            file.write(text)

    def inputs(self, workflow):
        """(event, path) of all runs that have ended, the oldest first."""
        runs = self.call("GET", f"/api/workflows/{workflow['id']}/executions?limit=100&status=completed")["items"]
        views = [self.call("GET", f"/api/runs/{run['id']}") for run in reversed(runs)]
        return [view["input"] for view in views]

    def told(self, workflow):
        return [(each["event"], each["path"]) for each in self.inputs(workflow)]

    def wait_for(self, workflow, wanted, seconds=20):
        poll(lambda: self.told(workflow) == wanted, seconds, f"{wanted}, there is {self.told(workflow)}")

    def wait_watched(self, workflow):
        """What is written from here on counts: the folder was listed once."""
        poll(lambda: self.schedule(workflow)["watching"], 20, "the folder is watched")

    def schedule(self, workflow, **change):
        path = f"/api/schedules/{workflow['triggers'][0]['id']}"
        return self.call("POST", path, change) if change else self.call("GET", path)

    # ---- what is told ---------------------------------------------------------------------------------------------------------

    def test_W6_files_that_appear_change_and_go_start_a_run_each(self):
        os.mkdir(os.path.join(self.root, "all"))
        self.write("all/old.csv")
        made = self.watch("all", ", glob: '*', on: [created, changed, removed]")
        trigger = made["triggers"][0]
        self.assertEqual((trigger["type"], trigger["kind"], trigger["folder"], trigger["glob"], trigger["events"]),
                         ("schedule", "files", "all", "*", ["created", "changed", "removed"]))
        self.wait_watched(made)
        self.write("all/new.csv", "12345")
        self.wait_for(made, [("created", "all/new.csv")])
        last = self.inputs(made)[-1]
        self.assertEqual((last["size"], sorted(last)), (5, ["event", "modified", "path", "size"]))
        run = self.call("GET", f"/api/workflows/{made['id']}/executions?limit=1")["items"][0]
        self.assertEqual(self.call("GET", f"/api/runs/{run['id']}")["trigger"]["type"], "file")
        self.write("all/old.csv", "more")
        self.wait_for(made, [("created", "all/new.csv"), ("changed", "all/old.csv")])
        os.remove(os.path.join(self.root, "all", "new.csv"))
        self.wait_for(made, [("created", "all/new.csv"), ("changed", "all/old.csv"), ("removed", "all/new.csv")])
        listed = self.call("GET", "/api/schedules")["items"]
        self.assertIn((trigger["id"], "files"), [(item["id"], item["kind"]) for item in listed])

    def test_W6_a_file_is_taken_when_it_is_complete_and_by_its_name(self):
        made = self.watch("slow", ", glob: '*.*'")
        self.wait_watched(made)
        with open(os.path.join(self.root, "slow", "big.csv"), "w", encoding="utf-8") as file:
            for _ in range(8):
                file.write("x" * 1000)
                file.flush()
                try:
                    poll(lambda: False, 0.1, "a writer that takes its time")
                except RuntimeError:
                    pass
        self.wait_for(made, [("created", "slow/big.csv")])
        self.assertEqual(self.inputs(made)[-1]["size"], 8000)
        self.write("slow/noextension")
        self.write("slow/.hidden.csv")
        self.write("slow/last.csv")
        self.wait_for(made, [("created", "slow/big.csv"), ("created", "slow/last.csv")])

    # ---- once each ------------------------------------------------------------------------------------------------------------

    def test_W6_nothing_counts_twice_and_nothing_is_missed_across_restarts(self):
        made = self.watch("in")
        self.wait_watched(made)
        self.server.kill()
        self.write("in/while-down.csv")
        self.server.start()
        self.wait_for(made, [("created", "in/while-down.csv")])
        names = []
        for _ in range(3):
            for _ in range(5):
                names.append(f"in/{len(names):03}.csv")
                self.write(names[-1])
            wanted = 1 + len(names) - 3
            poll(lambda wanted=wanted: len(self.told(made)) >= wanted, 20, "some of them")
            self.server.kill()
            self.server.start()
        expected = sorted([("created", "in/while-down.csv"), *(("created", name) for name in names)])
        poll(lambda: len(self.told(made)) >= len(expected), 20, "all of them")
        self.assertEqual(sorted(self.told(made)), expected)
        self.write("in/end.csv")
        poll(lambda: ("created", "in/end.csv") in self.told(made), 20, "and on it goes")
        self.assertEqual(len(self.told(made)), len(expected) + 1)

    def test_W6_with_overlap_queue_files_are_taken_one_after_the_other(self):
        nap = "do:\n  - nap: {wait: {milliseconds: 300}}\n  - say: {set: {got: '${ $workflow.input }'}}\n"
        made = self.watch("turns", "", nap, ", overlap: queue")
        self.wait_watched(made)
        for name in ("a", "b", "c"):
            self.write(f"turns/{name}")
        poll(lambda: len(self.told(made)) == 3, 20, "all three")
        runs = self.call("GET", f"/api/workflows/{made['id']}/executions?limit=3")["items"]
        times = sorted((run["created_at"], run["ended_at"]) for run in runs)
        for (_, ended), (began, _) in zip(times, times[1:]):
            self.assertLessEqual(ended, began, "none beside another")

    def test_W6_who_is_paused_takes_what_came_when_it_goes_on(self):
        made = self.watch("paused")
        self.wait_watched(made)
        other = self.watch("paused", ", glob: 'b*'", name="paused-too")
        self.wait_watched(other)
        self.schedule(made, enabled=False)
        self.write("paused/a.csv")
        self.write("paused/b.csv")
        self.wait_for(other, [("created", "paused/b.csv")])
        self.assertEqual(self.told(made), [])
        self.schedule(made, enabled=True)
        poll(lambda: len(self.told(made)) == 2, 20, "what came in the meantime")
        self.call("PUT", f"/api/workflows/{made['id']}", {"is_active": False})
        self.write("paused/b2.csv")
        self.wait_for(other, [("created", "paused/b.csv"), ("created", "paused/b2.csv")])
        self.assertEqual(len(self.told(made)), 2, "an inactive workflow starts nothing")

    # ---- much at once, and folders that are replaced ---------------------------------------------------------------------------

    def test_W6_ten_thousand_files_at_once_start_one_run_each(self):
        made = self.watch("many", "", "do: [{nothing: {set: {n: 1}}}]\n")
        self.wait_watched(made)
        # Counted in the database, and told on one connection: ten thousand requests that check every reply take minutes.
        database = sqlite3.connect(f"file:{self.server.data_dir}/pawl.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        before = database.execute("select count(*) from runs").fetchone()[0]
        for number in range(10_000):
            with open(os.path.join(self.root, "many", f"{number:05}"), "wb"):
                pass

        def started():
            return database.execute("select count(*) from runs").fetchone()[0] - before

        poll(lambda: started() >= 10_000, 200, "ten thousand runs")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.addCleanup(connection.close)

        def get(path):
            connection.request("GET", path, headers={"Authorization": f"Bearer {API_KEY}"})
            return json.loads(connection.getresponse().read())

        paths, cursor = [], ""
        while cursor is not None:
            page = get(f"/api/workflows/{made['id']}/executions?limit=100{cursor and '&cursor=' + cursor}")
            paths += [get(f"/api/runs/{run['id']}")["input"]["path"] for run in page["items"]]
            cursor = page["next_cursor"]
        self.assertEqual(sorted(paths), [f"many/{number:05}" for number in range(10_000)])
        self.assertEqual(started(), 10_000, "and none afterwards")

    def test_W6_a_folder_is_watched_again_when_one_above_it_was_replaced(self):
        os.makedirs(os.path.join(self.root, "above", "below"))
        made = self.create(document("above", "{folder: above/below, settle: {milliseconds: 200}}"))
        self.wait_watched(made)
        self.write("above/below/a")
        self.wait_for(made, [("created", "above/below/a")])
        os.rename(os.path.join(self.root, "above"), os.path.join(self.root, "before"))
        os.makedirs(os.path.join(self.root, "above", "below"))
        self.write("above/below/b")
        self.wait_for(made, [("created", "above/below/a"), ("created", "above/below/b")])
        self.write("above/below/c")
        self.wait_for(made, [("created", f"above/below/{name}") for name in "abc"])

    # ---- what is not allowed --------------------------------------------------------------------------------------------------

    def test_W6_folders_outside_of_the_roots_are_a_finding(self):
        for folder in ("../data", "/etc", "a/../../data"):
            for path, status in (("/api/workflows", 422), ("/api/workflows/validate", 200)):
                reply = self.server.request("POST", path, {"definition": document("outside", f"{{folder: {folder}}}")})
                self.assertEqual(reply[0], status, reply[1])
                errors = reply[1].get("errors") or reply[1].get("findings")
                self.assertEqual(errors[0]["pointer"], "/document/metadata/files", reply[1])
                self.assertIn("cannot be watched", errors[0]["message"])
        for wrong in ("{glob: 'a/b'}", "{on: [opened]}", "{on: []}", "{settle: {days: 1}}", "{folders: x}", "{folder: ''}", "[]"):
            status, reply, _ = self.server.request("POST", "/api/workflows", {"definition": document("wrong", wrong)})
            self.assertEqual(status, 422, (wrong, reply))
            self.assertTrue(reply["errors"][0]["pointer"].startswith("/document/metadata/files"), reply)

    def test_W6_a_folder_that_is_missing_is_said_and_does_no_harm(self):
        made = self.create(document("missing", "{folder: not-there}"))
        poll(lambda: "there is no" in self.schedule(made).get("problem", ""), 20, "the problem")
        self.assertIs(self.schedule(made)["watching"], False)


if __name__ == "__main__":
    unittest.main()
