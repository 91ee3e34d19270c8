"""PlanDefinitions -> Plan and Unit: everything checked and compiled once, at load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ivig_fhir.fhir import Resource, extension_value, extensions
from ivig_fhir.knowledge.conditions import Condition, compile_condition, compile_priority
from ivig_fhir.knowledge.repository import Definitions
from ivig_fhir.knowledge.tokens import NotInGrammar
from ivig_fhir.problems import Issue, Outcome, Problem

PRIORITY = "%action.priority"  # the dynamicValue under which a unit warns
OCCASION = "occasion"  # the condition that says on which orders a unit speaks


@dataclass(frozen=True)
class Asks:
    fact: str
    reason: str


@dataclass(frozen=True)
class Criterion:
    """One published condition: id, English, compiled expression, and the question while it is unknown."""

    id: str
    reads: str
    condition: Condition
    asks: Asks | None = None


@dataclass(frozen=True)
class Rating:
    source: str
    kind: str
    wording: str
    statement: str


@dataclass(frozen=True)
class Proposal:
    """A draft resource that may be suggested, and the conditions under which it may."""

    title: str
    description: str
    criteria: tuple[Criterion, ...]
    activity: Resource


@dataclass(frozen=True)
class Amount:
    """An amount per weight as a source states it, and the input that brings the weight."""

    value: Decimal
    unit: str
    weight: str


@dataclass(frozen=True)
class Printed:
    """An input whose newest result a card repeats as it is recorded, and what the card calls it."""

    title: str
    input: str


@dataclass(frozen=True, eq=False)
class Unit:
    """One guidance unit as published: a child action. Known by identity, as the content it is of."""

    id: str
    topic: str
    title: str
    says: str
    patient: str
    direction: str
    kind: str
    how: str
    reader: str
    intervention: str
    hooks: frozenset[str]
    criteria: tuple[Criterion, ...]
    ratings: tuple[Rating, ...]
    statements: tuple[str, ...]
    conflicts: tuple[str, ...]
    newer: tuple[str, ...]
    yields_to: tuple[str, ...]
    stands_with: frozenset[str]
    anchors: frozenset[str]
    opens: Criterion | None
    warning: Criterion | None
    proposal: Proposal | None
    amount: Amount | None
    prints: tuple[Printed, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One topic as published: a PlanDefinition with its card and its units."""

    topic: str
    title: str
    says: str
    patient_title: str
    canonical: str
    source: str
    hooks: frozenset[str]
    criteria: tuple[Criterion, ...]
    inputs: tuple[dict[str, Any], ...]
    units: tuple[Unit, ...]


def load_plan(resource: Resource, base: str, definitions: Definitions) -> Plan:
    """A plan from its PlanDefinition. Raises Problem('definitions') that names action and character."""
    return _Loader(resource, base, definitions).plan()


class _Loader:
    """Reads one PlanDefinition; keeps the place for messages."""

    def __init__(self, resource: Resource, base: str, definitions: Definitions) -> None:
        self.resource, self.base, self.definitions = resource, base, definitions
        self.where = f"PlanDefinition/{resource['id']}"
        self.variables: frozenset[str] = frozenset()

    def fail(self, where: str, message: str, allowed: str = "", hint: str = "") -> Problem:
        return Problem("definitions", Outcome((Issue(where, message, allowed, hint, "expressions"),)))

    def plan(self) -> Plan:
        actions = self.resource.get("action", ())
        if len(actions) != 1:
            raise self.fail(self.where, f"has {len(actions)} top-level actions", "one: the card of the topic")
        card = actions[0]
        self.variables = frozenset(item.get("id", "") for item in card.get("input", ()))
        where = f"{self.where} action {card.get('id')}"
        return Plan(
            topic=self.resource["id"],
            title=card["title"],
            says=card.get("description", ""),
            patient_title=card.get("textEquivalent", card["title"]),
            canonical=f"{self.resource['url']}|{self.resource['version']}",
            source=card["documentation"][0]["display"],
            hooks=_hooks(card),
            criteria=self.criteria(card, where),
            inputs=tuple(card.get("input", ())),
            units=tuple(self.unit(child) for child in card.get("action", ())),
        )

    def criteria(self, action: dict[str, Any], where: str) -> tuple[Criterion, ...]:
        return tuple(
            self.criterion(item["expression"], where, compile_condition)
            for item in action.get("condition", ())
            if item.get("kind") == "applicability"
        )

    def criterion(self, expression: dict[str, Any], where: str, compiled: Callable[[str], Condition]) -> Criterion:
        text, name = str(expression.get("expression", "")), expression.get("name", "?")
        place = f"{where} condition {name}"
        if expression.get("language") != "text/fhirpath":
            raise self.fail(place, f"is written in {expression.get('language')}", "text/fhirpath")
        try:
            condition = compiled(text)
        except NotInGrammar as error:
            raise self.fail(
                f"{place} character {error.position}", f"{error.seen} in {text!r}", error.allowed, error.hint
            ) from error
        unknown = sorted(condition.inputs - self.variables)
        if unknown:
            raise self.fail(place, f"names the inputs {', '.join(unknown)}", "ids of action.input")
        return Criterion(name, expression.get("description", name), condition, self.asks(expression))

    def asks(self, expression: dict[str, Any]) -> Asks | None:
        for item in extensions(expression, self.extension("ivig-asks")):
            return Asks(extension_value(item, "fact"), extension_value(item, "reason"))
        return None

    def extension(self, name: str) -> str:
        return f"{self.base}/StructureDefinition/{name}"

    def unit(self, action: dict[str, Any]) -> Unit:
        where = f"{self.where} action {action.get('id')}"
        shown = next(iter(extensions(action, self.extension("ivig-shown"))), {})
        opens = extension_value(shown, "opensWhen")
        dynamic = next((item for item in action.get("dynamicValue", ()) if item.get("path") == PRIORITY), None)
        return Unit(
            id=action["id"],
            topic=self.resource["id"],
            title=action["title"],
            says=action.get("description", ""),
            patient=action.get("textEquivalent", ""),
            direction=action["code"][0]["coding"][0]["code"],
            kind=extension_value(shown, "kind") or "",
            how=extension_value(shown, "how") or "never",
            reader=extension_value(shown, "reader") or "",
            intervention=extension_value(shown, "intervention") or "",
            hooks=_hooks(action),
            criteria=self.criteria(action, where),
            ratings=tuple(_rating(item) for item in extensions(action, self.extension("ivig-rating"))),
            statements=tuple(item["label"] for item in action.get("documentation", ())),
            conflicts=self.codes(action, "ivig-conflict"),
            newer=self.codes(action, "ivig-newer"),
            yields_to=self.codes(action, "ivig-yields-to"),
            stands_with=frozenset(item["valueId"] for item in extensions(shown, "with")),
            anchors=frozenset(item["valueId"] for item in extensions(shown, "anchor")),
            opens=self.criterion(opens, where, compile_condition) if opens else None,
            warning=self.criterion(dynamic["expression"], where, compile_priority) if dynamic else None,
            proposal=self.proposal(action, where),
            amount=self.amount(action),
            prints=tuple(self.printed(item["valueExpression"], where) for item in extensions(shown, "prints")),
        )

    def printed(self, expression: dict[str, Any], where: str) -> Printed:
        name = str(expression.get("expression", "")).removeprefix("%")
        if name not in self.variables:
            raise self.fail(where, f"prints the input {name!r}", "an id of action.input")
        return Printed(expression.get("description", name), name)

    def codes(self, action: dict[str, Any], name: str) -> tuple[str, ...]:
        return tuple(item["valueCode"] for item in extensions(action, self.extension(name)))

    def amount(self, action: dict[str, Any]) -> Amount | None:
        for item in extensions(action, self.extension("ivig-stated-amount")):
            quantity = extension_value(item, "amount")
            return Amount(Decimal(quantity["value"]), quantity["code"], extension_value(item, "weight"))
        return None

    def proposal(self, action: dict[str, Any], where: str) -> Proposal | None:
        for child in action.get("action", ()):
            activity = self.definitions.resolve(child["definitionCanonical"], where)
            return Proposal(
                child["title"],
                child.get("description", ""),
                self.criteria(child, f"{where} action {child['id']}"),
                activity,
            )
        if "definitionCanonical" in action:
            self.definitions.resolve(action["definitionCanonical"], where)
        return None


def _hooks(action: dict[str, Any]) -> frozenset[str]:
    return frozenset(item["name"] for item in action.get("trigger", ()) if item.get("type") == "named-event")


def _rating(item: dict[str, Any]) -> Rating:
    return Rating(*(str(extension_value(item, name)) for name in ("source", "kind", "wording", "statement")))
