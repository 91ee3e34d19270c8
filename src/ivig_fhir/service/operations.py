"""What operators need: health, readiness, metrics, a limit on requests in flight, one JSON log line per request.

A line holds the rule of the address, never the address itself: names, status, times and a request id alone.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Flask, Response, g, has_request_context, request

from ivig_fhir.cds_hooks.discovery import hook_of
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem, problem
from ivig_fhir.service.metrics import Metrics
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.store import StoreFailed

log = logging.getLogger("ivig_fhir")
access_log = logging.getLogger("ivig_fhir.access")

REQUEST_ID = "X-Request-Id"
# a uuid or the trace id of OpenTelemetry: shorter texts could be the number of a patient, and are replaced
_USABLE_ID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}")
_METHODS = ("GET", "HEAD", "POST", "OPTIONS")  # another one is a word of the caller
PROBES = ("/healthz", "/readyz", "/metrics")
# in app.config, for the worker
MAX_IN_FLIGHT, RECEIVE_SECONDS, ANSWER_SECONDS = "MAX_IN_FLIGHT", "RECEIVE_SECONDS", "ANSWER_SECONDS"
# in the WSGI environment, from the worker: when the first byte came (monotonic seconds); too much is there already
ARRIVED, REFUSE = "ivig_fhir.arrived", "ivig_fhir.refuse"


def operations_blueprint(content: Content, metrics: Metrics, probes: Mapping[str, Callable[[], None]]) -> Blueprint:
    """/healthz, /readyz, /metrics; meant for the inside of a network.

    `probes`: by name, what must work for requests to be answered; each raises StoreFailed or Problem when it does not.
    """
    routes = Blueprint("operations", __name__)
    ready = {
        "status": "ready",
        "module": content.version,
        "contentHash": content.definitions.content_hash,
        "topics": len(content.topics),
        "codeMap": len(content.code_map),
        "writable": sorted(probes),
    }

    @routes.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz")
    def readiness() -> dict[str, Any]:
        for name, probe in probes.items():
            try:
                probe()
            except (StoreFailed, Problem) as failure:
                log.error("not ready: %s: %s", name, failure)
                raise problem("busy", name, "cannot be written") from failure
        return ready

    @routes.get("/metrics")
    def counters() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return routes


def observe(app: Flask, content: Content, metrics: Metrics, settings: Settings) -> None:
    """Request ids, the limit, counting and the log line; stands before every other function that runs first."""
    slots = threading.BoundedSemaphore(settings.max_in_flight)
    app.config[MAX_IN_FLIGHT] = settings.max_in_flight
    app.config[RECEIVE_SECONDS] = settings.receive_seconds
    app.config[ANSWER_SECONDS] = settings.deadline_seconds + settings.receive_seconds

    @app.before_request
    def enter() -> None:
        sent = request.headers.get(REQUEST_ID, "")
        g.request_id = sent if _USABLE_ID.fullmatch(sent) else str(uuid.uuid4())
        now = time.monotonic()
        g.started = request.environ.get(ARRIVED, now)
        g.holds_slot = False
        if request.path in PROBES:
            return
        late = request.environ.get(REFUSE, False) or now - g.started > settings.deadline_seconds
        g.holds_slot = not late and slots.acquire(blocking=False)
        if not g.holds_slot:
            metrics.busy()
            raise problem("busy", "request", "too many requests at the moment")

    @app.after_request
    def note(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        seconds = time.monotonic() - g.started
        service = (request.view_args or {}).get("service_id", "")
        service = service if hook_of(service, content) else ""
        metrics.request(service, response.status_code, seconds)
        access_log.info("request", extra={"facts": _facts(service, response.status_code, seconds)})
        return response

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if g.pop("holds_slot", False):
            slots.release()


def _facts(service: str, status: int, seconds: float) -> dict[str, Any]:
    rule = request.url_rule.rule if request.url_rule else ""
    method = request.method if request.method in _METHODS else ""
    facts = {"method": method, "route": rule, "service": service, "status": status}
    return facts | {"milliseconds": round(seconds * 1000, 1), "issuer": g.get("issuer", "")}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, request id; of an exception its type alone."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request"] = g.request_id
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line | getattr(record, "facts", {}), ensure_ascii=False)


def log_as_json() -> None:
    """Our log as JSON lines on standard error, once; for the process that serves, not for one that embeds."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
