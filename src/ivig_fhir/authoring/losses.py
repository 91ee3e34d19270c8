"""What one FHIR edition cannot say of another: each loss named, none silent (RS-nn of the conversion rules)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ivig_fhir.fhir import Resource, dumps


@dataclass(frozen=True, order=True)
class Loss:
    """An element that the other edition lacks: of which resource, what became of it, by which rule."""

    resource: str
    element: str
    became: str
    rule: str


class Converted(NamedTuple):
    """A resource in the other edition, and what that edition cannot say of it."""

    resource: Resource
    losses: tuple[Loss, ...]


def report(losses: Iterable[Loss]) -> bytes:
    """losses.json: by resource and element, the same bytes every time."""
    rows = [
        {"resource": item.resource, "element": item.element, "became": item.became, "rule": item.rule}
        for item in sorted(losses)
    ]
    return dumps(rows).encode()
