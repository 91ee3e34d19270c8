"""Invariants of ValueSet and CodeSystem."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.validation.elements import R5
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.invariants import Value, has, implies, invariant, items, rule, text
from ivig_fhir.validation.nodes import Node

_INCLUDE = "ValueSetComposeInclude"
_CONTAINS = "ValueSetExpansionContains"

invariant(
    "vsd-1",
    _INCLUDE,
    lambda value: has(value, "valueSet", "system"),
    says="An include or exclude names a value set or a code system.",
    seen="an include with neither valueSet nor system",
)
invariant(
    "vsd-2",
    _INCLUDE,
    lambda value: implies(has(value, "concept", "filter"), has(value, "system")),
    says="An include with concepts or filters names the code system they are of.",
    seen="concepts or filters without system",
)
invariant(
    "vsd-3",
    _INCLUDE,
    lambda value: not (has(value, "concept") and has(value, "filter")),
    says="An include has concepts or filters, and not both.",
    seen="an include with concept and filter",
)
invariant(
    "vsd-6",
    _CONTAINS,
    lambda value: has(value, "code", "display"),
    says="An entry of an expansion has a code or a display.",
    seen="an entry with neither code nor display",
)
invariant(
    "vsd-9",
    _CONTAINS,
    lambda value: has(value, "code") or value.get("abstract") is True,
    says="An entry of an expansion has a code, unless it is abstract.",
    seen="an entry without code that is not abstract",
)
invariant(
    "vsd-10",
    _CONTAINS,
    lambda value: implies(has(value, "code"), has(value, "system")),
    says="An entry of an expansion with a code names its system.",
    seen="a code without system",
)
invariant(
    "vsd-11",
    "ValueSetComposeIncludeConceptDesignation",
    lambda value: implies(has(value, "additionalUse"), has(value, "use")),
    says="In R5 a designation with additionalUse has a use.",
    seen="additionalUse without use",
)
invariant(
    "csd-5",
    "CodeSystemConceptDesignation",
    lambda value: implies(has(value, "additionalUse"), has(value, "use")),
    says="In R5 a designation with additionalUse has a use.",
    seen="additionalUse without use",
)
invariant(
    "csd-2",
    "CodeSystem",
    lambda value: implies(
        any(has(item, "concept") for item in items(value, "concept")), has(value, "hierarchyMeaning")
    ),
    says="A code system whose concepts are nested says what the nesting means.",
    seen="nested concepts without hierarchyMeaning",
    allowed="grouped-by, is-a, part-of, classified-with",
    versions=(R5,),
    severity="warning",
)
invariant(
    "csd-3",
    "CodeSystem",
    lambda value: implies(
        any(
            text(prop, "code") in ("parent", "child")
            for item in items(value, "concept")
            for prop in items(item, "property")
        ),
        has(value, "hierarchyMeaning"),
    ),
    says="A code system whose concepts have parents or children as properties says what that means.",
    seen="parent or child properties without hierarchyMeaning",
    versions=(R5,),
    severity="warning",
)
invariant(
    "csd-4",
    "CodeSystem",
    lambda value: implies(text(value, "content") == "supplement", has(value, "supplements")),
    says="A supplement names the code system that it supplements.",
    seen="content supplement without supplements",
)


def concepts(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """(path, concept) of every concept of a CodeSystem, parents first."""
    found = value.get("concept")
    for place, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            here = (*path, "concept", place)
            yield here, item
            yield from concepts(item, here)


@rule("csd-1", on="CodeSystem")
def codes_differ(node: Node) -> Iterator[Fault]:
    """Within a code system every code stands once, nested concepts included."""
    seen: set[str] = set()
    for path, concept in concepts(node.value):
        code = text(concept, "code")
        if code and code in seen:
            yield node.fault(*path, "code", seen=f"the code {code} a second time")
        seen.add(code)


@rule("property-twice", on="CodeSystem")
def properties_differ(node: Node) -> Iterator[Fault]:
    """A code system declares a property once."""
    seen: set[str] = set()
    for place, item in node.objects("property"):
        code = text(item, "code")
        if code and code in seen:
            yield node.fault("property", place, "code", seen=f"the property {code} a second time")
        seen.add(code)


invariant(
    "supplement-content",
    "CodeSystem",
    lambda value: implies(has(value, "supplements"), text(value, "content") == "supplement"),
    says="A code system that supplements another has the content supplement.",
    seen="supplements in a code system of other content",
    allowed="content: supplement",
    at="content",
)
