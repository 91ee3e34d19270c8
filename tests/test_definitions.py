"""definitions/ is what guidance/ compiles to, and what the service runs on: nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import patients
from conftest import ROOT, Clock
from ivig_fhir import definitions_folder
from ivig_fhir.authoring.compiler import compile_guidance
from ivig_fhir.authoring.properties import description_of
from ivig_fhir.authoring.reader import read_guidance
from ivig_fhir.cli.main import cli
from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

PREDNISONE: dict[str, Any] = {
    "at": "2026-03-02",
    "hook": "order-sign",
    "patient": {"born": "1982-07-01"},
    "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
    "orders": {"prednisone": {"atc": "H02AB07"}},
}
Edit = Callable[[str, Callable[[str], str]], None]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of definitions/ to be edited by hand."""
    return Path(shutil.copytree(definitions_folder(), tmp_path / "definitions"))


@pytest.fixture
def edit(copied: Path) -> Edit:
    def by_hand(name: str, change: Callable[[str], str]) -> None:
        path = copied / "r4" / name
        before = path.read_text("utf-8")
        after = change(before)
        assert after != before
        path.write_text(after, "utf-8")

    return by_hand


def test_what_is_told_is_the_sentence_of_the_unit() -> None:
    plans = [json.loads(path.read_bytes()) for path in (definitions_folder() / "r4").glob("PlanDefinition-*.json")]
    told = [item for plan in plans for item in plan["action"][0]["action"] if "definitionCanonical" in item]
    assert len(told) > 50
    for action in told:
        (payload,) = [item for item in action["dynamicValue"] if item["path"] == "payload.content"]
        literal = payload["expression"]["expression"]
        assert literal[0] == literal[-1] == "'"
        assert literal[1:-1].replace("\\'", "'").replace("\\n", "\n") == action["description"], action["id"]


def started(folder: Path) -> FlaskClient:
    return create_app(Settings(definitions=folder), Clock()).test_client()


def cards(folder: Path, facts: dict[str, Any] = PREDNISONE) -> list[dict[str, Any]]:
    response = started(folder).post(f"/cds-services/ivig-{facts['hook']}", json=patients.request(facts))
    assert response.status_code == 200
    return list(response.json["cards"])


def test_definitions_are_the_bytes_that_guidance_compiles_to() -> None:
    files = compile_guidance(read_guidance(ROOT / "guidance"))
    committed = {
        path.relative_to(definitions_folder()).as_posix(): path.read_bytes()
        for path in definitions_folder().rglob("*.json")
    }
    assert files == committed


def test_compile_check_names_the_file_in_which_one_character_differs(copied: Path, edit: Edit) -> None:
    edit("ValueSet-mmn.json", lambda text: text.replace("G61.82", "G61.83", 1))
    run = CliRunner().invoke(
        cli, ["compile", "--check", "--guidance", str(ROOT / "guidance"), "--definitions", str(copied)]
    )
    assert run.exit_code == 1
    assert "r4/ValueSet-mmn.json: stale" in run.output


def test_compile_check_names_missing_and_stray_files(copied: Path) -> None:
    (copied / "r4" / "ValueSet-mmn.json").rename(copied / "r4" / "ValueSet-nmm.json")
    run = CliRunner().invoke(
        cli, ["compile", "--check", "--guidance", str(ROOT / "guidance"), "--definitions", str(copied)]
    )
    assert run.exit_code == 1
    assert "r4/ValueSet-mmn.json: missing" in run.output
    assert "r4/ValueSet-nmm.json: stray" in run.output


def test_changing_a_code_by_hand_changes_the_card(copied: Path, edit: Edit) -> None:
    assert cards(copied)
    edit("ValueSet-mmn.json", lambda text: text.replace("G61.82", "G99.99"))
    assert cards(copied) == []


def test_changing_a_condition_by_hand_changes_the_card(copied: Path, edit: Edit) -> None:
    def never_applicable(text: str) -> str:
        plan = json.loads(text)
        unit = next(item for item in plan["action"][0]["action"] if item["id"] == "mmn-steroid")
        unit["condition"][0]["expression"]["expression"] = "%mmn.exists().not()"
        return json.dumps(plan)

    edit("PlanDefinition-mmn.json", never_applicable)
    (card,) = cards(copied)
    assert card["indicator"] == "info"
    assert "mmn-steroid" not in [unit["id"] for unit in card["extension"]["org.example.ivig-fhir"]["recommendations"]]


def test_changing_a_title_by_hand_changes_the_card(copied: Path, edit: Edit) -> None:
    title = cards(copied)[0]["summary"].partition(": ")[2]
    edit("PlanDefinition-mmn.json", lambda text: text.replace(title, "Another headline"))
    assert cards(copied)[0]["summary"].endswith(": Another headline")


def test_changing_a_rating_by_hand_changes_the_card(copied: Path, edit: Edit) -> None:
    edit(
        "PlanDefinition-mmn.json",
        lambda text: text.replace(
            '"valueString": "ineffective or detrimental"', '"valueString": "of unknown effect"', 1
        ),
    )
    assert "S4: “of unknown effect”" in cards(copied)[0]["detail"]


@pytest.mark.parametrize(
    ("before", "after", "place", "allowed"),
    [
        ("%mmn.exists() or", "%mmn.exists() garbage or", "character 15", "'and', 'or'"),
        ("%mmn.exists() or", "%mmn or", "character 1", "exists()"),
        ("%mmn.exists() or", "%nobody.exists() or", "nobody", "ids of action.input"),
        ("%mmn.exists() or", "%mmn.exists( or", "character 14", "a path, a value"),
        ("%mmn.exists() or", "%mmn.repeat(code) or", "repeat", "exists, where, first"),
        ("%mmn.exists() or", "%mmn.exists() ; or", "';'", "operator"),
    ],
)
def test_a_condition_outside_the_grammar_stops_the_start_with_its_place(
    copied: Path, edit: Edit, before: str, after: str, place: str, allowed: str
) -> None:
    edit("PlanDefinition-mmn.json", lambda text: text.replace(f'"expression": "{before}', f'"expression": "{after}', 1))
    with pytest.raises(Problem) as stopped:
        started(copied)
    assert "PlanDefinition/mmn action mmn-ivig condition mmn-current" in str(stopped.value)
    assert place in str(stopped.value)
    assert allowed in str(stopped.value)


def test_an_empty_value_set_stops_the_start(copied: Path, edit: Edit) -> None:
    def emptied(text: str) -> str:
        value_set = json.loads(text)
        value_set["expansion"]["contains"] = []
        return json.dumps(value_set)

    edit("ValueSet-mmn.json", emptied)
    with pytest.raises(Problem, match="ValueSet/mmn: has no expansion, or an empty one"):
        started(copied)


def test_a_missing_value_set_stops_the_start(copied: Path) -> None:
    (copied / "r4" / "ValueSet-mmn.json").unlink()
    with pytest.raises(Problem, match="ValueSet/mmn, which does not exist"):
        started(copied)


def test_a_broken_file_stops_the_start(copied: Path, edit: Edit) -> None:
    edit("ValueSet-mmn.json", lambda text: text[:-5])
    with pytest.raises(Problem, match=r"ValueSet-mmn.json: is no JSON"):
        started(copied)


@pytest.mark.parametrize("system", ["", "http://terminology.hl7.org/CodeSystem/condition-clinical", "urn:oid:1.2.3"])
def test_a_status_counts_by_its_code_whatever_system_a_record_gives(system: str) -> None:
    asked = patients.request(PREDNISONE)
    for entry in asked["prefetch"]["conditions"]["entry"]:
        for status in ("clinicalStatus", "verificationStatus"):
            for coding in entry["resource"][status]["coding"]:
                coding.pop("system", None)
                coding |= {"system": system} if system else {}
    response = started(definitions_folder()).post("/cds-services/ivig-order-sign", json=asked)
    assert [card["indicator"] for card in response.json["cards"]] == ["warning"]


@pytest.mark.parametrize("edition", ["r4", "r5"])
def test_each_code_that_an_extension_of_ours_may_hold_is_bound_to_a_value_set(edition: str) -> None:
    unbound = [
        (path.stem, element["id"])
        for path in (definitions_folder() / edition).glob("StructureDefinition-*.json")
        for element in json.loads(path.read_text("utf-8"))["differential"]["element"]
        if {"code": "code"} in element.get("type", ()) and "binding" not in element
    ]
    # which holds the id of an action, not a word of any list
    assert unbound == [("StructureDefinition-ivig-yields-to", "Extension.value[x]")]


def test_a_property_of_a_code_system_without_a_meaning_is_not_compiled() -> None:
    assert description_of("ivig-newer", "year")
    with pytest.raises(KeyError, match="ivig-newer has the property shade"):
        description_of("ivig-newer", "shade")
