"""What an OpenAPI document promises to clients and asks of them, as lines that can be compared with those of an earlier release.

    POST /api/workflows < /definition: must be given      asked of the client
    POST /api/workflows < /name: takes string             promised: this may be sent
    POST /api/workflows > /id: is there                   promised: this comes back
    POST /api/workflows > /id: may be string              asked: the client has to cope with it

A change is compatible where no promise is broken and nothing more is asked; new routes and new members are free.
"""

import re

LINE = re.compile(r"^(\S+ \S+) ([=?<>]) (\S*): (.+)$")


class Contract:
    """`lines`: (operation, kind, place, clause); kind is `=` the route, `?` its parameters, `<` its body, `>` its answer."""

    def __init__(self, lines):
        self.lines = set(lines)
        self.operations = {line[0] for line in self.lines}
        self.places = {line[:3] for line in self.lines}

    @classmethod
    def of_document(cls, document):
        return cls(_Reader(document).read())

    @classmethod
    def of_text(cls, text):
        return cls(LINE.match(line).groups() for line in text.splitlines() if line and not line.startswith("#"))

    def text(self):
        return "".join(f"{operation} {kind} {place}: {clause}\n" for operation, kind, place, clause in sorted(self.lines))

    def broken_by(self, newer):
        """What clients of this contract lose or do not expect under `newer`, as sentences."""
        found = [f"gone: {operation}" for operation in sorted(self.operations - newer.operations)]
        for line in sorted(self.lines - newer.lines):
            if line[0] in newer.operations and not _asks(line[3]):
                found.append("no longer true: %s %s %s: %s" % line)
        for line in sorted(newer.lines - self.lines):
            if _asks(line[3]) and line[0] in self.operations and self._concerns(line):
                found.append("asks for more: %s %s %s: %s" % line)
        return found

    def _concerns(self, line):
        """Members of a member that is new itself concern nobody."""
        operation, kind, place, clause = line
        if clause == "must be given":
            parent = place.rpartition("/")[0]
            return not parent or (operation, kind, parent) in self.places
        return (operation, kind, place) in self.places


def _asks(clause):
    return clause == "must be given" or clause.startswith(("may be ", "needs "))


class _Reader:
    def __init__(self, document):
        self.document = document
        self.lines = []

    def read(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                self.operation = f"{method.upper()} {path}"
                self.add("=", "", f"is {operation['operationId']}")
                self.add("=", "", f"needs {operation['x-pawl-permission']}")
                for parameter in operation.get("parameters", []):
                    self.parameter(parameter)
                for content in operation.get("requestBody", {}).get("content", {}).values():
                    self.walk("<", "", content["schema"], ())
                for status, response in operation["responses"].items():
                    if status.startswith("2"):
                        self.success(status, response)
        return self.lines

    def add(self, kind, place, clause):
        self.lines.append((self.operation, kind, place, clause))

    def parameter(self, parameter):
        if parameter["in"] == "query" and parameter["required"]:
            self.add("?", "/" + parameter["name"], "must be given")
        self.walk("?", "/" + parameter["name"], parameter["schema"], ())

    def success(self, status, response):
        self.add("=", "", f"answers {status}")
        for kind, content in response.get("content", {}).items():
            self.add("=", "", f"answers as {kind}")
            if kind == "application/json":
                self.walk(">", "", content["schema"], ())

    def walk(self, kind, place, schema, within):
        reference = schema.get("$ref")
        if reference in within:
            return  # a shape within itself has been said already
        if reference:
            schema, within = self.document["components"]["schemas"][reference.rpartition("/")[2]], (*within, reference)
        for each in schema.get("anyOf", []):
            self.walk(kind, place, each, within)
        self.values(kind, place, schema)
        if "items" in schema:
            self.walk(kind, place + "/*", schema["items"], within)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and extra:
            self.walk(kind, place + "/*", extra, within)
        for name, member in schema.get("properties", {}).items():
            if name in schema.get("required", []):
                self.add(kind, f"{place}/{name}", "is there" if kind == ">" else "must be given")
            self.walk(kind, f"{place}/{name}", member, within)

    def values(self, kind, place, schema):
        types = schema.get("type", [])
        if kind != ">" and not types and "anyOf" not in schema:
            self.add(kind, place, "takes anything")
        for each in [types] if isinstance(types, str) else types:
            if kind == ">":
                self.add(kind, place, f"may be {each}")
            elif "enum" not in schema:
                self.add(kind, place, f"takes {each}")
        if kind != ">":
            for each in schema.get("enum", []):
                self.add(kind, place, f"takes {each!r}")
