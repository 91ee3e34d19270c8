"""Every card of every case keeps the rules of CDS Hooks and the module's own contract."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from conftest import Shown

EXTENSION = "org.example.ivig-fhir"
SCHEMA = json.loads(files("ivig_fhir.cds_hooks").joinpath("card-extension.schema.json").read_text("utf-8"))
FORBIDDEN = ("contraindicated", "cleared", "no cautions found", "overdue", "on target", "appropriate dose")


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


def test_ch_52_53_55_59_62_67_68_71_74_each_card_is_well_formed(shown: Shown) -> None:
    for case, card in shown:
        assert 0 < len(card["summary"]) < 140, case.id
        assert card["indicator"] in ("info", "warning"), case.id
        assert card["source"]["label"], case.id
        assert card["source"]["url"].startswith("https://cds.example.org/guidance/"), case.id
        assert "<" not in card["detail"], case.id
        assert all({"code", "system", "display"} <= set(reason) for reason in card.get("overrideReasons", ())), case.id
        assert all(link["label"] and link["type"] == "absolute" for link in card.get("links", ())), case.id
        for suggestion in card.get("suggestions", ()):
            assert card["selectionBehavior"] == "any", case.id
            assert suggestion["label"], case.id
            assert suggestion["uuid"], case.id
            assert all(action["type"] == "create" and action["description"] for action in suggestion["actions"])


def test_ch_02_03_nothing_empty_is_sent(shown: Shown) -> None:
    assert [(case.id, found) for case, card in shown for found in empty_values(card)] == []


def test_the_extension_keeps_its_published_schema(shown: Shown) -> None:
    validator = Draft202012Validator(SCHEMA)
    assert [case.id for case, card in shown if not validator.is_valid(card["extension"][EXTENSION])] == []


def test_h6_at_most_one_suggestion_an_answer_and_it_carries_no_dose(shown: Shown) -> None:
    by_case: dict[str, list[dict[str, Any]]] = {}
    for case, card in shown:
        by_case.setdefault(case.id, []).append(card)
    assert any(card.get("suggestions") for _, card in shown)
    for name, cards in by_case.items():
        actions = [action for card in cards for item in card.get("suggestions", ()) for action in item["actions"]]
        assert len(actions) <= 1, name
        for resource in (action["resource"] for action in actions):
            assert (resource["resourceType"], resource["status"]) == ("MedicationRequest", "draft"), name
            assert resource["intent"] == "proposal", name
            assert "dosageInstruction" not in resource, name
            assert resource["medicationCodeableConcept"]["text"], f"{name}: clients show the text of a draft"
        assert not actions or all(card["indicator"] == "info" for card in cards), name


def test_no_card_says_what_none_may_say(shown: Shown) -> None:
    for case, card in shown:
        text = f"{card['summary']}\n{card['detail']}".lower()
        assert not [word for word in FORBIDDEN if word in text], case.id
        assert not re.search(r"\bdays ago\b", text), case.id


def test_h18_the_standing_of_a_source_stands_before_its_first_statement(shown: Shown) -> None:
    for case, card in shown:
        for source in ("S1", "S2", "S3", "S4"):
            first = re.search(rf"{source}-\d{{3}}|{source}: “", card["detail"])
            if first:
                named = re.search(rf"{source} = .*?\((?P<standing>[^)]*)\)", card["detail"])
                assert named, f"{case.id} {source}"
                assert named.start() < first.start(), case.id
                assert re.search("retired|unreviewed|undated", named["standing"]), case.id


def test_h3_grams_never_stand_without_the_sentence_that_limits_them(shown: Shown) -> None:
    with_grams = 0
    for case, card in shown:
        for found in re.finditer(r"= [0-9.]+ g\b", card["detail"]):
            with_grams += 1
            assert card["detail"][found.end() :].startswith(", arithmetic, not an order"), case.id
    assert with_grams


def test_h9_every_immunoglobulin_order_says_that_no_caution_is_no_clearance(shown: Shown) -> None:
    orders = [
        (case, card)
        for case, card in shown
        if "order in question" in card["detail"] and "notice-label" in card["extension"][EXTENSION].get("notices", ())
    ]
    assert orders
    assert [
        case.id for case, card in orders if "the absence of a caution is no clearance" not in card["detail"].lower()
    ] == []


def test_h22_a_patient_reads_and_receives_only_what_the_sources_for_patients_say(shown: Shown) -> None:
    told = [(case, card) for case, card in shown if case.facts.get("reader") == "patient"]
    assert told
    for case, card in told:
        assert card["indicator"] == "info", case.id
        assert "suggestions" not in card, case.id
        assert "overrideReasons" not in card, case.id
        for unit in card["extension"][EXTENSION]["recommendations"]:
            assert all(name.startswith(("S1-", "S2-")) for name in unit["statements"]), case.id
            assert all(rating["source"] in ("S1", "S2") for rating in unit["ratings"]), case.id
        assert not re.search(r"\bS[34]\b", card["detail"]), case.id
