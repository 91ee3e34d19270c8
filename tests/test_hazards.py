"""Every hazard of docs/safety-case.md has its control and what shows it: cases that name it, or tests of its number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cases import Case, all_cases
from conftest import ROOT, Clock
from expectations import holds, pins
from ivig_fhir import definitions_folder
from ivig_fhir.knowledge.content import Content, content_of
from ivig_fhir.knowledge.repository import definitions_of
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

HAZARDS = [f"H{number}" for number in range(1, 26)]
CONTENT = [name for name in HAZARDS if name not in ("H17", "H23")]  # a control that is content needs a case
PAGE = (ROOT / "docs" / "safety-case.md").read_text("utf-8")
CASES = list(all_cases())
TESTS = {
    name
    for path in (ROOT / "tests").glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
}


def rows() -> dict[str, list[str]]:
    """The cells of each row of the table, by hazard."""
    found = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| H\d+ \|", line)]
    assert len(found) == len({cells[0] for cells in found})
    return {cells[0]: cells for cells in found}


def named_by_cases() -> set[str]:
    return {hazard for case in CASES for hazard in case.hazards}


@pytest.mark.parametrize("hazard", HAZARDS)
def test_each_hazard_is_shown_by_a_case_or_by_a_test_of_its_number(hazard: str) -> None:
    own = [name for name in TESTS if name.startswith(f"test_{hazard.lower()}_")]
    assert own or hazard in named_by_cases()


@pytest.mark.parametrize("hazard", CONTENT)
def test_each_hazard_of_the_content_has_a_case(hazard: str) -> None:
    assert hazard in named_by_cases()


def test_cases_name_no_other_hazard() -> None:
    assert named_by_cases() <= set(HAZARDS)


@pytest.mark.parametrize("hazard", HAZARDS)
def test_the_page_tells_of_each_hazard_its_control_and_what_shows_it(hazard: str) -> None:
    cells = rows()[hazard]
    assert len(cells) == 7
    assert all(cells)
    shown_by = cells[6]
    cited = re.findall(r"cases: hazard (H\d+)", shown_by)
    assert set(cited) <= {hazard} & named_by_cases()
    assert cited or re.search(rf"\btest_{hazard.lower()}_", shown_by)


def test_the_page_names_no_other_hazard() -> None:
    assert list(rows()) == HAZARDS


def test_the_tests_that_the_page_names_exist() -> None:
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", PAGE))
    assert named
    assert named - TESTS == set()


def test_the_files_that_the_page_names_exist() -> None:
    named = set(re.findall(r"\b(?:guidance|src|tests|tools|docs)/[\w./-]*\w/?", PAGE))
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_units_that_the_page_names_exist(content: Content) -> None:
    topics = "\n".join(path.read_text("utf-8") for path in (ROOT / "guidance").rglob("*.yaml"))
    named = set(re.findall(r"`([a-z]+-[a-z-]+)`", " ".join(map(" ".join, rows().values()))))
    known = {name for name in named if re.search(rf"\bid: {name}\b|[\s{{]{name}:", topics)} | set(content.units)
    assert named - known == set()


def test_the_page_says_that_nobody_has_reviewed_it() -> None:
    assert "No clinician has reviewed this page, the content or a single card." in PAGE
    assert "to be rated again by a named clinician" in PAGE


def test_h6_no_other_unit_or_product_can_be_drafted(content: Content) -> None:
    proposing = {unit.id: unit.proposal for unit in content.units.values() if unit.proposal}
    assert set(proposing) == {"gbs-ivig-adult", "cidp-ivig", "mmn-ivig"}
    kinds = {json.dumps(item.activity.get("productCodeableConcept"), default=str) for item in proposing.values()}
    assert len(kinds) == 1
    assert "J06BA02" in kinds.pop()
    assert all("dosage" not in item.activity for item in proposing.values())


Change = Callable[[dict[str, Any]], None]


def _reversed(plan: dict[str, Any]) -> None:
    _unit(plan, "mmn-steroid")["code"][0]["coding"][0]["code"] = "for"


def _silenced(plan: dict[str, Any]) -> None:
    del _unit(plan, "mmn-steroid")["dynamicValue"]


def _lost(value_set: dict[str, Any]) -> None:
    contains = value_set["expansion"]["contains"]
    value_set["expansion"]["contains"] = [item for item in contains if item["code"] != "G61.82"]


def _same(_: dict[str, Any]) -> None:
    """Nothing is changed."""


def _unit(plan: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in plan["action"][0]["action"] if item["id"] == name)


def failing(file: str, change: Change) -> list[str]:
    """The cases of MMN that fail when one file of definitions/r4 is changed."""
    files = {path.name: path.read_bytes() for path in (definitions_folder() / "r4").glob("*.json")}
    resource = json.loads(files[file])
    change(resource)
    files[file] = json.dumps(resource).encode()
    clock = Clock()
    client = create_app(
        Settings(public_url="https://cds.example.org"), clock, content_of(definitions_of(files))
    ).test_client()
    return [case.id for case in CASES if case.topic == "mmn" and not _passes(case, client, clock)]


def _passes(case: Case, client: Any, clock: Clock) -> bool:
    clock.day = type(clock.day).fromisoformat(case.at)
    response = client.post(f"/cds-services/ivig-{case.facts['hook']}", json=case.request())
    return holds(case, response.status_code, response.json["cards"] if response.status_code == 200 else [])


@pytest.mark.parametrize(
    ("file", "change", "noticed"),
    [
        ("PlanDefinition-mmn.json", _same, False),
        ("PlanDefinition-mmn.json", _reversed, True),
        ("PlanDefinition-mmn.json", _silenced, True),
        ("ValueSet-mmn.json", _lost, True),
    ],
    ids=["nothing", "direction", "warning", "code"],
)
def test_h23_a_reversed_direction_a_lost_code_and_a_silenced_warning_fail_a_case(
    file: str, change: Change, noticed: bool
) -> None:
    assert bool(failing(file, change)) == noticed


def test_h23_the_direction_of_every_unit_that_speaks_is_pinned(content: Content) -> None:
    speaking = [unit for unit in content.units.values() if unit.how != "never" and unit.kind != "notice"]
    assert [unit.id for unit in speaking if pins().get(unit.id, {}).get("direction") != unit.direction] == []
