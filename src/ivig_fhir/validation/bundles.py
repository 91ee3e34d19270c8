"""Invariants of Bundles. R4 and R5 number them differently where they differ (RS-74)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ivig_fhir.validation.elements import R4, R4B, R5
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import Value, has, implies, invariant, items, rule, text, within
from ivig_fhir.validation.nodes import Node

_OLD = (R4, R4B)
_REQUESTS = ("batch", "transaction", "history")
_RESPONSES = ("batch-response", "transaction-response", "history")
_PLAIN = ("document", "message", "searchset", "collection")
_WITH_BODY = ("POST", "PUT", "PATCH")


def _first_is(value: Value, bundle_type: str, resource_type: str) -> bool:
    entries = items(value, "entry")
    first = within(entries[0], "resource") if entries else {}
    return implies(text(value, "type") == bundle_type, first.get("resourceType") == resource_type)


def _body_fits(entry: Value) -> bool:
    method = text(within(entry, "request"), "method")
    return bool(method) and (method in _WITH_BODY) == has(entry, "resource")


def _entries(node: Node, kinds: tuple[str, ...]) -> list[tuple[int, Value]]:
    return node.objects("entry") if text(node.value, "type") in kinds else []


invariant(
    "bdl-1",
    "Bundle",
    lambda value: implies(has(value, "total"), text(value, "type") in ("searchset", "history")),
    says="Only a searchset or a history has a total.",
    seen="a total in a Bundle that is no search result",
    at="total",
)
invariant(
    "bdl-5",
    "BundleEntry",
    lambda value: has(value, "resource", "request", "response"),
    says="An entry has a resource, unless it has a request or a response.",
    seen="an entry without resource, request and response",
)
invariant(
    "bdl-8",
    "BundleEntry",
    lambda value: "/_history/" not in text(value, "fullUrl"),
    says="A fullUrl names no version of a resource.",
    seen="a fullUrl with /_history/",
    at="fullUrl",
)
invariant(
    "bdl-9",
    "Bundle",
    lambda value: implies(
        text(value, "type") == "document",
        has(within(value, "identifier"), "system") and has(within(value, "identifier"), "value"),
    ),
    says="A document has an identifier with system and value.",
    seen="a document without identifier system and value",
)
invariant(
    "bdl-10",
    "Bundle",
    lambda value: implies(text(value, "type") == "document", "timestamp" in value),
    says="A document has a timestamp.",
    seen="a document without timestamp",
)
invariant(
    "bdl-11",
    "Bundle",
    lambda value: _first_is(value, "document", "Composition"),
    says="The first resource of a document is a Composition.",
    seen="a document that does not begin with a Composition",
)
invariant(
    "bdl-12",
    "Bundle",
    lambda value: _first_is(value, "message", "MessageHeader"),
    says="The first resource of a message is a MessageHeader.",
    seen="a message that does not begin with a MessageHeader",
)
invariant(
    "bdl-18",
    "Bundle",
    lambda value: implies(
        text(value, "type") == "searchset",
        any(text(link, "relation") == "self" and has(link, "url") for link in items(value, "link")),
    ),
    says="In R5 a searchset has a link to itself.",
    seen="a searchset without link self",
    versions=(R5,),
)


@rule("bdl-2", on="Bundle")
def search_only_in_searchset(node: Node) -> Iterator[Fault]:
    """entry.search stands in searchsets only."""
    if text(node.value, "type") != "searchset":
        for place, entry in node.objects("entry"):
            if has(entry, "search"):
                yield node.fault("entry", place, "search", seen="search in a Bundle that is no searchset")


@rule("bdl-3", on="Bundle")
def request_where_due(node: Node) -> Iterator[Fault]:
    """R4: the entries of a batch, transaction or history have a request, those of other Bundles have none."""
    kind = text(node.value, "type")
    for place, entry in node.objects("entry") if node.artefact.version in _OLD else ():
        if has(entry, "request") != (kind in _REQUESTS):
            seen = f"an entry of a {kind} {'with' if has(entry, 'request') else 'without'} request"
            yield node.fault("entry", place, seen=seen)


@rule("bdl-4", on="Bundle")
def response_where_due(node: Node) -> Iterator[Fault]:
    """R4: the entries of a batch-response, transaction-response or history have a response, others have none."""
    kind = text(node.value, "type")
    for place, entry in node.objects("entry") if node.artefact.version in _OLD else ():
        if has(entry, "response") != (kind in _RESPONSES):
            seen = f"an entry of a {kind} {'with' if has(entry, 'response') else 'without'} response"
            yield node.fault("entry", place, seen=seen)


@rule("bdl-3a", on="Bundle")
def plain_entries(node: Node) -> Iterator[Fault]:
    """R5: the entries of a document, message, searchset or collection have a resource, no request, no response."""
    for place, entry in _entries(node, _PLAIN) if node.artefact.version == R5 else ():
        if not has(entry, "resource") or has(entry, "request", "response"):
            yield node.fault("entry", place, seen="an entry without resource, or with request or response")


@rule("bdl-3b", on="Bundle")
def history_entries(node: Node) -> Iterator[Fault]:
    """R5: the entries of a history have request and response, and a resource exactly for POST, PUT and PATCH."""
    for place, entry in _entries(node, ("history",)) if node.artefact.version == R5 else ():
        if not (has(entry, "request") and has(entry, "response") and _body_fits(entry)):
            yield node.fault("entry", place, seen="an entry whose request, response and resource do not go together")


@rule("bdl-3c", on="Bundle")
def transaction_entries(node: Node) -> Iterator[Fault]:
    """R5: the entries of a transaction or batch have a request.method, and a resource exactly for POST, PUT, PATCH."""
    for place, entry in _entries(node, ("transaction", "batch")) if node.artefact.version == R5 else ():
        if not _body_fits(entry):
            yield node.fault("entry", place, seen="an entry without method, or whose method and resource do not agree")


@rule("bdl-3d", on="Bundle")
def response_entries(node: Node) -> Iterator[Fault]:
    """R5: the entries of a transaction-response or batch-response have a response."""
    kinds = ("transaction-response", "batch-response")
    for place, entry in _entries(node, kinds) if node.artefact.version == R5 else ():
        if not has(entry, "response"):
            yield node.fault("entry", place, seen="an entry without response")


@rule("bdl-7", on="Bundle")
def full_urls_differ(node: Node) -> Iterator[Fault]:
    """No two entries have the same fullUrl and version, histories excepted."""
    seen: Counter[tuple[str, str]] = Counter()
    for place, entry in node.objects("entry") if text(node.value, "type") != "history" else ():
        version = text(within(within(entry, "resource"), "meta"), "versionId")
        url = text(entry, "fullUrl")
        seen[url, version] += 1
        if url and seen[url, version] == 2:
            yield node.fault("entry", place, "fullUrl", seen=f"{url} a second time")


@rule("bdl-15", on="Bundle")
def full_url_present(node: Node) -> Iterator[Fault]:
    """R5: the entries of Bundles that are no transaction or batch have a fullUrl, those that POST excepted."""
    kind = text(node.value, "type")
    due = node.artefact.version == R5 and not kind.startswith(("transaction", "batch"))
    for place, entry in node.objects("entry") if due else ():
        if not has(entry, "fullUrl") and text(within(entry, "request"), "method") != "POST":
            yield node.fault("entry", place, seen="an entry without fullUrl")


@rule("full-url-absolute", on="BundleEntry")
def full_url_is_absolute(node: Node) -> Iterator[Fault]:
    """A fullUrl is an absolute URL, or urn:uuid: or urn:oid:; Type/id alone identifies nothing outside its server."""
    url = text(node.value, "fullUrl")
    if url and ":" not in url:
        yield node.fault("fullUrl", seen=url, allowed="an absolute URL, urn:uuid: or urn:oid:")


@rule("bundle-link-twice", on="Bundle")
def relations_differ(node: Node) -> Iterator[Fault]:
    """A Bundle has one link of a relation: one self, one next, one previous."""
    seen: set[str] = set()
    for place, link in node.objects("link"):
        relation = text(link, "relation")
        if relation and relation in seen:
            yield node.fault("link", place, "relation", seen=f"{relation} a second time")
        seen.add(relation)


@rule("search-result-id", on="Bundle")
def results_have_ids(node: Node) -> Iterator[Fault]:
    """The resources of a search result have ids, those of outcomes excepted: a result comes from a server."""
    for place, entry in _entries(node, ("searchset",)):
        resource = within(entry, "resource")
        if resource and not text(resource, "id") and resource.get("resourceType") != "OperationOutcome":
            yield node.fault("entry", place, "resource", seen="a search result without id")
