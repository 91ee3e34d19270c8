"""DataRequirements as published: what they want of a resource, and the prefetch key that feeds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.fhir import CORE, Resource, extension_value
from ivig_fhir.knowledge.repository import Definitions
from ivig_fhir.knowledge.terminology import Code, members
from ivig_fhir.problems import Issue, Outcome, Problem

QUERY_PATTERN = f"{CORE}/cqf-fhirQueryPattern"
# of these the code alone counts, whatever system a record gives
_CODE_ALONE = ("status", "intent", "clinicalStatus", "verificationStatus")
DRAFTS = "draftOrders"  # where drafted orders come from: the context of an order hook, never a query

# date elements, in the order in which they are looked at: for windows and for what a card prints
DATES = {
    "Condition": ("onset", "recordedDate"),
    "Observation": ("effective", "issued"),
    "Procedure": ("performed",),
    "MedicationRequest": ("authoredOn",),
    "ServiceRequest": ("authoredOn",),
    "AllergyIntolerance": ("recordedDate",),
    "Patient": ("birthDate",),
}


@dataclass(frozen=True)
class CodeFilter:
    """The element at `path` has one of these codes; a code without system matches in any system."""

    path: str
    codes: frozenset[Code]
    from_value_set: bool


@dataclass(frozen=True)
class Requirement:
    """One input: its resources are those of `type` that pass all filters; `key` is the query that brings them.

    `ranged`: the newest value decides even where it cannot be used, a date to come included (a weight).
    """

    id: str
    type: str
    filters: tuple[CodeFilter, ...]
    key: str
    window: tuple[str, int] | None = None
    newest: str = ""
    ranged: bool = False
    source: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class PrefetchKey:
    """A key of the prefetch table: query template, resource type, codes, page size, and whether it is required."""

    key: str
    query: str
    type: str
    codes: frozenset[Code]
    count: int
    required: bool


def load_prefetch(library: Resource, definitions: Definitions) -> dict[str, PrefetchKey]:
    """The prefetch table of the module Library."""
    table = {}
    for item in library["dataRequirement"]:
        where = f"Library/{library['id']} dataRequirement {item['id']}"
        codes = frozenset[Code]().union(
            *(members(definitions.resolve(part["valueSet"], where)) for part in item.get("codeFilter", ()))
        )
        query = str(extension_value(item, QUERY_PATTERN))
        table[item["id"]] = PrefetchKey(
            item["id"], query, item["type"], codes, int(item.get("limit", 0)), "mustSupport" in item
        )
    return table


def read_requirement(
    data: dict[str, Any], where: str, definitions: Definitions, prefetch: dict[str, PrefetchKey]
) -> Requirement:
    """A published DataRequirement. Raises Problem('definitions') when it is not feedable."""
    where = f"{where} input {data.get('id', '?')}"
    filters = tuple(_filter(item, where, definitions) for item in data.get("codeFilter", ()))
    window = None
    for item in data.get("dateFilter", ()):
        window = (item["path"], int(item["valueDuration"]["value"]))
    newest = ""
    if "limit" in data:
        if not data.get("sort"):
            raise Problem(
                "definitions", Outcome((Issue(where, "has a limit without a sort", "limit 1 with sort descending"),))
            )
        newest = data["sort"][0]["path"]
    ranged = any(item["url"].endswith("/ivig-plausible-range") for item in data.get("extension", ()))
    key = _key(data["type"], filters, where, prefetch)
    return Requirement(data["id"], data["type"], filters, key, window, newest, ranged, data)


def _filter(item: dict[str, Any], where: str, definitions: Definitions) -> CodeFilter:
    alone = item["path"] in _CODE_ALONE
    codes: frozenset[Code] = frozenset(
        ("" if alone else part.get("system", ""), part["code"]) for part in item.get("code", ())
    )
    if "valueSet" in item:
        codes |= members(definitions.resolve(item["valueSet"], where))
    return CodeFilter(item["path"], codes, "valueSet" in item)


def _key(resource_type: str, filters: tuple[CodeFilter, ...], where: str, prefetch: dict[str, PrefetchKey]) -> str:
    if any(item.path == "status" and item.codes == {("", "draft")} for item in filters):
        return DRAFTS
    wanted = frozenset[Code]().union(*(item.codes for item in filters if item.path == "code"))
    for row in prefetch.values():
        if row.type == resource_type and (not row.codes or wanted <= row.codes):
            return row.key
    raise Problem(
        "definitions",
        Outcome((Issue(where, f"no prefetch key brings these {resource_type} resources", rule="inputs-covered"),)),
    )
