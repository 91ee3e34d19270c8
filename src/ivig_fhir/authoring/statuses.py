"""Statuses and intents that criteria ask for, and the code systems that HL7 keeps them in.

The service reads the code alone, whatever system a record gives; the system stands there for whoever else reads the
requirement: a Coding without one has no defined meaning.
"""

from __future__ import annotations

from typing import Any

from ivig_fhir.fhir import THO

CURRENT = ("active", "recurrence", "relapse")
DOUBTFUL = ("unconfirmed", "provisional", "differential")
# in terminology.hl7.org (7.0.1) an allergy may be presumed, a kind of unconfirmed; R4's own list is older
DOUBTFUL_ALLERGY = ("unconfirmed", "presumed")
INTENTS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")
VALID_RESULTS = ("final", "amended", "corrected")
UNSTATED_STATUS = "unknown"  # also what the record's door writes where a status is absent

_FHIR = "http://hl7.org/fhir"
_VERIFICATION = f"{THO}/condition-ver-status"
_SYSTEMS = {
    ("Condition", "clinicalStatus"): f"{THO}/condition-clinical",
    ("Condition", "verificationStatus"): _VERIFICATION,
    ("AllergyIntolerance", "verificationStatus"): f"{THO}/allergyintolerance-verification",
    ("MedicationRequest", "status"): f"{_FHIR}/CodeSystem/medicationrequest-status",
    ("MedicationRequest", "intent"): f"{_FHIR}/CodeSystem/medicationrequest-intent",
    ("ServiceRequest", "status"): f"{_FHIR}/request-status",
    ("ServiceRequest", "intent"): f"{_FHIR}/request-intent",
    ("Procedure", "status"): f"{_FHIR}/event-status",
    ("Observation", "status"): f"{_FHIR}/observation-status",
}
_OF_CONDITIONS = ("provisional", "differential")  # a record may say so of an allergy too, in the words of conditions

Filter = dict[str, Any]


def codes(path: str, wanted: tuple[str, ...], system: str = "") -> Filter:
    """A codeFilter by codes; of a status or intent the system is added later, when the type is known."""
    head = {"system": system} if system else {}
    return {"path": path, "code": [head | {"code": code} for code in wanted]}


def doubtful_allergy() -> Filter:
    """Everything that an allergy's verification may say short of denying it."""
    found = codes("verificationStatus", ("confirmed", *DOUBTFUL_ALLERGY))
    return found | {"code": found["code"] + codes("", _OF_CONDITIONS, _VERIFICATION)["code"]}


def with_systems(resource_type: str, item: Filter) -> Filter:
    """The filter with the system of each code that has none. Raises KeyError for an element not known here."""
    if all("system" in code for code in item.get("code", ())):
        return item
    system = _SYSTEMS[resource_type, item["path"]]
    return item | {"code": [{"system": system} | code for code in item["code"]]}
