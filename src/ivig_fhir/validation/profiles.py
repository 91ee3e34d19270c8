"""The CRMI and CPG profiles that an artefact claims in meta.profile, as far as their constraints are rules here.

CRMI 2.0.0 (hl7.org/fhir/uv/crmi), CPG 2.0.0 (hl7.org/fhir/uv/cpg); PK-08, PK-10, PK-12, PK-13.
"""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.fhir import CORE
from ivig_fhir.validation.definitional import actions
from ivig_fhir.validation.elements import R5
from ivig_fhir.validation.evidence import recommends
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import Value, has, items, text, texts, within
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import layer

rule = layer("profiles")

_CRMI = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-"
_CPG = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-"
_SHAREABLE = ("url", "version", "title", "description")
_REQUIRED = {
    "shareableplandefinition": _SHAREABLE,
    "shareableactivitydefinition": (*_SHAREABLE, "experimental"),
    "shareablelibrary": _SHAREABLE,
    "shareablevalueset": (*_SHAREABLE, "experimental"),
    "shareablecodesystem": (*_SHAREABLE, "experimental", "caseSensitive"),
    "shareableimplementationguide": (*_SHAREABLE, "experimental"),
    "publishableplandefinition": ("date",),
    "publishableactivitydefinition": ("date",),
    "publishablelibrary": ("date",),
    "publishablevalueset": ("title", "date"),
    "publishablecodesystem": ("title", "date", "caseSensitive"),
    "publishableimplementationguide": ("date",),
    "computableplandefinition": ("library",),
    "computablelibrary": ("content",),
    "executablelibrary": ("content",),
    "expandedvalueset": ("expansion",),
}
# FHIR's own profiles: what they require in R4 and R4B, and in R5
_SHAREABLE_R4 = ("url", "version", "name", "experimental", "publisher", "description")
_SHAREABLE_R5 = _SHAREABLE
_SHAREABLE_TOO = {
    "ActivityDefinition": ("experimental",),
    "ValueSet": ("experimental",),
    "CodeSystem": ("experimental", "concept"),
}
_NO_CONTENT = ("manifestlibrary", "moduledefinitionlibrary", "moduleconfigurationlibrary")
_LIBRARY_TYPES = {
    "manifestlibrary": "asset-collection",
    "moduledefinitionlibrary": "module-definition",
    "moduleconfigurationlibrary": "module-definition",
}
_BEHAVIOURS = ("groupingBehavior", "requiredBehavior", "precheckBehavior", "cardinalityBehavior")
_FORBIDDEN = {
    "strategydefinition": ("type", *_BEHAVIOURS, "transform", "dynamicValue"),
    "pathwaydefinition": (
        *("input", "output", "relatedAction", "type", *_BEHAVIOURS, "selectionBehavior", "transform", "dynamicValue"),
    ),
}
_PLAN_TYPES = {
    "recommendationdefinition": "eca-rule",
    "strategydefinition": "workflow-definition",
    "pathwaydefinition": "clinical-protocol",
    "ordersetdefinition": "order-set",
}
_KINDS = {
    "medicationrequestactivity": "MedicationRequest",
    "servicerequestactivity": "ServiceRequest",
    "communicationactivity": "CommunicationRequest",
}


def _claimed(node: Node, base: str) -> list[str]:
    profiles = texts(within(node.value, "meta"), "profile")
    return [item.partition("|")[0].removeprefix(base) for item in profiles if item.startswith(base)]


def _codes(value: Value, name: str) -> set[str]:
    return {text(item, "code") for item in items(within(value, name), "coding")}


@rule("crmi-required", on="Resource")
def crmi_elements(node: Node) -> Iterator[Fault]:
    """The artefact claims a CRMI profile and lacks an element that the profile requires."""
    for profile in _claimed(node, _CRMI):
        missing = [name for name in _REQUIRED.get(profile, ()) if not has(node.value, name)]
        if missing:
            yield node.fault(seen=f"crmi-{profile} without {', '.join(missing)}")


@rule("shareable-required", on="Resource")
def shareable_elements(node: Node) -> Iterator[Fault]:
    """The artefact claims one of FHIR's own profiles of shareable artefacts and lacks an element that the profile
    requires in this version."""
    for profile in _claimed(node, f"{CORE}/"):
        if profile == f"shareable{node.type.lower()}":
            wanted = _SHAREABLE_R5 if node.artefact.version == R5 else _SHAREABLE_R4
            missing = [name for name in (*wanted, *_SHAREABLE_TOO.get(node.type, ())) if not has(node.value, name)]
            if missing:
                yield node.fault(seen=f"{profile} without {', '.join(missing)}")


@rule("crmi-library", on="Library")
def crmi_library(node: Node) -> Iterator[Fault]:
    """A Library that claims to be a manifest or a module definition (CRMI) has the type of one, and no content
    (PK-12)."""
    for profile in _claimed(node, _CRMI):
        if profile in _NO_CONTENT and has(node.value, "content"):
            yield node.fault("content", seen=f"crmi-{profile} with content")
        wanted = _LIBRARY_TYPES.get(profile)
        if wanted and wanted not in _codes(node.value, "type"):
            yield node.fault("type", seen=f"crmi-{profile} of another type", allowed=wanted)


@rule("manifest-member", "warning", on="Library")
def manifest_lists_once(node: Node) -> Iterator[Fault]:
    """A manifest lists each artefact once as composed-of (PK-12)."""
    seen: set[str] = set()
    for place, item in enumerate(items(node.value, "relatedArtifact")):
        resource = text(item, "resource") if text(item, "type") == "composed-of" else ""
        if resource and resource in seen:
            yield node.fault("relatedArtifact", place, seen=f"{resource} a second time")
        seen.add(resource)


@rule("cpg-type", on="PlanDefinition")
def cpg_plan_type(node: Node) -> Iterator[Fault]:
    """A PlanDefinition that claims a CPG profile has the type that the profile fixes."""
    for profile in _claimed(node, _CPG):
        wanted = _PLAN_TYPES.get(profile)
        if wanted and wanted not in _codes(node.value, "type"):
            yield node.fault("type", seen=f"cpg-{profile} of another type", allowed=wanted)


@rule("cpg-forbidden", on="PlanDefinition")
def cpg_strategy_elements(node: Node) -> Iterator[Fault]:
    """The actions of a CPG strategy or pathway have none of the elements that these profiles forbid (PK-13)."""
    for profile in _claimed(node, _CPG):
        for path, action in actions(node.value):
            for name in _FORBIDDEN.get(profile, ()):
                if has(action, name):
                    yield node.fault(
                        *path, name, seen=f"{name} in an action of cpg-{profile}", allowed="to leave it out"
                    )


@rule("cpg-rating", on="PlanDefinition")
def cpg_recommendation_is_rated(node: Node) -> Iterator[Fault]:
    """Each recommendation of a plan that claims cpg-recommendationdefinition has a strength and a quality of evidence
    (PK-10)."""
    if "recommendationdefinition" not in _claimed(node, _CPG):
        return
    for path, action in actions(node.value):
        urls = {text(item, "url") for item in items(action, "extension")}
        for name in ("cqf-strengthOfRecommendation", "cqf-qualityOfEvidence") if recommends(action) else ():
            if f"{CORE}/{name}" not in urls:
                yield node.fault(*path, seen=f"a recommendation without {name}")


@rule("cpg-direction", on="Extension")
def cpg_direction_code(node: Node) -> Iterator[Fault]:
    """The direction of a recommendation (cpg-directionOfRecommendation) is for or against: a required binding."""
    if text(node.value, "url") == f"{_CPG}directionOfRecommendation":
        codes = _codes(node.value, "valueCodeableConcept")
        if not codes & {"for", "against"}:
            yield node.fault(seen=", ".join(sorted(codes)) or "no code", allowed="for, against")


@rule("cpg-activity", on="ActivityDefinition")
def cpg_activity_fixed(node: Node) -> Iterator[Fault]:
    """An ActivityDefinition that claims a CPG profile has its kind, the intent proposal, and says doNotPerform."""
    for profile in _claimed(node, _CPG):
        kind = _KINDS.get(profile)
        if kind and text(node.value, "kind") != kind:
            yield node.fault("kind", seen=f"cpg-{profile} of kind {text(node.value, 'kind')}", allowed=kind)
        if kind and (text(node.value, "intent") != "proposal" or not has(node.value, "doNotPerform")):
            yield node.fault(seen=f"cpg-{profile}", allowed="intent proposal, and doNotPerform")
