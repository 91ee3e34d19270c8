"""Figures as sources print them, out of Evidence (R5), as rows of a small chart with their denominators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ivig_fhir.fhir import as_list
from ivig_fhir.pages.publication import R5, Publication

PERCENT = "%"


@dataclass(frozen=True)
class Figure:
    """A number or a range: of what, of whom, where it stands.

    `start` and `width` place its bar on `scale`, in percent; a number that stands alone has no scale and no bar.
    """

    what: str
    value: str
    unit: str
    of: str
    notes: tuple[str, ...]
    start: float
    width: float
    scale: str


def figures(unit: str, publication: Publication) -> list[Figure]:
    """The figures of a unit; none where the module is not published in R5."""
    evidence = publication.find(R5, "Evidence", unit) or {}
    found = [(item, *span) for item in as_list(evidence.get("statistic")) for span in _spans(item)]
    tops: dict[str, list[Decimal]] = {}
    for _, _, high, name in found:
        tops.setdefault(name, []).append(high)
    return [_figure(item, low, high, name, _top(name, tops[name])) for item, low, high, name in found]


def _top(unit: str, highs: list[Decimal]) -> Decimal | None:
    """Where the scale of a unit ends: 100 %, or the highest of several numbers."""
    return Decimal(100) if unit == PERCENT else max(highs) if len(highs) > 1 else None


def _spans(statistic: dict[str, Any]) -> Iterator[tuple[Decimal, Decimal, str]]:
    """The quantity of a statistic as a span from zero, or the range of its estimate."""
    quantity = statistic.get("quantity")
    if isinstance(quantity, dict):
        yield Decimal(0), Decimal(str(quantity["value"])), str(quantity.get("unit", ""))
        return
    for estimate in as_list(statistic.get("attributeEstimate")):
        bounds = estimate.get("range")
        if isinstance(bounds, dict):
            low, high = bounds["low"], bounds["high"]
            yield Decimal(str(low["value"])), Decimal(str(high["value"])), str(high.get("unit", ""))


def _figure(item: dict[str, Any], low: Decimal, high: Decimal, unit: str, top: Decimal | None) -> Figure:
    full = top or Decimal(1)
    printed = f"{high}" if "quantity" in item else f"{low}–{high}"
    return Figure(
        item.get("description", ""),
        printed,
        unit,
        item.get("sampleSize", {}).get("description", ""),
        tuple(note["text"] for note in as_list(item.get("note"))),
        float(low / full * 100),
        float((high - low) / full * 100),
        f"0–{top} {unit}" if top else "",
    )
