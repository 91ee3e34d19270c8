"""Requests of a given size: a patient whose disease and order the module knows, among much that it does not.

Disease and product are taken from the value sets of the definitions, the filling resources carry everyday
codes that stand in none of them. The same definitions and day give the same bytes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

Resource = dict[str, Any]

HOOK = "order-sign"
DISEASES = ("gbs", "mmn")  # the first that the definitions hold
WITHIN = 0.05  # of the size that was asked for
ICD, RXNORM = "http://hl7.org/fhir/sid/icd-10-cm", "http://www.nlm.nih.gov/research/umls/rxnorm"
SCT, LOINC = "http://snomed.info/sct", "http://loinc.org"
SUBJECT = {"reference": "Patient/p1", "display": "Benchmark, Patient"}
# everyday codes; one that a value set of the module comes to hold is left out
EVERYDAY = {
    "Condition": [
        (ICD, "H52.13", "Myopia, bilateral"),
        (ICD, "L70.0", "Acne vulgaris"),
        (ICD, "M17.11", "Unilateral primary osteoarthritis, right knee"),
        (ICD, "J30.1", "Allergic rhinitis due to pollen"),
        (ICD, "K02.9", "Dental caries, unspecified"),
        (ICD, "H61.21", "Impacted cerumen, right ear"),
        (ICD, "B35.1", "Tinea unguium"),
        (ICD, "M54.50", "Low back pain, unspecified"),
    ],
    "MedicationRequest": [
        (RXNORM, "311372", "loratadine 10 MG Oral Tablet"),
        (RXNORM, "198440", "acetaminophen 500 MG Oral Tablet"),
        (RXNORM, "198051", "omeprazole 20 MG Delayed Release Oral Capsule"),
        (RXNORM, "1014678", "cetirizine hydrochloride 10 MG Oral Tablet"),
        (RXNORM, "314076", "lisinopril 10 MG Oral Tablet"),
    ],
    "Procedure": [
        (SCT, "80146002", "Appendectomy"),
        (SCT, "73761001", "Colonoscopy"),
        (SCT, "103716009", "Placement of stent"),
        (SCT, "169553002", "Insertion of subcutaneous contraceptive"),
    ],
    "Observation": [
        (LOINC, "8867-4", "Heart rate"),
        (LOINC, "8310-5", "Body temperature"),
        (LOINC, "9279-1", "Respiratory rate"),
        (LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
    ],
}
KEYS = {
    "Condition": "conditions",
    "MedicationRequest": "medications",
    "Procedure": "procedures",
    "Observation": "labs",
}


def request_body(size: int, definitions: Path, day: date) -> bytes:
    """An order-sign request of about `size` bytes. Raises ValueError when it is not within 5 % of it."""
    body = _bare_request(definitions, day)
    filling = _filling(_members(definitions), day)
    length = len(_bytes(body))
    for resource in filling:
        added = len(_bytes(resource)) + 14  # its wrapping {"resource":…},
        if length + added / 2 > size:
            break
        body["prefetch"][KEYS[resource["resourceType"]]]["entry"].append({"resource": resource})
        length += added
    made = _bytes(body)
    if abs(len(made) - size) > WITHIN * size:
        raise ValueError(f"the request has {len(made)} bytes; allowed: {size} ± {WITHIN:.0%}")
    return made


def _bytes(resource: Resource) -> bytes:
    return json.dumps(resource, separators=(",", ":")).encode()


def _members(definitions: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Value set id -> (system, code, display)."""
    found = {}
    for path in sorted((definitions / "r4").glob("ValueSet-*.json")):
        value_set = json.loads(path.read_text("utf-8"))
        contains = value_set["expansion"]["contains"]
        found[value_set["id"]] = [(item["system"], item["code"], item.get("display", "")) for item in contains]
    return found


def _bare_request(definitions: Path, day: date) -> Resource:
    members = _members(definitions)
    disease = next(name for name in DISEASES if name in members)
    ill = next(item for item in members[disease] if item[0] == ICD)
    product = next(item for item in members["ivig-product"] if item[0] == RXNORM)
    weight = members["body-weight"][0]
    first = day - timedelta(days=7)
    order = _medication_request("draft-1", product, day) | {"status": "draft"}
    measured = _observation("weight-1", weight, first)
    measured["valueQuantity"] = {"value": 72.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    prefetch: Resource = {key: _searchset() for key in ("conditions", "medications", "procedures", "allergies")}
    prefetch |= {key: _searchset() for key in ("weight", "labs", "scales")}
    prefetch["conditions"]["entry"].append({"resource": _condition("disease-1", ill, first)})
    prefetch["weight"]["entry"].append({"resource": measured})
    prefetch["patient"] = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1971-05-17"}
    return {
        "hook": HOOK,
        "hookInstance": "6d1ef1f2-53f4-4b4f-9d0a-3f7f0c6f5a11",
        "context": {
            "userId": "Practitioner/d1",
            "patientId": "p1",
            "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]},
        },
        "prefetch": prefetch,
    }


def _searchset() -> Resource:
    return {"resourceType": "Bundle", "type": "searchset", "entry": []}


def _filling(members: dict[str, list[tuple[str, str, str]]], day: date) -> Iterator[Resource]:
    known = {(system, code) for value_set in members.values() for system, code, _ in value_set}
    makers: dict[str, Callable[..., Resource]] = {
        "Condition": _condition,
        "MedicationRequest": _medication_request,
        "Procedure": _procedure,
        "Observation": _observation,
    }
    codes = {
        kind: itertools.cycle([item for item in items if item[:2] not in known]) for kind, items in EVERYDAY.items()
    }
    for number in itertools.count(1):
        for kind, make in makers.items():
            yield make(f"{kind.lower()}-{number:04}", next(codes[kind]), day - timedelta(days=30 + number))


def _resource(kind: str, name: str, day: date) -> Resource:
    return {
        "resourceType": kind,
        "id": name,
        "meta": {"versionId": "1", "lastUpdated": f"{day}T08:30:00.000+00:00", "source": "urn:ehr:benchmark"},
        "identifier": [{"use": "usual", "system": "urn:oid:1.2.36.146.595.217.0.1", "value": f"bench-{name}"}],
        "subject": SUBJECT,
        "encounter": {"reference": f"Encounter/{name}", "display": "Office visit"},
        "note": [
            {"time": f"{day}T08:30:00Z", "text": "Entered during the visit; reconciled with the referral letter."}
        ],
    }


def _concept(code: tuple[str, str, str]) -> Resource:
    system, value, display = code
    return {"coding": [{"system": system, "code": value, "display": display}], "text": display}


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _condition(name: str, code: tuple[str, str, str], day: date) -> Resource:
    return _resource("Condition", name, day) | {
        "clinicalStatus": _status("condition-clinical", "active"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "category": [_status("condition-category", "problem-list-item")],
        "code": _concept(code),
        "onsetDateTime": str(day),
        "recordedDate": str(day),
    }


def _medication_request(name: str, code: tuple[str, str, str], day: date) -> Resource:
    route = {"coding": [{"system": SCT, "code": "26643006", "display": "Oral route"}]}
    return _resource("MedicationRequest", name, day) | {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept(code),
        "authoredOn": str(day),
        "dosageInstruction": [{"text": "as directed"} | ({} if name == "draft-1" else {"route": route})],
    }


def _procedure(name: str, code: tuple[str, str, str], day: date) -> Resource:
    return _resource("Procedure", name, day) | {
        "status": "completed",
        "code": _concept(code),
        "performedPeriod": {"start": f"{day}T09:00:00Z", "end": f"{day}T09:40:00Z"},
        "performer": [{"actor": {"reference": "Practitioner/d2", "display": "Benchmark, Surgeon"}}],
    }


def _observation(name: str, code: tuple[str, str, str], day: date) -> Resource:
    return _resource("Observation", name, day) | {
        "status": "final",
        "category": [_status("observation-category", "vital-signs")],
        "code": _concept(code),
        "effectiveDateTime": f"{day}T08:15:00Z",
        "valueQuantity": {"value": 71.25, "unit": "1/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }
