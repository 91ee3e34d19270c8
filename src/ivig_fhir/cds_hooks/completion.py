"""What a request lacks of its service's prefetch, as queries; and the request completed with what was found.

CH-33: the service itself fetches what the client did not send. Fetching is the business of the service; here
only the queries are made and the answers put where prefetch would have put them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from ivig_fhir.cds_hooks.context import ORDER_HOOKS, PATIENT, PATIENT_VIEW
from ivig_fhir.cds_hooks.discovery import prefetch_keys
from ivig_fhir.cds_hooks.requests import HookRequest, failed
from ivig_fhir.engine.record import medications_of
from ivig_fhir.fhir import Resource, as_list, reference_to
from ivig_fhir.knowledge.content import Content

BUNDLE = "Bundle"
PATIENT_TOKEN = "{{context.patientId}}"  # noqa: S105 - a prefetch token, no secret
_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9\-.]{1,64}")
# FHIR ends ids at 64 characters; the Medication ids in Epic's own examples are longer (docs/integration/epic.md)
_MEDICATION = re.compile(r"(?:(?P<base>.+)/)?(?P<relative>Medication/(?!\.{1,2}$)[A-Za-z0-9\-.]{1,256})")


@dataclass(frozen=True)
class Query:
    """A read or search: path below the base, or a next link as it came, and the type wanted.

    `follow`: its pages are followed. `whole`: a part of it is of no use, since silence would rest on it.
    """

    path: str
    type: str
    follow: bool = False
    whole: bool = False


def lacking(request: HookRequest, content: Content) -> dict[str, Query]:
    """The queries for keys of the service that are absent or failed, and for pages that are cut.

    A key that asks for a number of newest results (`_count`) is one page by intent. Nothing is lacking where
    nothing can be said (Responder.answer), or for a patient id that is none.
    """
    without_orders = request.hook in ORDER_HOOKS and not request.drafts
    if without_orders or (request.reader == PATIENT and request.hook != PATIENT_VIEW):
        return {}
    found: dict[str, Query] = {}
    for key in prefetch_keys(request.hook, content):
        row = content.prefetch[key]
        value = request.prefetch.get(key)
        if key not in request.prefetch or failed(value):
            path = filled(row.query, request.patient_id)
            wanted = BUNDLE if "?" in row.query else row.type
            if path:
                found[key] = Query(path, wanted, wanted == BUNDLE and not row.count, row.required)
        elif _kind(value) == BUNDLE and not row.count and next_page(value):
            found[key] = Query(next_page(value), BUNDLE, follow=True)
    return found


def filled(template: str, patient_id: str) -> str:
    """A prefetch template for a patient, percent-encoded; nothing when the id is none or a token is left over."""
    if not _ID.fullmatch(patient_id):
        return ""
    path, _, query = template.replace(PATIENT_TOKEN, patient_id).partition("?")
    if "{{" in path + query:
        return ""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = "&".join(
        f"{quote(unquote(name), safe='')}={quote(unquote(value), safe=',:/')}" for name, _, value in pairs
    )
    return "/".join(quote(unquote(step), safe="") for step in path.split("/")) + (f"?{encoded}" if encoded else "")


def next_page(bundle: Any) -> str:
    """The link to the next page of a Bundle; nothing on the last."""
    links = [item for item in as_list(bundle.get("link")) if isinstance(item, dict) and item.get("relation") == "next"]
    return next((item["url"] for item in links if isinstance(item.get("url"), str)), "")


def with_fetched(request: HookRequest, fetched: Mapping[str, Resource]) -> HookRequest:
    """The request with fetched resources and Bundles under their keys; further pages join the page that was sent."""
    prefetch = dict(request.prefetch)
    for key, value in fetched.items():
        had = prefetch.get(key)
        if isinstance(had, dict) and _kind(had) == BUNDLE and not failed(had):
            value = value | {"entry": [*as_list(had.get("entry")), *as_list(value.get("entry"))]}
        prefetch[key] = value
    return replace(request, prefetch=prefetch)


def unresolved_medications(request: HookRequest) -> dict[str, Query]:
    """Queries for the Medications of this FHIR server that orders name and nothing sent holds, drafts first."""
    entries = [*request.draft_bundle, *_entries(request.prefetch.values())]
    known = medications_of(entries)
    found: dict[str, Query] = {}
    for _, resource in entries:
        pointer = resource.get("medicationReference")
        reference = pointer.get("reference") if isinstance(pointer, dict) else None
        match = _MEDICATION.fullmatch(reference) if isinstance(reference, str) else None
        if match and reference not in known and match["relative"] not in known and _ours(match["base"], request):
            found[match["relative"]] = Query(match["relative"], "Medication")
    return found


def with_medications(request: HookRequest, fetched: Iterable[Resource]) -> HookRequest:
    """The request with Medications by which its orders can be read."""
    return replace(request, draft_bundle=(*request.draft_bundle, *((reference_to(item), item) for item in fetched)))


def without_token(request: HookRequest) -> HookRequest:
    """The request as it is evaluated: the access token is gone (CH-38)."""
    return replace(request, authorization={})


def _ours(base: str | None, request: HookRequest) -> bool:
    return base is None or base.rstrip("/") == request.fhir_server.rstrip("/")


def _entries(values: Iterable[Any]) -> Iterator[tuple[str, Resource]]:
    for value in values:
        for entry in as_list(value.get("entry")) if _kind(value) == BUNDLE else ():
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
                yield str(entry.get("fullUrl", "")), entry["resource"]


def _kind(value: Any) -> Any:
    return value.get("resourceType") if isinstance(value, dict) else None
