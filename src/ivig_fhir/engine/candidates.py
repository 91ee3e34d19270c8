"""Facts that would meet an input: made out of its published DataRequirement, to try what they would change.

Nothing here is of a patient: each resource holds the first code that the requirement wants, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from ivig_fhir.engine.record import PatientRecord
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge import syntax as g
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.grammar import parse
from ivig_fhir.knowledge.plans import Criterion
from ivig_fhir.knowledge.requirements import DRAFTS, CodeFilter, Requirement
from ivig_fhir.knowledge.terminology import property_values

Value = str | Decimal
_Tree = g.Node | g.Step | None

# An event that a disease may follow lies before it: days before the day of evaluation, and the element of the date.
_DATED = {
    "Condition": ("onsetDateTime", 7),
    "Procedure": ("performedDateTime", 30),
    "Observation": ("effectiveDateTime", 1),
    "MedicationRequest": ("authoredOn", 14),
    "ServiceRequest": ("authoredOn", 14),
    "AllergyIntolerance": ("recordedDate", 365),
}


@dataclass(frozen=True)
class Candidate:
    """A resource that would be found for an input; `coded` when it needs no reading of texts or of doubt."""

    input: str
    key: str
    resource: Resource
    coded: bool

    def added_to(self, record: PatientRecord) -> PatientRecord:
        """The record with this fact as well."""
        if self.key == DRAFTS:
            return replace(record, drafts=(*record.drafts, self.resource))
        found = (*record.resources.get(self.key, ()), self.resource)
        return replace(record, resources={**record.resources, self.key: found})


def candidates(criteria: Iterable[Criterion], content: Content, patient_id: str, today: date) -> list[Candidate]:
    """The facts that the inputs of these criteria could be met by, coded and certain ones first."""
    found: dict[str, Candidate] = {}
    for criterion in criteria:
        wanted = literals(parse(criterion.condition.text))
        for name in sorted(criterion.condition.inputs):
            requirement = content.requirements.get(name)
            if requirement is None or requirement.type == "Patient":
                continue
            values: Sequence[Value | None] = wanted.get(name) or (None,)
            for value in values:
                made = _Maker(content, patient_id, today).candidate(requirement, value)
                found.setdefault(made.resource["id"], made)
    return sorted(found.values(), key=lambda item: (not item.coded, item.resource["resourceType"] == "ServiceRequest"))


def literals(node: _Tree, owner: str = "") -> dict[str, list[Value]]:
    """input -> the values that an expression compares something of it with."""
    found: dict[str, list[Value]] = {}
    for name, value in _literals(node, owner):
        if value not in found.setdefault(name, []):
            found[name].append(value)
    return found


def _literals(node: _Tree, owner: str) -> Iterator[tuple[str, Value]]:
    if isinstance(node, (g.And, g.Or)):
        for term in node.terms:
            yield from _literals(term, owner)
    elif isinstance(node, (g.Exists, g.Where)) and node.condition is not None:
        yield from _literals(node.condition, owner)
    elif isinstance(node, g.Path):
        inner = node.head.name if isinstance(node.head, g.Variable) else owner
        for part in (node.head, *node.steps):
            yield from _literals(part, inner)
    elif isinstance(node, g.Compare):
        sides = (node.left, node.right)
        yield from ((owner, side.value) for side in sides if owner and isinstance(side, (g.Text, g.Number)))


class _Maker:
    """Makes resources for one patient and day."""

    def __init__(self, content: Content, patient_id: str, today: date) -> None:
        self.content, self.patient_id, self.today = content, patient_id, today

    def candidate(self, requirement: Requirement, value: Value | None) -> Candidate:
        kind = requirement.type
        name = f"added-{requirement.id}" + (f"-{value}" if value is not None else "")
        resource: Resource = {"resourceType": kind, "id": name}
        resource["patient" if kind == "AllergyIntolerance" else "subject"] = {"reference": f"Patient/{self.patient_id}"}
        if kind == "Observation":
            resource["status"] = "final"
        for part in requirement.filters:
            self._meet(resource, part)
        element, back = _DATED[kind]
        resource.setdefault(element, (self.today - timedelta(days=back)).isoformat())
        if value is not None and kind == "Observation":
            resource |= {"valueString": value} if isinstance(value, str) else {"valueInteger": int(value)}
        return Candidate(requirement.id, requirement.key, resource, self._certain(requirement))

    def _meet(self, resource: Resource, part: CodeFilter) -> None:
        if part.path in ("status", "intent"):
            resource[part.path] = _usual({code for _, code in part.codes}, ("final", "completed", "order"))
        elif part.path in ("clinicalStatus", "verificationStatus"):
            code = _usual({code for _, code in part.codes}, ("active", "confirmed"))
            resource[part.path] = {"coding": [{"code": code}]}
        else:
            concept = self._concept(part)
            if concept is not None:
                _place(resource, part.path, concept)

    def _concept(self, part: CodeFilter) -> Resource | None:
        """A CodeableConcept that passes a filter; None where it wants an element without a readable code."""
        hints = self.content.hints
        systems = sorted(code for code in part.codes if code[0] and code[0] != hints.system)
        if systems:
            return {"coding": [{"system": systems[0][0], "code": systems[0][1]}]}
        named = {code for system, code in part.codes if system == hints.system}
        listed = self.content.definitions.read("CodeSystem", "ivig-hint")["concept"]
        phrases = (property_values(item, "phrase") for item in listed if item["code"] in named)
        return next(({"text": found[0]} for found in phrases if found), None)

    def _certain(self, requirement: Requirement) -> bool:
        """Whether every filter wants a code of a system, and none a status of doubt."""
        hints, codes = self.content.hints, [part.codes for part in requirement.filters]
        return not any(hints.unreadable in found or ("", "provisional") in found for found in codes) and any(
            system and system != hints.system for found in codes for system, _ in found
        )


def _usual(codes: set[str], preferred: tuple[str, ...]) -> str:
    return next((code for code in preferred if code in codes), min(codes))


def _place(resource: Resource, path: str, value: Resource) -> None:
    if path == "medication":
        resource["medicationCodeableConcept"] = value
    elif path == "dosageInstruction.route":
        resource["dosageInstruction"] = [{"route": value}]
    elif path == "value":
        resource["valueString"] = value.get("text", "")
    elif path == "reasonCode":
        resource["reasonCode"] = [value]
    else:
        resource[path] = value
