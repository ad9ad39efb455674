"""The served OpenAPI document as a judge: finds operations, makes requests from their examples, and checks replies against their schemas."""

import re

FORMATS = {
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "email": r"[^@\s]+@[^@\s]+",
}


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

    def check_reply(self, method, path, status, media_type, reply):
        """The problems of a reply, as texts: a status or media type that is not declared, and members that the schema does not know or misses.
        `reply` is the parsed JSON of a JSON type. Paths that the document does not know are none of its business."""
        operation = self.find(method, path)
        if operation is None:
            return []
        where = f"{method} {path} {status}"
        declared = operation["responses"].get(str(status)) or (operation["responses"].get("default") if status >= 400 else None)
        if declared is None:
            return [f"{where}: the status is not declared, only {sorted(operation['responses'])}"]
        contents = self.resolve(declared).get("content", {})
        if not contents:
            return [f"{where}: has a body of {media_type}, and none is declared"] if reply else []
        content = next((each for name, each in contents.items() if name in (media_type, "*/*")), None)
        if content is None:
            return [f"{where}: is {media_type or 'nothing'}, not one of {sorted(contents)}"]
        if not media_type.endswith("json") or media_type.endswith("ndjson"):
            return []
        return [f"{where}: {problem}" for problem in self.violations(content.get("schema", {}), reply, "")]

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
        if isinstance(value, str) and not re.fullmatch(FORMATS.get(schema.get("format"), r"(?s).*"), value):
            found.append(f"{pointer} is {value!r}, no {schema['format']}")
        if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{pointer} is {value}, out of its range")
        if isinstance(value, (str, list)):
            least, most = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
            size = len(value.encode()) if isinstance(value, str) else len(value)
            if not schema.get(least, 0) <= size <= schema.get(most, size):
                found.append(f"{pointer} has a length of {size}, not {schema.get(least, 0)} to {schema.get(most)}")
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
