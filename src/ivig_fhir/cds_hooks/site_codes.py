"""Which facts of a record were read through the site's code map, so that the card can say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ivig_fhir.engine.record import PatientRecord, medication_concepts
from ivig_fhir.fhir import reference_to
from ivig_fhir.knowledge.terminology import Code, system_of


def mapped_facts(record: PatientRecord, code_map: Mapping[Code, Code]) -> dict[str, tuple[str, ...]]:
    """Reference of a resource -> `their system|code → our system|code`, for each coding that the map translates."""
    if not code_map:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for resource in [*record.drafts, *(item for items in record.resources.values() for item in items)]:
        medicines = medication_concepts(resource, record.medications)
        codes = dict.fromkeys(code for code in _codes([resource, medicines]) if code in code_map)
        if codes:
            found[reference_to(resource)] = tuple(f"{'|'.join(code)} → {'|'.join(code_map[code])}" for code in codes)
    return found


def _codes(value: Any) -> Iterator[Code]:
    """The codings at any depth of a resource."""
    if isinstance(value, list):
        for item in value:
            yield from _codes(item)
    elif isinstance(value, dict):
        if isinstance(value.get("code"), str) and isinstance(value.get("system"), str):
            yield system_of(value["system"]), value["code"]
        for item in value.values():
            yield from _codes(item)
