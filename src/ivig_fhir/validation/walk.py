"""The walk over an artefact: every object gets its type, every value its check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.validation import structure
from ivig_fhir.validation.elements import ANY_RESOURCE, Element, Table, table
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.mixed import Mixture
from ivig_fhir.validation.nodes import Artefact, Node
from ivig_fhir.validation.primitives import PRIMITIVES
from ivig_fhir.validation.reading import nested_too_deep
from ivig_fhir.validation.rules import Check

Report = Callable[[Check, Iterable[Fault]], None]
DEEPEST = 100
_EXTENSION_MEMBERS = {"id", "extension"}


@dataclass(slots=True)
class Walk:
    """Walks one artefact; `report` takes each rule with what it saw, `inner` collects the resources within."""

    artefact: Artefact
    report: Report
    inner: list[Artefact] = field(default_factory=list)
    depth: int = 0
    mixture: Mixture = field(default_factory=Mixture)

    def start(self) -> None:
        """Walk the whole artefact. Nothing is raised: what is not FHIR is reported."""
        artefact = self.artefact
        if not artefact.type:
            check = structure.no_resource if artefact.document.named or artefact.path else structure.other_json
            self.report(check, check(artefact))
            return
        allowed = table(artefact.type, artefact.version)
        if allowed is None or not allowed.is_resource:
            self.report(structure.unknown_type, structure.unknown_type(artefact))
            return
        self.visit(Node(artefact, artefact.resource, artefact.type), allowed)
        for found, faults in self.mixture.told():
            self.report(found, faults)

    def misplaced(self, check: Check, node: Node, key: str, faults: Iterable[Fault]) -> None:
        """Report an element that is not this version's, unless it is the other's: those are told together."""
        found = list(faults)
        if not self.mixture.takes(node, key, check, found):
            self.report(check, found)

    def visit(self, node: Node, allowed: Table) -> None:
        """Check the members of one object, then go into them."""
        self.artefact.nodes.append(node)
        value, elements = node.value, allowed.elements
        for key, item in value.items():
            element = elements.get(key)
            if element is None:
                self._no_element(node, key, item, allowed)
            elif element.is_list:
                self._list(node, element, item)
            elif type(item) is list:
                faults = structure.single_expected(node, element, item)
                self.misplaced(structure.single_expected, node, key, faults)
            else:
                self._single(node, element, (key,), item)
        missing = allowed.required - value.keys()
        if (allowed.required_choices or missing) and not self.mixture.explains(node, missing):
            self.report(structure.required_element, structure.required_element(node, allowed))
        if len(value.keys() & allowed.choice_members) > 1:
            self.report(structure.single_choice, structure.single_choice(node, allowed))

    def _no_element(self, node: Node, key: str, item: Any, allowed: Table) -> None:
        if key == "resourceType" and allowed.is_resource:
            return
        element = allowed.elements.get(key[1:]) if key.startswith("_") else None
        if element is None or not element.primitive:
            faults = structure.unknown_element(node, key, allowed)
            self.misplaced(structure.unknown_element, node, key, faults)
            return
        items = item if element.is_list and isinstance(item, list) else [item]
        given = node.value.get(key[1:])
        fits = element.is_list == isinstance(item, list) and bool(items)
        fits = fits and not (isinstance(given, list) and len(given) != len(items))
        for place, each in enumerate(items):
            if isinstance(each, dict) and each and each.keys() <= _EXTENSION_MEMBERS:
                self._into(node, "Element", (key, place) if element.is_list else (key,), each)
            elif each is not None or not element.is_list:
                fits = False
        if not fits:
            self.report(structure.misplaced_extension, structure.misplaced_extension(node, key, item))

    def _list(self, node: Node, element: Element, items: Any) -> None:
        if type(items) is not list:
            faults = structure.list_expected(node, element, items)
            self.misplaced(structure.list_expected, node, element.name, faults)
        elif not items:
            self.report(structure.empty_array, structure.empty_array(node, element.name))
        else:
            for place, item in enumerate(items):
                self._single(node, element, (element.name, place), item)

    def _single(self, node: Node, element: Element, path: Path, item: Any) -> None:
        primitive = PRIMITIVES.get(element.type)
        if primitive is None:
            if type(item) is dict and item:
                self._into(node, element.type, path, item, element)
            elif item == {}:
                self.report(structure.empty_object, structure.empty_object(node, path))
            else:
                self._odd(node, path, element, item)
        elif type(item) not in primitive.json:
            self._odd(node, path, element, item)
        elif not primitive.fits(item):
            check = structure.FORMS[primitive.rule]
            self.report(check, check(node, path, element, item))
        elif element.codes and item not in element.codes:
            self.report(structure.code_outside_binding, structure.code_outside_binding(node, path, element, item))

    def _odd(self, node: Node, path: Path, element: Element, item: Any) -> None:
        if item is not None:
            self.report(structure.wrong_json_type, structure.wrong_json_type(node, path, element, item))
        elif not (len(path) == 2 and _extended(node.value.get(f"_{element.name}"), path[1])):
            self.report(structure.null_value, structure.null_value(node, path))

    def _into(self, node: Node, kind: str, path: Path, item: dict[str, Any], element: Element | None = None) -> None:
        if kind == ANY_RESOURCE:
            self.inner.append(Artefact(self.artefact.document, item, (*node.path, *path), container=self.artefact))
            return
        allowed = table(kind, self.artefact.version)
        if allowed is None:
            return
        self.depth += 1
        if self.depth > DEEPEST:
            self.report(nested_too_deep, [node.fault(*path, seen=f"more than {DEEPEST} levels")])
        else:
            self.visit(Node(self.artefact, item, kind, path, node, element), allowed)
        self.depth -= 1


def _extended(extensions: Any, place: Any) -> bool:
    return isinstance(extensions, list) and place < len(extensions) and bool(extensions[place])
