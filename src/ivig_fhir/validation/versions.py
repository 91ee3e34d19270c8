"""Which FHIR version a document is written in: what it states, else what only one version has, else the default."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ivig_fhir.validation.elements import R4, R4B, R5, VERSIONS, Table, table
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.primitives import PRIMITIVES
from ivig_fhir.validation.reading import Document
from ivig_fhir.validation.rules import layer

rule = layer("structure")

_STATED = {"4.0": R4, "4.3": R4B, "5.0": R5}
_PROFILE = re.compile(r"^http://hl7\.org/fhir/(\d\.\d)/")
_SAMPLE = 3  # items of a list that are looked at
_LEVELS = 4


@dataclass(frozen=True)
class Decided:
    """The version of each document, in their order, and what was assumed for some of them."""

    versions: tuple[str, ...]
    notes: tuple[str, ...]


def decide(documents: list[Document], asked: str) -> Decided:
    """Each document's version: what it states, else what was asked for, else the one version that has its elements,
    else that of the documents beside it, else R4."""
    known = [
        stated(item.data) or version_of(item.stated) or version_of(asked) or shaped(item.data) for item in documents
    ]
    beside: dict[str, Counter[str]] = defaultdict(Counter)
    for document, version in zip(documents, known, strict=True):
        beside[document.group][version] += bool(version)
    found, assumed = [], 0
    for document, version in zip(documents, known, strict=True):
        near = [name for name, count in beside[document.group].most_common(1) if count]
        assumed += not version and not near and document.checked and isinstance(document.data, dict)
        found.append(version or (near[0] if near else R4))
    note = f"FHIR version not stated, several fit, R4 assumed: {assumed} of {len(documents)} (--fhir-version)"
    return Decided(tuple(found), (note,) if assumed else ())


def version_of(text: str) -> str:
    """R4, R4B or R5 for 4.0.1, 4.3, R5 …; empty for a version that is not known here."""
    wanted = text.strip()
    return wanted.upper() if wanted.upper() in VERSIONS else _STATED.get(wanted[:3], "")


def stated(data: Any) -> str:
    """The version that a resource states: fhirVersion, or a profile of one version."""
    if not isinstance(data, dict):
        return ""
    named = data.get("fhirVersion")
    for name in named if isinstance(named, list) else [named]:
        if isinstance(name, str) and version_of(name):
            return version_of(name)
    meta = data.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    for profile in profiles if isinstance(profiles, list) else ():
        match = _PROFILE.match(profile) if isinstance(profile, str) else None
        if match and match.group(1) in _STATED:
            return _STATED[match.group(1)]
    return ""


@rule("fhir-version", "warning", on="Resource")
def version_is_known(node: Node) -> Iterator[Fault]:
    """The resource states FHIR versions of which none is R4, R4B or R5. It was checked as one of these, so what its own
    version asks may not have been, and what that version allows may have been refused."""
    found = node.value.get("fhirVersion")
    named = [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, str)]
    if named and not any(version_of(item) for item in named):
        seen = f"FHIR {', '.join(named)}; checked as {VERSIONS[node.artefact.version]}"
        yield node.fault("fhirVersion", seen=seen, allowed=", ".join(VERSIONS.values()))


def shaped(data: Any) -> str:
    """R4 or R5 when the resource has elements of one alone, else empty."""
    for resource in _resources(data):
        name = resource["resourceType"]
        tables = table(name, R4), table(name, R5)
        if (tables[0] is None) != (tables[1] is None):
            return R4 if tables[0] else R5
        if tables[0] and tables[1]:
            found = _leaning(resource, tables[0], tables[1], _LEVELS)
            if found:
                return found
    return ""


def _resources(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict) and isinstance(data.get("resourceType"), str):
        yield data
        entries = data.get("entry") if data["resourceType"] == "Bundle" else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield from _resources(entry.get("resource"))


def _leaning(value: dict[str, Any], old: Table, new: Table, levels: int) -> str:
    for key, item in value.items():
        before, after = old.elements.get(key), new.elements.get(key)
        if (before is None) != (after is None):
            return R4 if before else R5
        if before is None or after is None:
            continue
        if before.is_list != after.is_list and isinstance(item, (list, dict)):
            return R4 if before.is_list == isinstance(item, list) else R5
        if levels and before.type not in PRIMITIVES and after.type not in PRIMITIVES:
            tables = table(before.type, R4), table(after.type, R5)
            for each in (item if isinstance(item, list) else [item])[:_SAMPLE]:
                if isinstance(each, dict) and tables[0] and tables[1]:
                    found = _leaning(each, tables[0], tables[1], levels - 1)
                    if found:
                        return found
    return ""
