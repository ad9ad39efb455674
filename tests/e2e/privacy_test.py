#!/usr/bin/env python3
"""proves: S4-D3, P7

Data about people: the inventory in docs/pii.md names every column of a migrated database and no other.
"""

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import binary  # noqa: E402


class InventoryTest(unittest.TestCase):
    def setUp(self):
        source = os.environ.get("PAWL_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
        with open(os.path.join(source, "docs", "pii.md"), encoding="utf-8") as file:
            self.text = file.read()

    def listed(self):
        about, without = self.text.split("## Columns about people")[1].split("## Columns without")
        without = without.split("## ")[0]
        columns = re.findall(r"^\| `([a-z_0-9]+\.[a-z_0-9]+)` \| [^|]+ \| [^|]+ \| [^|]+ \|$", about, re.M)
        for table, names in re.findall(r"^- `([a-z_0-9]+)`: (.+)$", without, re.M):
            columns += [f"{table}.{name}" for name in re.findall(r"`([a-z_0-9]+)`", names)]
        return columns

    def test_s4_d3_the_inventory_names_every_column_once_and_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([binary(), "migrate", "up", "--data-dir", folder], env={"PATH": os.environ["PATH"]},
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done)
            with sqlite3.connect(os.path.join(folder, "pawl.db")) as database:
                tables = [row[0] for row in database.execute(
                    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]
                schema = [f"{table}.{row[1]}" for table in tables for row in database.execute(f"pragma table_info({table})")]
            database.close()
        self.assertEqual(sorted(self.listed()), sorted(schema))


if __name__ == "__main__":
    unittest.main()
