"""The evidence map: topics down, interventions across, in each cell the units with their direction and ratings.

An intervention that more than one unit speaks of has a column; "IVIG maintenance" stands in the column of "IVIG";
"corticosteroids; plasma exchange" stands in both. What is left shares the last column under its own name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.selection import CAUTION, NOTICE
from ivig_fhir.knowledge.plans import Plan, Unit
from ivig_fhir.pages.marks import Mark, legend
from ivig_fhir.pages.publication import Publication
from ivig_fhir.pages.topics import regimens
from ivig_fhir.pages.units import Rating, UnitView, unit_view

OTHER = ""


@dataclass(frozen=True)
class Row:
    """A topic: one list of units per column, and what else its page has."""

    plan: Plan
    cells: tuple[tuple[UnitView, ...], ...]
    conflicts: int
    newer: int
    regimens: bool


@dataclass(frozen=True)
class EvidenceMap:
    """Columns (the last may be OTHER), rows, and the legend: directions, and one rating of each grade in use."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    legend: tuple[Mark, ...]
    grades: tuple[Rating, ...]


def evidence_map(publication: Publication) -> EvidenceMap:
    """The map of all topics that a professional reads about."""
    shown = {plan.topic: [unit for unit in plan.units if on_map(unit)] for plan in publication.content.plans}
    units = [unit for found in shown.values() for unit in found]
    columns = _columns(units)
    rows = [_row(plan, shown[plan.topic], columns, publication) for plan in publication.content.plans]
    used = {unit.direction for unit in units}
    return EvidenceMap(
        columns,
        tuple(row for row in rows if any(row.cells)),
        tuple(legend(publication.content, used)),
        tuple(_grades(rows)),
    )


def _grades(rows: list[Row]) -> Iterator[Rating]:
    """One rating of each source and grade, the highest grade first."""
    views = [view for row in rows for cell in row.cells for view in cell]
    found = {(item.source.id, -item.bars): item for view in reversed(views) for item in view.ratings if item.bars}
    yield from (found[key] for key in sorted(found))


def on_map(unit: Unit) -> bool:
    """Whether a unit says something of an intervention in a disease, to a professional."""
    return unit.reader != PATIENT and unit.kind not in (CAUTION, NOTICE)


def _parts(intervention: str) -> list[str]:
    """The interventions of a unit; what stands in brackets is no intervention."""
    return [part.strip() for part in intervention.split(";") if not part.strip().startswith("(")]


def _columns(units: list[Unit]) -> tuple[str, ...]:
    counts = Counter(part for unit in units for part in _parts(unit.intervention))
    often = [part for part, number in counts.items() if number > 1]
    names = [part for part in often if not any(part != other and part.startswith(f"{other} ") for other in often)]
    names.sort(key=lambda part: -counts[part])
    left = any(OTHER in _places(unit.intervention, names) for unit in units)
    return (*names, OTHER) if left else tuple(names)


def _places(intervention: str, columns: Sequence[str]) -> list[str]:
    """The columns of an intervention."""
    known = [name for name in columns if name]
    parts = _parts(intervention)
    found = [name for part in parts for name in known if part == name or part.startswith(f"{name} ")]
    return list(dict.fromkeys(found)) or [OTHER]


def _row(plan: Plan, units: list[Unit], columns: tuple[str, ...], publication: Publication) -> Row:
    cells: dict[str, list[UnitView]] = {name: [] for name in columns}
    for unit in units:
        view = unit_view(unit, publication)
        for column in _places(unit.intervention, columns):
            cells[column].append(view)
    return Row(
        plan,
        tuple(tuple(cells[name]) for name in columns),
        len({name for unit in units for name in unit.conflicts}),
        len({name for unit in units for name in unit.newer}),
        bool(regimens(plan, publication)),
    )
