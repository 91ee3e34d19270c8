"""The record's door: which codes an element carries, once texts and absences have been read.

The one table of absences: no verificationStatus counts as confirmed; no clinicalStatus is unknown, or resolved
when an abatement stands. A text becomes a hint only beside codes that name no cause of their own. An element
without a code of a system that value sets read is `unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.engine.record import medication_concepts
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.terminology import Code, system_of

_TEXT_PATHS = {
    ("Condition", "code"),
    ("MedicationRequest", "statusReason"),
    ("AllergyIntolerance", "code"),
    ("Observation", "value"),
}
_ABATEMENT = ("abatementDateTime", "abatementAge", "abatementPeriod", "abatementRange", "abatementString")


class Door:
    """Reads the codes of elements for one request."""

    def __init__(self, content: Content, medications: dict[str, Resource]) -> None:
        self.content, self.medications = content, medications

    def codes(self, resource: Resource, path: str) -> set[Code]:
        """The (system, code) pairs at a path; each code also stands with an empty system."""
        kind = resource["resourceType"]
        concepts = list(self._elements(resource, path))
        found = {pair for concept in concepts for pair in _pairs(concept)}
        if self.content.code_map:
            found |= {self.content.code_map[pair] for pair in found & self.content.code_map.keys()}
        if (kind, path) in _TEXT_PATHS:
            found |= self._hinted(f"{kind}.{path}", concepts, found)
        systems = self.content.read_systems.get((kind, path))
        if systems is not None and not any(system in systems for system, _ in found):
            found.add(self.content.hints.unreadable)
        if not found and kind in ("Condition", "AllergyIntolerance"):
            found = _absent_status(resource, path)
        return found

    def _elements(self, resource: Resource, path: str) -> Iterator[Any]:
        if path == "medication":
            yield from medication_concepts(resource, self.medications)
            return
        if path == "value":
            yield from (
                item for item in ({"text": resource.get("valueString")}, resource.get("valueCodeableConcept")) if item
            )
            return
        parents: list[Any] = [resource]
        for name in path.split("."):
            parents = [child for parent in parents if isinstance(parent, dict) for child in as_list(parent.get(name))]
        yield from parents

    def _hinted(self, path: str, concepts: list[Any], found: set[Code]) -> set[Code]:
        hints = self.content.hints
        known = {pair for pair in found if pair[0] and pair[0] in self._known_systems(path)}
        if not known <= hints.read_beside:
            return set()
        texts = [concept.get("text") for concept in concepts if isinstance(concept, dict)]
        return {code for text in texts if isinstance(text, str) for code in hints.read(path, text)}

    def _known_systems(self, path: str) -> frozenset[str]:
        kind, _, element = path.partition(".")
        return self.content.read_systems.get((kind, element), frozenset())


def _pairs(concept: Any) -> Iterator[Code]:
    if isinstance(concept, str):
        yield "", concept
    elif isinstance(concept, dict):
        for item in as_list(concept.get("coding")):
            code = item.get("code") if isinstance(item, dict) else None
            if isinstance(code, str):
                yield system_of(str(item.get("system", ""))), code
                yield "", code


def _absent_status(resource: Resource, path: str) -> set[Code]:
    if path == "verificationStatus":
        return {("", "confirmed")}
    if path == "clinicalStatus":
        return {("", "resolved" if any(name in resource for name in _ABATEMENT) else "unknown")}
    return set()
