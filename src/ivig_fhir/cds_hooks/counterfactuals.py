"""For a unit that is silent: the smallest set of at most two facts that would make it appear, found by running it.

A fact is tried by adding it to the record. What is reported has been run through the whole path, cards included.
The search is bounded: it may miss a set, it never reports one that does not do what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from ivig_fhir.cds_hooks.answer import Evaluation, Responder
from ivig_fhir.cds_hooks.context import ORDER_HOOKS, PATIENT, PATIENT_VIEW
from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.engine.apply import APPLICABLE, SILENT, Finding, apply
from ivig_fhir.engine.candidates import Candidate, candidates
from ivig_fhir.engine.inputs import extended, gather
from ivig_fhir.engine.record import PatientRecord
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.plans import Criterion, Plan, Unit
from ivig_fhir.knowledge.requirements import DRAFTS

MOST_FACTS = 2
MOST_PAIRS = 300  # tried for one unit


@dataclass(frozen=True)
class Counterfactual:
    """What would make a unit appear: the facts, and how it would then stand; no facts, where none were found."""

    unit: Unit
    facts: tuple[Candidate, ...] = ()
    applicability: str = SILENT


class Search:
    """Tries facts on one request; holds the record no longer than the request."""

    def __init__(self, responder: Responder, request: HookRequest, record: PatientRecord, today: date) -> None:
        self.responder, self.content = responder, responder.content
        self.request, self.record, self.today = request, record, today
        self.base = gather(record, self.content, responder.index, today)
        required = {key for key, row in self.content.prefetch.items() if row.required}
        self.unreadable = not required.isdisjoint(record.unavailable)  # no added fact brings a unit on then
        self.known: dict[tuple[str, ...], Facts] = {}  # of none or one added fact: units ask for the same ones

    def for_topic(self, plan: Plan, evaluation: Evaluation) -> list[Counterfactual]:
        """For each unit of a plan that stays off the cards on this hook: what would bring it on."""
        shown = _shown(evaluation)
        return [self.for_unit(plan, unit) for unit in plan.units if unit.id not in shown]

    def for_unit(self, plan: Plan, unit: Unit) -> Counterfactual:
        """The smallest set of facts found; among equals the one by which it becomes applicable, by coded facts."""
        silenced = self.request.reader == PATIENT and self.request.hook != PATIENT_VIEW
        if silenced or self.unreadable or self.request.hook not in unit.hooks or unit.how == "never":
            return Counterfactual(unit)
        tried = self._candidates(plan, unit)
        for facts in self._promising(plan, unit, tried):
            found = self._verified(unit, facts)
            if found is not None:
                return found
        return Counterfactual(unit)

    def _candidates(self, plan: Plan, unit: Unit) -> list[Candidate]:
        criteria = [*plan.criteria, *unit.criteria, *((unit.opens,) if unit.opens else ())]
        wanting = [item for item in criteria if item.condition.evaluate(self._facts(())).truth is not True]
        found = candidates(wanting, self.content, self.request.patient_id, self.today)
        return [item for item in found if item.key != DRAFTS or self.request.hook in ORDER_HOOKS]

    def _promising(self, plan: Plan, unit: Unit, tried: list[Candidate]) -> Iterator[tuple[Candidate, ...]]:
        """Single facts, then pairs, that leave no criterion false: applicable ones first, coded before doubtful."""
        for size in range(1, MOST_FACTS + 1):
            sets = self._covering(plan, unit, tried) if size > 1 else [(item,) for item in tried]
            in_doubt = []
            for facts in sets:
                applicability = self._finding(plan, unit, facts).applicability
                if applicability == APPLICABLE:
                    yield facts
                elif applicability != SILENT:
                    in_doubt.append(facts)
            yield from in_doubt

    def _covering(self, plan: Plan, unit: Unit, tried: list[Candidate]) -> list[tuple[Candidate, ...]]:
        """Pairs of which each fact settles a criterion of its own, then other pairs, up to the bound."""
        criteria = [*plan.criteria, *unit.criteria]
        left = {item.input + str(number): self._false(criteria, (item,)) for number, item in enumerate(tried)}
        names = list(left)
        before = self._false(criteria, ())
        pairs = list(combinations(range(len(tried)), 2))
        helping = {number for number, name in enumerate(names) if left[name] < before}
        pairs.sort(key=lambda pair: (bool(left[names[pair[0]]] & left[names[pair[1]]]), -len(helping & set(pair))))
        return [(tried[one], tried[other]) for one, other in pairs[:MOST_PAIRS]]

    def _false(self, criteria: list[Criterion], facts: tuple[Candidate, ...]) -> frozenset[str]:
        found = self._facts(facts)
        return frozenset(item.id for item in criteria if item.condition.evaluate(found).truth is False)

    def _with(self, facts: tuple[Candidate, ...]) -> PatientRecord:
        record = self.record
        for item in facts:
            record = item.added_to(record)
        return record

    def _facts(self, facts: tuple[Candidate, ...]) -> Facts:
        name = tuple(str(item.resource["id"]) for item in facts)
        if name in self.known:
            return self.known[name]
        added = [item.resource for item in facts]
        found = extended(self.base, added, self.record, self.content, self.responder.index)
        if len(facts) < MOST_FACTS:
            self.known[name] = found
        return found

    def _finding(self, plan: Plan, unit: Unit, facts: tuple[Candidate, ...]) -> Finding:
        (finding,) = apply(plan, (unit,), self.content, self._facts(facts), self.request.hook)
        return finding

    def _verified(self, unit: Unit, facts: tuple[Candidate, ...]) -> Counterfactual | None:
        """The whole path, cards included: does the unit stand on a card?"""
        evaluation = self.responder.evaluate(self.request, self._with(facts), self.today, all_units=False)
        finding = _shown(evaluation).get(unit.id)
        return Counterfactual(unit, facts, finding.applicability) if finding else None


def _shown(evaluation: Evaluation) -> dict[str, Finding]:
    """The findings that stand on a card, or are named on the last one for want of room."""
    return {item.unit.id: item for card in evaluation.cards for item in (*card.findings, *card.also)}
