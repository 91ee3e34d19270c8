"""All artefacts of a run together: what rules that follow links look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from ivig_fhir.validation.elements import Element, table
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
    "urn:",
)
HOUSE_EXTENSION = "/StructureDefinition/ivig-"


@dataclass(eq=False)
class Collection:
    """The artefacts by canonical URL and by Type/id; `external` are URL prefixes declared to be elsewhere."""

    artefacts: list[Artefact]
    external: tuple[str, ...] = ()
    by_url: dict[str, list[Artefact]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Artefact]] = field(default_factory=lambda: defaultdict(list))
    bases: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for artefact in self.artefacts:
            if artefact.url and not is_contained(artefact):
                self.by_url[artefact.url].append(artefact)
                self.bases.add(base_of(artefact.url))
            if artefact.id and not is_contained(artefact):
                self.by_name[artefact.name].append(artefact)
        self.bases.discard("")

    def resolve(self, canonical: str) -> list[Artefact]:
        """The artefacts with this canonical; `|version` and `#fragment` are left to the caller."""
        return self.by_url.get(canonical.partition("|")[0].partition("#")[0], [])

    def is_elsewhere(self, url: str) -> bool:
        """Whether a URL is known, or declared, to be defined outside the files given."""
        return url.startswith(KNOWN_ELSEWHERE) or url.startswith(self.external)

    def canonicals(self) -> Iterator[tuple[Node, Element, tuple[str | int, ...], str]]:
        """(node, element, steps from it, text) of every canonical in the set, #contained ones left out."""
        for artefact in self.artefacts:
            for node in artefact.nodes:
                allowed = table(node.type, artefact.version)
                for name in allowed.canonicals & node.value.keys() if allowed else ():
                    value = node.value[name]
                    items = value if isinstance(value, list) else [value]
                    for place, item in enumerate(items):
                        if isinstance(item, str) and item and not item.startswith("#"):
                            steps = (name, place) if isinstance(value, list) else (name,)
                            yield node, allowed.elements[name], steps, item  # type: ignore[union-attr]

    def nodes(self, *types: str) -> Iterator[Node]:
        """Every node of these types, in every artefact."""
        for artefact in self.artefacts:
            yield from (node for node in artefact.nodes if node.type in types)


def is_contained(artefact: Artefact) -> bool:
    """Whether it stands in `contained` of another resource, so that only #id leads to it."""
    return artefact.container is not None and artefact.container.type != "Bundle"


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
