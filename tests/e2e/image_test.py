#!/usr/bin/env python3
"""proves: O1, S4-C1, S4-A-P0a

The image that `packaging/Containerfile` makes out of the Debian package: built as an administrator builds it, on a base that comes from Debian's archive
instead of a registry, and served from as the user that it names.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SOURCE = os.environ["PAWL_SOURCE_DIR"]
BUILD = os.environ["PAWL_BINARY_DIR"]
CONTAINERFILE = os.path.join(SOURCE, "packaging", "Containerfile")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lacking = [name for name in ("buildah", "mmdebstrap", "cpack") if not shutil.which(name)]
        if os.geteuid() != 0:
            lacking.append("the rights of root")
        if lacking:
            print(f"SKIPPED: the image is not built: {', '.join(lacking)} missing", file=sys.stderr)
            raise unittest.SkipTest("no image can be built here")
        folder = tempfile.TemporaryDirectory(prefix="pawl-image-", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        context = os.path.join(cls.folder, "context")
        cls.must("cpack", "-G", "DEB", "-B", context, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=none", cwd=BUILD)
        base = os.path.join(cls.folder, "base.tar")
        cls.must("mmdebstrap", "--variant=minbase", "--mode=root", "bookworm", base)
        empty = cls.buildah("from", "scratch")
        cls.buildah("add", empty, base, "/")
        cls.buildah("commit", "--rm", empty, "localhost/debian-base")
        os.remove(base)
        cls.buildah("build", "--format", "docker", "-f", CONTAINERFILE, "--build-arg", "BASE=localhost/debian-base", "-t", "localhost/pawl", context)
        cls.container = cls.buildah("from", "localhost/pawl")
        cls.root = cls.buildah("mount", cls.container)
        cls.addClassCleanup(cls.buildah, "umount", "--all")
        cls.settings = json.loads(cls.buildah("inspect", "--type", "image", "localhost/pawl"))["Docker"]["config"]

    @staticmethod
    def must(*command, **more):
        done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False, **more)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout.strip()

    @classmethod
    def buildah(cls, *arguments):
        """With a store of its own: nothing of this machine's images is read or changed."""
        store = ("--root", os.path.join(cls.folder, "store"), "--runroot", os.path.join(cls.folder, "run"))
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        return cls.must("buildah", *store, *arguments, env=environment)

    def test_it_runs_as_a_user_without_rights_and_is_asked_for_its_health(self):
        self.assertEqual(self.settings["User"], "10001:10001")
        self.assertEqual(self.settings["Entrypoint"] + self.settings["Cmd"], ["/usr/bin/pawl", "serve"])
        self.assertIn("PAWL_DATA_DIR=/var/lib/pawl", self.settings["Env"])
        self.assertIn("/health/liveness", " ".join(self.settings["Healthcheck"]["Test"]))

    def test_nothing_in_it_gives_the_rights_of_another(self):
        found = self.must("find", self.root, "-xdev", "-perm", "/6000", "-type", "f")
        self.assertEqual(found, "")

    def test_nothing_that_builds_came_along(self):
        for program in ("gcc-12", "g++-12", "cmake", "node", "git-receive-pack"):
            self.assertFalse(os.path.exists(os.path.join(self.root, "usr/bin", program)), program)
        self.assertEqual(os.listdir(os.path.join(self.root, "var/lib/apt/lists")), [])

    def test_it_serves_and_its_health_check_agrees(self):
        port = free_port()
        served = os.path.join(self.folder, "served.log")
        inside = ["chroot", "--userspec=10001:10001", self.root, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", *self.settings["Env"],
                  "API_HOST=127.0.0.1", f"API_PORT={port}"]
        with open(served, "w", encoding="utf-8") as log:
            with subprocess.Popen([*inside, *self.settings["Entrypoint"], *self.settings["Cmd"]], stdout=log, stderr=log) as server:
                try:
                    for _ in range(600):
                        if server.poll() is not None:
                            break
                        try:
                            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveness", timeout=5) as answer:
                                self.assertEqual(answer.status, 200)
                            break
                        except OSError:
                            time.sleep(0.05)
                    with open(served, encoding="utf-8") as text:
                        self.assertIsNone(server.poll(), text.read())
                    check = self.settings["Healthcheck"]["Test"]
                    self.assertEqual(check[0], "CMD")
                    words = [re.sub(r":8000/", f":{port}/", word) for word in check[1:]]
                    self.must(*inside, *words)
                finally:
                    server.terminate()
                    server.wait(20)
        self.assertEqual(server.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
