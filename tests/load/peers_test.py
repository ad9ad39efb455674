#!/usr/bin/env python3
"""proves: O7

The comparisons with other durable engines (bench/peers) measure what they say: both engines run all workflows, on one PostgreSQL or on storages of their
own. That one is faster is for a quiet machine to say, and no test.
"""

import os
import sys
import unittest

SOURCE = os.environ["PAWL_SOURCE_DIR"]
sys.path.insert(0, os.path.join(SOURCE, "bench", "peers"))
import compare  # noqa: E402


class PeersTest(unittest.TestCase):
    @unittest.skipUnless(os.environ.get("PAWL_TEST_DATABASE_URL"), "PAWL_TEST_DATABASE_URL is not set: nothing is compared")
    def test_o7_dbos_is_measured_beside_ours(self):
        url = os.environ["PAWL_TEST_DATABASE_URL"]
        self.compare("dbos", lambda: compare.databases(url))

    def test_o7_restate_is_measured_beside_ours(self):
        self.compare("restate", compare.embedded)

    def compare(self, name, storage):
        peer = compare.peer_in(os.path.join(os.environ["PAWL_BINARY_DIR"], "tests", name), name)
        found = list(compare.compare(os.environ["PAWL_BINARY"], peer, storage, quick=True))
        self.assertEqual([scenario for scenario, _ours, _theirs in found], ["no-op", "ten steps"])
        for scenario, *figures in found:
            for rate, median in figures:
                self.assertGreater(rate, 0, scenario)
                self.assertGreater(median, 0, scenario)
                # Half of the calls take the median or longer, so that 64 callers come to twice 64 in it at most: figures that do not belong
                # to each other would not fit.
                self.assertLess(rate, 64 / (median / 1000) * 4, scenario)


if __name__ == "__main__":
    unittest.main()
