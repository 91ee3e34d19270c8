"""What a card repeats of a record without a verdict: results as sent, and days since a recorded date."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from ivig_fhir.engine.inputs import earliest_day, printed_date, printed_value
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.plans import Unit


class Result(NamedTuple):
    """A value as recorded, or (of a disease or procedure) the days since its date; `date` as the card prints it."""

    title: str
    value: str
    date: str
    days: int | None = None


def results_of(unit: Unit, facts: Facts) -> tuple[Result, ...]:
    """What is on record of the inputs that a unit repeats."""
    return tuple(
        _result(item.title, found, facts.today) for item in unit.prints for found in facts.inputs.get(item.input, ())
    )


def _result(title: str, found: Resource, today: date) -> Result:
    day = printed_date(found)
    if found["resourceType"] == "Observation":
        return Result(title, printed_value(found), day)
    whole = len(day) == len("2026-03-02")  # from a month or a year no days are counted, nor to a day to come
    since = earliest_day(day) if whole else None
    return Result(title, "", day, (today - since).days if since and since <= today else None)
