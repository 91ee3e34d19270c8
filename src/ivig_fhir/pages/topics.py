"""The page of a topic, for a professional and for a patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.selection import ANY, CAUTION, for_patients
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.content import Word
from ivig_fhir.knowledge.plans import Plan, Unit
from ivig_fhir.pages import basis
from ivig_fhir.pages.codes import ValueSet, value_sets
from ivig_fhir.pages.publication import R4, Publication
from ivig_fhir.pages.resources import Entry, behind
from ivig_fhir.pages.units import UnitView, unit_view

REGIMENS = "ivig-regimen"  # the code system
SAFETY, MINOR = "safety", ("editorial", "provenance")  # classes of conflict

_Item = TypeVar("_Item", basis.Conflict, basis.Newer, basis.Statement)


@dataclass(frozen=True)
class Standing:
    """How far a plan has come: its status, version and date, and whether anybody approved it."""

    status: str
    version: str
    date: str
    approved: str
    reviewed: str


@dataclass(frozen=True)
class TopicPage:
    """Everything on the page of a topic."""

    plan: Plan
    standing: Standing
    units: tuple[UnitView, ...]
    beside: tuple[UnitView, ...]
    sources: tuple[basis.Source, ...]
    conflicts: tuple[basis.Conflict, ...]
    newer: tuple[basis.Newer, ...]
    statements: tuple[basis.Statement, ...]
    value_sets: tuple[ValueSet, ...]
    resources: tuple[Entry, ...]
    regimens: tuple[Word, ...]

    @property
    def disagreements(self) -> list[basis.Conflict]:
        """The disagreements that bear on treatment, those of safety first."""
        found = [item for item in self.conflicts if item.kind not in MINOR]
        return sorted(found, key=lambda item: item.kind != SAFETY)

    @property
    def quibbles(self) -> list[basis.Conflict]:
        """The disagreements of wording and provenance."""
        return [item for item in self.conflicts if item.kind in MINOR]

    @property
    def figures(self) -> list[UnitView]:
        """The units that state figures."""
        return [view for view in self.units if view.figures or view.unit.amount]


def standing(resource: Resource) -> Standing:
    """The standing of a published resource."""
    return Standing(
        resource.get("status", ""),
        resource.get("version", ""),
        resource.get("date", ""),
        resource.get("approvalDate", ""),
        resource.get("lastReviewDate", ""),
    )


def regimens(plan: Plan, publication: Publication) -> tuple[Word, ...]:
    """What labels and guidelines print on a topic, from outside the sources."""
    return tuple(word for word in publication.words(REGIMENS) if plan.topic in word.properties.get("topic", ()))


def topic_page(plan: Plan, publication: Publication) -> TopicPage:
    """The page for a professional."""
    content = publication.content
    units = tuple(unit_view(unit, publication) for unit in plan.units)
    beside = tuple(unit_view(unit, publication) for unit in _beside(plan, publication))
    conflicts = _unique(item for view in (*units, *beside) for item in view.conflicts)  # a card names them all
    elsewhere = regimens(plan, publication)
    statements = _unique(
        [item for view in (*units, *beside) for item in view.statements]
        + [item for conflict in conflicts for side in conflict.sides for item in side]
    )
    return TopicPage(
        plan,
        standing(publication.find(R4, "PlanDefinition", plan.topic) or {}),
        units,
        beside,
        tuple(basis.sources(content, {item.source.id for view in units for item in view.statements})),
        tuple(conflicts),
        tuple(_unique(item for view in units for item in view.newer)),
        tuple(sorted(statements, key=lambda item: item.id)),
        tuple(value_sets(plan, publication)),
        tuple(behind(plan, publication, (("CodeSystem", REGIMENS),) if elsewhere else ())),
        elsewhere,
    )


def _beside(plan: Plan, publication: Publication) -> list[Unit]:
    """Units of other topics that stand on this topic's card when their own criteria hold: cautions first."""
    names = {unit.id for unit in plan.units}
    others = [unit for unit in publication.units() if unit.topic != plan.topic and unit.reader != PATIENT]
    found = [unit for unit in others if unit.stands_with & (names | {ANY})]
    return sorted(found, key=lambda unit: unit.kind != CAUTION)


def _unique(items: Iterable[_Item]) -> list[_Item]:
    return list({item.id: item for item in items}.values())


@dataclass(frozen=True)
class PatientPage:
    """What a patient reads of a topic: patient wording alone, from sources written for patients."""

    plan: Plan
    standing: Standing
    units: tuple[UnitView, ...]
    beside: tuple[UnitView, ...]
    sources: tuple[basis.Source, ...]
    statements: tuple[basis.Statement, ...]


def patient_page(plan: Plan, publication: Publication) -> PatientPage:
    """The page for a patient: no dose, no caution, no warning."""
    units = tuple(unit_view(unit, publication) for unit in plan.units if for_patients(unit))
    beside = tuple(
        unit_view(unit, publication)
        for unit in publication.units()
        if unit.topic != plan.topic and ANY in unit.stands_with and for_patients(unit)
    )
    statements = _unique(item for view in (*units, *beside) for item in view.statements if item.id in view.unit.patient)
    found = tuple(basis.sources(publication.content, {item.source.id for item in statements}))
    resource = publication.find(R4, "PlanDefinition", plan.topic) or {}
    return PatientPage(plan, standing(resource), units, beside, found, tuple(statements))
