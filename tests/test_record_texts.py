"""What stands in a record stands on a card as text: no link, tag, heading or line of its own comes out of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from markdown_it import MarkdownIt

import patients
from conftest import Ask
from ivig_fhir.engine.plain_text import plain

EVIL = "[x](http://e.x)![i](HTTPS://e.x/p) www.e.x <b>z</b> <!-- `c` \\[y](z) \n\n# All clear\r\n- no"
NO_SUBJECT = {"resourceType": "Condition", "id": EVIL}


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "resourceType" in value:
            yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _resources(item)


def _with(kind: str, **changed: Any) -> dict[str, Any]:
    """The request with elements of each resource of a type changed; None takes an element away."""
    asked = copy.deepcopy(patients.request(patients.MONITORED))
    for found in [item for item in _resources(asked) if item["resourceType"] == kind]:
        found |= changed
        for name in [name for name, value in changed.items() if value is None]:
            del found[name]
    return asked


def _unread() -> dict[str, Any]:
    asked = patients.request(patients.MONITORED)
    asked["prefetch"]["conditions"]["entry"].append({"resource": NO_SUBJECT})
    return asked


PLACES = {
    "unit": _with("Observation", valueQuantity={"value": 9, "unit": EVIL}),
    "comparator": _with("Observation", valueQuantity={"value": 9, "unit": "g/L", "comparator": EVIL}),
    "value": _with("Observation", valueQuantity={"value": EVIL}),
    "text": _with("Observation", valueQuantity=None, valueString=EVIL),
    "date": _with("Observation", effectiveDateTime="http://e.x"),
    "order": _with("MedicationRequest", id=EVIL),
    "unread": _unread(),
}


@pytest.mark.parametrize("asked", PLACES.values(), ids=PLACES)
def test_nothing_of_a_record_acts_on_a_card(ask: Ask, asked: dict[str, Any]) -> None:
    text = "\n\n".join(card["detail"] for card in ask(asked).json["cards"])
    assert "e.x" in text, "it stands on the card"
    assert not [item for item in MarkdownIt("commonmark").parse(text) if item.type == "heading_open"]
    for active in ("](http", "](HTTP", "http://e", "HTTPS://e", "www.e", "<b", "</b", "<!", "`", "\\["):
        assert active not in text, active


@pytest.mark.parametrize(
    "unit", ["10*9/L", "[iU]/mL", "{INR}", "% (positive)", "< 0.3 mg/dL", "g/L_1", "urn:x", "1:80"]
)
def test_units_and_results_stay_as_they_are(unit: str) -> None:
    assert plain(unit) == unit
