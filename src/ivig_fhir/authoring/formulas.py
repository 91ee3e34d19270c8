"""FHIRPath text put together with as few parentheses as its precedence needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ATOM, AND, OR = 2, 1, 0


@dataclass(frozen=True)
class Formula:
    """FHIRPath text and how tightly its outermost operator binds."""

    text: str
    binds: int = ATOM

    def inside(self, binds: int) -> str:
        """The text, in parentheses where an operator that binds tighter surrounds it."""
        return self.text if self.binds >= binds else f"({self.text})"


OPEN = Formula("{}")
ALWAYS = Formula("true")


def either(*formulas: Formula) -> Formula:
    """Disjunction."""
    if len(formulas) == 1:
        return formulas[0]
    return Formula(" or ".join(item.inside(OR) for item in formulas), OR)


def both(*formulas: Formula) -> Formula:
    """Conjunction."""
    if len(formulas) == 1:
        return formulas[0]
    return Formula(" and ".join(item.inside(AND) for item in formulas), AND)


def negated(formula: Formula) -> Formula:
    """not()."""
    return Formula(
        f"{formula.text}.not()" if formula.binds == ATOM and formula.text.endswith(")") else f"({formula.text}).not()"
    )


def in_doubt(formula: Formula) -> Formula:
    """Unknown where the formula is true, false where it is false."""
    return Formula(f"({both(formula, OPEN).text})")


def exists(variable: str, test: str = "") -> Formula:
    """variable.exists(test)."""
    return Formula(f"{variable}.exists({test})")


def any_exists(variables: Iterable[str]) -> Formula:
    """One of the inputs has a resource."""
    return either(*map(exists, variables))


def met_or_open(met: Formula, doubts: Formula | None) -> Formula:
    """The normal form of a leaf: `met or (open and {})`."""
    return met if doubts is None else either(met, in_doubt(doubts))
