"""Resources of many patients -> members of a cohort, and the requests that an EHR would send for each.

On order hooks each order on record that is drafted or active is asked about by itself, as if it were being signed
now: it is the one draft, and the rest of the record stands as it is. Orders that have ended are not asked about:
the record of their day is not known any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ivig_fhir.cds_hooks.context import ORDER_HOOKS
from ivig_fhir.cds_hooks.patient_bundles import Entry, codes_of, entries_of, patient_of, prefetch_of
from ivig_fhir.cds_hooks.requests import HookRequest
from ivig_fhir.engine.record import patient_reference
from ivig_fhir.fhir import Resource, as_list, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import DRAFTS
from ivig_fhir.problems import problem

ORDERED = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
ASKED_ABOUT = frozenset({"draft", "active"})
_PATIENT = re.compile(r"(?:.*/)?Patient/(?P<id>[A-Za-z0-9\-.]+)(?:/_history/[A-Za-z0-9\-.]+)?")


@dataclass(frozen=True)
class Member:
    """One patient of a cohort: `name` is that of the file, or Patient/<id> in Bulk data."""

    name: str
    entries: tuple[Entry, ...]


def member_of(name: str, bundle: Any, reads: Callable[[Resource], bool]) -> Member:
    """The one patient of a Bundle. Raises Problem('malformed' or 'unusable')."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise problem("malformed", "", "is no FHIR Bundle", "a Bundle with one patient's resources")
    entries = entries_of(bundle)
    if len(entries) != len(as_list(bundle.get("entry"))):
        raise problem("unusable", "", "has entries without a resource", "a resource in each entry")
    patient_of(entries)
    return Member(name, tuple(entry for entry in entries if reads(entry["resource"])))


def reading(*contents: Content) -> Callable[[Resource], bool]:
    """Whether any of these contents reads a resource: the rest need not be kept, so that large folders fit."""
    keys = [(row, content) for content in contents for row in content.prefetch.values()]
    orders = {item.type for content in contents for item in content.requirements.values() if item.key == DRAFTS}
    whole = {row.type for row, _ in keys if not row.codes} | orders | {"Medication"}
    coded = {row.type for row, _ in keys if row.codes} - whole

    def reads(resource: Resource) -> bool:
        kind = resource.get("resourceType")
        if kind not in coded:
            return kind in whole
        return any(row.type == kind and codes_of(resource, content) & row.codes for row, content in keys)

    return reads


@dataclass
class Collection:
    """Bulk data on its way to members: resources by the patient to whom they belong, in any order."""

    reads: Callable[[Resource], bool]
    _patients: dict[str, Resource] = field(default_factory=dict)
    _medications: dict[str, Resource] = field(default_factory=dict)
    _owned: dict[str, list[tuple[str, Resource]]] = field(default_factory=dict)

    def add(self, resource: Any, origin: str) -> str:
        """Take a resource; why it cannot be taken, or nothing. `origin` is the file."""
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            return "is no FHIR resource"
        kind, identifier = resource["resourceType"], resource.get("id")
        if not self.reads(resource):
            return ""
        if kind in ("Patient", "Medication"):
            if not isinstance(identifier, str) or not identifier:
                return f"is a {kind} without an id"
            known = self._patients if kind == "Patient" else self._medications
            return "" if known.setdefault(identifier, resource) is resource else f"repeats the id of another {kind}"
        match = _PATIENT.fullmatch(patient_reference(resource))
        if match is None:
            return "does not say to which patient it belongs"
        self._owned.setdefault(match["id"], []).append((origin, resource))
        return ""

    def members(self) -> Iterator[Member]:
        """The patients, in the order of their ids."""
        for identifier, patient in sorted(self._patients.items()):
            own = [resource for _, resource in self._owned.get(identifier, ())]
            resources = [patient, *own, *self._named(own)]
            yield Member(reference_to(patient), tuple({"resource": item} for item in resources))

    def strangers(self) -> Iterator[str]:
        """The file of each resource whose patient is not in the cohort."""
        for identifier, owned in self._owned.items():
            if identifier not in self._patients:
                yield from (origin for origin, _ in owned)

    def _named(self, resources: Iterable[Resource]) -> list[Resource]:
        """The Medications that some orders name."""
        pointers = (item.get("medicationReference") for item in resources)
        texts = (item.get("reference") for item in pointers if isinstance(item, dict))
        names = dict.fromkeys(text.rpartition("Medication/")[2] for text in texts if isinstance(text, str))
        return [self._medications[name] for name in names if name in self._medications]


def requests_of(member: Member, hook: str, content: Content) -> Iterator[tuple[str, HookRequest]]:
    """What is asked about a member on a hook, by name: one request, or on order hooks one for each order."""
    patient = patient_of(member.entries)
    user = "Practitioner/cohort"
    if hook not in ORDER_HOOKS:
        prefetch = prefetch_of(member.entries, content)
        yield member.name, HookRequest(hook, member.name, str(patient.get("id", "")), user, prefetch)
        return
    medications = tuple(_named_entry(item) for item in member.entries if _is(item, "Medication"))
    for entry in member.entries:
        order = entry["resource"]
        if _is_asked_about(order, content):
            others = [item for item in member.entries if item is not entry]
            base = HookRequest(hook, member.name, str(patient.get("id", "")), user, prefetch_of(others, content))
            name = f"{member.name} {reference_to(order)}"
            yield name, replace(base, instance=name, drafts=(order,), draft_bundle=(("", order), *medications))


def _is_asked_about(order: Resource, content: Content) -> bool:
    """An order in force, drafted or active, of a type that is read at all when drafted."""
    types = {item.type for item in content.requirements.values() if item.key == DRAFTS}
    stands = order.get("status") in ASKED_ABOUT and order.get("intent") in ORDERED
    return order.get("resourceType") in types and stands and order.get("doNotPerform") is not True


def _named_entry(entry: Entry) -> tuple[str, Resource]:
    return str(entry.get("fullUrl", "")), entry["resource"]


def _is(entry: Entry, kind: str) -> bool:
    return bool(entry["resource"].get("resourceType") == kind)
