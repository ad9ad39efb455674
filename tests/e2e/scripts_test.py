#!/usr/bin/env python3
"""proves: F2, F4

The interpreters that wait for scripts, in the real program: a script gets one of them, and none survives a server that was killed.
"""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Server, poll  # noqa: E402

HEADER = "document: {dsl: '1.0.3', namespace: test, name: script, version: '1.0.0'}\ndo:\n"


def descendants(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    found += [int(child), *descendants(int(child))]
    except OSError:
        pass  # it has ended meanwhile
    return found


def command_of(pid):
    """Empty: it has ended, or has been killed and ends."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as command:
            return command.read()
    except OSError:
        return b""


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = Server(os.path.join(folder.name, "data"))
        self.addCleanup(self.server.stop)
        self.server.start()

    def run_script(self):
        workflow = self.server.create_workflow(HEADER + "  - one: {run: {script: {language: python, code: 'print(1)'}}}\n")
        _, view, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute", {"wait": True})
        self.assertEqual((view["status"], view["output"]), ("completed", "1\n"), view)

    def waiting(self):
        """All that belongs to the interpreters that wait, once all of them are up (one of bubblewrap's own that is killed while it starts another
        leaves that standing at its gate), and the process that watches them."""
        found = {pid: command_of(pid) for pid in descendants(self.server.process.pid)}
        found = {pid: command for pid, command in found.items() if command}
        interpreters = sum("python3" in command.split(b"\0")[0].decode() for command in found.values())
        watches = sum(b"pawl-watch" in command for command in found.values())
        return list(found) if interpreters == 2 and watches == 1 and len(found) - watches in (2, 6) else None

    def test_no_interpreter_waits_before_the_first_script(self):
        self.assertEqual(descendants(self.server.process.pid), [])
        self.run_script()
        poll(self.waiting, 20, "two interpreters wait")

    def test_no_interpreter_outlives_a_server_that_was_killed(self):
        self.run_script()
        waiting = poll(self.waiting, 20, "two interpreters wait")
        self.server.kill()
        poll(lambda: not any(command_of(pid) for pid in waiting), 20, "all are gone")

    def test_no_interpreter_outlives_a_server_that_was_asked_to_end(self):
        self.run_script()
        waiting = poll(self.waiting, 20, "two interpreters wait")
        self.server.stop()
        poll(lambda: not any(command_of(pid) for pid in waiting), 20, "all are gone")


if __name__ == "__main__":
    unittest.main()
