"""What a case expects, checked against the response: cards, units, texts, and the pins of every unit shown."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cases import Case

EXTENSION = "org.example.ivig-fhir"
PINS = Path(__file__).parent / "pins.yaml"
PINNED = ("kind", "direction", "statements", "conflicts", "newer")


@cache
def pins() -> dict[str, Any]:
    """unit -> what the ledger of the sources fixes of it."""
    return dict(yaml.load(PINS.read_text("utf-8"), yaml.CSafeLoader)) if PINS.is_file() else {}


def units_of(cards: list[dict[str, Any]]) -> dict[str, str]:
    """unit -> applicability, over all cards; notices count as applicable."""
    units = {unit["id"]: unit["applicability"] for unit in _units(cards)}
    return units | {name: "applicable" for card in cards for name in card["extension"][EXTENSION].get("notices", ())}


def _units(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [unit for card in cards for unit in card["extension"][EXTENSION]["recommendations"]]


def expected_units(expect: dict[str, Any], cards: list[dict[str, Any]]) -> set[str]:
    """The units that a complete list of expectations allows."""
    notices = {name for card in cards for name in card["extension"][EXTENSION].get("notices", ())}
    return {unit for unit, word in expect["units"].items() if word != "silent"} - notices


def check(case: Case, status: int, cards: list[dict[str, Any]]) -> None:
    """Raises AssertionError with the text of the cards."""
    expect = case.expect
    assert status == expect.get("status", 200)
    if status != 200:
        return
    shown = units_of(cards)
    text = "\n".join(card["summary"] + "\n" + card["detail"] for card in cards)
    for unit, applicability in expect.get("units", {}).items():
        assert shown.get(unit, "silent") == applicability, f"{unit}\n{text}"
    if expect.get("only"):  # notices are checked by name, not by completeness
        assert {unit["id"] for unit in _units(cards)} == expected_units(expect, cards), text
    assert len(cards) == expect.get("cards", len(cards)), text
    if "indicator" in expect:
        indicators = {card["indicator"] for card in cards}
        assert indicators == {"info"} if expect["indicator"] == "info" else expect["indicator"] in indicators, text
    if "first" in expect:
        assert f"/{expect['first']}|" in cards[0]["extension"][EXTENSION]["plan"]
    for phrase in expect.get("says", ()):
        assert phrase in text, text
    for phrase in expect.get("never", ()):
        assert phrase.lower() not in text.lower(), text
    missing = [item["fact"] for unit in _units(cards) for item in unit["missing"]]
    for fact in expect.get("missing", ()):
        assert any(fact in item for item in missing), missing
    if "suggests" in expect:
        assert sum(len(card.get("suggestions", ())) for card in cards) == expect["suggests"], text
    if case.facts.get("reader", "practitioner") == "practitioner":
        _check_pins(cards)


def _check_pins(cards: list[dict[str, Any]]) -> None:
    """Every unit shown to a professional still says what the ledger fixes: direction, statements, ratings, figures."""
    for card in cards:
        for unit in card["extension"][EXTENSION]["recommendations"]:
            pinned = pins().get(unit["id"])
            if pinned is None:
                continue
            for name in PINNED:
                assert unit[name] == pinned[name], f"{unit['id']} {name}"
            assert [f"{item['statement']}: {item['wording']}" for item in unit["ratings"]] == pinned["ratings"], unit[
                "id"
            ]
            figures = set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"[SX]\d?-\d+|\bS\d\b", "", card["detail"])))
            assert set(pinned["figures"]) <= figures, f"{unit['id']} figures"
