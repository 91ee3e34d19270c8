"""What somebody wants explained: a CDS Hooks request, or a Bundle of one patient with hook, orders and day.

Whatever its form, it becomes the CDS Hooks request that an EHR would send, so that it can be replayed and has
one hash. A form of FHIR: Parameters with hook, at, reader, topic, data (a Bundle) and order.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from ivig_fhir.cds_hooks.cards import EXTENSION
from ivig_fhir.cds_hooks.context import ORDER_HOOKS, PATIENT
from ivig_fhir.cds_hooks.discovery import served_hooks
from ivig_fhir.cds_hooks.patient_bundles import entries_of, patient_of, prefetch_of
from ivig_fhir.cds_hooks.requests import HookRequest, request_of
from ivig_fhir.fhir import Resource, as_list, compact, loads, quoting_nothing, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import problem

ALLOWED = "a CDS Hooks request, a Bundle of one patient, or Parameters with hook and data"


@dataclass(frozen=True)
class Asked:
    """What is asked besides the record; empty where the document itself says it, or the usual holds."""

    hook: str = ""
    at: str = ""
    reader: str = ""
    topic: str = ""
    orders: tuple[Resource, ...] | None = None


@dataclass(frozen=True)
class Inquiry:
    """A request as an EHR would send it, the day, and the topic whose silences are to be explained."""

    document: dict[str, Any]
    request: HookRequest
    at: date
    topic: str

    @cached_property
    def hash(self) -> str:
        """The hash of request and day; access to a server and extensions are left out."""
        kept = {key: value for key, value in self.document.items() if key not in ("fhirAuthorization", "extension")}
        return f"sha256:{_digest({'at': self.at.isoformat(), 'topic': self.topic, 'request': kept})}"


def _digest(value: Any) -> str:
    """A hash that does not depend on the order of keys."""
    return hashlib.sha256(compact(value, by_name=True).encode()).hexdigest()


def read_inquiry(body: bytes, asked: Asked, today: date, content: Content) -> Inquiry:
    """An inquiry out of a document and what is asked besides. Raises Problem('malformed'), Problem('unusable')."""
    document = _document(body)
    if document.get("resourceType") == "Parameters":
        document, asked = _of_parameters(document, asked)
    if document.get("resourceType") == "Bundle":
        document = request_of_bundle(document, asked, content)
    elif "hook" not in document:
        raise problem("malformed", "body", "is neither a request nor a Bundle", ALLOWED)
    else:
        document = _changed(document, asked)
        _check_hook(document["hook"], content)
    at = asked.at or _stated_day(document)
    return Inquiry(document, request_of(document, document["hook"]), _day(at, today), asked.topic)


def _document(body: bytes) -> dict[str, Any]:
    try:
        read = loads(body)
    except (ValueError, RecursionError) as error:
        raise problem("malformed", "body", f"is no JSON: {quoting_nothing(error)}", ALLOWED) from error
    if not isinstance(read, dict):
        raise problem("malformed", "body", f"is a {type(read).__name__}", ALLOWED)
    return read


def _of_parameters(parameters: Resource, asked: Asked) -> tuple[dict[str, Any], Asked]:
    values: dict[str, list[Any]] = {}
    for item in as_list(parameters.get("parameter")):
        if isinstance(item, dict):
            value = item.get("resource") or next((item[name] for name in item if name.startswith("value")), None)
            values.setdefault(str(item.get("name")), []).append(value)
    data = next(iter(values.get("data", ())), None)
    if not isinstance(data, dict):
        raise problem("malformed", "Parameters.data", "is absent", "one parameter data with a Bundle as its resource")

    def one(name: str, known: str) -> str:
        return known or str(next(iter(values.get(name, ())), ""))

    orders = tuple(item for item in values.get("order", ()) if isinstance(item, dict))
    return data, Asked(
        one("hook", asked.hook),
        one("at", asked.at),
        one("reader", asked.reader),
        one("topic", asked.topic),
        asked.orders or orders,
    )


def _stated_day(document: dict[str, Any]) -> str:
    """The day in the request's extension of this module, if any."""
    extension = document.get("extension")
    ours = extension.get(EXTENSION) if isinstance(extension, dict) else None
    return str(ours.get("at", "")) if isinstance(ours, dict) else ""


def _day(text: str, today: date) -> date:
    try:
        return date.fromisoformat(text) if text else today
    except ValueError as error:
        raise problem("malformed", "at", "is no day", "a day such as 2026-03-02") from error


def _changed(document: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """A request with another hook or other drafted orders."""
    context = document.get("context")
    if not isinstance(context, dict):
        return document
    hook = asked.hook or str(document["hook"])
    orders = asked.orders
    if orders is None:
        orders = _resources(context.get("draftOrders"))
    kept = {key: value for key, value in context.items() if key not in ("draftOrders", "selections")}
    if asked.orders is None and hook == document["hook"]:
        return document
    return document | {"hook": hook, "context": kept | _ordered(hook, orders)}


def _resources(bundle: Any) -> tuple[Resource, ...]:
    entries = as_list(bundle.get("entry")) if isinstance(bundle, dict) else []
    found = [item.get("resource") for item in entries if isinstance(item, dict)]
    return tuple(item for item in found if isinstance(item, dict))


def _ordered(hook: str, orders: Sequence[Resource]) -> dict[str, Any]:
    """What a context says of drafted orders."""
    if hook not in ORDER_HOOKS:
        return {}
    found: dict[str, Any] = {"draftOrders": _bundle(orders, "collection")}
    return found | ({"selections": [reference_to(item) for item in orders]} if hook == "order-select" else {})


def _bundle(resources: Iterable[Resource], kind: str) -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": item} for item in resources]}


def _check_hook(hook: Any, content: Content) -> None:
    hooks = served_hooks(content)
    if hook not in hooks:
        raise problem("malformed", "hook", "is none that is served", ", ".join(hooks), "a Bundle does not say it")


def request_of_bundle(bundle: Resource, asked: Asked, content: Content) -> dict[str, Any]:
    """The request that an EHR with just these resources would send. Raises Problem('malformed' or 'unusable')."""
    _check_hook(asked.hook, content)
    entries = entries_of(bundle)
    patient = patient_of(entries)
    identifier = str(patient.get("id", ""))
    user = f"Patient/{identifier}" if asked.reader == PATIENT else "Practitioner/reader"
    context = {"userId": user, "patientId": identifier}
    if asked.hook == "encounter-start":
        context["encounterId"] = "encounter"
    told = {
        "hook": asked.hook,
        "context": context | _ordered(asked.hook, asked.orders or ()),
        "prefetch": prefetch_of(entries, content),
    }
    return {"hookInstance": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{content.base}/{_digest(told)}"))} | told


def orders_of(text: str | bytes) -> tuple[Resource, ...]:
    """Drafted orders out of a text: a resource, a list, or a Bundle. Raises Problem('malformed')."""
    if not text.strip():
        return ()
    try:
        read = loads(text)
    except (ValueError, RecursionError) as error:
        raise problem(
            "malformed", "orders", f"is no JSON: {quoting_nothing(error)}", "a resource, a list of them, or a Bundle"
        ) from error
    items = _of_bundle(read) if _is_bundle(read) else as_list(read)
    if not all(isinstance(item, dict) and isinstance(item.get("resourceType"), str) for item in items):
        raise problem("malformed", "orders", "holds something that is no resource", "objects with resourceType")
    return tuple(items)


def _of_bundle(bundle: Resource) -> list[Any]:
    """The resources of a Bundle, each with the medication that it names by the Bundle's own address for it."""
    entries = [item if isinstance(item, dict) else {} for item in as_list(bundle.get("entry"))]
    named = {item["fullUrl"]: item.get("resource") for item in entries if isinstance(item.get("fullUrl"), str)}
    return [_with_medication(item.get("resource"), named) for item in entries]


def _with_medication(order: Any, named: dict[str, Any]) -> Any:
    pointer = order.get("medicationReference") if isinstance(order, dict) else None
    reference = pointer.get("reference") if isinstance(pointer, dict) else None
    medication = named.get(reference) if isinstance(reference, str) else None
    if not isinstance(medication, dict):
        return order
    contained = [*as_list(order.get("contained")), medication | {"id": "medication"}]
    return order | {"contained": contained, "medicationReference": {"reference": "#medication"}}


def _is_bundle(read: Any) -> bool:
    return isinstance(read, dict) and read.get("resourceType") == "Bundle"
