"""The frame of a local CodeSystem (R4), and of a concept in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ivig_fhir.authoring.artefacts import artefact, local
from ivig_fhir.authoring.guidance import Guidance
from ivig_fhir.authoring.properties import description_of
from ivig_fhir.fhir import Resource


def code_system(
    guidance: Guidance, identifier: str, title: str, description: str, concepts: list[dict[str, Any]]
) -> Resource:
    """A code system of the module; its properties are those that its concepts have."""
    properties = sorted(
        {(item["code"], _property_type(item)) for found in concepts for item in found.get("property", ())}
    )
    more: dict[str, Any] = {"caseSensitive": True, "content": "complete", "count": len(concepts)}
    if properties:
        url = local(guidance.module, identifier)
        more["property"] = [
            {"code": code, "uri": f"{url}#{code}", "description": description_of(identifier, code), "type": kind}
            for code, kind in properties
        ]
    return artefact(guidance.module, ("CodeSystem", identifier), title, description, **more, concept=concepts)


def _property_type(item: dict[str, Any]) -> str:
    name = next(key for key in item if key.startswith("value"))
    return name.removeprefix("value")[:1].lower() + name.removeprefix("value")[1:]


def entry(code: str, display: str, definition: str = "", **properties: str | Iterable[str]) -> dict[str, Any]:
    """A concept; a property without a value is left out, one with several stands several times."""
    found: dict[str, Any] = {"code": code, "display": display}
    if definition:
        found["definition"] = definition
    listed = [
        {"code": name.replace("_", "-"), "valueString": value}
        for name, values in properties.items()
        for value in ([values] if isinstance(values, str) else values)
        if value
    ]
    return found | ({"property": listed} if listed else {})
