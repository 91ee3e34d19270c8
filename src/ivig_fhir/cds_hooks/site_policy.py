"""What a site may silence: names of units and topics -> the policy, refused where it would leave half a message.

A unit that restrains others, or without which others read otherwise, is silenced only together with everything beside
which it could stand (docs/decisions/): nobody is to read advice without the caution that belongs to it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ivig_fhir.cds_hooks.selection import ANY, Policy, restrains
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Unit
from ivig_fhir.problems import Issue, Outcome, Problem

ALL = "all"
_ALONE = ("for", "none")  # the directions of units that others do not lean on
_FIGURE = "figure"


def read_policy(silent: Iterable[str], most_cards: int, content: Content, where: str) -> Policy:
    """The policy of a site. Raises Problem('malformed') with each name that is unknown or may not be silenced."""
    silent = tuple(silent)
    topics = {plan.topic: plan for plan in content.plans}
    issues = [_unknown(name, where, content) for name in silent if name not in {ALL, *topics, *content.units}]
    found = {unit.id for name in silent if name in topics for unit in topics[name].units}
    found |= content.units.keys() & set(silent)
    if ALL in silent:
        found = set(content.units)
    for name in sorted(found):
        beside = sorted(_beside(content.units[name], content) - found)
        if beside and _is_leaned_on(content.units[name]):
            issues.append(_refused(content.units[name], beside, where, content))
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return Policy(frozenset(found), most_cards)


def _is_leaned_on(unit: Unit) -> bool:
    """Whether others read otherwise without it: it restrains, weighs, names an alternative, or is on every card."""
    weighs = unit.direction not in _ALONE and unit.kind != _FIGURE
    return restrains(unit) or weighs or ANY in unit.stands_with


def _beside(unit: Unit, content: Content) -> set[str]:
    """The units beside which a unit could stand: those of its topic, and those with which it stands as a line.

    A unit that is never on a card leaves nobody alone.
    """
    shown = {other.id: other for other in content.units.values() if other.how != "never"}
    if unit.id not in shown:
        return set()
    if ANY in unit.stands_with:
        return set(shown)
    return {name for name, other in shown.items() if other.topic == unit.topic or name in unit.stands_with}


def _unknown(name: str, where: str, content: Content) -> Issue:
    known = [*content.topics, *content.units]
    close = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"topics: {', '.join(content.topics)}"
    return Issue(where, f"names {name!r:.60}, which is neither", f"ids of topics and units, or {ALL}", hint)


def _refused(unit: Unit, beside: list[str], where: str, content: Content) -> Issue:
    others = ", ".join(beside[:5]) + (f" and {len(beside) - 5} more" if len(beside) > 5 else "")
    own_cards = all(content.units[name].topic == unit.topic for name in _beside(unit, content))
    return Issue(
        where,
        f"silences {unit.id}, on which what stands beside it leans",
        f"{unit.id} together with {others}",
        f"its topic {unit.topic}, or {ALL}" if own_cards else ALL,
    )
