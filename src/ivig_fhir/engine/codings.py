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

_ABATEMENT = ("abatementDateTime", "abatementAge", "abatementPeriod", "abatementRange", "abatementString")


class Door:
    """Reads the codes of elements for one request."""

    def __init__(self, content: Content, medications: dict[str, Resource]) -> None:
        self.content, self.medications = content, medications

    def codes(self, resource: Resource, path: str) -> set[Code]:
        """The (system, code) pairs at a path; each code also stands with an empty system."""
        where, hints = (resource["resourceType"], path), self.content.hints
        concepts = self._elements(resource, path)
        found = _pairs(concepts)
        if code_map := self.content.code_map:
            found |= {code_map[pair] for pair in found & code_map.keys()}
        systems = self.content.read_systems.get(where)
        known: set[Code] = set()
        if systems:
            for pair in found:  # a loop: this runs for every element of every resource
                if pair[0] in systems:
                    known.add(pair)
        if hints.may_read(where, known):
            found.update(code for text in _texts(concepts) for code in hints.read(where, text, known))
        if systems is not None and not known:
            found.add(hints.unreadable)
        if not found and where[0] in ("Condition", "AllergyIntolerance"):
            found = _absent_status(resource, path)
        return found

    def _elements(self, resource: Resource, path: str) -> list[Any]:
        if path == "medication":
            return medication_concepts(resource, self.medications)
        if path == "value":
            return [
                item for item in ({"text": resource.get("valueString")}, resource.get("valueCodeableConcept")) if item
            ]
        if "." not in path:
            return as_list(resource.get(path))
        found: list[Any] = [resource]
        for name in path.split("."):
            found = [child for parent in found if isinstance(parent, dict) for child in as_list(parent.get(name))]
        return found


def _texts(concepts: list[Any]) -> Iterator[str]:
    texts = (concept.get("text") for concept in concepts if isinstance(concept, dict))
    return (text for text in texts if isinstance(text, str))


def _pairs(concepts: list[Any]) -> set[Code]:
    found: set[Code] = set()
    for concept in concepts:
        if isinstance(concept, str):
            found.add(("", concept))
        elif isinstance(concept, dict):
            for item in as_list(concept.get("coding")):
                code = item.get("code") if isinstance(item, dict) else None
                if isinstance(code, str):
                    found.add((system_of(str(item.get("system", ""))), code))
                    found.add(("", code))
    return found


def _absent_status(resource: Resource, path: str) -> set[Code]:
    if path == "verificationStatus":
        return {("", "confirmed")}
    if path == "clinicalStatus":
        return {("", "resolved" if any(name in resource for name in _ABATEMENT) else "unknown")}
    return set()
