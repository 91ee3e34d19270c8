"""Invariants of PlanDefinition and its kin: names, actions, goals, characteristics, guides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ivig_fhir.validation.elements import R4, R4B, R5
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.invariants import Value, has, implies, invariant, items, rule, text, texts, within
from ivig_fhir.validation.nodes import Node

_OLD_NAME = re.compile(r"[A-Z]([A-Za-z0-9_]){0,254}")
_NEW_NAME = re.compile(r"[A-Z]([A-Za-z0-9_]){1,254}")
_ONE_OF_SIX = ("Reference", "Canonical", "CodeableConcept", "Id", "ByTypeAndValue", "ByCombination")
PUBLISHED = (  # the types of artefacts that have url, version, name, title
    *("PlanDefinition", "ActivityDefinition", "Library", "ValueSet", "CodeSystem", "EvidenceVariable", "Evidence"),
    *("Citation", "ImplementationGuide", "StructureDefinition"),
)
_DATA = ("PlanDefinitionActionInput", "RequestOrchestrationActionInput")
_OUTPUT = ("PlanDefinitionActionOutput", "RequestOrchestrationActionOutput")


@rule("cnl-0", "warning", on="Resource")
def name_is_identifier(node: Node) -> Iterator[Fault]:
    """The name of a definition can stand as an identifier in code: a capital, then letters, digits, underscores, up
    to 255 in all (R5: at least two). Older versions call it pdf-0, lib-0, vsd-0, csd-0 and so on."""
    name = text(node.value, "name")
    pattern = _NEW_NAME if node.artefact.version == R5 else _OLD_NAME
    if name and node.type in PUBLISHED and not pattern.fullmatch(name):
        yield node.fault("name", seen=name, allowed=pattern.pattern)


@rule("cnl-1", "warning", on="Resource")
def url_is_plain(node: Node) -> Iterator[Fault]:
    """The canonical URL of a definition holds no |, # or space: these have a meaning in canonicals."""
    url = text(node.value, "url")
    if node.type in PUBLISHED and re.search(r"[|# ]", url):
        yield node.fault("url", seen=url, allowed="a URL without |, # and space")


@rule("url-absolute", on="Resource")
def url_is_absolute(node: Node) -> Iterator[Fault]:
    """The canonical URL of a definition is absolute: it must name the same thing wherever it is read."""
    url = text(node.value, "url")
    if node.type in PUBLISHED and url and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url):
        yield node.fault("url", seen=url, allowed="an absolute URL")


invariant(
    "rqg-1",
    ("RequestGroupAction", "RequestOrchestrationAction"),
    lambda value: has(value, "resource") != has(value, "action"),
    says="An action of a RequestGroup or RequestOrchestration has a resource or actions, and not both (AP-07). A"
    " PlanDefinition's action is not held to it: applying it must lead to one of the two.",
    seen="an action with resource and actions, or with neither",
)
invariant(
    "pld-0",
    _DATA,
    lambda value: has(value, "requirement") != has(value, "relatedData"),
    says="In R5 an input has a requirement or relatedData, and not both.",
    seen="an input with requirement and relatedData, or with neither",
)
invariant(
    "pld-1",
    _OUTPUT,
    lambda value: has(value, "requirement") != has(value, "relatedData"),
    says="In R5 an output has a requirement or relatedData, and not both.",
    seen="an output with requirement and relatedData, or with neither",
)
invariant(
    "evv-1",
    "EvidenceVariableCharacteristic",
    lambda value: sum(has(value, f"definition{name}") for name in _ONE_OF_SIX) < 2,
    says="In R5 a characteristic is defined in one way: reference, canonical, concept, id, type and value, or"
    " combination. definitionExpression is not counted by the published expression.",
    seen="a characteristic that is defined twice",
    versions=(R5,),
)
invariant(
    "cpl-3",
    "CarePlanActivity",
    lambda value: not (has(value, "detail") and has(value, "reference")),
    says="An activity of a CarePlan has detail or reference, and not both.",
    seen="an activity with detail and reference",
    versions=(R4, R4B),
)
invariant(
    "tsk-1",
    "Task",
    lambda value: implies(
        has(value, "restriction"),
        has(value, "focus") and any(text(code, "code") == "fulfill" for code in items(within(value, "code"), "coding")),
    ),
    says="In R5 a Task with restriction has the code fulfill and a focus.",
    seen="a restriction without code fulfill and focus",
    at="restriction",
    versions=(R5,),
)
invariant(
    "ig-3",
    "ImplementationGuideDefinitionPage",
    lambda value: implies(
        text(value, "generation") == "generated", not has(value, "sourceUrl", "sourceString", "sourceMarkdown")
    ),
    says="In R5 a page that is generated has no source.",
    seen="a generated page with a source",
    versions=(R5,),
)


def actions(value: Value, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, action) of every action below a PlanDefinition or an action, parents first."""
    for place, item in enumerate(value["action"] if isinstance(value.get("action"), list) else ()):
        if isinstance(item, dict):
            here = (*path, "action", place)
            yield here, item
            yield from actions(item, here)


@rule("pld-3", "warning", on="PlanDefinition")
def goal_exists(node: Node) -> Iterator[Fault]:
    """goalId of an action is the id of a goal of the plan."""
    goals = {text(goal, "id") for goal in items(node.value, "goal")}
    for path, action in actions(node.value):
        for place, name in enumerate(texts(action, "goalId")):
            if name not in goals:
                yield node.fault(*path, "goalId", place, seen=name, allowed=", ".join(sorted(goals)) or "no goal here")


@rule("pld-4", "warning", on="PlanDefinition")
def related_action_exists(node: Node) -> Iterator[Fault]:
    """A related action (R4 actionId, R5 targetId) is the id of an action of the same plan (RS-10)."""
    known = {text(action, "id") for _, action in actions(node.value)}
    for path, action in actions(node.value):
        for place, related in enumerate(items(action, "relatedAction")):
            for name in ("actionId", "targetId"):
                if name in related and related[name] not in known:
                    yield node.fault(
                        *path, "relatedAction", place, name, seen=str(related[name]), allowed="an action id"
                    )


@rule("ig-1", on="ImplementationGuideDefinition")
def grouping_exists(node: Node) -> Iterator[Fault]:
    """groupingId of a resource is the id of a grouping of the guide."""
    known = {text(group, "id") for group in items(node.value, "grouping")}
    for place, item in node.objects("resource"):
        if text(item, "groupingId") and item["groupingId"] not in known:
            yield node.fault("resource", place, "groupingId", seen=item["groupingId"], allowed=", ".join(sorted(known)))


@rule("ig-2", on="ImplementationGuide")
def versions_of_guide(node: Node) -> Iterator[Fault]:
    """The fhirVersion of a resource is one of those of the guide."""
    known = texts(node.value, "fhirVersion")
    for place, item in enumerate(items(within(node.value, "definition"), "resource")):
        for version in texts(item, "fhirVersion"):
            if version not in known:
                yield node.fault(
                    *("definition", "resource", place, "fhirVersion"), seen=version, allowed=", ".join(known)
                )
