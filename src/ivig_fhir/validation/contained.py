"""Contained resources, local references, and ids within a resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.validation.collection import is_contained, owner_of
from ivig_fhir.validation.elements import table
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import items, rule, text, within
from ivig_fhir.validation.nodes import Node


@rule("ref-1", on="Resource")
def local_reference_resolves(node: Node) -> Iterator[Fault]:
    """A reference or canonical of the form #id leads to a contained resource (or, as #, to the container)."""
    known = {text(item, "id") for item in items(owner_of(node.artefact).resource, "contained")}
    for each in node.artefact.nodes:
        allowed = table(each.type, node.artefact.version)
        for name in allowed.canonicals & each.value.keys() if allowed else ():
            value = each.value[name]
            for text_of in value if isinstance(value, list) else [value]:
                if _is_dangling(text_of, known):
                    yield each.fault(name, seen=text_of, allowed=", ".join(sorted(known)) or "nothing is contained")
        if each.type == "Reference" and _is_dangling(each.value.get("reference"), known):
            seen = each.value["reference"]
            yield each.fault("reference", seen=seen, allowed=", ".join(sorted(known)) or "nothing is contained")


def _is_dangling(reference: Any, known: set[str]) -> bool:
    return (
        isinstance(reference, str) and reference.startswith("#") and len(reference) > 1 and reference[1:] not in known
    )


@rule("dom-2", on="Resource")
def not_nested(node: Node) -> Iterator[Fault]:
    """A contained resource contains no resources of its own."""
    if is_contained(node.artefact) and "contained" in node.value:
        yield node.fault("contained", seen="a contained resource that contains others")


@rule("dom-3", on="Resource")
def contained_is_used(node: Node) -> Iterator[Fault]:
    """A contained resource is referred to from the resource around it, or refers to it; else it means nothing."""
    inner = node.objects("contained")
    used = set(_local_references(node.value)) if inner else set()
    for place, item in inner:
        if f"#{text(item, 'id')}" not in used and "#" not in set(_local_references(item)):
            yield node.fault("contained", place, seen=f"#{text(item, 'id')}, to which nothing refers")


def _local_references(value: Any) -> Iterator[str]:
    due = [value]
    while due:
        found = due.pop()
        if isinstance(found, dict):
            due.extend(found.values())
        elif isinstance(found, list):
            due.extend(found)
        elif isinstance(found, str) and found.startswith("#"):
            yield found


@rule("dom-4", on="Resource")
def contained_has_no_version(node: Node) -> Iterator[Fault]:
    """A contained resource has no version and no time of its own: no meta.versionId, no meta.lastUpdated."""
    for name in ("versionId", "lastUpdated"):
        if is_contained(node.artefact) and name in within(node.value, "meta"):
            yield node.fault("meta", name, seen=f"meta.{name} in a contained resource")


@rule("dom-5", on="Resource")
def contained_has_no_label(node: Node) -> Iterator[Fault]:
    """A contained resource has no security label of its own."""
    if is_contained(node.artefact) and "security" in within(node.value, "meta"):
        yield node.fault("meta", "security", seen="meta.security in a contained resource")


@rule("element-id-twice", on="Resource")
def ids_differ(node: Node) -> Iterator[Fault]:
    """No two elements of a resource have the same id: what names an element by its id (relatedAction, goalId, a
    condition's variable) would mean two. A StructureDefinition repeats its ids in snapshot and differential."""
    seen: set[str] = set()
    for each in node.artefact.nodes if node.type != "StructureDefinition" else ():
        name = text(each.value, "id") if each.above else ""
        if name and name in seen:
            yield each.fault("id", seen=f"the element id {name} a second time")
        seen.add(name)


@rule("contained-id", on="Resource")
def contained_has_its_own_id(node: Node) -> Iterator[Fault]:
    """Every contained resource has an id, and no two have the same: #id is the only way to them."""
    seen: set[str] = set()
    for place, item in node.objects("contained"):
        name = text(item, "id")
        if not name or name in seen:
            said = f"the contained id {name} a second time" if name else "a contained resource without id"
            yield node.fault("contained", place, seen=said)
        seen.add(name)
