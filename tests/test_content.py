"""The content as a whole: no unit that can never speak, no unsaid contradiction, no card that nobody would read."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pytest

import patients
from cases import Case, all_cases
from conftest import Shown
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.requests import read_patient_record, read_request
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem

AIM = 2500  # characters
LONGER = {  # topics of which some card misses the aim, and their bound; docs/decisions/0005-card-length.md says why
    "gbs": 5300,
    "paraprotein": 4200,
    "cidp": 4000,
    "safety": 3400,
    "vasculitis": 3300,
    "mmn": 3100,
    "cart": 3000,
    "mg": 2800,
    "lupus": 2800,
    "myositis": 2700,
}
CASES = list(all_cases())


def bases() -> list[Case]:
    """The first case of every unit's file: a patient for whom the unit speaks."""
    found: dict[str, Case] = {}
    for case in CASES:
        if case.topic != "vignettes":
            found.setdefault(f"{case.topic}/{case.file.stem}", case)
    return list(found.values())


def merged(one: Case, other: Case) -> dict[str, Any]:
    """One patient with the diseases, results and orders of both, at the day and hook of the first."""
    facts = dict(one.facts)
    for key in ("conditions", "observations", "medications", "procedures", "allergies", "orders"):
        both = {f"a-{name}": value for name, value in one.facts.get(key, {}).items()}
        both |= {f"b-{name}": value for name, value in other.facts.get(key, {}).items()}
        if both:
            facts[key] = both
    return facts


def standing(facts: dict[str, Any], responder: Responder) -> list[Finding]:
    try:
        request = read_request(dumps(patients.request(facts)).encode(), facts["hook"])
        record, gone = read_patient_record(request, responder.content)
    except Problem:
        return []
    if gone:
        return []
    evaluation = responder.evaluate(request, record, date.fromisoformat(str(facts["at"])))
    shown = {finding.unit.id: finding for card in evaluation.cards for finding in card.findings}
    return [finding for finding in shown.values() if finding.applicability != SILENT]


def contradictions(findings: list[Finding]) -> list[tuple[str, str]]:
    """Pairs for and against one intervention that share no conflict and of which none yields to the other."""
    found = []
    for one, other in itertools.combinations(findings, 2):
        directions = {one.unit.direction, other.unit.direction}
        if one.unit.intervention == other.unit.intervention and directions in (
            {"for", "against"},
            {"equivalent", "against"},
        ):
            declared = set(one.unit.conflicts) & set(other.unit.conflicts)
            ranked = one.unit.id in other.unit.yields_to or other.unit.id in one.unit.yields_to
            if not declared and not ranked:
                found.append((one.unit.id, other.unit.id))
    return found


@pytest.fixture(scope="module")
def responder(content: Content) -> Responder:
    return Responder(content)


def test_every_unit_that_may_be_shown_is_shown_in_some_case(content: Content) -> None:
    named = {unit for case in CASES for unit, word in case.expect.get("units", {}).items() if word != "silent"}
    assert [unit.id for unit in content.units.values() if unit.how != "never" and unit.id not in named] == []


def test_no_two_diseases_together_say_for_and_against_without_saying_that_they_do(responder: Responder) -> None:
    found: set[tuple[str, str]] = set()
    for one, other in itertools.combinations(bases(), 2):
        found |= set(contradictions(standing(merged(one, other), responder)))
    assert found == set()


def test_no_card_is_longer_than_the_aim_or_the_bound_of_its_topic(shown: Shown) -> None:
    lengths = [(case.id, _topic(card), len(card["detail"])) for case, card in shown]
    assert [item for item in lengths if item[2] > LONGER.get(item[1], AIM)] == []
    assert {topic for _, topic, length in lengths if length > AIM} == LONGER.keys()


def _topic(card: dict[str, Any]) -> str:
    body = card["extension"]["org.example.ivig-fhir"]
    return body.get("plan", "").partition("|")[0].rpartition("/")[2]
