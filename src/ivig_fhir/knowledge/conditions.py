"""Published conditions, compiled: text -> Condition, which says true, false or unknown over facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property

from ivig_fhir.knowledge import syntax as g
from ivig_fhir.knowledge.expressions import Closure, closure
from ivig_fhir.knowledge.facts import Facts, Verdict
from ivig_fhir.knowledge.grammar import parse, parse_priority


@dataclass(frozen=True)
class Condition:
    """A compiled condition: its text, the inputs that it names, evaluate(), and what it says over no data."""

    text: str
    inputs: frozenset[str]
    _run: Closure

    def evaluate(self, facts: Facts) -> Verdict:
        """True, false or unknown over these facts; units share criteria, so each text is evaluated once."""
        found = facts.memo.get(self.text)
        if found is None:
            idle = self.inputs.isdisjoint(facts.touched)
            found = facts.memo[self.text] = self.over_nothing if idle else self._run(facts, None)
        return found

    @cached_property
    def over_nothing(self) -> Verdict:
        """The verdict where no input holds anything and all could be had; then no date is looked at either."""
        return self._run(Facts({}, frozenset(), date.max), None)


@cache
def compile_condition(text: str, read: Callable[[str], g.Node] = parse) -> Condition:
    """Parse and compile, each text once: units share criteria. Raises NotInGrammar."""
    node = read(text)
    return Condition(text, g.variables(node), closure(node))


def compile_priority(text: str) -> Condition:
    """The condition under which a dynamic priority is urgent. Raises NotInGrammar."""
    return compile_condition(text, parse_priority)
