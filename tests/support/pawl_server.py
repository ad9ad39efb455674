"""The real `pawl serve` for tests: starts it on a free port, talks to it, kills it."""

import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from openapi import Document

API_KEY = "test-key-0123456789-0123456789-0123456789"


def binary():
    return os.environ.get("PAWL_BINARY") or os.path.join(os.environ.get("PAWL_BINARY_DIR", "build/release"), "pawl")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_database(data_dir):
    """What makes a server store where the tests of this process run: with PAWL_TEST_BACKEND=postgresql a schema of its own for each folder."""
    if os.environ.get("PAWL_TEST_BACKEND") != "postgresql":
        return {}
    schema = "e2e_" + hashlib.sha256(os.path.abspath(data_dir).encode()).hexdigest()[:24]
    url = os.environ["PAWL_TEST_DATABASE_URL"]
    subprocess.run(["psql", "--quiet", "--no-psqlrc", url, "-c", f"create schema if not exists {schema}"], check=True, capture_output=True)
    return {"DATABASE_URL": f"{url}?options=-csearch_path%3D{schema}"}


class Services:
    """A PostgreSQL and a Redis of a test's own, which it may stop and start."""

    def __init__(self, folder):
        self.folder = folder
        exports = self.run("start")
        self.database_url = re.search(r"PAWL_TEST_DATABASE_URL=(\S+)", exports)[1]

    def run(self, action):
        script = os.path.join(os.environ["PAWL_SOURCE_DIR"], "scripts", "services")
        done = subprocess.run([script, action, self.folder], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"scripts/services {action}: {done.stderr}")
        return done.stdout

    def stop(self):
        self.run("stop")


class Server:
    """One process of `pawl serve` over a data folder; `start` may follow `kill` any number of times."""

    def __init__(self, data_dir, port=None, extra_environment=None):
        self.data_dir = data_dir
        self.port = port or free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PAWL_API_KEY": API_KEY,
            "PAWL_ALLOW_PRIVATE_ADDRESSES": "true",
            "LOG_LEVEL": "warning",
            "RATE_LIMIT_ENABLED": "false",  # tests of limits switch it on; others are faster than people
            **test_database(data_dir),
            **(extra_environment or {}),
        }
        self.process = None
        self.document = None  # of the running server: every reply is held against it
        self.log = open(os.path.join(os.path.dirname(os.path.abspath(data_dir)), f"serve-{self.port}.log"), "ab")

    def launch(self):
        """Without waiting for anything."""
        self.process = subprocess.Popen(
            [binary(), "serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", self.data_dir],
            env=self.environment, stdout=self.log, stderr=self.log)
        return self

    def start(self, deadline_seconds=60):
        self.launch()
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"pawl serve ended with {self.process.returncode}: {self.tail()}")
            try:
                status, _, _ = self.request("GET", "/health/readiness")
                if status == 200:
                    self.document = self.document or Document(self.request("GET", "/api/openapi.json")[1])
                    return self
            except OSError:
                pass
            time.sleep(0.005)
        raise RuntimeError(f"pawl serve was not ready in time: {self.tail()}")

    def kill(self):
        """SIGKILL, as a power cut would; waits until the process is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()

    def tail(self):
        self.log.flush()
        with open(self.log.name, "rb") as log:
            return log.read()[-2000:].decode(errors="replace")

    def request(self, method, path, body=None, headers=None, timeout=30):
        """-> (status, parsed JSON or text, headers). Raises OSError where there is no server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            all_headers = {"Authorization": f"Bearer {API_KEY}", **(headers or {})}
            data = None
            if body is not None:
                data = body if isinstance(body, (bytes, str)) else json.dumps(body)
                all_headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=all_headers)
            reply = connection.getresponse()
            text = reply.read().decode()
            kind = reply.getheader("Content-Type", "")
            value = json.loads(text) if re.search(r"json\b", kind) and "ndjson" not in kind and text else text
            if self.document:
                problems = self.document.check_reply(method, path, reply.status, kind.split(";")[0], value)
                if problems:
                    raise AssertionError("the reply is not what the OpenAPI document says:\n" + "\n".join(problems))
            return reply.status, value, dict(reply.getheaders())
        except http.client.HTTPException as failure:
            raise OSError(str(failure)) from failure
        finally:
            connection.close()

    def create_workflow(self, definition, name=None):
        body = {"definition": definition}
        if name:
            body["name"] = name
        status, reply, _ = self.request("POST", "/api/workflows", body)
        if status != 201:
            raise RuntimeError(f"workflow refused: {status} {reply}")
        return reply["id"]


def poll(condition, seconds, what):
    """Waits until `condition()` is truthy and returns that; raises after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise RuntimeError(f"not in {seconds} s: {what}")
        time.sleep(0.02)


class Background:
    """A thread whose failure is raised where it is joined."""

    def __init__(self, work):
        self.failure = None

        def guarded():
            try:
                work()
            except BaseException as failure:  # noqa: BLE001 - handed to the joiner
                self.failure = failure

        self.thread = threading.Thread(target=guarded, daemon=True)
        self.thread.start()

    def join(self, seconds):
        self.thread.join(seconds)
        if self.thread.is_alive():
            raise RuntimeError("the background work did not end")
        if self.failure:
            raise self.failure
