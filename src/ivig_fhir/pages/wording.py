"""Facts and inputs in a few words, out of the definitions: what a resource says, what an input wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.engine.inputs import printed_date
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import Requirement
from ivig_fhir.knowledge.terminology import Code, system_of
from ivig_fhir.pages.codes import system_name

_STATES = ("status", "clinicalStatus", "verificationStatus")
_KINDS = {
    "Condition": "problem",
    "Observation": "finding",
    "MedicationRequest": "medication order",
    "MedicationStatement": "medication taken",
    "ServiceRequest": "order",
    "AllergyIntolerance": "allergy",
    "Patient": "patient, born",
}
_CONCEPTS = ("code", "medicationCodeableConcept", "severity", "statusReason")
MOST_CODES = 4


class Wording:
    """Names codes by the displays of the module's value sets."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.wanted: dict[str, str] = {}
        self.displays: dict[Code, str] = {
            (item.get("system", ""), item["code"]): item["display"]
            for value_set in content.definitions.search("ValueSet")
            for item in value_set["expansion"]["contains"]
            if item.get("display")
        }

    def fact(self, resource: Resource) -> str:
        """A resource in a line: its kind, what, value, route, states, date."""
        parts = [text for name in _CONCEPTS for text in self._concept(resource.get(name))]
        parts += [text for item in as_list(resource.get("reasonCode")) for text in self._concept(item)]
        parts += [text for item in as_list(resource.get("dosageInstruction")) for text in self._route(item)]
        parts += list(_value(resource))
        states = [text for name in _STATES for text in _state(resource.get(name))]
        day = printed_date(resource)
        return f"{_kind(resource.get('resourceType'))}: " + ", ".join([*parts, *states, *([day] if day else [])])

    def wants(self, requirement: Requirement) -> str:
        """A published DataRequirement in a line; made once."""
        if requirement.id not in self.wanted:
            self.wanted[requirement.id] = self._wants(requirement)
        return self.wanted[requirement.id]

    def _wants(self, requirement: Requirement) -> str:
        parts = [self._filter(item) for item in as_list(requirement.source.get("codeFilter"))]
        if requirement.window:
            parts.append(f"of the last {requirement.window[1]} days")
        if requirement.newest:
            parts.append("the newest")
        return f"{_kind(requirement.type)}: " + "; ".join(part for part in parts if part)

    def _filter(self, item: dict[str, Any]) -> str:
        named = []
        if "valueSet" in item:
            found = self.content.definitions.resolve(item["valueSet"], "input")
            named.append(f"“{found.get('title', found['id'])}”")
        codes = [self._named(code) for code in as_list(item.get("code"))]
        named += [*codes[:MOST_CODES], *(["…"] if len(codes) > MOST_CODES else [])]
        return f"{item['path']} " + ", ".join(named)

    def _named(self, code: dict[str, Any]) -> str:
        pair = (system_of(str(code.get("system", ""))), str(code.get("code", "")))
        return str(code.get("display") or self.displays.get(pair) or pair[1])

    def _concept(self, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            return
        for item in _first_coding(value):
            pair = (system_of(str(item.get("system", ""))), str(item.get("code", "")))
            name = item.get("display") or self.displays.get(pair) or value.get("text") or ""
            yield f"{name} ({system_name(pair[0])} {pair[1]})".strip()
        if not value.get("coding") and value.get("text"):
            yield f"“{value['text']}”"

    def _route(self, dosage: Any) -> Iterator[str]:
        if isinstance(dosage, dict):
            yield from self._concept(dosage.get("route"))


def _kind(resource_type: Any) -> str:
    """A type of resource in a word of the clinic."""
    return _KINDS.get(str(resource_type), str(resource_type).lower())


def _state(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (str(item.get("code", "")) for item in _first_coding(value))


def _first_coding(concept: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in as_list(concept.get("coding")) if isinstance(item, dict)][:1]


def _value(resource: Resource) -> Iterator[str]:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        yield f"{quantity.get('value')} {quantity.get('unit') or quantity.get('code') or ''}".strip()
    for name in ("valueInteger", "valueString"):
        if name in resource:
            yield f"value {resource[name]}"
