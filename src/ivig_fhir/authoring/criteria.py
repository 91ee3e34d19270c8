"""A criterion of guidance/ -> FHIRPath, English, and what to ask while it is unknown.

Every leaf has the form `met or (open and {})` with met and open two-valued, so that the published expression
itself says what is in doubt (docs/decisions/0003). `lacks-condition` counts doubt as presence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ivig_fhir.authoring import condition_criteria as of
from ivig_fhir.authoring import event_criteria as on
from ivig_fhir.authoring.condition_criteria import Leaf
from ivig_fhir.authoring.formulas import (
    ALWAYS,
    OPEN,
    Formula,
    both,
    either,
    in_doubt,
    met_or_open,
    negated,
)
from ivig_fhir.authoring.guidance import Asks, Criterion
from ivig_fhir.authoring.needs import Needs


@dataclass(frozen=True)
class Compiled:
    """One condition of an action: id, expression, English, question."""

    id: str
    expression: Formula
    reads: str
    asks: Asks | None = None


def compile_criterion(criterion: Criterion, needs: Needs) -> Compiled:
    """The condition of a criterion; registers its data needs. Raises ValueError with what is wrong."""
    keys = [key for key in criterion if key in _LEAVES]
    if len(keys) != 1:
        raise ValueError(
            f"a criterion holds exactly one of {', '.join(_LEAVES)}; seen: {', '.join(criterion) or 'none'}"
        )
    value = criterion[keys[0]]
    expression, reads, asks = _LEAVES[keys[0]](criterion, needs)
    stated = criterion.get("asks")
    identifier = criterion.get("id") or (f"{keys[0]}-{value}" if isinstance(value, str) else keys[0])
    return Compiled(identifier, expression, criterion.get("reads", reads), Asks(**stated) if stated else asks)


def _parts(criteria: list[Criterion], needs: Needs) -> list[Compiled]:
    return [compile_criterion(item, needs) for item in criteria]


def _question(parts: list[Compiled]) -> Asks | None:
    return next((part.asks for part in parts if part.asks), None)


def _all(criterion: Criterion, needs: Needs) -> Leaf:
    parts = _parts(criterion["all"], needs)
    return both(*(part.expression for part in parts)), "; and ".join(part.reads for part in parts), _question(parts)


def _any(criterion: Criterion, needs: Needs) -> Leaf:
    parts = _parts(criterion["any"], needs)
    return either(*(part.expression for part in parts)), ", or ".join(part.reads for part in parts), _question(parts)


def _not(criterion: Criterion, needs: Needs) -> Leaf:
    part = compile_criterion(criterion["not"], needs)
    return negated(part.expression), f"not: {part.reads}", part.asks


def _possibly(criterion: Criterion, needs: Needs) -> Leaf:
    part = compile_criterion(criterion["possibly"], needs)
    return in_doubt(part.expression), f"possibly: {part.reads}", part.asks


def _weighed(criterion: Criterion, needs: Needs) -> Leaf:
    """True where only `yes` holds, false where only `no` holds; both or neither leave it open."""
    yes, no = (compile_criterion(criterion["weighed"][side], needs) for side in ("yes", "no"))
    for_it, against_it = yes.expression, no.expression
    contradiction = both(for_it, against_it)
    silence = negated(either(for_it, against_it))
    met = both(for_it, negated(against_it))
    return met_or_open(met, either(contradiction, silence)), yes.reads, yes.asks or no.asks


def _age(criterion: Criterion, needs: Needs) -> Leaf:
    years = needs.guidance.module.default("adult-years").value
    op, reads = (
        ("<=", f"{years} years or older") if criterion["age"] == "adult" else (">", f"younger than {years} years")
    )
    return (
        Formula(f"{needs.subject()}.birthDate {op} today() - {years} years", 1),
        f"{reads} †",
        Asks("Date of birth, to the day where it decides", "not-recorded"),
    )


def _undefined(criterion: Criterion, needs: Needs) -> Leaf:  # noqa: ARG001 - every leaf has this form
    word = criterion["undefined"]
    asks = Asks(f"“{word}”: its source leaves the word undefined", "undefined-in-source")
    return OPEN, f"“{word}”, a word that its source leaves undefined", asks


def _undecided(criterion: Criterion, needs: Needs) -> Leaf:  # noqa: ARG001 - every leaf has this form
    return OPEN, "not decided by the record", None


def _always(criterion: Criterion, needs: Needs) -> Leaf:  # noqa: ARG001 - every leaf has this form
    return ALWAYS, "always", None


_LEAVES: dict[str, Callable[[Criterion, Needs], Leaf]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "possibly": _possibly,
    "weighed": _weighed,
    "has-condition": of.has_condition,
    "lacks-condition": of.lacks_condition,
    "mentioned": of.mentioned,
    "hinted": of.hinted,
    "ever": of.ever,
    "allergy": of.allergy,
    "recent-onset": of.recent_onset,
    "onset-known": of.onset_known,
    "began-after": of.began_after,
    "order": on.order,
    "procedure": on.procedure,
    "observation": on.observation,
    "unrecognised-medicine": on.unrecognised_medicine,
    "age": _age,
    "undefined": _undefined,
    "undecided": _undecided,
    "always": _always,
}
