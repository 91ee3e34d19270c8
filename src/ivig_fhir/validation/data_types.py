"""Invariants of the data types: Expression, DataRequirement, TriggerDefinition, Timing, Quantity, Period and others."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

from ivig_fhir.fhir import UCUM
from ivig_fhir.validation.elements import R5
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import (
    Value,
    has,
    has_choice,
    implies,
    invariant,
    number,
    rule,
    text,
    within,
)
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.primitives import CONTROL

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_QUANTITIES = ("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_FRACTION = re.compile(r"\.\d+")


def _in_order(low: str, high: str) -> bool:
    """Whether two dates or times of different precision can be in this order (per-1)."""
    low, high = _FRACTION.sub("", low), _FRACTION.sub("", high)
    shared = min(len(low), len(high))
    same_zone = low[19:] == high[19:] or shared <= 10
    return low[: shared if same_zone else 10] <= high[: shared if same_zone else 10]


def _range_in_order(low: Value, high: Value) -> bool:
    small, large = number(low, "value"), number(high, "value")
    same_unit = text(low, "code") == text(high, "code") and text(low, "unit") == text(high, "unit")
    return small is None or large is None or not same_unit or small <= large


def _trigger(value: Value) -> bool:
    kind = text(value, "type")
    return (
        implies(kind == "named-event", has(value, "name"))
        and implies(kind == "periodic", has_choice(value, "timing"))
        and implies(kind.startswith("data-"), has(value, "data"))
    )


def _ratio(value: Value) -> bool:
    above, below = has(value, "numerator"), has(value, "denominator")
    return (above and below) or (not above and not below and has(value, "extension"))


invariant(
    "language-tag",
    "Resource",
    lambda value: not text(value, "language") or _LANGUAGE_TAG.fullmatch(text(value, "language")),
    says="The language of a resource is a tag of BCP 47: en, de-CH; the value set of all languages is required of it.",
    seen="a language that is no tag of BCP 47",
    allowed="such as en, en-US, zh-Hans",
    at="language",
)
invariant(
    "ext-1",
    "Extension",
    lambda value: has_choice(value, "value") != has(value, "extension"),
    says="An extension has a value or extensions of its own, and not both.",
    seen="an extension with value and extensions, or with neither",
    allowed="value[x], or nested extension",
)
invariant(
    "exp-1",
    "Expression",
    lambda value: has(value, "expression", "reference"),
    says="An Expression has an expression or a reference to one (AP-40).",
    seen="an Expression with neither expression nor reference",
)
invariant(
    "exp-2",
    "Expression",
    lambda value: implies(text(value, "name"), _NAME.fullmatch(text(value, "name"))),
    says="In R5 the name of an Expression is a letter and up to 63 letters, digits or underscores (RS-15).",
    seen="the name of the Expression is no variable name",
    allowed="[A-Za-z][A-Za-z0-9_]{0,63}",
    at="name",
    versions=(R5,),
)
invariant(
    "drq-1",
    "DataRequirementCodeFilter",
    lambda value: has(value, "path") != has(value, "searchParam"),
    says="A codeFilter has a path or a searchParam, and not both.",
    seen="a codeFilter with both path and searchParam, or with neither",
)
invariant(
    "drq-2",
    "DataRequirementDateFilter",
    lambda value: has(value, "path") != has(value, "searchParam"),
    says="A dateFilter has a path or a searchParam, and not both.",
    seen="a dateFilter with both path and searchParam, or with neither",
)
invariant(
    "trd-1",
    "TriggerDefinition",
    lambda value: not (has(value, "data") and has_choice(value, "timing")),
    says="A trigger has a timing or data, and not both.",
    seen="a trigger with timing and data",
)
invariant(
    "trd-2",
    "TriggerDefinition",
    lambda value: implies(has(value, "condition"), has(value, "data")),
    says="A trigger has a condition only together with data.",
    seen="a trigger with condition, without data",
)
invariant(
    "trd-3",
    "TriggerDefinition",
    _trigger,
    says="A named-event trigger has a name, a periodic one a timing, a data-… one data.",
    seen="a trigger without what its type needs",
    allowed="named-event: name; periodic: timing[x]; data-…: data",
)
invariant(
    "att-1",
    "Attachment",
    lambda value: implies(has(value, "data"), has(value, "contentType")),
    says="An Attachment with data says its contentType.",
    seen="data without contentType",
)


@rule("attachment-content", on="Attachment")
def content_is_what_it_says(node: Node) -> Iterator[Fault]:
    """The size and the hash (SHA-1) of an Attachment are those of its data."""
    try:
        content = base64.b64decode("".join(text(node.value, "data").split()), validate=True)
    except ValueError:  # the form of the data is another rule's
        return
    size, stated = node.value.get("size"), text(node.value, "hash")
    if content and size is not None and str(size) != str(len(content)):
        yield node.fault("size", seen=f"{size}, with {len(content)} bytes of data", allowed=str(len(content)))
    found = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()
    if content and stated and stated != found:
        yield node.fault("hash", seen=stated, allowed=found)


@rule("string-control", "warning", on="Resource")
def text_is_printable(node: Node) -> Iterator[Fault]:
    """A text holds control characters other than tab, line feed and carriage return; XML cannot carry them."""
    for each in node.artefact.nodes if node.artefact.document.escapes else ():
        for name, value in each.value.items():
            if isinstance(value, str) and CONTROL.search(value):
                yield each.fault(name, seen="a control character", allowed="printable text, tab and line ends")


invariant(
    "per-1",
    "Period",
    lambda value: implies(
        text(value, "start") and text(value, "end"), _in_order(text(value, "start"), text(value, "end"))
    ),
    says="A period does not end before it starts. Dates are compared as far as both are precise.",
    seen="a period that ends before it starts",
)
invariant(
    "qty-3",
    _QUANTITIES,
    lambda value: implies(has(value, "code"), has(value, "system")),
    says="A quantity with a coded unit says the system of the code.",
    seen="a unit code without system",
    allowed=UCUM,
)
invariant(
    "drt-1",
    "Duration",
    lambda value: implies(has(value, "system"), text(value, "system") == UCUM),
    says="The unit of a Duration is of UCUM.",
    seen="a Duration in another system than UCUM",
    allowed=UCUM,
    at="system",
)
invariant(
    "rng-2",
    "Range",
    lambda value: _range_in_order(within(value, "low"), within(value, "high")),
    says="The low end of a range is not above its high end, where both have one unit.",
    seen="a range whose low is above its high",
)
invariant(
    "rat-1",
    "Ratio",
    _ratio,
    says="A Ratio has numerator and denominator, or neither and an extension that says why.",
    seen="a Ratio with one of numerator and denominator",
)
invariant(
    "ref-2",
    "Reference",
    lambda value: has(value, "reference", "identifier", "display", "extension"),
    says="In R5 a Reference says something: reference, identifier, display or an extension.",
    seen="a Reference without reference, identifier and display",
    versions=(R5,),
)
invariant(
    "cpt-2",
    "ContactPoint",
    lambda value: implies(has(value, "value"), has(value, "system")),
    says="A ContactPoint with a value says of which system (phone, email, url …) it is.",
    seen="a contact value without system",
)
invariant(
    "dos-1",
    "Dosage",
    lambda value: implies(has(value, "asNeededFor"), value.get("asNeeded", True) is True),
    says="In R5 asNeededFor goes with asNeeded true, or without asNeeded.",
    seen="asNeededFor together with asNeeded false",
    versions=(R5,),
)
