"""A provider of our own that speaks OpenAI Chat, counts and remembers, and the set-up of tests with agents that ask it."""

import collections
import http.server
import json
import os
import re
import socketserver
import tempfile
import threading
import time
import unittest

from pawl_server import Server, poll

TURNS = 10
AGENT = """
document: {{dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0'}}
do:
  - ask:
      call: agent
      with:
        model: openai-compatible/counting
        instructions: Go on until you are done.
        prompt: ${{ .run }}
        {more}
        tools:
          - {{function: http, name: look, with: {{method: get, endpoint: '{base}/look', output: content}}}}
          - {{function: http, name: act, with: {{method: post, endpoint: '{base}/act', output: raw}}}}
"""


def agent_document(name, base, more):
    return AGENT.format(name=name, base=base, more=more)


class World(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The provider at /v1/chat/completions and two services, /look and /act."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        self.lock = threading.Lock()
        self.turns = collections.defaultdict(list)  # run -> [(number of the turn, body)] in order
        self.tools = collections.defaultdict(list)  # path -> [(query or body, idempotency key)]
        self.used = collections.Counter()           # run -> tokens
        self.paid = collections.Counter()           # run -> millionths of a dollar, at the prices of AgentCase
        self.page = "nothing"
        self.delay = 0.0
        self.pause = 0.0                            # between the pieces of a stream
        self.lie = None                             # told as usage, whatever was used
        self.cut = 0                                # streams whose reader went away before their end
        self.strikes = []                           # [(moment, turn)] in order: when `strike` is called, each once
        self.missed = []
        self.strike = None
        self.struck = threading.Event()             # that it was, until somebody clears it
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A killed client resets its connections: that is the point."""

    @staticmethod
    def turn_in(given):
        """Of a tool's call, its query or body; -1: it says none."""
        found = re.search(r'\bturn\W+(\d+)', given)
        return int(found[1]) if found else -1

    def comes_to(self, moment, turn):
        """Before an answer, in its middle, after it. Of the strikes those that the run has passed by, in an earlier turn, come no more."""
        with self.lock:
            if self.struck.is_set():
                return
            while self.strikes and self.strikes[0][1] < turn:
                self.missed.append(self.strikes.pop(0))
            if self.strikes[:1] != [(moment, turn)]:
                return
            self.strikes.pop(0)
            self.strike()
            self.struck.set()

    def reply(self, request):
        messages = [each for each in request["messages"] if each["role"] not in ("system", "developer")]
        run = messages[0]["content"]
        run = run if isinstance(run, str) else run[0]["text"]
        turn = sum(1 for each in messages if each["role"] == "assistant")
        with self.lock:
            self.turns[run].append((turn, json.dumps(request, sort_keys=True)))
        most = request.get("max_tokens") or request.get("max_completion_tokens")
        usage = {"prompt_tokens": len(json.dumps(messages)) // 3, "completion_tokens": most if run.startswith("greedy") else 20}
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        with self.lock:
            self.used[run] += usage["total_tokens"]
            self.paid[run] += usage["prompt_tokens"] + 10 * usage["completion_tokens"]
        if self.lie is not None:
            usage = self.lie
        calls = []
        if run.startswith("crowd"):
            calls = [("many", {})] if turn == 0 else []
        elif run.startswith("obedient"):
            told = messages[-1]["content"] if messages[-1]["role"] == "tool" else ""
            if turn == 0:
                calls = [("look", {"query": {"q": "page"}})]
            elif "act" in str(told) and turn < 3:
                calls = [("act", {"body": {"secret": turn}}), ("look", {"endpoint": "http://127.0.0.1:1/steal"}), ("shell-command", {"command": "id"})]
        elif run.startswith("greedy") or turn < TURNS - 1:
            calls = [("look", {"query": {"run": run, "turn": str(turn)}}), ("act", {"body": {"run": run, "turn": turn}}),
                     ("look", {"query": {"run": run, "turn": str(turn), "second": "yes"}})]
        message = {"role": "assistant", "content": f"turn {turn}"}
        if calls and request.get("tool_choice") != "none":
            message["tool_calls"] = [{"id": f"call-{run}-{turn}-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                                     for i, (name, given) in enumerate(calls)]
        return {"id": f"chat-{run}-{turn}", "object": "chat.completion", "created": 1, "model": "counting", "usage": usage,
                "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        world = self.server
        if not self.path.startswith("/v1/"):
            path, _, query = self.path.partition("?")
            with world.lock:
                world.tools[path].append((query or body.decode(), self.headers.get("Idempotency-Key")))
            turn = world.turn_in(query or body.decode())
            world.comes_to(f"before {path}", turn)
            self.send(world.page.encode(), "text/plain")
            return world.comes_to(f"after {path}", turn)
        request = json.loads(body)
        reply = world.reply(request)
        self.turn = sum(1 for each in request["messages"] if each["role"] == "assistant")
        world.comes_to("before the answer", self.turn)
        time.sleep(world.delay)
        if not request.get("stream"):
            self.send(json.dumps(reply).encode(), "application/json")
            return world.comes_to("after the answer", self.turn)
        choice = reply["choices"][0]
        deltas = [{"role": "assistant", "content": ""}, *({"content": letter} for letter in choice["message"]["content"]),
                  *({"tool_calls": [{"index": i, **call}]} for i, call in enumerate(choice["message"].get("tool_calls", [])))]
        head = {"id": reply["id"], "object": "chat.completion.chunk", "created": 1, "model": "counting"}
        chunks = [*({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
                  {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
                  {**head, "choices": [], "usage": reply["usage"]}]
        return self.stream([*(json.dumps(chunk) for chunk in chunks), "[DONE]"])

    def stream(self, pieces):
        data = [f"data: {piece}\n\n".encode() for piece in pieces]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(sum(map(len, data))))
        self.end_headers()
        try:
            for number, piece in enumerate(data):
                if number == len(data) // 2:
                    self.server.comes_to("within the answer", self.turn)
                self.wfile.write(piece)
                time.sleep(self.server.pause)
            self.server.comes_to("after the answer", self.turn)
        except OSError:
            with self.server.lock:
                self.server.cut += 1
            self.close_connection = True

    def send(self, data, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class AgentCase(unittest.TestCase):
    """One server whose `openai-compatible` is a World. A token of a prompt costs a millionth of a dollar, one of an answer ten."""

    environment = {}

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.server_close)
        self.addCleanup(self.world.shutdown)
        self.base = f"http://127.0.0.1:{self.world.server_address[1]}"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        prices = os.path.join(folder.name, "prices.yaml")
        with open(prices, "w", encoding="utf-8") as file:
            file.write("prices:\n  - {model: openai-compatible/counting, input: 1, output: 10}\n")
        environment = {"OPENAI_BASE_URL": f"{self.base}/v1", "LLM_PRICES": prices, **self.environment}
        self.server = Server(os.path.join(folder.name, "data"), extra_environment=environment).start()
        self.addCleanup(self.server.stop)

    def create(self, name, more):
        return self.server.create_workflow(agent_document(name, self.base, more))

    def start(self, workflow, run):
        """The idempotency key makes a second try after a crash safe."""
        def started():
            try:
                status, reply, _ = self.server.request("POST", f"/api/workflows/{workflow}/execute",
                                                       {"input": {"run": run}, "wait": False, "idempotency_key": f"start-{run}"})
            except OSError:
                return None
            return reply["id"] if status in (200, 202) else None
        return poll(started, 20, f"{run} is started")

    def ended(self, runs):
        def all_of_them():
            found = [self.server.request("GET", f"/api/runs/{run}")[1] for run in runs]
            return found if all(each["status"] in ("completed", "faulted", "cancelled") for each in found) else None
        return poll(all_of_them, 90, "every run has ended")
