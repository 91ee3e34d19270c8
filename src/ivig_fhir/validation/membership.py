"""Which codes the code systems and value sets among the files hold, as far as the files alone can tell."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.fhir import Resource
from ivig_fhir.validation.collection import Collection
from ivig_fhir.validation.invariants import Value, items, text, texts, within
from ivig_fhir.validation.nodes import Artefact
from ivig_fhir.validation.value_sets import concepts

Codes = set[tuple[str, str]]  # system, code


def code_system(collection: Collection, url: str, version: str) -> dict[str, list[str]] | None:
    """code -> its displays, of a complete code system among the files; None where there is none."""
    key = (url.partition("|")[0], version)
    if key not in collection.systems:
        found = [item.resource for item in collection.resolve(url, version) if item.type == "CodeSystem"]
        collection.systems[key] = _displays(found[0]) if len(found) == 1 and _is_complete(found[0]) else None
    return collection.systems[key]


def _is_complete(system: Resource) -> bool:
    return system.get("content") == "complete" and bool(system.get("concept"))


def _displays(system: Resource) -> dict[str, list[str]]:
    found = {}
    for _, concept in concepts(system):
        names = [text(item, "value") for item in items(concept, "designation")]
        found[text(concept, "code")] = [name for name in (text(concept, "display"), *names) if name]
    return found


def expanded(expansion: Value) -> Iterator[tuple[str, str]]:
    """The codes of an expansion, nested ones too, abstract ones left out."""
    for item in items(expansion, "contains"):
        if text(item, "code") and item.get("abstract") is not True:
            yield text(item, "system"), text(item, "code")
        yield from expanded(item)


def enumerated(collection: Collection, artefact: Artefact, above: frozenset[int] = frozenset()) -> Codes | None:
    """The codes that a compose enumerates; None where a filter, or a set that is not here, keeps us from knowing."""
    compose = within(artefact.resource, "compose")
    if not items(compose, "include") or id(artefact) in above:
        return None
    found: Codes = set()
    for include in items(compose, "include"):
        codes = _included(collection, artefact, include, above | {id(artefact)})
        if codes is None:
            return None
        found |= codes
    for exclude in items(compose, "exclude"):
        codes = _included(collection, artefact, exclude, above | {id(artefact)})
        if codes is None:
            return None
        found -= codes
    return found


def _included(collection: Collection, artefact: Artefact, include: Value, above: frozenset[int]) -> Codes | None:
    """One include: the codes of its system that are in all of its value sets."""
    parts: list[Codes | None] = []
    system = text(include, "system")
    if items(include, "filter"):
        return None
    if items(include, "concept"):
        parts.append({(system, text(item, "code")) for item in items(include, "concept")})
    elif system:
        known = code_system(collection, system, artefact.version)
        parts.append({(system, code) for code in known} if known is not None else None)
    for url in texts(include, "valueSet"):
        sets = [item for item in collection.resolve(url, artefact.version) if item.type == "ValueSet"]
        parts.append(enumerated(collection, sets[0], above) if len(sets) == 1 else None)
    known_parts = [part for part in parts if part is not None]
    return set.intersection(*known_parts) if parts and len(known_parts) == len(parts) else None
