"""An artefact (a resource, wherever it stands) and its nodes: each JSON object with its FHIR type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.validation.elements import Element
from ivig_fhir.validation.findings import Fault, Path, Place, Step
from ivig_fhir.validation.reading import Document


@dataclass(eq=False, slots=True)
class Artefact:
    """A resource: a file of its own, a Bundle entry, or contained. `path` leads to it from the document's root."""

    document: Document
    resource: Resource
    path: Path = ()
    version: str = ""
    strict: bool = False
    container: Artefact | None = None
    nodes: list[Node] = field(default_factory=list)
    full_urls: set[str] | None = None

    @property
    def entry_urls(self) -> set[str]:
        """The fullUrls of a Bundle's entries, gathered once."""
        if self.full_urls is None:
            entries = self.resource.get("entry")
            found = (
                [item.get("fullUrl") for item in entries if isinstance(item, dict)] if isinstance(entries, list) else []
            )
            self.full_urls = {url for url in found if isinstance(url, str)}
        return self.full_urls

    @property
    def type(self) -> str:
        """Its resourceType; empty when there is none."""
        found = self.resource.get("resourceType")
        return found if isinstance(found, str) else ""

    @property
    def id(self) -> str:
        """Its id; empty when there is none."""
        found = self.resource.get("id")
        return found if isinstance(found, str) else ""

    @property
    def url(self) -> str:
        """Its canonical URL; empty when there is none."""
        found = self.resource.get("url")
        return found if isinstance(found, str) else ""

    @property
    def name(self) -> str:
        """Type/id, for reports."""
        return f"{self.type}/{self.id}" if self.id else self.type

    def fault(self, *steps: Step, seen: str, allowed: str = "", hint: str = "") -> Fault:
        """A fault at a place counted from this resource."""
        return Fault(Place(self, (*self.path, *steps)), seen, allowed, hint)


@dataclass(eq=False, slots=True)
class Node:
    """A JSON object of an artefact with its type; `steps` lead to it from the node above."""

    artefact: Artefact
    value: dict[str, Any]
    type: str
    steps: Path = ()
    above: Node | None = None
    element: Element | None = None

    @property
    def path(self) -> Path:
        """The path from the document's root."""
        return (*self.above.path, *self.steps) if self.above else self.artefact.path

    @property
    def root(self) -> Resource:
        """The resource in which it stands."""
        return self.artefact.resource

    def fault(self, *steps: Step, seen: str, allowed: str = "", hint: str = "") -> Fault:
        """A fault at this node, or at a member of it."""
        return Fault(Place(self.artefact, (*self.path, *steps)), seen, allowed, hint)

    def objects(self, name: str) -> list[tuple[int, dict[str, Any]]]:
        """The objects of a list element with their places; what is no object is left to the structure rules."""
        found = self.value.get(name)
        items = found if isinstance(found, list) else []
        return [(place, item) for place, item in enumerate(items) if isinstance(item, dict)]
