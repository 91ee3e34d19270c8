"""Which elements a FHIR type has, read off the models of fhir.resources: names, types, cardinality, codes, targets.

The models are a table here, nothing is built from them: their own validation names no place that an author
could go to, and leaves out half of what their metadata say (nazrulworld/fhir.resources#76). They know R4B and R5;
elements.json has what R4 4.0.1 has otherwise, and the required bindings that they lack or abbreviate.
"""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import UnionType
from typing import Any

from ivig_fhir.validation.primitives import PRIMITIVES

R4, R4B, R5 = "R4", "R4B", "R5"
VERSIONS = {R4: "4.0.1", R4B: "4.3.0", R5: "5.0.0"}
_MODELS = {R4: "fhir.resources.R4B", R4B: "fhir.resources.R4B", R5: "fhir.resources"}
_NAMES = {
    "EncodedBytes": "base64Binary",
    "UuidVersion": "uuid",
    "DateTime": "dateTime",
    "UnsignedInt": "unsignedInt",
    "PositiveInt": "positiveInt",
    "bool": "boolean",
}
ANY_RESOURCE = "Resource"
_ABBREVIATED = {"+", "etc."}  # the models cut long lists of codes short with these


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type. `codes` is empty unless a required binding lists them all."""

    name: str
    type: str
    is_list: bool
    required: bool
    codes: frozenset[str]
    targets: frozenset[str]
    choice: str

    @property
    def primitive(self) -> bool:
        """Whether its JSON is a string, a number or a boolean."""
        return self.type in PRIMITIVES


@dataclass(frozen=True, slots=True)
class Table:
    """The elements of one type in one version, with what must be there."""

    type: str
    elements: dict[str, Element]
    required: frozenset[str]
    choices: dict[str, tuple[str, ...]]
    choice_members: frozenset[str]
    required_choices: frozenset[str]
    canonicals: frozenset[str]
    is_resource: bool


@cache
def _corrections() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__package__).joinpath("elements.json").read_text("utf-8"))
    return found


def differs(type_name: str) -> bool:
    """Whether R4 has elements in a resource type, or in what is within it, that R4B does not have."""
    only_r4 = _corrections()["r4"]
    return any(name.startswith(type_name) for name in only_r4["added"]) or any(
        item is not None and _is_new(name, element, item)
        for name, changed in only_r4["changed"].items()
        if name.startswith(type_name)
        for element, item in changed.items()
    )


def _is_new(type_name: str, element: str, item: dict[str, Any]) -> bool:
    newer = table(type_name, R4B)
    found = newer.elements.get(element) if newer else None
    return found is None or found.type != item["type"] or found.is_list != bool(item.get("list"))


@cache
def table(type_name: str, version: str) -> Table | None:
    """The table of a data type, backbone element or resource; None where the version has no such type."""
    only_r4 = _corrections()["r4"]
    if version == R4 and type_name in only_r4["absent"]:
        return None
    if version == R4 and type_name in only_r4["added"]:
        added = only_r4["added"][type_name]
        elements = {name: _packed(name, item) for name, item in added["elements"].items()}
        return _table(type_name, elements, _choices_needed(added["elements"]), added["resource"])
    try:
        model = import_module(_MODELS[version]).get_fhir_model_class(type_name)
    except (ValueError, LookupError, ImportError, AttributeError):
        return None
    return _modelled(type_name, version, model)


def _modelled(type_name: str, version: str, model: Any) -> Table:
    bindings = _corrections()["bindings"][version]
    elements: dict[str, Element] = {}
    needed: set[str] = set()
    for field in model.model_fields.values():
        extra = field.json_schema_extra
        if extra is None or not extra.get("element_property"):
            continue
        elements[field.alias] = _element(field, extra, bindings.get(f"{type_name}.{field.alias}"))
        if extra.get("one_of_many_required"):
            needed.add(extra["one_of_many"])
    changed = _corrections()["r4"]["changed"].get(type_name, {}) if version == R4 else {}
    for name, item in changed.items():
        elements.pop(name, None)
        if item is not None:
            elements[name] = _packed(name, item)
    is_resource = any(base.__name__ == ANY_RESOURCE for base in model.__mro__)
    return _table(type_name, elements, needed | _choices_needed(changed), is_resource)


def _table(type_name: str, elements: dict[str, Element], needed: set[str], is_resource: bool) -> Table:
    choices: dict[str, list[str]] = {}
    for element in elements.values():
        if element.choice:
            choices.setdefault(element.choice, []).append(element.name)
    return Table(
        type_name,
        elements,
        frozenset(name for name, element in elements.items() if element.required),
        {name: tuple(members) for name, members in choices.items()},
        frozenset(name for name, element in elements.items() if element.choice),
        frozenset(needed & choices.keys()),
        frozenset(name for name, element in elements.items() if element.type == "canonical"),
        is_resource,
    )


def _packed(name: str, item: dict[str, Any]) -> Element:
    """An element as elements.json writes it."""
    codes, targets = frozenset(item.get("codes", ())), frozenset(item.get("targets", ()))
    is_list, required = bool(item.get("list")), bool(item.get("required"))
    return Element(name, item["type"], is_list, required, codes, targets, item.get("choice", ""))


def _choices_needed(items: dict[str, Any]) -> set[str]:
    return {item["choice"] for item in items.values() if item and item.get("choiceRequired")}


def _element(field: Any, extra: dict[str, Any], corrected: list[str] | None) -> Element:
    type_name, is_list = _type_of(field.annotation)
    codes = set(extra.get("enum_values", ())) if corrected is None else set(corrected)
    if type_name != "code" or codes & _ABBREVIATED:
        codes = set()
    return Element(
        field.alias,
        type_name,
        is_list,
        bool(extra.get("element_required")) or field.is_required(),
        frozenset(codes),
        frozenset(extra.get("enum_reference_types", ())),
        extra.get("one_of_many", ""),
    )


def _type_of(annotation: Any) -> tuple[str, bool]:
    """(FHIR type, whether a list) of a field annotation such as Optional[List[Annotated[str, Code()]]]."""
    is_list = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            name = type(annotation.__metadata__[0]).__name__
            return _NAMES.get(name, name[:1].lower() + name[1:]), is_list
        if origin is list:
            is_list, annotation = True, typing.get_args(annotation)[0]
        elif origin in (typing.Union, UnionType):
            annotation = next(item for item in typing.get_args(annotation) if item is not type(None))
        else:
            return _NAMES.get(annotation.__name__) or annotation.__name__.removesuffix("Type"), is_list
