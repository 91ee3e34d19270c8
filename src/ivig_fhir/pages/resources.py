"""The FHIR resources behind pages, in each edition that the module is published in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ivig_fhir.knowledge.plans import Plan
from ivig_fhir.pages.publication import R4, R5, Publication


@dataclass(frozen=True)
class Entry:
    """A resource with its title and the editions that hold it."""

    type: str
    id: str
    title: str
    editions: tuple[str, ...]


def behind(plan: Plan, publication: Publication, shown: tuple[tuple[str, str], ...] = ()) -> list[Entry]:
    """The resources of a topic: its plan, all that it refers to, the Evidence of its units, and what else is shown."""
    named = [("PlanDefinition", plan.topic), *_of_units(plan, publication), *shown]
    names = dict.fromkeys(named)
    for edition in (R4, R5):
        names |= dict.fromkeys(_referred(publication, edition, named))
    return sorted((_entry(*name, publication) for name in names), key=lambda item: (item.type, item.id))


def everything(publication: Publication) -> list[Entry]:
    """Every resource of the module."""
    names: dict[tuple[str, str], None] = {}
    for edition in (R4, R5):
        definitions = publication.edition(edition)
        names |= dict.fromkeys(definitions.by_id) if definitions else {}
    return sorted((_entry(*name, publication) for name in names), key=lambda item: (item.type, item.id))


def _entry(resource_type: str, identifier: str, publication: Publication) -> Entry:
    editions = publication.editions_of(resource_type, identifier)
    resource = publication.find(editions[0], resource_type, identifier) or {}
    return Entry(resource_type, identifier, str(resource.get("title") or identifier), editions)


def _of_units(plan: Plan, publication: Publication) -> Iterator[tuple[str, str]]:
    for unit in plan.units:
        if publication.editions_of("Evidence", unit.id):
            yield "Evidence", unit.id


def _referred(publication: Publication, edition: str, names: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    definitions = publication.edition(edition)
    if definitions is None:
        return
    for name in names:
        for text in _texts(definitions.by_id.get(name)):
            target = definitions.by_url.get(text.partition("|")[0].partition("#")[0])
            relative = tuple(text.split("/"))
            if target is not None:
                yield target["resourceType"], target["id"]
            elif len(relative) == 2 and relative in definitions.by_id:
                yield relative[0], relative[1]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a resource: a canonical may stand anywhere in it."""
    if isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
    elif isinstance(value, str) and "/" in value:
        yield value
