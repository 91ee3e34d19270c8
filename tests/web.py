"""A real HTTP server on loopback that behaves, or misbehaves, as a test says; it notes what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import patients

HOLD_SECONDS = 5.0  # longer than any deadline of a test: a caller that waits for it gets the answer after all

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request; `site` is the Web it came to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Web

    def do_GET(self) -> None:
        self.site.asked.append((self.path, self.headers.get("Authorization", "")))
        behaviour = self.site.behaviours.get(self.path.partition("?")[0])
        if behaviour is None:
            self.answer({"resourceType": "OperationOutcome"}, 404)
        else:
            behaviour(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def answer(self, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/fhir+json", "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


class Web:
    """A server with a behaviour for each path; use as a context manager."""

    def __init__(self, behaviours: dict[str, Behaviour] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.behaviours: dict[str, Behaviour] = behaviours or {}
        self.asked: list[tuple[str, str]] = []
        self.hold = threading.Event()
        self.cut_off = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": self}))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Web:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [path.partition("?")[0] for path, _ in self.asked]


def says(body: Any, status: int = 200, **headers: str) -> Behaviour:
    """Answers at once."""
    return lambda handler: handler.answer(body, status, **headers)


def after_holding(body: Any) -> Behaviour:
    """Answers when the test lets it go, or much later than any deadline."""

    def behave(handler: Handler) -> None:
        handler.site.hold.wait(HOLD_SECONDS)
        handler.answer(body)

    return behave


def dripping(handler: Handler) -> None:
    """Sends its headers, then spaces, one at a time, as long as somebody listens."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    try:
        while not handler.site.hold.wait(0.02):
            handler.wfile.write(b" ")
    except OSError:
        handler.site.cut_off.set()


def dripping_headers(handler: Handler) -> None:
    """Never comes to the end of its headers."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.site.hold.wait(0.02):
            handler.wfile.write(b"X-More: 1\r\n")
    except OSError:
        handler.site.cut_off.set()


def flood(megabytes: int) -> Behaviour:
    """Sends spaces without saying how many."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        try:
            for _ in range(megabytes):
                handler.wfile.write(b" " * 1_000_000)
        except OSError:
            handler.site.cut_off.set()

    return behave


def ehr(facts: dict[str, Any]) -> dict[str, Behaviour]:
    """The behaviours of a FHIR server below /fhir that holds a patient of patients.py."""
    prefetch = patients.prefetch(facts)
    found = {f"/fhir/{kind}": says(prefetch[key]) for key, kind in patients.KEYS.items()}
    return found | {"/fhir/Patient/p1": says(prefetch["patient"])}
