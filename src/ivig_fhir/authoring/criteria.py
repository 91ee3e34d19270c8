"""A criterion of guidance/ -> FHIRPath, English, and what to ask while it is unknown.

Every leaf has the form `met or (open and {})` with met and open two-valued, so that the published expression
itself says what is in doubt (docs/decisions/0003). `lacks-condition` counts doubt as presence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ivig_fhir.authoring.formulas import (
    ALWAYS, OPEN, Formula, any_exists, both, either, exists, in_doubt, met_or_open, negated,
)
from ivig_fhir.authoring.guidance import Asks, Criterion
from ivig_fhir.authoring.needs import Needs, Phase


@dataclass(frozen=True)
class Compiled:
    """One condition of an action: id, expression, English, question."""

    id: str
    expression: Formula
    reads: str
    asks: Asks | None = None


_Leaf = tuple[Formula, str, Asks | None]


def compile_criterion(criterion: Criterion, needs: Needs) -> Compiled:
    """The condition of a criterion; registers its data needs. Raises ValueError with what is wrong."""
    keys = [key for key in criterion if key in _LEAVES]
    if len(keys) != 1:
        raise ValueError(f"a criterion holds exactly one of {', '.join(_LEAVES)}; seen: {', '.join(criterion) or 'none'}")
    value = criterion[keys[0]]
    expression, reads, asks = _LEAVES[keys[0]](criterion, needs)
    stated = criterion.get("asks")
    identifier = criterion.get("id") or (f"{keys[0]}-{value}" if isinstance(value, str) else keys[0])
    return Compiled(identifier, expression, criterion.get("reads", reads), Asks(**stated) if stated else asks)


def _parts(criteria: list[Criterion], needs: Needs) -> list[Compiled]:
    return [compile_criterion(item, needs) for item in criteria]


def _question(parts: list[Compiled]) -> Asks | None:
    return next((part.asks for part in parts if part.asks), None)


def _all(criterion: Criterion, needs: Needs) -> _Leaf:
    parts = _parts(criterion["all"], needs)
    return both(*(part.expression for part in parts)), "; and ".join(part.reads for part in parts), _question(parts)


def _any(criterion: Criterion, needs: Needs) -> _Leaf:
    parts = _parts(criterion["any"], needs)
    return either(*(part.expression for part in parts)), ", or ".join(part.reads for part in parts), _question(parts)


def _not(criterion: Criterion, needs: Needs) -> _Leaf:
    part = compile_criterion(criterion["not"], needs)
    return negated(part.expression), f"not: {part.reads}", part.asks


def _possibly(criterion: Criterion, needs: Needs) -> _Leaf:
    part = compile_criterion(criterion["possibly"], needs)
    return in_doubt(part.expression), f"possibly: {part.reads}", part.asks


def _weighed(criterion: Criterion, needs: Needs) -> _Leaf:
    """True where only `yes` holds, false where only `no` holds; both or neither leave it open."""
    yes, no = (compile_criterion(criterion["weighed"][side], needs) for side in ("yes", "no"))
    for_it, against_it = yes.expression, no.expression
    contradiction = both(for_it, against_it)
    silence = negated(either(for_it, against_it))
    met = both(for_it, negated(against_it))
    return met_or_open(met, either(contradiction, silence)), yes.reads, yes.asks or no.asks


def _title(concept: str, needs: Needs) -> str:
    return needs.guidance.concepts[concept].title


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _has_condition(criterion: Criterion, needs: Needs) -> _Leaf:
    concept, severity = criterion["has-condition"], criterion.get("severity", "")
    remission = criterion.get("counts") == "in-remission"
    met = exists(needs.condition(concept, severity, remission))
    title = _title(concept, needs)
    if severity:  # only a coded severity counts; what is not coded is for `weighed` to leave open
        return met, f"{title}, {_title(severity, needs)}", Asks(f"Severity of {title}, coded?", "not-recorded")
    doubts = needs.condition_in_doubt(concept) + needs.reason_of_draft(concept)
    asks = Asks(f"{_capital(title)}: confirmed and active, as a coded problem?", "unconfirmed")
    state = "current or in remission" if remission else "current"
    return met_or_open(met, any_exists(doubts)), f"{title}, {state} and confirmed", asks


def _lacks_condition(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = criterion["lacks-condition"]
    found = [needs.condition(concept), *needs.condition_in_doubt(concept)]
    return negated(any_exists(found)), f"no {_title(concept, needs)} on record, not even in doubt", None


def _mentioned(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = criterion["mentioned"]
    found = [needs.condition(concept), *needs.condition_in_doubt(concept)]
    return any_exists(found), f"{_title(concept, needs)} on record, if only in doubt", None


def _hinted(criterion: Criterion, needs: Needs) -> _Leaf:
    hint = criterion["hinted"]
    return exists(needs.hinted(hint)), needs.guidance.hints[hint].says, None


def _ever(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = criterion["ever"]
    met, doubt = needs.condition_ever(concept), needs.condition_ever(concept, confirmed=False)
    asks = Asks(f"{_capital(_title(concept, needs))}: confirmed?", "unconfirmed")
    return met_or_open(exists(met), exists(doubt)), f"{_title(concept, needs)}, now or earlier", asks


def _allergy(criterion: Criterion, needs: Needs) -> _Leaf:
    hint = criterion["allergy"]
    asks = Asks("Allergy or intolerance: which substance, which reaction?", "unconfirmed")
    return in_doubt(exists(needs.allergy(hint))), needs.guidance.hints[hint].says, asks


def _recent_onset(criterion: Criterion, needs: Needs) -> _Leaf:
    concept, days = criterion["recent-onset"], needs.guidance.module.default(criterion["within"]).value
    old = Formula(f"{needs.condition(concept)}.where(onset < today() - {days} days).exists()")
    title = _title(concept, needs)
    asks = Asks(f"{_capital(title)}: the recorded onset is more than {days} days† ago; is this a new episode?", "unconfirmed")
    return either(negated(old), OPEN), f"no recorded onset of {title} more than {days} days ago †", asks


def _onset_known(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = criterion["onset-known"]
    return exists(needs.condition(concept), "onset.exists()"), f"{_title(concept, needs)} with a recorded onset", None


def _began_after(criterion: Criterion, needs: Needs) -> _Leaf:
    """The condition began on or after the event; without either date it is open, begun before it is not."""
    concept, event = criterion["began-after"], criterion["event"]
    condition, happened = needs.condition(concept), needs.procedure(event)
    after = Formula(f"{condition}.where(onset >= {happened}.performed.first()).exists()")
    dated = f"{condition}.where(onset >= {happened}.performed.first() or onset < {happened}.performed.first()).exists()"
    undated = both(any_exists([condition, *needs.condition_in_doubt(concept)]), negated(Formula(dated)))
    asks = Asks(f"Dates of {_title(event, needs)} and of the onset of {_title(concept, needs)}", "not-recorded")
    return met_or_open(after, undated), f"{_title(concept, needs)} that began after {_title(event, needs)}", asks


_PHASES = {
    "drafted": Phase("draft", ("draft",)),
    "running": Phase("running", ("active",)),
    "completed": Phase("completed", ("completed",)),
    "failed": Phase("failed", ("stopped", "completed"), outcome="ineffective"),
    "on-record": Phase("on-record", ("active", "on-hold", "stopped", "completed")),
}


def _order(criterion: Criterion, needs: Needs) -> _Leaf:
    order_class = needs.guidance.orders[criterion["order"]]
    met: list[Formula] = []
    doubt: list[Formula] = []
    for name in criterion["is"]:
        if name == "done":
            met.append(exists(needs.procedure_done(order_class.done_codes, order_class.done_within)))
            continue
        phase = _phase(name, criterion)
        # only medication orders can be read after they were signed: no query brings service orders
        for row in (row for row in order_class.rows if name == "drafted" or row.type == "MedicationRequest"):
            (doubt if row.asks else met).append(exists(needs.order(order_class.id, row, phase)))
    asks = next((row.asks for row in order_class.rows if row.asks), None)
    return met_or_open(either(*met), either(*doubt) if doubt else None), f"{order_class.title} {' or '.join(criterion['is'])}", asks


def _phase(name: str, criterion: Criterion) -> Phase:
    base = _PHASES[name]
    reason, within = criterion.get("reason", ""), criterion.get("within", "") if name == "completed" else ""
    role = base.role + (f"-for-{reason}" if reason else "") + (f"-{within}" if within else "")
    return Phase(role, base.statuses, base.outcome, reason, within)


def _procedure(criterion: Criterion, needs: Needs) -> _Leaf:
    concept = criterion["procedure"]
    return exists(needs.procedure(concept)), f"{_title(concept, needs)} done", None


def _observation(criterion: Criterion, needs: Needs) -> _Leaf:
    """The newest value, or a text that says something; where there is none this is false: see `weighed`."""
    concept = criterion["observation"]
    title = _title(concept, needs)
    asks = Asks(f"{_capital(title)}, as a coded result", "not-recorded")
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
    tests = [f"(value.ofType(integer) {op} {limit} or value.ofType(Quantity).value {op} {limit})" for op, limit in bounds]
    reads = " and ".join(f"{'at least' if op == '>=' else 'at most'} {limit}" for op, limit in bounds)
    return exists(newest, " and ".join(tests)), f"{title} {reads}", asks


def _unrecognised_medicine(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    asks = Asks("Medicine of the order: its code is not of a system that this module reads", "unusable")
    return in_doubt(exists(needs.unreadable_medicine())), "a drafted medicine that cannot be recognised", asks


def _age(criterion: Criterion, needs: Needs) -> _Leaf:
    years = needs.guidance.module.default("adult-years").value
    op, reads = ("<=", f"{years} years or older") if criterion["age"] == "adult" else (">", f"younger than {years} years")
    return (
        Formula(f"{needs.subject()}.birthDate {op} today() - {years} years", 1), f"{reads} †",
        Asks("Date of birth, to the day where it decides", "not-recorded"),
    )


def _undefined(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    word = criterion["undefined"]
    asks = Asks(f"“{word}”: its source leaves the word undefined", "undefined-in-source")
    return OPEN, f"“{word}”, a word that its source leaves undefined", asks


def _undecided(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    return OPEN, "not decided by the record", None


def _always(criterion: Criterion, needs: Needs) -> _Leaf:  # noqa: ARG001 - every leaf has this form
    return ALWAYS, "always", None


_LEAVES: dict[str, Callable[[Criterion, Needs], _Leaf]] = {
    "all": _all, "any": _any, "not": _not, "possibly": _possibly, "weighed": _weighed,
    "has-condition": _has_condition, "lacks-condition": _lacks_condition, "mentioned": _mentioned, "hinted": _hinted,
    "ever": _ever, "allergy": _allergy,
    "recent-onset": _recent_onset, "onset-known": _onset_known, "began-after": _began_after,
    "order": _order, "procedure": _procedure, "observation": _observation, "unrecognised-medicine": _unrecognised_medicine,
    "age": _age, "undefined": _undefined, "undecided": _undecided, "always": _always,
}
