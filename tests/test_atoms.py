"""Every input of the content against every way in which its data may come (the atoms of the published conditions).

match                      true, also on an incomplete page
none, query complete       false
none, query not had        unknown: absent, an OperationOutcome, or a page that was cut (except for "the newest")
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import patients
from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.requests import HookRequest, read_patient_record
from ivig_fhir.engine.inputs import build_index, gather
from ivig_fhir.knowledge.conditions import compile_condition
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.knowledge.requirements import DRAFTS, CodeFilter, Requirement

CONTENT = load_content(definitions_folder() / "r4")
HINTS = CONTENT.definitions.read("CodeSystem", "ivig-hint")
TODAY = date(2026, 3, 2)
INPUTS = [item for name, item in sorted(CONTENT.requirements.items()) if name != "subject"]
QUERIED = [item for item in INPUTS if item.key != DRAFTS]
DRAFTED = [item for item in INPUTS if item.key == DRAFTS]
DATE_ELEMENTS = {
    "effective": "effectiveDateTime",
    "performed": "performedDateTime",
    "authoredOn": "authoredOn",
    "onset": "onsetDateTime",
}


def phrase(code: str) -> str:
    concept = next(item for item in HINTS["concept"] if item["code"] == code)
    return str(next(item["valueString"] for item in concept["property"] if item["code"] == "phrase"))


def concept(part: CodeFilter) -> dict[str, Any] | None:
    """A CodeableConcept that passes a filter; None where the filter wants an element without a readable code."""
    systems = sorted(code for code in part.codes if code[0] and code[0] != CONTENT.hints.system)
    if systems:
        return {"coding": [{"system": systems[0][0], "code": systems[0][1]}]}
    (hint,) = [code for system, code in part.codes if system == CONTENT.hints.system] or [""]
    return None if (CONTENT.hints.system, hint) == CONTENT.hints.unreadable else {"text": phrase(hint)}


def matching(requirement: Requirement) -> dict[str, Any]:
    """A resource that meets every filter of a requirement."""
    kind = requirement.type
    resource: dict[str, Any] = {"resourceType": kind, "id": "r1"}
    resource["patient" if kind == "AllergyIntolerance" else "subject"] = patients.SUBJECT
    for part in requirement.filters:
        if part.path in ("status", "intent"):
            resource[part.path] = sorted(code for _, code in part.codes)[0]
        elif part.path in ("clinicalStatus", "verificationStatus"):
            resource[part.path] = {"coding": [{"code": sorted(code for _, code in part.codes)[0]}]}
        elif (value := concept(part)) is not None:
            place(resource, part.path, value)
    resource.setdefault("code", {"text": "something"})
    dated = requirement.window[0] if requirement.window else requirement.newest
    if dated:
        resource[DATE_ELEMENTS[dated]] = "2026-03-01"
    return resource


def place(resource: dict[str, Any], path: str, value: dict[str, Any]) -> None:
    if path == "medication":
        resource["medicationCodeableConcept"] = value
    elif path == "dosageInstruction.route":
        resource["dosageInstruction"] = [{"route": value}]
    elif path == "value":
        resource["valueString"] = value["text"]
    elif path == "reasonCode":
        resource["reasonCode"] = [value]
    else:
        resource[path] = value


def truth(
    requirement: Requirement, content: Content, changed: dict[str, Any], drafts: tuple[dict[str, Any], ...] = ()
) -> bool | None:
    prefetch = {key: patients.searchset([]) for key in content.prefetch} | {
        "patient": patients.patient({"born": "1980-01-01"})
    }
    prefetch |= changed
    for key in [key for key, value in prefetch.items() if value == "absent"]:
        del prefetch[key]
    record, _ = read_patient_record(HookRequest("order-sign", "i", "p1", "Practitioner/1", prefetch, drafts), content)
    facts = gather(record, content, build_index(content.requirements.values()), TODAY)
    return compile_condition(f"%{requirement.id}.exists()").evaluate(facts).truth


def cut(resources: list[dict[str, Any]]) -> dict[str, Any]:
    return patients.searchset(resources) | {"link": [{"relation": "next", "url": "https://ehr.example.org/2"}]}


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
of_queries = pytest.mark.parametrize("requirement", QUERIED, ids=[item.id for item in QUERIED])
of_drafts = pytest.mark.parametrize("requirement", DRAFTED, ids=[item.id for item in DRAFTED])


@of_queries
def test_a_match_is_true_on_a_whole_and_on_a_cut_page(requirement: Requirement) -> None:
    found = [matching(requirement)]
    assert truth(requirement, CONTENT, {requirement.key: patients.searchset(found)}) is True
    assert truth(requirement, CONTENT, {requirement.key: cut(found)}) is True


@of_queries
def test_none_in_a_complete_answer_is_false(requirement: Requirement) -> None:
    assert truth(requirement, CONTENT, {}) is False
    assert truth(requirement, CONTENT, {requirement.key: None}) is False


@of_queries
def test_none_in_what_could_not_be_had_is_unknown(requirement: Requirement) -> None:
    assert truth(requirement, CONTENT, {requirement.key: "absent"}) is None
    assert truth(requirement, CONTENT, {requirement.key: OUTCOME}) is None


@of_queries
def test_none_on_a_cut_page_is_unknown_unless_the_newest_is_wanted(requirement: Requirement) -> None:
    assert truth(requirement, CONTENT, {requirement.key: cut([])}) is (False if requirement.newest else None)


@of_queries
def test_a_resource_of_another_status_or_code_does_not_count(requirement: Requirement) -> None:
    other = matching(requirement) | {
        "status": "entered-in-error",
        "verificationStatus": {"coding": [{"code": "entered-in-error"}]},
    }
    assert truth(requirement, CONTENT, {requirement.key: patients.searchset([other])}) is False


@of_drafts
def test_an_order_in_question_counts_and_one_on_record_does_not(requirement: Requirement) -> None:
    draft = matching(requirement)
    assert truth(requirement, CONTENT, {}, (draft,)) is True
    assert truth(requirement, CONTENT, {}) is False
    key = "medications" if requirement.type == "MedicationRequest" else "conditions"
    assert truth(requirement, CONTENT, {key: patients.searchset([draft])}) is False
