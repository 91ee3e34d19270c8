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
PINNED = ("kind", "direction", "conflicts", "newer")
# a patient is shown what the two sources for patients say, without their figures
SOURCES = {"practitioner": ("S1", "S2", "S3", "S4"), "patient": ("S1", "S2")}


@cache
def pins() -> dict[str, Any]:
    """unit -> what the ledger of the sources fixes of it."""
    return dict(yaml.load(PINS.read_text("utf-8"), yaml.CSafeLoader))


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
    _check_missing(expect.get("missing", ()), cards)
    yielding = {unit["id"]: unit["yieldsTo"] for unit in _units(cards)}
    for unit, above in expect.get("yields", {}).items():
        assert yielding[unit] == above, f"{unit}\n{text}"
    if "suggests" in expect:
        assert sum(len(card.get("suggestions", ())) for card in cards) == expect["suggests"], text
    _check_pins(cards, SOURCES[case.facts.get("reader", "practitioner")])


def _check_missing(expected: list[str] | dict[str, list[str]], cards: list[dict[str, Any]]) -> None:
    """What is asked for: by any unit of the response, or by the unit that the case names."""
    asked = {unit["id"]: [item["fact"] for item in unit["missing"]] for unit in _units(cards)}
    by_any = [fact for facts in asked.values() for fact in facts]
    wanted = expected.items() if isinstance(expected, dict) else [("", expected)]
    for unit, facts in wanted:
        for fact in facts:
            assert any(fact in item for item in (asked[unit] if unit else by_any)), asked


def holds(case: Case, status: int, cards: list[dict[str, Any]]) -> bool:
    """Whether the response is what the case expects."""
    try:
        check(case, status, cards)
    except (AssertionError, KeyError, IndexError):
        return False
    return True


def _check_pins(cards: list[dict[str, Any]], sources: tuple[str, ...]) -> None:
    """Every unit shown still says what the ledger fixes, of the sources that its reader is shown."""
    for card in cards:
        figures = set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"[SX]\d?-\d+|\bS\d\b", "", card["detail"])))
        for unit in card["extension"][EXTENSION]["recommendations"]:
            pinned = pins().get(unit["id"])
            if pinned is None:
                continue
            for name in PINNED:
                assert unit[name] == pinned[name], f"{unit['id']} {name}"
            ratings = [f"{item['statement']}: {item['wording']}" for item in unit["ratings"]]
            assert unit["statements"] == _of(pinned["statements"], sources), f"{unit['id']} statements"
            assert ratings == _of(pinned["ratings"], sources), f"{unit['id']} ratings"
            assert sources != SOURCES["practitioner"] or set(pinned["figures"]) <= figures, f"{unit['id']} figures"


def _of(texts: list[str], sources: tuple[str, ...]) -> list[str]:
    """Those that begin with one of the sources."""
    return [text for text in texts if text.startswith(sources)]
