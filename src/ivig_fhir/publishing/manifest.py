"""What says of a publication what it consists of: the manifest Library (CRMI 2.0.0) and the guide of the package."""

from __future__ import annotations

from typing import Any

from ivig_fhir.fhir import THO, Resource, canonical, coding, concept, reference_to
from ivig_fhir.publishing.dependencies import Package, outside, packages_of
from ivig_fhir.publishing.documents import R4
from ivig_fhir.publishing.edition import GUIDE, LIBRARY, Edition
from ivig_fhir.publishing.elements import part, parts, string

_MOST_ID = 64  # characters of a FHIR id


def manifest(edition: Edition, identifier: str) -> Resource:
    """The manifest of an edition: composed-of each artefact, depends-on what it uses and does not define (PK-12)."""
    title = str(edition.module.get("title") or identifier)
    related = [
        {"type": "composed-of", "display": _title(item), "resource": _versioned(item)}
        for item in edition.resources
        if isinstance(item.get("url"), str)
    ]
    related += [{"type": "depends-on", "resource": url} for url in outside(edition)]
    name = manifest_id(identifier)
    return _filled(
        {
            "resourceType": LIBRARY,
            "id": name,
            "url": canonical(edition.base, LIBRARY, name),
            "version": edition.content_version,
            "name": _pascal(name),
            "title": f"Manifest: {title}",
            "status": str(edition.module.get("status", "draft")),
            "experimental": edition.module.get("experimental"),
            "type": concept(coding(f"{THO}/library-type", "asset-collection", "Asset Collection")),
            "date": edition.date,
            "publisher": edition.publisher,
            "description": f"What {title} consists of, and what it uses that is defined elsewhere.",
            "relatedArtifact": related,
        }
    )


def manifest_id(identifier: str) -> str:
    """The id of the manifest of a package."""
    return f"{identifier[: _MOST_ID - len('-manifest')]}-manifest"


def guide(edition: Edition, identifier: str, added: tuple[Resource, ...] = ()) -> Resource:
    """The guide of a package: the content's own, or a plain one, under the package's id; lists every resource."""
    known = edition.guide
    title = str(known.get("title") or edition.module.get("title") or identifier)
    definition = part(known, "definition")
    listed = {string(part(item, "reference"), "reference"): item for item in parts(definition, "resource")}
    rest = [item for item in (*edition.resources, *added) if item["resourceType"] != GUIDE]
    for item in rest:
        listed.setdefault(reference_to(item), _listed(item, edition.version))
    made = {
        "resourceType": GUIDE,
        "id": identifier,
        "url": canonical(edition.base, GUIDE, identifier),
        "version": edition.content_version,
        "name": _pascal(identifier),
        "title": title,
        "status": "draft",
        "date": edition.date,
        "publisher": edition.publisher,
        "description": f"{title}: a package made of {len(rest)} resources.",
    }
    found = {**(known or made), "id": identifier, "url": canonical(edition.base, GUIDE, identifier)}
    for name in ("packageId", "license", "fhirVersion", "dependsOn", "definition"):
        found.pop(name, None)
    uses = [*parts(known, "dependsOn"), *(_depends(item) for item in packages_of(edition))]
    after = {
        "packageId": identifier,
        "license": known.get("license"),
        "fhirVersion": [edition.version],
        "dependsOn": list({string(item, "packageId"): item for item in reversed(uses)}.values())[::-1],
        "definition": {**definition, "resource": [listed[name] for name in sorted(listed)]},
    }
    return _filled(found | after)


def _depends(package: Package) -> dict[str, str]:
    return {"uri": package.guide, "packageId": package.name, "version": package.version}


def _listed(resource: Resource, version: str) -> dict[str, Any]:
    example = {"exampleBoolean": False} if version == R4 else {"isExample": False}
    return {"reference": {"reference": reference_to(resource)}, "name": _title(resource), **example}


def _pascal(identifier: str) -> str:
    """The computable name of a package: 'org.example.guidance' -> 'OrgExampleGuidance'."""
    return "".join(word[:1].upper() + word[1:] for word in identifier.replace(".", "-").split("-"))


def _title(resource: Resource) -> str:
    return str(resource.get("title") or resource.get("name") or reference_to(resource))


def _versioned(resource: Resource) -> str:
    version = resource.get("version")
    return f"{resource['url']}|{version}" if version else str(resource["url"])


def _filled(resource: dict[str, Any]) -> Resource:
    """Without members that say nothing."""
    return {key: value for key, value in resource.items() if value not in (None, "", [], {})}
