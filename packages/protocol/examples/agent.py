#!/usr/bin/env python3
"""A Rollcall agent with Python's standard library only, written from PROTOCOL.md beside this folder.

  agent.py --coordinator ws://127.0.0.1:8400 --id web-1 --balancer web --url http://127.0.0.1:3000
  agent.py --coordinator ws://127.0.0.1:8400 --id web-1 --balancer web --serve 3000

The agent registers and sends heartbeats. On SIGTERM it sends `stopped`, waits for `drained`, sends `leave` and exits. It holds
a connection to each coordinator: up to five --coordinator, or ROLLCALL_URL with commas, and announced ones on a configured host. It
reconnects with full jitter when one is lost. It has no TLS, and does not look for SRV records or further addresses of a name. With
--serve it is also the node: a page on 127.0.0.1 that proves its instance (section 7.3). The join token is the value of
ROLLCALL_JOIN_TOKEN, or the content of the file ROLLCALL_JOIN_TOKEN_FILE. Events are written to standard output, one JSON object per line.
Exit code: 0 left in order, 1 refused permanently, 2 wrong addresses.
"""
import argparse, base64, hashlib, hmac, http.server, json, os, random, re, secrets, select, signal, socket, struct, sys, threading, time
from urllib.parse import urlsplit

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MAX_MESSAGE = 65536  # section 1.2, octets
MAX_COORDINATORS = 5  # section 9.3
LIFTABLE = ("forbidden", "id-owned", "too-many-nodes")  # section 9.1, after 4403


class Lost(Exception):
    """The connection has ended or was refused. `code`: close code, `status`: HTTP status; None where there is none."""

    def __init__(self, reason, code=None, status=None, retry_after=0.0):
        super().__init__(reason)
        self.code, self.status, self.retry_after = code, status, retry_after


class WebSocket:
    """The part of RFC 6455 that a client with small text messages needs."""

    def __init__(self, url, token):
        parts = urlsplit(url)
        # 1 s for each address of the name, 5 s for the response to the upgrade (section 1.2).
        self.socket = socket.create_connection((parts.hostname, parts.port or 8400), timeout=1)
        self.socket.settimeout(5)
        self.buffer, self.heard = b"", time.monotonic()
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
        answer = dict((name.lower(), value.strip()) for name, value in (field.split(":", 1) for field in fields))
        code = int(status.split(" ")[1])
        if code != 101:
            retry_after = answer.get("retry-after", "0")
            seconds = min(60.0, float(retry_after)) if re.fullmatch(r"\d+", retry_after) else 0.0
            raise Lost(f"the upgrade was refused with {code}", status=code, retry_after=seconds)
        wanted = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if answer.get("sec-websocket-accept") != wanted or answer.get("sec-websocket-protocol") != "rollcall.v1":
            raise Lost("not a Rollcall coordinator")
        self.coordinator_id = answer.get("rollcall-coordinator")

    def _fill(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise Lost("the connection was cut")
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
        message = b""
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._take(8))
            if length + len(message) > MAX_MESSAGE:
                raise Lost("the coordinator has sent more than a message may have")
            payload = self._take(length)
            self.heard = time.monotonic()
            opcode = first & 0x0F
            if opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else None
                self.close(code or 1000)
                raise Lost(payload[2:].decode("utf-8", "replace") or "closed", code=code)
            if opcode == PING:
                self.send(payload, PONG)
                return None
            if opcode == PONG:
                return None
            message += payload
            if first & 0x80:
                return message.decode("utf-8", "replace")

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
    # One write for each line: the links write from several threads.
    sys.stdout.write(json.dumps({"event": kind, **fields}) + "\n")
    sys.stdout.flush()


def join_token():
    """Reads the join token, for each connection anew: the token may be rotated."""
    path = os.environ.get("ROLLCALL_JOIN_TOKEN_FILE")
    if os.environ.get("ROLLCALL_JOIN_TOKEN"):
        return os.environ["ROLLCALL_JOIN_TOKEN"].strip()
    return open(path).read().strip() if path else None


def serve(port, instance):
    """Starts the node itself: one page, and the proof of section 7.3 in every response to a probe. Returns its address."""

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.send_response(200)
            nonces = self.headers.get_all("rollcall-probe") or []
            if len(nonces) == 1 and re.fullmatch("[0-9A-Fa-f]{32}", nonces[0]):
                proof = hmac.new(instance.encode(), nonces[0].encode(), "sha256").hexdigest()
                self.send_header("rollcall-proof", proof)
            body = b"" if self.command in ("HEAD", "OPTIONS") else b"hello from Python\n"
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_OPTIONS = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


class Agent:
    """The node. It has one link, with a thread of its own, to each coordinator (section 9.3)."""

    def __init__(self, options, coordinators):
        self.options = options
        self.is_ending = False
        self.exit_code = None
        self.instance = secrets.token_hex(16)
        self.incarnation = int(time.time() * 1000)
        self.url = options.url or serve(options.serve, self.instance)
        self.lock = threading.Lock()
        self.links = [Link(self, alternatives) for alternatives in coordinators]
        self.configured = {url for alternatives in coordinators for url in alternatives}
        self.ignored = set()
        signal.signal(signal.SIGTERM, self.on_signal)

    def on_signal(self, *_):
        self.is_ending = True

    def run(self):
        """Returns the exit code, when all links have ended."""
        for link in list(self.links):
            link.thread.start()
        while any(link.thread.is_alive() for link in list(self.links)):
            time.sleep(0.1)
        return self.exit_code or 0

    def stop(self):
        """A refusal with the scope "everywhere": the other connections are closed without `leave`."""
        self.exit_code = 1

    def follow(self):
        """Connects to announced coordinators, and gives up those that are announced no longer (sections 4.1 and 9.3)."""
        with self.lock:
            connected = [link for link in self.links if link.is_registered]
            texts = [text for link in connected or self.links for text in link.announced]
            own = {address_of(link.own_url) for link in connected if link.own_url}
            hosts = {urlsplit(url).hostname for url in self.configured}
            listed = {address_of(text) for text in texts} - {None} - self.configured
            usable = {url for url in listed if urlsplit(url).hostname in hosts}
            unlisted = [link for link in self.links if link.is_announced and link.alternatives[0] not in usable]
            for link in unlisted:
                # The last connection is kept.
                if not link.is_registered or any(other not in unlisted for other in connected):
                    link.is_given_up = True
                    self.links.remove(link)
            known = {url for link in self.links for url in link.alternatives}
            for url in sorted(usable - own - known)[: MAX_COORDINATORS - len(self.links)]:
                link = Link(self, [url], is_announced=True)
                self.links.append(link)
                link.thread.start()
            # An address may be that of a coordinator that was not tried yet.
            if all(link.is_tried for link in self.links):
                for url in sorted(listed - usable - own - self.ignored)[:16]:
                    self.ignored.add(url)
                    tell("warning", code="coordinator-ignored", message=f"to use the announced coordinator {url}, add it to ROLLCALL_URL")

    def is_held(self, link, coordinator_id):
        """Takes the coordinator with this id for `link`. True when another link is connected to it."""
        with self.lock:
            if any(other is not link and other.coordinator_id == coordinator_id for other in self.links):
                return True
            link.coordinator_id = coordinator_id
            return False

    def is_awaited(self):
        """A connected coordinator has not confirmed the end of this node yet."""
        return any(link.is_registered and not link.is_drained for link in self.links)


class Link:
    """The connection to one coordinator. `alternatives` are tried in turn."""

    def __init__(self, agent, alternatives, is_announced=False):
        self.agent, self.alternatives, self.is_announced = agent, alternatives, is_announced
        self.is_given_up = self.is_tried = False
        self.announced, self.own_url = [], None
        self.lease = 20.0
        self.coordinator_id = None
        self.is_registered = self.is_drained = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    @property
    def is_over(self):
        return self.agent.is_ending or self.agent.exit_code is not None or self.is_given_up

    def run(self):
        """Connects until the node has left or is refused permanently (section 9)."""
        attempt, turn = 0, 0
        count = len(self.alternatives)
        while not self.is_over:
            pause = 0.0
            url = self.alternatives[turn % count]
            try:
                if self.connect(url):
                    return
                pause = 30.0  # Another link is connected to this coordinator.
            except Lost as lost:
                tell("lost", coordinator=url, code=lost.code, status=lost.status, reason=str(lost))
                is_superseded = lost.code == 4409 and (self.last_error or {}).get("code") == "superseded"
                is_connected = (self.last_error or {}).get("holderConnected", self.was_registered)
                # An operator can lift these refusals, so the same process retries about once a minute.
                is_refused = lost.code == 4403 and (self.last_error or {}).get("code") in LIFTABLE
                is_final = lost.code in (4403, 4426) and not is_refused
                if is_final or (is_superseded and is_connected):
                    tell("stopped", reason=(self.last_error or {}).get("message", str(lost)))
                    self.agent.stop()
                    return
                if is_superseded:
                    pause = self.lease
                if self.was_registered and lost.code != 4409:
                    attempt = 0
                if is_refused and (attempt + 1) % count == 0:
                    pause = 60 * random.uniform(0.75, 1.25)
                pause += lost.retry_after * random.uniform(0.5, 1)
            except OSError as error:
                tell("unreachable", coordinator=url, reason=str(error))
            finally:
                self.is_registered, self.coordinator_id, self.is_tried = False, None, True
            self.agent.follow()
            turn += 1
            # Every alternative is tried before the pause grows.
            pause += random.uniform(0, min(10, 0.25 * 2 ** min(16, attempt // count)))
            attempt += 1
            until = time.monotonic() + pause
            while not self.is_over and time.monotonic() < until:
                time.sleep(min(0.1, max(0, until - time.monotonic())))

    def connect(self, url):
        """Runs one connection. True when the node has left in order, False when another link has this coordinator."""
        self.was_registered, self.last_error, self.is_drained = False, None, False
        options = self.agent.options
        ws = WebSocket(url, join_token())
        if ws.coordinator_id is not None and self.agent.is_held(self, ws.coordinator_id):
            ws.close(1000)
            return False
        try:
            return self.speak(ws, url, options)
        except OSError as error:
            raise Lost(str(error))  # An open connection was reset.
        finally:
            ws.socket.close()

    def speak(self, ws, url, options):
        agent = self.agent
        node = {
            "id": options.id,
            "balancer": options.balancer,
            "url": agent.url,
            "instance": agent.instance,
            "incarnation": agent.incarnation,
        }
        if options.serve is not None:
            node["proves"] = True
        if options.host:
            node["hosts"] = options.host
        ws.send(json.dumps({"type": "register", "node": node}).encode())
        period, next_beat, seq, stop_until, silent_checks = 1.0, None, 0, None, 0
        # With several coordinators a ping every second, and 6 s of silence end the connection (section 9.3).
        is_several = lambda: len(agent.links) > 1
        check_every = lambda: 1.0 if is_several() else self.lease / 3
        last_check = time.monotonic()
        next_check = last_check + check_every()
        while True:
            now = time.monotonic()
            if agent.exit_code is not None or self.is_given_up:
                ws.close(1000)
                return True
            if agent.is_ending and self.was_registered and stop_until is None:
                ws.send(json.dumps({"type": "status", "status": "stopped", "reason": "SIGTERM", "deadlineMs": 8000}).encode())
                stop_until = now + 8
            if stop_until is not None and (now >= stop_until or (self.is_drained and not agent.is_awaited())):
                return self.leave(ws, url)
            if next_beat is not None and now >= next_beat:
                seq += 1
                load = min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
                ws.send(json.dumps({"type": "heartbeat", "seq": seq, "load": load}).encode())
                next_beat = now + period
            if now >= next_check:
                silent_checks = 0 if ws.heard >= last_check else silent_checks + 1
                checks = 6 if is_several() else 3
                if silent_checks > checks:
                    raise Lost(f"silent for {checks * check_every()} s")
                ws.send(b"", PING)
                last_check, next_check = now, now + check_every()
            text = ws.receive(min(0.1, period / 4))
            if text is None:
                continue
            try:
                message = json.loads(text)
                kind = message.get("type")
            except (ValueError, AttributeError):
                continue  # Not a message of this protocol: ignored, the connection stays.
            if kind in ("registered", "pace"):
                period, self.lease = message["heartbeatMs"] / 1000, message["leaseMs"] / 1000
            if kind == "registered":
                self.was_registered = self.is_registered = self.is_tried = True
                self.own_url = message.get("coordinatorUrl")
                next_beat = time.monotonic()
                tell("registered", coordinator=url, route=message["node"]["route"], leaseMs=message["leaseMs"])
                for warning in message.get("warnings", []):
                    tell("warning", **warning)
            if kind in ("registered", "coordinators"):
                # A coordinator without an id cannot be distinguished from another one.
                self.announced = message.get("coordinators", []) if ws.coordinator_id or "coordinatorId" in message else []
                agent.follow()
            if kind == "status":
                tell("wanted", coordinator=url, status=message["status"], reason=message.get("reason"))
            elif kind == "error":
                self.last_error = message
                tell("error", coordinator=url, code=message["code"], message=message["message"])
            elif kind == "drained" and stop_until is not None:
                tell("drained", coordinator=url)
                self.is_drained = True
            # A message of another type is ignored.

    def leave(self, ws, url):
        ws.send(json.dumps({"type": "leave"}).encode())
        ws.close(1000)
        tell("left", coordinator=url)
        return True


def address_of(text):
    """An announced address in the form of `coordinators_of`; None for one that this agent cannot use."""
    try:
        parts = urlsplit(text)
        port = parts.port or 8400
    except ValueError:
        return None
    is_plain = parts.scheme == "ws" and parts.path in ("", "/") and not (parts.username or parts.query or parts.fragment)
    if not is_plain or not parts.hostname or parts.hostname.startswith("_rollcall."):
        return None
    return f"ws://{parts.netloc if parts.port else f'{parts.netloc}:{port}'}"


def coordinators_of(given):
    """A list of alternatives for each coordinator. Exits with 2 for a list that section 9.3 does not allow."""
    texts = given if given else [os.environ.get("ROLLCALL_URL", "")]
    entries = [entry.strip() for text in texts for entry in text.split(",")]
    if not any(entries):
        return [["ws://localhost:8400", "ws://rollcall:8400"]]
    urls = []
    for entry in entries:
        url = entry if "://" in entry else f"ws://{entry}"
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "http") or not parts.hostname or parts.hostname.startswith("_rollcall."):
            sys.exit(usage(f"{entry!r} is no address that this agent can use: write ws://HOST:PORT"))
        urls.append(f"ws://{parts.netloc if parts.port else f'{parts.netloc}:8400'}")
    if len(set(urls)) < len(urls):
        sys.exit(usage("an address of a coordinator is listed twice"))
    if len(urls) > MAX_COORDINATORS:
        sys.exit(usage(f"more than {MAX_COORDINATORS} coordinators are listed"))
    return [[url] for url in urls]


def usage(message):
    print(message, file=sys.stderr)
    return 2


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coordinator", action="append", help="address ws://HOST:PORT; may be repeated (default: ROLLCALL_URL)")
    parser.add_argument("--id", required=True)
    parser.add_argument("--balancer", required=True)
    parser.add_argument("--host", action="append", help="host name that the node serves (default: all)")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--url", help="address of a running program")
    place.add_argument("--serve", type=int, metavar="PORT", help="serve the node on this port of 127.0.0.1; 0: a free port")
    options = parser.parse_args()
    sys.exit(Agent(options, coordinators_of(options.coordinator)).run())
