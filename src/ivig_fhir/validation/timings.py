"""Invariants of Timing.repeat."""

from __future__ import annotations

from ivig_fhir.validation.invariants import Value, has, implies, invariant, number, texts


def _not_below_zero(value: Value, name: str) -> bool:
    found = number(value, name)
    return found is None or found >= 0


def _timing_needs(key: str, name: str, needed: str) -> None:
    invariant(
        key,
        "TimingRepeat",
        lambda value: implies(has(value, name), has(value, needed)),
        says=f"A timing with {name} has {needed}.",
        seen=f"{name} without {needed}",
    )


def _timing_counts(key: str, name: str) -> None:
    invariant(
        key,
        "TimingRepeat",
        lambda value: _not_below_zero(value, name),
        says=f"The {name} of a timing is not below zero.",
        seen=f"a {name} below zero",
        at=name,
    )


_timing_needs("tim-1", "duration", "durationUnit")
_timing_needs("tim-2", "period", "periodUnit")
_timing_counts("tim-4", "duration")
_timing_counts("tim-5", "period")
_timing_needs("tim-6", "periodMax", "period")
_timing_needs("tim-7", "durationMax", "duration")
_timing_needs("tim-8", "countMax", "count")
invariant(
    "tim-9",
    "TimingRepeat",
    lambda value: implies(
        has(value, "offset"), has(value, "when") and not {"C", "CM", "CD", "CV"} & set(texts(value, "when"))
    ),
    says="An offset is counted from a when, which is none of the meals themselves (C, CM, CD, CV).",
    seen="an offset without when, or from C, CM, CD or CV",
)
invariant(
    "tim-10",
    "TimingRepeat",
    lambda value: not (has(value, "timeOfDay") and has(value, "when")),
    says="A timing has timeOfDay or when, and not both.",
    seen="timeOfDay and when together",
)
