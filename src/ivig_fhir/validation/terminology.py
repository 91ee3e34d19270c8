"""The terminology layer: codes that cannot be right, value sets that say two things, systems by a wrong name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ivig_fhir.fhir import ICD10CM, LOINC, SCT
from ivig_fhir.knowledge.terminology import system_of
from ivig_fhir.validation.codes import loinc_fault, snomed_fault
from ivig_fhir.validation.collection import Collection
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.icd10cm import icd10cm_codes, is_icd10cm
from ivig_fhir.validation.invariants import Value, has, items, text, within
from ivig_fhir.validation.membership import code_system, enumerated, expanded
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import SET, layer
from ivig_fhir.validation.value_sets import concepts

rule = layer("terminology")

_CHECKS = {SCT: snomed_fault, LOINC: loinc_fault}
_VALUE_SETS = ("http://hl7.org/fhir/ValueSet/", "http://terminology.hl7.org/ValueSet/")
CODED = ("Coding", "ValueSetComposeInclude", "ValueSetExpansionContains")
Code = tuple[Path, str, str, str]  # where, system, code, display


def codes_at(node: Node) -> Iterator[Code]:
    """The codes that a Coding, an include or an entry of an expansion names."""
    system = text(node.value, "system")
    if node.type == "ValueSetComposeInclude":
        for place, item in node.objects("concept"):
            yield ("concept", place, "code"), system, text(item, "code"), text(item, "display")
    elif text(node.value, "code"):
        yield ("code",), system, text(node.value, "code"), text(node.value, "display")


@rule("code-check-digit", on=CODED)
def check_digit(node: Node) -> Iterator[Fault]:
    """A SNOMED CT or LOINC code cannot exist: its form or its check digit (Verhoeff; mod 10) is wrong, or it names a
    description where a concept belongs. Most often a digit was mistyped or lost."""
    check = _CHECKS.get(text(node.value, "system"))
    for steps, _, code, _ in codes_at(node) if check else ():
        fault = check(code) if check and code else ""
        if fault:
            yield node.fault(*steps, seen=f"{code}, {fault}")


@rule("code-system-uri", "warning", on=CODED)
def system_by_its_name(node: Node) -> Iterator[Fault]:
    """A code system is named by another URI than the one FHIR gives it (an OID, a slash too many, https), so that no
    FHIR server will recognise the code."""
    system = text(node.value, "system")
    if system and system_of(system) != system:
        yield node.fault("system", seen=system, allowed=system_of(system))


@rule("code-system-missing", on="Coding", elsewhere="information")
def system_is_named(node: Node) -> Iterator[Fault]:
    """A Coding has a code and no system, so that nobody can say what the code means; in a codeFilter too, where the
    element is a status: http://hl7.org/fhir/request-status and its like."""
    if text(node.value, "code") and not text(node.value, "system"):
        yield node.fault(
            "code", seen=f"{text(node.value, 'code')} without a system", allowed="the URI of a code system"
        )


@rule("code-system-form", on=CODED)
def system_is_a_code_system(node: Node) -> Iterator[Fault]:
    """The system of a code is the absolute URI of a code system: no relative URL, no #id, and no value set."""
    system = text(node.value, "system")
    if system and (":" not in system or system.startswith("#")):
        yield node.fault("system", seen=system, allowed="an absolute URI")
    elif system.startswith(_VALUE_SETS):
        yield node.fault("system", seen=f"{system}, a value set", allowed="the URI of a code system")


@rule("code-unknown", on=SET)
def code_in_system(collection: Collection) -> Iterator[Fault]:
    """A code is of a code system that is among the files, complete, and does not have it."""
    for node in collection.nodes(*CODED):
        known = code_system(collection, text(node.value, "system"), node.artefact.version)
        for steps, url, code, _ in codes_at(node) if known is not None else ():
            if code and known is not None and code not in known:
                yield node.fault(*steps, seen=f"{code}, which {url} does not have")


@rule("code-display", "warning", on=SET)
def display_of_system(collection: Collection) -> Iterator[Fault]:
    """A display is none of those that the code system among the files gives its code."""
    for node in collection.nodes(*CODED):
        known = code_system(collection, text(node.value, "system"), node.artefact.version)
        for steps, _, code, display in codes_at(node) if known else ():
            names = known.get(code) if known else None
            if names and display and display.casefold() not in {name.casefold() for name in names}:
                yield node.fault(*steps[:-1], "display", seen=display, allowed=" or ".join(names))


@rule("code-twice", elsewhere="warning", on=("ValueSetComposeInclude", "ValueSetExpansion"))
def code_listed_once(node: Node) -> Iterator[Fault]:
    """A value set lists a code twice, within one include or within the expansion."""
    name = "contains" if node.type == "ValueSetExpansion" else "concept"
    seen: Counter[tuple[str, str, str]] = Counter()
    for place, item in node.objects(name):
        key = text(item, "system"), text(item, "version"), text(item, "code")
        seen[key] += 1
        if key[2] and seen[key] == 2:
            yield node.fault(name, place, "code", seen=f"{key[2]} a second time")


@rule("value-set-empty", elsewhere="warning", on=SET)
def value_set_has_codes(collection: Collection) -> Iterator[Fault]:
    """A value set holds no code: what is enumerated is excluded again, or the expansion is empty. A condition over
    it can never hold."""
    for artefact in collection.artefacts:
        if artefact.type != "ValueSet":
            continue
        listed = enumerated(collection, artefact)
        expansion = artefact.resource.get("expansion")
        empty = isinstance(expansion, dict) and not expansion.get("contains") and not expansion.get("total")
        if listed is not None and not listed:
            yield artefact.fault("compose", seen="a compose that no code is left of")
        elif empty and not _has_unclosed(expansion):
            yield artefact.fault("expansion", seen="an expansion without codes")


def _has_unclosed(expansion: Any) -> bool:
    return any(
        "unclosed" in text(item, "url") or "toocostly" in text(item, "url") for item in items(expansion, "extension")
    )


@rule("expansion-differs", elsewhere="warning", on=SET)
def expansion_is_compose(collection: Collection) -> Iterator[Fault]:
    """The compose enumerates its codes, and the expansion has others: one of the two was not kept up to date."""
    for artefact in collection.artefacts:
        expansion = within(artefact.resource, "expansion") if artefact.type == "ValueSet" else {}
        listed = enumerated(collection, artefact) if expansion.get("contains") and not _is_partial(expansion) else None
        if listed is None:
            continue
        found = set(expanded(expansion))
        for more, less, words in ((found, listed, "in the expansion alone"), (listed, found, "in the compose alone")):
            if more - less:
                codes = ", ".join(sorted(code for _, code in more - less)[:5])
                yield artefact.fault("expansion", seen=f"{len(more - less)} codes {words}: {codes}")


def _is_partial(expansion: Value) -> bool:
    names = {text(item, "name") for item in items(expansion, "parameter")}
    return bool(names & {"filter", "count", "offset", "limitedExpansion"}) or _has_unclosed(expansion)


@rule("icd10cm-unknown", on=SET)
def icd10cm_exists(collection: Collection) -> Iterator[Fault]:
    """An ICD-10-CM code is not in the code system. Looked up only where the package simple-icd-10-cm is installed;
    otherwise the report says that these codes were not checked."""
    codes = icd10cm_codes()
    for node in collection.nodes(*CODED) if codes else ():
        for steps, system, code, _ in codes_at(node):
            if system == ICD10CM and code and codes is not None and not is_icd10cm(code, codes):
                yield node.fault(*steps, seen=f"{code}, which ICD-10-CM does not have")


@rule("concept-property", "warning", on="CodeSystem")
def property_declared(node: Node) -> Iterator[Fault]:
    """A concept has a property that the code system does not declare, or a value of another type than declared."""
    declared = {text(item, "code"): text(item, "type") for item in items(node.value, "property")}
    for path, concept in concepts(node.value):
        for place, item in enumerate(items(concept, "property")):
            kind = declared.get(text(item, "code"))
            expected = f"value{kind[:1].upper()}{kind[1:]}" if kind else ""
            if kind is None or not (expected in item or f"_{expected}" in item):
                seen = f"the property {text(item, 'code')} with {', '.join(name for name in item if name != 'code')}"
                yield node.fault(*path, "property", place, seen=seen, allowed=expected or ", ".join(sorted(declared)))


@rule("property-described", "warning", on="CodeSystem", elsewhere="information")
def property_has_a_meaning(node: Node) -> Iterator[Fault]:
    """A code system declares a property without a uri or a description, so that nobody can say what it means."""
    for place, item in node.objects("property"):
        missing = [name for name in ("uri", "description") if not has(item, name)]
        if missing:
            yield node.fault("property", place, seen=f"the property {text(item, 'code')} without {', '.join(missing)}")


@rule("concept-count", "warning", on="CodeSystem")
def count_is_right(node: Node) -> Iterator[Fault]:
    """A complete code system has another number of concepts than its count says."""
    count, found = node.value.get("count"), sum(1 for _ in concepts(node.value))
    if text(node.value, "content") == "complete" and isinstance(count, int) and found and count != found:
        yield node.fault("count", seen=f"{count}, with {found} concepts", allowed=str(found))
