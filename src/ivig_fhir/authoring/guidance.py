"""The guidance (L2) as it stands in guidance/: immutable, each unit with its file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivig_fhir.authoring.evidence_base import (
    Asks,
    Code,
    Concept,
    Conflict,
    Feature,
    Hint,
    LeftOut,
    Newer,
    NewerSource,
    OrderClass,
    OrderRow,
    Regimen,
    Source,
    SourceReference,
    Statement,
)
from ivig_fhir.authoring.grading import Certainty, Figure, Reading

__all__ = [
    "Activity",
    "Asks",
    "Certainty",
    "Code",
    "Concept",
    "Conflict",
    "Criterion",
    "Default",
    "Feature",
    "Figure",
    "Guidance",
    "Hint",
    "Hook",
    "LeftOut",
    "Module",
    "Newer",
    "NewerSource",
    "OrderClass",
    "OrderRow",
    "Phrase",
    "Prefetch",
    "Rating",
    "Reading",
    "Regimen",
    "Source",
    "SourceReference",
    "Statement",
    "Topic",
    "Unit",
    "WeightUnit",
]


@dataclass(frozen=True)
class Default:
    """A number that no source gives and the module declares (marked † wherever it is printed)."""

    id: str
    value: str
    unit: str
    says: str


@dataclass(frozen=True)
class WeightUnit:
    """A unit of body weight and how many kilograms it is, exactly."""

    code: str
    kilograms: str


@dataclass(frozen=True)
class Hook:
    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Prefetch:
    """One prefetch key: the query that an EHR runs for us and the codes that it asks for."""

    key: str
    type: str
    query: str
    required: str = ""
    codes: tuple[str, ...] = ()
    count: str = ""


@dataclass(frozen=True)
class Phrase:
    id: str
    says: str
    patient: str = ""


@dataclass(frozen=True)
class Module:
    id: str
    name: str
    title: str
    base: str
    version: str
    date: str
    publisher: str
    description: str
    disclaimer: str
    defaults: tuple[Default, ...]
    hooks: tuple[Hook, ...]
    prefetch: tuple[Prefetch, ...]
    topics: tuple[str, ...]
    override_reasons: tuple[Phrase, ...] = ()
    weight_units: tuple[WeightUnit, ...] = ()

    def default(self, name: str) -> Default:
        """The declared default with this id. Raises KeyError."""
        for item in self.defaults:
            if item.id == name:
                return item
        raise KeyError(name)


@dataclass(frozen=True)
class Activity:
    id: str
    title: str
    description: str
    kind: str
    product: Code | None = None
    dosage: str = ""


@dataclass(frozen=True)
class Rating:
    """A source's own label for a statement: strength of a recommendation, rating of evidence, or practice."""

    statement: str
    kind: str
    wording: str


Criterion = dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """One guidance unit: a recommendation, caution or notice under its own id."""

    id: str
    title: str
    kind: str
    direction: str
    intervention: str
    says: str
    statements: tuple[str, ...]
    shown: str
    where: str
    patient: str = ""
    population: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    when: tuple[Criterion, ...] = ()
    hooks: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    while_running: tuple[str, ...] = ()
    with_units: tuple[str, ...] = ()
    opens_when: Criterion | None = None
    reader: str = ""
    warn_when: Criterion | None = None
    warns: str = ""
    ratings: tuple[Rating, ...] = ()
    figures: tuple[Figure, ...] = ()
    comparison: str = ""
    conflicts: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    yields_to: tuple[str, ...] = ()
    activity: str = ""
    suggest_when: tuple[Criterion, ...] = ()
    amount: tuple[str, str, str] | None = None
    prints: tuple[str, ...] = ()
    silent_because: str = ""  # for readers of guidance/ alone


@dataclass(frozen=True)
class Topic:
    id: str
    title: str
    description: str
    units: tuple[Unit, ...]
    where: str
    patient_title: str = ""
    anchor: Criterion | None = None


@dataclass(frozen=True)
class Guidance:
    """All of guidance/, checked: every id that is named exists."""

    module: Module
    phrases: tuple[Phrase, ...]
    sources: dict[str, Source]
    statements: dict[str, Statement]
    conflicts: dict[str, Conflict]
    newer: dict[str, Newer]
    newer_sources: dict[str, NewerSource]
    hints: dict[str, Hint]
    negations: tuple[str, ...]
    read_beside: tuple[str, ...]
    concepts: dict[str, Concept]
    orders: dict[str, OrderClass]
    activities: dict[str, Activity]
    topics: tuple[Topic, ...]
    certainty: Certainty
    features: tuple[Feature, ...] = ()
    regimens: tuple[Regimen, ...] = ()
