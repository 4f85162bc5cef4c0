"""A small HTTP server for doubles of what is far away: it answers in JSON, or drops connections."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Server"]


@dataclass
class Answer:
    """What is answered: a status, a body, and headers beside those of every answer."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Server:
    """Listens on a free port of this machine; `url` is its address."""

    def reply(
        self, method: str, target: str, body: str, headers: Mapping[str, str]
    ) -> Answer | None:
        """The answer to a request, its headers by small letters; None drops its connection."""
        raise AssertionError("a double says what it answers")

    def start(self) -> None:
        """Begins to listen."""
        server = self

        class Handler(_Handler):
            book = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Ends."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    book: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET", "")

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        self._serve("POST", self.rfile.read(length).decode())

    def _serve(self, method: str, text: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.book.reply(method, self.path, text, headers)
        self.close_connection = True
        if answer is None:
            return
        data = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("connection", "close")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        with suppress(OSError):
            # The client may be gone.
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *_args: Any) -> None:
        return
