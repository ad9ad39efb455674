#!/usr/bin/env python3
"""The conformance suite's client: has a running `pawl` ask the suite's server, whose address is the last argument, by workflows. Lists the tools, and calls
the one that adds."""

import json
import os
import sys
import urllib.request


def post(path, body):
    request = urllib.request.Request(os.environ["PAWL_URL"] + path, json.dumps(body).encode(), {
        "Authorization": "Bearer " + os.environ["PAWL_API_KEY"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def ask(**given):
    task = {"call": "mcp", "with": {"transport": {"http": {"endpoint": sys.argv[-1]}}, **given}}
    made = post("/api/workflows", {"definition": {
        "document": {"dsl": "1.0.3", "namespace": "conformance", "name": f"n{os.urandom(6).hex()}", "version": "1.0.0"}, "do": [{"ask": task}]}})
    run = post(f"/api/workflows/{made['id']}/execute", {"wait": 20})
    if run["status"] != "completed":
        sys.exit(json.dumps(run))
    return run["output"]


for tool in ask(method="tools/list")["tools"]:
    if set(tool["inputSchema"].get("properties", {})) == {"a", "b"}:
        ask(method="tools/call", parameters={"name": tool["name"], "arguments": {"a": 5, "b": 3}})
