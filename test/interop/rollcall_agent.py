#!/usr/bin/env python3
"""An agent in Python's standard library, written from packages/protocol/PROTOCOL.md.

  rollcall_agent.py --coordinator ws://127.0.0.1:8400 --id web-1 --balancer web --url http://127.0.0.1:3000

Registers, heartbeats, and on SIGTERM says `stopped`, waits for `drained`, leaves and ends. Comes back with full jitter
when the coordinator is lost. What happens is told on standard output, one JSON object per line.
"""
import argparse, base64, hashlib, json, os, random, secrets, select, signal, socket, struct, sys, time
from urllib.parse import urlsplit

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
STOP_CODES = {4403, 4426}


class Lost(Exception):
    """The connection has ended; `code` is the close code, or None."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason}")
        self.code = code


class WebSocket:
    """As much of RFC 6455 as a client of small text messages needs."""

    def __init__(self, url, token):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port or 8400), timeout=1)
        self.buffer = b""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [
            "GET /v1/agent HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: rollcall.v1",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, *fields = head.decode("latin-1").split("\r\n")
        if status.split(" ")[1] != "101":
            raise Lost(None, status)
        wanted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        accepted = dict((name.lower(), value.strip()) for name, value in (field.split(":", 1) for field in fields))
        if accepted.get("sec-websocket-accept") != wanted or accepted.get("sec-websocket-protocol") != "rollcall.v1":
            raise Lost(None, "not a Rollcall coordinator")

    def _fill(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise Lost(None)
        self.buffer += octets

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def send(self, payload, opcode=TEXT):
        mask = secrets.token_bytes(4)
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        self.socket.sendall(head + mask + bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload)))

    def receive(self, timeout):
        """The next text message within `timeout` seconds, or None."""
        if not self.buffer and not select.select([self.socket], [], [], max(0, timeout))[0]:
            return None
        self.socket.settimeout(5)
        message = b""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._take(8))
            payload = self._take(length)
            opcode = first & 0x0F
            if opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else None
                raise Lost(code, payload[2:].decode("utf-8", "replace"))
            if opcode == PING:
                self.send(payload, PONG)
                return None
            if opcode == PONG:
                return None
            message += payload
            if first & 0x80:
                return message.decode()

    def close(self, code):
        try:
            self.send(struct.pack("!H", code), CLOSE)
            self.socket.settimeout(1)
            while self.socket.recv(4096):
                pass
        except OSError:
            pass
        self.socket.close()


def tell(kind, **fields):
    print(json.dumps({"event": kind, **fields}), flush=True)


class Agent:
    def __init__(self, options):
        self.options = options
        self.is_ending = False
        self.instance = secrets.token_hex(16)
        self.incarnation = int(time.time() * 1000)
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, *_):
        self.is_ending = True

    def run(self):
        attempt = 0
        while not self.is_ending:
            try:
                if self.serve():
                    return 0
                attempt = 0
            except Lost as lost:
                tell("lost", code=lost.code, reason=str(lost))
                if lost.code in STOP_CODES:
                    return 1
                if self.was_registered:
                    attempt = 0
            except OSError as error:
                tell("unreachable", reason=str(error))
            time.sleep(random.uniform(0, min(10, 0.25 * 2**attempt)))
            attempt += 1
        return 0

    def serve(self):
        """One connection. True when the node has left in order."""
        self.was_registered = False
        ws = WebSocket(self.options.coordinator, os.environ.get("ROLLCALL_JOIN_TOKEN"))
        node = {
            "id": self.options.id,
            "balancer": self.options.balancer,
            "url": self.options.url,
            "instance": self.instance,
            "incarnation": self.incarnation,
        }
        if self.options.host:
            node["hosts"] = [self.options.host]
        ws.send(json.dumps({"type": "register", "node": node}).encode())
        period, next_beat, seq, stop_until = 1.0, None, 0, None
        while True:
            now = time.monotonic()
            if self.is_ending and self.was_registered and stop_until is None:
                ws.send(json.dumps({"type": "status", "status": "stopped", "reason": "SIGTERM", "deadlineMs": 8000}).encode())
                stop_until = now + 8
            if stop_until is not None and now >= stop_until:
                return self.leave(ws)
            if next_beat is not None and now >= next_beat:
                seq += 1
                load = min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
                ws.send(json.dumps({"type": "heartbeat", "seq": seq, "load": load}).encode())
                next_beat = now + period
            text = ws.receive(min(0.1, period / 4))
            if text is None:
                continue
            message = json.loads(text)
            kind = message.get("type")
            if kind == "registered":
                self.was_registered = True
                period, next_beat = message["heartbeatMs"] / 1000, time.monotonic()
                tell("registered", route=message["node"]["route"], leaseMs=message["leaseMs"])
            elif kind == "pace":
                period = message["heartbeatMs"] / 1000
            elif kind == "status":
                tell("wanted", status=message["status"], reason=message.get("reason"))
            elif kind == "error":
                tell("error", code=message["code"], message=message["message"])
            elif kind == "drained" and stop_until is not None:
                tell("drained")
                return self.leave(ws)

    def leave(self, ws):
        ws.send(json.dumps({"type": "leave"}).encode())
        ws.close(1000)
        tell("left")
        return True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("coordinator", "id", "balancer", "url"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--host")
    sys.exit(Agent(parser.parse_args()).run())
