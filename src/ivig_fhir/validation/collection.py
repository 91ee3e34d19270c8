"""All artefacts of a run together: what rules that follow links look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ivig_fhir.validation.elements import Element, table
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.nodes import Artefact, Node

# What no set of files has to bring along: the standard itself and the terminologies it names.
KNOWN_ELSEWHERE = (
    "http://hl7.org/",
    "http://terminology.hl7.org/",
    "http://unitsofmeasure.org",
    "http://snomed.info/",
    "http://loinc.org",
    "http://cts.nlm.nih.gov/",
    "http://www.nlm.nih.gov/",
    "http://fhir.org/",
    "http://www.cms.gov/Medicare/",
    "http://www.whocc.no/",
    "urn:",
)
HOUSE_EXTENSION = "/StructureDefinition/ivig-"


@dataclass(frozen=True, eq=False, slots=True)
class Link:
    """A canonical at a place of a node, and the artefacts that it leads to."""

    node: Node
    element: Element
    steps: Path
    text: str
    found: list[Artefact]

    @property
    def url(self) -> str:
        """The canonical without version and fragment."""
        return self.text.partition("|")[0].partition("#")[0]

    def fault(self, seen: str, allowed: str = "", hint: str = "") -> Fault:
        """A fault at this canonical."""
        return self.node.fault(*self.steps, seen=seen, allowed=allowed, hint=hint)


@dataclass(eq=False)
class Collection:
    """The artefacts by canonical URL and by Type/id; `external` are URL prefixes declared to be elsewhere."""

    artefacts: list[Artefact]
    external: tuple[str, ...] = ()
    by_url: dict[str, list[Artefact]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Artefact]] = field(default_factory=lambda: defaultdict(list))
    bases: set[str] = field(default_factory=set)
    systems: dict[tuple[str, str], dict[str, list[str]] | None] = field(default_factory=dict)
    by_type: dict[str, list[Node]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for artefact in self.artefacts:
            for node in artefact.nodes:
                self.by_type[node.type].append(node)
            if is_contained(artefact):
                continue
            if artefact.url:
                self.by_url[artefact.url].append(artefact)
                self.bases.add(base_of(artefact.url))
            if artefact.id:
                self.by_name[artefact.name].append(artefact)
        self.bases.discard("")

    def resolve(self, canonical: str, version: str) -> list[Artefact]:
        """The artefacts with this canonical or relative Type/id, those of the same FHIR version if there are any.

        `|version` and `#fragment` are left to the caller.
        """
        url = canonical.partition("|")[0].partition("#")[0]
        found = self.by_url.get(url) or ([] if "//" in url else self.by_name.get(url, []))
        return [item for item in found if item.version == version] or found

    def is_elsewhere(self, url: str) -> bool:
        """Whether a URL is known, or declared, to be defined outside the files given."""
        return url.startswith(KNOWN_ELSEWHERE) or url.startswith(self.external)

    @cached_property
    def links(self) -> list[Link]:
        """Every canonical in the set that is no #contained one."""
        return [link for artefact in self.artefacts for node in artefact.nodes for link in self._links_of(node)]

    def _links_of(self, node: Node) -> Iterator[Link]:
        version = node.artefact.version
        allowed = table(node.type, version)
        for name in allowed.canonicals & node.value.keys() if allowed else ():
            value = node.value[name]
            for place, item in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(item, str) and item and not item.startswith("#") and allowed:
                    steps = (name, place) if isinstance(value, list) else (name,)
                    yield Link(node, allowed.elements[name], steps, item, self.resolve(item, version))

    @cached_property
    def named_urls(self) -> set[str]:
        """Every URL that an artefact names, its own url left out: canonicals, systems, extensions, references."""
        found = {link.url for link in self.links}
        for artefact in self.artefacts:
            for node in artefact.nodes:
                for name in ("system", "url", "reference", "resource", "definitionUri", "valueUri", "valueCanonical"):
                    value = node.value.get(name)
                    if isinstance(value, str) and not (node.above is None and name == "url"):
                        found.add(value.partition("|")[0].partition("#")[0])
        return found

    def nodes(self, *types: str) -> Iterator[Node]:
        """Every node of these types, in every artefact."""
        for kind in types:
            yield from self.by_type.get(kind, ())


def is_contained(artefact: Artefact) -> bool:
    """Whether it stands in `contained` of another resource, so that only #id leads to it."""
    return artefact.container is not None and artefact.path[-2:-1] == ("contained",)


def owner_of(artefact: Artefact) -> Artefact:
    """The resource that contains it, however deep; itself where none does."""
    while is_contained(artefact) and artefact.container is not None:
        artefact = artefact.container
    return artefact


def base_of(url: str) -> str:
    """The part of a canonical before /Type/id; empty where it has no such form."""
    parts = url.rsplit("/", 2)
    return parts[0] if len(parts) == 3 and "//" in parts[0] and not parts[0].endswith("/") else ""


def house_bases(artefacts: list[Artefact]) -> set[str]:
    """The canonical bases under which an artefact uses extensions of this project."""
    found = set()
    for artefact in artefacts:
        for node in artefact.nodes:
            url = node.value.get("url") if node.type == "Extension" else None
            if isinstance(url, str) and HOUSE_EXTENSION in url:
                found.add(url.partition(HOUSE_EXTENSION)[0])
    return found
