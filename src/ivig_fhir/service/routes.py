"""The endpoints of CDS Hooks (CH-10, CH-50): discovery and one service per hook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import Blueprint, g

from ivig_fhir.cds_hooks.answer import Responder, Response
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.dialects import Dialect
from ivig_fhir.cds_hooks.discovery import discovery, hook_of
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.problems import problem
from ivig_fhir.service.bodies import json_body
from ivig_fhir.service.fhir_client import FhirAccess
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.transport import Deadline
from ivig_fhir.service.turns import Turn

ANSWER_SECONDS = 0.2  # of the deadline, kept for evaluating and sending


@dataclass(frozen=True)
class Service:
    """What the endpoints are made of."""

    responder: Responder
    access: FhirAccess
    dialect: Dialect
    settings: Settings
    clock: Callable[[], date]
    shown: Callable[[Response, str, str], None] = lambda *_: None  # response, service, hookInstance
    turn: Turn = field(default_factory=Turn)

    def answer(self, body: bytes, hook: str, origin: Origin, started: float) -> dict[str, Any]:
        """The cards for a request body that began to arrive at `started` (monotonic). Raises Problem."""
        deadline = Deadline(self.settings.deadline_seconds - ANSWER_SECONDS, started)
        with self.turn.within(deadline.left()):
            asked = read_request(body, hook)
            if asked.reader == PATIENT and not self.settings.patient_wording:
                return {"cards": []}
            asked = self.dialect.inbound(self.access.complete(asked, deadline, self.turn))
            response = self.responder.respond(asked, self.clock(), origin)
        self.shown(response, origin.service, asked.instance)
        return self.dialect.outbound({"cards": response.cards})


def hooks_blueprint(service: Service) -> Blueprint:
    """GET /cds-services and POST /cds-services/{id}."""
    routes = Blueprint("cds_hooks", __name__)
    content, settings = service.responder.content, service.settings
    services = discovery(content, settings.discovery_version)

    @routes.get("/cds-services")
    def discover() -> dict[str, Any]:
        return services

    @routes.post("/cds-services/<service_id>")
    def invoke(service_id: str) -> dict[str, Any]:
        hook = hook_of(service_id, content)
        if hook is None:
            known = ", ".join(item["id"] for item in services["services"])
            raise problem("not-found", "request", "there is no such service", known)
        origin = Origin(issuer=g.issuer, service=service_id, public_url=settings.public_url)
        return service.answer(json_body(), hook, origin, g.started)

    return routes
