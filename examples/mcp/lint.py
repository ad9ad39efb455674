#!/usr/bin/env python3
"""A small MCP server on standard input and output, for review-over-mcp.yaml: its tool `lint` looks at the lines that a diff adds."""

import json
import re
import sys

TOOL = {
    "name": "lint",
    "title": "Look at a diff",
    "description": "Finds what is likely wrong in the lines that a unified diff adds: bare excepts, leftover prints, very long lines.",
    "inputSchema": {"type": "object", "required": ["diff"], "additionalProperties": False, "properties": {"diff": {"type": "string"}}},
    "outputSchema": {"type": "object", "required": ["findings"], "properties": {"findings": {"type": "array", "items": {"type": "string"}}}},
    "annotations": {"readOnlyHint": True},
}
RULES = ((re.compile(r"^\s*except\s*:"), "a bare `except` hides every mistake"), (re.compile(r"^\s*print\("), "a print that was left over"),
         (re.compile(r"^.{120}"), "a very long line"))


def lint(diff):
    findings, path = [], "?"
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif line.startswith("+"):
            findings += [f"{path}: {what}" for rule, what in RULES if rule.search(line[1:])]
    return findings


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "lint", "version": "1.0.0"}}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call" and params.get("name") == "lint":
        found = {"findings": lint(params.get("arguments", {}).get("diff", ""))}
        return {"content": [{"type": "text", "text": json.dumps(found)}], "structuredContent": found}
    return None


def main():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = answer(message.get("method"), message.get("params") or {})
        reply = {"result": result} if result is not None else {"error": {"code": -32601, "message": "There is no such method."}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}), flush=True)


if __name__ == "__main__":
    main()
