"""The module as an ImplementationGuide, one per FHIR edition: each edition is a package of its own (PK-07, PK-14)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from ivig_fhir.authoring.artefacts import artefact
from ivig_fhir.authoring.editions import R4
from ivig_fhir.authoring.guidance import Module
from ivig_fhir.fhir import Resource, reference_to

LICENSE = "Apache-2.0"


def package_id(module: Module, version: str) -> str:
    """The package of an edition: the host of the module's base, reversed; the R5 one has a suffix."""
    host = urlsplit(module.base).hostname or module.id
    reversed_host = ".".join(reversed(host.split(".")))
    return reversed_host if version == R4 else f"{reversed_host}.r{version.partition('.')[0]}"


def implementation_guide(module: Module, version: str, resources: Iterable[Resource]) -> Resource:
    """The guide of an edition (FHIR version) that lists every resource of it, by type and id."""
    package = package_id(module, version)
    example = {"exampleBoolean": False} if version == R4 else {"isExample": False}
    listed = [
        {"reference": {"reference": reference_to(item)}, "name": item["title"], **example}
        for item in sorted(resources, key=lambda item: (item["resourceType"], item["id"]))
    ]
    found = artefact(
        module,
        ("ImplementationGuide", package),
        module.title,
        module.description,
        packageId=package,
        license=LICENSE,
        fhirVersion=[version],
        definition={"resource": listed},
    )
    return found | {"name": module.name}
