"""The habits of an EHR beyond the specification: requests are read as it means them, answers put as it takes them.

A rule is written only where the vendor says so in public; its words stand with it. What needs no rule, since every
request is read that way: code systems under urn:oid names (knowledge/terminology.py), one element where a list is
due (fhir.as_list), absolute references, and Medications beside the orders of a Bundle (engine/record.py).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Issue, Outcome, Problem

Card = dict[str, Any]

HOOKS_PAGE = "https://fhir.epic.com/Documentation?docId=cds-hooks"
ERRORS_PAGE = "https://fhir.epic.com/Specifications?api=1048"

NO_RESULTS = "4101"
_EPIC_ERRORS = re.compile(r"urn:oid:1\.2\.840\.114350\.1\.13\.[0-9.]+\.657369")
_LONGEST_TOPIC = 100


@dataclass(frozen=True)
class Rule:
    """One habit: where the vendor says so and in which words, and what follows for requests or for cards."""

    id: str
    page: str
    quote: str
    request: Callable[[HookRequest], HookRequest] | None = None
    card: Callable[[Card], Card] | None = None


@dataclass(frozen=True)
class Dialect:
    """The rules of one EHR."""

    name: str
    rules: tuple[Rule, ...] = ()

    def inbound(self, request: HookRequest) -> HookRequest:
        """A request as this EHR means it."""
        for rule in self.rules:
            request = rule.request(request) if rule.request else request
        return request

    def outbound(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer as this EHR takes it."""
        cards = answer["cards"]
        for rule in self.rules:
            cards = [rule.card(card) for card in cards] if rule.card else cards
        return answer | {"cards": cards}

    def check(self, content: Content) -> None:
        """Raises Problem('definitions') when two topics, or one with nothing left, would be one to this EHR."""
        shown = [self.outbound({"cards": [_bare_card(topic)]})["cards"][0] for topic in content.topics]
        codes = [card["source"]["topic"]["code"] for card in shown]
        if len(set(codes)) != len(codes) or "" in codes:
            message = f"the topics {', '.join(content.topics)} are not distinct as {', '.join(codes)}"
            raise Problem("definitions", Outcome((Issue(f"dialect {self.name}", message, "distinct topic codes"),)))


def _bare_card(topic: str) -> Card:
    return {"source": {"topic": {"system": "", "code": topic}}}


def _none_where_no_results(request: HookRequest) -> HookRequest:
    """A search whose only entries say "no results" found nothing. Any other outcome stays what it is: unknown.

    Other warnings of Epic mean that something may be missing (4119: additional data may be present), so none of
    them is taken for an empty result.
    """
    prefetch = {key: _emptied(value) if _says_no_results(value) else value for key, value in request.prefetch.items()}
    return replace(request, prefetch=prefetch)


def _says_no_results(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle" or value.get("type") != "searchset":
        return False
    entries = as_list(value.get("entry"))
    return bool(entries) and not value.get("total") and all(_is_no_results(entry) for entry in entries)


def _is_no_results(entry: Any) -> bool:
    search = entry.get("search") if isinstance(entry, dict) else None
    outcome = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(search, dict) or search.get("mode") != "outcome" or not isinstance(outcome, dict):
        return False
    issues = as_list(outcome.get("issue"))
    return outcome.get("resourceType") == "OperationOutcome" and bool(issues) and all(map(_is_4101, issues))


def _is_4101(issue: Any) -> bool:
    details = issue.get("details") if isinstance(issue, dict) else None
    if not isinstance(details, dict) or issue.get("severity") not in ("warning", "information"):
        return False
    codings = [item for item in as_list(details.get("coding")) if isinstance(item, dict)]
    return any(item.get("code") == NO_RESULTS and _EPIC_ERRORS.fullmatch(str(item.get("system"))) for item in codings)


def _emptied(bundle: Resource) -> Resource:
    return {name: value for name, value in bundle.items() if name != "entry"}


def _one_action_each(card: Card) -> Card:
    """A suggestion of several actions becomes as many suggestions, each with an own, stable uuid."""
    if "suggestions" not in card:
        return card
    return card | {"suggestions": [part for item in card["suggestions"] for part in _parts(item)]}


def _parts(suggestion: dict[str, Any]) -> list[dict[str, Any]]:
    actions = suggestion.get("actions", [])
    if len(actions) < 2:
        return [suggestion]
    space = uuid.UUID(suggestion["uuid"])
    return [
        suggestion | {"uuid": str(uuid.uuid5(space, str(number))), "label": action["description"], "actions": [action]}
        for number, action in enumerate(actions)
    ]


def _any_selection(card: Card) -> Card:
    return card | {"selectionBehavior": "any"} if "suggestions" in card else card


def _alphanumeric_topic(card: Card) -> Card:
    """The topic without hyphens: no code of ivig-topic any more, hence under a system name of its own."""
    topic = card["source"].get("topic")
    if not topic:
        return card
    code = re.sub(r"[^A-Za-z0-9]", "", topic["code"])[:_LONGEST_TOPIC]
    return card | {"source": card["source"] | {"topic": topic | {"system": f"{topic['system']}-epic", "code": code}}}


STRICT = Dialect("strict")
EPIC = Dialect(
    "epic",
    (
        Rule(
            "no-results",
            ERRORS_PAGE,
            "4101 | Warning | Resource request returns no results | A request for data that was otherwise valid but "
            "no information was documented or found",
            request=_none_where_no_results,
        ),
        Rule("one-action", HOOKS_PAGE, "Epic only supports a single action per suggestion.", card=_one_action_each),
        Rule("any-selection", HOOKS_PAGE, 'Only the value "any" is currently supported.', card=_any_selection),
        Rule(
            "alphanumeric-topic",
            HOOKS_PAGE,
            "Epic only supports alpha-numeric strings as the code of source.topic […] Maximum Length: 100 Characters "
            "[…] Source.topic.code should be a static identifier",
            card=_alphanumeric_topic,
        ),
    ),
)
DIALECTS = {dialect.name: dialect for dialect in (STRICT, EPIC)}
