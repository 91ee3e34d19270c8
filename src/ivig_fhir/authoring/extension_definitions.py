"""The module's own extensions -> StructureDefinition: what each says, where it may stand, what it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivig_fhir.authoring.artefacts import artefact, extension_url
from ivig_fhir.authoring.editions import R4
from ivig_fhir.authoring.guidance import Module
from ivig_fhir.fhir import CORE, Resource, canonical

_ACTION = "PlanDefinition.action"
_MANY = "*"


@dataclass(frozen=True)
class Part:
    """A nested extension: name, type of its value, what it says, how often it stands, the code system of its code."""

    name: str
    type: str
    short: str
    min: int = 1
    max: str = "1"
    codes: str = ""


@dataclass(frozen=True)
class OwnExtension:
    """An extension of ours: of one value (`type`, and the code system of its code) or of parts."""

    id: str
    title: str
    description: str
    context: str
    type: str = ""
    codes: str = ""
    parts: tuple[Part, ...] = ()


EXTENSIONS = (
    OwnExtension(
        "ivig-rating",
        "Rating by one source",
        "A source's own label for a statement. Several sources give several extensions; they are never merged.",
        _ACTION,
        parts=(
            Part("source", "code", "Code of CodeSystem ivig-source", codes="ivig-source"),
            Part("kind", "code", "recommendation-strength, evidence-rating or practice", codes="ivig-rating-kind"),
            Part("wording", "string", "The source's own words"),
            Part("statement", "code", "Code of CodeSystem ivig-statement", codes="ivig-statement"),
        ),
    ),
    OwnExtension(
        "ivig-conflict",
        "Conflict between or within sources",
        "A code of CodeSystem ivig-conflict that the unit takes part in.",
        _ACTION,
        "code",
        "ivig-conflict",
    ),
    OwnExtension(
        "ivig-newer",
        "Newer evidence",
        "A code of CodeSystem ivig-newer: evidence younger or stronger than the sources, which stands beside them.",
        _ACTION,
        "code",
        "ivig-newer",
    ),
    OwnExtension(
        "ivig-yields-to",
        "Precedence",
        "The id of an action that ranks above this one when both apply.",
        _ACTION,
        "code",
    ),
    OwnExtension(
        "ivig-shown",
        "How a unit is shown",
        "Of which kind the unit is, what it is about, who reads it, whether it opens a card or stands on another's.",
        _ACTION,
        parts=(
            Part("kind", "code", "Kind of guidance unit", codes="ivig-unit-kind"),
            Part("how", "code", "opens, line or never", codes="ivig-shown-how"),
            Part("intervention", "string", "What the unit is about"),
            Part("reader", "code", "patient or both; professionals when left out", 0, codes="ivig-reader"),
            Part("with", "id", "Ids of the actions beside which a line stands; any = every card", 0, _MANY),
            Part(
                "anchor",
                "id",
                "Names of conditions that silence the unit where only missing data leave them open",
                0,
                _MANY,
            ),
            Part("opensWhen", "Expression", "A line opens a card of its own while this holds", 0),
            Part("prints", "Expression", "An input whose newest result the card repeats as recorded", 0, _MANY),
        ),
    ),
    OwnExtension(
        "ivig-asks",
        "What to ask while a condition is unknown",
        "The fact that would decide the condition, and why it is not known.",
        "Expression",
        parts=(
            Part("fact", "string", "The question"),
            Part(
                "reason", "code", "not-recorded, unconfirmed, unusable or undefined-in-source", codes="ivig-ask-reason"
            ),
        ),
    ),
    OwnExtension(
        "ivig-stated-amount",
        "Amount as a source states it",
        "An amount per weight, for labelled arithmetic only; never an order.",
        _ACTION,
        parts=(
            Part("amount", "Quantity", "The amount per weight"),
            Part("weight", "id", "Id of the input that brings the weight"),
        ),
    ),
    OwnExtension(
        "ivig-plausible-range",
        "Plausible range",
        "Values outside this declared range are not used.",
        "DataRequirement",
        "Range",
    ),
)


def extension_definitions(module: Module) -> list[Resource]:
    """The StructureDefinition (R4) of every extension of ours, as a constraint on Extension."""
    return [_definition(item, module) for item in EXTENSIONS]


def _definition(item: OwnExtension, module: Module) -> Resource:
    return artefact(
        module,
        ("StructureDefinition", item.id),
        item.title,
        item.description,
        fhirVersion=R4,
        kind="complex-type",
        abstract=False,
        context=[{"type": "element", "expression": item.context}],
        type="Extension",
        baseDefinition=f"{CORE}/Extension",
        derivation="constraint",
        differential={"element": _elements(item, module)},
    )


def _elements(item: OwnExtension, module: Module) -> list[dict[str, Any]]:
    url = extension_url(module, item.id)
    root = {"id": "Extension", "path": "Extension", "short": item.title, "definition": item.description}
    fixed = {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
    if item.type:
        none = {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
        return [root, none, fixed, _value("Extension", "Extension", item, module)]
    sliced = {
        "id": "Extension.extension",
        "path": "Extension.extension",
        "slicing": {"discriminator": [{"type": "value", "path": "url"}], "ordered": False, "rules": "closed"},
        "min": sum(part.min for part in item.parts),
    }
    parts = [element for part in item.parts for element in _slice(part, module)]
    return [root, sliced, *parts, fixed, {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"}]


def _slice(part: Part, module: Module) -> list[dict[str, Any]]:
    identity, path = f"Extension.extension:{part.name}", "Extension.extension"
    return [
        {
            "id": identity,
            "path": path,
            "sliceName": part.name,
            "short": part.short,
            "min": part.min,
            "max": part.max,
        },
        {"id": f"{identity}.extension", "path": f"{path}.extension", "max": "0"},
        {"id": f"{identity}.url", "path": f"{path}.url", "fixedUri": part.name},
        _value(identity, path, part, module),
    ]


def _value(identity: str, path: str, held: Part | OwnExtension, module: Module) -> dict[str, Any]:
    found = {"id": f"{identity}.value[x]", "path": f"{path}.value[x]", "min": 1, "type": [{"code": held.type}]}
    if held.codes:
        value_set = f"{canonical(module.base, 'ValueSet', held.codes)}|{module.version}"
        found["binding"] = {"strength": "required", "valueSet": value_set}
    return found
