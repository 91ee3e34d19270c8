"""Reads from the EHR's FHIR server what prefetch lacks (CH-33, CH-38), within one deadline.

Each key is read in a thread of its own; a key that fails in any way stays as it was: not had. The token goes into
the header of these reads and nowhere else. Only keys, servers and reasons are logged, never an address or an id.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

from ivig_fhir.cds_hooks.completion import (
    BUNDLE,
    Query,
    lacking,
    next_page,
    unresolved_medications,
    with_fetched,
    with_medications,
    without_token,
)
from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service.fhir_servers import FhirServer, allowed_server, origin_of
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.transport import Budget, Deadline, Network, Unavailable, read_json
from ivig_fhir.service.turns import Turn

log = logging.getLogger("ivig_fhir")

MOST_READS = 64  # threads of one worker, hung name look-ups included; beyond them a key is not had
MOST_AT_ONCE = 8  # reads of one request at the same time
MOST_MEDICATIONS = 20  # Medications looked up for one request
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 b64token


@dataclass(frozen=True)
class _Session:
    """What the reads of one request share; it ends with the request."""

    server: FhirServer
    deadline: Deadline
    budget: Budget
    headers: Mapping[str, str] = field(repr=False)
    turn: Turn


class FhirAccess:
    """Completes requests from the servers of the allow-list; holds nothing of any request."""

    def __init__(self, content: Content, settings: Settings, network: Network) -> None:
        self._content, self._settings, self._network = content, settings, network
        self._slots = threading.BoundedSemaphore(MOST_READS)

    def complete(self, request: HookRequest, deadline: Deadline, turn: Turn) -> HookRequest:
        """The request with what its prefetch lacked, as far as it could be had; without its token.

        The turn is the caller's, who has it; others compute while this waits.
        """
        server = allowed_server(request.fhir_server, self._settings.fhir_servers)
        headers = _headers(server, request.authorization) if server else None
        if server is None or headers is None:
            self._note_unread(request, "is none of the list" if server is None else "is not open, and no token came")
            return without_token(request)
        budget = Budget(self._settings.max_response_bytes, self._settings.max_fetched_bytes)
        session = _Session(server, deadline, budget, headers, turn)
        request = with_fetched(request, self._read_all(lacking(request, self._content), session))
        named = dict(list(unresolved_medications(request).items())[:MOST_MEDICATIONS])
        return without_token(with_medications(request, self._read_all(named, session).values()))

    def _note_unread(self, request: HookRequest, why: str) -> None:
        """Whoever sets the service up sees why nothing was read; the server that was named is not repeated."""
        lacks = lacking(request, self._content) if request.fhir_server else {}
        if lacks:
            log.warning("not read from fhirServer, which %s (IVIG_FHIR_FHIR_SERVERS): %s", why, ", ".join(lacks))

    def _read_all(self, queries: Mapping[str, Query], session: _Session) -> dict[str, Resource]:
        """What could be had, by key, when the deadline is reached or everything is there."""
        if not queries:
            return {}
        threads = ThreadPoolExecutor(min(len(queries), MOST_AT_ONCE))
        running: dict[str, Future[Resource]] = {}
        for key, query in queries.items():
            if self._slots.acquire(blocking=False):
                running[key] = threads.submit(self._read, query, session)
                running[key].add_done_callback(lambda _: self._slots.release())
        with session.turn.given_up():
            wait(running.values(), session.deadline.left())
        threads.shutdown(wait=False, cancel_futures=True)
        found = {key: future.result() for key, future in running.items() if _had(future)}
        for key in queries.keys() - found.keys():
            log.warning("%s: %s not had: %s", session.server.base, _shown(key), _reason(running.get(key)))
        return found

    def _read(self, query: Query, session: _Session) -> Resource:
        """One key, in a thread of its own. Raises Unavailable."""
        server = session.server
        with self._network.client(server.local, session.deadline) as client:
            # the systems of codes are URLs too, in what follows the question mark
            absolute = "://" in query.path.partition("?")[0]
            url = query.path if absolute else f"{server.base}/{query.path}"
            found = _page(client, url, query, session)
            seen = {url}
            while query.follow and len(seen) < self._settings.max_pages:
                url = _same_origin(urljoin(url, next_page(found)), server) if next_page(found) else ""
                if not url or url in seen:
                    break
                seen.add(url)
                further = _page(client, url, query, session)
                found = further | {"entry": [*as_list(found.get("entry")), *as_list(further.get("entry"))]}
            if query.whole and next_page(found):
                raise Unavailable("more pages than are read")
            return found


def _page(client: httpx.Client, url: str, query: Query, session: _Session) -> Resource:
    """A resource of the type that is wanted, a Bundle only with entries that hold resources. Raises Unavailable."""
    if not _same_origin(url, session.server):
        raise Unavailable("a link to another server")
    found: Any = read_json(client, url, session.headers, session.budget)
    if not isinstance(found, dict) or found.get("resourceType") != query.type:
        raise Unavailable("not what was asked for")
    if query.type == BUNDLE:
        resources = [item.get("resource") if isinstance(item, dict) else None for item in as_list(found.get("entry"))]
        if not all(isinstance(item, dict) and isinstance(item.get("resourceType"), str) for item in resources):
            raise Unavailable("a Bundle with an entry that holds no resource")
    return found


def _same_origin(url: str, server: FhirServer) -> str:
    """The address when it is on this server, else nothing: the token goes to no other."""
    try:
        return url if origin_of(url) == server.origin else ""
    except ValueError:
        return ""


def _headers(server: FhirServer, authorization: Mapping[str, Any]) -> dict[str, str] | None:
    """The headers of a read; None when this server wants a token and the request brought none that is one."""
    headers = {"Accept": "application/fhir+json"}
    token = authorization.get("access_token")
    usable = isinstance(token, str) and _TOKEN.fullmatch(token) and str(authorization.get("token_type")) == "Bearer"
    if usable:
        return headers | {"Authorization": f"Bearer {token}"}
    return headers if server.open else None


def _had(future: Future[Resource]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _reason(future: Future[Resource] | None) -> str:
    if future is None:
        return "too many reads at once"
    if not future.done() or future.cancelled():
        return "too slow"
    error = future.exception()
    if error is None:
        return "too slow"
    return str(error) if isinstance(error, Unavailable) else f"unexpected {type(error).__name__}"


def _shown(key: str) -> str:
    """A key as it may be logged: references carry ids."""
    return key.partition("/")[0]
