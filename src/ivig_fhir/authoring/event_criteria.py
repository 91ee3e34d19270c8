"""Criteria over orders, procedures and results: formula, English, question."""

from __future__ import annotations

from dataclasses import replace

from ivig_fhir.authoring.condition_criteria import Leaf, capital, title_of
from ivig_fhir.authoring.formulas import Formula, either, exists, in_doubt, met_or_open
from ivig_fhir.authoring.guidance import Asks, Criterion
from ivig_fhir.authoring.needs import Needs, Phase

PHASES = {
    "drafted": Phase("draft", ("draft",)),
    "running": Phase("running", ("active",)),
    "completed": Phase("completed", ("completed",)),
    "failed": Phase("failed", ("stopped", "completed"), outcome="ineffective"),
    "on-record": Phase("on-record", ("active", "on-hold", "stopped", "completed")),
}
# when it was is not known, so that it may have been within the days that count
_UNDATED_ORDER = "authoredOn.exists().not()"
_UNDATED_PROCEDURE = "performed.exists().not() or performed.ofType(string).exists()"


def order(criterion: Criterion, needs: Needs) -> Leaf:
    """Orders of a class in the named phases; rows that ask leave it open, and so does a date that is wanted."""
    order_class = needs.guidance.orders[criterion["order"]]
    met: list[Formula] = []
    doubt: list[Formula] = []
    for name in criterion["is"]:
        if name == "done":
            met.append(exists(needs.procedure_done(order_class.done_codes, order_class.done_within)))
            doubt.append(exists(needs.procedure(order_class.done_codes), _UNDATED_PROCEDURE))
            continue
        phase = _phase(name, criterion)
        # only medication orders can be read after they were signed: no query brings service orders
        for row in (row for row in order_class.rows if name == "drafted" or row.type == "MedicationRequest"):
            (doubt if row.asks else met).append(exists(needs.order(order_class.id, row, phase)))
            if phase.within:
                whenever = needs.order(order_class.id, row, replace(phase, role=PHASES[name].role, within=""))
                doubt.append(exists(whenever, _UNDATED_ORDER))
    asks = next((row.asks for row in order_class.rows if row.asks), None)
    return (
        met_or_open(either(*met), either(*doubt) if doubt else None),
        f"{order_class.title} {' or '.join(criterion['is'])}",
        asks,
    )


def _phase(name: str, criterion: Criterion) -> Phase:
    base = PHASES[name]
    reason, within = criterion.get("reason", ""), criterion.get("within", "") if name == "completed" else ""
    role = base.role + (f"-for-{reason}" if reason else "") + (f"-{within}" if within else "")
    return Phase(role, base.statuses, base.outcome, reason, within)


def procedure(criterion: Criterion, needs: Needs) -> Leaf:
    """Procedures, whenever they were done."""
    concept = criterion["procedure"]
    return exists(needs.procedure(concept)), f"{title_of(concept, needs)} done", None


def observation(criterion: Criterion, needs: Needs) -> Leaf:
    """The newest value, or a text that says something; where there is none this is false: see `weighed`."""
    concept = criterion["observation"]
    title = title_of(concept, needs)
    asks = Asks(f"{capital(title)}, as a coded result", "not-recorded")
    if "says-text" in criterion:
        hint = criterion["says-text"]
        return exists(needs.result_saying(concept, hint)), f"{title}: {needs.guidance.hints[hint].says}", asks
    newest = needs.newest_result(concept, criterion.get("within", ""))
    if "one-of" in criterion:
        test = " or ".join(f"value.ofType(string) = '{word}'" for word in criterion["one-of"])
        return exists(newest, test), f"{title} {', '.join(criterion['one-of'])}", asks
    bounds = [(op, criterion[key]) for key, op in (("at-least", ">="), ("at-most", "<=")) if key in criterion]
    if not bounds:
        return exists(newest), f"{title} on record", asks
    tests = [
        f"(value.ofType(integer) {op} {limit} or value.ofType(Quantity).value {op} {limit})" for op, limit in bounds
    ]
    reads = " and ".join(f"{'at least' if op == '>=' else 'at most'} {limit}" for op, limit in bounds)
    return exists(newest, " and ".join(tests)), f"{title} {reads}", asks


def unrecognised_medicine(criterion: Criterion, needs: Needs) -> Leaf:  # noqa: ARG001 - every leaf has this form
    """Open while a drafted medicine has no readable code."""
    asks = Asks("Medicine of the order: its code is not of a system that this module reads", "unusable")
    return in_doubt(exists(needs.unreadable_medicine())), "a drafted medicine that cannot be recognised", asks
