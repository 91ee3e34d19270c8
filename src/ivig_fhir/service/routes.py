"""The endpoints of CDS Hooks (CH-10, CH-50): discovery and one service per hook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, request

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.discovery import discovery, hook_of
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.problems import problem
from ivig_fhir.service.settings import Settings


def hooks_blueprint(responder: Responder, settings: Settings, clock: Callable[[], date]) -> Blueprint:
    """GET /cds-services and POST /cds-services/{id}."""
    routes = Blueprint("cds_hooks", __name__)
    services = discovery(responder.content)

    @routes.get("/cds-services")
    def discover() -> dict[str, Any]:
        return services

    @routes.post("/cds-services/<service_id>")
    def invoke(service_id: str) -> dict[str, Any]:
        hook = hook_of(service_id, responder.content)
        if hook is None:
            known = ", ".join(item["id"] for item in services["services"])
            raise problem("not-found", "request", f"there is no service {service_id!r}", known)
        if request.mimetype not in ("application/json", "application/fhir+json"):
            raise problem("media-type", "request", f"the content type is {request.mimetype!r}", "application/json")
        asked = read_request(request.get_data(), hook)
        origin = Origin(issuer="", service=service_id, public_url=settings.public_url)
        return responder.answer(asked, clock(), origin)

    return routes
