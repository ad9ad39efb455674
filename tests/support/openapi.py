"""The served OpenAPI document as a judge: finds operations, makes requests from their examples, and checks replies against their schemas."""

import re

PROBLEM = "application/problem+json"


class Document:
    """`document` is what /api/openapi.json gave."""

    def __init__(self, document):
        self.document = document
        self.schemas = document["components"]["schemas"]

    def operations(self):
        """Yields (method, path, operation)."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation

    def find(self, method, path):
        """The operation that answers a concrete path, or None. A literal segment wins over a parameter."""
        path = path.split("?")[0].replace("/api/v1/", "/api/")
        best = None
        for pattern, item in self.document["paths"].items():
            if method.lower() not in item:
                continue
            expression = re.sub(r"\{[^}]+\\?\.\.\.\}", ".+", re.sub(r"\{[^}.]+\}", "[^/]+", pattern))
            if re.fullmatch(expression, path) and (best is None or pattern.count("{") < best[0].count("{")):
                best = (pattern, item[method.lower()])
        return best[1] if best else None

    def resolve(self, part):
        while "$ref" in part:
            node = self.document
            for key in part["$ref"][2:].split("/"):
                node = node[key]
            part = node
        return part

    def body_example(self, operation):
        """(media type, example) of the request, or None."""
        body = operation.get("requestBody")
        if not body:
            return None
        media_type, content = next(iter(body["content"].items()))
        return media_type, content["example"]

    def check_reply(self, method, path, status, reply):
        """The problems of a JSON reply, as texts: undeclared success statuses, and members that the schema does not know or misses."""
        operation = self.find(method, path)
        if operation is None or not 200 <= status < 300 or status == 204:
            return []
        declared = [int(code) for code in operation["responses"] if code.startswith("2")]
        if status not in declared and status != 202:
            return [f"{method} {path}: status {status} is not declared, only {declared}"]
        response = operation["responses"].get(str(status)) or operation["responses"][str(declared[0])]
        content = response.get("content", {}).get("application/json")
        if content is None or not isinstance(reply, (dict, list)):
            return []
        return [f"{method} {path}: {problem}" for problem in self.violations(content["schema"], reply, "")]

    def violations(self, schema, value, pointer):
        """The part of JSON Schema that the document uses."""
        if "anyOf" in schema:
            attempts = [self.violations(each, value, pointer) for each in schema["anyOf"]]
            return [] if any(not each for each in attempts) else attempts[0]
        schema = self.resolve(schema)
        types = schema.get("type")
        if types is not None:
            types = types if isinstance(types, list) else [types]
            if not any(_is_of(value, name) for name in types):
                return [f"{pointer or '/'} is {type(value).__name__}, not {types}"]
        if value is None:
            return []
        found = []
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{pointer} is {value!r}, not one of {schema['enum']}")
        if isinstance(value, list) and "items" in schema:
            for index, item in enumerate(value):
                found += self.violations(schema["items"], item, f"{pointer}/{index}")
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            found += [f"{pointer}/{name} is missing" for name in schema.get("required", []) if name not in value]
            for name, item in value.items():
                extra = schema.get("additionalProperties", True)
                if name in properties:
                    if item is None and name not in schema.get("required", []):
                        continue
                    found += self.violations(properties[name], item, f"{pointer}/{name}")
                elif isinstance(extra, dict):
                    found += self.violations(extra, item, f"{pointer}/{name}")
                elif extra is False:
                    found.append(f"{pointer}/{name} is not declared")
        return found


def _is_of(value, name):
    if name == "null":
        return value is None
    if name == "boolean":
        return isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "array": list, "object": dict}[name])
