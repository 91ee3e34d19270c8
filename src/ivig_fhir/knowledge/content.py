"""Everything that the service needs of definitions/r4, loaded, checked and indexed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.plans import Plan, Unit, load_plan
from ivig_fhir.knowledge.repository import Definitions, load_definitions
from ivig_fhir.knowledge.requirements import PrefetchKey, Requirement, load_prefetch, read_requirement
from ivig_fhir.knowledge.terminology import Code, Hints, load_hints, property_values
from ivig_fhir.problems import Issue, Outcome, Problem


@dataclass(frozen=True)
class Word:
    """A concept of one of the module's code systems: what cards print."""

    code: str
    display: str
    definition: str
    properties: dict[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """The first value of a property, or nothing."""
        return next(iter(self.properties.get(name, ())), "")


Words = dict[str, Word]


@dataclass(frozen=True, eq=False)
class Content:
    """The loaded module; known by identity, so that what follows from it alone can be kept beside it."""

    definitions: Definitions
    base: str
    version: str
    library: Resource
    plans: tuple[Plan, ...]
    requirements: dict[str, Requirement]
    prefetch: dict[str, PrefetchKey]
    hints: Hints
    read_systems: dict[tuple[str, str], frozenset[str]]
    sources: Words
    statements: Words
    conflicts: Words
    newer: Words
    phrases: Words
    hooks: Words
    topics: Words
    directions: Words
    overrides: Words
    weight_units: Words
    units: dict[str, Unit] = field(default_factory=dict)
    code_map: Mapping[Code, Code] = field(default_factory=dict)  # the site's codes -> ours (code_map.py)

    def phrase(self, name: str, **values: Any) -> str:
        """A phrase of the module with its braces filled in. Raises Problem('definitions') when it is absent."""
        if name not in self.phrases:
            raise Problem("definitions", Outcome((Issue("CodeSystem/ivig-phrase", f"has no {name!r}"),)))
        return self.phrases[name].display.format(**values) if values else self.phrases[name].display


def load_content(folder: Path) -> Content:
    """Load definitions/<edition>. Raises Problem('definitions') naming resource and rule; nothing half-loaded."""
    return content_of(load_definitions(folder))


def content_of(definitions: Definitions) -> Content:
    """The content of loaded definitions. Raises Problem('definitions')."""
    library = _library(definitions)
    base = library["url"].rpartition("/Library/")[0]
    prefetch = load_prefetch(library, definitions)
    topics = _words(definitions, "ivig-topic")
    order = list(topics)
    plans = sorted(
        (load_plan(item, base, definitions) for item in definitions.search("PlanDefinition")),
        key=lambda plan: order.index(plan.topic) if plan.topic in order else len(order),
    )
    requirements = _requirements(plans, definitions, prefetch)
    units = {unit.id: unit for plan in plans for unit in plan.units}
    return Content(
        definitions,
        base,
        str(library["version"]),
        library,
        tuple(plans),
        requirements,
        prefetch,
        load_hints(definitions),
        _read_systems(requirements),
        _words(definitions, "ivig-source"),
        _words(definitions, "ivig-statement"),
        _words(definitions, "ivig-conflict"),
        _words(definitions, "ivig-newer"),
        _words(definitions, "ivig-phrase"),
        _words(definitions, "ivig-hook"),
        topics,
        _words(definitions, "ivig-direction"),
        _words(definitions, "ivig-override"),
        _words(definitions, "ivig-weight-unit"),
        units,
    )


def _library(definitions: Definitions) -> Resource:
    found = [item for item in definitions.search("Library") if item["type"]["coding"][0]["code"] == "module-definition"]
    if len(found) != 1:
        raise Problem(
            "definitions", Outcome((Issue("Library", f"{len(found)} of type module-definition", "exactly one"),))
        )
    return found[0]


def _words(definitions: Definitions, identifier: str) -> Words:
    return {item["code"]: word_of(item) for item in definitions.read("CodeSystem", identifier).get("concept", ())}


def word_of(item: dict[str, Any]) -> Word:
    """A concept as published."""
    names = dict.fromkeys(part["code"] for part in item.get("property", ()))
    properties = {name: tuple(property_values(item, name)) for name in names}
    return Word(item["code"], item.get("display", ""), item.get("definition", ""), properties)


def _requirements(
    plans: list[Plan], definitions: Definitions, prefetch: dict[str, PrefetchKey]
) -> dict[str, Requirement]:
    known: dict[str, Requirement] = {}
    for plan in plans:
        where = f"PlanDefinition/{plan.topic}"
        for data in plan.inputs:
            found = known.get(data.get("id", ""))
            if found is None:
                found = read_requirement(data, where, definitions, prefetch)
                known[found.id] = found
            elif found.source != data:
                message = f"the input {found.id} means something else than in another plan"
                raise Problem("definitions", Outcome((Issue(where, message, "one requirement per id"),)))
    return known


def _read_systems(requirements: dict[str, Requirement]) -> dict[tuple[str, str], frozenset[str]]:
    """(resource type, element path) -> the code systems that value sets read there.

    Not for allergies: their texts are read whatever code stands beside them, and a code of none of ours asks nothing.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for item in requirements.values():
        for part in item.filters:
            if part.from_value_set and item.type != "AllergyIntolerance":
                systems: set[str] = {code[0] for code in _proper(part.codes)}
                found[item.type, part.path] = found.get((item.type, part.path), frozenset()) | systems
    return found


def _proper(codes: frozenset[Code]) -> frozenset[Code]:
    return frozenset(code for code in codes if code[0] and "/CodeSystem/ivig-hint" not in code[0])
