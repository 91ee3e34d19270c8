"""What a site would see: evaluations of a cohort -> how often cards go out, and how often each unit fires.

A patient's record is evaluated as it stands today; on order hooks each order in force is one question (cohort.py).
Rates are per 1,000 questions, and the denominators stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.cds_hooks.answer import Evaluation
from ivig_fhir.cds_hooks.context import ORDER_HOOKS
from ivig_fhir.engine.apply import CONDITIONAL, Finding
from ivig_fhir.knowledge.content import Content


@dataclass
class UnitFigures:
    """In how many answers a unit had something to say, and what became of it.

    `fired` = shown + silenced + without_room; of these it asked (`conditional`) or warned.
    """

    fired: int = 0
    conditional: int = 0
    warned: int = 0
    shown: int = 0
    silenced: int = 0
    without_room: int = 0


@dataclass
class HookFigures:
    """The answers on one hook: questions asked about so many patients, and what came of them."""

    patients: int = 0
    patients_with_card: int = 0
    asked: int = 0
    with_card: int = 0
    with_warning: int = 0
    cards: int = 0
    not_evaluated: int = 0
    units: dict[str, UnitFigures] = field(default_factory=dict)

    def count(self, evaluations: Sequence[Evaluation]) -> None:
        """The answers for one patient; no question is no patient."""
        self.patients += bool(evaluations)
        self.patients_with_card += any(item.cards for item in evaluations)
        for item in evaluations:
            self.asked += 1
            self.with_card += bool(item.cards)
            self.with_warning += any(card.warns for card in item.cards)
            self.cards += len(item.cards)
            self.not_evaluated += bool(item.not_evaluated)
            self._count_units(item)

    def _count_units(self, evaluation: Evaluation) -> None:
        shown = {finding.unit.id for card in evaluation.cards for finding in card.findings}
        silenced = {finding.unit.id for finding in evaluation.silenced}
        for finding in evaluation.firing:
            figures = self.units.setdefault(finding.unit.id, UnitFigures())
            _count(figures, finding)
            figures.shown += finding.unit.id in shown
            figures.silenced += finding.unit.id in silenced
            figures.without_room += finding.unit.id not in shown | silenced


def _count(figures: UnitFigures, finding: Finding) -> None:
    figures.fired += 1
    figures.conditional += finding.applicability == CONDITIONAL
    figures.warned += finding.warns


def per_thousand(count: int, of: int) -> float | None:
    """A rate per 1,000 with one decimal; nothing of nothing."""
    return round(1000 * count / of, 1) if of else None


def hook_json(hook: str, figures: HookFigures, content: Content) -> dict[str, Any]:
    """The figures of a hook; every unit that speaks on it, those that never fired included."""
    asked = figures.asked
    return {
        "hook": hook,
        "asksAbout": "order" if hook in ORDER_HOOKS else "patient",
        "patients": figures.patients,
        "patientsWithCard": figures.patients_with_card,
        "asked": asked,
        "withCard": figures.with_card,
        "withCardPerThousand": per_thousand(figures.with_card, asked),
        "withWarning": figures.with_warning,
        "withWarningPerThousand": per_thousand(figures.with_warning, asked),
        "cards": figures.cards,
        "notEvaluated": figures.not_evaluated,
        "units": [
            _unit_json(name, figures.units.get(name, UnitFigures()), asked)
            for name, unit in content.units.items()
            if hook in unit.hooks
        ],
    }


def _unit_json(name: str, figures: UnitFigures, asked: int) -> dict[str, Any]:
    return {
        "unit": name,
        "evaluated": asked,
        "fired": figures.fired,
        "firedPerThousand": per_thousand(figures.fired, asked),
        "conditional": figures.conditional,
        "warned": figures.warned,
        "shown": figures.shown,
        "silenced": figures.silenced,
        "withoutRoom": figures.without_room,
    }


def hook_text(hook: str, figures: HookFigures, content: Content) -> str:
    """The figures of a hook as a table; units that never fired as one number."""
    told = hook_json(hook, figures, content)
    about = f"{figures.asked} orders of {figures.patients}" if hook in ORDER_HOOKS else f"{figures.patients}"
    head = [
        f"{hook}: {about} patients",
        f"  with a card: {_rate(figures.with_card, figures.asked)}; {figures.patients_with_card} patients, "
        f"{figures.cards} cards",
        f"  with a warning: {_rate(figures.with_warning, figures.asked)}",
    ]
    if figures.not_evaluated:
        head.append(f"  something could not be evaluated: {_rate(figures.not_evaluated, figures.asked)}")
    rows = sorted((item for item in told["units"] if item["fired"]), key=lambda item: -item["fired"])
    head.append(f"  {len(rows)} of {len(told['units'])} units fired")
    return "\n".join([*head, *(_table(rows) if rows else [])])


def _rate(count: int, of: int) -> str:
    rate = per_thousand(count, of)
    return f"{count} of {of}" + (f" ({rate:,} per 1,000)" if rate is not None else "")


_COLUMNS = ("fired", "firedPerThousand", "conditional", "warned", "shown", "silenced", "withoutRoom")
_HEADS = ("fired", "per 1,000", "asks", "warns", "shown", "silenced", "no room")


def _table(rows: list[dict[str, Any]]) -> list[str]:
    width = max(len(row["unit"]) for row in rows)
    head = f"  {'unit':{width}}" + "".join(f"{name:>10}" for name in _HEADS)
    return [head, *(f"  {row['unit']:{width}}" + "".join(f"{row[name]:>10,}" for name in _COLUMNS) for row in rows)]
