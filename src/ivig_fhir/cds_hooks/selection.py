"""Findings of all plans -> which cards there are, in which order, and what stands on each.

One card per topic that a unit opens, at most three unless the site says otherwise: warnings first, then the order
of the topics. A line stands only on a card that another unit opened. What yields stays, below what outranks it. What
the site has silenced is taken off the finished cards, and still counts for everything that it would have held back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.engine.inputs import printed_date
from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Plan, Unit

ANY, CAUTION, NOTICE, POOR_RESPONSE, NO_DIRECTION = "any", "caution", "notice", "poor-response", "none"


_RESTRAINING = ("against", POOR_RESPONSE)  # directions


@dataclass(frozen=True)
class Policy:
    """What a site has set: ids of units that are evaluated and counted, not shown; how many cards there are at most."""

    silent: frozenset[str] = frozenset()
    most_cards: int = 3


NO_POLICY = Policy()


@dataclass(frozen=True)
class TopicCard:
    """One card to be written: its topic, what stands on it, what it suggests, topics without room for a card.

    `silenced` would stand on it but for the site's policy; `silenced_topics` would have had a card of their own.
    """

    plan: Plan
    findings: tuple[Finding, ...]
    suggests: Finding | None = None
    also: tuple[Finding, ...] = ()
    standing: tuple[Finding, ...] = ()
    silenced: tuple[Finding, ...] = ()
    silenced_topics: tuple[str, ...] = ()
    kept_back: frozenset[str] = frozenset()
    _cited: dict[int, tuple[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def cited(self, resource: Resource) -> tuple[str, str]:
        """The reference of a resource that speaks for a unit, and the date that is printed for it, if any."""
        found = self._cited.get(id(resource))
        if found is None:
            found = self._cited[id(resource)] = (reference_to(resource), printed_date(resource))
        return found

    @cached_property
    def outranked(self) -> dict[str, list[Unit]]:
        """By id of a unit those that are shown, on whatever card, and yield to it."""
        found: dict[str, list[Unit]] = {}
        for unit in (finding.unit for finding in self.standing if finding.unit.id not in self.kept_back):
            for name in unit.yields_to:
                found.setdefault(name, []).append(unit)
        return found

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(finding.unit.id for finding in self.standing)

    def outranking(self, unit: Unit) -> list[str]:
        """The ids of the units of the response to which a unit yields."""
        return [name for name in unit.yields_to if name in self._names]

    @property
    def units(self) -> tuple[Unit, ...]:
        """What stands on it."""
        return tuple(finding.unit for finding in self.findings)

    @property
    def opened(self) -> bool:
        """Whether a unit stands on it for which there is a card at all."""
        return any(finding.opens for finding in self.findings)

    @property
    def leading(self) -> Finding:
        """The unit that names the card: of those that open it one that warns, else one that applies and says for or
        against, else the first."""
        opening = [item for item in self.findings if item.opens]
        return max(opening, key=lambda item: (item.warns, item.applies and item.unit.direction != NO_DIRECTION))

    @property
    def warns(self) -> bool:
        """Whether one of its units warns."""
        return any(finding.warns for finding in self.findings)


@dataclass(frozen=True)
class Selection:
    """The cards in order; `firing`: the units that would stand on one without the policy; `silenced`: those it took."""

    cards: tuple[TopicCard, ...] = ()
    firing: tuple[Finding, ...] = ()
    silenced: tuple[Finding, ...] = ()


def select(findings: Iterable[Finding], content: Content, reader: str, policy: Policy = NO_POLICY) -> Selection:
    """The cards of a response, in order, and what the site's policy kept off them."""
    standing = [finding for finding in findings if _stands(finding, reader)]
    opened = {finding.unit.topic for finding in standing if finding.opens}
    if not opened:
        return Selection()
    cards = [_card(plan, standing) for plan in content.plans if plan.topic in opened]
    cards.sort(key=_after_warnings)
    firing = tuple({finding.unit.id: finding for card in cards for finding in card.findings}.values())
    kept_back = _kept_back(firing, policy)
    shown = [card for card in (_without(card, kept_back) for card in cards) if card.opened]
    shown.sort(key=_after_warnings)
    suggestion = _suggestion(standing, content, reader)
    if suggestion and suggestion.unit.id in kept_back:
        suggestion = None
    kept = [
        replace(card, standing=firing, kept_back=kept_back, suggests=suggestion if _of(suggestion, card) else None)
        for card in shown[: policy.most_cards]
    ]
    if kept:
        also = tuple(finding for card in shown[policy.most_cards :] for finding in card.findings if finding.opens)
        gone = {card.plan.topic for card in cards} - {card.plan.topic for card in shown}
        topics = tuple(plan.topic for plan in content.plans if plan.topic in gone)
        kept[-1] = replace(kept[-1], also=also, silenced_topics=topics)
    left = {finding.unit.id for card in shown for finding in card.findings}
    return Selection(tuple(kept), firing, tuple(finding for finding in firing if finding.unit.id not in left))


def _after_warnings(card: TopicCard) -> bool:
    return not card.warns


def restrains(unit: Unit) -> bool:
    """Whether a unit holds something back: cautions, notices, what warns, what speaks against."""
    return unit.kind in (CAUTION, NOTICE) or unit.warning is not None or unit.direction in _RESTRAINING


def _kept_back(firing: Iterable[Finding], policy: Policy) -> frozenset[str]:
    """What is silenced, and what yields to it: that would read otherwise without what stands above it."""
    units = [finding.unit for finding in firing]
    found = policy.silent & {unit.id for unit in units}
    more = found
    while more:
        free = (unit for unit in units if unit.id not in found and not restrains(unit))
        more = frozenset(unit.id for unit in free if not found.isdisjoint(unit.yields_to))
        found |= more
    return found


def _without(card: TopicCard, kept_back: frozenset[str]) -> TopicCard:
    """A card without what is kept back, and without lines that would lose all that they stand with."""
    if not kept_back:
        return card
    left = [finding for finding in card.findings if finding.unit.id not in kept_back]
    names = {finding.unit.id for finding in left}
    findings = tuple(finding for finding in left if _has_company(finding, names))
    names = {finding.unit.id for finding in findings}
    silenced = tuple(finding for finding in card.findings if finding.unit.id not in names)
    return replace(card, findings=findings, silenced=silenced)


def _has_company(finding: Finding, names: set[str]) -> bool:
    unit = finding.unit
    free = finding.opens or not unit.stands_with or ANY in unit.stands_with or unit.kind == CAUTION
    return free or bool(unit.stands_with & names)


def _of(suggestion: Finding | None, card: TopicCard) -> bool:
    return suggestion is not None and suggestion.unit.topic == card.plan.topic


def _stands(finding: Finding, reader: str) -> bool:
    if finding.applicability == SILENT or finding.unit.how == "never":
        return False
    if reader == PATIENT:
        return for_patients(finding.unit)
    return finding.unit.reader != PATIENT


def for_patients(unit: Unit) -> bool:
    """Whether a unit has wording for patients that they may read."""
    return bool(unit.patient) and unit.reader in (PATIENT, "both")


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
        if finding.proposes and not _outdone(finding, standing, content):
            return finding
    return None


def _outdone(finding: Finding, standing: list[Finding], content: Content) -> bool:
    """Whether newer evidence contradicts a unit, or it yields to another one that stands."""
    contradicted = any(content.newer[name].one("relation") == "contradicts" for name in finding.unit.newer)
    return contradicted or any(other.unit.id in finding.unit.yields_to for other in standing)
