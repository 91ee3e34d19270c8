"""Criteria over conditions and allergies: formula, English, question."""

from __future__ import annotations

from ivig_fhir.authoring.formulas import OPEN, Formula, any_exists, both, either, exists, in_doubt, met_or_open, negated
from ivig_fhir.authoring.guidance import Asks, Criterion
from ivig_fhir.authoring.needs import Needs

Leaf = tuple[Formula, str, Asks | None]


def title_of(concept: str, needs: Needs) -> str:
    """The title of a concept, as it reads inside a sentence."""
    return needs.guidance.concepts[concept].title


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def has_condition(criterion: Criterion, needs: Needs) -> Leaf:
    """Current and confirmed; open while it is in doubt, or only the reason of a drafted order."""
    concept, severity = criterion["has-condition"], criterion.get("severity", "")
    remission = criterion.get("counts") == "in-remission"
    met = exists(needs.condition(concept, severity, remission))
    title = title_of(concept, needs)
    if severity:  # only a coded severity counts; what is not coded is for `weighed` to leave open
        return met, f"{title}, {title_of(severity, needs)}", Asks(f"Severity of {title}, coded?", "not-recorded")
    doubts = needs.condition_in_doubt(concept) + needs.reason_of_draft(concept)
    asks = Asks(f"{capital(title)}: confirmed and active, as a coded problem?", "unconfirmed")
    state = "current or in remission" if remission else "current"
    return met_or_open(met, any_exists(doubts)), f"{title}, {state} and confirmed", asks


def lacks_condition(criterion: Criterion, needs: Needs) -> Leaf:
    """Not on record, not even in doubt."""
    concept = criterion["lacks-condition"]
    found = [needs.condition(concept), *needs.condition_in_doubt(concept), *needs.reason_of_draft(concept)]
    return negated(any_exists(found)), f"no {title_of(concept, needs)} on record, not even in doubt", None


def mentioned(criterion: Criterion, needs: Needs) -> Leaf:
    """On record, if only in doubt."""
    concept = criterion["mentioned"]
    found = [needs.condition(concept), *needs.condition_in_doubt(concept)]
    return any_exists(found), f"{title_of(concept, needs)} on record, if only in doubt", None


def hinted(criterion: Criterion, needs: Needs) -> Leaf:
    """A Condition's text names it."""
    hint = criterion["hinted"]
    return exists(needs.hinted(hint)), needs.guidance.hints[hint].says, None


def ever(criterion: Criterion, needs: Needs) -> Leaf:
    """Confirmed, whatever its clinical status; open while unconfirmed."""
    concept = criterion["ever"]
    met, doubt = needs.condition_ever(concept), needs.condition_ever(concept, confirmed=False)
    asks = Asks(f"{capital(title_of(concept, needs))}: confirmed?", "unconfirmed")
    return met_or_open(exists(met), exists(doubt)), f"{title_of(concept, needs)}, now or earlier", asks


def allergy(criterion: Criterion, needs: Needs) -> Leaf:
    """Open while an allergy's text or code names it: neither says what happened."""
    hint, concept = criterion["allergy"], criterion.get("coded", "")
    asks = Asks("Allergy or intolerance: which substance, which reaction?", "unconfirmed")
    found, reads = [needs.allergy(hint)], needs.guidance.hints[hint].says
    if concept:
        found, reads = [*found, needs.allergy(hint, concept)], f"{reads}, or its code does"
    return in_doubt(any_exists(found)), reads, asks


def recent_onset(criterion: Criterion, needs: Needs) -> Leaf:
    """Open when an onset is recorded that belongs to an earlier episode."""
    concept, days = criterion["recent-onset"], needs.guidance.module.default(criterion["within"]).value
    old = Formula(f"{needs.condition(concept)}.where(onset < today() - {days} days).exists()")
    title = title_of(concept, needs)
    asks = Asks(
        f"{capital(title)}: the recorded onset is more than {days} days† ago; is this a new episode?", "unconfirmed"
    )
    return either(negated(old), OPEN), f"no onset of {title} recorded before the last {days} days †", asks


def onset_known(criterion: Criterion, needs: Needs) -> Leaf:
    """A current Condition with an onset."""
    concept = criterion["onset-known"]
    asks = Asks(f"{capital(title_of(concept, needs))}: confirmed and active, as a coded problem?", "unconfirmed")
    dated = either(*(exists(name, "onset.exists()") for name in needs.condition_in_doubt(concept)))
    met = exists(needs.condition(concept), "onset.exists()")
    return met_or_open(met, dated), f"{title_of(concept, needs)} with a recorded onset", asks


def began_after(criterion: Criterion, needs: Needs) -> Leaf:
    """Began on or after the event; open where a record of it is in doubt or not dated; begun before it is not.

    With a severity: a confirmed record that began so and is coded so, and nothing is left open.
    """
    concept, severity = criterion["began-after"], criterion.get("severity", "")
    title, event = title_of(concept, needs), title_of(criterion["event"], needs)
    moment = f"{needs.procedure(criterion['event'])}.performed.first()"
    after = Formula(f"{needs.condition(concept, severity)}.where(onset >= {moment}).exists()")
    reads = f"{title} that began after {event}"
    if severity:
        return after, f"{reads}, {title_of(severity, needs)}", Asks(f"Severity of {title}, coded?", "not-recorded")
    doubts = [_perhaps_after(records, moment) for records in needs.condition_in_doubt(concept)]
    asks = Asks(f"Dates of {event} and of the onset of {title}", "not-recorded")
    return met_or_open(after, either(*doubts)), reads, asks


def _perhaps_after(records: str, moment: str) -> Formula:
    """One of the records began after the moment, has no onset, or cannot be compared with it."""
    dated = Formula(f"{records}.where(onset >= {moment} or onset < {moment}).exists()")
    return either(
        Formula(f"{records}.where(onset >= {moment}).exists()"),
        Formula(f"{records}.where(onset.exists().not()).exists()"),
        both(exists(records), negated(dated)),
    )
