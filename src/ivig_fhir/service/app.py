"""The Flask application: content loaded once, one error handler, no clinical word."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from ssl import SSLContext

from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.dialects import DIALECTS
from ivig_fhir.cds_hooks.site_policy import read_policy
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.code_map import read_code_map, with_code_map
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.problems import CATEGORIES, Problem, operation_outcome, problem
from ivig_fhir.service.addresses import Resolver, system_addresses
from ivig_fhir.service.cors import allow_origins
from ivig_fhir.service.feedback import Shown, feedback_blueprint, open_store
from ivig_fhir.service.fhir_client import FhirAccess
from ivig_fhir.service.metrics import Metrics
from ivig_fhir.service.openapi import openapi_blueprint
from ivig_fhir.service.operations import observe, operations_blueprint
from ivig_fhir.service.pages import pages_blueprint
from ivig_fhir.service.routes import Service, hooks_blueprint
from ivig_fhir.service.security import Gate
from ivig_fhir.service.settings import Settings, read_settings
from ivig_fhir.service.tls import require_tls
from ivig_fhir.service.transport import Network, trusted_tls

log = logging.getLogger("ivig_fhir")

SERVICES = "/cds-services"
# where a record may be sent to; the guideline pages hold none and stay open
GUARDED = (SERVICES, "/try", "/explain")
# headers that a status is of no use without (RFC 9110)
_HEADERS = {"unauthorized": ("WWW-Authenticate", "Bearer"), "busy": ("Retry-After", "1")}


def today() -> date:
    """The day of evaluation (UTC)."""
    return datetime.now(UTC).date()


def create_app(
    settings: Settings | None = None,
    clock: Callable[[], date] = today,
    content: Content | None = None,
    resolve: Resolver = system_addresses,
) -> Flask:
    """The service over definitions/r4, or over content that is loaded already.

    Raises Problem when the settings or the definitions are not right.
    """
    settings = settings or read_settings(os.environ)
    network = Network(_tls(settings), resolve)
    gate = Gate(settings, network) if settings.require_auth else None
    content = _of_the_site(content or load_content(settings.definitions / "r4"), settings)
    dialect = DIALECTS[settings.dialect]
    dialect.check(content)
    policy = read_policy(settings.silent, settings.max_cards, content, "IVIG_FHIR_SILENT")
    if policy.silent:
        log.warning("silent: %s (IVIG_FHIR_SILENT)", ", ".join(sorted(policy.silent)))
    responder = Responder(content, policy)
    shown = Shown(open_store(settings), Metrics())
    service = Service(responder, FhirAccess(content, settings, network), dialect, settings, clock, shown)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    observe(app, content, shown.metrics, settings)
    require_tls(app, settings)
    app.before_request(_start)
    app.after_request(_kept_nowhere)
    allow_origins(app, settings.cors_origins)
    _guard(app, gate, settings)
    app.register_blueprint(hooks_blueprint(service))
    app.register_blueprint(feedback_blueprint(shown, content, settings))
    app.register_blueprint(operations_blueprint(content, shown.metrics, _probes(shown, gate)))
    app.register_blueprint(openapi_blueprint(content, settings))
    app.register_blueprint(pages_blueprint(content, responder, settings, clock))
    app.register_error_handler(Exception, _answer_failure)
    return app


def _probes(shown: Shown, gate: Gate | None) -> dict[str, Callable[[], None]]:
    """What /readyz tries: the files that are written, if any."""
    store = {"IVIG_FHIR_STORE": shown.store.probe} if shown.store else {}
    return store | ({"IVIG_FHIR_REPLAY_STORE": gate.probe} if gate else {})


def _of_the_site(content: Content, settings: Settings) -> Content:
    if settings.code_map is None:
        return content
    where = str(settings.code_map)
    return with_code_map(content, read_code_map(_text(settings.code_map), where, content), where)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise problem("malformed", str(path), f"cannot be read: {error}", "a UTF-8 file") from error


def _tls(settings: Settings) -> SSLContext:
    try:
        return trusted_tls(settings.ca_file)
    except OSError as error:  # ssl.SSLError among them
        raise problem("malformed", "IVIG_FHIR_CA_FILE", f"cannot be read: {error}", "certificates in PEM") from error


def _start() -> None:
    g.issuer = ""


def _kept_nowhere(response: Response) -> Response:
    """Cards tell of a patient: what says nothing else of caches is kept in none, and is taken for no other type."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _guard(app: Flask, gate: Gate | None, settings: Settings) -> None:
    """What a record may be sent to needs a token: discovery, invocation and feedback alike (CH-92), /try, /explain."""
    if gate is None:
        log.warning("authentication is off: whoever reaches this service may call it (IVIG_FHIR_REQUIRE_AUTH=yes)")
        if settings.trusted_issuers:
            log.warning("the issuers of IVIG_FHIR_TRUSTED_ISSUERS are not asked for: authentication is off")
        return

    @app.before_request
    def admit() -> None:
        if request.method != "OPTIONS" and (request.path + "/").startswith(tuple(f"{path}/" for path in GUARDED)):
            g.issuer = gate.admit(request.headers.get("Authorization", ""), request.path)


def _answer_failure(failure: Exception) -> Response:
    """Every failure as an OperationOutcome; what is not ours to explain says nothing of its cause."""
    if isinstance(failure, HTTPException):
        failure = _of_http(failure)
    if isinstance(failure, RecursionError):  # later versions of Python read JSON deeper than anybody can follow it
        failure = problem("malformed", "body", "objects stand in one another too deep", "a CDS Hooks request")
    if not isinstance(failure, Problem):
        log.error("unexpected %s", type(failure).__name__)
        failure = problem("bug", "", "the request could not be answered because of a fault in the service")
    body = dumps(operation_outcome(failure))
    response = Response(body, failure.reported_as.status, mimetype="application/fhir+json")
    if failure.category in _HEADERS:
        name, value = _HEADERS[failure.category]
        response.headers[name] = value
    return response


def _of_http(error: HTTPException) -> Problem:
    if isinstance(error, ClientDisconnected):
        return problem("too-slow", "request", "the body did not come, or not in time")
    by_status = {
        category.status: name for name, category in CATEGORIES.items() if name not in ("definitions", "guidance")
    }
    name = by_status.get(error.code or 500, "malformed" if (error.code or 500) < 500 else "bug")
    return problem(name, "request", error.name, hint=str(error.description or ""))
