"""Concepts -> ValueSet with expansion, each code with its proof (R4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ivig_fhir import fhir
from ivig_fhir.authoring.artefacts import artefact, local
from ivig_fhir.authoring.guidance import Code, Concept, Guidance, Module
from ivig_fhir.fhir import CORE, Resource, canonical, extension

SYSTEMS = {
    "icd-10-cm": fhir.ICD10CM,
    "icd-10": fhir.ICD10,
    "icd-10-pcs": fhir.ICD10PCS,
    "sct": fhir.SCT,
    "rxnorm": fhir.RXNORM,
    "atc": fhir.ATC,
    "cvx": fhir.CVX,
    "hcpcs": fhir.HCPCS,
    "loinc": fhir.LOINC,
}
_COMMENTS = f"{CORE}/valueset-concept-comments"


def system_url(name: str, guidance: Guidance) -> str:
    """The URI of a code system named in guidance/."""
    return SYSTEMS.get(name) or local(guidance.module, name)


def value_set(concept: Concept, guidance: Guidance) -> Resource:
    """The value set of a concept: each code enumerated with its proof, and expanded."""
    module = guidance.module
    by_system: dict[str, list[Code]] = {}
    for code in concept.codes:
        by_system.setdefault(system_url(code.system, guidance), []).append(code)
    include: list[dict[str, Any]] = [
        {"system": system, **_version(codes[0], module), "concept": [_concept(code) for code in codes]}
        for system, codes in by_system.items()
    ]
    include += [{"valueSet": [value_set_canonical(module, name)]} for name in concept.includes]
    contains = [_contained(code, guidance) for code in _members(concept, guidance)]
    more: dict[str, Any] = {}
    if concept.left_out:
        more["purpose"] = "Left out on purpose: " + "; ".join(
            f"{item.system} {item.code} ({item.why})" for item in concept.left_out
        )
    more["copyright"] = " ".join(_copyright({code.system for code in _members(concept, guidance)}, guidance))
    more["compose"] = {"include": include}
    more["expansion"] = {"timestamp": f"{module.date}T00:00:00Z", "total": len(contains), "contains": contains}
    title = concept.title[:1].upper() + concept.title[1:] + _apart(concept, guidance)
    description = concept.says or f"Codes that say: {concept.title}."
    return artefact(
        module, ("ValueSet", concept.id), title, description, **{key: value for key, value in more.items() if value}
    )


def value_set_canonical(module: Module, name: str) -> str:
    """The versioned canonical of the value set of a concept."""
    return f"{canonical(module.base, 'ValueSet', name)}|{module.version}"


def _version(code: Code, module: Module) -> dict[str, str]:
    """The version of a code system of our own; those of others have codes of several, retired ones for old records."""
    return {} if code.system in SYSTEMS else {"version": module.version}


def _apart(concept: Concept, guidance: Guidance) -> str:
    """The id, where another concept has the same title."""
    same = [item for item in guidance.concepts.values() if item.title.casefold() == concept.title.casefold()]
    return f" ({concept.id})" if len(same) > 1 else ""


def _members(concept: Concept, guidance: Guidance) -> list[Code]:
    codes = list(concept.codes)
    for name in concept.includes:
        codes += _members(guidance.concepts[name], guidance)
    unique = {(code.system, code.code): code for code in reversed(codes)}
    return list(reversed(unique.values()))


def _concept(code: Code) -> dict[str, Any]:
    proof = f"{code.proof}. {code.note}" if code.note else code.proof
    return {"extension": [extension(_COMMENTS, valueString=proof)], "code": code.code, "display": code.display}


def _contained(code: Code, guidance: Guidance) -> dict[str, str]:
    return {"system": system_url(code.system, guidance), "code": code.code, "display": code.display}


def _copyright(systems: set[str], guidance: Guidance) -> Iterable[str]:
    return (phrase.says for name in sorted(systems) for phrase in guidance.phrases if phrase.id == f"copyright-{name}")
