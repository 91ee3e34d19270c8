"""A site's own example request: what it lacks, what of it means nothing here, and what the service answers to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.cds_hooks.discovery import prefetch_keys
from ivig_fhir.cds_hooks.requests import HookRequest, failed, read_patient_record, read_request
from ivig_fhir.cds_hooks.unmapped import Unmapped, unmapped
from ivig_fhir.fhir import loads
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem, problem
from ivig_fhir.service.cds_answers import card_faults, counted
from ivig_fhir.service.ehr_check import FAULT, LOOK, OK, SERVICES, Check, Finding

_NAMED = 20  # codes of no concept that are named; of a whole record there may be hundreds


def check_request(body: bytes, name: str, check: Check) -> Iterator[Finding]:
    """Findings on a request: out of its own text first, then by sending it. Raises Problem('malformed')."""
    document = _document(body, name)
    hook = str(document.get("hook", ""))
    try:
        yield from _of_record(read_request(body, hook), name, check.content)
    except Problem as found:
        yield Finding(
            name, FAULT, str(found).replace("\n", " "), "send what CDS Hooks and the prefetch of the service ask for"
        )
    service = check.services.get(hook)
    if service is None:
        yield Finding(name, FAULT, f"absent: a service for the hook {hook!r}", f"hooks: {', '.join(check.services)}")
    else:
        yield from _played(f"{SERVICES}/{service.get('id')}", document, name, check)


def _of_record(request: HookRequest, name: str, content: Content) -> Iterator[Finding]:
    """What the request itself holds; what it lacks of the required may yet be read by the service. Raises Problem."""
    try:
        record, _ = read_patient_record(request, content)
    except Problem as found:
        if found.category != "missing-data":
            raise
        yield from _lacking(request, name, content, frozenset())
        return
    yield from _lacking(request, name, content, record.incomplete)
    for fault in record.not_used:
        yield Finding(
            name, LOOK, f"not used: {fault}", "it is named on the card, and what it would say is not evaluated"
        )
    yield from _meaningless(unmapped(record, content), name)


def _document(body: bytes, name: str) -> dict[str, Any]:
    try:
        read = loads(body)
    except (ValueError, RecursionError) as error:
        raise problem("malformed", name, f"is no JSON: {error}", "a CDS Hooks request") from error
    if not isinstance(read, dict):
        raise problem("malformed", name, f"is a {type(read).__name__}", "a CDS Hooks request")
    return read


def _lacking(request: HookRequest, name: str, content: Content, incomplete: frozenset[str]) -> Iterator[Finding]:
    """Keys that were not sent, or hold less than all."""
    for key in prefetch_keys(request.hook, content):
        row = content.prefetch[key]
        value = request.prefetch.get(key)
        outcome = failed(value)
        if key not in request.prefetch or outcome:
            level = FAULT if row.required and not request.fhir_server else LOOK
            how = "an OperationOutcome" if outcome else "absent"
            then = "read from fhirServer, if that is allowed" if request.fhir_server else "not evaluated"
            yield Finding(name, level, f"prefetch {key}: {how}; its facts are {then}", f"type this query: {row.query}")
        elif key in incomplete:
            yield Finding(name, LOOK, f"prefetch {key}: incomplete, cut or with a resource that cannot be read")


def _meaningless(found: list[Unmapped], name: str) -> Iterator[Finding]:
    unread = [item for item in found if item.unread]
    others = [item for item in found if not item.unread]
    for item in unread:
        says = f"unmapped: {item.written} ({item.type}, {item.count} times) has no code of a system that is read"
        yield Finding(
            name, FAULT, says, "if it means something here: a code beside it, or a line in IVIG_FHIR_CODE_MAP"
        )
    if others:
        named = "; ".join(f"{item.written} ({item.type})" for item in others[:_NAMED])
        rest = f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        says = f"{len(others)} codes are of no concept of this module: {named}{rest}"
        yield Finding(name, LOOK, says, "as it should be, unless one of them is one of our diseases, drugs or results")


def _played(path: str, document: dict[str, Any], name: str, check: Check) -> Iterator[Finding]:
    reply, slow = check.call(path, document)
    yield from [slow] if slow else []
    faults = card_faults(reply)
    yield from (Finding(name, FAULT, says, "see docs/conformance.md") for says in faults)
    if not faults:
        cards = reply.body["cards"]
        titles = "".join(f"\n      [{card['indicator']}] {card['summary']}" for card in cards)
        yield Finding(name, OK, f"{counted(cards)} in {reply.seconds * 1000:.0f} ms{titles}")
