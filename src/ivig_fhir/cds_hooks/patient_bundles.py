"""A Bundle of one patient -> what the queries of the prefetch table would have brought of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ivig_fhir.engine.inputs import date_text
from ivig_fhir.fhir import Resource, as_list
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import DATES, PrefetchKey
from ivig_fhir.knowledge.terminology import Code, system_of
from ivig_fhir.problems import problem

Entry = dict[str, Any]  # of a Bundle: fullUrl, if it has one, and resource


def entries_of(bundle: Resource) -> list[Entry]:
    """The entries of a Bundle that hold a resource."""
    entries = [item for item in as_list(bundle.get("entry")) if isinstance(item, dict)]
    return [item for item in entries if isinstance(item.get("resource"), dict)]


def patient_of(entries: Sequence[Entry]) -> Resource:
    """The one Patient of some entries. Raises Problem('unusable') when there is none, or several."""
    patients = [item["resource"] for item in entries if item["resource"].get("resourceType") == "Patient"]
    if len(patients) != 1:
        raise problem("unusable", "Bundle", f"holds {len(patients)} patients", "exactly one")
    found: Resource = patients[0]
    return found


def prefetch_of(entries: Sequence[Entry], content: Content) -> dict[str, Any]:
    """What the queries of the prefetch table would have brought. Raises as patient_of."""
    patient = patient_of(entries)
    return {
        key.key: patient if key.type == "Patient" else _page(entries, key, content) for key in content.prefetch.values()
    }


def _page(entries: Sequence[Entry], key: PrefetchKey, content: Content) -> Resource:
    """What the query of a key would have brought: by type and code, the newest first, no more than a page."""
    found = [item for item in entries if item["resource"].get("resourceType") == key.type]
    if key.codes:
        found = [item for item in found if codes_of(item["resource"], content) & key.codes]
    if key.count:
        path = DATES[key.type][0]
        found.sort(key=lambda item: date_text(item["resource"], path), reverse=True)
        found = found[: key.count - 1]  # a full page would count as cut
    kept = [*found, *(item for item in entries if _named(item, key))]
    told = [{name: item[name] for name in ("fullUrl", "resource") if name in item} for item in kept]
    return {"resourceType": "Bundle", "type": "searchset", "entry": told}


def _named(entry: Entry, key: PrefetchKey) -> bool:
    """What references of a page may name: a Medication, and the Patient where a fullUrl alone says who that is."""
    kind = entry["resource"].get("resourceType")
    return (kind == "Medication" and key.type == "MedicationRequest") or (
        kind == "Patient" and str(entry.get("fullUrl", "")).startswith("urn:")
    )


def codes_of(resource: Resource, content: Content) -> frozenset[Code]:
    """The codes of a resource, those of the site as what they mean here."""
    concept = resource.get("code")
    codings = as_list(concept.get("coding")) if isinstance(concept, dict) else []
    codes = (
        (system_of(str(item.get("system", ""))), str(item.get("code", "")))
        for item in codings
        if isinstance(item, dict)
    )
    return frozenset(content.code_map.get(code, code) for code in codes)
