"""gunicorn's threaded worker with an end to waiting: `--worker-class ivig_fhir.service.worker.Worker`.

As it is, gunicorn queues what its threads cannot take, however much that is, gives a connection on which nothing has
come a thread for five seconds, waits for the rest of a request for ever, and stops accepting for two seconds when a
client does not close its side. Here a thread begins when the first byte is there, that moment is told to the
application, what is too much is refused at once (503), a request of which a part is still missing after some seconds is
cut off, and so is a client that does not take its answer, and threads of their own wait for clients to close. Parts of
gunicorn are overridden that it does not document: the reason for its upper bound in pyproject.toml.
"""

from __future__ import annotations

import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers import gthread

from ivig_fhir.fhir import dumps
from ivig_fhir.problems import operation_outcome, problem
from ivig_fhir.service.operations import ANSWER_SECONDS, ARRIVED, MAX_IN_FLIGHT, RECEIVE_SECONDS, REFUSE

REFUSING_THREADS = CLOSING_THREADS = 2
LINGER_SECONDS, LINGER_BYTES = 0.5, 10_000_000  # what a client may still send while it reads its answer

log = logging.getLogger("ivig_fhir")
_STATUS = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
}

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """See the module. The limit is of requests that run or wait for a thread; others do not count."""

    def init_process(self) -> None:
        """See gunicorn: runs in the worker, for as long as it lives."""
        self._own = threading.local()
        self._held: set[Any] = set()
        self._refusing, self._closing = ThreadPoolExecutor(REFUSING_THREADS), ThreadPoolExecutor(CLOSING_THREADS)
        super().init_process()

    def load_wsgi(self) -> None:
        """See gunicorn. The application gets what this worker knows of a request."""
        super().load_wsgi()
        application = self.wsgi
        config: dict[str, Any] = getattr(application, "config", {})  # a Flask application has one
        self._limit: int = config.get(MAX_IN_FLIGHT, self.cfg.worker_connections)
        self._receive: float = config.get(RECEIVE_SECONDS, self.cfg.timeout)
        self._answer: float = config.get(ANSWER_SECONDS, self.cfg.timeout)

        def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            conn = self._own.conn
            environ |= {ARRIVED: conn.arrived, REFUSE: conn.refuse}
            return application(environ, start_response)

        self.wsgi: Wsgi = told

    def enqueue_req(self, conn: Any) -> None:
        """A connection that is new, or has something to read: to the threads, or to those that refuse.

        One on which nothing came yet is watched until something does, and then comes here again.
        """
        if not conn.initialized and not conn.wait_for_data(0):
            nothing: Future[Any] = Future()
            nothing.set_result(gthread._DEFER)
            super().finish_request(conn, nothing)
            return
        conn.arrived, conn.begun = time.monotonic(), math.inf
        conn.refuse = sum(not other.refuse for other in self._held) >= self._limit
        self._held.add(conn)
        job = (self._refusing if conn.refuse else self.tpool).submit(self.handle, conn)
        job.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """See gunicorn: in the main thread, when a request is answered or put off."""
        self._held.discard(conn)
        conn.close = partial(self._close, conn.sock)
        super().finish_request(conn, fs)

    def _close(self, sock: socket.socket, graceful: bool = False) -> None:
        if graceful:
            self._closing.submit(util.close_graceful, sock, LINGER_SECONDS, LINGER_BYTES)
        else:
            util.close(sock)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """See gunicorn. What is refused is not read to its end either."""
        if conn.refuse:
            req.force_close()
        return super().handle_request(req, conn)

    def handle(self, conn: Any) -> Any:
        """See gunicorn: in a thread."""
        self._own.conn, conn.begun = conn, time.monotonic()
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """See gunicorn. It would log what was sent and send it back, as a page."""
        bug = not isinstance(exc, (errors.ParseException, ssl.SSLError))
        status, reason = (500, "Internal Server Error") if bug else _STATUS.get(type(exc), (400, "Bad Request"))
        log.log(logging.ERROR if bug else logging.WARNING, "no request: %s", type(exc).__name__)
        said = problem("bug" if bug else "malformed", "request", "is no HTTP/1.1 that this server reads")
        body = dumps(operation_outcome(said)).encode()
        head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/fhir+json\r\n"
        with suppress(OSError):
            util.write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def murder_pending(self) -> None:
        """See gunicorn: every second. What should have arrived by now does not any more.

        Nor does a thread wait for ever for a client that does not read its answer.
        """
        super().murder_pending()
        latest = time.monotonic() - self._receive
        for conn in [item for item in self._held if item.arrived < latest]:
            with suppress(OSError):  # closed meanwhile
                # not SSLSocket.shutdown: that would go on in plain text. The answer, if one is due, can still be sent
                over = conn.begun < latest - self._answer
                socket.socket.shutdown(conn.sock, socket.SHUT_RDWR if over else socket.SHUT_RD)
