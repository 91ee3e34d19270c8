"""Conditions compiled to closures that give true, false or unknown, and the resources that decided.

Strong Kleene logic, as in FHIRPath. One rule is ours: where an input could not be had, the absence of a
match in an atom that mentions it is unknown, not false; a match is a match. A comparison is unknown when a
side is empty, has several items, or its dates are too coarse to decide.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge import grammar as g


class Verdict(NamedTuple):
    """truth is True, False, or None for unknown; decided_by are the resources that made it so."""

    truth: bool | None
    decided_by: tuple[Resource, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a condition is evaluated over: input id -> resources, ids that could not be had, the day."""

    inputs: Mapping[str, tuple[Resource, ...]]
    unavailable: frozenset[str]
    today: date


TRUE, FALSE, UNKNOWN = Verdict(True), Verdict(False), Verdict(None)

_Item = tuple[Resource | None, Any]  # the resource an item was found in, and the item
_Items = Callable[[Facts, _Item | None], list[_Item]]
_Closure = Callable[[Facts, _Item | None], Verdict]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}
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
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?.*)?)?)?$")


@dataclass(frozen=True)
class Condition:
    """A compiled condition: its text, the inputs that it names, and evaluate()."""

    text: str
    inputs: frozenset[str]
    _run: _Closure

    def evaluate(self, facts: Facts) -> Verdict:
        """True, false or unknown over these facts."""
        return self._run(facts, None)


def compile_condition(text: str) -> Condition:
    """Parse and compile. Raises grammar.NotInGrammar."""
    node = g.parse(text)
    return Condition(text, variables(node), _condition(node))


def compile_priority(text: str) -> Condition:
    """The condition under which a dynamic priority is urgent. Raises grammar.NotInGrammar."""
    node = g.parse_priority(text)
    return Condition(text, variables(node), _condition(node))


def variables(node: g.Node | g.Step | None) -> frozenset[str]:
    """The input ids that a tree names."""
    if isinstance(node, g.Variable):
        return frozenset({node.name})
    if isinstance(node, (g.And, g.Or)):
        return frozenset().union(*(variables(term) for term in node.terms))
    if isinstance(node, g.Compare):
        return variables(node.left) | variables(node.right)
    if isinstance(node, (g.Exists, g.Where)):
        return variables(node.condition)
    if isinstance(node, g.Path):
        return variables(node.head).union(*(variables(step) for step in node.steps))
    return frozenset()


def _condition(node: g.Node) -> _Closure:
    if isinstance(node, g.Open):
        return lambda facts, item: UNKNOWN
    if isinstance(node, g.Always):
        return lambda facts, item: TRUE
    if isinstance(node, g.And):
        return _every([_condition(term) for term in node.terms])
    if isinstance(node, g.Or):
        return _some([_condition(term) for term in node.terms])
    if isinstance(node, g.Compare):
        return _comparison(node)
    if isinstance(node, g.Path):
        return _boolean_path(node)
    raise TypeError(f"{node} is no condition")


def _every(terms: list[_Closure]) -> _Closure:
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


def _some(terms: list[_Closure]) -> _Closure:
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


def _boolean_path(path: g.Path) -> _Closure:
    last = path.steps[-1]
    before = g.Path(path.head, path.steps[:-1])
    if isinstance(last, g.Not):
        return _negation(_condition(before if before.steps else _head_condition(before)))
    if isinstance(last, g.Exists):
        return _existence(before, last.condition, variables(path))
    return _truth_of(_items(path))


def _head_condition(path: g.Path) -> g.Node:
    assert path.head is not None and not isinstance(path.head, g.Variable)  # noqa: S101 - the grammar gives no other
    return path.head


def _negation(inner: _Closure) -> _Closure:
    def run(facts: Facts, item: _Item | None) -> Verdict:
        truth, decided = inner(facts, item)
        return Verdict(None if truth is None else not truth, decided)

    return run


def _existence(path: g.Path, inner: g.Node | None, names: frozenset[str]) -> _Closure:
    find = _items(path if inner is None else g.Path(path.head, (*path.steps, g.Where(inner))))

    def run(facts: Facts, item: _Item | None) -> Verdict:
        found = find(facts, item)
        if found:
            return Verdict(True, _roots(found))
        return FALSE if names.isdisjoint(facts.unavailable) else UNKNOWN

    return run


def _truth_of(find: _Items) -> _Closure:
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
    if isinstance(node, g.Text):
        return lambda facts, item, value=node.value: [(None, value)]  # type: ignore[misc]
    if isinstance(node, g.Number):
        return lambda facts, item, value=node.value: [(None, value)]  # type: ignore[misc]
    if isinstance(node, g.Today):
        return lambda facts, item, node=node: [(None, _earlier(facts.today, node.back, node.unit))]  # type: ignore[misc]
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
        test = _condition(step.condition)
        return lambda facts, item: [found for found in find(facts, item) if test(facts, found).truth is True]
    if isinstance(step, g.First):
        return lambda facts, item: find(facts, item)[:1]
    raise TypeError(f"{step} gives no items")


def _keys(member: g.Member) -> list[str]:
    if member.of_type:
        return [member.name + member.of_type[:1].upper() + member.of_type[1:]]
    return _KEYS.get(member.name, []) + [member.name]


def _children(parent: Any, keys: list[str]) -> Iterator[Any]:
    if isinstance(parent, dict):
        for key in keys:
            value = parent.get(key)
            if isinstance(value, list):
                yield from value
            elif value is not None:
                yield value


def _comparison(node: g.Compare) -> _Closure:
    left, right, op = _items(node.left), _items(node.right), node.op

    def run(facts: Facts, item: _Item | None) -> Verdict:
        lefts, rights = left(facts, item), right(facts, item)
        if len(lefts) != 1 or len(rights) != 1:
            return UNKNOWN
        return Verdict(_compare(lefts[0][1], rights[0][1], op), _roots(lefts + rights))

    return run


def _compare(left: Any, right: Any, op: str) -> bool | None:
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if isinstance(left, (int, Decimal)) and isinstance(right, (int, Decimal)):
        return _COMPARISONS[op](left, right)
    dates = _date_parts(left), _date_parts(right)
    if dates[0] and dates[1]:
        return _compare_dates(dates[0], dates[1], op)
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARISONS[op](left, right)
    return None


def _date_parts(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, date):
        return (value.year, value.month, value.day)
    match = _DATE.match(value) if isinstance(value, str) else None
    return tuple(int(part) for part in match.groups() if part is not None) if match else None


def _compare_dates(left: tuple[int, ...], right: tuple[int, ...], op: str) -> bool | None:
    shared = min(len(left), len(right))
    if left[:shared] == right[:shared] and len(left) != len(right):
        return None
    return _COMPARISONS[op](left, right)


def _earlier(day: date, back: int, unit: str) -> date:
    if unit == "days":
        return day - timedelta(days=back)
    months = day.year * 12 + day.month - 1 - back * (12 if unit == "years" else 1)
    year, month = divmod(months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise ValueError(f"{day} less {back} {unit} is no date")
