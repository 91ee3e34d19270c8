"""Invariants of StructureDefinition and ElementDefinition: those that a published extension or profile can break."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import (
    Value,
    has,
    has_choice,
    implies,
    invariant,
    items,
    rule,
    text,
    texts,
    within,
)
from ivig_fhir.validation.nodes import Node

_SLICE = re.compile(r"[a-zA-Z0-9/\-_\[\]@]+")
_ADDRESSES = ("http:", "https:", "urn:", "#")
_POINTERS = {"Reference", "canonical", "CodeableReference"}
_VIEWS = ("snapshot", "differential")


def _elements(value: Value, view: str) -> list[Value]:
    return items(within(value, view), "element")


def _first_paths_fit(value: Value) -> bool:
    kind = text(value, "type")
    first = _elements(value, "snapshot")[:1]
    return text(value, "kind") == "logical" or (
        all(text(element, "path") == kind for element in first)
        and all(
            text(element, "path").partition(".")[0] == kind for view in _VIEWS for element in _elements(value, view)
        )
    )


invariant(
    "sdf-4",
    "StructureDefinition",
    lambda value: value.get("abstract") is True or has(value, "baseDefinition"),
    says="A structure that is not abstract has a baseDefinition.",
    seen="a structure without baseDefinition",
)
invariant(
    "sdf-5",
    "StructureDefinition",
    lambda value: implies(
        text(value, "type") == "Extension" and text(value, "derivation") != "specialization", has(value, "context")
    ),
    says="The definition of an extension says where it may stand (context).",
    seen="an extension without context",
)
invariant(
    "sdf-6",
    "StructureDefinition",
    lambda value: has(value, *_VIEWS),
    says="A structure has a snapshot or a differential.",
    seen="a structure with neither snapshot nor differential",
)
invariant(
    "sdf-8",
    "StructureDefinition",
    _first_paths_fit,
    says="The first element of a snapshot is the type itself, and all paths begin with it; logical models excepted.",
    seen="a snapshot without its root element, or an element whose path begins with another type",
)
invariant(
    "sdf-20",
    "StructureDefinition",
    lambda value: (
        not any("." not in text(item, "path") and has(item, "slicing") for item in _elements(value, _VIEWS[1]))
    ),
    says="The root element of a differential is not sliced.",
    seen="slicing of the root element",
)
invariant(
    "sdf-27",
    "StructureDefinition",
    lambda value: implies(has(value, "baseDefinition"), has(value, "derivation")),
    says="A structure with a baseDefinition says how it is derived (R5; wise in R4 too).",
    seen="a baseDefinition without derivation",
    allowed="specialization, constraint",
    versions=("R5",),
)
invariant(
    "eld-2",
    "ElementDefinition",
    lambda value: (
        not (text(value, "max").isdigit() and isinstance(value.get("min"), int))
        or value["min"] <= int(text(value, "max"))
    ),
    says="The min of an element is not above its max.",
    seen="a min above the max",
)
invariant(
    "eld-3",
    "ElementDefinition",
    lambda value: implies("max" in value, text(value, "max") == "*" or text(value, "max").isdigit()),
    says="The max of an element is a number or *.",
    seen="a max that is no number and not *",
    allowed="0, 1, 2, … or *",
    at="max",
)
invariant(
    "eld-8",
    "ElementDefinition",
    lambda value: not (has_choice(value, "pattern") and has_choice(value, "fixed")),
    says="An element has a fixed value or a pattern, and not both.",
    seen="fixed[x] and pattern[x] together",
)
invariant(
    "eld-13",
    "ElementDefinition",
    lambda value: len(codes := [text(item, "code") for item in items(value, "type")]) == len(set(codes)),
    says="No type stands twice in the list of an element's types.",
    seen="a type listed twice",
    at="type",
)
invariant(
    "eld-14",
    "ElementDefinition",
    lambda value: len(keys := [text(item, "key") for item in items(value, "constraint")]) == len(set(keys)),
    says="No two constraints of an element have the same key.",
    seen="a constraint key twice",
    at="constraint",
)
invariant(
    "eld-16",
    "ElementDefinition",
    lambda value: implies(text(value, "sliceName"), _SLICE.fullmatch(text(value, "sliceName"))),
    says="A slice name consists of tokens separated by /.",
    seen="a slice name with other characters",
    at="sliceName",
)
invariant(
    "eld-12",
    "ElementDefinitionBinding",
    lambda value: implies(text(value, "valueSet"), text(value, "valueSet").startswith(_ADDRESSES)),
    says="The value set of a binding is an http, https or urn address, or contained.",
    seen="a value set that is no absolute address",
    at="valueSet",
)
invariant(
    "eld-17",
    "ElementDefinitionType",
    lambda value: implies(has(value, "targetProfile"), text(value, "code") in _POINTERS),
    says="Only references and canonicals have target profiles.",
    seen="a targetProfile on another type",
    allowed=", ".join(sorted(_POINTERS)),
    at="targetProfile",
)


@rule("sdf-14", on="StructureDefinition")
def elements_have_ids(node: Node) -> Iterator[Fault]:
    """Every element of a snapshot or differential has an id, and no two of one view have the same (sdf-14, 16, 17)."""
    for view in _VIEWS:
        seen: set[str] = set()
        for place, element in enumerate(_elements(node.value, view)):
            name = text(element, "id")
            if not name or name in seen:
                said = f"the element id {name} a second time" if name else "an element without id"
                yield node.fault(view, "element", place, seen=said)
            seen.add(name)


@rule("sdf-3", on="StructureDefinition")
def snapshot_is_complete(node: Node) -> Iterator[Fault]:
    """Every element of a snapshot has a definition, a min and a max; logical models excepted."""
    for place, element in enumerate(_elements(node.value, "snapshot")):
        missing = [name for name in ("definition", "min", "max") if not has(element, name)]
        if missing and text(node.value, "kind") != "logical":
            yield node.fault("snapshot", "element", place, seen=f"an element without {', '.join(missing)}")


@rule("extension-value", "warning", on="StructureDefinition")
def extension_says_its_url(node: Node) -> Iterator[Fault]:
    """The definition of an extension fixes the url of the extension to its own url."""
    if text(node.value, "type") != "Extension":
        return
    for view in _VIEWS:
        for place, element in enumerate(_elements(node.value, view)):
            fixed = texts(element, "fixedUri") if text(element, "path") == "Extension.url" else []
            if fixed and fixed[0] != text(node.value, "url"):
                seen, allowed = fixed[0], text(node.value, "url")
                yield node.fault(view, "element", place, "fixedUri", seen=seen, allowed=allowed)
