"""Every card of every case keeps the rules of CDS Hooks and the module's own contract."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cases import Case, all_cases

CASES = list(all_cases())
EXTENSION = "org.example.ivig-fhir"
SCHEMA = json.loads(files("ivig_fhir.cds_hooks").joinpath("card-extension.schema.json").read_text("utf-8"))
FORBIDDEN = ("contraindicated", "cleared", "no cautions found", "overdue", "on target", "appropriate dose")


ANSWERED: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture
def cards(case: Case, ask: Any) -> list[dict[str, Any]]:
    """The cards of a case, asked for once."""
    if case.id not in ANSWERED:
        response = ask(case.request(), case.at)
        ANSWERED[case.id] = response.json["cards"] if response.status_code == 200 else []
    return ANSWERED[case.id]


everywhere = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def empty_values(value: Any, path: str = "") -> list[str]:
    """Paths of null, "", [] and {} outside the extension, whose lists may be empty."""
    if value is None or value in ("", [], {}):
        return [path]
    if isinstance(value, dict):
        return [
            found for key, item in value.items() if key != "extension" for found in empty_values(item, f"{path}.{key}")
        ]
    if isinstance(value, list):
        return [found for item in value for found in empty_values(item, path)]
    return []


@everywhere
def test_ch_52_53_55_59_62_67_68_71_74_each_card_is_well_formed(case: Case, cards: list[dict[str, Any]]) -> None:
    assert len(cards) <= 3
    assert len({card["uuid"] for card in cards}) == len(cards)
    for card in cards:
        assert 0 < len(card["summary"]) < 140
        assert card["indicator"] in ("info", "warning")
        assert card["source"]["label"]
        assert card["source"]["url"].startswith("https://cds.example.org/guidance/")
        assert "<" not in card["detail"]
        for reason in card.get("overrideReasons", ()):
            assert {"code", "system", "display"} <= set(reason)
        for link in card.get("links", ()):
            assert link["label"]
            assert link["type"] == "absolute"
        for suggestion in card.get("suggestions", ()):
            assert card["selectionBehavior"] == "any"
            assert suggestion["label"]
            assert suggestion["uuid"]
            assert all(action["type"] == "create" and action["description"] for action in suggestion["actions"])


@everywhere
def test_ch_02_03_nothing_empty_is_sent(case: Case, cards: list[dict[str, Any]]) -> None:
    assert [found for card in cards for found in empty_values(card)] == []


@everywhere
def test_the_extension_keeps_its_published_schema(case: Case, cards: list[dict[str, Any]]) -> None:
    for card in cards:
        Draft202012Validator(SCHEMA).validate(card["extension"][EXTENSION])


@everywhere
def test_h6_at_most_one_suggestion_and_it_carries_no_dose(case: Case, cards: list[dict[str, Any]]) -> None:
    suggested = [
        action["resource"] for card in cards for item in card.get("suggestions", ()) for action in item["actions"]
    ]
    assert len(suggested) <= 1
    for resource in suggested:
        assert resource["resourceType"] == "MedicationRequest"
        assert resource["status"] == "draft"
        assert resource["intent"] == "proposal"
        assert "dosageInstruction" not in resource
    assert not suggested or all(card["indicator"] == "info" for card in cards)


@everywhere
def test_no_card_says_what_none_may_say(case: Case, cards: list[dict[str, Any]]) -> None:
    for card in cards:
        text = f"{card['summary']}\n{card['detail']}".lower()
        for word in FORBIDDEN:
            assert word not in text
        assert not re.search(r"\bdays ago\b", text)


@everywhere
def test_h18_the_standing_of_a_source_stands_before_its_first_statement(
    case: Case, cards: list[dict[str, Any]]
) -> None:
    for card in cards:
        for source in ("S1", "S2", "S3", "S4"):
            first = re.search(rf"{source}-\d{{3}}|{source}: “", card["detail"])
            if first:
                named = re.search(rf"{source} = .*?\((?P<standing>[^)]*)\)", card["detail"])
                assert named, source
                assert named.start() < first.start()
                assert re.search("retired|unreviewed|undated", named["standing"])


@everywhere
def test_h3_grams_never_stand_without_the_sentence_that_limits_them(case: Case, cards: list[dict[str, Any]]) -> None:
    for card in cards:
        for found in re.finditer(r"= [0-9.]+ g\b", card["detail"]):
            assert card["detail"][found.end() :].startswith(", arithmetic, not an order")
