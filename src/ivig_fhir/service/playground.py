"""POST /try and POST /explain: a record comes in, cards and reasons go out, nothing is kept.

No part of a record stands in an address, a log, a cache or a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

from flask import Blueprint, Response

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.dialects import DIALECTS
from ivig_fhir.cds_hooks.discovery import PREFIX
from ivig_fhir.cds_hooks.explanation import as_json, explain
from ivig_fhir.cds_hooks.inquiries import Asked, Inquiry, read_inquiry
from ivig_fhir.fhir import dumps
from ivig_fhir.pages.examples import examples
from ivig_fhir.pages.playground import Form, Outcome, form_of, inquiry_of, outcome, with_facts, with_hook
from ivig_fhir.pages.rendering import Pages
from ivig_fhir.pages.wording import Wording
from ivig_fhir.problems import Problem, problem
from ivig_fhir.service.bodies import form_body, json_body
from ivig_fhir.service.settings import Settings

FIELDS = ("record", "orders", "hook", "at", "reader", "topic", "example")


def playground_blueprint(
    pages: Pages, responder: Responder, settings: Settings, clock: Callable[[], date]
) -> Blueprint:
    """GET and POST /try, POST /explain."""
    routes = Blueprint("playground", __name__)
    content, wording, dialect = pages.content, Wording(pages.content), DIALECTS[settings.dialect]

    def as_sent(inquiry: Inquiry) -> Inquiry:
        """The inquiry as the service takes a request."""
        if inquiry.request.reader == PATIENT and not settings.patient_wording:
            raise problem("unusable", "reader", "patients are shown no card here", hint="IVIG_FHIR_PATIENT_WORDING=yes")
        return replace(inquiry, request=dialect.inbound(inquiry.request))

    def run(form: Form) -> Outcome:
        inquiry = as_sent(inquiry_of(form, clock(), content))
        origin = Origin("", f"{PREFIX}{inquiry.request.hook}", settings.public_url)
        response = dialect.outbound(responder.answer(inquiry.request, inquiry.at, origin))
        return outcome(explain(inquiry, responder), response, content, wording)

    @routes.get("/try")
    def empty() -> Response:
        return _kept_nowhere(pages.playground(Form(at=clock().isoformat()), settings.public_url))

    @routes.post("/try")
    def tried() -> Response:
        sent = form_body(settings.max_request_bytes)
        form = _form(sent)
        if form is None:
            return empty()
        try:
            form = with_hook(with_facts(form, sent.get("facts", "")), content)
            return _kept_nowhere(pages.playground(form, settings.public_url, run(form)))
        except Problem as stopped:
            issues = tuple(str(issue) for issue in stopped.outcome.issues)
            page = pages.playground(form, settings.public_url, issues=issues)
            return _kept_nowhere(page, stopped.reported_as.status)

    @routes.post("/explain")
    def explained() -> Response:
        inquiry = as_sent(read_inquiry(json_body(), Asked(), clock(), content))
        body = dumps(as_json(explain(inquiry, responder), content))
        return _kept_nowhere(body, mimetype="application/json")

    return routes


def _form(sent: Mapping[str, str]) -> Form | None:
    """The form as sent, or that of the example that was chosen; None where none was."""
    if sent.get("action") == "load":
        found = examples().get(sent.get("example", ""))
        return form_of(found) if found else None
    asked = {"topic": sent["ask"]} if "ask" in sent else {}
    return Form(**{name: sent.get(name, "") for name in FIELDS} | asked)


def _kept_nowhere(body: str, status: int = 200, mimetype: str = "text/html") -> Response:
    response = Response(body, status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response
