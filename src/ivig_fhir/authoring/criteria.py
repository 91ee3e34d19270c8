"""A criterion of guidance/ -> FHIRPath, English, and what to ask while it is unknown.

Every leaf has the form `met or (open and {})` with met and open two-valued, so that the published expression
itself says what is in doubt (docs/decisions/0003). `lacks-condition` counts doubt as presence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ivig_fhir.authoring.guidance import Asks, Criterion
from ivig_fhir.authoring.needs import Needs

_ATOM, _AND, _OR = 2, 1, 0


@dataclass(frozen=True)
class Formula:
    """FHIRPath text and how tightly its outermost operator binds."""

    text: str
    binds: int = _ATOM

    def inside(self, binds: int) -> str:
        """The text, in parentheses where an operator that binds tighter surrounds it."""
        return self.text if self.binds >= binds else f"({self.text})"


@dataclass(frozen=True)
class Compiled:
    """One condition of an action: id, expression, English, question."""

    id: str
    expression: Formula
    reads: str
    asks: Asks | None = None


OPEN = Formula("{}")


def either(*formulas: Formula) -> Formula:
    """Disjunction."""
    if len(formulas) == 1:
        return formulas[0]
    return Formula(" or ".join(item.inside(_OR) for item in formulas), _OR)


def both(*formulas: Formula) -> Formula:
    """Conjunction."""
    if len(formulas) == 1:
        return formulas[0]
    return Formula(" and ".join(item.inside(_AND) for item in formulas), _AND)


def negated(formula: Formula) -> Formula:
    """not()."""
    return Formula(f"({formula.text}).not()" if formula.binds < _ATOM or not formula.text.endswith(")") else f"{formula.text}.not()")


def in_doubt(formula: Formula) -> Formula:
    """Unknown where the formula is true, false where it is false."""
    return both(formula, OPEN)


def exists(variable: str, test: str = "") -> Formula:
    """variable.exists(test)."""
    return Formula(f"{variable}.exists({test})")


def compile_criterion(criterion: Criterion, needs: Needs) -> Compiled:
    """The condition of a criterion; registers its data needs. Raises ValueError with what is wrong."""
    keys = [key for key in criterion if key in _LEAVES]
    if len(keys) != 1:
        raise ValueError(f"a criterion holds exactly one of {', '.join(_LEAVES)}; seen: {', '.join(criterion) or 'none'}")
    expression, reads, asks = _LEAVES[keys[0]](criterion, needs)
    stated = criterion.get("asks")
    return Compiled(
        criterion.get("id", keys[0] + "-" + str(criterion[keys[0]]) if isinstance(criterion[keys[0]], str) else keys[0]),
        expression, criterion.get("reads", reads), Asks(**stated) if stated else asks,
    )


_Leaf = tuple[Formula, str, Asks | None]


def _all(criterion: Criterion, needs: Needs) -> _Leaf:
    parts = [compile_criterion(item, needs) for item in criterion["all"]]
    return both(*(part.expression for part in parts)), "; and ".join(part.reads for part in parts), _first_question(parts)


def _any(criterion: Criterion, needs: Needs) -> _Leaf:
    parts = [compile_criterion(item, needs) for item in criterion["any"]]
    return either(*(part.expression for part in parts)), ", or ".join(part.reads for part in parts), _first_question(parts)


def _first_question(parts: list[Compiled]) -> Asks | None:
    return next((part.asks for part in parts if part.asks), None)


def _not(criterion: Criterion, needs: Needs) -> _Leaf:
    part = compile_criterion(criterion["not"], needs)
    return negated(part.expression), f"not: {part.reads}", part.asks


def _possibly(criterion: Criterion, needs: Needs) -> _Leaf:
    part = compile_criterion(criterion["possibly"], needs)
    return in_doubt(part.expression), f"possibly: {part.reads}", part.asks


def _has_condition(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = needs.guidance.concepts[criterion["has-condition"]]
    doubts = needs.condition_in_doubt(concept.id) + needs.reason_of_draft(concept.id)
    met = exists(needs.condition(concept.id))
    title = concept.title
    asks = Asks(f"{title[:1].upper()}{title[1:]}: confirmed and active, as a coded problem?", "unconfirmed")
    return either(met, in_doubt(either(*map(exists, doubts)))), f"{title}, current and confirmed", asks


def _lacks_condition(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = needs.guidance.concepts[criterion["lacks-condition"]]
    found = [needs.condition(concept.id), *needs.condition_in_doubt(concept.id)]
    return negated(either(*map(exists, found))), f"no {concept.title} on record, not even in doubt", None


def _order(criterion: Criterion, needs: Needs) -> _Leaf:
    order_class = needs.guidance.orders[criterion["order"]]
    met: list[Formula] = []
    doubt: list[Formula] = []
    for phase in criterion["is"]:
        if phase == "done":
            met.append(exists(needs.procedure_done(order_class.done_codes, order_class.done_within)))
            continue
        role, status = {"drafted": ("draft", "draft"), "running": ("running", "active")}[phase]
        # only medication orders can be read as running: no query brings service orders
        for row in (row for row in order_class.rows if phase == "drafted" or row.type == "MedicationRequest"):
            (doubt if row.asks else met).append(exists(needs.order(order_class.id, row, role, (status,))))
    phases = " or ".join(criterion["is"])
    asks = next((row.asks for row in order_class.rows if row.asks), None)
    return either(*met, *([in_doubt(either(*doubt))] if doubt else [])), f"{order_class.title} {phases}", asks


def _unrecognised_medicine(criterion: Criterion, needs: Needs) -> _Leaf:
    asks = Asks("Medicine of the order: its code is not of a system that this module reads", "unusable")
    return in_doubt(exists(needs.unreadable_medicine())), "a drafted medicine that cannot be recognised", asks


def _age(criterion: Criterion, needs: Needs) -> _Leaf:
    years = needs.guidance.module.default("adult-years").value
    op, reads = ("<=", f"{years} years or older") if criterion["age"] == "adult" else (">", f"younger than {years} years")
    return (
        Formula(f"{needs.subject()}.birthDate {op} today() - {years} years"), f"{reads} †",
        Asks("Date of birth, to the day where it decides", "not-recorded"),
    )


def _undefined(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    word = criterion["undefined"]
    return OPEN, f"“{word}”, a word that its source leaves undefined", Asks(f"“{word}”: its source leaves the word undefined", "undefined-in-source")


def _always(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    return Formula("true"), "always", None


_LEAVES: dict[str, Callable[[Criterion, Needs], _Leaf]] = {
    "all": _all, "any": _any, "not": _not, "possibly": _possibly,
    "has-condition": _has_condition, "lacks-condition": _lacks_condition,
    "order": _order, "unrecognised-medicine": _unrecognised_medicine,
    "age": _age, "undefined": _undefined, "always": _always,
}
