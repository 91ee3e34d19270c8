"""What a card repeats of a record without a verdict: results as sent, and days since a recorded date."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

from ivig_fhir.engine.inputs import earliest_day, printed_date, printed_value
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.plans import Unit

LONGEST = 80  # characters of an allergy record that a card repeats


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


def allergy_words(allergy: Resource) -> str:
    """Substance and reactions of an allergy record in its own words, as plain text; nothing when it has none."""
    concepts = [allergy.get("code")]
    for reaction in _objects(allergy.get("reaction")):
        concepts += _objects(reaction.get("manifestation"))
    words = ", ".join(dict.fromkeys(text for text in map(_words, _objects(concepts)) if text))
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def _objects(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _words(concept: dict[str, Any]) -> str:
    """The text of a concept, or else its first display, without what Markdown, HTML or a link would act on."""
    texts = [concept.get("text"), *(coding.get("display") for coding in _objects(concept.get("coding")))]
    said = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    return " ".join(re.sub(r"[^\w,;%+-]|_", " ", said).split())
