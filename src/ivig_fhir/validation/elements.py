"""Which elements a FHIR type has, read off the models of fhir.resources: names, types, cardinality, codes, targets.

The models are a table here, nothing is built from them: their own validation names no place that an author
could go to, and leaves out half of what their metadata say (nazrulworld/fhir.resources#76).
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cache
from importlib import import_module
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
    required: tuple[str, ...]
    choices: dict[str, tuple[str, ...]]
    required_choices: frozenset[str]
    canonicals: frozenset[str]
    is_resource: bool


@cache
def table(type_name: str, version: str) -> Table | None:
    """The table of a data type, backbone element or resource; None where the version has no such type."""
    get_model = import_module(_MODELS[version]).get_fhir_model_class
    try:
        model = get_model(type_name)
    except (ValueError, LookupError, ImportError, AttributeError):
        return None
    return _table(type_name, model)


def _table(type_name: str, model: Any) -> Table:
    elements: dict[str, Element] = {}
    needed: set[str] = set()
    for field in model.model_fields.values():
        extra = field.json_schema_extra
        if extra is None or not extra.get("element_property"):
            continue
        element = _element(field, extra)
        elements[element.name] = element
        if extra.get("one_of_many_required"):
            needed.add(element.choice)
    choices: dict[str, list[str]] = {}
    for element in elements.values():
        if element.choice:
            choices.setdefault(element.choice, []).append(element.name)
    return Table(
        type_name,
        elements,
        tuple(name for name, element in elements.items() if element.required),
        {name: tuple(members) for name, members in choices.items()},
        frozenset(needed),
        frozenset(name for name, element in elements.items() if element.type == "canonical"),
        any(base.__name__ == ANY_RESOURCE for base in model.__mro__),
    )


def _element(field: Any, extra: dict[str, Any]) -> Element:
    type_name, is_list = _type_of(field.annotation)
    codes = extra.get("enum_values", ())
    complete = type_name == "code" and not {"+", "etc."} & set(codes)
    return Element(
        field.alias,
        type_name,
        is_list,
        bool(extra.get("element_required")) or field.is_required(),
        frozenset(codes) if complete else frozenset(),
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
