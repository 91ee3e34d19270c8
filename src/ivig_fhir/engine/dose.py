"""An amount per weight that a source states × the recorded weight: arithmetic, never an order.

Exact decimals; the unit table and the range in which a weight is believed come from the definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ivig_fhir.engine.inputs import date_text, printed_date
from ivig_fhir.engine.plain_text import plain
from ivig_fhir.fhir import Resource, extension_value
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.plans import Amount

MISSING, UNUSABLE = "not-recorded", "unusable"


@dataclass(frozen=True)
class Dose:
    """kilograms × amount = grams, and the weight that it rests on."""

    kilograms: str
    grams: str
    weight: Resource


@dataclass(frozen=True)
class NoDose:
    """Why there is no arithmetic: not-recorded, not-available or unusable, and what was seen."""

    reason: str
    seen: str = ""


def stated_dose(amount: Amount, facts: Facts, content: Content) -> Dose | NoDose:
    """The arithmetic of a stated amount for this record, or why there is none."""
    found = facts.inputs.get(amount.weight, ())
    if not found:
        return NoDose("not-available" if amount.weight in facts.unavailable else MISSING)
    quantity = found[0].get("valueQuantity")
    if date_text(found[0], "effective")[:10] > facts.today.isoformat():
        return NoDose(UNUSABLE, f"{_seen(quantity)} of {printed_date(found[0])}")
    kilograms = _kilograms(quantity, content) if isinstance(quantity, dict) else None
    if kilograms is None:
        return NoDose(UNUSABLE, _seen(quantity))
    if any(_kilograms_of(item, content) != kilograms for item in found[1:]):
        return NoDose(UNUSABLE, " / ".join(_seen(item.get("valueQuantity")) for item in found))
    low, high = _believed(content.requirements[amount.weight].source, content)
    if not low <= kilograms <= high:
        return NoDose(UNUSABLE, _seen(quantity))
    return Dose(_printed(kilograms), _printed(kilograms * amount.value), found[0])


def _kilograms(quantity: dict[str, Any], content: Content) -> Decimal | None:
    factor = content.weight_units.get(str(quantity.get("code") or quantity.get("unit") or ""))
    value = quantity.get("value")
    if factor is None or isinstance(value, bool) or not isinstance(value, (int, Decimal)) or quantity.get("comparator"):
        return None
    return Decimal(value) * Decimal(factor.one("kilograms"))


def _kilograms_of(weight: Resource, content: Content) -> Decimal | None:
    quantity = weight.get("valueQuantity")
    return _kilograms(quantity, content) if isinstance(quantity, dict) else None


def _believed(requirement: dict[str, Any], content: Content) -> tuple[Decimal, Decimal]:
    limits = extension_value(requirement, f"{content.base}/StructureDefinition/ivig-plausible-range")
    return Decimal(limits["low"]["value"]), Decimal(limits["high"]["value"])


def _printed(value: Decimal) -> str:
    """At most one decimal, no trailing .0."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def _seen(quantity: Any) -> str:
    if not isinstance(quantity, dict):
        return "no quantity"
    return plain(f"{quantity.get('value')} {quantity.get('unit') or quantity.get('code') or 'without unit'}")
