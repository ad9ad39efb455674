"""A small WebSocket client (RFC 6455) and a reader of server-sent events, for tests. Standard library only."""

import base64
import json
import os
import socket
import struct


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, head, body):
        super().__init__(f"{status} {body[:200]!r}")
        self.status, self.head, self.body = status, head, body


class Closed(Exception):
    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code, self.reason = code, reason


class WebSocket:
    """Text messages of JSON objects. `receive` answers pings by itself."""

    def __init__(self, port, path="/ws", headers=None, protocols=None, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": f"127.0.0.1:{port}", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": key, **(headers or {})}
        if protocols:
            fields["Sec-WebSocket-Protocol"] = ", ".join(protocols)
        text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self.socket.sendall(text.encode())
        self.head = self._until(b"\r\n\r\n").decode()
        status = int(self.head.split(" ", 2)[1])
        if status != 101:
            body = self._exactly(int(self.field("Content-Length") or 0)).decode()
            self.socket.close()
            raise Refused(status, self.head, body)
        self.protocol = self.field("Sec-WebSocket-Protocol")

    def field(self, name):
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    def send(self, message):
        self.send_frame(1, message.encode() if isinstance(message, str) else json.dumps(message).encode())

    def send_frame(self, opcode, payload, fin=True):
        head = bytes([(0x80 if fin else 0) | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
        mask = os.urandom(4)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def receive(self, timeout=10):
        """The next message; raises Closed when the server closes and TimeoutError when nothing comes."""
        self.socket.settimeout(timeout)
        while True:
            opcode, payload = self._frame()
            if opcode == 1:
                return json.loads(payload)
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                try:
                    self.send_frame(8, payload[:2])
                except OSError:
                    pass  # a server that refused what was sent may be gone already
                raise Closed(code, payload[2:].decode())
            if opcode == 9:
                self.send_frame(10, payload)

    def until(self, wanted, timeout=10):
        """Messages up to and with the first that `wanted(message)` is true for."""
        seen = []
        while True:
            seen.append(self.receive(timeout))
            if wanted(seen[-1]):
                return seen

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _frame(self):
        head = self._exactly(2)
        size = head[1] & 0x7F
        if size == 126:
            size = struct.unpack(">H", self._exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._exactly(8))[0]
        return head[0] & 0x0F, self._exactly(size)

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        seen, self.buffer = self.buffer.split(mark, 1)
        return seen

    def _exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        seen, self.buffer = self.buffer[:size], self.buffer[size:]
        return seen

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(1006)
        self.buffer += data


class EventStream:
    """Server-sent events of one GET: `next()` gives (id, event name or None, data as JSON)."""

    def __init__(self, port, path, headers=None, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        fields = {"Host": f"127.0.0.1:{port}", "Accept": "text/event-stream", **(headers or {})}
        # HTTP/1.0: the stream comes as it is, without chunks.
        text = f"GET {path} HTTP/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        self.socket.sendall(text.encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split(b" ", 2)[1])
        self.fields = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            self.fields[name] = value
        self.body = self.file.read().decode() if self.status != 200 else ""

    def next(self):
        """Raises EOFError when the stream has ended."""
        identifier = name = data = None
        for raw in self.file:
            line = raw.decode().rstrip("\n")
            if not line and data is not None:
                return identifier, name, json.loads(data)
            if line.startswith("id: "):
                identifier = line[4:]
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
        raise EOFError("the stream has ended")

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
