"""Selected findings -> CDS Hooks cards with the module's extension (CH-50 … CH-74, AP-74 … AP-77).

The extension is the module's machine-readable contract; card-extension.schema.json is its published form.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.cds_hooks.selection import NOTICE, TopicCard
from ivig_fhir.cds_hooks.wording import Setting, criterion_text, detail, headline
from ivig_fhir.engine.activity import draft
from ivig_fhir.engine.apply import Finding
from ivig_fhir.fhir import coding
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Unit

EXTENSION = "org.example.ivig-fhir"
SUMMARY_BELOW = 140

Card = dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """What makes a card's identity and addresses: issuer, service and the public URL of the pages."""

    issuer: str
    service: str
    public_url: str


def build_cards(
    selected: list[TopicCard],
    content: Content,
    request: HookRequest,
    setting: Setting,
    origin: Origin,
) -> list[Card]:
    """The cards of a response, each with a uuid that the same request always gives (CH-71)."""
    return [_with_uuids(_card(item, content, request, setting, origin), content, request, origin) for item in selected]


def unreadable_card(
    keys: tuple[str, ...], content: Content, request: HookRequest, setting: Setting, origin: Origin
) -> Card:
    """The card for a drafted order of one of our classes whose patient's problems could not be read."""
    plan = content.plans[-1]
    card = {
        "summary": content.phrase("could-not-read-title"),
        "detail": content.phrase("could-not-read", keys=", ".join(keys)),
        "indicator": "info",
        "source": {"label": plan.source, "url": f"{origin.public_url}/guidance/{plan.topic}"},
        "extension": {EXTENSION: _header(plan.canonical, content, setting) | {"recommendations": []}},
    }
    return _with_uuids(card, content, request, origin)


def _card(item: TopicCard, content: Content, request: HookRequest, setting: Setting, origin: Origin) -> Card:
    plan = item.plan
    url = f"{origin.public_url}/guidance/{plan.topic}"
    leading = item.leading
    title = plan.patient_title if setting.reader == PATIENT else headline(leading, content)
    card: Card = {
        "summary": title,
        "detail": detail(item, content, setting),
        "indicator": "warning" if item.warns else "info",
        "source": {
            "label": plan.source,
            "url": url,
            "topic": coding(f"{content.base}/CodeSystem/ivig-topic", plan.topic, plan.title),
        },
    }
    if item.suggests:
        card |= {"suggestions": [_suggestion(item.suggests, content, request)], "selectionBehavior": "any"}
    if setting.reader != PATIENT and content.overrides:
        system = f"{content.base}/CodeSystem/ivig-override"
        card["overrideReasons"] = [coding(system, word.code, word.display) for word in content.overrides.values()]
    card["links"] = [{"label": content.phrase("guidance-link"), "url": url, "type": "absolute"}]
    units = [
        _recommendation(finding, item, content, setting) for finding in item.findings if finding.unit.kind != NOTICE
    ]
    notices = [finding.unit.id for finding in item.findings if finding.unit.kind == NOTICE]
    body = {"recommendations": units} | ({"notices": notices} if notices else {})
    if item.silenced or item.silenced_topics:
        body["silenced"] = [*(finding.unit.id for finding in item.silenced), *item.silenced_topics]
    card["extension"] = {EXTENSION: _header(plan.canonical, content, setting) | body}
    return card


def _header(plan: str, content: Content, setting: Setting) -> dict[str, Any]:
    return {
        "schema": 1,
        "module": content.version,
        "contentHash": content.definitions.content_hash,
        "evaluatedOn": setting.evaluated_on,
        "plan": plan,
        "notEvaluated": list(setting.not_evaluated),
    }


def _recommendation(finding: Finding, card: TopicCard, content: Content, setting: Setting) -> dict[str, Any]:
    unit = finding.unit
    ratings, statements = _told(unit, content, setting.reader)
    return {
        "id": unit.id,
        "kind": unit.kind,
        "applicability": finding.applicability,
        "direction": unit.direction,
        "ratings": ratings,
        "statements": statements,
        "conflicts": list(unit.conflicts),
        "newer": list(unit.newer),
        "yieldsTo": card.outranking(unit),
        "because": [
            {"reference": reference, "criterion": criterion_text(because, content, setting.drafted)}
            | ({"date": day} if day else {})
            for because in finding.because
            for reference, day in map(card.cited, because.resources)
        ],
        "missing": [{"fact": item.fact, "input": item.input, "reason": item.reason} for item in finding.missing],
    }


@lru_cache(maxsize=2048)
def _told(unit: Unit, content: Content, reader: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The ratings and statements of a unit that this reader is told of: made once, never changed."""
    told = {name for name, word in content.sources.items() if reader != PATIENT or word.one("for-patients")}
    ratings = [
        {
            "source": item.source,
            "kind": item.kind,
            "wording": item.wording,
            "standing": list(content.sources[item.source].properties.get("standing", ())),
            "statement": item.statement,
        }
        for item in unit.ratings
        if item.source in told
    ]
    return ratings, [name for name in unit.statements if content.statements[name].one("source") in told]


def _suggestion(finding: Finding, content: Content, request: HookRequest) -> dict[str, Any]:
    proposal = finding.unit.proposal
    assert proposal is not None  # noqa: S101 - a finding proposes only what its unit has
    action = {
        "type": "create",
        "description": proposal.description,
        "resource": draft(
            proposal.activity,
            request.patient_id,
            f"{content.base}/PlanDefinition/{finding.unit.topic}|{content.version}",
        ),
    }
    return {"label": proposal.title, "actions": [action]}


def _with_uuids(card: Card, content: Content, request: HookRequest, origin: Origin) -> Card:
    """uuid5 over issuer, service, hook instance, content and the text, so that a replay gives the same bytes."""
    text = "\n".join((content.definitions.content_hash, card["indicator"], card["summary"], card["detail"]))
    digest = hashlib.sha256(text.encode()).hexdigest()
    space = uuid.uuid5(uuid.NAMESPACE_URL, content.base)
    identity = str(uuid.uuid5(space, "|".join((origin.issuer, origin.service, request.instance, digest))))
    suggestions = [
        {"label": item["label"], "uuid": str(uuid.uuid5(space, f"{identity}|{number}"))} | item
        for number, item in enumerate(card.get("suggestions", ()))
    ]
    return {"uuid": identity} | card | ({"suggestions": suggestions} if suggestions else {})
