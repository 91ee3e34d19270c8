"""The metadata that all published artefacts share, in FHIR element order."""

from __future__ import annotations

from typing import Any

from ivig_fhir.authoring.guidance import Module
from ivig_fhir.fhir import CORE, Resource, canonical

_SHAREABLE = ("PlanDefinition", "ActivityDefinition", "Library", "ValueSet", "CodeSystem")


def artefact(
    module: Module,
    identity: tuple[str, str],
    title: str,
    description: str,
    before_status: dict[str, Any] | None = None,
    before_date: dict[str, Any] | None = None,
    **after: Any,
) -> Resource:
    """A draft, experimental artefact of (type, id); `after` are the elements behind `description`, in order."""
    resource_type, identifier = identity
    return {
        "resourceType": resource_type,
        "id": identifier,
        **_shareable(resource_type),
        "url": canonical(module.base, resource_type, identifier),
        "version": module.version,
        "name": pascal(identifier),
        "title": title,
        **(before_status or {}),
        "status": "draft",
        "experimental": True,
        **(before_date or {}),
        "date": module.date,
        "publisher": module.publisher,
        "description": description,
        **after,
    }


def _shareable(resource_type: str) -> dict[str, Any]:
    """HL7's own profile of shareable artefacts, where R4 and R5 both have one: what it requires stands above."""
    return {"meta": {"profile": [f"{CORE}/shareable{resource_type.lower()}"]}} if resource_type in _SHAREABLE else {}


def pascal(identifier: str) -> str:
    """The computable name of an id: 'mmn-possible' -> 'MmnPossible' (cnl-0)."""
    return "".join(part[:1].upper() + part[1:] for part in identifier.split("-"))


def local(module: Module, system: str) -> str:
    """The canonical URL of one of the module's own code systems."""
    return canonical(module.base, "CodeSystem", system)


def extension_url(module: Module, name: str) -> str:
    """The canonical URL of one of the module's own extensions."""
    return canonical(module.base, "StructureDefinition", name)
