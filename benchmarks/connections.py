"""A load of requests over keep-alive connections: so many, no more, and how long each took.

One thread a connection on a plain socket, so that the client costs little beside the servers it shares the
machine with. Its own CPU time is counted nowhere.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field

TIMEOUT = 15  # seconds for one answer
_END_OF_HEAD = b"\r\n\r\n"


class Refused(Exception):
    """The server answered with something else than 200, or did not answer."""


@dataclass(frozen=True)
class Load:
    """What a load of requests took: the whole in seconds, each request in milliseconds."""

    seconds: float
    milliseconds: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that this share of the requests did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def post(path: str, body: bytes, token: str = "") -> bytes:
    """The bytes of a POST of JSON, with a bearer token if there is one."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """One keep-alive connection to a port of this machine; opened anew when the server closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = self._opened()

    def _opened(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, request: bytes) -> bytes:
        """The body of the answer. Raises Refused when it is not a 200."""
        self.socket.sendall(request)
        received = b""
        while _END_OF_HEAD not in received:
            received += self._more()
        head, _, body = received.partition(_END_OF_HEAD)
        lines = head.decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        pieces, missing = [body], int(fields.get("content-length", "0")) - len(body)
        while missing > 0:
            pieces.append(self._more())
            missing -= len(pieces[-1])
        whole = b"".join(pieces)
        if lines[0].split()[1] != "200":
            raise Refused(f"{lines[0]}: {whole[:500].decode(errors='replace')}")
        if fields.get("connection") == "close":
            self.close()
            self.socket = self._opened()
        return whole

    def _more(self) -> bytes:
        received = self.socket.recv(1 << 18)
        if not received:
            raise Refused("the connection was closed before the answer was whole")
        return received

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


@dataclass
class _Share:
    """The part of a load that one connection carries."""

    port: int
    requests: list[bytes]
    start: threading.Barrier
    milliseconds: list[float] = field(default_factory=list)
    failure: Exception | None = None

    def run(self) -> None:
        try:
            connection = Connection(self.port)
            self.start.wait(TIMEOUT)
            for request in self.requests:
                begun = time.perf_counter()
                connection.ask(request)
                self.milliseconds.append((time.perf_counter() - begun) * 1000)
            connection.close()
        except Exception as failure:  # noqa: BLE001 - reported by the thread that waits
            self.failure = failure
            self.start.abort()


def send(port: int, requests: list[bytes], connections: int) -> Load:
    """Send these requests over so many connections. Raises what a connection met with."""
    start = threading.Barrier(connections + 1)
    shares = [_Share(port, requests[number::connections], start) for number in range(connections)]
    threads = [threading.Thread(target=share.run, daemon=True) for share in shares]
    for thread in threads:
        thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        start.wait(TIMEOUT)
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    for share in shares:
        if share.failure is not None and not isinstance(share.failure, threading.BrokenBarrierError):
            raise share.failure
    return Load(seconds, tuple(item for share in shares for item in share.milliseconds))
