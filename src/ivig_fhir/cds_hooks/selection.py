"""Findings of all plans -> which cards there are, in which order, and what stands on each.

One card per topic that a unit opens, at most three: warnings first, then the order of the topics. A line
stands only on a card that another unit opened. What yields stays, below what outranks it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ivig_fhir.cds_hooks.requests import PATIENT
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.engine.inputs import printed_date
from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Plan, Unit

MOST_CARDS = 3
ANY, CAUTION, NOTICE, POOR_RESPONSE = "any", "caution", "notice", "poor-response"


@dataclass(frozen=True)
class TopicCard:
    """One card to be written: its topic, what stands on it, what it suggests, topics without a card."""

    plan: Plan
    findings: tuple[Finding, ...]
    suggests: Finding | None = None
    also: tuple[Finding, ...] = ()
    standing: tuple[Finding, ...] = ()
    _cited: dict[int, tuple[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def cited(self, resource: Resource) -> tuple[str, str]:
        """The reference of a resource that speaks for a unit, and the date that is printed for it, if any."""
        found = self._cited.get(id(resource))
        if found is None:
            found = self._cited[id(resource)] = (reference_to(resource), printed_date(resource))
        return found

    def outranked_by(self, unit: Unit) -> list[Unit]:
        """The units of the response, on whatever card, that yield to a unit."""
        return [finding.unit for finding in self.standing if unit.id in finding.unit.yields_to]

    def outranking(self, unit: Unit) -> list[str]:
        """The ids of the units of the response to which a unit yields."""
        names = {finding.unit.id for finding in self.standing}
        return [name for name in unit.yields_to if name in names]

    @property
    def warns(self) -> bool:
        """Whether one of its units warns."""
        return any(finding.warns for finding in self.findings)


def select(findings: Iterable[Finding], content: Content, reader: str) -> list[TopicCard]:
    """The cards of a response, in order."""
    standing = [finding for finding in findings if _stands(finding, reader)]
    opened = {finding.unit.topic for finding in standing if finding.opens}
    if not opened:
        return []
    cards = [_card(plan, standing) for plan in content.plans if plan.topic in opened]
    cards.sort(key=lambda card: not card.warns)
    kept, rest = cards[:MOST_CARDS], cards[MOST_CARDS:]
    suggestion = _suggestion(standing, content, reader)
    shown = tuple({finding.unit.id: finding for card in cards for finding in card.findings}.values())
    kept = [replace(card, standing=shown, suggests=suggestion if _of(suggestion, card) else None) for card in kept]
    if rest:
        also = tuple(finding for card in rest for finding in card.findings if finding.opens)
        kept[-1] = replace(kept[-1], also=also)
    return kept


def _of(suggestion: Finding | None, card: TopicCard) -> bool:
    return suggestion is not None and suggestion.unit.topic == card.plan.topic


def _stands(finding: Finding, reader: str) -> bool:
    if finding.applicability == SILENT or finding.unit.how == "never":
        return False
    if reader == PATIENT:
        return finding.unit.reader in ("patient", "both") and bool(finding.unit.patient)
    return finding.unit.reader != "patient"


def _card(plan: Plan, standing: list[Finding]) -> TopicCard:
    own = [
        finding
        for finding in standing
        if finding.unit.topic == plan.topic and (finding.opens or not finding.unit.stands_with)
    ]
    names = {finding.unit.id for finding in own}
    lines = [
        finding
        for finding in standing
        if not finding.opens
        and finding.unit.stands_with
        and (ANY in finding.unit.stands_with or finding.unit.stands_with & names)
    ]
    return TopicCard(plan, tuple(sorted([*own, *lines], key=_rank)))


def _rank(finding: Finding) -> tuple[bool, bool, bool, bool]:
    """Cautions, then what warns, then the rest, remarks and notices last; stable otherwise."""
    unit = finding.unit
    return (unit.kind != CAUTION, not finding.warns, ANY in unit.stands_with, unit.kind == NOTICE)


def _suggestion(standing: list[Finding], content: Content, reader: str) -> Finding | None:
    """The one suggestion of a response, if any: never beside a caution or a warning, nor against newer evidence."""
    if reader == PATIENT or any(finding.warns or finding.unit.kind == CAUTION for finding in standing):
        return None
    for finding in standing:
        contradicted = any(content.newer[name].one("relation") == "contradicts" for name in finding.unit.newer)
        outranked = any(other.unit.id in finding.unit.yields_to for other in standing)
        if finding.proposes and not contradicted and not outranked:
            return finding
    return None
