"""The words of the notation as code systems, and the value sets to which our extensions bind their codes.

The words are those that guidance.schema.json allows, so that notation, code system and binding cannot part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ivig_fhir.authoring.artefacts import artefact
from ivig_fhir.authoring.code_system import code_system, entry
from ivig_fhir.authoring.extension_definitions import EXTENSIONS
from ivig_fhir.authoring.guidance import Guidance, Module
from ivig_fhir.authoring.reader import schema
from ivig_fhir.fhir import Resource

# code system -> title, what it says, and where the schema lists its words
_WORDS = {
    "ivig-unit-kind": ("Kinds of guidance unit", "What a guidance unit is.", "unit/properties/kind"),
    "ivig-shown-how": ("Where units are shown", "Whether a unit opens a card.", "unit/properties/shown"),
    "ivig-reader": ("Readers", "Who reads a unit, besides or instead of professionals.", "unit/properties/reader"),
    "ivig-rating-kind": (
        "Kinds of rating",
        "What a source's own label rates: how strongly it recommends, the evidence, or neither.",
        "unit/properties/ratings/items/properties/kind",
    ),
    "ivig-ask-reason": ("Reasons to ask", "Why a fact is not known.", "asks/properties/reason"),
}


def notation(guidance: Guidance) -> list[Resource]:
    """The code systems of the words that units are written in."""
    return [
        code_system(guidance, name, title, says, [entry(word, _display(word)) for word in _listed(path)])
        for name, (title, says, path) in _WORDS.items()
    ]


def bound_value_sets(module: Module, systems: Iterable[Resource]) -> list[Resource]:
    """Each code system that an extension binds to, as the value set of all its codes."""
    bound = {item.codes for item in EXTENSIONS} | {part.codes for item in EXTENSIONS for part in item.parts}
    return [_all_of(system, module) for system in systems if system["id"] in bound]


def _listed(path: str) -> list[str]:
    found: Any = schema()["$defs"]
    for name in path.split("/"):
        found = found[name]
    return list(found["enum"])


def _display(word: str) -> str:
    return word.replace("-", " ").capitalize()


def _all_of(system: Resource, module: Module) -> Resource:
    contains = [
        {"system": system["url"], "code": item["code"], "display": item["display"]} for item in system["concept"]
    ]
    return artefact(
        module,
        ("ValueSet", system["id"]),
        f"{system['title']}: all codes",
        f"Every code of the code system “{system['title']}”, for the extensions that hold one.",
        compose={"include": [{"system": system["url"], "version": system["version"]}]},
        expansion={"timestamp": f"{module.date}T00:00:00Z", "total": len(contains), "contains": contains},
    )
