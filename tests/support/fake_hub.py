"""A hub and its CDN in threads: they speak the hub's protocol for one data set, and fail as the test tells them to."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = re.compile(r"/datasets/lcysyzxdxc/CMC-Bench/resolve/([^/]+)/([^/]+)")
TEXT = re.compile(r"/Text/([^/]+)")


@dataclass
class Fault:
    """How one answer goes wrong. status: sent instead of the content, with the hub's error code. after: bytes that are
    sent before the connection ends. hang: whether it stays open, silent, instead of ending. body: sent instead of the
    content.
    """

    status: int = 0
    code: str = ""
    after: int | None = None
    hang: bool = False
    body: bytes | None = None


@dataclass
class Asked:
    """A request as it came. server: hub, cdn or text."""

    server: str
    method: str
    revision: str
    file: str
    range: str | None
    token: str | None


@dataclass(repr=False)
class Hub:
    """files: name -> content. faults: (server, method, file) -> the faults of the next answers, in this order.

    hashes: what the hub says of a file's hash where it is not the truth. ranges: whether the CDN goes on in the middle.
    """

    files: dict[str, bytes]
    texts: dict[str, bytes] = field(default_factory=dict)
    faults: dict[tuple[str, str, str], list[Fault]] = field(default_factory=dict)
    hashes: dict[str, str | None] = field(default_factory=dict)
    ranges: bool = True
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.closing = threading.Event()
        self.sent = threading.Event()  # something broke off, or hangs
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, answer)) for answer in (_hub, _cdn)]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.endpoint, self.cdn = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def close(self) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def gets(self, file: str, server: str = "cdn") -> list[Asked]:
        return [one for one in self.asked if (one.server, one.method, one.file) == (server, "GET", file)]

    def fault(self, server: str, method: str, file: str) -> Fault | None:
        waiting = self.faults.get((server, method, file))
        return waiting.pop(0) if waiting else None


def _handler(hub: Hub, answer: Callable[[Hub, Any, str], None]) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer("HEAD")

        def do_GET(self):
            self.answer("GET")

        def answer(self, method: str) -> None:
            try:
                answer(hub, self, method)
            except OSError:
                self.close_connection = True

        def note(self, server: str, method: str, revision: str, file: str) -> Fault | None:
            hub.asked.append(
                Asked(server, method, revision, file, self.headers["Range"], self.headers["Authorization"])
            )
            return hub.fault(server, method, file)

        def send(
            self, status: int, headers: dict[str, Any], body: bytes, method: str, fault: Fault | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            if method == "HEAD":
                return
            if fault is None or fault.after is None:
                self.wfile.write(body)
                return
            self.wfile.write(body[: fault.after])
            self.wfile.flush()
            hub.sent.set()
            while fault.hang and not hub.closing.is_set():
                time.sleep(0.01)
            self.close_connection = True

    return Handler


def _hub(hub: Hub, handler: Any, method: str) -> None:
    """The hub itself: it answers with a file's size, hash and commit and sends the reader on; and a host of text
    files.
    """
    if text := TEXT.fullmatch(handler.path):
        fault = handler.note("text", method, "", text[1])
        if fault and fault.status:
            handler.send(fault.status, {}, b"no", method)
        elif text[1] in hub.texts:
            handler.send(200, {}, hub.texts[text[1]] if not fault or fault.body is None else fault.body, method, fault)
        else:
            handler.send(404, {}, b"no", method)
        return
    match = RESOLVE.fullmatch(handler.path)
    if not match:
        hub.asked.append(Asked("hub", method, "", handler.path, None, None))
        handler.send(404, {"X-Error-Code": "RepoNotFound"}, b"", method)
        return
    revision, file = match.groups()
    fault = handler.note("hub", method, revision, file)
    if fault and fault.status:
        handler.send(fault.status, {"X-Error-Code": fault.code} if fault.code else {}, b"", method)
    elif revision not in ("main", COMMIT):
        handler.send(404, {"X-Error-Code": "RevisionNotFound"}, b"", method)
    elif file not in hub.files:
        handler.send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b"", method)
    else:
        told = hub.hashes.get(file, hashlib.sha256(hub.files[file]).hexdigest())
        linked = {"X-Linked-Etag": f'"{told}"'} if told else {}
        facts = {"X-Repo-Commit": COMMIT, "X-Linked-Size": len(hub.files[file]), "ETag": '"pointer"', **linked}
        handler.send(302, {**facts, "Location": f"{hub.cdn}/{file}?signed=1"}, b"", method)


def _cdn(hub: Hub, handler: Any, method: str) -> None:
    """Where the bytes lie: the whole file, or from the middle on."""
    file = handler.path.partition("?")[0].strip("/")
    fault = handler.note("cdn", method, "", file)
    if fault and fault.status:
        handler.send(fault.status, {}, b"", method)
        return
    body = hub.files[file] if not fault or fault.body is None else fault.body
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    if match and hub.ranges:
        start = int(match[1])
        handler.send(206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, body[start:], method, fault)
    else:
        handler.send(200, {}, body, method, fault)
