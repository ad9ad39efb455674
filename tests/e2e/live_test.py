#!/usr/bin/env python3
"""Live events of the real server: WebSocket and server-sent events. docs/live.md is what is held against it."""

import http.client
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from pawl_server import API_KEY, Server, poll  # noqa: E402
from people import PASSWORD, Mailbox, Person  # noqa: E402
from websocket_client import Closed, EventStream, Refused, WebSocket  # noqa: E402

BEARER = {"Authorization": f"Bearer {API_KEY}"}
NOBODY = "00000000-0000-7000-8000-000000000000"
THREE_STEPS = """
document: {dsl: '1.0.0', namespace: test, name: live, version: '1.0.0'}
do:
  - first: {set: {n: 1}}
  - second: {call: noop, with: {secret: hunter2-in-an-input}}
  - third: {set: {n: 3}}
"""


def is_end(message):
    return message["type"] == "event" and message["event"] == "run.status" and message["data"]["status"] == "completed"


class LiveTest(unittest.TestCase):
    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(os.path.join(cls.folder.name, "data"), extra_environment=cls.environment).start()
        cls.workflow = cls.server.create_workflow(THREE_STEPS)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def open(self, **more):
        return WebSocket(self.server.port, **{"headers": BEARER, **more})

    def subscribed(self, *topics, last_id=None, **more):
        client = self.open(**more)
        self.addCleanup(client.close)
        message = {"type": "subscribe", "topics": list(topics)}
        if last_id:
            message["last_id"] = last_id
        client.send(message)
        reply = client.receive()
        self.assertEqual(reply["type"], "subscribed")
        self.assertEqual(reply["topics"], list(topics))
        return client, reply["last_id"]

    def run_once(self):
        status, reply, _ = self.server.request("POST", f"/api/workflows/{self.workflow}/execute", {"wait": True})
        self.assertEqual((status, reply["status"]), (200, "completed"))
        return reply["id"]


class WebSockets(LiveTest):
    # proves: P9, N-15
    def test_nobody_gets_in_without_credentials(self):
        for path, headers, protocols in (
                ("/ws", {}, None),
                ("/ws", {"Authorization": "Bearer wrong"}, None),
                ("/ws", {"Authorization": "Basic " + API_KEY}, None),
                ("/ws", {}, ["pawl.v1"]),
                ("/ws", {}, ["pawl.v1", "pawl.bearer.wrong"]),
                ("/ws?token=" + API_KEY, {}, None),
                ("/ws?access_token=" + API_KEY, {}, None),
                ("/ws?api_key=" + API_KEY + "&user_id=1", {}, None),
                ("/ws", {"Cookie": "token=" + API_KEY}, None)):
            with self.assertRaises(Refused) as refused:
                self.open(path=path, headers=headers, protocols=protocols)
            self.assertEqual(refused.exception.status, 401, path)
            self.assertNotIn(API_KEY, refused.exception.head + refused.exception.body)

    def test_the_token_may_come_as_a_subprotocol(self):
        with self.open(headers={}, protocols=["pawl.v1", "pawl.bearer." + API_KEY]) as client:
            self.assertEqual(client.protocol, "pawl.v1")
            self.assertNotIn(API_KEY, client.head)
            client.send({"type": "ping"})
            self.assertEqual(client.receive(), {"type": "pong"})

    def test_a_subprotocol_is_no_bearer_for_ordinary_requests(self):
        status, _, _ = self.server.request("GET", "/api/runs", headers={"Authorization": "", "Sec-WebSocket-Protocol": "pawl.bearer." + API_KEY})
        self.assertEqual(status, 401)

    def test_an_ordinary_request_is_told_to_upgrade(self):
        status, problem, fields = self.server.request("GET", "/ws")
        self.assertEqual((status, problem["code"], fields["Upgrade"]), (426, "http.upgrade_required", "websocket"))

    def person(self, address):
        person = Person(self.server, address)
        token = Mailbox(self.server.data_dir).token(address, "verify-email")
        self.assertEqual(person.call("POST", "/api/auth/verify-email", {"token": token})[0], 200)
        return person

    # proves: P9, N-15
    def test_a_stream_ends_with_what_it_was_opened_with(self):
        owner = self.person("stream.owner@example.org")
        member = self.person("stream.member@example.org")

        def must(who, method, path, body=None):
            status, reply = who.call(method, path, body)
            self.assertTrue(200 <= status < 300, f"{method} {path}: {status} {reply}")
            return reply

        def team():
            made = must(owner, "POST", "/api/organizations", {"name": "Streams"})["id"]
            must(owner, "POST", f"/api/organizations/{made}/members", {"user_id": member.id, "role": "member"})
            return made

        def login():
            return self.server.request("POST", "/api/auth/login", {"email": member.email, "password": PASSWORD}, {"Authorization": ""})[1]

        def admin(method, path, body=None):
            status, reply, _ = self.server.request(method, path, body)
            self.assertTrue(200 <= status < 300, f"{method} {path}: {status} {reply}")

        def key():
            made = must(member, "POST", "/api/api-keys", {"name": "streams", "scopes": ["read"]})
            return made["key"] if "key" in made else made["secret"], made["id"]

        organization, second = team(), team()
        secret, key_id = key()
        session = login()["access_token"]
        cases = [
            ("the API key is revoked", secret, None, lambda: must(member, "DELETE", f"/api/api-keys/{key_id}")),
            ("the session is signed out", session, None, lambda: self.server.request(
                "POST", "/api/auth/logout", {}, {"Authorization": f"Bearer {session}"})),
            ("the role changes", member.access_token, organization, lambda: must(
                owner, "PUT", f"/api/organizations/{organization}/members/{member.id}", {"role": "viewer"})),
            ("the member is removed", member.access_token, organization, lambda: must(
                owner, "DELETE", f"/api/organizations/{organization}/members/{member.id}")),
            ("the organization is deleted", member.access_token, second, lambda: must(owner, "DELETE", f"/api/organizations/{second}")),
            ("the user is deactivated", member.access_token, None, lambda: admin("PUT", f"/api/admin/users/{member.id}", {"is_active": False})),
        ]
        for name, token, where, act in cases:
            with self.subTest(name):
                path = f"/ws?organization_id={where}" if where else "/ws"
                with self.open(path=path, headers={"Authorization": f"Bearer {token}"}) as client:
                    client.send({"type": "ping"})
                    self.assertEqual(client.receive(), {"type": "pong"})
                    act()
                    with self.assertRaises(Closed) as closed:
                        for _ in range(5):
                            client.receive()
                    self.assertEqual(closed.exception.code, 1008)

    # proves: P9, N-15
    def test_a_topic_that_is_not_for_the_caller_is_refused_by_its_name(self):
        owner, member = self.person("topics.owner@example.org"), self.person("topics.member@example.org")
        organization = owner.call("POST", "/api/organizations", {"name": "Topics"})[1]["id"]
        status, _ = owner.call("POST", f"/api/organizations/{organization}/members", {"user_id": member.id, "role": "member"})
        self.assertTrue(200 <= status < 300)
        fields = {"Authorization": f"Bearer {member.access_token}"}
        with self.open(path=f"/ws?organization_id={organization}", headers=fields) as client:
            client.send({"type": "subscribe", "topics": ["audit", "nothing", "runs"]})
            refused = {reply["code"]: reply["topics"] for reply in (client.receive(), client.receive())}
            self.assertEqual(refused, {"live.forbidden_topic": ["audit"], "live.topic": ["nothing"]})
            self.assertEqual(client.receive()["topics"], ["runs"])
        with EventStream(self.server.port, f"/api/events/stream?organization_id={organization}&topics=runs,audit", fields) as stream:
            self.assertEqual((stream.status, json.loads(stream.body)["code"]), (403, "live.forbidden_topic"))

    # proves: P9
    def test_an_invitation_is_told_to_who_is_invited_and_nobody_else(self):
        guest = self.person("invited.guest@example.org")
        other = self.person("invited.other@example.org")
        host = self.person("invited.host@example.org")
        streams = [self.subscribed("notifications", headers={"Authorization": f"Bearer {who.access_token}"})[0] for who in (guest, other)]
        status, made = host.call("POST", "/api/organizations", {"name": "Hosts"})
        self.assertEqual(status, 201)
        status, invitation = host.call("POST", f"/api/organizations/{made['id']}/invitations", {"email": guest.email, "role": "viewer"})
        self.assertEqual(status, 201, invitation)
        message = streams[0].receive()
        self.assertEqual((message["event"], message["topic"]), ("notification.invitation", "notifications"))
        self.assertEqual((message["data"]["organization"], message["data"]["role"]), ("Hosts", "viewer"))
        self.assertNotIn(guest.email, json.dumps(message))
        streams[1].send({"type": "ping"})
        self.assertEqual(streams[1].receive(), {"type": "pong"})

    # proves: P9, S4-O9
    def test_audit_records_are_told_to_managers(self):
        client, _ = self.subscribed("audit")
        workflow = self.server.create_workflow(THREE_STEPS.replace("name: live", "name: told"), "told")
        self.server.request("DELETE", f"/api/workflows/{workflow}")
        told = []
        while not told or told[-1]["data"]["action"] != "workflows.deleteWorkflow":
            told.append(client.receive())
        self.assertEqual({message["event"] for message in told}, {"audit.recorded"})
        self.assertEqual(told[-1]["data"]["resource_id"], workflow)
        status, record, _ = self.server.request("GET", f"/api/audit/{told[-1]['data']['id']}")
        self.assertEqual((status, record["action"]), (200, "workflows.deleteWorkflow"), record)

    # proves: N-15, FA-13
    def test_another_organization_is_not_found(self):
        with self.assertRaises(Refused) as refused:
            self.open(path=f"/ws?organization_id={NOBODY}")
        self.assertEqual(refused.exception.status, 404)

    # proves: P9
    def test_runs_are_told_in_order(self):
        client, _ = self.subscribed("runs")
        run = self.run_once()
        events = client.until(is_end)
        self.assertEqual([event["data"]["status"] for event in events][-1], "completed")
        self.assertTrue(all(event["data"]["run_id"] == run and event["event"] == "run.status" for event in events))
        self.assertTrue(all(event["topic"] == "runs" and event["organization_id"] and event["time"].endswith("Z") for event in events))
        numbers = [int(event["id"].rsplit("-", 1)[1]) for event in events]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_one_run_is_told_with_its_tasks(self):
        status, reply, _ = self.server.request("POST", "/api/workflows", {"definition": THREE_STEPS.replace("live", "paused").replace(
            "first: {set: {n: 1}}", "first: {listen: {to: {one: {with: {type: go}}}}}")})
        self.assertEqual(status, 201, reply)
        status, started, _ = self.server.request("POST", f"/api/workflows/{reply['id']}/execute", {})
        self.assertEqual(status, 202)
        client, _ = self.subscribed("run:" + started["id"])
        event = {"specversion": "1.0", "id": "1", "source": "/test", "type": "go", "data": {}}
        self.server.request("POST", f"/api/runs/{started['id']}/events", event)
        seen = client.until(is_end)
        tasks = {(event["data"]["task"]["name"], event["data"]["task"]["status"]) for event in seen if event["event"] == "run.task"}
        self.assertIn(("second", "completed"), tasks)
        self.assertNotIn("hunter2", str(seen))

    # proves: P9, S0-R3
    def test_a_client_that_comes_back_gets_what_it_missed(self):
        first, _ = self.subscribed("runs")
        self.run_once()
        last = first.until(is_end)[-1]["id"]
        first.close()
        missed = self.run_once()
        second, from_id = self.subscribed("runs", last_id=last)
        self.assertEqual(from_id, last)
        events = second.until(is_end)
        self.assertTrue(all(event["data"]["run_id"] == missed for event in events))
        numbers = [int(event["id"].rsplit("-", 1)[1]) for event in events]
        self.assertTrue(all(number > int(last.rsplit("-", 1)[1]) for number in numbers))
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_an_id_of_another_time_resets(self):
        client, last = self.subscribed("runs", last_id="0-1")
        self.assertEqual(client.receive(), {"type": "reset", "last_id": last})

    def test_topics_can_be_left(self):
        client, _ = self.subscribed("runs")
        client.send({"type": "unsubscribe", "topics": ["runs"]})
        self.assertEqual(client.receive(), {"type": "unsubscribed", "topics": ["runs"]})
        self.run_once()
        client.send({"type": "ping"})
        self.assertEqual(client.receive(), {"type": "pong"})

    # proves: P11
    def test_messages_are_read_strictly(self):
        with self.open() as client:
            for message, code in (
                    ("nonsense", "live.message"), ("[]", "live.message"), ({}, "live.message"), ({"type": "shout"}, "live.message"),
                    ({"type": "ping", "more": 1}, "live.message"), ({"type": "subscribe"}, "live.message"),
                    ({"type": "subscribe", "topics": []}, "live.message"), ({"type": "subscribe", "topics": ["runs"], "user": "x"}, "live.message"),
                    ({"type": "subscribe", "topics": [7]}, "live.message"), ({"type": "subscribe", "topics": "runs"}, "live.message"),
                    ({"type": "subscribe", "topics": ["everything"]}, "live.topic"), ({"type": "subscribe", "topics": ["run:1"]}, "live.topic"),
                    ("[" * 100 + "]" * 100, "live.message")):
                client.send(message)
                reply = client.receive()
                self.assertEqual((reply["type"], reply["code"]), ("error", code), message)
            client.send({"type": "ping"})
            self.assertEqual(client.receive(), {"type": "pong"})
            for _ in range(20):
                client.send("nonsense")
            with self.assertRaises(Closed) as closed:
                for _ in range(21):
                    client.receive()
            self.assertEqual(closed.exception.code, 1008)

    # proves: P9
    def test_a_wrong_topic_is_named_and_the_others_are_followed(self):
        long = "run:" + "x" * 200
        with self.open() as client:
            client.send({"type": "subscribe", "topics": ["run:1", "runs", long, "everything", "approvals"]})
            refused, reply = client.receive(), client.receive()
            self.assertEqual((refused["type"], refused["code"], refused["topics"]), ("error", "live.topic", ["run:1", long, "everything"]))
            self.assertEqual((reply["type"], reply["topics"]), ("subscribed", ["runs", "approvals"]))
            run = self.run_once()
            self.assertTrue(all(event["data"]["run_id"] == run for event in client.until(is_end)))
            client.send({"type": "subscribe", "topics": ["run:1"]})
            self.assertEqual(client.receive()["topics"], ["run:1"])
            client.send({"type": "ping"})
            self.assertEqual(client.receive(), {"type": "pong"}, "nothing was taken, so nothing more is said")
            client.send({"type": "subscribe", "topics": ["runs"], "more": 1})
            self.assertNotIn("topics", client.receive(), "an error of the whole message names none")

    # proves: P9
    def test_wrong_topics_close_nothing_however_many_there_are(self):
        with self.open() as client:
            for number in range(30):
                client.send({"type": "subscribe", "topics": [f"run:{number}"]})
                self.assertEqual(client.receive()["topics"], [f"run:{number}"])
            client.send({"type": "subscribe", "topics": ["runs"]})
            self.assertEqual(client.receive()["type"], "subscribed")

    def test_too_large_a_message_closes(self):
        with self.open() as client:
            client.send("x" * 65_537)
            with self.assertRaises(Closed) as closed:
                client.receive()
            self.assertEqual(closed.exception.code, 1009)


class ServerSentEvents(LiveTest):
    PATH = "/api/events/stream?topics=runs"

    def test_nobody_gets_in_without_credentials(self):
        for path in (self.PATH, self.PATH + "&token=" + API_KEY):
            with EventStream(self.server.port, path) as stream:
                self.assertEqual(stream.status, 401)
                self.assertNotIn(API_KEY, stream.body)

    def test_wrong_topics_are_refused(self):
        for query in ("", "?topics=", "?topics=everything", "?topics=runs,run:1"):
            with EventStream(self.server.port, "/api/events/stream" + query, BEARER) as stream:
                self.assertEqual(stream.status, 400, query)
                self.assertEqual(stream.fields["Content-Type"], "application/problem+json")

    # proves: P9
    def test_events_come_and_resume(self):
        with EventStream(self.server.port, self.PATH, BEARER) as stream:
            self.assertEqual((stream.status, stream.fields["Content-Type"]), (200, "text/event-stream"))
            _, name, hello = stream.next()
            self.assertEqual((name, hello["topics"]), ("subscribed", ["runs"]))
            self.run_once()
            while True:
                last, name, event = stream.next()
                self.assertIsNone(name)
                self.assertEqual(event["id"], last)
                if is_end(event):
                    break
        missed = self.run_once()
        with EventStream(self.server.port, self.PATH, {**BEARER, "Last-Event-ID": last}) as stream:
            self.assertEqual(stream.next()[1], "subscribed")
            self.assertEqual(stream.next()[2]["data"]["run_id"], missed)
        with EventStream(self.server.port, self.PATH, {**BEARER, "Last-Event-ID": "0-7"}) as stream:
            self.assertEqual([stream.next()[1], stream.next()[1]], ["subscribed", "reset"])


class Accounts(LiveTest):
    environment = {"CORS_ORIGINS": "https://app.example.org"}

    def person(self, name):
        return Person(self.server, f"{name}-{time.monotonic_ns()}@example.org")

    def by(self, person):
        return {"Authorization": f"Bearer {person.access_token}"}

    # proves: N-15
    def test_a_cookie_counts_only_from_its_own_or_a_configured_origin(self):
        person = self.person("cookie")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        connection.request("POST", "/api/auth/login", json.dumps({"email": person.email, "password": PASSWORD}),
                           {"Content-Type": "application/json", "X-Pawl-Session": "cookie"})
        reply = connection.getresponse()
        reply.read()
        self.assertEqual(reply.status, 200)
        jar = "; ".join(value.split(";", 1)[0] for name, value in reply.getheaders() if name.lower() == "set-cookie")
        connection.close()
        own = f"http://127.0.0.1:{self.server.port}"
        for origin in (own, "https://app.example.org"):
            with self.open(headers={"Cookie": jar, "Origin": origin}) as client:
                client.send({"type": "ping"})
                self.assertEqual(client.receive(), {"type": "pong"})
        for origin in (None, "null", "https://evil.example", own + "0", "https://app.example.org.evil.example"):
            with self.assertRaises(Refused) as refused:
                self.open(headers={"Cookie": jar, **({"Origin": origin} if origin else {})})
            self.assertEqual(refused.exception.status, 403, origin)

    # proves: P9, N-15
    def test_a_stream_ends_with_its_session(self):
        person = self.person("leaver")
        client, _ = self.subscribed("runs", headers=self.by(person))
        with EventStream(self.server.port, ServerSentEvents.PATH, self.by(person)) as stream:
            stream.next()
            self.assertIn(person.call("POST", "/api/auth/logout", {})[0], (200, 204))
            with self.assertRaises(Closed) as closed:
                client.receive()
            self.assertEqual((closed.exception.code, closed.exception.reason), (1008, "revoked"))
            self.assertEqual(stream.next()[2], {"type": "end", "reason": "revoked"})

    # proves: P9, N-15
    def test_the_stream_of_a_run_ends_with_its_permission(self):
        person = self.person("watcher")
        key = person.call("POST", "/api/api-keys", {"name": "watch", "scopes": ["read"]})[1]
        waits = THREE_STEPS.replace("call: noop, with: {secret: hunter2-in-an-input}", "wait: {seconds: 600}")
        workflow = person.call("POST", "/api/workflows", {"definition": waits})[1]["id"]
        run = person.call("POST", f"/api/workflows/{workflow}/execute", {})[1]["id"]
        path = f"/api/runs/{run}/events"
        with EventStream(self.server.port, path, {"Authorization": f"Bearer {key['key']}"}) as by_key, \
                EventStream(self.server.port, path, self.by(person)) as by_session:
            self.assertEqual((by_key.status, by_session.status), (200, 200))
            self.assertIn(person.call("DELETE", f"/api/api-keys/{key['id']}")[0], (200, 204))
            with self.assertRaises(EOFError):
                while True:
                    by_key.next()
            self.assertIn(person.call("POST", "/api/auth/logout", {})[0], (200, 204))
            with self.assertRaises(EOFError):
                while True:
                    by_session.next()

    # proves: FA-13, N-15
    def test_one_organization_hears_nothing_of_another(self):
        ada, bob = self.person("ada"), self.person("bob")
        listener, _ = self.subscribed("runs", headers=self.by(bob))
        status, workflow = ada.call("POST", "/api/workflows", {"definition": THREE_STEPS})
        self.assertEqual(status, 201, workflow)
        status, run = ada.call("POST", f"/api/workflows/{workflow['id']}/execute", {"wait": True})
        self.assertEqual(status, 200, run)
        listener.send({"type": "subscribe", "topics": ["run:" + run["id"], "workflow:" + workflow["id"]]})
        self.assertEqual(listener.receive()["type"], "subscribed")
        self.assertEqual(ada.call("POST", f"/api/workflows/{workflow['id']}/execute", {"wait": True})[0], 200)
        listener.send({"type": "ping"})
        self.assertEqual(listener.receive(), {"type": "pong"})


class Stopping(unittest.TestCase):
    # proves: O8
    def test_clients_are_told_to_come_again(self):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.join(folder, "data")).start()
            try:
                socket = WebSocket(server.port, headers=BEARER)
                socket.send({"type": "subscribe", "topics": ["runs"]})
                socket.receive()
                stream = EventStream(server.port, ServerSentEvents.PATH, BEARER)
                stream.next()
                began = time.monotonic()
                server.process.terminate()
                with self.assertRaises(Closed) as closed:
                    socket.receive()
                self.assertEqual(closed.exception.code, 1012)
                socket.close()
                self.assertEqual(stream.next()[2], {"type": "end", "reason": "stopping"})
                self.assertRaises(EOFError, stream.next)
                stream.close()
                self.assertEqual(server.process.wait(timeout=20), 0)
                self.assertLess(time.monotonic() - began, 10)
            finally:
                server.stop()


@unittest.skipUnless(os.environ.get("PAWL_TEST_REDIS_URL"), "needs a Redis (scripts/services)")
class TwoProcesses(unittest.TestCase):
    """Two processes with the same organization (the second on a copy of the first one's data folder) and one Redis."""

    # proves: S0-R3, P9
    def test_an_event_of_one_reaches_a_client_of_the_other_within_a_second(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
            environment = {"REDIS_URL": os.environ["PAWL_TEST_REDIS_URL"]}
            servers = [Server(first, extra_environment=environment).start()]
            workflow = servers[0].create_workflow(THREE_STEPS)
            servers[0].stop()
            shutil.copytree(first, second)
            servers = [Server(data, extra_environment=environment).start() for data in (first, second)]
            try:
                client = WebSocket(servers[1].port, headers=BEARER)
                client.send({"type": "subscribe", "topics": ["runs"]})
                self.assertEqual(client.receive()["type"], "subscribed")

                def heard():
                    status, reply, _ = servers[0].request("POST", f"/api/workflows/{workflow}/execute", {"wait": True})
                    self.assertEqual((status, reply["status"]), (200, "completed"))
                    began = time.monotonic()
                    try:
                        events = client.until(is_end, timeout=1)
                    except TimeoutError:
                        return None  # the other one is not connected to Redis yet
                    self.assertEqual(events[-1]["data"]["run_id"], reply["id"])
                    return time.monotonic() - began

                poll(heard, 20, "the two processes find each other")
                delay = heard()
                self.assertIsNotNone(delay)
                self.assertLess(delay, 1)
                client.close()
            finally:
                for server in servers:
                    server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
