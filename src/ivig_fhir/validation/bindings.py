"""Codes in extensions, held to the binding of the extension's own StructureDefinition among the files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ivig_fhir.validation.collection import Collection
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import items, text, within
from ivig_fhir.validation.membership import Codes, enumerated
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.primitives import shortened
from ivig_fhir.validation.rules import SET, layer

rule = layer("terminology")

Bound = dict[str, Codes]  # id of the element in the StructureDefinition -> the codes that it may hold


@rule("extension-code", on=SET)
def extension_holds_a_bound_code(collection: Collection) -> Iterator[Fault]:
    """The value of an extension is a code that is not in the value set to which the extension's StructureDefinition
    among the files binds it (required), as far as that value set can be enumerated from the files."""
    known: dict[tuple[str, str], Bound] = {}
    for node in collection.nodes("Extension"):
        name, given = _given(node)
        if not name:
            continue
        holder = node if "/" in text(node.value, "url") or node.above is None else node.above
        key = (text(holder.value, "url"), node.artefact.version)
        if key not in known:
            known[key] = _bound(collection, *key)
        identity = "Extension.value[x]" if holder is node else f"Extension.extension:{text(node.value, 'url')}.value[x]"
        allowed = known[key].get(identity)
        if allowed and not any(_is_in(code, allowed) for code in given):
            yield node.fault(name, seen=_listed(given, given), allowed=shortened(_listed(allowed, given), 160))


def _given(node: Node) -> tuple[str, list[tuple[str, str]]]:
    """The element that holds codes, and these as (system, code)."""
    if "valueCode" in node.value:
        return "valueCode", [("", text(node.value, "valueCode"))]
    for name in ("valueCoding", "valueCodeableConcept"):
        held = within(node.value, name)
        codings = items(held, "coding") or ([held] if text(held, "code") else [])
        if codings:
            return name, [(text(item, "system"), text(item, "code")) for item in codings]
    return "", []


def _listed(codes: Iterable[tuple[str, str]], given: list[tuple[str, str]]) -> str:
    """The codes, with their systems where what was given has one."""
    return ", ".join(sorted(f"{item[0]}|{item[1]}" if given[0][0] else item[1] for item in codes))


def _is_in(code: tuple[str, str], allowed: Codes) -> bool:
    return code in allowed if code[0] else code[1] in {item[1] for item in allowed}


def _bound(collection: Collection, url: str, version: str) -> Bound:
    found: Bound = {}
    for artefact in collection.resolve(url, version):
        for element in items(within(artefact.resource, "differential"), "element"):
            binding = within(element, "binding")
            value_sets = collection.resolve(text(binding, "valueSet"), version)
            if text(binding, "strength") == "required" and len(value_sets) == 1:
                codes = enumerated(collection, value_sets[0])
                if codes:
                    found[text(element, "id")] = codes
    return found
