"""A set of resources as one publication: its FHIR version, base, name, version and date, out of the resources."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.problems import Problem, problem
from ivig_fhir.publishing.documents import FOLDERS, R4
from ivig_fhir.publishing.elements import parts

GUIDE, LIBRARY = "ImplementationGuide", "Library"
COMPOSED_OF = "composed-of"


@dataclass(frozen=True)
class Edition:
    """The resources of one FHIR version, by type and id."""

    version: str
    resources: tuple[Resource, ...]

    @cached_property
    def by_name(self) -> dict[str, Resource]:
        """Type/id -> resource."""
        return {reference_to(item): item for item in self.resources}

    @cached_property
    def by_url(self) -> dict[str, Resource]:
        """Canonical URL -> resource."""
        return {item["url"]: item for item in self.resources if isinstance(item.get("url"), str)}

    def lead_to(self, link: str) -> Resource | None:
        """The resource that a canonical (version and fragment set aside) or a relative reference leads to."""
        return self.by_url.get(link.partition("|")[0].partition("#")[0]) or self.by_name.get(link)

    @cached_property
    def guide(self) -> Resource:
        """The ImplementationGuide; empty where there is none. Raises Problem('malformed') for several."""
        found = [item for item in self.resources if item["resourceType"] == GUIDE]
        if len(found) > 1:
            names = ", ".join(map(reference_to, found))
            raise problem("malformed", names, f"{len(found)} implementation guides", "at most one")
        return found[0] if found else {}

    @cached_property
    def module(self) -> Resource:
        """What names the whole: the guide, else the Library that is composed of most; empty where there is neither."""
        libraries = [item for item in self.resources if item["resourceType"] == LIBRARY and parts_of(item)]
        return self.guide or max(libraries, key=lambda item: len(parts_of(item)), default={})

    @cached_property
    def base(self) -> str:
        """The part before /Type/id of most canonicals. Raises Problem('malformed') where no canonical has that form."""
        found = Counter(filter(None, map(base_of, self.resources)))
        if not found:
            raise problem("malformed", "content", "has no canonical of the form BASE/Type/id", "one at least")
        return max(found, key=lambda base: (found[base], base))

    @cached_property
    def content_version(self) -> str:
        """The version of the content: the module's, else that of most resources, else 0.0.0."""
        return str(self.module.get("version") or self._usual("version") or "0.0.0")

    @cached_property
    def date(self) -> str:
        """The day of the content, YYYY-MM-DD: the module's, else the newest; empty where no resource has one."""
        dates = [str(item.get("date", ""))[:10] for item in self.resources]
        return str(self.module.get("date") or max(dates, default=""))[:10]

    @cached_property
    def publisher(self) -> str:
        """Who publishes it; empty where nothing says so."""
        return str(self.module.get("publisher") or self._usual("publisher"))

    @cached_property
    def package_id(self) -> str:
        """The guide's packageId, else one made of the base; local.* where the base makes none."""
        if self.guide.get("packageId"):
            return str(self.guide["packageId"])
        try:
            return package_id(self.base, self.version)
        except Problem:
            return f"local.{re.sub(r'[^a-z0-9-]', '-', str(self.module.get('id', 'content')).lower())}"

    def _usual(self, name: str) -> str:
        found = Counter(str(item[name]) for item in self.resources if item.get(name))
        return max(found, key=lambda value: (found[value], value), default="")


def parts_of(library: Resource) -> list[dict[str, Any]]:
    """The relatedArtifacts that say what a Library is composed of."""
    return [item for item in parts(library, "relatedArtifact") if item.get("type") == COMPOSED_OF]


def base_of(resource: Resource) -> str:
    """The base of a canonical of the form BASE/Type/name; empty for another."""
    start, _, _ = str(resource.get("url", "")).rpartition("/")
    tail = f"/{resource['resourceType']}"
    return start.removesuffix(tail) if start.endswith(tail) else ""


def package_id(base: str, version: str) -> str:
    """The host of a base, reversed, then its path but for a last `fhir`; the R5 package has a suffix.

    Raises Problem('malformed') where the host makes none: a package id has two or more parts (PK-01).
    """
    address = urlsplit(base)
    host = address.hostname or ""
    parts = [part for part in reversed(host.split(".")) if part]
    if len(parts) < 2 or parts[0].isdigit():
        allowed = "a host with a domain, or --package-id NAME"
        raise problem("malformed", base, f"the host {host!r} makes no package id", allowed)
    path = address.path.lower().strip("/").removesuffix("fhir").split("/")
    parts += [re.sub(r"[^a-z0-9]+", "-", part).strip("-") for part in path]
    suffix = "" if version == R4 else f".{FOLDERS[version]}"
    return ".".join(filter(None, parts)) + suffix
