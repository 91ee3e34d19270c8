"""Patients as cases write them -> FHIR R4 resources and CDS Hooks requests.

A case names facts in a few words; this module spells them out. Nothing here decides anything.
"""

from __future__ import annotations

import copy
from typing import Any

SYSTEMS = {
    "icd-10-cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd-10": "http://hl7.org/fhir/sid/icd-10",
    "sct": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "atc": "http://www.whocc.no/atc",
    "loinc": "http://loinc.org",
    "icd-10-pcs": "http://www.cms.gov/Medicare/Coding/ICD10",
    "hcpcs": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "scale": "https://ivig-fhir.example.org/fhir/CodeSystem/ivig-scales",
    "local": "urn:local:codes",
    "oid-icd": "urn:oid:2.16.840.1.113883.6.90",
    "oid-rxnorm": "urn:oid:2.16.840.1.113883.6.88",
}
ROUTES = {"iv": "47625008", "sc": "34206005", "oral": "26643006", "im": "78421000", "intra-articular": "12130007"}
SEVERITIES = {"mild": "255604002", "moderate": "6736007", "severe": "24484000"}
KEYS = {
    "conditions": "Condition",
    "medications": "MedicationRequest",
    "procedures": "Procedure",
    "allergies": "AllergyIntolerance",
    "weight": "Observation",
    "labs": "Observation",
    "scales": "Observation",
}
SUBJECT = {"reference": "Patient/p1"}
UCUM = "http://unitsofmeasure.org"

Resource = dict[str, Any]

# the facts of one patient, whose chart is opened: a disease, and nothing else
MMN: dict[str, Any] = {
    "at": "2026-03-02",
    "hook": "patient-view",
    "patient": {"born": "1982-07-01"},
    "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
}
# what is monitored, and a caution, beside a drafted immunoglobulin
MONITORED: dict[str, Any] = {
    "hook": "order-sign",
    "patient": {"born": "1974-05-20"},
    "conditions": {"thrombocytopenia": {"icd-10-cm": "D69.3"}},
    "observations": {"igg": {"loinc": "2465-3", "value": 9.1, "unit": "g/L", "date": "2026-02-20"}},
    "orders": {"immunoglobulin": {"atc": "J06BA02", "route": "iv"}},
}


def codeable(fact: dict[str, Any]) -> Resource:
    """The CodeableConcept of a fact: every code system key that it has, and its text."""
    codings = [{"system": SYSTEMS[key], "code": str(fact[key])} for key in SYSTEMS if key in fact]
    found: Resource = {"coding": codings} if codings else {}
    return found | ({"text": fact["text"]} if "text" in fact else {})


def _status(code: str) -> Resource:
    return {"coding": [{"code": code}]}


def condition(name: str, fact: dict[str, Any]) -> Resource:
    """A Condition: active and confirmed unless the fact says otherwise; `absent` leaves an element out."""
    found: Resource = {"resourceType": "Condition", "id": name, "subject": SUBJECT, "code": codeable(fact)}
    for key, element, usual in (
        ("clinical", "clinicalStatus", "active"),
        ("verification", "verificationStatus", "confirmed"),
    ):
        if fact.get(key, usual) != "absent":
            found[element] = _status(fact.get(key, usual))
    if "severity" in fact:
        found["severity"] = {"coding": [{"system": SYSTEMS["sct"], "code": SEVERITIES[fact["severity"]]}]}
    for key, element in (("onset", "onsetDateTime"), ("abatement", "abatementDateTime"), ("recorded", "recordedDate")):
        if key in fact:
            found[element] = str(fact[key])
    return found


def quantity(fact: dict[str, Any]) -> Resource:
    """A value with its unit: in UCUM, or in words alone where the fact says `unit-system: none`."""
    unit: Resource = {} if fact.get("unit-system") == "none" else {"system": UCUM, "code": fact["unit"]}
    return {"value": fact["value"], "unit": fact["unit"]} | unit


def observation(name: str, fact: dict[str, Any]) -> Resource:
    """A final Observation; a number with a unit is a Quantity, without one an integer, anything else a string."""
    found: Resource = {
        "resourceType": "Observation",
        "id": name,
        "status": fact.get("status", "final"),
        "subject": SUBJECT,
        "code": codeable(fact),
    }
    if "date" in fact:
        found["effectiveDateTime"] = str(fact["date"])
    value = fact.get("value")
    if "unit" in fact:
        found["valueQuantity"] = quantity(fact)
    elif isinstance(value, int):
        found["valueInteger"] = value
    elif isinstance(value, dict):
        found["valueCodeableConcept"] = value
    elif value is not None:
        found["valueString"] = str(value)
    return found


def _dosage(fact: dict[str, Any]) -> Resource:
    """What a fact says of dosage: its words, the route, the amount."""
    found: Resource = {"text": fact["dosage"]} if "dosage" in fact else {}
    if "route" in fact:
        coded = {"coding": [{"system": SYSTEMS["sct"], "code": ROUTES.get(fact["route"])}]}
        found["route"] = coded if fact["route"] in ROUTES else {"text": fact["route"]}
    if "dose" in fact:
        found["doseAndRate"] = [{"doseQuantity": quantity(fact["dose"])}]
    return found


def order(name: str, fact: dict[str, Any], status: str) -> Resource:
    """A MedicationRequest, or a ServiceRequest where the fact says `type: service`."""
    service = fact.get("type") == "service"
    found: Resource = {
        "resourceType": "ServiceRequest" if service else "MedicationRequest",
        "id": name,
        "status": fact.get("status", status),
        "intent": fact.get("intent", "order"),
        "subject": SUBJECT,
    }
    if "medication-reference" in fact:
        found["medicationReference"] = {"reference": fact["medication-reference"]}
    else:
        found["code" if service else "medicationCodeableConcept"] = codeable(fact)
    if dosage := _dosage(fact):
        found["dosageInstruction"] = [dosage]
    if "outcome" in fact:
        found["statusReason"] = {"text": fact["outcome"]}
    if "reason" in fact:
        found["reasonCode"] = [codeable(fact["reason"])]
    if "date" in fact:
        found["authoredOn"] = str(fact["date"])
    if "end" in fact:
        found["dispenseRequest"] = {"validityPeriod": {"end": str(fact["end"])}}
    if fact.get("do-not-perform"):
        found["doNotPerform"] = True
    return found


def procedure(name: str, fact: dict[str, Any]) -> Resource:
    """A completed Procedure."""
    found: Resource = {
        "resourceType": "Procedure",
        "id": name,
        "status": fact.get("status", "completed"),
        "subject": SUBJECT,
        "code": codeable(fact),
    }
    if "begun" in fact:
        ended = {"end": str(fact["ended"])} if "ended" in fact else {}
        found["performedPeriod"] = {"start": str(fact["begun"])} | ended
    if "when" in fact:
        found["performedString"] = fact["when"]
    return found | ({"performedDateTime": str(fact["date"])} if "date" in fact else {})


def allergy(name: str, fact: dict[str, Any]) -> Resource:
    """An AllergyIntolerance."""
    found: Resource = {"resourceType": "AllergyIntolerance", "id": name, "patient": SUBJECT, "code": codeable(fact)}
    for key, element in (("clinical", "clinicalStatus"), ("verification", "verificationStatus")):
        if key in fact:
            found[element] = _status(fact[key])
    if "reaction" in fact:
        found["reaction"] = [{"manifestation": [{"text": fact["reaction"]}]}]
    return found | ({"recordedDate": str(fact["date"])} if "date" in fact else {})


def patient(fact: dict[str, Any]) -> Resource:
    """The Patient p1."""
    found: Resource = {"resourceType": "Patient", "id": "p1"}
    if "born" in fact:
        found["birthDate"] = str(fact["born"])
    if "sex" in fact:
        found["gender"] = fact["sex"]
    if "deceased" in fact:
        found["deceasedDateTime" if isinstance(fact["deceased"], str) else "deceasedBoolean"] = fact["deceased"]
    return found


def searchset(resources: list[Resource]) -> Resource:
    """A searchset Bundle."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources]}


def prefetch(facts: dict[str, Any]) -> dict[str, Any]:
    """Every prefetch key: `unavailable` ones left out, `failed` ones an OperationOutcome, `cut` ones one page."""
    made = {
        "conditions": [condition(*item) for item in facts.get("conditions", {}).items()],
        "medications": [order(*item, "active") for item in facts.get("medications", {}).items()],
        "procedures": [procedure(*item) for item in facts.get("procedures", {}).items()],
        "allergies": [allergy(*item) for item in facts.get("allergies", {}).items()],
    }
    observations = [observation(*item) for item in facts.get("observations", {}).items()]
    made |= {key: observations for key, kind in KEYS.items() if kind == "Observation"}
    found: dict[str, Any] = {"patient": patient(facts.get("patient", {}))} | {
        key: searchset(items) for key, items in made.items()
    }
    for key in facts.get("unavailable", ()):
        found.pop(key)
    for key in facts.get("failed", ()):
        found[key] = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}
    for key in facts.get("cut", ()):
        found[key] = found[key] | {"link": [{"relation": "next", "url": "https://ehr.example.org/next"}]}
    return found


def request(facts: dict[str, Any]) -> dict[str, Any]:
    """The CDS Hooks request of a case."""
    hook = facts["hook"]
    reader = {"practitioner": "Practitioner/d1", "patient": "Patient/p1"}[facts.get("reader", "practitioner")]
    context: dict[str, Any] = {"userId": reader, "patientId": "p1"}
    if hook == "encounter-start":
        context["encounterId"] = "e1"
    if hook in ("order-select", "order-sign"):
        drafts = [order(*item, "draft") for item in facts.get("orders", {}).items()] + facts.get("with-orders", [])
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": item} for item in drafts]}
        if hook == "order-select":
            context["selections"] = [f"{item['resourceType']}/{item['id']}" for item in drafts]
    return {
        "hook": hook,
        "hookInstance": "2f1c7a3e-6a53-4d0e-9a51-0f6b6b1f0d11",
        "context": context,
        "prefetch": prefetch(facts),
    }


def differing(base: dict[str, Any], differences: dict[str, Any]) -> dict[str, Any]:
    """The base patient with the named facts changed: 'conditions.mmn.clinical': 'resolved'; null takes a fact away."""
    found = copy.deepcopy(base)
    for path, value in differences.items():
        *parents, last = path.split("/")
        place = found
        for step in parents:
            place = place.setdefault(step, {})
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return found
