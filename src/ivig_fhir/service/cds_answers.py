"""What a CDS service answered, looked at as an EHR would: is it an answer at all, and what is on its cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.cds_hooks.cards import EXTENSION, SUMMARY_BELOW
from ivig_fhir.fhir import as_list
from ivig_fhir.service.cds_client import Reply


def card_faults(reply: Reply) -> list[str]:
    """What is wrong with an answer to a hook (CH-50 …); nothing when it is one."""
    if reply.status != 200:
        return [unanswered(reply)]
    cards = reply.body.get("cards") if isinstance(reply.body, dict) else None
    if not isinstance(cards, list) or not all(isinstance(card, dict) for card in cards):
        return ["the answer has no list of cards"]
    return [f"card {number}: {fault}" for number, card in enumerate(cards) for fault in _faults_of(card)]


def _faults_of(card: dict[str, Any]) -> Iterator[str]:
    if not isinstance(card.get("summary"), str) or not 0 < len(card["summary"]) < SUMMARY_BELOW:
        yield f"summary is absent or has {SUMMARY_BELOW} characters or more"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield "indicator is none of info, warning, critical"
    if not isinstance(card.get("source"), dict) or not card["source"].get("label"):
        yield "source.label is absent"


def unanswered(reply: Reply) -> str:
    """A reply that is no answer: the status and what an OperationOutcome says."""
    if reply.status == 0:
        return f"no answer: {reply.text}"
    issues = as_list(reply.body.get("issue")) if isinstance(reply.body, dict) else []
    said = [str(item.get("diagnostics", "")) for item in issues if isinstance(item, dict)]
    return f"{reply.status}: {' '.join(said) or reply.text[:200]}".rstrip(": ")


def our_extension(card: dict[str, Any]) -> dict[str, Any]:
    """The extension of this module on a card; empty on those of others."""
    extension = card.get("extension")
    found = extension.get(EXTENSION) if isinstance(extension, dict) else None
    return found if isinstance(found, dict) else {}


def units_of(cards: list[dict[str, Any]]) -> set[str]:
    """The ids of all units on some cards."""
    return {str(unit["id"]) for card in cards for unit in our_extension(card).get("recommendations", ())}


def counted(cards: list[dict[str, Any]]) -> str:
    """How many cards there are, in words."""
    return "1 card" if len(cards) == 1 else f"{len(cards)} cards"
