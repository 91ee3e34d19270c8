"""POST /cds-services/{id}/feedback (CH-80), and the notes on cards that go out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint

from ivig_fhir.cds_hooks.answer import Response
from ivig_fhir.cds_hooks.discovery import hook_of
from ivig_fhir.cds_hooks.feedback import hour_of, occasion, read_feedback, shown_card
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import problem
from ivig_fhir.service.bodies import json_body
from ivig_fhir.service.metrics import Metrics
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.store import SqliteStore, Store, StoreFailed

log = logging.getLogger("ivig_fhir")


def now() -> datetime:
    """This moment (UTC)."""
    return datetime.now(UTC)


def open_store(settings: Settings) -> Store | None:
    """The store of the setting, or none. Raises Problem('malformed') when it cannot be used."""
    if settings.store is None:
        log.info("feedback is off: nothing of cards shown is kept, feedback gets 404 (IVIG_FHIR_STORE=<file>)")
        return None
    return SqliteStore(settings.store)


@dataclass(frozen=True)
class Shown:
    """Notes cards that go out, and units kept off them: in the metrics, and in the store if there is one."""

    store: Store | None
    metrics: Metrics
    clock: Callable[[], datetime] = now

    def __call__(self, response: Response, service: str, instance: str) -> None:
        """A store that fails is counted and keeps no card back; `instance` is the hookInstance."""
        cards = [shown_card(card) for card in response.cards]
        for card in cards:
            self.metrics.card(card.topic, card.indicator, card.units)
        silenced: list[str] = []
        if response.evaluation is not None:
            evaluation = response.evaluation
            silenced = [finding.unit.id for finding in evaluation.silenced]
            self.metrics.evaluation(service, (finding.unit.id for finding in evaluation.firing), silenced)
        if self.store is None or not (cards or silenced):
            return
        try:
            self.store.record_shown(occasion(service, instance, self.clock()), cards, silenced)
        except StoreFailed as failure:
            self.metrics.store_failure("shown")
            log.error("cards shown not stored: %s", failure)


def feedback_blueprint(
    shown: Shown, content: Content, settings: Settings, clock: Callable[[], datetime] = now
) -> Blueprint:
    """The feedback endpoint of every service."""
    routes = Blueprint("feedback", __name__)

    @routes.post("/cds-services/<service_id>/feedback")
    def take(service_id: str) -> dict[str, Any]:
        if shown.store is None or hook_of(service_id, content) is None:
            raise problem("not-found", "request", "there is no feedback of this service")
        found = read_feedback(json_body(), content.overrides)
        if not settings.store_comments:
            found = tuple(replace(item, comment="") for item in found)
        try:
            shown.store.record_feedback(found, service_id, hour_of(clock()))
        except StoreFailed as failure:
            shown.metrics.store_failure("feedback")
            log.error("feedback not stored: %s", failure)
            raise problem("busy", "request", "the feedback could not be stored; send it again") from failure
        for item in found:
            shown.metrics.feedback(item.outcome)
        return {}

    return routes
