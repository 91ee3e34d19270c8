"""A CDS Hooks request body -> HookRequest, and what it holds of the patient -> PatientRecord.

Absent is not null: a key that is absent or holds an OperationOutcome could not be had, nor one that holds nothing
but errors; null or an empty Bundle says that there is nothing (CH-35, CH-36). A cut page is incomplete (CH-37).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.cds_hooks.context import ORDER_HOOKS, check_patient, drafts_of, reader_of, selected
from ivig_fhir.engine.record import PatientRecord, Subject, medications_of, read_record
from ivig_fhir.fhir import Resource, as_list, loads, quoting_nothing
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import PrefetchKey
from ivig_fhir.problems import Issue, Issues, Outcome, Problem, problem

_ERRORS = ("error", "fatal")


@dataclass(frozen=True)
class HookRequest:
    """A request whose form is right: hook, instance, reader, patient, prefetch and the orders in question."""

    hook: str
    instance: str
    patient_id: str
    user: str
    prefetch: Mapping[str, Any]
    drafts: tuple[Resource, ...] = ()
    draft_bundle: tuple[tuple[str, Resource], ...] = ()
    fhir_server: str = ""
    authorization: Mapping[str, Any] = field(default_factory=dict, repr=False)  # holds the token (CH-103)

    @property
    def reader(self) -> str:
        """Practitioner and PractitionerRole read the professional wording, everyone else the patient wording."""
        return reader_of(self.user)


def read_request(body: bytes, hook: str) -> HookRequest:
    """Check the form of a request to the service of this hook. Raises Problem('malformed') (CH-30 … CH-32)."""
    try:
        request = loads(body)
    except (ValueError, RecursionError) as error:
        seen = f"is no JSON: {quoting_nothing(error)}"
        raise problem("malformed", "body", seen, "a CDS Hooks request as a JSON object") from error
    return request_of(request, hook)


def request_of(request: Any, hook: str) -> HookRequest:
    """The same of a body that was read already. Raises Problem('malformed')."""
    if not isinstance(request, dict):
        raise problem("malformed", "body", f"is a {type(request).__name__}", "a CDS Hooks request as a JSON object")
    issues = Issues()
    context = _object(request, "context", issues)
    _text(request, "hookInstance", issues)
    if request.get("hook") != hook:
        seen = "is absent" if request.get("hook") is None else "is another"
        issues.append(Issue("hook", seen, repr(hook), "each service serves one hook"))
    _text(context, "userId", issues, "context.")
    _text(context, "patientId", issues, "context.")
    check_patient(context.get("patientId"), issues)
    prefetch = request.get("prefetch") or {}
    if not isinstance(prefetch, dict):
        issues.append(Issue("prefetch", f"is a {type(prefetch).__name__}", "an object of key and resource"))
    if request.get("fhirAuthorization") and not request.get("fhirServer"):
        issues.append(Issue("fhirServer", "is absent while fhirAuthorization is present", "both, or neither"))
    for name, kind, allowed in (("fhirServer", str, "a URL as text"), ("fhirAuthorization", dict, "an object")):
        if request.get(name) and not isinstance(request[name], kind):
            issues.append(Issue(name, f"is a {type(request[name]).__name__}", allowed))
    bundle = drafts_of(context, issues) if hook in ORDER_HOOKS else ()
    chosen = selected(context, bundle, issues) if hook == "order-select" else bundle
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return HookRequest(
        hook,
        request["hookInstance"],
        context["patientId"],
        context["userId"],
        prefetch,
        tuple(order for _, order in chosen),
        bundle,
        request.get("fhirServer") or "",
        request.get("fhirAuthorization") or {},
    )


def _object(parent: dict[str, Any], name: str, issues: list[Issue]) -> dict[str, Any]:
    value = parent.get(name)
    if isinstance(value, dict):
        return value
    issues.append(Issue(name, "is absent" if value is None else f"is a {type(value).__name__}", "an object"))
    return {}


def _text(parent: dict[str, Any], name: str, issues: list[Issue], prefix: str = "") -> None:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        issues.append(Issue(prefix + name, "is absent" if value is None else _seen(value), "a text that is not empty"))


def _seen(value: Any) -> str:
    """The kind of a value, never the value: it may be who the patient is."""
    return "is empty" if value == "" else f"is a {type(value).__name__}"


@dataclass
class _Pages:
    """What the prefetch of one request holds, key by key."""

    found: dict[str, list[Resource]] = field(default_factory=dict)
    unavailable: set[str] = field(default_factory=set)
    incomplete: set[str] = field(default_factory=set)
    included: list[tuple[str, Resource]] = field(default_factory=list)


def read_patient_record(request: HookRequest, content: Content) -> tuple[PatientRecord, frozenset[str]]:
    """The record of a request, and the required keys that could not be had.

    Raises Problem('missing-data') when the patient could not be had, Problem('unusable') when a value is no
    resource or belongs to another patient.
    """
    pages = _Pages()
    for key in content.prefetch.values():
        _read_key(request.prefetch, key, pages)
    patients = [item for item in pages.found.pop("patient", []) if item.get("resourceType") == "Patient"]
    if len(patients) > 1:
        raise problem(
            "unusable", "prefetch.patient", f"holds {len(patients)} patients", "the one patient of the context"
        )
    if not patients:
        raise missing_data([key.key for key in content.prefetch.values() if _lost(key, pages)], content)
    if patients[0].get("id") != request.patient_id:
        raise problem(
            "unusable", "prefetch.patient", "is not the patient of the context", "Patient/{context.patientId}"
        )
    record = read_record(
        Subject(patients[0], _full_urls(pages.included, request.patient_id)),
        pages.found,
        request.drafts,
        pages.unavailable,
        pages.incomplete,
        medications_of([*pages.included, *request.draft_bundle]),
    )
    required = frozenset(key.key for key in content.prefetch.values() if key.required)
    return record, required & record.unavailable


def _full_urls(included: list[tuple[str, Resource]], patient_id: str) -> frozenset[str]:
    """The fullUrls under which the patient stands in a Bundle beside its resources."""
    return frozenset(
        url for url, item in included if url and item["resourceType"] == "Patient" and item.get("id") == patient_id
    )


def _lost(key: PrefetchKey, pages: _Pages) -> bool:
    """Whether a required key could not be had; without the patient nothing can be told of any."""
    return key.type == "Patient" or (key.required and key.key in pages.unavailable)


def missing_data(keys: Iterable[str], content: Content, sent: Collection[str] = ()) -> Problem:
    """Problem('missing-data'): the keys that are needed and could not be had, each with its query (CH-34).

    `sent`: those among them that came, and of which nothing can be read.
    """
    return Problem("missing-data", Outcome(tuple(_missing(content.prefetch[key], key in sent) for key in keys)))


def _missing(key: PrefetchKey, sent: bool) -> Issue:
    if sent:
        seen, hint = "holds nothing that can be read", f"each {key.type} in the form of R4, with the patient it is of"
    else:
        seen = "was neither sent nor could be fetched"
        nothing = "" if key.type == "Patient" else ", or null when there is nothing"
        hint = f"send the key{nothing}; or send a fhirServer from which this service is allowed to read it"
    return Issue(f"prefetch.{key.key}", seen, key.query, hint)


def failed(value: Any) -> bool:
    """Whether a prefetch value says that its query failed: an OperationOutcome, or a Bundle of nothing but errors."""
    if not isinstance(value, dict) or value.get("resourceType") == "OperationOutcome":
        return isinstance(value, dict)
    entries = as_list(value.get("entry")) if value.get("resourceType") == "Bundle" else []
    return all(map(_is_outcome, entries)) and any(_is_error(entry["resource"]) for entry in entries)


def _is_outcome(entry: Any) -> bool:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    return isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome"


def _is_error(outcome: Resource) -> bool:
    return any(item.get("severity") in _ERRORS for item in as_list(outcome.get("issue")) if isinstance(item, dict))


def _read_key(prefetch: Mapping[str, Any], key: PrefetchKey, pages: _Pages) -> None:
    where = f"prefetch.{key.key}"
    if key.key not in prefetch:
        pages.unavailable.add(key.key)
        return
    value = prefetch[key.key]
    if value is None:
        pages.found[key.key] = []
        return
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if failed(value):
        pages.unavailable.add(key.key)
    elif kind == "Bundle":
        pages.found[key.key] = _entries(value, key, where, pages)
    elif kind == key.type:
        pages.found[key.key] = [value]
    else:
        seen = "holds a resource of another type" if kind else "holds no resource"
        raise problem("unusable", where, seen, f"null, a {key.type}, a Bundle of them, or an OperationOutcome")


def _entries(bundle: Resource, key: PrefetchKey, where: str, pages: _Pages) -> list[Resource]:
    found = []
    entries = as_list(bundle.get("entry"))
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise problem("unusable", f"{where}.entry[{number}]", "holds no resource", f"a {key.type}")
        if resource["resourceType"] == key.type:
            found.append(resource)
        elif resource["resourceType"] == "OperationOutcome":
            pages.incomplete.add(key.key)
        else:
            pages.included.append((str(entry.get("fullUrl", "")), resource))
    links = [item.get("relation") for item in as_list(bundle.get("link")) if isinstance(item, dict)]
    if "next" in links or (key.count and len(found) >= key.count):
        pages.incomplete.add(key.key)
    return found
