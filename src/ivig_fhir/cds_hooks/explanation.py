"""Why each unit speaks, asks or is silent: the whole evaluation as JSON, so that it can be replayed and audited.

The same document, day and content give the same bytes; contentHash and inputHash say which they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ivig_fhir.cds_hooks.answer import Evaluation, Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.counterfactuals import Counterfactual, Search
from ivig_fhir.cds_hooks.guidance_response import guidance_responses
from ivig_fhir.cds_hooks.inquiries import Inquiry
from ivig_fhir.cds_hooks.requests import read_patient_record
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.engine.inputs import printed_date
from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.plans import Criterion, Plan
from ivig_fhir.problems import problem

WORDS = {True: "true", False: "false", None: "unknown"}
MOST_NAMED = 100  # resources of one list


@dataclass(frozen=True)
class Read:
    """An input that a criterion reads, what was found for it, and whether it could be had."""

    input: str
    type: str
    found: tuple[Resource, ...]
    available: bool


@dataclass(frozen=True)
class Step:
    """A criterion as evaluated, with the resources that decided and every input that it reads."""

    criterion: Criterion
    truth: bool | None
    decided_by: tuple[Resource, ...]
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class Explained:
    """A unit's finding, all of its criteria, and the topic of the card on which it stands, if any."""

    finding: Finding
    steps: tuple[Step, ...]
    card: str


@dataclass(frozen=True)
class Explanation:
    """Everything about one inquiry; `cards` are summary and indicator of each card that is answered."""

    inquiry: Inquiry
    evaluation: Evaluation
    cards: tuple[tuple[str, str], ...]
    units: tuple[Explained, ...]
    counterfactuals: tuple[Counterfactual, ...]


def explain(inquiry: Inquiry, responder: Responder) -> Explanation:
    """Evaluate an inquiry and keep every reason. Raises what the service raises for it."""
    content = responder.content
    answer = responder.answer(inquiry.request, inquiry.at, Origin("", "", ""))["cards"]
    record, gone = read_patient_record(inquiry.request, content)
    evaluation = responder.evaluate(inquiry.request, record, inquiry.at)
    if gone or not answer:  # no unit is told of: there is a card that says so, or an occasion on which nothing is said
        evaluation = replace(evaluation, cards=())
    plans = {plan.topic: plan for plan in content.plans}
    if inquiry.topic and inquiry.topic not in plans:
        raise problem("malformed", "topic", "is none of the module", ", ".join(plans))
    search = Search(responder, inquiry.request, record, inquiry.at)
    return Explanation(
        inquiry,
        evaluation,
        tuple((str(card["summary"]), str(card["indicator"])) for card in answer),
        tuple(_explained(finding, evaluation, plans[finding.unit.topic], content) for finding in evaluation.findings),
        tuple(search.for_topic(plans[inquiry.topic], evaluation)) if inquiry.topic else (),
    )


def _explained(finding: Finding, evaluation: Evaluation, plan: Plan, content: Content) -> Explained:
    criteria = [*plan.criteria, *finding.unit.criteria]
    cards = [card.plan.topic for card in evaluation.cards if _stands_on(finding, card.findings)]
    steps = tuple(step(item, evaluation.facts, content) for item in criteria)
    return Explained(finding, steps, cards[0] if cards else "")


def _stands_on(finding: Finding, shown: tuple[Finding, ...]) -> bool:
    return any(item.unit.id == finding.unit.id for item in shown)


def step(criterion: Criterion, facts: Facts, content: Content) -> Step:
    """A criterion evaluated, whatever the ones before it said."""
    verdict = criterion.condition.evaluate(facts)
    reads = tuple(
        Read(
            name,
            content.requirements[name].type if name in content.requirements else "Patient",
            tuple(facts.inputs.get(name, ())),
            name not in facts.unavailable,
        )
        for name in sorted(criterion.condition.inputs)
    )
    return Step(criterion, verdict.truth, verdict.decided_by, reads)


def as_json(explanation: Explanation, content: Content) -> dict[str, Any]:
    """The published form of an explanation."""
    inquiry, evaluation = explanation.inquiry, explanation.evaluation
    found: dict[str, Any] = {
        "schema": 1,
        "module": content.version,
        "contentHash": content.definitions.content_hash,
        "inputHash": inquiry.hash,
        "evaluatedOn": inquiry.at.isoformat(),
        "hook": inquiry.request.hook,
        "reader": inquiry.request.reader,
        "notEvaluated": list(evaluation.not_evaluated),
        "dataNotUsed": list(evaluation.not_used),
        "cards": [{"summary": summary, "indicator": indicator} for summary, indicator in explanation.cards],
        "units": [_unit(item) for item in explanation.units],
        "guidanceResponses": guidance_responses(explanation.inquiry, evaluation, content),
    }
    if inquiry.topic:
        found["counterfactuals"] = [_counterfactual(item) for item in explanation.counterfactuals]
    return found


def _unit(item: Explained) -> dict[str, Any]:
    finding, unit = item.finding, item.finding.unit
    return {
        "id": unit.id,
        "topic": unit.topic,
        "title": unit.title,
        "direction": unit.direction,
        "kind": unit.kind,
        "applicability": finding.applicability,
        **({"silentFor": finding.silent_for} if finding.applicability == SILENT else {}),
        **({"card": item.card} if item.card else {}),
        "warns": finding.warns,
        "statements": list(unit.statements),
        "trace": [_step(part) for part in item.steps],
        "because": [
            {"criterion": because.criterion, "resources": _named(because.resources)} for because in finding.because
        ],
        "missing": [{"fact": part.fact, "input": part.input, "reason": part.reason} for part in finding.missing],
    }


def _step(item: Step) -> dict[str, Any]:
    return {
        "criterion": item.criterion.id,
        "reads": item.criterion.reads,
        "truth": WORDS[item.truth],
        "decidedBy": _named(item.decided_by),
        "inputs": [
            {"id": part.input, "type": part.type, "available": part.available, "found": _named(part.found)}
            for part in item.reads
        ],
    }


def _named(resources: tuple[Resource, ...]) -> list[dict[str, str]]:
    """The first MOST_NAMED, then how many more there are: each stands with every criterion that reads it."""
    named = []
    for resource in resources[:MOST_NAMED]:
        day = printed_date(resource)
        named.append({"reference": reference_to(resource)} | ({"date": day} if day else {}))
    more = len(resources) - len(named)
    return [*named, {"more": str(more)}] if more else named


def _counterfactual(item: Counterfactual) -> dict[str, Any]:
    return {
        "unit": item.unit.id,
        "wouldBe": item.applicability,
        "facts": [fact.resource for fact in item.facts],
    }
