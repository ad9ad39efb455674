"""Tools of the tests that come from npm, pinned by a lock file."""

import fcntl
import os
import shutil
import subprocess
import sys
import unittest


def install(source, folder, package, required_in_ci=False):
    """Makes what `source`/package-lock.json pins be in `folder`, once. Where that is impossible the tests are skipped, and say so;
    with `required_in_ci` and CI in the environment they fail."""
    wanted = {}
    for name in ("package.json", "package-lock.json"):
        with open(os.path.join(source, name), "rb") as file:
            wanted[name] = file.read()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "install.lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of suites that run at once and share the folder one installs
        if os.path.isdir(os.path.join(folder, "node_modules", package)) and _holds(folder, wanted):
            return
        problem = _install(folder, wanted)
    if problem is None:
        return
    if required_in_ci and os.environ.get("CI"):
        raise RuntimeError(problem)
    print(f"SKIPPED: not tested: {problem}", file=sys.stderr)
    raise unittest.SkipTest(problem)


def _holds(folder, wanted):
    for name, content in wanted.items():
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            if file.read() != content:
                return False
    return True


def _install(folder, wanted):
    """None, or why not."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "node and npm are not installed"
    for name, content in wanted.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                          timeout=600, check=False)
    if done.returncode == 0:
        return None
    os.remove(os.path.join(folder, "package-lock.json"))  # what is half there does not count
    return "npm cannot install: " + done.stderr[-300:]
