"""The mutants of definitions/r4: one change each, as the resources that it changes.

Of a unit: a direction flipped, a criterion negated or dropped, a figure, a limit or an amount changed, a conflict, a
statement, a rating or any other element of the module dropped, a warning turned off, a hook taken away. Of the inputs:
how old a result may be. Of the codes: each line of guidance/ that gives a concept a code or a part, taken out as if the
compiler had never read it: a code is gone from its concept and from every value set that is composed of it. An only
code is spoilt instead: an empty set stops the start.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from composed import Code, Composition, composition, contained, expanded, whole_systems
from ivig_fhir.knowledge.plans import PRIORITY

Resource = dict[str, Any]
Resources = dict[str, Resource]  # by file name

FLIPPED = {
    "for": "against",
    "against": "for",
    "equivalent": "against",
    "insufficient-evidence": "for",
    "poor-response": "for",
    "none": "for",
}
LIMIT = re.compile(r"(?:[<>]=?|=|-) \d+\b")
ALWAYS, UNKNOWN = "true", "{}"
FIGURE = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])")


@dataclass(frozen=True)
class Mutant:
    """One change: file, element and what was done; the topics whose cases must notice."""

    file: str
    where: str
    what: str
    changed: Resources
    topics: tuple[str, ...]
    code: str = ""  # as it stands in the facts of a case

    def __str__(self) -> str:
        return f"r4/{self.file} {self.where}: {self.what}"


def all_mutants(resources: Resources) -> Iterator[Mutant]:
    """Every mutant, in a fixed order."""
    yield from _of_units(resources)
    yield from _of_windows(resources)
    yield from _of_codes(resources)


def _of_units(resources: Resources) -> Iterator[Mutant]:
    for name, plan in resources.items():
        if plan["resourceType"] != "PlanDefinition":
            continue
        units = plan["action"][0]["action"]
        for number, unit in enumerate(units):
            shown = next(item for item in unit["extension"] if item["url"].endswith("/ivig-shown"))
            if any(part.get("valueCode") == "never" for part in shown["extension"]):
                continue
            for what, changed in _changes(unit):
                card = plan["action"][0] | {"action": [*units[:number], changed, *units[number + 1 :]]}
                yield Mutant(name, unit["id"], what, {name: plan | {"action": [card]}}, (plan["id"],))


def _changes(unit: Resource) -> Iterator[tuple[str, Resource]]:
    yield from _flipped(unit)
    yield from _criteria(unit)
    for key in ("documentation", "trigger"):
        for number, item in enumerate(unit.get(key, ())):
            yield f"{key} {item.get('label') or item.get('name')} dropped", _without(unit, key, number)
    for number, item in enumerate(unit["extension"]):
        # the field's own extensions are for other readers; no card is made of them
        if "/StructureDefinition/ivig-" in item["url"] and not item["url"].endswith("/ivig-shown"):
            value = item.get("valueCode") or next(
                (part["valueCode"] for part in item.get("extension", ()) if part["url"] == "statement"), number
            )
            yield f"{item['url'].rpartition('/')[2]} {value} dropped", _without(unit, "extension", number)
    for number, item in enumerate(unit.get("dynamicValue", ())):
        if item["path"] == PRIORITY:  # the other is the sentence as a payload, for other readers
            yield "warning turned off", _without(unit, "dynamicValue", number)
    yield from _figures(unit)
    yield from _limits(unit)


def _flipped(unit: Resource) -> Iterator[tuple[str, Resource]]:
    flipped = copy.deepcopy(unit)
    code = flipped["code"][0]["coding"][0]
    before, code["code"] = code["code"], FLIPPED[code["code"]]
    yield f"direction {before} -> {code['code']}", flipped


def _criteria(unit: Resource) -> Iterator[tuple[str, Resource]]:
    for number, item in enumerate(unit.get("condition", ())):
        name, text = item["expression"]["name"], item["expression"]["expression"]
        if text != UNKNOWN:  # what nobody knows stays so when it is negated
            negated = item | {"expression": item["expression"] | {"expression": f"({text}).not()"}}
            yield f"criterion {name} negated", _with(unit, "condition", number, negated)
        if text != ALWAYS:  # what always holds decides nothing
            yield f"criterion {name} dropped", _without(unit, "condition", number)


def _figures(unit: Resource) -> Iterator[tuple[str, Resource]]:
    says = unit["description"]
    text = re.sub(r"\[[^\]]*\]", lambda found: "#" * len(found[0]), says)  # references hold no figure
    for found in FIGURE.finditer(text):
        higher = f"{float(found[0]) + 1:g}"
        changed = says[: found.start()] + higher + says[found.end() :]
        yield f"figure {found[0]} -> {higher}", unit | {"description": changed}
    for number, item in enumerate(unit["extension"]):
        if item["url"].endswith("/ivig-stated-amount"):
            raised = copy.deepcopy(item)
            amount = next(part["valueQuantity"] for part in raised["extension"] if "valueQuantity" in part)
            amount["value"] += 1
            yield f"stated amount -> {amount['value']}", _with(unit, "extension", number, raised)


def _limits(unit: Resource) -> Iterator[tuple[str, Resource]]:
    """Each limit of a criterion one higher, wherever the compiler wrote it in that criterion."""
    for number, item in enumerate(unit.get("condition", ())):
        text = item["expression"]["expression"]
        for limit in dict.fromkeys(LIMIT.findall(text)):
            sign, figure = limit.split()
            higher = f"{sign} {int(figure) + 1}"
            changed = re.sub(rf"{re.escape(limit)}\b", higher, text)
            expression = item | {"expression": item["expression"] | {"expression": changed}}
            what = f"criterion {item['expression']['name']} {limit} -> {higher}"
            yield what, _with(unit, "condition", number, expression)


def _without(unit: Resource, key: str, number: int) -> Resource:
    return unit | {key: [*unit[key][:number], *unit[key][number + 1 :]]}


def _with(unit: Resource, key: str, number: int, item: Resource) -> Resource:
    return unit | {key: [*unit[key][:number], item, *unit[key][number + 1 :]]}


def _of_windows(resources: Resources) -> Iterator[Mutant]:
    """How old a result may be, a day more: an input means the same in every plan that has it."""
    plans = {name: item for name, item in resources.items() if item["resourceType"] == "PlanDefinition"}
    dated = {item["id"]: item for plan in plans.values() for item in _inputs(plan) if "dateFilter" in item}
    for name, item in dated.items():
        window = item["dateFilter"][0]["valueDuration"]
        longer = window | {"value": window["value"] + 1}
        changed = item | {"dateFilter": [item["dateFilter"][0] | {"valueDuration": longer}]}
        having = {file: _with_input(plan, changed) for file, plan in plans.items() if item in _inputs(plan)}
        topics = tuple(plan["id"] for plan in having.values())
        yield Mutant(min(having), name, f"window {window['value']} -> {longer['value']}", having, topics)


def _inputs(plan: Resource) -> list[Resource]:
    found: list[Resource] = plan["action"][0]["input"]
    return found


def _with_input(plan: Resource, changed: Resource) -> Resource:
    inputs = [changed if item["id"] == changed["id"] else item for item in _inputs(plan)]
    return plan | {"action": [plan["action"][0] | {"input": inputs}]}


def _of_codes(resources: Resources) -> Iterator[Mutant]:
    sets = _ValueSets(resources)
    for name, codes in sets.own.items():
        for system, code in codes:
            changed = sets.without_code(name, (system, code))
            yield sets.mutant(name, f"code {code} dropped", changed, f'"{code}"')
        for part in sets.parts[name]:
            mutant = sets.mutant(name, f"part {part} dropped", sets.without_part(name, part))
            if mutant.changed:  # else other parts hold the same codes: the same content
                yield mutant


class _ValueSets:
    """The value sets of a content, and who reads them."""

    def __init__(self, resources: Resources) -> None:
        self.found = value_sets(resources)
        self.own, self.parts = composition(self.found)
        self.inputs = {
            plan["id"]: json.dumps(plan["action"][0]["input"])
            for plan in resources.values()
            if plan["resourceType"] == "PlanDefinition"
        }

    def without_code(self, name: str, code: Code) -> Composition:
        """The composition where a set lacks a code of its own; an only code is spoilt."""
        left = [item for item in self.own[name] if item != code]
        if not left and not self.parts[name]:
            left = [(code[0], f"not-{code[1]}")]
        return self.own | {name: left}, self.parts

    def without_part(self, name: str, part: str) -> Composition:
        """The composition where a set lacks a part."""
        return self.own, self.parts | {name: [item for item in self.parts[name] if item != part]}

    def mutant(self, name: str, what: str, composed: Composition, code: str = "") -> Mutant:
        """Every value set that is another one in this composition, and the topics that read one of them."""
        changed = {}
        for item in self.found:
            codes = expanded(item["id"], composed)
            if codes != contained(item):
                contains = [{"system": system, "code": value} for system, value in sorted(codes)]
                changed[f"ValueSet-{item['id']}.json"] = item | {"expansion": {"contains": contains}}
        urls = [f'"{item["url"]}"' for item in changed.values()]
        topics = tuple(topic for topic, inputs in self.inputs.items() if any(url in inputs for url in urls))
        topics = topics or tuple(self.inputs)  # what no plan reads, texts are read beside: in every topic
        return Mutant(f"ValueSet-{name}.json", name, what, changed, topics, code)


def lost_from_expansions(resources: Resources) -> Iterator[list[Resource]]:
    """The value sets, each time with one code lost in the expansion of one that has parts, and nowhere else."""
    found = value_sets(resources)
    for number, item in enumerate(found):
        contains = item["expansion"]["contains"]
        for code in contains if any("valueSet" in part for part in item["compose"]["include"]) else ():
            less = item | {"expansion": {"contains": [other for other in contains if other != code]}}
            yield [*found[:number], less, *found[number + 1 :]]


def value_sets(resources: Resources) -> list[Resource]:
    """The value sets among the resources, but for those of whole code systems, which no plan reads."""
    found = [item for item in resources.values() if item["resourceType"] == "ValueSet"]
    return [item for item in found if not whole_systems(item)]
