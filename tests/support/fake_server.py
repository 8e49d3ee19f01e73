"""A chat-completions server in a thread: it answers for real over HTTP, as the test tells it to."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


class Reply:
    """status and body (a dict becomes JSON). cut: promise the whole body and send half. hang: s before anything is
    sent.
    """

    def __init__(self, body: Any = b"", status: int = 200, headers: dict[str, str] | None = None, cut=False, hang=0.0):
        self.body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.status, self.headers, self.cut, self.hang = status, headers or {}, cut, hang


def says(text: str | None, reason: str = "stop", **message: Any) -> Reply:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
    return Reply(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    )


def fails(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Reply:
    return Reply({"error": {"message": message, **error}}, status, headers)


class Server:
    """answer(image, attempt, body) -> Reply, where `image` is the picture's width and `attempt` counts from 1 for
    each.
    """

    def __init__(self, answer: Callable[[int, int, dict], Reply]) -> None:
        self.answer = answer
        self.models = ["m"]
        self.path = "/v1/chat/completions"  # the only one that is served
        self.paths: list[str] = []
        self.kinds: list[str] = []  # "data:image/png" of each picture
        self.asked: list[int] = []  # widths of the pictures, in the order of the requests
        self.bodies: list[dict] = []
        self.headers: list[Message] = []
        self.times: list[float] = []
        self.now = self.most = 0  # requests at the same time
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(server) -> type:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                listed = [{"id": name, "object": "model", "created": 1, "owned_by": "x"} for name in server.models]
                self.send(Reply({"object": "list", "data": listed}))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.paths.append(self.path)
                if self.path.partition("?")[0] != server.path:
                    self.send(Reply(b"<html>not here</html>", 404))
                    return
                url = body["messages"][0]["content"][0]["image_url"]["url"]
                server.kinds.append(url.partition(";")[0])
                with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
                    width = image.width
                with server._lock:
                    server.asked.append(width)
                    server.bodies.append(body)
                    server.headers.append(self.headers)  # whose names have no case
                    server.times.append(time.monotonic())
                    attempt = server.asked.count(width)
                    server.now += 1
                    server.most = max(server.most, server.now)
                reply = server.answer(width, attempt, body)
                time.sleep(reply.hang)
                with server._lock:
                    server.now -= 1
                self.send(reply)

            def send(self, reply: Reply) -> None:
                try:
                    if reply.status == 0:  # hang up without a word
                        self.close_connection = True
                        return
                    self.send_response(reply.status)
                    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
                    self.close_connection = self.close_connection or reply.cut
                except OSError:
                    self.close_connection = True

        return Handler
