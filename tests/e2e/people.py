"""People in end-to-end tests: accounts made through the API, and the mails they get in the file sink of development."""

import base64
import email
import email.policy
import hashlib
import hmac
import os
import re
import struct
import time

from pawl_server import poll

PASSWORD = "correct-horse-battery-staple"


def totp(secret, at=None):
    """The six digits that a second factor shows."""
    seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(seed, struct.pack(">Q", int((at or time.time()) // 30)), hashlib.sha1).digest()
    offset = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7FFFFFFF) % 1000000)


class Mailbox:
    """The `.eml` files of a data folder."""

    def __init__(self, data_dir):
        self.folder = os.path.join(data_dir, "outbox")

    def mails(self, to=None):
        found = []
        names = sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []
        for name in names:
            if not name.endswith(".eml"):
                continue
            with open(os.path.join(self.folder, name), "rb") as file:
                message = email.message_from_binary_file(file, policy=email.policy.default)
            if to is None or message["To"] == to:
                found.append(message)
        return found

    def token(self, to, page, count=1, seconds=20):
        """The token behind `/page#` in the newest mail; waits until there are `count` mails with such a link."""

        def newest():
            tokens = []
            for message in self.mails(to):
                match = re.search(rf"/{page}#(\S+)", message.get_body(("plain",)).get_content())
                if match:
                    tokens.append(match.group(1))
            return tokens[-1] if len(tokens) >= count else None

        return poll(newest, seconds, f"a mail to {to} with a link to /{page}")


class Person:
    """Somebody with an account and a token."""

    def __init__(self, server, address, name=None):
        self.server = server
        self.email = address
        status, reply, _ = server.request("POST", "/api/auth/register",
                                          {"email": address, "password": PASSWORD, "name": name or address.split("@")[0]},
                                          headers={"Authorization": ""})
        if status != 201:
            raise RuntimeError(f"register {address}: {status} {reply}")
        self.id = reply["user"]["id"]
        self.access_token = reply["access_token"]

    def call(self, method, path, body=None, fields=None):
        """-> (status, parsed reply)"""
        status, reply, _ = self.server.request(method, path, body, headers={"Authorization": f"Bearer {self.access_token}", **(fields or {})})
        return status, reply
