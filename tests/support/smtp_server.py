"""A small mail server on loopback that can also say "later" and "never", stall, and hang up."""

import socketserver
import threading


class Conversation(socketserver.StreamRequestHandler):
    """One SMTP session. The server's `mood` says what becomes of it."""

    timeout = 60

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        with self.server.lock:
            mood = self.server.moods.pop(0) if self.server.moods else "kind"
            self.server.sessions.append(mood)
        if mood == "hang up":
            return
        self.say("220 test ESMTP")
        recipients = []
        while True:
            line = self.rfile.readline().decode(errors="replace").strip()
            verb = line.upper().split(" ")[0] if line else ""
            if not line or verb == "QUIT":
                return
            if verb == "EHLO":
                self.say("250 test")
            elif verb == "RCPT":
                if mood == "later":
                    self.say("451 try again later")
                elif mood == "never":
                    self.say("550 no such user")
                else:
                    recipients.append(line)
                    self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (data := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(data)
                with self.server.lock:
                    self.server.mails.append((recipients, b"".join(lines).decode()))
                self.say("250 taken")
            else:
                self.say("250 ok")


class SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.lock = threading.Lock()
        self.moods = []
        self.sessions = []
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def to(self, address):
        with self.lock:
            return [text for recipients, text in self.mails if any(f"<{address}>" in each for each in recipients)]
