"""The playground: a form, and what came of it: cards as an EHR shows them, and why, unit by unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ivig_fhir.cds_hooks.cards import EXTENSION
from ivig_fhir.cds_hooks.context import ORDER_HOOKS
from ivig_fhir.cds_hooks.counterfactuals import Counterfactual
from ivig_fhir.cds_hooks.discovery import PREFIX, served_hooks
from ivig_fhir.cds_hooks.explanation import Explained, Explanation, Step
from ivig_fhir.cds_hooks.inquiries import ALLOWED, Asked, Inquiry, orders_of, read_inquiry
from ivig_fhir.engine.apply import APPLICABLE, CONDITIONAL, SILENT
from ivig_fhir.fhir import Resource, as_list, dumps, loads, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Plan
from ivig_fhir.pages.examples import Example
from ivig_fhir.pages.marks import Mark, mark
from ivig_fhir.pages.wording import Wording
from ivig_fhir.problems import problem

NOT_MET = "not met"


@dataclass(frozen=True)
class Form:
    """What stands in the form."""

    record: str = ""
    orders: str = ""
    hook: str = ""
    at: str = ""
    reader: str = "professional"
    topic: str = ""
    example: str = ""


def form_of(example: Example) -> Form:
    """The form filled in with an example."""
    orders = dumps(list(example.orders)) if example.orders else ""
    return Form(dumps(example.record), orders, example.hook, example.at, example.reader, example.topic, example.id)


def takes_facts(form: Form) -> bool:
    """Whether facts can be added to the record of a form: it is a Bundle."""
    return _bundle(form) is not None


def _bundle(form: Form) -> Resource | None:
    try:
        read = loads(form.record)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and read.get("resourceType") == "Bundle" else None


def with_facts(form: Form, facts: str) -> Form:
    """The form with more facts in its Bundle; a fact that is a draft joins the orders. Raises Problem('malformed')."""
    added = orders_of(facts)
    record = _bundle(form)
    if record is None or not added:
        return form
    drafts = [item for item in added if item.get("status") == "draft"]
    orders = dumps([*orders_of(form.orders), *drafts]) if drafts else form.orders
    rest = [{"resource": item} for item in added if item not in drafts]
    record = record | {"entry": [*as_list(record.get("entry")), *rest]}
    return replace(form, record=dumps(record), orders=orders)


def with_hook(form: Form, content: Content) -> Form:
    """The form with an occasion where a Bundle leaves it open: by whether an order is drafted."""
    drafted = bool(orders_of(form.orders))
    fitting = [hook for hook in served_hooks(content) if (hook in ORDER_HOOKS) == drafted]
    if form.hook or not fitting or _bundle(form) is None:
        return form
    return replace(form, hook=fitting[-1] if drafted else fitting[0])


def inquiry_of(form: Form, today: date, content: Content) -> Inquiry:
    """The inquiry of a form. Raises Problem('malformed') and Problem('unusable')."""
    if not form.record.strip():
        raise problem("malformed", "record", "is empty", ALLOWED, "choose an example above to begin with")
    orders = orders_of(form.orders) if form.orders.strip() else None
    asked = Asked(form.hook, form.at, form.reader, form.topic, orders)
    return read_inquiry(form.record.encode(), asked, today, content)


@dataclass(frozen=True)
class StepView:
    """A criterion as evaluated, in words."""

    reads: str
    truth: str
    facts: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, int, bool], ...]
    asks: str


@dataclass(frozen=True)
class UnitRow:
    """A unit as evaluated."""

    explained: Explained
    mark: Mark
    steps: tuple[StepView, ...]

    @property
    def state(self) -> str:
        """applicable, conditional or silent."""
        return self.explained.finding.applicability

    @property
    def silenced(self) -> bool:
        """Whether a criterion that is not met silenced it, and not the occasion."""
        return any(step.truth == NOT_MET and step.reads == self.explained.finding.silent_for for step in self.steps)


@dataclass(frozen=True)
class TopicRows:
    """The units of a topic: shown where one stands on a card, speaking where one is at least not silent."""

    plan: Plan
    units: tuple[UnitRow, ...]

    @property
    def shown(self) -> bool:
        """Whether a unit stands on a card."""
        return any(row.explained.card for row in self.units)

    @property
    def speaks(self) -> bool:
        """Whether a unit is not silent."""
        return any(row.state != SILENT for row in self.units)


@dataclass(frozen=True)
class Missed:
    """A unit that is not shown, and the facts in words that would show it; `document` holds them as JSON."""

    counterfactual: Counterfactual
    facts: tuple[str, ...]
    document: str


@dataclass(frozen=True)
class Outcome:
    """Everything that the page shows after a run; counts are of units on cards and of silent ones, beside of others."""

    cards: tuple[dict[str, Any], ...]
    topics: tuple[TopicRows, ...]
    counts: dict[str, int]
    beside: int
    missed: tuple[Missed, ...]
    request: str
    response: str
    service: str
    explanation: Explanation


def outcome(explanation: Explanation, response: dict[str, Any], content: Content, wording: Wording) -> Outcome:
    """The view of a run: `response` is what the service answers to the same request on the same day."""
    inquiry = explanation.inquiry
    grouped = [_topic(plan, explanation, content, wording) for plan in content.plans]
    rows = [row for topic in grouped for row in topic.units]
    told = [row for row in rows if row.state == SILENT or row.explained.card]
    dated = {"extension": {EXTENSION: {"at": inquiry.at.isoformat()}}}
    return Outcome(
        tuple(response["cards"]),
        tuple(sorted(grouped, key=lambda item: (not item.shown, not item.speaks))),
        {state: sum(row.state == state for row in told) for state in (APPLICABLE, CONDITIONAL, SILENT)},
        len(rows) - len(told),
        tuple(_missed(item, wording) for item in explanation.counterfactuals),
        dumps(inquiry.document | dated),
        dumps(response),
        f"{PREFIX}{inquiry.request.hook}",
        explanation,
    )


def _topic(plan: Plan, explanation: Explanation, content: Content, wording: Wording) -> TopicRows:
    """The units of a topic; where the whole topic is silent and nobody asked, each up to what silenced it."""
    mine = [item for item in explanation.units if item.finding.unit.topic == plan.topic]
    wanted = plan.topic == explanation.inquiry.topic or any(item.finding.applicability != SILENT for item in mine)
    rows = [_row(item, content, wording) for item in mine]
    return TopicRows(plan, tuple(rows if wanted else [_shortened(row) for row in rows]))


def _shortened(row: UnitRow) -> UnitRow:
    until = next((number for number, step in enumerate(row.steps, 1) if step.truth == NOT_MET), len(row.steps))
    return replace(row, steps=tuple(replace(step, inputs=()) for step in row.steps[:until]))


def _row(item: Explained, content: Content, wording: Wording) -> UnitRow:
    """A unit; what holds for the whole topic is left out where it is met."""
    own = item.finding.unit.criteria
    steps = [part for part in item.steps if part.criterion in own or part.truth is not True]
    look = mark(item.finding.unit.direction, content)
    return UnitRow(item, look, tuple(_step(part, content, wording) for part in steps))


def _step(item: Step, content: Content, wording: Wording) -> StepView:
    words = {True: "met", False: NOT_MET, None: "unknown"}
    asks = item.criterion.asks.fact if item.criterion.asks and item.truth is None else ""
    return StepView(
        item.criterion.reads,
        words[item.truth],
        tuple((reference_to(resource), wording.fact(resource)) for resource in item.decided_by),
        tuple(
            (wording.wants(content.requirements[read.input]), len(read.found), read.available)
            for read in item.reads
            if read.input in content.requirements
        ),
        asks,
    )


def _missed(item: Counterfactual, wording: Wording) -> Missed:
    facts = [fact.resource for fact in item.facts]
    return Missed(item, tuple(wording.fact(fact) for fact in facts), dumps(facts) if facts else "")
