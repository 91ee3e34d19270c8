"""Each case is a patient: what reaches the reader is what the case expects."""

from __future__ import annotations

from typing import Any

import pytest

from cases import Case, all_cases

CASES = list(all_cases())
EXTENSION = "org.example.ivig-fhir"


def units_of(cards: list[dict[str, Any]]) -> dict[str, str]:
    """unit -> applicability, over all cards."""
    return {
        unit["id"]: unit["applicability"] for card in cards for unit in card["extension"][EXTENSION]["recommendations"]
    } | {name: "applicable" for card in cards for name in card["extension"][EXTENSION].get("notices", ())}


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_case(case: Case, ask: Any) -> None:
    response = ask(case.request(), case.at)
    expect = case.expect
    assert response.status_code == expect.get("status", 200), response.get_data(as_text=True)
    if response.status_code != 200:
        return
    cards = response.json["cards"]
    shown = units_of(cards)
    text = "\n".join(card["summary"] + "\n" + card["detail"] for card in cards)
    for unit, applicability in expect.get("units", {}).items():
        assert shown.get(unit, "silent") == applicability, f"{unit}\n{text}"
    if expect.get("only"):
        assert set(shown) == {unit for unit, applicability in expect["units"].items() if applicability != "silent"}, (
            text
        )
    if "cards" in expect:
        assert len(cards) == expect["cards"], text
    if "indicator" in expect:
        assert {card["indicator"] for card in cards} >= {expect["indicator"]}, text
        if expect["indicator"] == "info":
            assert all(card["indicator"] == "info" for card in cards), text
    if "first" in expect:
        assert cards[0]["extension"][EXTENSION]["plan"].split("/")[-1].split("|")[0] == expect["first"]
    for phrase in expect.get("says", ()):
        assert phrase in text, text
    for phrase in expect.get("never", ()):
        assert phrase.lower() not in text.lower(), text
    missing = [
        item["fact"]
        for card in cards
        for unit in card["extension"][EXTENSION]["recommendations"]
        for item in unit["missing"]
    ]
    for fact in expect.get("missing", ()):
        assert any(fact in item for item in missing), missing
    if "suggests" in expect:
        assert sum(len(card.get("suggestions", ())) for card in cards) == expect["suggests"], text
