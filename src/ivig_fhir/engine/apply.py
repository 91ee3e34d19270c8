"""Plan, facts and occasion -> what each unit says: applicable, conditional or silent, and why.

A pure function of (definitions, record, instant, hook); FHIR $apply (AP-10, AP-12, AP-21) with strong
Kleene logic: a condition that is unknown makes a unit conditional, never silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ivig_fhir.engine.dose import Dose, NoDose, stated_dose
from ivig_fhir.engine.results import Result, results_of
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import FALSE, Facts, Verdict
from ivig_fhir.knowledge.plans import OCCASION, Criterion, Plan, Unit
from ivig_fhir.knowledge.requirements import DRAFTS

ANCHORS = frozenset({"conditions", DRAFTS})  # the inputs in which a disease or an order is recorded
APPLICABLE, CONDITIONAL, SILENT = "applicable", "conditional", "silent"


@dataclass(frozen=True)
class Because:
    """A criterion that is met or in doubt, and the resources that make it so."""

    criterion: str
    resources: tuple[Resource, ...]
    occasion: bool = False
    settled: bool = True


@dataclass(frozen=True)
class Missing:
    """A fact that would settle a criterion: what, from which query, and why it is not there."""

    fact: str
    input: str
    reason: str


@dataclass(frozen=True)
class Trace:
    """One criterion as evaluated."""

    criterion: str
    truth: bool | None
    resources: tuple[Resource, ...]


@dataclass(frozen=True)
class Finding:
    """What one unit says for this patient on this occasion, and its criteria as far as they were looked at."""

    unit: Unit
    applicability: str
    verdicts: tuple[tuple[Criterion, Verdict], ...] = ()
    missing: tuple[Missing, ...] = ()
    warns: bool = False
    opens: bool = False
    proposes: bool = False
    dose: Dose | None = None
    results: tuple[Result, ...] = ()
    silent_for: str = ""

    @property
    def applies(self) -> bool:
        """Whether every criterion is met."""
        return self.applicability == APPLICABLE

    @property
    def trace(self) -> tuple[Trace, ...]:
        """Every criterion that was looked at, with its truth and what decided it."""
        return tuple(Trace(criterion.reads, verdict.truth, verdict.decided_by) for criterion, verdict in self.verdicts)

    @cached_property
    def because(self) -> tuple[Because, ...]:
        """The criteria of a unit that stands for which resources speak."""
        if self.applicability == SILENT:
            return ()
        return tuple(
            Because(criterion.reads, verdict.decided_by, criterion.id == OCCASION, verdict.truth is True)
            for criterion, verdict in self.verdicts
            if verdict.decided_by
        )


Units = Mapping[str, Sequence[Unit]]  # by topic


class Wakefulness:
    """Which units a record can make speak: not those of which a criterion is false over no data while none of its
    inputs holds a resource or could not be had. Made once at load: each such set of inputs is a bit.
    """

    def __init__(self, content: Content) -> None:
        bits: dict[frozenset[str], int] = {}
        needed = {}
        for unit in content.units.values():
            needed[unit] = 0
            for condition in (criterion.condition for criterion in unit.criteria):
                if "subject" not in condition.inputs and condition.over_nothing.truth is False:
                    needed[unit] |= bits.setdefault(condition.inputs, 1 << len(bits))
        self._by_hook = {
            hook: [(unit, bit) for unit, bit in needed.items() if hook in unit.hooks] for hook in content.hooks
        }
        self._by_input: dict[str, int] = {}
        for inputs, bit in bits.items():
            for name in inputs:
                self._by_input[name] = self._by_input.get(name, 0) | bit

    def units(self, facts: Facts, hook: str) -> Units:
        """The units of a hook that these facts wake."""
        roused = 0
        for name in facts.touched:
            roused |= self._by_input.get(name, 0)
        found: dict[str, list[Unit]] = {}
        for unit, needed in self._by_hook[hook]:
            if needed & roused == needed:
                found.setdefault(unit.topic, []).append(unit)
        return found


def apply(plan: Plan, units: Iterable[Unit], content: Content, facts: Facts, hook: str) -> list[Finding]:
    """A finding for each of these units of a plan, silent ones included with the criterion that silenced them."""
    for criterion in plan.criteria:
        verdict = criterion.condition.evaluate(facts)
        if verdict.truth is False or _for_want_of_data(criterion, verdict, facts):
            verdicts = ((criterion, verdict),)
            return [Finding(unit, SILENT, verdicts, silent_for=criterion.reads) for unit in units]
    return [_finding(unit, content, facts, hook) for unit in units]


def _finding(unit: Unit, content: Content, facts: Facts, hook: str) -> Finding:
    if hook not in unit.hooks:
        return Finding(unit, SILENT, silent_for=f"does not speak on {hook}")
    verdicts = []
    for criterion in unit.criteria:
        verdict = criterion.condition.evaluate(facts)
        if verdict.truth is None and facts.unavailable:
            verdict = _anchored(verdict, criterion, unit, content, facts)
        verdicts.append((criterion, verdict))
        if verdict.truth is False:
            return Finding(unit, SILENT, tuple(verdicts), silent_for=criterion.reads)
    unanchored = _unanchored(verdicts, facts) if facts.unavailable else None
    if unanchored:
        return Finding(unit, SILENT, tuple(verdicts), silent_for=unanchored.reads)
    return _standing(unit, verdicts, content, facts)


def _unanchored(verdicts: list[tuple[Criterion, Verdict]], facts: Facts) -> Criterion | None:
    """The criterion on which a unit would stand though nothing on record points to it."""
    for number, (criterion, verdict) in enumerate(verdicts):
        anchored = any(other.decided_by for _, other in verdicts[:number])
        first = number == 0 or (criterion.id == OCCASION and not anchored)
        if first and _for_want_of_data(criterion, verdict, facts):
            return criterion
    return None


def _standing(unit: Unit, verdicts: list[tuple[Criterion, Verdict]], content: Content, facts: Facts) -> Finding:
    open_ones = [criterion for criterion, verdict in verdicts if verdict.truth is None]
    missing = [item for criterion in open_ones for item in _missing(criterion, content, facts)]
    warning = unit.warning.condition.evaluate(facts) if unit.warning else FALSE
    if unit.warning and warning.truth is None and not _held_open(unit.warning, open_ones):
        missing += _missing(unit.warning, content, facts)
    opens = unit.how == "opens" or (unit.opens is not None and unit.opens.condition.evaluate(facts).truth is not False)
    proposal = unit.proposal
    dose = stated_dose(unit.amount, facts, content) if unit.amount else None
    if unit.amount and isinstance(dose, NoDose):
        missing.append(
            Missing(
                content.phrase(f"weight-{dose.reason}", seen=dose.seen),
                content.requirements[unit.amount.weight].key,
                dose.reason,
            )
        )
    return Finding(
        unit,
        CONDITIONAL if open_ones else APPLICABLE,
        tuple(verdicts),
        missing=tuple(dict.fromkeys(missing)),
        warns=warning.truth is True,
        opens=opens,
        proposes=proposal is not None and not open_ones and _all_met(proposal.criteria, facts),
        dose=dose if isinstance(dose, Dose) and not open_ones else None,
        results=results_of(unit, facts) if unit.prints else (),
    )


def _held_open(warning: Criterion, open_ones: list[Criterion]) -> bool:
    """Whether a warning is unknown only as its unit is: what the unit asks then settles both."""
    read, asks = warning.condition.inputs, warning.asks
    if asks and any(item.asks and asks.fact in item.asks.fact for item in open_ones):
        return True
    return any(item.condition.inputs and item.condition.inputs <= read for item in open_ones if item.id != OCCASION)


def _anchored(verdict: Verdict, criterion: Criterion, unit: Unit, content: Content, facts: Facts) -> Verdict:
    """Data that could not be had never anchor a unit: a disease is unknown only while something points to it."""
    if criterion.condition.inputs & facts.unavailable:
        keys = {content.requirements[name].key for name in criterion.condition.inputs}
        anchor = keys <= ANCHORS or criterion.id in unit.anchors
        if anchor and criterion.condition.evaluate(facts.had).truth is False:
            return FALSE
    return verdict


def _for_want_of_data(criterion: Criterion, verdict: Verdict, facts: Facts) -> bool:
    """Unknown because data could not be had, and nothing on record points to it: then there is nothing to ask."""
    if verdict.truth is not None or verdict.decided_by or not facts.unavailable:
        return False
    return criterion.condition.evaluate(facts.had).truth is not None


def _all_met(criteria: tuple[Criterion, ...], facts: Facts) -> bool:
    return all(criterion.condition.evaluate(facts).truth is True for criterion in criteria)


def _missing(criterion: Criterion, content: Content, facts: Facts) -> list[Missing]:
    """What to ask: the data that could not be had, or else the fact that the criterion asks for."""
    gone = sorted({content.requirements[name].key for name in criterion.condition.inputs & facts.unavailable})
    found = [Missing(criterion.reads, key, "not-available") for key in gone]
    if not found or criterion.condition.evaluate(facts.had).truth is None:
        fact, reason = (
            (criterion.asks.fact, criterion.asks.reason) if criterion.asks else (criterion.reads, "not-recorded")
        )
        found.append(Missing(fact, _input_of(criterion, content), reason))
    return found


def _input_of(criterion: Criterion, content: Content) -> str:
    """The query that would bring the fact: the first, by key, of those that the criterion reads."""
    keys = sorted(
        {content.requirements[name].key for name in criterion.condition.inputs if name in content.requirements}
    )
    return keys[0] if keys else ""
