"""The Flask application: content loaded once, one error handler, no clinical word."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, date, datetime

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.problems import CATEGORIES, Problem, operation_outcome, problem
from ivig_fhir.service.routes import hooks_blueprint
from ivig_fhir.service.settings import Settings, read_settings

log = logging.getLogger("ivig_fhir")


def today() -> date:
    """The day of evaluation (UTC)."""
    return datetime.now(UTC).date()


def create_app(
    settings: Settings | None = None, clock: Callable[[], date] = today, content: Content | None = None
) -> Flask:
    """The service over definitions/r4. Raises Problem when the settings or the definitions are not right."""
    settings = settings or read_settings(os.environ)
    content = content or load_content(settings.definitions / "r4")
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.register_blueprint(hooks_blueprint(Responder(content), settings, clock))
    app.register_error_handler(Exception, _answer_failure)
    return app


def _answer_failure(failure: Exception) -> Response:
    """Every failure as an OperationOutcome; what is not ours to explain says nothing of its cause."""
    if isinstance(failure, HTTPException):
        failure = _of_http(failure)
    if not isinstance(failure, Problem):
        log.error("unexpected %s", type(failure).__name__)
        failure = problem("bug", "", "the request could not be answered because of a fault in the service")
    return Response(dumps(operation_outcome(failure)), failure.reported_as.status, mimetype="application/fhir+json")


def _of_http(error: HTTPException) -> Problem:
    by_status = {
        category.status: name for name, category in CATEGORIES.items() if name not in ("definitions", "guidance")
    }
    name = by_status.get(error.code or 500, "malformed" if (error.code or 500) < 500 else "bug")
    return problem(name, "request", error.name, hint=str(error.description or ""))
