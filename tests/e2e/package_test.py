#!/usr/bin/env python3
"""proves: O1

The Debian package as an administrator gets it, and the files beside it: what is in it, that its program runs, that systemd and nginx take their files.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["PAWL_SOURCE_DIR"]
BUILD = os.environ["PAWL_BINARY_DIR"]
PACKAGING = os.path.join(SOURCE, "packaging")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **more)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program in ("dpkg-shlibdeps", "cpack"):
            if not shutil.which(program):
                print(f"SKIPPED: not tested: {program} is not installed", file=sys.stderr)
                raise unittest.SkipTest(f"{program} is not installed")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        # Uncompressed: only the time differs.
        done = run("cpack", "-G", "DEB", "-B", cls.folder.name, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=none", cwd=BUILD)
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        cls.package = [os.path.join(cls.folder.name, name) for name in os.listdir(cls.folder.name) if name.endswith(".deb")][0]
        cls.root = os.path.join(cls.folder.name, "root")
        subprocess.run(["dpkg-deb", "-x", cls.package, cls.root], check=True)

    def field(self, name):
        return run("dpkg-deb", "-f", self.package, name).stdout.strip()

    def test_it_says_what_it_needs(self):
        self.assertRegex(os.path.basename(self.package), r"^pawl_\d+\.\d+\.\d+_amd64\.deb$")
        needs = self.field("Depends")
        for package in ("bubblewrap", "ca-certificates", "tzdata", "libcurl4", "libpq5", "libsqlite3-0", "libsodium23"):
            self.assertIn(package, needs)

    def test_its_program_runs(self):
        done = run(os.path.join(self.root, "usr", "bin", "pawl"), "--version")
        self.assertEqual((done.returncode, done.stdout.split()[0]), (0, "pawl"), done.stderr)
        example = os.path.join(self.root, "usr", "share", "doc", "pawl", "examples")
        done = run(os.path.join(self.root, "usr", "bin", "pawl"), "validate", *(os.path.join(example, name) for name in os.listdir(example)
                                                                             if name.endswith(".yaml")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_its_scripts_are_scripts(self):
        control = os.path.join(self.folder.name, "control")
        subprocess.run(["dpkg-deb", "-e", self.package, control], check=True)
        for name in ("postinst", "prerm", "postrm"):
            path = os.path.join(control, name)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o755)
            self.assertEqual(run("sh", "-n", path).returncode, 0)

    def test_the_configuration_names_settings_that_exist(self):
        with open(os.path.join(SOURCE, ".env.example"), encoding="utf-8") as file:
            known = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", file.read(), re.M))
        for name in ("pawl.conf", "compose.yaml", "pawl.service", "Containerfile"):
            with open(os.path.join(PACKAGING, name), encoding="utf-8") as file:
                text = file.read()
            for setting in set(re.findall(r"\b((?:PAWL|API|DATABASE|REDIS|SECRET|ENCRYPTION|TRUSTED)_[A-Z0-9_]+)\b", text)):
                self.assertIn(setting, known, name)

    def test_systemd_takes_the_unit(self):
        if not shutil.which("systemd-analyze"):
            print("SKIPPED: not tested: systemd-analyze is not installed", file=sys.stderr)
            self.skipTest("systemd-analyze is not installed")
        unit = os.path.join(self.folder.name, "pawl.service")
        with open(os.path.join(PACKAGING, "pawl.service"), encoding="utf-8") as file:
            text = file.read().replace("/usr/bin/pawl", os.path.join(self.root, "usr", "bin", "pawl"))
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text)
        done = run("systemd-analyze", "verify", "--man=no", unit)
        self.assertNotIn("pawl.service", done.stderr)

    def test_nginx_takes_its_file(self):
        if not shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
            print("SKIPPED: not tested: nginx is not installed", file=sys.stderr)
            self.skipTest("nginx is not installed")
        key, certificate = (os.path.join(self.folder.name, name) for name in ("key.pem", "certificate.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                        "-subj", "/CN=pawl.example.org"], check=True, capture_output=True)
        with open(os.path.join(PACKAGING, "nginx.conf"), encoding="utf-8") as file:
            site = file.read()
        site = site.replace("/etc/ssl/certs/ssl-cert-snakeoil.pem", certificate).replace("/etc/ssl/private/ssl-cert-snakeoil.key", key)
        whole = os.path.join(self.folder.name, "nginx.conf")
        with open(whole, "w", encoding="utf-8") as file:
            file.write(f"pid {self.folder.name}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; client_body_temp_path "
                       f"{self.folder.name}/b; proxy_temp_path {self.folder.name}/p; {site} }}\n")
        done = run("nginx", "-t", "-c", whole, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
