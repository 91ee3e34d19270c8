"""The context of a CDS Hooks request: who reads, which patient, which drafted orders are in question.

What is wrong becomes an Issue, and never quotes a value: it may be who somebody is.
"""

from __future__ import annotations

import re
from typing import Any

from ivig_fhir.fhir import Resource, as_list, reference_to
from ivig_fhir.problems import Issue

PATIENT_VIEW = "patient-view"
ORDER_HOOKS = frozenset({"order-select", "order-sign"})
PROFESSIONAL, PATIENT = "professional", "patient"

Drafts = tuple[tuple[str, Resource], ...]  # fullUrl, if there is one, and resource

_PROFESSIONALS = ("Practitioner", "PractitionerRole")
_REFERENCE = re.compile(r"(?:https?://\S+/)?(?P<relative>(?P<type>[A-Za-z]+)/[^/\s]+)")
# orders of DSTU2 and STU3 that R4 has under the names of MedicationRequest and ServiceRequest (CH-39)
OTHER_VERSIONS = ("MedicationOrder", "DiagnosticOrder", "DiagnosticRequest", "ProcedureRequest", "ReferralRequest")


def reader_of(user: str) -> str:
    """Practitioner and PractitionerRole read the professional wording, everyone else the patient wording.

    A reference may be absolute, as a SMART fhirUser is.
    """
    match = _REFERENCE.fullmatch(user)
    return PROFESSIONAL if match and match["type"] in _PROFESSIONALS else PATIENT


def check_patient(patient: Any, issues: list[Issue]) -> None:
    """The id of the patient is a bare one."""
    if isinstance(patient, str) and "/" in patient:
        issues.append(Issue("context.patientId", "is a reference", "the bare id", "leave out Patient/ before it"))


def drafts_of(context: dict[str, Any], issues: list[Issue]) -> Drafts:
    """The drafted orders, and what else stands in their Bundle."""
    bundle = context.get("draftOrders")
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        issues.append(
            Issue("context.draftOrders", "is absent" if bundle is None else "is no Bundle", "a Bundle of draft orders")
        )
        return ()
    found = []
    for number, entry in enumerate(as_list(bundle.get("entry"))):
        where = f"context.draftOrders.entry[{number}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            issues.append(Issue(where, "holds no resource", "a resource with resourceType"))
        elif resource["resourceType"] in OTHER_VERSIONS:
            seen = f"is a {resource['resourceType']}: it has the form of another FHIR version than R4"
            issues.append(Issue(where, seen, "MedicationRequest, ServiceRequest"))
        else:
            found.append((str(entry.get("fullUrl", "")), resource))
    return tuple(found)


def selected(context: dict[str, Any], drafts: Drafts, issues: list[Issue]) -> Drafts:
    """The drafted orders that are selected: by their reference, also an absolute one, by their id or their fullUrl."""
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(item, str) for item in selections):
        issues.append(
            Issue("context.selections", "is absent or no list of texts", "the references of the selected orders")
        )
        return ()
    names = {name for item in selections for name in (item, _relative(item))}
    found = tuple(item for item in drafts if not names.isdisjoint(_names(*item)))
    if selections and drafts and not found:
        seen = "names none of context.draftOrders"
        issues.append(Issue("context.selections", seen, "<type>/<id> of drafted orders", "each draft needs an id"))
    return found


def _names(full_url: str, order: Resource) -> tuple[str, ...]:
    identifier = order.get("id")
    return (full_url, reference_to(order), identifier) if isinstance(identifier, str) else (full_url,)


def _relative(reference: str) -> str:
    match = _REFERENCE.fullmatch(reference)
    return match["relative"] if match else reference
