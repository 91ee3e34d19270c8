"""HTTP to the outside: pinned DNS, one deadline, bytes counted; no redirects, no proxies, no compression.

httpx does the talking over a network backend of ours that resolves, checks and connects (addresses.py) and that
lets no single read outlive the deadline. Only connecting is tried again; an answer never is. What went wrong is
said in a word that holds nothing of the request, since these words are logged.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpcore
import httpx

from ivig_fhir.fhir import loads
from ivig_fhir.service.addresses import Resolver, may_be_reached

CONNECT_RETRIES = 2

# both write addresses, and httpcore headers too: patient ids and tokens, whatever the level of the root logger
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Unavailable(Exception):
    """What was asked for could not be had; its text is a reason that may be logged."""


class AddressRefused(Exception):
    """A name leads to an address that may not be reached."""


class Deadline:
    """The moment at which all waiting ends: seconds from a start on the monotonic clock, now if none is given."""

    def __init__(self, seconds: float, started: float | None = None) -> None:
        self._ends = (time.monotonic() if started is None else started) + seconds

    def left(self) -> float:
        """Seconds that are left; never negative."""
        return max(0.0, self._ends - time.monotonic())

    def within(self, timeout: float | None) -> float:
        """The shorter of a timeout and what is left, for one blocking call."""
        left = self.left()
        return left if timeout is None else min(timeout, left)


class Budget:
    """Bytes that may be read: of each response, and of all that share this budget."""

    def __init__(self, each: int, total: int) -> None:
        self.each = each
        self._left = total
        self._lock = threading.Lock()

    def spend(self, count: int) -> None:
        """Take bytes from the sum. Raises Unavailable when it is used up."""
        with self._lock:
            self._left -= count
            if self._left < 0:
                raise Unavailable("too many bytes in sum")


class _Stream(httpcore.NetworkStream):
    """A connection on which no read or write outlives the deadline, however slowly bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wait = self._deadline.within(timeout)
        if not wait:
            raise httpcore.ReadTimeout("deadline")
        return self._stream.read(max_bytes, wait)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        wait = self._deadline.within(timeout)
        if not wait:
            raise httpcore.WriteTimeout("deadline")
        self._stream.write(buffer, wait)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wait = self._deadline.within(timeout)
        if not wait:
            raise httpcore.ConnectTimeout("deadline")
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, never to a name."""

    def __init__(self, resolve: Resolver, local: bool, deadline: Deadline) -> None:
        self._resolve, self._local, self._deadline = resolve, local, deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._checked(host, port)
        failure: Exception = httpcore.ConnectTimeout("deadline")
        for number, address in enumerate(addresses):
            wait = self._deadline.within(timeout) / (len(addresses) - number)
            if not wait:
                break
            try:
                stream = self._sockets.connect_tcp(address, port, wait, local_address, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def sleep(self, seconds: float) -> None:
        """The pause before connecting again, never beyond the deadline."""
        time.sleep(self._deadline.within(seconds))

    def _checked(self, host: str, port: int) -> list[str]:
        """All addresses of a name. Raises AddressRefused when one of them may not be reached."""
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        if not addresses or not all(may_be_reached(address, self._local) for address in addresses):
            raise AddressRefused
        return addresses


class _PinnedTransport(httpx.HTTPTransport):
    def __init__(self, tls: ssl.SSLContext, backend: PinnedBackend) -> None:
        super().__init__(verify=tls, trust_env=False)
        # httpx has no public way to give a network backend: the reason for its upper bound in pyproject.toml
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=backend, retries=CONNECT_RETRIES)


@cache
def trusted_tls(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates of the public authorities, and those of a PEM file besides, read once; OSError, ssl.SSLError."""
    tls = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        tls.load_verify_locations(ca_file)
    return tls


@dataclass(frozen=True)
class Network:
    """The way outside: whom TLS trusts, and who looks names up."""

    tls: ssl.SSLContext
    resolve: Resolver

    def client(self, local: bool, deadline: Deadline) -> httpx.Client:
        """A client for one piece of work within one deadline; to be closed by whoever asked for it."""
        transport = _PinnedTransport(self.tls, PinnedBackend(self.resolve, local, deadline))
        return httpx.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=deadline.left())


def read_json(client: httpx.Client, url: str, headers: Mapping[str, str], budget: Budget) -> Any:
    """The JSON at an address: status 200, within the budget, strict. Raises Unavailable with the reason."""
    sent = {"Accept-Encoding": "identity", "User-Agent": "ivig-fhir"} | dict(headers)
    with _reasons(), client.stream("GET", url, headers=sent) as response:
        if response.status_code != httpx.codes.OK:
            raise Unavailable(f"status {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unavailable("compressed unasked")
        body = bytearray()
        for chunk in response.iter_raw():
            budget.spend(len(chunk))
            if len(body) + len(chunk) > budget.each:
                raise Unavailable("too many bytes")
            body += chunk
    try:
        return loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise Unavailable("no JSON") from error


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unavailable("too slow") from error
    except AddressRefused as error:
        raise Unavailable("an address that may not be reached") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise Unavailable(type(error).__name__) from error
