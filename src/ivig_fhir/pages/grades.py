"""A source's own grade of evidence as bars, out of the certainty of Evidence (R5); where no code is read, none."""

from __future__ import annotations

from typing import Any

from ivig_fhir.fhir import as_list
from ivig_fhir.knowledge.plans import Rating

_BARS = {"very-low": 1, "low": 2, "moderate": 3, "high": 4}  # codes of HL7's certainty-rating


def bars(rating: Rating, certainty: list[dict[str, Any]]) -> tuple[int, str]:
    """(1 to 4, the code's name) of a rating that a certainty repeats word for word; (0, "") where it has no code."""
    for item in certainty:
        notes = [note["text"] for note in as_list(item.get("note"))]
        if item.get("description") == rating.wording and notes[:1] == [rating.statement]:
            for coding in as_list(item.get("rating", {}).get("coding")):
                return _BARS.get(coding["code"], 0), coding.get("display") or coding["code"]
    return 0, ""
