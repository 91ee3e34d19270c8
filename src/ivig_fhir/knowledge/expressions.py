"""Syntax trees of conditions -> closures that give true, false or unknown, and the resources that decided.

Strong Kleene logic, as in FHIRPath. One rule is ours: where an input could not be had, the absence of a
match in an atom that mentions it is unknown, not false; a match is a match. A comparison is unknown when a
side is empty, has several items, or its dates are too coarse to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge import syntax as g
from ivig_fhir.knowledge.comparison import compare, earlier
from ivig_fhir.knowledge.facts import FALSE, TRUE, UNKNOWN, Facts, Verdict

_Item = tuple[Resource | None, Any]  # the resource an item was found in, and the item
_Items = Callable[[Facts, _Item | None], list[_Item]]
Closure = Callable[[Facts, _Item | None], Verdict]

_CHOICES = {
    "value": "Quantity CodeableConcept String Boolean Integer Range Ratio SampledData Time DateTime Period",
    "onset": "DateTime Age Period Range String",
    "abatement": "DateTime Age Period Range String",
    "performed": "DateTime Period String Age Range",
    "effective": "DateTime Period Timing Instant",
    "deceased": "Boolean DateTime",
    "medication": "CodeableConcept Reference",
}
_KEYS = {name: [name + suffix for suffix in types.split()] for name, types in _CHOICES.items()}


def closure(node: g.Node) -> Closure:
    """A condition as a function of the facts and, inside where(…), of the item at hand. Raises TypeError."""
    if isinstance(node, g.Open):
        return lambda facts, item: UNKNOWN
    if isinstance(node, g.Always):
        return lambda facts, item: TRUE
    if isinstance(node, g.And):
        return _every([closure(term) for term in node.terms])
    if isinstance(node, g.Or):
        return _some(_alternatives(node.terms))
    if isinstance(node, g.Compare):
        return _comparison(node)
    if isinstance(node, g.Path):
        return _boolean_path(node)
    raise TypeError(f"{node} is no condition")


def _every(terms: list[Closure]) -> Closure:
    def run(facts: Facts, item: _Item | None) -> Verdict:
        truth: bool | None = True
        decided: tuple[Resource, ...] = ()
        for term in terms:
            verdict = term(facts, item)
            if verdict.truth is False:
                return verdict
            truth = truth and verdict.truth
            decided += verdict.decided_by
        return Verdict(truth, decided)

    return run


def _alternatives(terms: Iterable[g.Node]) -> list[Closure]:
    """The terms of an `or`; those in a row that only ask whether an input holds anything are asked at once."""
    found: list[Closure] = []
    for plain, group in groupby(terms, lambda term: bool(_present(term))):
        asked = list(group)
        found += [_presence(*map(_present, asked))] if plain else map(closure, asked)
    return found


def _some(terms: list[Closure]) -> Closure:
    if len(terms) == 1:
        return terms[0]

    def run(facts: Facts, item: _Item | None) -> Verdict:
        truth: bool | None = False
        decided: tuple[Resource, ...] = ()
        for term in terms:
            verdict = term(facts, item)
            if verdict.truth is True:
                return verdict
            if verdict.truth is None:
                truth = None
                decided += verdict.decided_by
        return Verdict(truth, decided)

    return run


def _present(node: g.Node) -> str:
    """The name of an input of which a condition asks no more than whether it holds anything; else nothing."""
    if isinstance(node, g.Path) and isinstance(node.head, g.Variable) and node.steps == (g.Exists(),):
        return node.head.name
    return ""


def _presence(*names: str) -> Closure:
    """Whether one of the inputs holds anything, as most conditions ask: the first that does decides."""
    every = frozenset(names)

    def run(facts: Facts, _: _Item | None) -> Verdict:
        for name in names:
            found = facts.inputs.get(name)
            if found:
                return Verdict(True, found)
        return FALSE if every.isdisjoint(facts.unavailable) else UNKNOWN

    return run


def _boolean_path(path: g.Path) -> Closure:
    if name := _present(path):
        return _presence(name)
    last = path.steps[-1]
    before = g.Path(path.head, path.steps[:-1])
    if isinstance(last, g.Not):
        return _negation(closure(before if before.steps else _head_condition(before)))
    if isinstance(last, g.Exists):
        return _existence(before, last.condition, g.variables(path))
    return _truth_of(_items(path))


def _head_condition(path: g.Path) -> g.Node:
    assert path.head is not None and not isinstance(path.head, g.Variable)  # noqa: S101 - the grammar gives no other
    return path.head


def _negation(inner: Closure) -> Closure:
    def run(facts: Facts, item: _Item | None) -> Verdict:
        truth, decided = inner(facts, item)
        return Verdict(None if truth is None else not truth, decided)

    return run


def _existence(path: g.Path, inner: g.Node | None, names: frozenset[str]) -> Closure:
    find = _items(path if inner is None else g.Path(path.head, (*path.steps, g.Where(inner))))

    def run(facts: Facts, item: _Item | None) -> Verdict:
        found = find(facts, item)
        if found:
            return Verdict(True, _roots(found))
        return FALSE if names.isdisjoint(facts.unavailable) else UNKNOWN

    return run


def _truth_of(find: _Items) -> Closure:
    def run(facts: Facts, item: _Item | None) -> Verdict:
        found = find(facts, item)
        if len(found) != 1 or not isinstance(found[0][1], bool):
            return UNKNOWN
        return Verdict(found[0][1], _roots(found))

    return run


def _roots(found: list[_Item]) -> tuple[Resource, ...]:
    unique: dict[int, Resource] = {id(root): root for root, _ in found if root is not None}
    return tuple(unique.values())


def _items(node: g.Node | None) -> _Items:
    if isinstance(node, (g.Text, g.Number)):
        value: Any = node.value
        return lambda facts, item: [(None, value)]
    if isinstance(node, g.Today):
        back, unit = node.back, node.unit
        return lambda facts, item: [(None, earlier(facts.today, back, unit))]
    if not isinstance(node, g.Path):
        raise TypeError(f"{node} gives no items")
    find = _head(node.head)
    for step in node.steps:
        find = _step(find, step)
    return find


def _head(head: g.Variable | g.Node | None) -> _Items:
    if head is None:
        return lambda facts, item: [item] if item is not None else []
    if isinstance(head, g.Variable):
        name = head.name
        return lambda facts, item: [(resource, resource) for resource in facts.inputs.get(name, ())]
    return _items(head)


def _step(find: _Items, step: g.Step) -> _Items:
    if isinstance(step, g.Member):
        keys = _keys(step)
        return lambda facts, item: [
            (root, value) for root, parent in find(facts, item) for value in _children(parent, keys)
        ]
    if isinstance(step, g.Where):
        test = closure(step.condition)
        return lambda facts, item: [found for found in find(facts, item) if test(facts, found).truth is True]
    if isinstance(step, g.First):
        return lambda facts, item: find(facts, item)[:1]
    raise TypeError(f"{step} gives no items")


def _keys(member: g.Member) -> list[str]:
    if member.of_type:
        return [member.name + member.of_type[:1].upper() + member.of_type[1:]]
    return [*_KEYS.get(member.name, []), member.name]


def _children(parent: Any, keys: list[str]) -> Iterator[Any]:
    if isinstance(parent, dict):
        for key in keys:
            value = parent.get(key)
            if isinstance(value, list):
                yield from value
            elif value is not None:
                yield value


def _side(node: g.Node) -> _Items:
    """One side of a comparison; what an input gives is looked up once, not for each item that is compared with it."""
    find = _items(node)
    if not (isinstance(node, g.Path) and isinstance(node.head, g.Variable)):
        return find

    def run(facts: Facts, _: _Item | None) -> list[_Item]:
        found = facts.sides.get(find)
        if found is None:
            found = facts.sides[find] = find(facts, None)
        return found

    return run


def _comparison(node: g.Compare) -> Closure:
    left, right, op = _side(node.left), _side(node.right), node.op

    def run(facts: Facts, item: _Item | None) -> Verdict:
        lefts, rights = left(facts, item), right(facts, item)
        if len(lefts) != 1 or len(rights) != 1:
            return UNKNOWN
        return Verdict(compare(lefts[0][1], rights[0][1], op), _roots(lefts + rights))

    return run
