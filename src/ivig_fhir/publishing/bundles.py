"""Resources in one file: Bundles for readers and for servers, NDJSON; the same bytes every time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.problems import Issue, Outcome, Problem

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_EXACT = "\ue000"  # marks a decimal within text until it is printed; a character of private use
_NUMBER = re.compile(f'"{_EXACT}([^"{_EXACT}]*){_EXACT}"')
# what is looked up while the next is stored comes first; a server may take them in any order
ORDER = (
    "CodeSystem",
    "ValueSet",
    "StructureDefinition",
    "Library",
    "ActivityDefinition",
    "EvidenceVariable",
    "Citation",
    "Evidence",
    "PlanDefinition",
)


def collection(resources: Iterable[Resource], base: str, date: str) -> Resource:
    """A Bundle of type collection; every fullUrl is BASE/Type/id."""
    return _bundle("collection", date, [{"fullUrl": _full_url(item, base), "resource": item} for item in resources])


def transaction(resources: Iterable[Resource], base: str, date: str) -> Resource:
    """A Bundle that a FHIR server stores, each resource under its own id: twice is as good as once (PK-11).

    The guide comes first, as CRMI's $publish wants it. Raises Problem('malformed') for ids that no server takes.
    """
    ordered = sorted(resources, key=_rank)
    wrong = [reference_to(item) for item in ordered if not _ID.fullmatch(item["id"])]
    if wrong:
        allowed = "1 to 64 letters, digits, hyphens and dots"
        raise Problem("malformed", Outcome(tuple(Issue(name, "has an id that is none", allowed) for name in wrong)))
    entries = [
        {
            "fullUrl": _full_url(item, base),
            "resource": item,
            "request": {"method": "PUT", "url": reference_to(item)},
        }
        for item in ordered
    ]
    return _bundle("transaction", date, entries)


def ids_of_digits(resources: Iterable[Resource]) -> list[str]:
    """The resources whose id is a number: HAPI refuses such an id from a client, as it is set up at first."""
    return [reference_to(item) for item in resources if item["id"].isdigit()]


def _rank(resource: Resource) -> tuple[int, str, str]:
    kind = resource["resourceType"]
    place = -1 if kind == "ImplementationGuide" else ORDER.index(kind) if kind in ORDER else len(ORDER)
    return place, kind, resource["id"]


def _full_url(resource: Resource, base: str) -> str:
    return f"{base}/{reference_to(resource)}"


def _bundle(kind: str, date: str, entries: list[dict[str, Any]]) -> Resource:
    """A Bundle whose timestamp is the content's date, so that no clock stands in the bytes."""
    when = {"timestamp": f"{date}T00:00:00Z"} if len(date) == len("2000-01-01") else {}
    return {"resourceType": "Bundle", "type": kind, **when, "entry": entries}


def ndjson(resources: Iterable[Resource]) -> bytes:
    """One resource a line."""
    return b"".join(printed(item, indent=None) for item in resources)


def printed(value: Any, indent: int | None = 2) -> bytes:
    """JSON as UTF-8 with a final newline; decimals keep the digits that they were read with (70.50, not 70.5)."""
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=_marked)
    return _NUMBER.sub(r"\1", text).encode() + b"\n"


def _marked(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{_EXACT}{value}{_EXACT}"
    raise TypeError(f"{type(value).__name__} is not JSON")
