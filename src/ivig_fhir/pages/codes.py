"""Value sets as pages show them: every code with its proof, and what was left out on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ivig_fhir.fhir import (
    ATC,
    CORE,
    CVX,
    HCPCS,
    ICD10,
    ICD10CM,
    ICD10PCS,
    LOINC,
    RXNORM,
    SCT,
    Resource,
    as_list,
    extension_value,
)
from ivig_fhir.knowledge.plans import Plan
from ivig_fhir.pages.publication import Publication

COMMENTS = f"{CORE}/valueset-concept-comments"
_NAMES = {
    ICD10CM: "ICD-10-CM",
    ICD10: "ICD-10 (WHO)",
    ICD10PCS: "ICD-10-PCS",
    SCT: "SNOMED CT",
    RXNORM: "RxNorm",
    ATC: "ATC",
    LOINC: "LOINC",
    HCPCS: "HCPCS",
    CVX: "CVX",
}


@dataclass(frozen=True)
class Code:
    """A code of a value set, and the note on its proof."""

    system: str
    code: str
    display: str
    note: str


@dataclass(frozen=True)
class ValueSet:
    """A value set with its codes."""

    id: str
    title: str
    says: str
    left_out: str
    copyright: str
    codes: tuple[Code, ...]

    @property
    def systems(self) -> dict[str, int]:
        """How many codes of each code system."""
        found: dict[str, int] = {}
        for item in self.codes:
            found[item.system] = found.get(item.system, 0) + 1
        return found


def system_name(uri: str) -> str:
    """The usual name of a code system; of a local one the last part of its address."""
    return _NAMES.get(uri, uri.rpartition("/")[2])


def value_set(resource: Resource) -> ValueSet:
    """The view of a ValueSet with its expansion."""
    notes = dict(_notes(resource))
    codes = tuple(
        Code(
            system_name(item.get("system", "")),
            item["code"],
            item.get("display", ""),
            notes.get((item.get("system", ""), item["code"]), ""),
        )
        for item in resource["expansion"]["contains"]
    )
    return ValueSet(
        resource["id"],
        str(resource.get("title", resource["id"])),
        resource.get("description", ""),
        resource.get("purpose", ""),
        resource.get("copyright", ""),
        codes,
    )


def _notes(resource: Resource) -> Iterable[tuple[tuple[str, str], str]]:
    for include in as_list(resource.get("compose", {}).get("include")):
        for item in as_list(include.get("concept")):
            note = extension_value(item, COMMENTS)
            if note:
                yield (include.get("system", ""), item["code"]), str(note)


def value_sets(plan: Plan, publication: Publication) -> list[ValueSet]:
    """The value sets that the inputs of a plan read, by title."""
    found: dict[str, ValueSet] = {}
    for data in plan.inputs:
        for url in _urls(data):
            resource = publication.content.definitions.resolve(url, f"PlanDefinition/{plan.topic}")
            found.setdefault(resource["id"], value_set(resource))
    return sorted(found.values(), key=lambda item: item.title.lower())


def _urls(data: dict[str, Any]) -> list[str]:
    return [item["valueSet"] for item in as_list(data.get("codeFilter")) if "valueSet" in item]
