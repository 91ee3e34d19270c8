"""definitions/<edition> as one frozen thing: read, resolve, search, and the hash of its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ivig_fhir.fhir import Resource, loads
from ivig_fhir.problems import Issue, Outcome, Problem

NOT_RESOURCES = {"index.json", "losses.json"}


@dataclass(frozen=True)
class Definitions:
    """The resources of one edition by (type, id) and by canonical URL."""

    by_id: MappingProxyType[tuple[str, str], Resource]
    by_url: MappingProxyType[str, Resource]
    content_hash: str

    def read(self, resource_type: str, identifier: str) -> Resource:
        """The resource Type/id. Raises Problem('definitions') when it is absent."""
        found = self.by_id.get((resource_type, identifier))
        if found is None:
            raise Problem(
                "definitions", Outcome((Issue(f"{resource_type}/{identifier}", "is not among the definitions"),))
            )
        return found

    def resolve(self, canonical: str, wanted_by: str) -> Resource:
        """The resource of a canonical, `|version` allowed. Raises Problem('definitions')."""
        url, _, version = canonical.partition("|")
        found = self.by_url.get(url)
        if found is None:
            raise Problem(
                "definitions",
                Outcome((Issue(wanted_by, f"refers to {url}, which does not exist", rule="links-resolve"),)),
            )
        if version and found.get("version") != version:
            message = f"refers to {url} in version {version}; there is only {found.get('version')}"
            raise Problem("definitions", Outcome((Issue(wanted_by, message, rule="links-resolve"),)))
        return found

    def search(self, resource_type: str) -> Iterator[Resource]:
        """All resources of a type, by id."""
        return (resource for (kind, _), resource in self.by_id.items() if kind == resource_type)


def load_definitions(folder: Path) -> Definitions:
    """Read every resource of a folder. Raises Problem('definitions') with all that is wrong."""
    if not folder.is_dir():
        raise Problem(
            "definitions", Outcome((Issue(str(folder), "there is no such folder", hint="ivig-fhir compile"),))
        )
    return definitions_of({path.name: path.read_bytes() for path in folder.glob("*.json")})


def definitions_of(files: Mapping[str, bytes]) -> Definitions:
    """The definitions of files given by name. Raises Problem('definitions') with all that is wrong."""
    digest = hashlib.sha256()
    issues: list[Issue] = []
    by_id: dict[tuple[str, str], Resource] = {}
    by_url: dict[str, Resource] = {}
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + content)
        if name in NOT_RESOURCES:
            continue
        resource = _read(content, name, issues)
        if resource is not None:
            by_id[resource["resourceType"], resource["id"]] = resource
            by_url[resource["url"]] = resource
    if not by_id and not issues:
        issues.append(Issue("definitions", "holds no definition", hint="ivig-fhir compile"))
    if issues:
        raise Problem("definitions", Outcome(tuple(issues)))
    return Definitions(MappingProxyType(by_id), MappingProxyType(by_url), f"sha256:{digest.hexdigest()}")


def _read(content: bytes, name: str, issues: list[Issue]) -> Resource | None:
    try:
        resource: Any = loads(content)
    except ValueError as error:
        issues.append(Issue(name, f"is no JSON: {error}", rule="json"))
        return None
    if not isinstance(resource, dict) or not all(
        isinstance(resource.get(key), str) for key in ("resourceType", "id", "url")
    ):
        issues.append(Issue(name, "is no definition", "an object with resourceType, id and url", rule="structure"))
        return None
    if name != f"{resource['resourceType']}-{resource['id']}.json":
        issues.append(
            Issue(
                name,
                f"holds {resource['resourceType']}/{resource['id']}",
                "the file name <Type>-<id>.json",
                rule="file-name",
            )
        )
    return resource
