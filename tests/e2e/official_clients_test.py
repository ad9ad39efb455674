#!/usr/bin/env python3
"""proves: A1

The wire formats of models held to the providers' own clients (npm, pinned in official_clients/package-lock.json), who publish them: what Pawl sends is what
their types allow, checked by the TypeScript compiler, and of recorded answers, streamed in pieces, Pawl reads what they read.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from packages import install  # noqa: E402

sys.path.insert(0, HERE)
from llm_test import Base  # noqa: E402

SOURCE = os.path.join(HERE, "official_clients")
TEXT = "Grüße \U0001f600, ‘now’"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WIRES = {"chat": "openai/gpt-4o-mini", "responses": "openai-responses/gpt-4o-mini", "anthropic": "anthropic/claude-sonnet-4-5",
         "gemini": "gemini/gemini-2.5-flash", "ollama": "ollama/llama3"}
# What the clients' types call a request. Gemini's client has a form of its own, made of the same parts as the provider's, and names where the wire has
# their texts. Anthropic's newest types have no `temperature`, which models of before take: Pawl sends it where the call names one, and only there.
TYPES = {
    "chat": "OpenAI.ChatCompletionCreateParams",
    "responses": "OpenAI.Responses.ResponseCreateParams",
    "anthropic": "Anthropic.MessageCreateParams & { temperature?: number }",
    "gemini": "{ contents: Content[]; systemInstruction?: Content; tools?: Tool[]; generationConfig?: GenerationConfig; "
              "toolConfig?: { functionCallingConfig?: { mode?: `${FunctionCallingConfigMode}`; allowedFunctionNames?: string[] } } }",
    "ollama": "ChatRequest"}
IMPORTS = """import type Anthropic from '@anthropic-ai/sdk';
import type { Content, FunctionCallingConfigMode, GenerationConfig, Tool } from '@google/genai';
import type { ChatRequest } from 'ollama';
import type OpenAI from 'openai';
"""


def sse(*events, named=False, end=""):
    return "".join((f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events) + end


def chat_stream():
    def piece(delta, **more):
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [
            {"index": 0, "delta": delta, "finish_reason": None, **more}]}

    def calls(*some):
        return piece({"tool_calls": list(some)})
    return sse(
        piece({"role": "assistant", "content": "", "refusal": None}), piece({"content": TEXT[:7]}), piece({"content": TEXT[7:]}),
        calls({"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": ""}}),
        calls({"index": 0, "function": {"arguments": "{\"q\":"}}), calls({"index": 0, "function": {"arguments": "1}"}}),
        calls({"index": 1, "id": "b", "type": "function", "function": {"name": "go", "arguments": "{}"}}),
        piece({}, finish_reason="tool_calls"),
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m1", "choices": [], "usage": {
            "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}}, end="data: [DONE]\n\n")


def responses_stream():
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [
        {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}]}
    calls = [{"type": "function_call", "id": f"f{at}", "call_id": id, "name": name, "arguments": arguments, "status": "completed"}
             for at, (id, name, arguments) in enumerate([("a", "look", "{\"q\":1}"), ("b", "go", "{}")])]

    def whole(status, output, usage):
        return {"id": "r1", "object": "response", "created_at": 1, "model": "m1", "status": status, "output": output, "error": None,
                "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1,
                "tool_choice": "auto", "tools": [], "top_p": 1, "usage": usage}
    usage = {"input_tokens": 10, "output_tokens": 7, "total_tokens": 17, "input_tokens_details": {"cached_tokens": 4},
             "output_tokens_details": {"reasoning_tokens": 2}}
    part = {"item_id": "m1", "output_index": 0, "content_index": 0}
    events = [{"type": "response.created", "response": whole("in_progress", [], None)},
              {"type": "response.in_progress", "response": whole("in_progress", [], None)},
              {"type": "response.output_item.added", "output_index": 0, "item": {**message, "status": "in_progress", "content": []}},
              {"type": "response.content_part.added", **part, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}},
              {"type": "response.output_text.delta", **part, "delta": TEXT[:7], "logprobs": []},
              {"type": "response.output_text.delta", **part, "delta": TEXT[7:], "logprobs": []},
              {"type": "response.output_text.done", **part, "text": TEXT, "logprobs": []},
              {"type": "response.content_part.done", **part, "part": message["content"][0]},
              {"type": "response.output_item.done", "output_index": 0, "item": message}]
    for at, item in enumerate(calls, 1):
        here = {"item_id": item["id"], "output_index": at}
        events += [{"type": "response.output_item.added", "output_index": at, "item": {**item, "arguments": "", "status": "in_progress"}},
                   {"type": "response.function_call_arguments.delta", **here, "delta": item["arguments"]},
                   {"type": "response.function_call_arguments.done", **here, "name": item["name"], "arguments": item["arguments"]},
                   {"type": "response.output_item.done", "output_index": at, "item": item}]
    events.append({"type": "response.completed", "response": whole("completed", [message, *calls], usage)})
    return sse(*[{**event, "sequence_number": at} for at, event in enumerate(events)], named=True)


def anthropic_stream():
    def block(index, start, *deltas):
        return [{"type": "content_block_start", "index": index, "content_block": start},
                *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas], {"type": "content_block_stop", "index": index}]

    def words(text):
        return {"type": "text_delta", "text": text}

    def arguments(text):
        return {"type": "input_json_delta", "partial_json": text}
    return sse(
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m1", "stop_reason": None,
                                              "stop_sequence": None, "usage": {"input_tokens": 3, "cache_read_input_tokens": 5,
                                                                               "cache_creation_input_tokens": 2, "output_tokens": 1}}},
        *block(0, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm"},
               {"type": "signature_delta", "signature": "sig"}),
        {"type": "ping"},
        *block(1, {"type": "text", "text": ""}, words(TEXT[:7]), words(TEXT[7:])),
        *block(2, {"type": "tool_use", "id": "a", "name": "look", "input": {}}, arguments(""), arguments("{\"q\""), arguments(": 1}")),
        *block(3, {"type": "tool_use", "id": "b", "name": "go", "input": {}}),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"}, named=True)


def gemini_stream():
    def piece(*parts, **more):
        return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}], "modelVersion": "m1", "responseId": "r"}
    return sse(
        piece({"text": "hm", "thought": True}), piece({"text": TEXT[:7]}), piece({"text": TEXT[7:]}),
        {**piece({"functionCall": {"id": "a", "name": "look", "args": {"q": 1}}, "thoughtSignature": "c2ln"},
                 {"functionCall": {"id": "b", "name": "go", "args": {}}}, finishReason="STOP"),
         "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 17}})


def ollama_stream():
    def line(message, **more):
        return json.dumps({"model": "m1", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "", **message},
                           "done": False, **more}, ensure_ascii=False) + "\n"
    return (line({"content": TEXT[:7]}) + line({"content": TEXT[7:]}) +
            line({"tool_calls": [{"function": {"name": "look", "arguments": {"q": 1}}}, {"function": {"name": "go", "arguments": {}}}]}) +
            line({}, done=True, done_reason="stop", total_duration=1, load_duration=1, prompt_eval_count=10, prompt_eval_duration=1, eval_count=7,
                 eval_duration=1))


STREAMS = {"chat": chat_stream(), "responses": responses_stream(), "anthropic": anthropic_stream(), "gemini": gemini_stream(),
           "ollama": ollama_stream()}
# How each provider says that the model asks for tools.
FINISHES = {"chat": "tool_calls", "responses": "completed", "anthropic": "tool_use", "gemini": "STOP", "ollama": "stop"}


def wire_of(path):
    for part, wire in (("/chat/completions", "chat"), ("/responses", "responses"), ("/messages", "anthropic"), (":streamGenerateContent", "gemini"),
                       (":generateContent", "gemini"), ("/api/chat", "ollama")):
        if part in path:
            return wire
    return None


class Provider(http.server.ThreadingHTTPServer):
    """All of them: answers with the recorded stream, `size` bytes at a time, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self):
        self.size = 1 << 20
        self.sent = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                wire = wire_of(self.path)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.sent.append((wire, body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson" if wire == "ollama" else "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                data = STREAMS[wire].encode()
                for at in range(0, len(data), outer.size):
                    piece = data[at:at + outer.size]
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


TOOLS = [{"name": "look", "description": "Looks something up.", "parameters": {
    "type": "object", "properties": {"q": {"type": "integer", "description": "what"}, "deep": {"type": "boolean"}}, "required": ["q"]}},
    {"name": "go"}]
HISTORY = [{"role": "user", "content": "hello"},
           {"role": "assistant", "content": "I look.", "tool_calls": [{"id": "t1", "name": "look", "arguments": {"q": 1}}]},
           {"role": "tool", "tool_call_id": "t1", "name": "look", "content": "{\"found\": 3}"}]
SCHEMA = {"type": "object", "properties": {"queue": {"enum": ["billing", "technical"]}, "why": {"type": ["string", "null"]}}, "required": ["queue"]}
WISHES = {
    "plain": {"prompt": "hello"},
    "settings": {"instructions": "Be brief.", "prompt": "hello", "temperature": 0, "max_tokens": 100, "stop": ["END"]},
    "tools": {"messages": HISTORY, "prompt": "and now?", "tools": TOOLS, "tool_choice": "look"},
    "failed tool": {"messages": [*HISTORY[:2], {**HISTORY[2], "content": "no", "is_error": True}], "tools": TOOLS, "tool_choice": "required"},
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "what is it?"},
                                                        {"type": "image", "media_type": "image/png", "data": PIXEL}]}]},
    "schema": {"prompt": "sort it", "output": {"schema": SCHEMA, "max_repairs": 0}},
}


class OfficialClientsTest(Base):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.packages = os.path.join(os.environ.get("PAWL_BINARY_DIR", scratch.name), "tests", "official_clients")
        install(SOURCE, cls.packages, "openai")
        cls.provider = Provider()
        cls.addClassCleanup(cls.provider.server_close)
        cls.addClassCleanup(cls.provider.shutdown)
        url = cls.provider.url
        cls.begin({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url + "/v1", "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url,
                   "GEMINI_API_KEY": "k", "GEMINI_BASE_URL": url, "OLLAMA_BASE_URL": url})

    def read_by_client(self, wire):
        program = os.path.join(self.packages, "read.mjs")  # beside the packages that it imports
        with open(os.path.join(SOURCE, "read.mjs"), encoding="utf-8") as source, open(program, "w", encoding="utf-8") as copy:
            copy.write(source.read())
        done = subprocess.run(["node", program, wire, self.provider.url], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def ask(self, wire, **wish):
        return self.run_of({"call": "llm", "with": {"model": WIRES[wire], "stream": True, "max_retries": 0, **wish}})

    def test_a1_of_the_same_stream_pawl_reads_what_the_providers_client_reads(self):
        for wire in WIRES:
            theirs = self.read_by_client(wire)
            self.assertEqual((theirs["text"], theirs["finish"]), (TEXT, FINISHES[wire]), "the recorded stream is one that they understand")
            self.assertEqual([(one["name"], one["arguments"]) for one in theirs["calls"]], [("look", {"q": 1}), ("go", {})])
            for self.provider.size in (1 << 20, 1):  # in one piece, and byte by byte
                with self.subTest(wire=wire, size=self.provider.size):
                    ours = self.ask(wire, prompt="hello")["output"]
                    self.assertEqual((ours["content"], ours["finish_reason"]), (theirs["text"], "tool_calls"))
                    self.assertEqual([(one["name"], one["arguments"]) for one in ours["tool_calls"]],
                                     [(one["name"], one["arguments"]) for one in theirs["calls"]])
                    for our, their in zip(ours["tool_calls"], theirs["calls"]):
                        self.assertIn(their.get("id"), (our["id"], None))
                    usage = ours["usage"]
                    self.assertEqual((usage["input_tokens"], usage["output_tokens"]), (theirs["input"], theirs["output"]))
            self.provider.size = 1 << 20

    def compile(self, lines):
        """-> the problems, one a line"""
        with open(os.path.join(self.packages, "requests.ts"), "w", encoding="utf-8") as file:
            file.write(IMPORTS + "\n".join(lines) + "\n")
        compiler = [os.path.join("node_modules", ".bin", "tsc"), "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck",
                    "--target", "es2022", "--module", "nodenext", "--types", "node", "requests.ts"]
        done = subprocess.run(compiler, cwd=self.packages, capture_output=True, text=True, timeout=120, check=False)
        problems = [line for line in done.stdout.splitlines() if ": error " in line]
        self.assertEqual(bool(problems), done.returncode != 0, done.stdout + done.stderr)
        return problems

    def test_a1_what_pawl_sends_is_what_the_providers_types_allow(self):
        requests = {}
        for wire in WIRES:
            answered = None  # as it goes back in a conversation
            for name, wish in WISHES.items():
                # `stop` is nothing that Responses has, and Pawl refuses it there.
                run = self.ask(wire, **{key: value for key, value in wish.items() if (wire, key) != ("responses", "stop")})
                answered = run["output"]["raw"]
                requests[wire, name] = self.provider.sent[-1][1]
            self.ask(wire, messages=[HISTORY[0], {"role": "assistant", "content": TEXT, "raw": answered}, {
                "role": "tool", "tool_call_id": "a", "name": "look", "content": "3"}, {
                "role": "tool", "tool_call_id": "b", "name": "go", "content": "gone"}], tools=TOOLS)
            requests[wire, "replayed"] = self.provider.sent[-1][1]
        names = {key: "r" + str(at) for at, key in enumerate(requests)}
        problems = self.compile([f"export const {names[key]}: {TYPES[key[0]]} = {json.dumps(body, ensure_ascii=False)};"
                                 for key, body in requests.items()])
        keys = list(requests)
        first = IMPORTS.count("\n") + 1
        self.assertEqual([(keys[int(problem.split("(")[1].split(",")[0]) - first], problem) for problem in problems], [])

    def test_a1_the_types_would_refuse_what_no_provider_takes(self):
        wrong = []
        for wire in WIRES:
            self.ask(wire, **WISHES["tools"])
            body = self.provider.sent[-1][1]
            inner = "contents" if wire == "gemini" else "input" if wire == "responses" else "messages"
            wrong.append((wire, {**body, "no_such_member": 1}))
            wrong.append((wire, {**body, inner: "text" if wire != "responses" else 1}))
            wrong.append((wire, {**body, inner: [{**body[inner][0], "role": "narrator"}]} if wire not in ("gemini", "ollama") else {**body, inner: [7]}))
            wrong.append((wire, {**body, "tools": [{"name": 7}]}))
        lines = []
        for at, (wire, body) in enumerate(wrong):
            lines += ["// @ts-expect-error", f"export const r{at}: {TYPES[wire]} = {json.dumps(body)};"]
        self.assertEqual(self.compile(lines), [])


del Base

if __name__ == "__main__":
    unittest.main()
