#!/usr/bin/env python3
"""proves: S4-H5, S0-7, S0-9, O2, S4-A-P1, S4-R1

A serving Pawl whose PostgreSQL is killed, restarted and saved, and the same backup commands on SQLite.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Background, Server, Services, binary, poll  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: %s, version: '1.0.0'}\n"
ECHO = HEADER % "echo" + "do:\n  - say: {set: {got: '${ $input }'}}\n"
NAP = HEADER % "nap" + "do:\n  - nap: {wait: {seconds: 2}}\n  - say: {set: {got: '${ $input }'}}\n"


def pawl(*arguments, environment=None):
    return subprocess.run([binary(), *arguments], env={"PATH": os.environ["PATH"], **(environment or {})}, capture_output=True,
                          text=True, timeout=120, check=False)


class PostgresqlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        # Directly below /tmp: the servers run as another user.
        cls.services_folder = tempfile.mkdtemp(prefix="pawl-services-", dir="/tmp")
        cls.services = Services(cls.services_folder)
        cls.environment = {"DATABASE_URL": cls.services.database_url, "DATABASE_POOL_TIMEOUT": "5"}
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment=cls.environment).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.services.stop()
        cls.folder.cleanup()

    def execute(self, workflow, **body):
        return self.server.request("POST", f"/api/workflows/{workflow}/execute", body)

    def ready(self):
        try:
            return self.server.request("GET", "/health/readiness")[0] == 200
        except OSError:
            return False

    def test_a_restart_heals_and_loses_no_acknowledged_run(self):
        workflow = self.server.create_workflow(ECHO)
        sleeping = [self.execute(self.server.create_workflow(NAP, name="nap"), input={"n": n})[1]["id"] for n in range(5)]
        acknowledged, refused, stop = [], [], threading.Event()

        def load():
            number = 0
            while not stop.is_set():
                number += 1
                status, reply, _ = self.execute(workflow, input={"n": number}, wait=True)
                if status == 200:
                    acknowledged.append((reply["id"], number))
                else:
                    refused.append(status)

        workers = [Background(load) for _ in range(4)]
        poll(lambda: len(acknowledged) > 50, 60, "runs")
        self.services.run("restart-postgresql")
        restarted, before = time.monotonic(), len(acknowledged)
        poll(lambda: len(acknowledged) > before + 50, 60, "runs after the restart")
        healed = time.monotonic() - restarted
        stop.set()
        for worker in workers:
            worker.join(60)
        self.assertLess(healed, 30)
        self.assertLessEqual(set(refused), {503, 504}, refused)
        self.assertTrue(poll(self.ready, 30, "readiness"))
        for run, number in acknowledged:
            status, view, _ = self.server.request("GET", f"/api/runs/{run}")
            self.assertEqual((status, view.get("status")), (200, "completed"), f"run {run} of {number}: {view}")
        for run in sleeping:
            poll(lambda run=run: self.server.request("GET", f"/api/runs/{run}")[1]["status"] == "completed", 60, "sleepers")
        print(f"healed within {healed:.1f} s of the restart; {len(acknowledged)} acknowledged, {len(refused)} refused")

    def test_an_outage_is_answered_with_503_and_ends_by_itself(self):
        workflow = self.server.create_workflow(ECHO, name="outage")
        self.assertEqual(self.execute(workflow, input={}, wait=True)[0], 200)
        self.services.run("stop-postgresql")
        try:
            poll(lambda: self.server.request("GET", "/api/workflows", timeout=60)[0] == 503, 60, "503")
            poll(lambda: self.server.request("GET", "/health/detailed")[1].get("database", {}).get("breaker") == "open", 60, "breaker")
            began = time.monotonic()
            status, reply, _ = self.server.request("GET", "/api/workflows")
            self.assertEqual(status, 503, reply)
            self.assertLess(time.monotonic() - began, 3)
            # Also where all of the start happens in memory, and however long the client would wait.
            for wait in (False, True):
                began = time.monotonic()
                status, reply, _ = self.execute(workflow, input={}, wait=wait)
                self.assertEqual((status, reply["code"]), (503, "storage.unavailable"), reply)
                self.assertLess(time.monotonic() - began, 3)
            poll(lambda: self.server.request("GET", "/health/readiness", timeout=60)[0] == 503, 10, "readiness: an answer is up to half a second old")
            self.assertEqual(self.server.request("GET", "/health/liveness")[0], 200)
            self.assertRegex(self.server.request("GET", "/metrics")[1], r'(?m)^pawl_circuit_breaker_state\{target="database"\} [12]$')
        finally:
            self.services.run("start-postgresql")
        poll(self.ready, 30, "readiness")
        self.assertEqual(self.execute(workflow, input={}, wait=True)[0], 200)

    # proves: P5, S0-8
    def test_the_pool_is_shown_in_health_and_figures(self):
        pool = self.server.request("GET", "/health/detailed")[1]["database_pool"]
        self.assertEqual((pool["size"], pool["max_overflow"], pool["waiters"], pool["overflow"]), (10, 20, 0, 0))
        self.server.request("GET", "/api/workflows")
        pool = self.server.request("GET", "/health/detailed")[1]["database_pool"]
        self.assertGreaterEqual(pool["in"] + pool["out"], 1, "a connection that was used is kept")
        self.assertEqual(self.server.request("GET", "/health/readiness")[1]["checks"]["database_pool"], "ok")
        figures = self.server.request("GET", "/metrics")[1]
        for state in ("in", "out", "overflow", "waiters"):
            self.assertRegex(figures, rf'(?m)^pawl_database_pool_connections\{{state="{state}"\}} \d+$')

    def server_of_schema(self, schema, **settings):
        self.sql(f"create schema {schema}")
        environment = {**self.environment, "DATABASE_URL": f"{self.services.database_url}?options=-csearch_path%3D{schema}", **settings}
        return os.path.join(self.folder.name, schema), environment

    def sql(self, statement):
        return subprocess.run(["psql", "-q", "-X", "-t", "-A", self.services.database_url, "-c", statement], check=True, capture_output=True,
                              text=True).stdout.strip()

    def test_where_every_connection_is_out_others_are_told_so_and_nobody_hangs(self):
        """A lock keeps the three connections of the pool from coming back. Whoever comes after that hears 503 when its second is over, the
        parts that need no connection answer all the same, and afterwards all of them are there again."""
        folder, environment = self.server_of_schema("small", DATABASE_POOL_SIZE="2", DATABASE_MAX_OVERFLOW="1", DATABASE_POOL_TIMEOUT="1")
        server = Server(folder, extra_environment=environment).start()
        self.addCleanup(server.stop)
        self.assertEqual(server.request("GET", "/api/workflows")[0], 200)
        answers = []

        def ask():
            began = time.monotonic()
            status, reply, _ = server.request("GET", "/api/workflows", timeout=60)
            answers.append((status, reply.get("code"), time.monotonic() - began))

        locker = subprocess.Popen(["psql", "-q", "-X", self.services.database_url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  text=True)
        self.addCleanup(locker.kill)
        locker.stdin.write("begin; lock table small.workflows in access exclusive mode;\n")
        locker.stdin.flush()
        poll(lambda: self.sql("select count(*) from pg_locks where granted and mode = 'AccessExclusiveLock' and relation = "
                              "'small.workflows'::regclass") == "1", 20, "the lock")
        askers = [Background(ask) for _ in range(8)]
        poll(lambda: len(answers) >= 5, 30, "those who got no connection are told so")
        for status, code, seconds in list(answers):
            self.assertEqual((status, code), (503, "storage.pool_exhausted"))
            self.assertLess(seconds, 9)
        self.assertEqual(server.request("GET", "/health/liveness")[0], 200)
        self.assertEqual(server.request("GET", "/health/detailed")[1]["database_pool"]["out"], 3)
        locker.stdin.write("commit;\n")
        locker.stdin.close()
        self.assertEqual(locker.wait(20), 0)
        for asker in askers:
            asker.join(60)
        self.assertEqual(sorted(status for status, _, _ in answers), [200] * 3 + [503] * 5)
        pool = server.request("GET", "/health/detailed")[1]["database_pool"]
        self.assertEqual((pool["out"], pool["overflow"], pool["waiters"]), (0, 0, 0), "nothing leaks")
        self.assertEqual(server.request("GET", "/api/workflows")[0], 200)

    # proves: O4, S4-M5
    def test_migrations_go_up_and_down_by_command(self):
        folder, environment = self.server_of_schema("moved")

        def migrate(action, status):
            done = pawl("migrate", action, "--data-dir", folder, environment=environment)
            self.assertEqual(done.returncode, status, f"{action}: {done.stdout}{done.stderr}")
            return done.stdout

        migrate("status", 1)
        migrate("verify", 1)
        migrate("up", 0)
        migrate("verify", 0)
        self.assertIn("0001", migrate("status", 0))
        self.sql("update moved.schema_migrations set checksum = 'another text' where version = 1")
        migrate("verify", 1)
        self.sql("drop schema moved cascade; create schema moved")
        migrate("up", 0)
        while "nothing" not in migrate("down", 0):
            pass
        tables = self.sql("select string_agg(tablename, ' ') from pg_tables where schemaname = 'moved'")
        self.assertEqual(tables, "schema_migrations", "each one took away what it had made")
        migrate("up", 0)
        migrate("verify", 0)

    # proves: AI-H2
    def test_killed_connections_are_replaced(self):
        workflow = self.server.create_workflow(ECHO, name="killed")
        for _ in range(5):
            subprocess.run(["psql", "-q", "-X", self.services.database_url, "-c",
                            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pawl'"],
                           check=True, capture_output=True)
            self.assertEqual(self.execute(workflow, input={}, wait=True)[0], 200)
            self.assertEqual(self.server.request("GET", "/api/workflows")[0], 200)

    def test_a_second_engine_is_refused_without_naming_the_password(self):
        done = pawl("migrate", "status", "--data-dir", os.path.join(self.folder.name, "other"), environment=self.environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another Pawl process", done.stderr)
        password = self.services.database_url.split(":")[2].split("@")[0]
        for text in (done.stdout, done.stderr, self.server.tail(), str(self.server.request("GET", "/health/detailed")[1])):
            self.assertNotIn(password, text)

    def test_a_backup_made_while_serving_comes_back(self):
        workflow = self.server.create_workflow(ECHO, name="saved")
        run = self.execute(workflow, input={"n": 7}, wait=True)[1]["id"]
        backup = os.path.join(self.folder.name, "backup")
        data = os.path.join(self.folder.name, "data")
        done = pawl("backup", backup, "--data-dir", data, environment=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(pawl("backup", "--check", backup).returncode, 0)
        subprocess.run(["psql", "-q", "-X", self.services.database_url, "-c", "create schema restored"], check=True)
        environment = {**self.environment, "DATABASE_URL": self.services.database_url + "?options=-csearch_path%3Drestored"}
        folder = os.path.join(self.folder.name, "restored")
        done = pawl("restore", backup, "--data-dir", folder, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        second = Server(folder, extra_environment=environment).start()
        try:
            status, view, _ = second.request("GET", f"/api/runs/{run}")
            self.assertEqual((status, view["status"]), (200, "completed"))
            self.assertEqual(view["output"], {"got": {"n": 7}})
        finally:
            second.stop()

    # proves: S4-M5
    def test_a_restore_that_broke_off_is_refused_by_every_command_of_every_node_and_done_again(self):
        backup, other = (os.path.join(self.folder.name, name) for name in ("to restore", "another node"))
        done = pawl("backup", backup, "--data-dir", os.path.join(self.folder.name, "data"), environment=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        folder, environment = self.server_of_schema("half")
        # No table, so that the schema passes for empty; and in the way of a late migration.
        self.sql("create view half.watched_files as select 1 as one")
        done = pawl("restore", backup, "--data-dir", folder, environment=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("watched_files", done.stderr)
        self.assertEqual(self.sql("select count(*) from half.schema_migrations where version = 20"), "1", "it broke off in the middle")
        for place in (folder, other):
            for command in (["serve"], ["migrate", "status"], ["migrate", "up"], ["migrate", "verify"], ["migrate", "down"],
                            ["audit", "verify"], ["keys", "rotate"], ["backup", os.path.join(self.folder.name, "of the half")]):
                done = pawl(*command, "--data-dir", place, environment={**environment, "SECRET_KEY": "0123456789abcdef" * 4})
                with self.subTest(command=command, place=place):
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn("has not finished", done.stderr)
                    self.assertIn("run `pawl restore`", done.stderr)
        self.sql("drop view half.watched_files")
        done = pawl("restore", backup, "--data-dir", folder, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = pawl("audit", "verify", "--data-dir", folder, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.sql("select count(*) from pg_tables where schemaname = 'half' and tablename = 'restore_unfinished'"), "0")


class SqliteTest(unittest.TestCase):
    def test_a_backup_made_while_serving_comes_back_and_a_damaged_one_does_not(self):
        with tempfile.TemporaryDirectory() as folder:
            data, backup, restored = (os.path.join(folder, name) for name in ("data", "backup", "restored"))
            server = Server(data, extra_environment={"DATABASE_URL": ""}).start()
            try:
                workflow = server.create_workflow(ECHO)
                run = server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": 7}, "wait": True})[1]["id"]
                done = pawl("backup", os.path.join(data, "files", "backup"), "--data-dir", data)
                self.assertEqual(done.returncode, 1, "it would take itself along")
                self.assertEqual(os.listdir(os.path.join(data, "files")), [])
                stop = threading.Event()

                def load():
                    while not stop.is_set():
                        server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": 1}, "wait": True})

                workers = [Background(load) for _ in range(4)]
                done = pawl("backup", backup, "--data-dir", data)
                stop.set()
                for worker in workers:
                    worker.join(60)
                self.assertEqual(done.returncode, 0, done.stderr)
            finally:
                server.stop()
            done = pawl("restore", backup, "--data-dir", restored)
            self.assertEqual(done.returncode, 0, done.stderr)
            for _ in range(2):  # the file of the trail lacks the newest records at first, and is never ahead
                done = pawl("audit", "verify", "--data-dir", restored)
                self.assertEqual(done.returncode, 0, done.stdout)
                server = Server(restored, extra_environment={"DATABASE_URL": ""}).start()
                server.stop()
            server = Server(restored, extra_environment={"DATABASE_URL": ""}).start()
            try:
                self.assertEqual(server.request("GET", f"/api/runs/{run}")[1]["status"], "completed")
            finally:
                server.stop()
            with open(os.path.join(backup, "pawl.db"), "r+b") as database:
                database.seek(5000)
                database.write(b"damage")
            done = pawl("restore", backup, "--data-dir", os.path.join(folder, "third"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("damaged", done.stderr)
            self.assertFalse(os.path.exists(os.path.join(folder, "third")))

    # proves: AI-H9
    def test_backups_are_made_by_a_timer_checked_rotated_and_restored(self):
        script = os.path.join(os.environ["PAWL_SOURCE_DIR"], "scripts", "backup")
        with tempfile.TemporaryDirectory() as folder:
            data, backups, restored = (os.path.join(folder, name) for name in ("data", "backups", "restored"))
            os.makedirs(backups)

            def back_up(*arguments, program=binary()):
                return subprocess.run([script, backups, "--keep", "2", "--", "--data-dir", data, *arguments], capture_output=True, text=True,
                                      env={"PATH": os.environ["PATH"], "PAWL": program}, timeout=120, check=False)

            def kept():
                return sorted(name for name in os.listdir(backups) if name != ".lock")

            server = Server(data, extra_environment={"DATABASE_URL": ""}).start()
            try:
                workflow = server.create_workflow(ECHO)
                for old in ("2026-01-01T000000Z", "2026-01-02T000000Z"):
                    os.makedirs(os.path.join(backups, old))
                os.makedirs(os.path.join(backups, "keep-me"))
                run = server.request("POST", f"/api/workflows/{workflow}/execute", {"input": {"n": 7}, "wait": True})[1]["id"]
                failed = back_up(program="/bin/false")
                self.assertEqual((failed.returncode, kept()), (1, ["2026-01-01T000000Z", "2026-01-02T000000Z", "keep-me"]), failed.stderr)
                made = back_up()
                self.assertEqual(made.returncode, 0, made.stderr)
            finally:
                server.stop()
            newest = made.stdout.splitlines()[-1]
            self.assertEqual(kept(), sorted(["2026-01-02T000000Z", "keep-me", os.path.basename(newest)]))
            done = pawl("restore", newest, "--data-dir", restored)
            self.assertEqual(done.returncode, 0, done.stderr)
            server = Server(restored, extra_environment={"DATABASE_URL": ""}).start()
            try:
                self.assertEqual(server.request("GET", f"/api/runs/{run}")[1]["output"], {"got": {"n": 7}})
            finally:
                server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
