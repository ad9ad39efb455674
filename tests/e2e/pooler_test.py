#!/usr/bin/env python3
"""proves: S4-H1, O5

A real pgbouncer between Pawl and PostgreSQL: with sessions that it leaves alone everything works, with sessions that it lends by the transaction
or by the statement nothing starts, whatever it is told.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, Services, binary, free_port, poll  # noqa: E402

ECHO = "document: {dsl: '1.0.3', namespace: test, name: echo, version: '1.0.0'}\ndo:\n  - say: {set: {got: '${ $workflow.input }'}}\n"


class Pooler:
    """A pgbouncer, which refuses root."""

    def __init__(self, folder, database_url, mode, more=""):
        user, password, port = re.match(r"postgresql://(\w+):(\w+)@127.0.0.1:(\d+)/", database_url).groups()
        self.port = free_port()
        self.log = os.path.join(folder, "pgbouncer.log")
        config = os.path.join(folder, "pgbouncer.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[databases]\n* = host=127.0.0.1 port={port} user={user} password={password}\n[pgbouncer]\n"
                       f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
                       f"pool_mode = {mode}\ndefault_pool_size = 40\nlogfile =\npidfile =\n{more}\n")
        as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--"] if os.geteuid() == 0 else []
        os.chmod(folder, 0o755)
        self.command = [*as_nobody, "/usr/sbin/pgbouncer", config]
        self.process = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        poll(self.answers, 20, "pgbouncer listens")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, database):
        return f"postgresql://anybody@127.0.0.1:{self.port}/{database}"

    def stop(self):
        self.process.kill()
        self.process.wait()


@unittest.skipUnless(os.path.exists("/usr/sbin/pgbouncer"), "SKIPPED: pgbouncer is missing; scripts/bootstrap --tests installs it")
class PoolerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="pawl-pooler-", dir="/tmp")
        os.chmod(cls.folder.name, 0o755)
        cls.services = Services(os.path.join(cls.folder.name, "services"))
        cls.databases = 0

    @classmethod
    def tearDownClass(cls):
        cls.services.stop()
        cls.folder.cleanup()

    def sql(self, statement, database="postgres"):
        url = self.services.database_url.rsplit("/", 1)[0] + "/" + database
        done = subprocess.run(["psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", url, "-c", statement],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def make(self, mode, more=""):
        """A pgbouncer and the name of a new database."""
        PoolerTest.databases += 1
        name = f"db{PoolerTest.databases}"
        self.sql(f"create database {name}")
        folder = os.path.join(self.folder.name, name)
        os.mkdir(folder)
        pooler = Pooler(folder, self.services.database_url, mode, more)
        self.addCleanup(pooler.stop)
        return pooler, name

    def run_pawl(self, name, *arguments, url):
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "PAWL_API_KEY": "test-" + "k" * 40}
        return subprocess.run([binary(), *arguments, "--data-dir", os.path.join(self.folder.name, name, "data")], check=False,
                              capture_output=True, text=True, timeout=60, env=environment)

    def test_sessions_that_are_lent_are_refused_before_anything_is_written(self):
        for mode, more in (("transaction", ""), ("transaction", "server_round_robin = 1"), ("statement", ""),
                           ("transaction", "default_pool_size = 1"), ("transaction", "min_pool_size = 5\nserver_round_robin = 1")):
            with self.subTest(mode=mode, more=more):
                pooler, name = self.make(mode, more)
                for command in (("serve", "--port", "0"), ("migrate", "up")):
                    done = self.run_pawl(name, *command, url=pooler.url(name))
                    self.assertNotEqual(done.returncode, 0, done.stderr)
                    self.assertIn("pool_mode=session", done.stderr, (command, done.stdout))
                self.assertEqual(self.sql("select count(*) from pg_tables where schemaname = 'public'", name), "0")
                changed = self.sql("select count(*) from pg_locks where locktype = 'advisory'", name)
                self.assertEqual(changed, "0", "no lock is left behind")

    def test_with_sessions_of_its_own_everything_works(self):
        pooler, name = self.make("session")
        server = Server(os.path.join(self.folder.name, name, "data"), extra_environment={"DATABASE_URL": pooler.url(name)}).start()
        self.addCleanup(server.stop)
        status, made, _ = server.request("POST", "/api/workflows", {"definition": ECHO})
        self.assertEqual(status, 201, made)

        def runs(number):
            status, reply, _ = server.request("POST", f"/api/workflows/{made['id']}/execute", {"input": {"n": number}, "wait": True})
            return status == 200 and reply["output"] == {"got": {"n": number}}

        self.assertTrue(runs(1))
        # A second engine stays away, through the pooler as well.
        other = self.run_pawl(name + "-other", "migrate", "up", url=pooler.url(name))
        self.assertNotEqual(other.returncode, 0)
        self.assertIn("another Pawl process works on this PostgreSQL database", other.stderr)
        # It heals when the pooler was away, and when its connections were.
        pooler.stop()
        pooler.start()
        poll(lambda: runs(2), 60, "runs go on after the pooler was restarted")
        self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
                 name)
        poll(lambda: runs(3), 60, "runs go on after the connections were cut")
        listed = server.request("GET", f"/api/workflows/{made['id']}/executions?limit=100")[1]["items"]
        self.assertGreaterEqual(len(listed), 3)


if __name__ == "__main__":
    unittest.main()
