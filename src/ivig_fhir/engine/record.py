"""One patient's resources as they came, and what could not be had.

A record holds one patient: a resource of another is refused. A resource that cannot be read, or that does not say
whose it is, is left out, named, and makes its query incomplete, or not had where nothing is left: not knowing is
not "no". A drafted order stands in the context of its patient and need not say it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ivig_fhir.fhir import MOST_DIGITS, Resource, as_list, reference_to
from ivig_fhir.problems import problem


class _Form(NamedTuple):
    """What is looked at in a resource of a type: the element that says whose it is, the elements without which it
    means nothing, those that are concepts, and those that no R4 resource of the type has (DSTU2, STU3, R5; CH-39).
    """

    subject: str
    needed: frozenset[str]
    concepts: tuple[str, ...]
    foreign: tuple[str, ...]


_STATUS_AND_INTENT = frozenset({"status", "intent"})
_OF_A_PROBLEM = ("code", "clinicalStatus", "verificationStatus")
_OCCURRENCE = tuple(f"occurrence{kind}" for kind in ("DateTime", "Period", "String", "Age", "Range"))
_FORMS = {
    "Condition": _Form("subject", frozenset(), _OF_A_PROBLEM, ("patient", "dateRecorded")),
    "Observation": _Form("subject", frozenset({"status", "code"}), ("code",), ("context", "triggeredBy", "related")),
    "Procedure": _Form("subject", frozenset({"status"}), ("code",), _OCCURRENCE),
    "MedicationRequest": _Form(
        "subject", _STATUS_AND_INTENT, ("medicationCodeableConcept",), ("medication", "reason", "context")
    ),
    "ServiceRequest": _Form("subject", _STATUS_AND_INTENT, ("code",), ("reason", "context")),
    "AllergyIntolerance": _Form("patient", frozenset(), _OF_A_PROBLEM, ("substance", "assertedDate", "participant")),
}


_ABSENT: Resource = {}
NOBODY = "it does not say whose it is"


@dataclass(frozen=True)
class PatientRecord:
    """What is known of one patient at one moment, by prefetch key."""

    patient: Resource
    resources: dict[str, tuple[Resource, ...]]
    drafts: tuple[Resource, ...] = ()
    unavailable: frozenset[str] = frozenset()
    incomplete: frozenset[str] = frozenset()
    not_used: tuple[str, ...] = ()
    medications: dict[str, Resource] = field(default_factory=dict)
    unread_drafts: tuple[tuple[str, Resource], ...] = ()  # why, and the order


@dataclass(frozen=True)
class Subject:
    """The Patient, and what else than Patient/<id> means the same in this request: a fullUrl of its entry."""

    patient: Resource
    names: frozenset[str] = frozenset()

    @cached_property
    def references(self) -> frozenset[str]:
        """All references that mean the patient, but for those with another base or a version."""
        identifier = self.patient["id"]
        return self.names | {f"Patient/{identifier}", f"urn:uuid:{identifier}"}


def read_record(
    subject: Subject,
    found: dict[str, list[Resource]],
    drafts: Iterable[Resource] = (),
    unavailable: Iterable[str] = (),
    incomplete: Iterable[str] = (),
    medications: dict[str, Resource] | None = None,
) -> PatientRecord:
    """A record of a patient. Raises Problem('unusable') when a resource belongs to somebody else."""
    patient = subject.patient
    if patient.get("resourceType") != "Patient" or not isinstance(patient.get("id"), str):
        raise problem("unusable", "patient", "is none", "a Patient with an id")
    own: dict[str, tuple[Resource, ...]] = {}
    cut, lost = set(incomplete), set(unavailable)
    not_used: list[str] = []
    for key, resources in found.items():
        kept, faults = [], 0
        for number, resource in enumerate(resources, 1):
            form = _FORMS.get(resource["resourceType"])
            whose = _whose(resource, form, subject, key, number) if form else ""
            fault = whose or (form and (_version(resource, form) or _fault(resource, form)))
            if fault:
                not_used.append(f"{reference_to(resource)} ({fault})")
                cut.add(key)
                faults += 1
            elif not _to_be_ignored(resource):
                kept.append(_with_plain_value(resource))
        own[key] = tuple(kept)
        if faults and faults == len(resources):
            lost.add(key)
    ordered, unread = [], []
    for number, resource in enumerate(drafts, 1):
        form = _FORMS.get(resource["resourceType"])
        whose = _whose(resource, form, subject, "context.draftOrders", number) if form else ""
        if whose == NOBODY:  # the context says it
            whose = ""
        fault = whose or (form and _fault({"status": "draft", "intent": "order"} | resource, form))
        if fault:
            not_used.append(f"{reference_to(resource)} ({fault})")
            unread.append((fault, {"intent": "order"} | resource | {"status": "draft"}))
        elif not _to_be_ignored(resource):
            ordered.append({"intent": "order"} | resource | {"status": "draft"})
    gaps = frozenset(lost), frozenset(cut)
    return PatientRecord(patient, own, tuple(ordered), *gaps, tuple(not_used), medications or {}, tuple(unread))


def _whose(resource: Resource, form: _Form, subject: Subject, source: str, number: int) -> str:
    """Why a resource is not the patient's, as far as can be seen; nothing when it is.

    Raises Problem('unusable') when it is another patient's: then nothing of the request can be trusted.
    """
    reference = _reference(resource.get(form.subject))
    if not reference or reference.startswith("#"):
        return NOBODY
    if reference in subject.references:
        return ""
    if reference.startswith("urn:"):
        return NOBODY
    kind, _, name = f"/{reference.partition('/_history/')[0]}".rpartition("/")
    if not kind.endswith("/Patient"):
        return "its subject is no patient"
    if name == subject.patient["id"]:
        return ""
    where = f"{source}: resource {number}, {form.subject}"
    raise problem("unusable", where, "belongs to another patient", "the patient of the context")


def _version(resource: Resource, form: _Form) -> str:
    """Why a resource is none of R4, as far as can be seen. An order in question is asked about instead."""
    foreign = not resource.keys().isdisjoint(form.foreign)
    return "it has the form of another FHIR version than R4" if foreign else ""


def _fault(resource: Resource, form: _Form) -> str:
    """Why a resource cannot be read; nothing when it can."""
    if resource.get("modifierExtension"):
        return "it carries a modifier extension that this module does not know"
    if not resource.keys() >= form.needed:
        return f"{', '.join(sorted(form.needed - resource.keys()))} missing"
    for name in form.concepts:
        if not isinstance(resource.get(name, _ABSENT), dict):
            malformed = [name for name in form.concepts if not isinstance(resource.get(name, _ABSENT), dict)]
            return f"{', '.join(malformed)} malformed"
    return ""


def _reference(value: Any) -> str:
    reference = value.get("reference") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else ""


def patient_reference(resource: Resource) -> str:
    """The reference by which a resource says whose it is; nothing when it does not say, or is of another type."""
    form = _FORMS.get(str(resource.get("resourceType")))
    return _reference(resource.get(form.subject)) if form else ""


def _with_plain_value(resource: Resource) -> Resource:
    """A grade may come as a text or a concept: the same result with its one value as integer or string."""
    if resource.get("resourceType") != "Observation" or "valueQuantity" in resource or "valueInteger" in resource:
        return resource
    text = resource.get("valueString")
    concept = resource.get("valueCodeableConcept")
    if text is None and isinstance(concept, dict):
        codes = [item.get("code") for item in as_list(concept.get("coding")) if isinstance(item, dict)]
        text = concept.get("text") or next((code for code in codes if code), None)
    if not isinstance(text, str):
        return resource
    plain = text.strip()
    whole = plain.isascii() and plain.isdigit() and len(plain) <= MOST_DIGITS
    value = {"valueInteger": int(plain)} if whole else {"valueString": plain}
    return {key: item for key, item in resource.items() if key not in ("valueString", "valueCodeableConcept")} | value


def _to_be_ignored(resource: Resource) -> bool:
    """Orders that are none: not to be performed; drafts come from the context alone."""
    return resource.get("doNotPerform") is True


def medications_of(resources: Iterable[tuple[str, Resource]]) -> dict[str, Resource]:
    """Medication resources by the references under which an order may name them; takes (fullUrl, resource)."""
    found: dict[str, Resource] = {}
    for full_url, resource in resources:
        if resource.get("resourceType") == "Medication":
            found[reference_to(resource)] = resource
            if full_url:
                found[full_url] = resource
    return found


def medication_concepts(request: Resource, medications: dict[str, Resource]) -> list[Resource]:
    """The CodeableConcepts that say what a request orders: product and ingredients, references resolved."""
    if isinstance(request.get("medicationCodeableConcept"), dict):
        return [request["medicationCodeableConcept"]]
    pointer = request.get("medicationReference")
    reference = pointer.get("reference") if isinstance(pointer, dict) else None
    if not isinstance(reference, str):
        return []
    if reference.startswith("#"):
        named = [item for item in _objects(request.get("contained")) if f"#{item.get('id')}" == reference]
        medication = named[0] if named else None
    else:
        relative = "/".join(reference.split("/")[-2:])
        medication = medications.get(reference) or medications.get(relative)
    if medication is None:
        return []
    concepts = [medication.get("code")] + [
        item.get("itemCodeableConcept") for item in _objects(medication.get("ingredient"))
    ]
    return [item for item in concepts if isinstance(item, dict)]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in as_list(value) if isinstance(item, dict)]
