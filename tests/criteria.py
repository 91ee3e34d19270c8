"""Which truth values the cases give to each criterion of each unit, and whether it was seen to decide (MC/DC).

A criterion decides with a value where all other criteria of its unit are true: false makes the unit silent,
unknown makes it conditional. Values that an expression can never take are not asked for. Only a case that says what
must come of the unit counts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product

from cases import Case
from ivig_fhir.engine.inputs import build_index
from ivig_fhir.knowledge import syntax as g
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.grammar import parse
from ivig_fhir.knowledge.plans import Unit
from ivig_fhir.knowledge.requirements import DRAFTS
from oracle import facts_of

Truth = bool | None
ALL: frozenset[Truth] = frozenset({True, False, None})


@dataclass
class Seen:
    """What the cases showed of one criterion."""

    possible: frozenset[Truth]
    values: set[Truth] = field(default_factory=set)
    decided: set[Truth] = field(default_factory=set)

    @property
    def lacking(self) -> list[str]:
        """What no case shows yet."""
        names = {True: "true", False: "false", None: "unknown"}
        found = [f"never {names[value]}" for value in self.possible - self.values]
        return sorted(
            found + [f"{names[value]} never decides" for value in (self.possible & self.values) - self.decided]
        )


def possible(node: g.Node, content: Content) -> frozenset[Truth]:
    """The truth values that an expression can take over some record."""
    if isinstance(node, g.Open):
        return frozenset({None})
    if isinstance(node, g.Always):
        return frozenset({True})
    if isinstance(node, g.Compare):
        return ALL
    if isinstance(node, (g.And, g.Or)):
        parts = [possible(term, content) for term in node.terms]
        combine = conjunction if isinstance(node, g.And) else disjunction
        return frozenset(combine(values) for values in product(*parts))
    if isinstance(node, g.Path) and isinstance(node.steps[-1], g.Not):
        inner = g.Path(node.head, node.steps[:-1]) if len(node.steps) > 1 else node.head
        return frozenset(None if value is None else not value for value in possible(inner, content))  # type: ignore[arg-type]
    always_had = all(name == "subject" or content.requirements[name].key in (DRAFTS,) for name in g.variables(node))
    return frozenset({True, False}) if always_had else ALL


def conjunction(values: tuple[Truth, ...]) -> Truth:
    return False if False in values else None if None in values else True


def disjunction(values: tuple[Truth, ...]) -> Truth:
    return True if True in values else None if None in values else False


def observed(cases: list[Case], content: Content) -> dict[tuple[str, str], Seen]:
    """(unit, criterion) -> what all cases show of it."""
    index = build_index(content.requirements.values())
    seen: dict[tuple[str, str], Seen] = {}
    units = [unit for plan in content.plans for unit in plan.units if unit.how != "never"]
    for unit in units:
        for criterion in unit.criteria:
            seen[unit.id, criterion.id] = Seen(possible(parse(criterion.condition.text), content))
    for case in cases:
        facts = facts_of(case, content, index)
        if facts is None:
            continue
        for unit in units:
            if case.facts["hook"] in unit.hooks and _tells_of(unit, case):
                values = {criterion.id: criterion.condition.evaluate(facts).truth for criterion in unit.criteria}
                _note(unit, values, seen, bool(facts.unavailable))
    return seen


def _tells_of(unit: Unit, case: Case) -> bool:
    """Whether the case says what must come of the unit, so that it fails when something else does."""
    return unit.id in case.expect.get("units", {}) or case.expect.get("cards") == 0 or bool(case.expect.get("only"))


def _note(unit: Unit, values: dict[str, Truth], seen: dict[tuple[str, str], Seen], cut: bool) -> None:
    """Data that could not be had may leave several criteria open at once: then none of them needs to stand alone."""
    for criterion, value in values.items():
        entry = seen[unit.id, criterion]
        entry.values.add(value)
        if cut and value is None and False not in values.values():
            entry.decided.add(value)
        others = [other for name, other in values.items() if name != criterion]
        if (
            all(other is not False for other in others) if value is False else all(other is True for other in others)
        ) or (
            value is not False and all(other is not False for other in others) and _never_true(unit, criterion, seen)
        ):
            entry.decided.add(value)


def _never_true(unit: Unit, criterion: str, seen: dict[tuple[str, str], Seen]) -> bool:
    """Whether another criterion of the unit can never be true, so that the unit is conditional at best."""
    return any(True not in seen[unit.id, item.id].possible for item in unit.criteria if item.id != criterion)


def lacking(cases: list[Case], content: Content) -> dict[str, list[str]]:
    """unit -> 'criterion: what no case shows'."""
    found: dict[str, list[str]] = defaultdict(list)
    for (unit, criterion), entry in observed(cases, content).items():
        found[unit] += [f"{criterion}: {text}" for text in entry.lacking]
    return {unit: texts for unit, texts in found.items() if texts}
