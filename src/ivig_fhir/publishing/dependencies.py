"""The packages whose definitions a set of resources uses, by the URLs that it names.

Versions: FHIR core as stated; hl7.fhir.uv.extensions 5.2.0, hl7.terminology 7.0.1, CPG 2.0.0, CRMI 2.0.0 and the
cross-version extensions 0.1.0 are those published when the exporter was written (package registry, 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivig_fhir.publishing.documents import FOLDERS, R4, R5
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.elements import objects

CORE = {R4: "hl7.fhir.r4.core", R5: "hl7.fhir.r5.core"}


@dataclass(frozen=True)
class Package:
    """A FHIR package with its exact version, and the canonical of its guide."""

    name: str
    version: str
    guide: str


@dataclass(frozen=True)
class _Known:
    prefix: str  # of the URLs that the package defines
    package: Package
    per_version: bool = True  # whether its name ends in r4 or r5


_KNOWN = (
    _Known(
        "http://terminology.hl7.org/",
        Package("hl7.terminology", "7.0.1", "http://terminology.hl7.org/ImplementationGuide/hl7.terminology"),
    ),
    _Known(
        "http://hl7.org/fhir/StructureDefinition/",
        Package(
            "hl7.fhir.uv.extensions",
            "5.2.0",
            "http://hl7.org/fhir/extensions/ImplementationGuide/hl7.fhir.uv.extensions",
        ),
    ),
    _Known(
        "http://hl7.org/fhir/uv/cpg/",
        Package("hl7.fhir.uv.cpg", "2.0.0", "http://hl7.org/fhir/uv/cpg/ImplementationGuide/hl7.fhir.uv.cpg"),
        per_version=False,
    ),
    _Known(
        "http://hl7.org/fhir/uv/crmi/",
        Package("hl7.fhir.uv.crmi", "2.0.0", "http://hl7.org/fhir/uv/crmi/ImplementationGuide/hl7.fhir.uv.crmi"),
        per_version=False,
    ),
    _Known(
        "http://hl7.org/fhir/5.0/StructureDefinition/",
        Package(
            "hl7.fhir.uv.xver-r5.r4",
            "0.1.0",
            "http://hl7.org/fhir/uv/xver/ImplementationGuide/hl7.fhir.uv.xver-r5.r4",
        ),
        per_version=False,
    ),
)


def packages_of(edition: Edition) -> tuple[Package, ...]:
    """The packages behind the extensions, profiles and code systems that an edition uses, FHIR's core left out."""
    named = set(outside(edition))
    found = []
    for known in _KNOWN:
        if any(url.startswith(known.prefix) for url in named):
            suffix = f".{FOLDERS[edition.version]}" if known.per_version else ""
            found.append(Package(known.package.name + suffix, known.package.version, known.package.guide))
    return tuple(sorted(found, key=lambda package: package.name))


def outside(edition: Edition) -> tuple[str, ...]:
    """The extensions, profiles and code systems that an edition uses and does not define, without version, sorted."""
    found = {url.partition("|")[0] for item in edition.resources for part in objects(item) for url in _used(part)}
    return tuple(sorted(url for url in found if ":" in url and edition.lead_to(url) is None))


def _used(part: dict[str, object]) -> Iterator[str]:
    system, url = part.get("system"), part.get("url")
    coded = "code" in part or "concept" in part or "filter" in part  # a Coding, a Quantity, an include; no Identifier
    if isinstance(system, str) and coded:
        yield system
    for name in ("extension", "modifierExtension"):
        members = part.get(name)
        for item in members if isinstance(members, list) else ():
            if isinstance(item, dict) and isinstance(item.get("url"), str):
                yield item["url"]
    profiles = part.get("profile")
    if isinstance(profiles, list) and "resourceType" not in part and url is None:
        yield from (item for item in profiles if isinstance(item, str))
