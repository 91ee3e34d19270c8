"""Elements of R4 and of R5 in one resource: one cause, told once, and not as one error for each element."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ivig_fhir.validation.elements import R4, R5, Table, table
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import Check, layer

rule = layer("structure")

_SHOWN = 6  # elements that are named


def other_version(version: str) -> str:
    """The version whose elements a resource of this one may have by mistake."""
    return R4 if version == R5 else R5


def table_elsewhere(node: Node) -> Table | None:
    """What may stand at a node in the other version: found by its path, as types have other names there."""
    other = other_version(node.artefact.version)
    if node.above is None:
        return table(node.type, other)
    above = table_elsewhere(node.above)
    element = above.elements.get(str(node.steps[0])) if above and node.steps else None
    return table(element.type, other) if element else None


def is_of_the_other(node: Node, key: str) -> bool:
    """Whether the other version has this element, in the form (one or an array) in which it stands."""
    allowed = table_elsewhere(node)
    element = allowed.elements.get(key.lstrip("_")) if allowed else None
    return element is not None and (key.startswith("_") or element.is_list == isinstance(node.value.get(key), list))


@dataclass(slots=True)
class Mixture:
    """What was found in an artefact that the other version would allow."""

    places: dict[tuple[Node, str], tuple[Check, list[Fault]]] = field(default_factory=dict)

    def takes(self, node: Node, key: str, check: Check, faults: Iterable[Fault]) -> bool:
        """Keep the faults of an element, if the other version explains it."""
        if not is_of_the_other(node, key):
            return False
        self.places[node, key] = (check, list(faults))
        return True

    def explains(self, node: Node, missing: Iterable[str]) -> bool:
        """Whether a node that lacks these has elements of the other version, which does not ask for them."""
        allowed = table_elsewhere(node)
        here = any(place is node for place, _ in self.places)
        return here and allowed is not None and not allowed.required & set(missing)

    def told(self) -> list[tuple[Check, list[Fault]]]:
        """One finding for all; a single element is told as it was found."""
        if len(self.places) < 2:
            return list(self.places.values())
        return [(version_mixed, version_mixed(list(self.places)))]


@rule("version-mixed")
def version_mixed(places: list[tuple[Node, str]]) -> list[Fault]:
    """The resource has elements of R4 and of R5, so that it is valid in neither. They are told once, at the first of
    them; it was read as the version that it states, or that was asked for, or that its first elements belong to."""
    node, key = places[0]
    version = node.artefact.version
    names = [f"{item.type}.{name}" for item, name in places]
    shown = ", ".join(dict.fromkeys(names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")
    seen = f"{len(places)} elements of {other_version(version)} in what was read as {version}: {shown}"
    return [node.fault(key, seen=seen, allowed="the elements of one version", hint="--fhir-version names it")]
