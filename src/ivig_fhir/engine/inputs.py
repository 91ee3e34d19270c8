"""A record -> the inputs of all plans, in one pass over an index of codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ivig_fhir.engine.codings import Door
from ivig_fhir.engine.plain_text import plain
from ivig_fhir.engine.record import PatientRecord
from ivig_fhir.fhir import Resource, compact
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.knowledge.requirements import DATES, DRAFTS, CodeFilter, Requirement
from ivig_fhir.knowledge.terminology import Code

_Table = dict[Code, list[Requirement]]


@dataclass(frozen=True)
class Index:
    """Requirements by resource type: those found by a code at a path, and those that any resource may meet.

    `cut` and `gone` are the inputs that a prefetch key feeds: which an incomplete page makes unavailable, and
    which its absence does (the newest of a page is the newest also where the page was cut).
    """

    by_code: dict[str, dict[str, _Table]]
    by_type: dict[str, list[Requirement]]
    cut: dict[str, frozenset[str]]
    gone: dict[str, frozenset[str]]


def build_index(requirements: Iterable[Requirement]) -> Index:
    """Made once at load: a resource without one of our codes costs one look-up."""
    by_code: dict[str, dict[str, _Table]] = {}
    by_type: dict[str, list[Requirement]] = {}
    cut: dict[str, set[str]] = {}
    gone: dict[str, set[str]] = {}
    for item in requirements:
        if item.key != DRAFTS:
            gone.setdefault(item.key, set()).add(item.id)
            if not item.newest:
                cut.setdefault(item.key, set()).add(item.id)
        keyed = _keyed(item)
        if keyed is None:
            by_type.setdefault(item.type, []).append(item)
            continue
        table = by_code.setdefault(item.type, {}).setdefault(keyed.path, {})
        for code in keyed.codes:
            table.setdefault(code, []).append(item)
    return Index(by_code, by_type, _frozen(cut), _frozen(gone))


def _keyed(requirement: Requirement) -> CodeFilter | None:
    """The filter that finds a requirement: by a value set, or else by any code (a hint, the status of a draft)."""
    found = [part for part in requirement.filters if part.codes]
    return next((part for part in found if part.from_value_set), found[0] if found else None)


def _frozen(table: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(names) for key, names in table.items()}


def gather(record: PatientRecord, content: Content, index: Index, today: date) -> Facts:
    """The facts of a record: each input's resources, and the inputs that could not be had."""
    found: dict[str, list[Resource]] = {"subject": [record.patient]}
    door = Door(content, record.medications)
    for resources in record.resources.values():
        for resource in resources:
            if resource.get("status") != "draft":
                _place(resource, door, index, today, found)
    for resource in record.drafts:
        _place(resource, door, index, today, found)
    return Facts(_chosen(found, content), _unavailable(record, index), today)


def extended(facts: Facts, added: Iterable[Resource], record: PatientRecord, content: Content, index: Index) -> Facts:
    """The facts of a record with more resources, as gather would find them, without reading the record again."""
    found: dict[str, list[Resource]] = {}
    door = Door(content, record.medications)
    for resource in added:
        _place(resource, door, index, facts.today, found)
    more = {name: [*facts.inputs.get(name, ()), *placed] for name, placed in found.items()}
    return Facts({**facts.inputs, **_chosen(more, content)}, facts.unavailable, facts.today)


def _chosen(found: dict[str, list[Resource]], content: Content) -> dict[str, tuple[Resource, ...]]:
    """By input what it holds: all that was found, or the newest."""
    inputs: dict[str, tuple[Resource, ...]] = {}
    for identifier, placed in found.items():
        requirement = content.requirements.get(identifier)
        chosen = _newest(placed, requirement.newest) if requirement is not None and requirement.newest else placed
        inputs[identifier] = tuple(chosen)
    return inputs


def _place(resource: Resource, door: Door, index: Index, today: date, found: dict[str, list[Resource]]) -> None:
    kind = resource.get("resourceType", "")
    candidates: dict[str, Requirement] = {}
    for item in index.by_type.get(kind, ()):
        candidates[item.id] = item
    seen: dict[str, set[Code]] = {}
    for path, table in index.by_code.get(kind, {}).items():
        codes = seen[path] = door.codes(resource, path)
        for code in codes:
            for item in table.get(code, ()):
                candidates[item.id] = item
    for identifier, requirement in candidates.items():
        if _meets(resource, requirement, door, seen) and _in_time(resource, requirement, today):
            found.setdefault(identifier, []).append(resource)


def _meets(resource: Resource, requirement: Requirement, door: Door, seen: dict[str, set[Code]]) -> bool:
    for part in requirement.filters:
        codes = seen.get(part.path)
        if codes is None:
            codes = seen[part.path] = door.codes(resource, part.path)
        if part.codes.isdisjoint(codes):
            return False
    return True


def _in_time(resource: Resource, requirement: Requirement, today: date) -> bool:
    if resource.get("resourceType") not in ("Observation", "Procedure") and requirement.window is None:
        return True
    path = requirement.window[0] if requirement.window else DATES[requirement.type][0]
    first = earliest_day(date_text(resource, path))
    if requirement.window is None or resource.get("status") == "in-progress":  # what goes on is within any window
        return first is None or first <= today
    last = earliest_day(_end(resource, path)) or first
    if last is None:
        return False
    return (requirement.ranged or (first or last) <= today) and last >= today - timedelta(days=requirement.window[1])


def _newest(resources: list[Resource], path: str) -> list[Resource]:
    """The newest; several of one moment stand together, so that those which disagree decide nothing."""
    moments = [_moment(date_text(item, path)) for item in resources]
    last = max(moments)
    found = [item for item, moment in zip(resources, moments, strict=True) if moment == last]
    if len(found) == 1:
        return found
    same: dict[str, Resource] = {}  # by their text: to compare each with each takes minutes where there are many
    for item in found:
        same.setdefault(compact(item, by_name=True), item)
    return list(same.values())


def _moment(text: str) -> str:
    """A date as text that sorts by time: an instant in UTC, a day or less as written."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat() if "T" in text else text
    except (ValueError, OverflowError):
        return text


def _unavailable(record: PatientRecord, index: Index) -> frozenset[str]:
    gone = [index.gone.get(key, frozenset()) for key in record.unavailable]
    return frozenset().union(*gone, *(index.cut.get(key, frozenset()) for key in record.incomplete))


def date_text(resource: Resource, path: str) -> str:
    """The date at a choice element such as onset or effective, as written; nothing when there is none."""
    for suffix in ("DateTime", "Instant", ""):
        value: Any = resource.get(path + suffix)
        if isinstance(value, str):
            return value
    period = resource.get(path + "Period")
    start = period.get("start") if isinstance(period, dict) else None
    return start if isinstance(start, str) else ""


def _end(resource: Resource, path: str) -> str:
    """The end of the period at a choice element, as written; nothing when there is none."""
    period = resource.get(path + "Period")
    end = period.get("end") if isinstance(period, dict) else None
    return end if isinstance(end, str) else ""


def printed_date(resource: Resource) -> str:
    """The day, month or year that a card prints for a resource; nothing when it has no date."""
    for path in DATES.get(resource.get("resourceType", ""), ()):
        text = date_text(resource, path)
        if text:
            return plain(text[:10])
    return ""


def printed_value(resource: Resource) -> str:
    """A result as it is recorded, neither converted nor judged; nothing when it has no value."""
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict) and "value" in quantity:
        parts = (quantity.get("comparator"), quantity["value"], quantity.get("unit") or quantity.get("code"))
        return plain(" ".join(str(part) for part in parts if part is not None))
    return plain(str(resource.get("valueInteger", resource.get("valueString", ""))))[:40]


def earliest_day(text: str) -> date | None:
    """The first day that a date of any precision may mean; None when it is none."""
    parts = text[:10].split("-")
    try:
        numbers = [int(part) for part in parts]
        return date(*([*numbers, 1, 1])[:3]) if 1 <= len(numbers) <= 3 and len(parts[0]) == 4 else None
    except ValueError:
        return None
