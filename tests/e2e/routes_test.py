#!/usr/bin/env python3
"""proves: S4-O1, S4-O3, N-10, P2, S0-12, S4-M1

Walks every route of the served OpenAPI document with everybody who could ask: nobody, a stranger, each role, keys. security-checks.md 7, 10, 16, 18.

The walk is made of the document alone. What it cannot make up by itself stands in `World.ids` (a thing for each kind of path parameter) and in
the short tables below; a route that needs something else fails the walk, and so does a new kind of permission, parameter or body.
"""

import concurrent.futures
import http.client
import itertools
import json
import os
import re
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from openapi import Document  # noqa: E402
from people import Mailbox, Person  # noqa: E402
from pawl_server import API_KEY, Server, poll  # noqa: E402

NOBODY = "01900000-0000-7000-8000-000000000000"
ROLES = ["viewer", "member", "admin", "owner"]
LEAST = {"read": "viewer", "execute": "member", "write": "member", "manage": "admin", "own": "owner"}
OTHER_PERMISSIONS = {"open", "account", "administer"}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
# What a client must never be able to say of an object.
SERVER_OWNED = ["id", "created_at", "created_by", "owner_id", "organization", "tenant_id", "role", "is_superuser", "permissions"]
# Parameters that belong to nobody: a foreign one does not exist.
SHARED = {"version", "other", "name", "provider"}
# Records of the trail: administrators of the installation read those of all organizations; others are refused by role before anybody looks.
TRAIL = {"audit_id"}
# Asks without changing anything, for a body's sake by POST.
READS_BY_POST = {"/api/workflows/validate", "/api/workflows/test-task", "/api/plugins/{name}/test"}
# Parameters that a route cannot do without.
NEEDED_QUERY = {"/api/events/stream": "topics=runs", "/api/runs/{run_id}/value": "of=input",
                "/api/runs/{run_id}/attempts": "task=/do/0/a", "/api/runs/newest": f"workflow_ids={NOBODY}"}
# Bodies that are any text at all: there is nothing malformed about them.
ANY_BODY = {"/hooks/{token}"}
# `items` that are no list: what is read and put back whole, and a forecast.
NO_LISTS = {"/api/notifications/preferences", "/api/schedules/upcoming"}
# What ends the caller's own session, or the caller; proven in auth_test.py and privacy_test.py.
ENDS_THE_CALLER = {"/api/auth/logout", "/api/auth/sessions"}
FRAGILE = ("document: {dsl: '1.0.3', namespace: test, name: NAME, version: '1.0.0', metadata: {webhook: true}}\n"
           "schedule: {every: {hours: 24}}\ndo:\n  - a: {set: {x: '${ error(\"no\") }'}}\n")


class Route:
    def __init__(self, method, path, operation, document):
        self.method, self.path, self.operation = method, path, operation
        self.permission = operation["x-pawl-permission"]
        self.parameters = operation.get("parameters", [])
        self.in_path = re.findall(r"\{([a-z_]+)\}", path)
        self.in_organization = self.permission in LEAST
        body = operation.get("requestBody")
        self.media = next(iter(body["content"])) if body else None
        self.schema = document.resolve(body["content"][self.media]["schema"]) if body else None
        self.properties = {name: document.resolve(each) for name, each in (self.schema or {}).get("properties", {}).items()}

    def __str__(self):
        return f"{self.method} {self.path}"

    def url(self, ids, organization=None, **replaced):
        path = re.sub(r"\{([a-z_]+)\}", lambda match: str({**ids, **replaced}[match[1]]), self.path)
        query = [NEEDED_QUERY[self.path]] if self.path in NEEDED_QUERY else []
        if organization and self.in_organization:
            query.append(f"organization_id={organization}")
        return path + ("?" + "&".join(query) if query else "")

    def example(self):
        """A body that fits and names no organization; nothing for a route without one."""
        if not self.media:
            return None
        example = next(iter(self.operation["requestBody"]["content"].values()))["example"]
        return {name: value for name, value in example.items() if name != "organization_id"}


def and_also(url, name, value):
    return f"{url}{'&' if '?' in url else '?'}{name}={value}"


MENDED = {"kind": "retry", "root_cause": "x", "explanation": "x", "confidence": "low", "from": None, "input": None, "document": None}


class World:
    """Two organizations with one thing of each kind, and people of each role in the first."""

    def __init__(self, server, mailbox):
        self.server, self.mailbox = server, mailbox
        self.people = {name: Person(server, f"{name}@example.org") for name in [*ROLES, "stranger", "bystander"]}
        self.owner, self.stranger = self.people["owner"], self.people["stranger"]
        self.acme = self.organization(self.owner, "Acme")
        self.theirs = self.organization(self.stranger, "Theirs")
        for role in ROLES[:3]:
            self.must(self.owner, "POST", f"/api/organizations/{self.acme}/members", {"user_id": self.people[role].id, "role": role}, 201)
        self.must(self.stranger, "POST", f"/api/organizations/{self.theirs}/members", {"user_id": self.people["bystander"].id, "role": "viewer"},
                  201)
        self.ids = self.furnish(self.owner, self.acme, "member")
        self.foreign = self.furnish(self.stranger, self.theirs, "bystander")

    @staticmethod
    def must(person, method, path, body, expected):
        status, reply = person.call(method, path, body)
        if status != expected:
            raise RuntimeError(f"{method} {path}: {status} {reply}")
        return reply

    def organization(self, person, name):
        return self.must(person, "POST", "/api/organizations", {"name": name}, 201)["id"]

    def furnish(self, person, organization, member):
        """One thing of each kind that a path may name."""
        name = f"of-{member}"
        made = self.must(person, "POST", "/api/workflows", {"definition": FRAGILE.replace("NAME", name), "organization_id": organization}, 201)
        triggers = {trigger["type"]: trigger for trigger in made["triggers"]}
        hook = triggers["webhook"]["url"]
        run = self.must(person, "POST", hook, {}, 202)["id"]
        path = f"/api/dead-letters?organization_id={organization}"
        letters = poll(lambda: self.must(person, "GET", path, None, 200)["items"], 20, "a dead letter")
        asks = FRAGILE.split("\nschedule")[0].replace("NAME", name + "-asks") + """
do:
  - m: {call: memory-write, with: {key: k, messages: []}}
  - a: {call: approval, with: {title: Go on?}}
"""
        asking = self.must(person, "POST", "/api/workflows", {"definition": asks, "organization_id": organization}, 201)
        self.must(person, "POST", f"/api/workflows/{asking['id']}/execute", {}, 202)
        path = f"/api/approvals?organization_id={organization}"
        approvals = poll(lambda: self.must(person, "GET", path, None, 200)["items"], 20, "an approval")
        memories = self.must(person, "GET", f"/api/llm/memories?organization_id={organization}", None, 200)["items"]
        remedy = self.must(person, "POST", f"/api/llm/heal?organization_id={organization}",
                           {"run_id": letters[0]["id"], "model": "scripted/mender"}, 200)["remedy"]
        integration = self.must(person, "POST", f"/api/integrations?organization_id={organization}",
                                {"connector": "github", "name": "ours", "config": {"access_token": "x", "base_url": "http://127.0.0.1:9"}}, 201)
        path = f"/api/notifications?organization_id={organization}"
        notifications = poll(lambda: self.must(person, "GET", path, None, 200)["items"], 20, "a notification")
        channel = self.must(person, "POST", f"/api/notification-channels?organization_id={organization}",
                            {"kind": "slack", "name": "ours", "url": "http://127.0.0.1:9/"}, 201)
        invitation = self.must(person, "POST", f"/api/organizations/{organization}/invitations", {"email": f"{name}@example.org", "role": "viewer"},
                               201)
        key = self.must(person, "POST", "/api/api-keys", {"name": "k", "scopes": ["read"], "organization_id": organization}, 201)
        path = f"/api/audit?organization_id={organization}"
        records = poll(lambda: self.must(person, "GET", path, None, 200)["items"], 20, "a record of the trail")
        return {
            "workflow_id": made["id"], "schedule_id": triggers["schedule"]["id"], "token": hook.rsplit("/", 1)[1], "run_id": run,
            "dead_letter_id": letters[0]["id"], "remedy_id": remedy["id"], "approval_id": approvals[0]["id"], "memory_id": memories[0]["id"],
            "integration_id": integration["id"], "org_id": organization,
            "notification_id": notifications[0]["id"], "channel_id": channel["id"],
            "user_id": self.people[member].id, "invitation_id": invitation["id"], "key_id": key["id"], "audit_id": records[0]["id"],
            "session_id": self.must(person, "GET", "/api/auth/sessions", None, 200)["items"][0]["id"],
            "version": 1, "other": 1, "name": "http", "provider": "google",
        }

    def key(self, person, organization, scopes):
        made = self.must(person, "POST", "/api/api-keys", {"name": "walker", "scopes": scopes, "organization_id": organization}, 201)
        return made["key"]


class Routes(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        data = os.path.join(cls.folder.name, "data")
        scripts = os.path.join(cls.folder.name, "scripts")
        os.mkdir(scripts)
        with open(os.path.join(scripts, "mender.json"), "w", encoding="utf-8") as file:
            json.dump({"replies": [{"content": MENDED}]}, file)
        cls.server = Server(data, extra_environment={"LLM_SCRIPTS": scripts}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.document = Document(cls.server.request("GET", "/api/openapi.json")[1])
        cls.world = World(cls.server, Mailbox(data))
        cls.ids, cls.foreign = cls.world.ids, cls.world.foreign
        cls.routes = [Route(*each, cls.document) for each in cls.document.operations()]

    def ask(self, method, url, bearer=None, body=None, media="application/json", fields=None):
        """-> (status, reply). Of what has no end only the beginning is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            all_fields = dict(fields or {})
            if bearer:
                all_fields["Authorization"] = f"Bearer {bearer}"
            if body is not None:
                body = body if isinstance(body, (bytes, str)) else json.dumps(body)
                all_fields["Content-Type"] = media
            connection.request(method, url, body=body, headers=all_fields)
            reply = connection.getresponse()
            kind = reply.getheader("Content-Type") or ""
            if kind.startswith("text/event-stream"):
                return reply.status, None
            text = reply.read()
            value = json.loads(text) if kind.endswith("json") and text else text
            problems = self.document.check_reply(method, url, reply.status, kind.split(";")[0], value)
            if problems:
                raise AssertionError("\n".join(problems))
            return reply.status, value
        finally:
            connection.close()

    def bearer(self, route, role="owner"):
        """Of somebody who may use the route."""
        if route.permission == "open":
            return None
        return API_KEY if route.permission == "administer" else self.world.people[role].access_token

    def walk(self, check, chosen=lambda route: True):
        """All findings of all routes at once; a table of routes that no route matches is a finding too."""
        routes = [route for route in self.routes if chosen(route)]
        self.assertTrue(routes, "the walk went nowhere")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            found = list(itertools.chain.from_iterable(pool.map(lambda route: list(check(route)), routes)))
        if found:
            self.fail(f"{len(found)} findings\n" + "\n".join(found))

    def expect(self, where, answer, status, code=None):
        if answer[0] != status:
            yield f"{where}: {answer[0]} instead of {status}: {str(answer[1])[:300]}"
        elif code and answer[1].get("code") != code:
            yield f"{where}: {answer[1].get('code')} instead of {code}"

    # ---- the walk covers what there is ------------------------------------------------------------------------------------------

    def test_the_walk_knows_every_permission_parameter_and_body_that_there_is(self):
        for route in self.routes:
            self.assertIn(route.permission, {*LEAST, *OTHER_PERMISSIONS}, route)
            self.assertIn(route.method, METHODS, route)
            self.assertLessEqual(set(route.in_path), set(self.ids), f"{route}: give World.furnish a thing of that kind")
            self.assertIn(route.media, (None, "application/json", "application/cloudevents+json"), route)
            if route.media == "application/json":
                self.assertEqual(route.schema.get("additionalProperties"), False, f"{route} takes members that nobody declared")
                self.assertTrue(route.properties or route.path, route)
            if route.method in ("POST", "PUT", "PATCH") and route.media is None:
                self.assertIn(self.ask_with_body(route), range(200, 500), f"{route} has no declared body")
        paths = {route.path for route in self.routes}
        self.assertLessEqual({*ANY_BODY, *ENDS_THE_CALLER}, paths, "a table of this test names a route that is gone")

    def ask_with_body(self, route):
        return self.ask(route.method, route.url({name: NOBODY for name in route.in_path}), body={"surprise": 1})[0]

    def test_what_the_document_says_of_security_is_what_the_permission_says(self):
        for route in self.routes:
            self.assertEqual(route.operation["security"] == [], route.permission == "open", route)

    # ---- who ------------------------------------------------------------------------------------------------------------------------

    # proves: N-1, AI-H1
    def test_nobody_gets_anything_but_what_is_open(self):
        def check(route):
            url = route.url(self.ids)
            for what, bearer in (("nobody", None), ("a made-up token", "x" * 40), ("a made-up key", "pawl_" + "x" * 43)):
                if route.permission == "open":
                    if what == "nobody" and route.path not in ANY_BODY:
                        status = self.ask(route.method, url, body={} if route.media else None)[0]
                        if status in (401, 403) and route.operation["operationId"] != "refresh" or status >= 500:
                            yield f"{route} is open, and answers {status}"
                    continue
                yield from self.expect(f"{route} as {what}", self.ask(route.method, url, bearer, route.example(), route.media), 401)

        self.walk(check)

    # proves: S0-T4, S4-H3
    def test_a_role_that_is_too_small_is_refused_and_one_that_suffices_is_not(self):
        def check(route):
            url = route.url(self.ids, self.ids["org_id"])
            least = ROLES.index(LEAST[route.permission])
            for role in ROLES[:least]:
                answer = self.ask(route.method, url, self.world.people[role].access_token, route.example(), route.media)
                yield from self.expect(f"{route} as {role}", answer, 403, "auth.forbidden")
            for role in ROLES[least:]:
                # Reading may succeed; what changes something is asked with a body that says nothing true.
                if route.method != "GET" and route.media is None:
                    continue
                answer = self.ask(route.method, url, self.world.people[role].access_token, {"surprise": 1} if route.media else None, route.media)
                wanted = (200, 101, 426) if route.method == "GET" else (400, 422)
                if answer[0] not in wanted:
                    yield f"{route} as {role}: {answer[0]} {str(answer[1])[:200]}"

        self.walk(check, lambda route: route.in_organization)

    def test_what_is_for_administrators_is_refused_to_owners(self):
        def check(route):
            for role in ROLES:
                answer = self.ask(route.method, route.url(self.ids), self.world.people[role].access_token, route.example(), route.media)
                yield from self.expect(f"{route} as {role}", answer, 403, "auth.forbidden")

        self.walk(check, lambda route: route.permission == "administer")

    def test_a_key_opens_no_more_than_its_scopes(self):
        key = self.world.key(self.world.owner, self.ids["org_id"], ["read"])

        def check(route):
            answer = self.ask(route.method, route.url(self.ids), key, route.example(), route.media)
            if route.permission == "read" and (route.method == "GET" or route.path in READS_BY_POST):
                if answer[0] not in (200, 101, 426):
                    yield f"{route} with a key to read: {answer[0]} {answer[1]}"
            else:
                yield from self.expect(f"{route} with a key to read", answer, 403, "auth.forbidden")

        # What the message asks for decides there: mcp_test.py, a2a_test.py.
        self.walk(check, lambda route: route.permission not in ("open", "account") and route.path not in ("/mcp", "/a2a"))

    # ---- foreign things -----------------------------------------------------------------------------------------------------------

    def test_a_foreign_workflow_in_a_list_has_no_runs(self):
        url = f"/api/runs/newest?workflow_ids={self.ids['workflow_id']},{self.foreign['workflow_id']}&organization_id={self.ids['org_id']}"
        status, reply = self.ask("GET", url, self.world.owner.access_token)
        self.assertEqual(status, 200, reply)
        self.assertEqual([(item["workflow_id"], bool(item["runs"])) for item in reply["workflows"]],
                         [(self.ids["workflow_id"], True), (self.foreign["workflow_id"], False)])
        many = ",".join([self.ids["workflow_id"]] * 101)
        for wrong, said in (("", "1 to 100"), (many, "1 to 100"), ("x", "must be ids"), (f"{self.ids['workflow_id']},", None)):
            status, reply = self.ask("GET", f"/api/runs/newest?workflow_ids={wrong}", self.world.owner.access_token)
            self.assertEqual(status, 200 if said is None else 400, wrong)
            if said:
                self.assertIn(said, reply["errors"][0]["message"])

    def test_a_foreign_id_reads_as_if_it_did_not_exist(self):
        """Each id in a path is replaced by a foreign one: by itself among the caller's own, and all together; asked by a session with
        several organizations, by keys that have one, and by the installation's own key."""
        own_key = self.world.key(self.world.owner, self.ids["org_id"], ["read", "write", "execute", "manage", "own"])
        weak_key = self.world.key(self.world.owner, self.ids["org_id"], ["read"])
        callers = {"the owner": self.world.owner.access_token, "a key": own_key, "a weak key": weak_key, "the installation's key": API_KEY,
                   "a viewer": self.world.people["viewer"].access_token}

        def check(route):
            named = [name for name in route.in_path if name not in SHARED]
            changes = [{name: self.foreign[name]} for name in named] + [{name: self.foreign[name] for name in named}]
            for change, (who, bearer) in itertools.product(changes, callers.items()):
                if who != "the owner" and ("org_id" in named and "org_id" not in change or TRAIL & set(change)):
                    continue  # the caller's role in the own organization decides before anybody looks
                answers = []
                for ids in ({**self.ids, **change}, {**self.ids, **{name: NOBODY for name in change}}):
                    answers.append(self.ask(route.method, route.url(ids), bearer, route.example(), route.media))
                yield from self.expect(f"{route} with a foreign {'+'.join(change)} as {who}", answers[0], 404)
                told = [{name: answer[1].get(name) for name in ("code", "detail", "title")} for answer in answers if isinstance(answer[1], dict)]
                if answers[0][0] != answers[1][0] or told and told[0] != told[-1]:
                    yield f"{route} tells a foreign {'+'.join(change)} from one that does not exist: {answers}"

        self.walk(check, lambda route: route.in_organization and set(route.in_path) - SHARED)
        for route in self.routes:
            if route.method == "GET" and route.in_organization and route.in_path:
                bearer = self.world.stranger.access_token
                url = route.url(self.foreign, self.foreign["org_id"])
                self.assertEqual(self.ask("GET", url, bearer)[0], 200, f"{route}: something was changed after all")

    def test_somebody_elses_things_read_as_if_they_did_not_exist(self):
        def check(route):
            for change in [{name: self.foreign[name]} for name in route.in_path]:
                answer = self.ask(route.method, route.url({**self.ids, **change}), self.world.owner.access_token, route.example(), route.media)
                yield from self.expect(f"{route} with somebody else's {'+'.join(change)}", answer, 404)

        self.walk(check, lambda route: route.permission == "account" and route.in_path)

    def test_what_does_not_exist_is_not_found(self):
        def check(route):
            for bad in (NOBODY, "x", "0", "%00", "'"):
                if bad == "%00":
                    continue  # refused before routing; hardening_test.py
                url = route.url({name: bad if name not in SHARED else self.ids[name] for name in route.in_path})
                answer = self.ask(route.method, url, self.bearer(route), route.example(), route.media)
                yield from self.expect(f"{route} of {bad}", answer, 404)

        self.walk(check, lambda route: set(route.in_path) - SHARED)

    # ---- where ----------------------------------------------------------------------------------------------------------------------

    def test_a_foreign_organization_cannot_be_named_anywhere(self):
        def check(route):
            bearer, theirs = self.world.owner.access_token, self.foreign["org_id"]
            url, body = route.url(self.ids), route.example()
            if "org_id" not in route.in_path:
                named = and_also(url, "organization_id", theirs)
                yield from self.expect(f"{route} in the query", self.ask(route.method, named, bearer, body, route.media), 404)
                yield from self.expect(f"{route} in the header",
                                       self.ask(route.method, url, bearer, body, route.media, {"X-Organization-Id": theirs}), 404)
            if "organization_id" in route.properties:
                yield from self.expect(f"{route} in the body", self.ask(route.method, url, bearer, {**body, "organization_id": theirs}), 404)

        self.walk(check, lambda route: route.in_organization or "organization_id" in route.properties and "org_id" not in route.in_path)

    def test_places_that_name_different_organizations_are_refused(self):
        """No place wins: whoever checks one and acts in another could be led astray."""
        bearer = self.world.owner.access_token
        one = self.ids["org_id"]
        other = self.world.organization(self.world.owner, "Other")

        def check(route):
            in_path, body = "org_id" in route.in_path, route.example()
            if "organization_id" in route.properties:
                body = {**body, "organization_id": one}
            base = route.url(self.ids)
            first = base if in_path else and_also(base, "organization_id", one)
            cases = [("path and query" if in_path else "the query twice", and_also(first, "organization_id", other), {}),
                     ("path and header" if in_path else "query and header", first, {"X-Organization-Id": other})]
            if "organization_id" in route.properties:
                cases += [("body and header", base, {"X-Organization-Id": other}), ("body and query", and_also(base, "organization_id", other), {})]
            for what, url, fields in cases:
                answer = self.ask(route.method, url, bearer, body, route.media, fields)
                yield from self.expect(f"{route}: {what}", answer, 400, "organization.contradictory")
            agreed = self.ask("GET", first, bearer, None, None, {"X-Organization-Id": one}) if route.method == "GET" else (200, None)
            if agreed[0] not in (200, 426):
                yield f"{route}: places that agree: {agreed}"

        self.walk(check, lambda route: route.in_organization or "organization_id" in route.properties)

    # ---- bodies and queries -------------------------------------------------------------------------------------------------------

    def test_a_body_that_is_no_json_is_malformed(self):
        def check(route):
            url = route.url(self.ids, self.ids["org_id"])
            for body in ("{", '{"a":}', "{'a': 1}", "[1,]", "nul", '{"a": 1} {"b": 2}', b"\xff\xfe", '{"a": 01}'):
                yield from self.expect(f"{route} {body!r}", self.ask(route.method, url, self.bearer(route), body, route.media), 400)
            yield from self.expect(f"{route} as text", self.ask(route.method, url, self.bearer(route), "{}", "text/plain"), 415)
            form = self.ask(route.method, url, self.bearer(route), "a=b", "application/x-www-form-urlencoded")
            yield from self.expect(f"{route} as a form", form, 415)

        self.walk(check, lambda route: route.media)

    def test_all_that_is_wrong_with_a_body_is_told_at_once(self):
        wrong = {"string": 5, "integer": "five", "number": "five", "boolean": "yes", "array": "none", "object": [1]}

        def check(route):
            url = route.url(self.ids, self.ids["org_id"])
            body = {name: 1 for name in SERVER_OWNED if name not in route.properties}
            for name, schema in route.properties.items():
                kinds = schema.get("type", [])
                kinds = [kinds] if isinstance(kinds, str) else kinds
                if kinds:
                    body[name] = wrong[next(kind for kind in kinds if kind != "null")]
                elif name in route.schema.get("required", []):
                    continue  # anything goes there: that it is missing is the finding
            status, reply = self.ask(route.method, url, self.bearer(route), body, route.media)
            yield from self.expect(f"{route} {body}", (status, reply), 422, "request.invalid")
            if status == 422:
                found = {error["pointer"] for error in reply["errors"]}
                missing = {f"/{name}" for name in [*body, *route.schema.get("required", [])]} - found
                if missing:
                    yield f"{route} does not tell of {missing}, only of {found}"
            for other in ("[]", "1", '"text"', "null", "true"):
                yield from self.expect(f"{route} {other}", self.ask(route.method, url, self.bearer(route), other, route.media), 422)

        self.walk(check, lambda route: route.media == "application/json")

    def test_one_member_too_many_is_enough_to_be_refused(self):
        def check(route):
            url = route.url(self.ids, self.ids["org_id"])
            for name in SERVER_OWNED:
                if name in route.properties:
                    continue
                status, reply = self.ask(route.method, url, self.bearer(route), {**route.example(), name: NOBODY}, route.media)
                yield from self.expect(f"{route} with {name}", (status, reply), 422, "request.invalid")
                if status == 422 and f"/{name}" not in [error["pointer"] for error in reply["errors"]]:
                    yield f"{route} does not name {name}: {reply['errors']}"

        self.walk(check, lambda route: route.media == "application/json")

    def test_events_that_are_none_are_refused_with_all_findings(self):
        def check(route):
            url = route.url(self.ids, self.ids["org_id"])
            for body in ({}, {"specversion": "0.1", "type": 5, "source": 7, "id": 9}, [], "text", None):
                answer = self.ask(route.method, url, self.bearer(route), json.dumps(body), route.media)
                yield from self.expect(f"{route} {body}", answer, 422)

        self.walk(check, lambda route: route.media == "application/cloudevents+json")

    def test_queries_are_read_as_strictly_as_bodies(self):
        def check(route):
            base = route.url(self.ids)
            declared = {each["name"]: self.document.resolve(each["schema"]) for each in route.parameters if each["in"] == "query"}
            cases = [("surprise", "1")]
            for name, schema in declared.items():
                if name == "organization_id":
                    continue
                if schema.get("type") in ("integer", "boolean") or "enum" in schema or schema.get("format"):
                    cases.append((name, "wrong~"))
                if "minimum" in schema:
                    cases.append((name, str(schema["minimum"] - 1)))
                if "maximum" in schema:
                    cases.append((name, str(schema["maximum"] + 1)))
            if "organization_id" in declared:
                base = and_also(base, "organization_id", self.ids["org_id"])
            for name, value in cases:
                answer = self.ask(route.method, and_also(base, name, value), self.bearer(route), route.example(), route.media)
                yield from self.expect(f"{route} ?{name}={value}", answer, 400)

        self.walk(check, lambda route: route.permission != "open" and route.method == "GET" and route.path not in ("/ws", "/metrics"))

    def test_every_list_is_given_in_pages(self):
        """proves: S0-13, FA-14
        `{"items": [...], "next_cursor": ...}` with `limit` (at most 200) and `cursor`: pages of one row come, one after the other, to the rows of
        the whole list, the same ones in the same order. Only new rows may stand before them.
        """
        many = set()

        def paged(route, bearer, url):
            """What is wrong with the pages of a list; None: nothing."""
            _, whole = self.ask("GET", and_also(url, "limit", 200), bearer)
            if "next_cursor" not in whole or len(whole["items"]) > 200:
                return f"{route}: {list(whole)}, {len(whole['items'])} items"
            rows, cursor, pages = [], None, 0
            while pages == 0 or cursor and pages < 25:
                one = and_also(url, "limit", 1)
                status, page = self.ask("GET", and_also(one, "cursor", urllib.parse.quote(cursor)) if cursor else one, bearer)
                if status != 200 or len(page["items"]) > 1:
                    return f"{route} page {pages}: {status} {str(page)[:200]}"
                rows, cursor, pages = rows + page["items"], page["next_cursor"], pages + 1
            names = [[str(row.get("id") or row.get("user_id") or row.get("name") or row.get("type") or row) for row in each]
                     for each in (rows, whole["items"])]
            told = [name for name in names[0] if name in names[1]]
            if names[1] and told != names[1][:len(told)] or len(told) < min(len(names[1]), 20):
                return f"{route}: pages {names[0][:5]} of {names[1][:5]}"
            if len(rows) > 2:
                many.add(route.path)
            return None

        def check(route):
            bearer, url = self.bearer(route), route.url(self.ids, self.ids["org_id"])
            # Who walks beside uses sessions and makes records, so that rows come and move: what is wrong stays so.
            found = [paged(route, bearer, url)]
            while found[-1] and len(found) < 4:
                found.append(paged(route, bearer, url))
            if found[-1]:
                yield found[-1]
            for bad in ("0", "201", "x"):
                yield from self.expect(f"{route} ?limit={bad}", self.ask("GET", and_also(url, "limit", bad), bearer), 400)

        def is_list(route):
            content = route.operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
            shape = self.document.resolve(content.get("schema", {}))
            return route.method == "GET" and "items" in shape.get("properties", {}) and route.path not in NO_LISTS

        self.walk(check, is_list)
        self.assertLessEqual({"/api/plugins", "/api/integrations/connectors", "/api/admin/settings", "/api/organizations/{org_id}/members"}, many)


if __name__ == "__main__":
    unittest.main()
