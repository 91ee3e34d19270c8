"""Which codes of a record no concept of the module knows: what a site maps, or knows to be none of our business."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ivig_fhir.engine.codings import Door
from ivig_fhir.engine.record import PatientRecord, medication_concepts
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.terminology import Code

_PATHS = ("code", "medication")  # the elements that say what a resource is about


@dataclass(frozen=True)
class Unmapped:
    """What is written in an element that means nothing here, and in how many resources.

    `unread`: it has no code of a system that is read, so that the resource is not seen, or as a hint in a text at
    best. Otherwise its codes are of systems that are read and of none of the concepts.
    """

    type: str
    written: str
    unread: bool
    count: int


def unmapped(record: PatientRecord, content: Content) -> list[Unmapped]:
    """Everything of a record that means nothing here: what cannot be seen first, then by number."""
    door, known = Door(content, record.medications), _known(content)
    found: Counter[tuple[str, str, bool]] = Counter()
    for resource in [*record.drafts, *(item for items in record.resources.values() for item in items)]:
        for path in _PATHS:
            where = (resource["resourceType"], path)
            codes = door.codes(resource, path) if where in content.read_systems else set()
            unread = content.hints.unreadable in codes
            if unread or (codes and not codes & known[where]):
                found[where[0], _written(resource, path, record), unread] += 1
    listed = [Unmapped(kind, written, unread, count) for (kind, written, unread), count in found.items()]
    return sorted(listed, key=lambda item: (not item.unread, -item.count, item.type, item.written))


def _known(content: Content) -> dict[tuple[str, str], frozenset[Code]]:
    """(type, path) -> the codes that some concept has there."""
    found: dict[tuple[str, str], frozenset[Code]] = {}
    for item in content.requirements.values():
        for part in item.filters:
            codes = frozenset(code for code in part.codes if code[0] and code[0] != content.hints.system)
            found[item.type, part.path] = found.get((item.type, part.path), frozenset()) | codes
    return found


def _written(resource: Resource, path: str, record: PatientRecord) -> str:
    """The codings of an element as they came, or its text."""
    concepts = medication_concepts(resource, record.medications) if path == "medication" else [resource.get(path)]
    codings = [item for concept in concepts for item in _codings(concept)]
    named = [_named(item) for item in codings] or [_text(concept) for concept in concepts]
    return ", ".join(dict.fromkeys(name for name in named if name)) or "nothing"


def _codings(concept: Any) -> Iterator[dict[str, Any]]:
    if isinstance(concept, dict):
        yield from (item for item in as_list(concept.get("coding")) if isinstance(item, dict))


def _named(coding: dict[str, Any]) -> str:
    display = f' "{coding["display"]}"' if coding.get("display") else ""
    return f"{coding.get('system', '(no system)')}|{coding.get('code', '')}{display}"


def _text(concept: Any) -> str:
    return f'text "{concept["text"]}"' if isinstance(concept, dict) and concept.get("text") else ""
