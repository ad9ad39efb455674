#!/usr/bin/env python3
"""proves: W7

A server under load is killed with SIGKILL at random moments and started again. At the end every acknowledged run is complete, no step whose
end was durable ran again, an interrupted `idempotent` call was repeated with the same key, and an interrupted `once` step was not made
twice but reported as "outcome unknown".

Usage: crash_test.py [--runs 500] [--kills 50] [--seed N]
"""

import argparse
import collections
import http.server
import json
import os
import random
import socketserver
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import Background, Server, poll  # noqa: E402

WORKFLOW = """
document: {{dsl: '1.0.3', namespace: test, name: crash, version: '1.0.0'}}
do:
  - look:
      call: http
      with: {{method: get, endpoint: '{base}/look/{{run}}', output: raw}}
      output: {{as: $input}}
  - pause: {{wait: {{milliseconds: 40}}}}
  - reserve:
      call: http
      with: {{method: post, endpoint: '{base}/reserve/{{run}}', body: {{}}, output: raw}}
      output: {{as: $input}}
  - flaky:
      try:
        - call:
            call: http
            with: {{method: post, endpoint: '{base}/flaky/{{run}}', body: {{}}, output: raw}}
            output: {{as: $input}}
      catch:
        errors: {{with: {{status: 503}}}}
        retry: {{delay: {{milliseconds: 10}}, limit: {{attempt: {{count: 20}}}}}}
  - pay:
      try:
        - charge:
            metadata: {{effect: once}}
            call: http
            with: {{method: post, endpoint: '{base}/charge/{{run}}', body: {{}}, output: raw}}
            output: {{as: '$input + {{charged: "yes"}}'}}
      catch:
        as: problem
        do:
          - unknown: {{set: '${{ . + {{charged: $problem.title}} }}'}}
  - settle:
      metadata:
        effect: once
        on_unknown: {{probe: {{call: http, with: {{method: get, endpoint: '{base}/settled/{{run}}'}}}}}}
      call: http
      with: {{method: post, endpoint: '{base}/settle/{{run}}', body: {{}}, output: raw}}
      output: {{as: $input}}
  - report:
      call: http
      with: {{method: post, endpoint: '{base}/report/{{run}}', body: {{charged: '${{ .charged }}'}}, output: raw}}
      output: {{as: $input}}
"""
ORDER = ["look", "reserve", "flaky", "charge", "settle", "report"]


class CountingServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = collections.defaultdict(list)  # (run, step) -> [(order, idempotency key)]
        self.order = 0
        super().__init__(("127.0.0.1", 0), CountingHandler)

    def handle_error(self, *_):
        """A killed client resets its connections: that is the point."""


class CountingHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _, step, run = self.path.split("/")
        with self.server.lock:
            self.server.order += 1
            calls = self.server.calls[(run, step)]
            calls.append((self.server.order, self.headers.get("Idempotency-Key"), body))
            flaky = step == "flaky" and len(calls) == 1
            settled = (run, "settle") in self.server.calls
        text, kind = b"ok", "text/plain"
        if step == "settled":  # what a probe asks
            text, kind = json.dumps({"happened": settled}).encode(), "application/json"
        self.send_response(503 if flaky else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def start_runs(server, workflow, names, acknowledged, pace):
    """Starts one run per name; the idempotency key makes a second try after a crash safe."""
    for name in names:
        while True:
            try:
                status, reply, _ = server.request(
                    "POST", f"/api/workflows/{workflow}/execute",
                    {"input": {"run": name}, "wait": False, "idempotency_key": f"start-{name}"}, timeout=5)
            except (OSError, ValueError):
                time.sleep(0.02)
                continue
            if status in (200, 202):
                acknowledged[name] = reply["id"]
                break
            if status != 503:
                raise RuntimeError(f"start refused: {status} {reply}")
            time.sleep(0.02)
        time.sleep(pace)


def check(calls, name, run):
    """-> list of sentences about what went wrong in one run."""
    wrong = []
    if run["status"] != "completed":
        return [f"{name} is {run['status']}: {run.get('error')}"]
    unknown = run["output"].get("charged") != "yes"
    if unknown and run["output"].get("charged") != "Outcome unknown":
        wrong.append(f"{name}: charge says {run['output'].get('charged')}")
    charges = len(calls[(name, "charge")])
    if charges > 1 or (charges == 0 and not unknown):
        wrong.append(f"{name}: once step was made {charges} times (outcome unknown: {unknown})")
    settlements = len(calls[(name, "settle")])
    if settlements != 1:
        wrong.append(f"{name}: a once step with a probe was made {settlements} times")
    for step in ("reserve", "report"):
        keys = {key for _, key, _ in calls[(name, step)]}
        if len(keys) != 1 or None in keys:
            wrong.append(f"{name}: {step} was called with keys {keys}")
    # A writing step starts only after everything before it is durable: nothing earlier may be called after it.
    last = 0
    for step in ORDER:
        orders = [order for order, _, _ in calls[(name, step)]]
        if not orders:
            if step != "charge":
                wrong.append(f"{name}: {step} never ran")
            continue
        if min(orders) < last:
            wrong.append(f"{name}: a step before {step} ran again after {step} had started")
        last = max(orders)
    return wrong


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=500)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=None)
    arguments = options.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)

    counting = CountingServer()
    threading.Thread(target=counting.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{counting.server_address[1]}"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(os.path.join(folder, "data"))
        server.start()
        workflow = server.create_workflow(WORKFLOW.format(base=base))
        names = [f"r{i}" for i in range(arguments.runs)]
        acknowledged = {}
        clients = 5
        pace = 0.4 * arguments.kills * clients / max(1, arguments.runs)
        starters = [Background(lambda part=names[i::clients]: start_runs(server, workflow, part, acknowledged, pace))
                    for i in range(clients)]
        for _ in range(arguments.kills):
            time.sleep(chance.uniform(0.02, 0.5))
            server.kill()
            server.start()
        for starter in starters:
            starter.join(120)

        def all_ended():
            runs = {}
            for name, run in acknowledged.items():
                status, reply, _ = server.request("GET", f"/api/runs/{run}")
                if status != 200:
                    raise RuntimeError(f"acknowledged run {name} answers {status}: {reply}")
                if reply["status"] not in ("completed", "faulted", "cancelled"):
                    return None
                runs[name] = reply
            return runs

        runs = poll(all_ended, 60, "every acknowledged run has ended")
        server.stop()
    counting.shutdown()
    wrong = [sentence for name in names for sentence in check(counting.calls, name, runs[name])]
    unknown = sum(1 for run in runs.values() if run["status"] == "completed" and run["output"].get("charged") != "yes")
    repeated = sum(1 for (_, step), calls in counting.calls.items() if step in ("reserve", "report") and len(calls) > 1)
    print(f"{arguments.kills} kills, {len(runs)} acknowledged runs, {repeated} idempotent calls repeated with their key, "
          f"{unknown} outcomes unknown")
    for sentence in wrong[:20]:
        print(f"  {sentence}")
    print(f"{len(runs) - len(wrong)} passed, {len(wrong)} failed")
    sys.exit(1 if wrong or len(runs) != arguments.runs else 0)


if __name__ == "__main__":
    main()
