"""What was shown and what became of it: the body of a feedback call, and the trace that a card leaves.

Nothing of the patient is in either: a hook instance only as a hash, times to the hour, reasons as codes of ours.
Refusals say what kind of thing was seen, never its value.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ivig_fhir.cds_hooks.cards import EXTENSION, Card
from ivig_fhir.fhir import loads
from ivig_fhir.problems import Issue, Issues, Outcome, Problem, problem

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
UNLISTED = "(unlisted)"  # a reason that is none of ours: its code may say anything
_REASON = ("overrideReason", "overrideReasons")  # the second is what an EHR sends that documents it as an object


@dataclass(frozen=True)
class Occasion:
    """When and for which call something was shown or kept off, with nothing of the patient."""

    service: str
    instance: str  # SHA-256 of the hookInstance, hex
    hour: str  # UTC, 2026-03-02T14


@dataclass(frozen=True)
class ShownCard:
    """What is kept of a card: what it was, not whom it was about."""

    uuid: str
    topic: str
    indicator: str
    units: tuple[str, ...]
    version: str


@dataclass(frozen=True)
class Feedback:
    """What became of one card; `reason` is a code of ours, UNLISTED, or empty."""

    card: str
    outcome: str
    hour: str  # UTC, of outcomeTimestamp
    reason: str = ""
    comment: str = ""


def hour_of(moment: datetime) -> str:
    """The hour of a moment, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H")


def occasion(service: str, instance: str, moment: datetime) -> Occasion:
    """The occasion of a call; `instance` is the hookInstance."""
    hashed = hashlib.sha256(instance.encode("utf-8", "surrogatepass")).hexdigest()
    return Occasion(service, hashed, hour_of(moment))


def shown_card(card: Card) -> ShownCard:
    """The trace of a card as it was built, before any dialect."""
    says: Mapping[str, Any] = card["extension"][EXTENSION]
    units = [unit["id"] for unit in says["recommendations"]]
    return ShownCard(
        uuid=card["uuid"],
        topic=says["plan"].partition("|")[0].rsplit("/", 1)[-1],
        indicator=card["indicator"],
        units=tuple(dict.fromkeys([*units, *says.get("notices", ())])),
        version=says["module"],
    )


def read_feedback(body: bytes, reasons: Collection[str]) -> tuple[Feedback, ...]:
    """The feedback of a call, batches included; `reasons` are the codes that our cards offer.

    Raises Problem('malformed') with the places that are wrong (CH-81 … CH-86); then nothing of the batch counts.
    """
    try:
        sent = loads(body)
    except (ValueError, RecursionError) as error:
        raise problem("malformed", "body", "is no JSON", '{"feedback": […]}') from error
    items = sent.get("feedback") if isinstance(sent, dict) else None
    if not isinstance(items, list):
        raise problem("malformed", "feedback", "is absent or no list", '{"feedback": […]}')
    issues = Issues()
    found = [_item(item, f"feedback[{number}]", reasons, issues) for number, item in enumerate(items)]
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return tuple(found)


def _item(item: Any, where: str, reasons: Collection[str], issues: list[Issue]) -> Feedback:
    if not isinstance(item, dict):
        issues.append(Issue(where, f"is a {type(item).__name__}", "an object"))
        return Feedback("", "", "")
    outcome = item.get("outcome")
    reason, comment = "", ""
    if outcome == ACCEPTED:
        _suggestions(item.get("acceptedSuggestions"), f"{where}.acceptedSuggestions", issues)
    elif outcome == OVERRIDDEN:
        name = next((name for name in _REASON if item.get(name) is not None), _REASON[0])
        reason, comment = _reason(item.get(name), f"{where}.{name}", issues)
    else:
        seen = "is absent" if outcome is None else "is neither"
        issues.append(Issue(f"{where}.outcome", seen, f"{ACCEPTED}, {OVERRIDDEN}"))
    kept = reason if reason in reasons or not reason else UNLISTED
    card = _card(item.get("card"), f"{where}.card", issues)
    hour = _hour(item.get("outcomeTimestamp"), f"{where}.outcomeTimestamp", issues)
    return Feedback(card, str(outcome), hour, kept, comment)


def _card(value: Any, where: str, issues: list[Issue]) -> str:
    """A uuid in its usual form; whether it is one of ours is not asked here (CH-85)."""
    try:
        return str(uuid.UUID(value))
    except (ValueError, TypeError, AttributeError):
        issues.append(Issue(where, "is absent" if value is None else "is no uuid", "the uuid of a card"))
        return ""


def _suggestions(value: Any, where: str, issues: list[Issue]) -> None:
    """accepted ⇒ at least one {id} (CH-83); which one is not kept, since a card suggests one thing."""
    if not isinstance(value, list) or not value:
        issues.append(Issue(where, "is absent, empty or no list", '[{"id": <uuid of the suggestion>}]'))
        return
    for number, item in enumerate(value):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            issues.append(Issue(f"{where}[{number}].id", "is absent or no text", "the uuid of a suggestion"))


def _reason(value: Any, where: str, issues: list[Issue]) -> tuple[str, str]:
    """The code of the reason and the comment, each empty when not given (CH-84)."""
    if value is None:
        return "", ""
    if not isinstance(value, dict):
        issues.append(Issue(where, f"is a {type(value).__name__}", "an object with reason, userComment or both"))
        return "", ""
    reason, comment = value.get("reason"), value.get("userComment")
    if reason is None and comment is None:
        issues.append(Issue(where, "holds neither reason nor userComment", "one of them, or both"))
    code = reason.get("code") if isinstance(reason, dict) else None
    if reason is not None and (not isinstance(code, str) or not code):
        issues.append(Issue(f"{where}.reason", "is no Coding with a code", "one of the reasons of the card"))
    if comment is not None and not isinstance(comment, str):
        issues.append(Issue(f"{where}.userComment", f"is a {type(comment).__name__}", "a text"))
    return code if isinstance(code, str) else "", comment if isinstance(comment, str) else ""


def _hour(value: Any, where: str, issues: list[Issue]) -> str:
    """The hour of an RFC 3339 time; other zones than UTC are converted (CH-86)."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or "T" not in value.upper():
            raise ValueError
        return hour_of(moment)
    except (ValueError, TypeError, OverflowError):
        seen = "is absent" if value is None else "is no time with a zone"
        issues.append(Issue(where, seen, "RFC 3339 in UTC, as 2026-03-02T14:05:00Z"))
        return ""
