"""Plans, activities, libraries, value sets, code systems, extensions: R4 -> R5, by adding and renaming (RS-10).

R4 is built and executed; R5 is wrapped from it, so that no converter stands between author and patient.
Only what the compiler writes is converted; an element that it never writes is refused, not passed on unread.
"""

from __future__ import annotations

import re
from typing import Any

from ivig_fhir.authoring.losses import Converted, Loss
from ivig_fhir.fhir import Resource, coding, extension, reference_to

R4, R5 = "4.0.1", "5.0.0"
# the elements of an action, in the order of R5
_ACTION = (
    "id",
    "extension",
    "linkId",
    "prefix",
    "title",
    "description",
    "textEquivalent",
    "priority",
    "code",
    "reason",
    "documentation",
    "goalId",
    "subjectCodeableConcept",
    "subjectReference",
    "subjectCanonical",
    "trigger",
    "condition",
    "input",
    "output",
    "relatedAction",
    "timingAge",
    "timingDuration",
    "timingRange",
    "timingTiming",
    "type",
    "groupingBehavior",
    "selectionBehavior",
    "requiredBehavior",
    "precheckBehavior",
    "cardinalityBehavior",
    "definitionCanonical",
    "definitionUri",
    "transform",
    "dynamicValue",
    "action",
)
_RELATED = ("id", "extension", "type", "label", "display", "citation", "document", "resource")
# R5 has one code system of all types, where R4 has one of resources and one of data types
_SYSTEMS = {"http://hl7.org/fhir/resource-types": "http://hl7.org/fhir/fhir-types"}
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?")
_PATHS = {"payload.content": "payload.content.ofType(CodeableConcept).text"}
_MORE_CODES = "http://hl7.org/fhir/4.0/StructureDefinition/extension-PlanDefinition.action.code"


def to_r5(resource: Resource) -> Converted:
    """A resource of the compiler in R5. Raises ValueError for an element that has no known R5 form."""
    losses: list[Loss] = []
    found = _in_r5(resource)
    if resource["resourceType"] == "PlanDefinition":
        found["action"] = [_action(item, reference_to(resource), losses) for item in found["action"]]
    if resource["resourceType"] == "StructureDefinition":
        found["fhirVersion"] = R5
    return Converted(found, tuple(losses))


def expression_name(name: str) -> str:
    """The name of an R5 Expression: R4 allows a hyphen, R5 an underscore instead (exp-2, RS-15)."""
    return name.replace("-", "_")


def with_subjects(plan: Resource, populations: dict[str, str]) -> Resource:
    """An R5 plan whose unit actions name their population: action id -> canonical of an EvidenceVariable.

    Another resource comes back as it is.
    """

    def subject(action: dict[str, Any]) -> dict[str, Any]:
        found = dict(action)
        if action["id"] in populations:
            found["subjectCanonical"] = populations[action["id"]]
        if "action" in action:
            found["action"] = [subject(child) for child in action["action"]]
        return _ordered(found)

    if plan["resourceType"] != "PlanDefinition":
        return plan
    return plan | {"action": [subject(item) for item in plan["action"]]}


def with_version_algorithm(resource: Resource) -> Resource:
    """An R5 resource that says by which rule its versions are ordered, where its version is of that form (RS-01)."""
    if not _SEMVER.fullmatch(str(resource.get("version", ""))):
        return resource
    found: Resource = {}
    for key, value in resource.items():
        found[key] = value
        if key == "version":
            found["versionAlgorithmCoding"] = coding("http://hl7.org/fhir/version-algorithm", "semver", "SemVer")
    return found


def _in_r5(value: Any) -> Any:
    """Every Expression, RelatedArtifact and code of a type at any depth in its R5 form."""
    if isinstance(value, list):
        return [_in_r5(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _in_r5(item) for key, item in value.items()}
    if "code" in found and found.get("system") in _SYSTEMS:
        found["system"] = _SYSTEMS[found["system"]]
    if "language" in found and "name" in found:
        found["name"] = expression_name(found["name"])
    for key in ("relatedArtifact", "documentation"):
        if isinstance(found.get(key), list):
            found[key] = [_related(item) for item in found[key]]
    return found


def _related(item: dict[str, Any]) -> dict[str, Any]:
    """RelatedArtifact: url -> document.url (RS-06)."""
    if "url" not in item:
        return item
    if "document" in item:
        raise ValueError("a RelatedArtifact with url and document has no R5 form")
    found: dict[str, Any] = {}
    for key, value in item.items():
        found["document" if key == "url" else key] = {"url": value} if key == "url" else value
    return {key: found[key] for key in _RELATED if key in found}


def _action(action: dict[str, Any], where: str, losses: list[Loss]) -> dict[str, Any]:
    place = f"action[{action.get('id', '?')}]"
    found = dict(action)
    if "id" in action:
        found["linkId"] = action["id"]
    codes = found.pop("code", [])
    if codes:
        found["code"] = codes[0]
    if len(codes) > 1:
        rest = [extension(_MORE_CODES, valueCodeableConcept=code) for code in codes[1:]]
        found["extension"] = [*found.get("extension", []), *rest]
        losses.append(Loss(where, f"{place}.code", f"the first kept; {len(rest)} in {_MORE_CODES}", "RS-10"))
    for key in ("input", "output"):
        if key in found:
            found[key] = [{"requirement": item} for item in found[key]]
    if "dynamicValue" in found:
        found["dynamicValue"] = [_dynamic_value(item) for item in found["dynamicValue"]]
    if "relatedAction" in found:
        found["relatedAction"] = [_related_action(item) for item in found["relatedAction"]]
    if "action" in found:
        found["action"] = [_action(child, where, losses) for child in found["action"]]
    return _ordered(found)


def _dynamic_value(item: dict[str, Any]) -> dict[str, Any]:
    """What a CommunicationRequest tells is a string in R4 and a CodeableConcept in R5."""
    return item | {"path": _PATHS.get(item["path"], item["path"])}


def _related_action(item: dict[str, Any]) -> dict[str, Any]:
    return {"targetId" if key == "actionId" else key: value for key, value in item.items()}


def _ordered(action: dict[str, Any]) -> dict[str, Any]:
    unknown = [key for key in action if key not in _ACTION]
    if unknown:
        raise ValueError(f"action {action.get('id')}: {', '.join(unknown)} has no R5 form here")
    return {key: action[key] for key in _ACTION if key in action}
