"""From a checked request to the cards: the one path that service and command line share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ivig_fhir.cds_hooks.cards import Card, Origin, build_cards, unreadable_card
from ivig_fhir.cds_hooks.context import ORDER_HOOKS, PATIENT, PATIENT_VIEW
from ivig_fhir.cds_hooks.requests import HookRequest, missing_data, read_patient_record
from ivig_fhir.cds_hooks.selection import NO_POLICY, Policy, Selection, TopicCard, select
from ivig_fhir.cds_hooks.site_codes import mapped_facts
from ivig_fhir.cds_hooks.wording import Setting
from ivig_fhir.engine.apply import Finding, Units, Wakefulness, apply
from ivig_fhir.engine.inputs import Index, build_index, gather
from ivig_fhir.engine.record import PatientRecord
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.requirements import DRAFTS
from ivig_fhir.problems import problem


@dataclass(frozen=True)
class Evaluation:
    """What one request led to: the findings of every unit, and the cards chosen from them.

    `firing` are the units that would stand on cards if the site had silenced nothing, `silenced` those it took off.
    """

    facts: Facts
    findings: tuple[Finding, ...]
    cards: tuple[TopicCard, ...]
    not_evaluated: tuple[str, ...]
    not_used: tuple[str, ...]
    firing: tuple[Finding, ...] = ()
    silenced: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Response:
    """The cards of an answer, and the evaluation behind them where there was one."""

    cards: list[Card]
    evaluation: Evaluation | None = None


class Responder:
    """Answers requests over one loaded content; holds nothing of any patient."""

    def __init__(self, content: Content, policy: Policy = NO_POLICY) -> None:
        self.content = content
        self.policy = policy
        self.mute = policy.silent >= content.units.keys()
        self.index: Index = build_index(content.requirements.values())
        self.all_units: Units = {plan.topic: plan.units for plan in content.plans}
        self.wakefulness = Wakefulness(content)
        self.keys = {hook: _keys(hook, content) for hook in content.hooks}

    def answer(self, request: HookRequest, today: date, origin: Origin) -> dict[str, Any]:
        """{"cards": […]}. Raises Problem('missing-data') and Problem('unusable')."""
        return {"cards": self.respond(request, today, origin).cards}

    def respond(self, request: HookRequest, today: date, origin: Origin) -> Response:
        """The cards, and what was evaluated. Raises as answer."""
        if request.hook in ORDER_HOOKS and not request.drafts:
            return Response([])
        if request.reader == PATIENT and request.hook != PATIENT_VIEW:
            return Response([])
        record, gone = read_patient_record(request, self.content)
        if gone:
            return Response(self._without_required(request, record, tuple(sorted(gone)), today, origin))
        evaluation = self.evaluate(request, record, today, all_units=False)
        cut = tuple(key for key in evaluation.not_evaluated if self.content.prefetch[key].required)
        if cut and not evaluation.cards and self._classified(evaluation.facts):
            return Response(self._unreadable(request, record, cut, today, origin), evaluation)
        if not evaluation.cards:
            self._check_drafts(request, record, today)
        mapped = mapped_facts(record, self.content.code_map)
        drafted = request.hook in ORDER_HOOKS
        told = (evaluation.not_evaluated, evaluation.not_used)
        setting = Setting(request.reader, today.isoformat(), *told, mapped, drafted)
        return Response(build_cards(list(evaluation.cards), self.content, request, setting, origin), evaluation)

    def evaluate(
        self, request: HookRequest, record: PatientRecord, today: date, *, all_units: bool = True
    ) -> Evaluation:
        """The units' findings for this record, and the cards; without `all_units` those that nothing wakes left out."""
        facts = gather(record, self.content, self.index, today)
        units = self.all_units if all_units else self.wakefulness.units(facts, request.hook)
        findings = tuple(
            finding
            for plan in self.content.plans
            if plan.topic in units
            for finding in apply(plan, units[plan.topic], self.content, facts, request.hook)
        )
        speaks = request.hook not in ORDER_HOOKS or self._order_in_question(facts)
        chosen = select(findings, self.content, request.reader, self.policy) if speaks else Selection()
        not_evaluated = self._not_evaluated(request, record)
        return Evaluation(facts, findings, chosen.cards, not_evaluated, record.not_used, chosen.firing, chosen.silenced)

    def _order_in_question(self, facts: Facts) -> bool:
        """Whether a drafted order is one that is read at all: on an order hook, silence otherwise."""
        return any(self._from_drafts(name) for name in facts.inputs)

    def _from_drafts(self, name: str) -> bool:
        requirement = self.content.requirements.get(name)
        return requirement is not None and requirement.key == DRAFTS

    def _not_evaluated(self, request: HookRequest, record: PatientRecord) -> tuple[str, ...]:
        lost = record.unavailable | record.incomplete
        return tuple(key for key in self.content.prefetch if key in self.keys[request.hook] and key in lost)

    def _without_required(
        self,
        request: HookRequest,
        record: PatientRecord,
        gone: tuple[str, ...],
        today: date,
        origin: Origin,
    ) -> list[Card]:
        if not self._classified(gather(record, self.content, self.index, today)):
            raise missing_data(gone, self.content, record.resources)
        return self._unreadable(request, record, gone, today, origin)

    def _unreadable(
        self,
        request: HookRequest,
        record: PatientRecord,
        gone: tuple[str, ...],
        today: date,
        origin: Origin,
    ) -> list[Card]:
        if self.mute:
            return []
        setting = Setting(request.reader, today.isoformat(), gone, record.not_used)
        return [unreadable_card(gone, self.content, request, setting, origin)]

    def _check_drafts(self, request: HookRequest, record: PatientRecord, today: date) -> None:
        """Where no card can name an order that was left out, silence would hide it.

        Raises Problem('unusable') when there would be a card if it could be read.
        """
        read = replace(record, drafts=tuple(order for _, order in record.unread_drafts))
        if read.drafts and self.evaluate(request, read, today, all_units=False).cards:
            faults = ", ".join(dict.fromkeys(fault for fault, _ in record.unread_drafts))
            seen = f"holds an order that cannot be read: {faults}"
            raise problem("unusable", "context.draftOrders", seen, "orders as FHIR R4 has them")

    def _classified(self, facts: Facts) -> bool:
        """Whether a drafted order belongs to an order class; its reason alone does not make it one of ours."""
        return any(self._from_drafts(name) and self._by_value_set(name) for name in facts.inputs)

    def _by_value_set(self, name: str) -> bool:
        parts = self.content.requirements[name].filters
        return any(part.from_value_set and part.path != "reasonCode" for part in parts)


def _keys(hook: str, content: Content) -> frozenset[str]:
    """The queries that the plans of a hook read."""
    plans = (plan for plan in content.plans if hook in plan.hooks)
    return frozenset(content.requirements[item["id"]].key for plan in plans for item in plan.inputs)
