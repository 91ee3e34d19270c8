"""A guidance unit as pages show it: direction, ratings per source, criteria in English, and all it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ivig_fhir.fhir import as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import OCCASION, Criterion, Proposal, Unit
from ivig_fhir.pages import basis
from ivig_fhir.pages.figures import Figure, figures
from ivig_fhir.pages.grades import bars
from ivig_fhir.pages.marks import Mark, mark
from ivig_fhir.pages.markup import references
from ivig_fhir.pages.publication import R5, Publication


@dataclass(frozen=True)
class Rating:
    """A source's own words for how strongly it speaks; bars 1 to 4 where its grade of evidence is read as a code."""

    source: basis.Source
    kind: str
    wording: str
    statement: str
    bars: int
    grade: str


@dataclass(frozen=True)
class Condition:
    """A criterion: its English, what is asked while it is unknown, and the published expression."""

    reads: str
    asks: str
    reason: str
    expression: str
    occasion: bool = False


@dataclass(frozen=True)
class UnitView:
    """A unit with everything that a page prints of it."""

    unit: Unit
    mark: Mark
    ratings: tuple[Rating, ...]
    conditions: tuple[Condition, ...]
    warning: Condition | None
    newer: tuple[basis.Newer, ...]
    conflicts: tuple[basis.Conflict, ...]
    statements: tuple[basis.Statement, ...]
    figures: tuple[Figure, ...]
    yields_to: tuple[Unit, ...]
    proposal: Proposal | None

    @property
    def aged(self) -> str:
        """What its evidence beside the sources is called: newer, if some of it is younger than they are."""
        return "newer" if any(item.younger for item in self.newer) else "elsewhere"

    @property
    def leading(self) -> list[basis.Newer]:
        """Newer evidence that contradicts or supersedes: it stands before what the source says."""
        return [item for item in self.newer if item.leads]

    @property
    def following(self) -> list[basis.Newer]:
        """The other newer evidence."""
        return [item for item in self.newer if not item.leads]

    @property
    def graded(self) -> dict[str, Rating]:
        """By source the rating with the highest grade of evidence, where one of its ratings is read as a code."""
        found = sorted((item for item in self.ratings if item.bars), key=lambda item: item.bars)
        return {item.source.id: item for item in found}

    @property
    def states_amount_alone(self) -> bool:
        """Whether it states an amount that no figure of its own repeats."""
        amount = self.unit.amount
        return amount is not None and (str(amount.value), amount.unit) not in {(f.value, f.unit) for f in self.figures}

    @property
    def sources(self) -> list[basis.Source]:
        """The sources that it rests on, once each."""
        found = {item.source.id: item.source for item in self.statements}
        return [found[name] for name in sorted(found)]


def unit_view(unit: Unit, publication: Publication) -> UnitView:
    """The view of a unit."""
    content = publication.content
    certainty = as_list((publication.find(R5, "Evidence", unit.id) or {}).get("certainty"))
    return UnitView(
        unit=unit,
        mark=mark(unit.direction, content),
        ratings=tuple(
            Rating(basis.source(item.source, content), item.kind, item.wording, item.statement, *bars(item, certainty))
            for item in unit.ratings
        ),
        conditions=tuple(_condition(item) for item in unit.criteria),
        warning=_condition(unit.warning) if unit.warning else None,
        newer=tuple(basis.newer(name, content) for name in unit.newer),
        conflicts=tuple(basis.conflict(name, content) for name in unit.conflicts),
        statements=tuple(basis.statement(name, content) for name in _rests_on(unit, content)),
        figures=tuple(figures(unit.id, publication)),
        yields_to=tuple(content.units[name] for name in unit.yields_to if name in content.units),
        proposal=unit.proposal,
    )


def _rests_on(unit: Unit, content: Content) -> Iterable[str]:
    """The statements that a unit names, and those that its wording cites."""
    cited = references(f"{unit.says} {unit.patient}", content)
    return dict.fromkeys([*unit.statements, *cited])


def _condition(criterion: Criterion) -> Condition:
    asks = criterion.asks
    return Condition(
        criterion.reads,
        asks.fact if asks else "",
        asks.reason if asks else "",
        criterion.condition.text,
        criterion.id == OCCASION,
    )
