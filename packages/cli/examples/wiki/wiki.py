"""A small wiki without an agent. Its pages and the visit counts of its readers are in the memory of this process.

Usage: wiki.py PORT. The address in the browser is /wiki/; `rollcall run --context /wiki` makes a node of it.
"""

import html
import secrets
import signal
import socket
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = socket.gethostname()
COOKIE = "wiki_reader"
MAX_READERS = 10_000
readers: dict[str, int] = {}


class Wiki(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one write; otherwise the client waits 40 ms between them.
    wbufsize = -1

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.answer()

    def answer(self) -> None:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        reader = cookie.value if cookie is not None else ""
        is_new = reader not in readers
        if is_new:
            reader = secrets.token_hex(16)
            if len(readers) >= MAX_READERS:
                readers.pop(next(iter(readers)))
        readers[reader] = readers.get(reader, 0) + 1
        visits = readers[reader]
        text = f"{NAME} has seen you {visits} {'time' if visits == 1 else 'times'}\n"
        is_page = "text/html" in self.headers.get("Accept", "")
        body = (f"<!doctype html><title>Wiki</title><p>{html.escape(text)}" if is_page else text).encode()
        self.send_response(200)
        self.send_header("Content-Type", f"text/{'html' if is_page else 'plain'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if is_new:
            self.send_header("Set-Cookie", f"{COOKIE}={reader}; HttpOnly; SameSite=Lax; Path=/wiki")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing: the proxy counts the requests."""


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = ThreadingHTTPServer(("", int(sys.argv[1])), Wiki)
server.daemon_threads = True
server.serve_forever()
