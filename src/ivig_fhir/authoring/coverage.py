"""What became of every statement and every feature row: where it lives, or why it drives no card.

A statement counts as encoded only where a definition that reaches a card or a page refers to it: a unit that is
shown, a conflict that such a unit names, or newer evidence that such a unit shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivig_fhir.authoring.guidance import Guidance, Unit


@dataclass(frozen=True)
class Fate:
    """Where a statement lives, as resource#element; or the reason why it drives no card; or neither."""

    statement: str
    places: tuple[str, ...]
    not_encoded: str

    @property
    def known(self) -> bool:
        """Whether the statement is accounted for."""
        return bool(self.places or self.not_encoded)


@dataclass(frozen=True)
class Row:
    """A feature row, the statements that answer it and the cases that rest on them."""

    id: str
    area: str
    statements: tuple[str, ...]
    answered_by: tuple[str, ...]
    cases: tuple[str, ...]

    @property
    def answered(self) -> bool:
        """Whether a place, a case or a recorded reason answers the row."""
        return bool(self.answered_by or self.cases)


def fates(guidance: Guidance) -> list[Fate]:
    """The fate of every statement, in order."""
    places: dict[str, list[str]] = {name: [] for name in guidance.statements}
    for statement, place in _places(guidance):
        if place not in places[statement]:
            places[statement].append(place)
    return [Fate(name, tuple(places[name]), item.not_encoded) for name, item in guidance.statements.items()]


def _places(guidance: Guidance) -> Iterator[tuple[str, str]]:
    conflicts: set[str] = set()
    newer: set[str] = set()
    for topic in guidance.topics:
        for unit in topic.units:
            yield from ((name, f"PlanDefinition/{topic.id}#{unit.id}") for name in _cited(unit))
            conflicts |= set(unit.conflicts)
            newer |= set(unit.newer)
    for name in sorted(conflicts):
        for side in guidance.conflicts[name].sides:
            yield from ((statement, f"CodeSystem/ivig-conflict#{name}") for statement in side)
    for name in sorted(newer):
        yield from ((statement, f"CodeSystem/ivig-newer#{name}") for statement in guidance.newer[name].about)


def _cited(unit: Unit) -> tuple[str, ...]:
    return (*unit.statements, *(rating.statement for rating in unit.ratings))


def rows(guidance: Guidance, cases: dict[str, tuple[str, ...]]) -> list[Row]:
    """Every feature row; `cases` is statement -> the ids of the cases that name it."""
    known = {fate.statement: fate for fate in fates(guidance)}
    found = []
    for item in guidance.features:
        answered = [place for name in item.statements for place in known[name].places]
        reasons = [f"not encoded: {known[name].not_encoded}" for name in item.statements if known[name].not_encoded]
        by = tuple(dict.fromkeys([*answered, *reasons, *([item.answer] if item.answer else [])]))
        named = tuple(dict.fromkeys(case for name in item.statements for case in cases.get(name, ())))
        found.append(Row(item.id, item.area, item.statements, by, named))
    return found
