"""Whose cards change: the same visit answered over two versions of content, compared as a clinician sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import EXTENSION, Card, Origin
from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.fhir import Resource, dumps, reference_to
from ivig_fhir.knowledge.content import Content, content_of
from ivig_fhir.knowledge.repository import definitions_of
from ivig_fhir.problems import Problem
from ivig_fhir.publishing.changes.wording import figures_of

LOSES, GAINS, CHANGES = "loses", "gains", "changes"
_SILENT = ("silent", "")
_EFFECTS = (LOSES, GAINS, CHANGES)
_ORIGIN = Origin("", "diff", "")
_UNANSWERED = "(no answer)"


@dataclass(frozen=True)
class Visit:
    """One moment of one patient: the request as each version reads it; None where a version does not ask."""

    name: str
    hook: str
    at: date
    old: HookRequest | None
    new: HookRequest | None


@dataclass(frozen=True)
class CardChange:
    """What happens to one card of some visits on a hook: the card by its topic, the effect, and what of it."""

    hook: str
    effect: str
    card: str
    what: str
    visits: tuple[str, ...]

    def __str__(self) -> str:
        return f'{self.effect} "{self.card}"' + (f" ({self.what})" if self.what else "")


@dataclass
class Impact:
    """The card changes of a cohort, and how many visits were looked at on each hook."""

    changes: tuple[CardChange, ...] = ()
    visits: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Seen:
    """A card as a clinician sees it."""

    title: str
    indicator: str
    units: dict[str, tuple[str, str]]  # id -> applicability, direction
    ratings: dict[str, str]
    suggestions: tuple[str, ...]
    text: str
    told: str  # the same for programs: criteria, missing facts, ratings


def content_from(resources: Iterable[Resource]) -> Content:
    """The content of resources, as the service loads it. Raises Problem('definitions')."""
    files = {f"{item['resourceType']}-{item['id']}.json": dumps(item).encode() for item in resources if "url" in item}
    return content_of(definitions_of(files))


def impact(old: Responder, new: Responder, visits: Iterable[Visit]) -> Impact:
    """What changes for whom, the hooks in the order in which they come."""
    found: dict[tuple[str, str, int, str, str], list[str]] = {}
    result = Impact()
    for visit in visits:
        result.visits[visit.hook] = result.visits.get(visit.hook, 0) + 1
        before, after = _cards(old, visit.old, visit.at), _cards(new, visit.new, visit.at)
        effects = list(_effects(before, after))
        result.changed[visit.hook] = result.changed.get(visit.hook, 0) + bool(effects)
        for effect, rank, card, what in effects:
            found.setdefault((visit.hook, effect, rank, card, what), []).append(visit.name)
    hooks = list(result.visits)
    ordered = sorted(found, key=lambda key: (hooks.index(key[0]), _EFFECTS.index(key[1]), key))
    result.changes = tuple(
        CardChange(hook, effect, card, what, tuple(found[hook, effect, rank, card, what]))
        for hook, effect, rank, card, what in ordered
    )
    return result


def _cards(responder: Responder, request: HookRequest | None, at: date) -> dict[str, _Seen]:
    """Topic -> card; a request that cannot be answered counts as a card that says so."""
    if request is None or request.hook not in responder.content.hooks:
        return {}
    try:
        cards = responder.answer(request, at, _ORIGIN)["cards"]
    except Problem as stopped:
        text = str(stopped)
        return {_UNANSWERED: _Seen(_UNANSWERED, "", {}, {}, (), text, "")}
    return {_topic(card): _seen(card) for card in cards}


def _topic(card: Card) -> str:
    return str(card["source"].get("topic", {}).get("code", card["summary"]))


def _seen(card: Card) -> _Seen:
    recommendations: Sequence[dict[str, Any]] = card["extension"][EXTENSION]["recommendations"]
    suggested = tuple(
        f"{item['label']} {_drafted(action)}" for item in card.get("suggestions", ()) for action in item["actions"]
    )
    return _Seen(
        str(card["source"].get("topic", {}).get("display", card["summary"])),
        card["indicator"],
        {item["id"]: (item["applicability"], item["direction"]) for item in recommendations},
        {item["id"]: dumps(item["ratings"]) for item in recommendations},
        suggested,
        f"{card['summary']}\n{card['detail']}",
        dumps(card["extension"][EXTENSION]["recommendations"]),
    )


def _drafted(action: dict[str, Any]) -> str:
    """A suggested resource, all but the version and base of the plan behind it."""
    resource = {key: value for key, value in action["resource"].items() if not key.startswith("instantiates")}
    return f"{reference_to(resource)} {dumps(resource)}"


def _effects(before: dict[str, _Seen], after: dict[str, _Seen]) -> Iterator[tuple[str, int, str, str]]:
    """(effect, rank, card, what of it) of each card that differs; rank 0 is the most dangerous."""
    for topic in {**before, **after}:
        one, other = before.get(topic), after.get(topic)
        if one is None and other is not None:
            yield GAINS, 0, other.title, other.indicator
        elif other is None and one is not None:
            yield LOSES, 0, one.title, one.indicator
        elif one is not None and other is not None and one != other:
            parts = list(_what(one, other))
            yield CHANGES, parts[0][0], other.title, "; ".join(words for _, words in parts)


def _what(one: _Seen, other: _Seen) -> Iterator[tuple[int, str]]:
    """(rank, words) for what changes of a card, the most dangerous first; its text only where nothing else does."""
    found = [(0, f"{one.indicator} → {other.indicator}")] if one.indicator != other.indicator else []
    for unit in {**one.units, **other.units}:
        before, after = one.units.get(unit, _SILENT), other.units.get(unit, _SILENT)
        if before != after:
            found.append(
                (int(before[1] == after[1] or _SILENT in (before, after)), f"{unit}: {_said(before)} → {_said(after)}")
            )
        elif one.ratings.get(unit) != other.ratings.get(unit):
            found.append((3, f"{unit}: rating"))
    if one.suggestions != other.suggestions:
        both = one.suggestions and other.suggestions
        found.append((2, "suggestion" if both else "suggestion gone" if one.suggestions else "suggestion added"))
    if not found and one.text == other.text:
        found.append((6, "for programs only"))
    elif not found:
        same = sorted(figures_of(one.text)) == sorted(figures_of(other.text))
        found.append((5, "text") if same else (4, "a figure in its text"))
    yield from sorted(found, key=lambda item: item[0])


def _said(standing: tuple[str, str]) -> str:
    return ", ".join(filter(None, standing))
