"""Plans -> subjects: each action with what it advises, to whom, when, how surely and in which words.

R4 and R5 are read alike, this module's extensions by the end of their url, so that content under another base, and
content that is not ours, is compared in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ivig_fhir.fhir import CORE, Resource, fhirpath_string
from ivig_fhir.knowledge.plans import OCCASION as OCCASION_ID
from ivig_fhir.publishing.changes import model
from ivig_fhir.publishing.changes.artefacts import links
from ivig_fhir.publishing.changes.model import Fact, Subject, others
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.elements import codes, extension_of, part, parts, string, value_of

_OWN = "/StructureDefinition/ivig-"
_DIRECTION = "/StructureDefinition/cpg-directionOfRecommendation"
_STANDARD = {f"{CORE}/cqf-strengthOfRecommendation": "strength", f"{CORE}/cqf-qualityOfEvidence": "certainty"}
_CODED = {"conflict": model.CONFLICT, "newer": model.NEWER, "yields-to": model.YIELDS}
_TEXTS = {"title": "title", "description": "sentence", "textEquivalent": "sentence for patients"}
_SAID = {"id", "linkId", "extension", "code", "documentation", "trigger", "condition", "dynamicValue", "input"} | {
    *("action", "definitionCanonical", "subjectCanonical", *_TEXTS)
}
_PLAN = {"resourceType", "id", "url", "name", "action", "title", "description", "relatedArtifact"}


def plan_subjects(edition: Edition) -> Iterator[Subject]:
    """The plans of an edition and all their actions."""
    said = _words(edition)
    for plan in edition.resources:
        if plan["resourceType"] == "PlanDefinition":
            rest = {key: value for key, value in plan.items() if key not in _PLAN}
            words = (("title", "title"), ("description", "sentence"))  # a card repeats them, under these names
            texts = [Fact(model.TEXT, name, str(plan[element])) for element, name in words if element in plan]
            name = str(plan.get("title", plan["id"]))
            facts = (*texts, *links(plan, edition), *others(rest))
            yield Subject(f"plan {plan['id']}", "plan", f"plan {plan['id']}", name, (plan["id"],), facts)
            for place, action in enumerate(parts(plan, "action")):
                yield from _actions(action, plan, str(place), said)


def _words(edition: Edition) -> dict[str, str]:
    """What a code of the module's own code systems says: statements, conflicts, newer evidence."""
    systems = (item for item in edition.resources if item["resourceType"] == "CodeSystem")
    concepts = (concept for item in systems for concept in parts(item, "concept") if "definition" in concept)
    return {str(concept.get("code")): str(concept["definition"]) for concept in concepts}


def _actions(action: dict[str, Any], plan: Resource, place: str, words: dict[str, str]) -> Iterator[Subject]:
    name = str(action.get("id") or f"action {place} of {plan['id']}")
    children = parts(action, "action")
    title = str(action.get("title") or action.get("description") or action.get("definitionCanonical") or "")
    yield Subject(
        f"unit {plan['id']} {name}", "unit", name, title, (plan["id"],), tuple(_worded(_facts(action), words))
    )
    for number, child in enumerate(children):
        yield from _actions(child, plan, f"{place}.{number}", words)


def _worded(facts: Iterator[Fact], words: dict[str, str]) -> Iterator[Fact]:
    """The facts, with the words of what a unit only names by its code."""
    for fact in facts:
        named = fact.kind in (*_CODED.values(), model.STATEMENT) and not fact.shown
        yield replace(fact, shown=words.get(fact.name, "")) if named else fact


def _facts(action: dict[str, Any]) -> Iterator[Fact]:
    yield from _direction(action)
    yield from _conditions(action)
    yield from _inputs(action)
    yield from _extensions(action)
    for item in parts(action, "trigger"):
        yield Fact(model.HOOK, str(item.get("name") or item.get("type")), exact=json.dumps(item, default=str))
    for item in parts(action, "documentation"):
        name = item.get("label") or item.get("resource") or item.get("citation") or item.get("display") or "a source"
        yield Fact(model.STATEMENT, str(name))
    for element, name in _TEXTS.items():
        if element in action:
            yield Fact(model.TEXT, name, str(action[element]))
    for element, name in (("definitionCanonical", "proposes"), ("subjectCanonical", "population")):
        if element in action:
            kind = model.ACTIVITY if element == "definitionCanonical" else model.OTHER
            yield Fact(kind, name, str(action[element]).rpartition("/")[2])
    yield from others({key: value for key, value in action.items() if key not in _SAID})


def _direction(action: dict[str, Any]) -> Iterator[Fact]:
    found = codes(action, "code")
    for item in parts(action, "extension"):
        if string(item, "url").endswith(_DIRECTION):
            found += codes(item, "valueCodeableConcept")
    if found:
        yield Fact(model.DIRECTION, "direction", ", ".join(dict.fromkeys(found)))


def _conditions(action: dict[str, Any]) -> Iterator[Fact]:
    for place, item in enumerate(parts(action, "condition")):
        expression = part(item, "expression")
        name = str(expression.get("name") or f"{item.get('kind', 'condition')} {place}")
        kind = model.OCCASION if name == OCCASION_ID else model.CRITERION
        yield _expressed(kind, name, expression)
        yield from _asked(kind, name, expression)
    for item in parts(action, "dynamicValue"):
        expression, path = part(item, "expression"), string(item, "path")
        if expression.get("expression") == fhirpath_string(string(action, "description")):
            continue  # a message that says the sentence, which is told by itself
        kind = model.WARNING if path.endswith("priority") else model.ACTIVITY
        yield _expressed(kind, path, expression)


def _expressed(kind: str, name: str, expression: dict[str, Any]) -> Fact:
    text = str(expression.get("expression") or expression.get("reference") or "")
    return Fact(kind, name, str(expression.get("description") or text), text)


def _asked(kind: str, name: str, expression: dict[str, Any]) -> Iterator[Fact]:
    """What a card asks while a criterion is open."""
    for item in parts(expression, "extension"):
        if string(item, "url").endswith(f"{_OWN}asks"):
            fact = str(extension_of(item, "fact"))
            yield Fact(model.TEXT, f"question of {name}", fact, within=(kind, name))


def _inputs(action: dict[str, Any]) -> Iterator[Fact]:
    for item in parts(action, "input"):
        requirement = part(item, "requirement") or item
        kept = {key: value for key, value in requirement.items() if key != "id"}
        yield Fact(model.READS, f"%{requirement.get('id', '?')}", json.dumps(kept, sort_keys=True, default=str))


def _extensions(action: dict[str, Any]) -> Iterator[Fact]:
    found = parts(action, "extension")
    rated = any(str(item.get("url")).endswith(f"{_OWN}rating") for item in found)
    for item in found:
        url = str(item.get("url"))
        own = url.partition(_OWN)[2]
        if own in _CODED:
            yield Fact(_CODED[own], str(item.get("valueCode")))
        elif own == "rating":
            name = f"{extension_of(item, 'statement')} ({extension_of(item, 'kind')})"
            yield Fact(model.RATING, name, str(extension_of(item, "wording")))
        elif own == "stated-amount":
            quantity = extension_of(item, "amount")
            shown = (
                f"{quantity.get('value')} {quantity.get('unit') or quantity.get('code')}"
                if isinstance(quantity, dict)
                else str(quantity)
            )
            yield Fact(model.DOSE, "stated dose", shown, str(extension_of(item, "weight")))
        elif own == "shown":
            yield from _shown(item)
        elif url in _STANDARD and not rated:
            yield Fact(model.RATING, _STANDARD[url], _concept(part(item, "valueCodeableConcept")))
        elif url not in _STANDARD and not url.endswith(_DIRECTION):
            yield from others(item, prefix=f"extension {url.rpartition('/')[2]}")


def _shown(item: dict[str, Any]) -> Iterator[Fact]:
    """How a unit comes to a card: each part by its name; a part that may repeat by its value."""
    for member in parts(item, "extension"):
        name, value = string(member, "url"), value_of(member)
        if isinstance(value, dict):
            yield _expressed(model.SHOWN, f"{name} {value.get('name', '')}".strip(), value)
        elif name in ("with", "anchor"):
            yield Fact(model.SHOWN, f"{name} {value}", "yes")
        else:
            yield Fact(model.SHOWN, name, str(value))


def _concept(concept: dict[str, Any]) -> str:
    """The text of a CodeableConcept, or its displays or codes."""
    codings = [str(item.get("display") or item.get("code")) for item in parts(concept, "coding")]
    return str(concept.get("text") or ", ".join(codings))
