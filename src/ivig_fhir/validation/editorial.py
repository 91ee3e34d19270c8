"""The editorial layer: what readers and engines rely on, though no FHIR invariant asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivig_fhir.validation.collection import Collection, base_of, is_contained
from ivig_fhir.validation.definitional import PUBLISHED, actions
from ivig_fhir.validation.elements import table
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.invariants import Value, has, items, text, within
from ivig_fhir.validation.links import TAIL
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import SET, layer

rule = layer("editorial")

_LONGEST_SUMMARY = 139  # CDS Hooks: Card.summary is under 140 characters
_ALWAYS = ("requiredBehavior", "precheckBehavior", "cardinalityBehavior")
_OF_GROUPS = ("groupingBehavior", "selectionBehavior")
_PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")


def _cards(node: Node) -> Iterator[tuple[Path, Value]]:
    """The top-level actions that an event triggers: each becomes a card (AP-74)."""
    for place, action in node.objects("action"):
        if any(text(trigger, "type") == "named-event" for trigger in items(action, "trigger")):
            yield ("action", place), action


@rule("card-title", on="PlanDefinition", elsewhere="warning")
def card_has_short_title(node: Node) -> Iterator[Fault]:
    """The title of an action that an event triggers becomes the summary of a CDS Hooks card: it is there, and has
    fewer than 140 characters (AP-74)."""
    for path, action in _cards(node):
        title = text(action, "title")
        if not title:
            yield node.fault(*path, seen="a card action without title")
        elif len(title) > _LONGEST_SUMMARY:
            yield node.fault(*path, "title", seen=f"{len(title)} characters", allowed="fewer than 140")


@rule("action-priority", on="PlanDefinition", elsewhere="warning")
def priority_has_indicator(node: Node) -> Iterator[Fault]:
    """The priority of a top-level action is never asap: no CDS Hooks indicator answers to it (AP-77), and the common
    engine stops at it (AP-96)."""
    for place, action in node.objects("action"):
        if action.get("priority") == "asap":
            yield node.fault("action", place, "priority", seen="asap", allowed="routine, urgent, stat")


@rule("action-behaviours", on="PlanDefinition", elsewhere="information")
def behaviours_are_explicit(node: Node) -> Iterator[Fault]:
    """An action says requiredBehavior, precheckBehavior and cardinalityBehavior, and one with actions of its own also
    groupingBehavior and selectionBehavior: R4 has no defaults, R5 has (AP-15)."""
    for path, action in actions(node.value):
        wanted = (*_ALWAYS, *_OF_GROUPS) if items(action, "action") else _ALWAYS
        missing = [name for name in wanted if not has(action, name)]
        if missing:
            yield node.fault(*path, seen=f"an action without {', '.join(missing)}", allowed="all of them, explicitly")


@rule("action-id", on="PlanDefinition")
def action_ids_differ(node: Node) -> Iterator[Fault]:
    """No two actions of a plan have the same id: related actions and feedback could mean either."""
    seen: set[str] = set()
    for path, action in actions(node.value):
        name = text(action, "id")
        if name and name in seen:
            yield node.fault(*path, "id", seen=f"the action id {name} a second time")
        seen.add(name)


@rule("draft-experimental", on=PUBLISHED, elsewhere="information")
def draft_is_experimental(node: Node) -> Iterator[Fault]:
    """A draft is experimental: nobody may take it for content that is meant to be used."""
    allowed = table(node.type, node.artefact.version)
    can_say = allowed is not None and "experimental" in allowed.elements  # R4 has no such element on evidence
    is_draft = text(node.value, "status") == "draft" and not is_contained(node.artefact)
    if can_say and is_draft and node.value.get("experimental") is not True:
        yield node.fault("status", seen="a draft that is not experimental", allowed="experimental: true")


@rule("active-dated", "warning", on=PUBLISHED)
def active_has_date(node: Node) -> Iterator[Fault]:
    """An active artefact has a date (PK-09): without one nobody can tell how old it is."""
    is_active = text(node.value, "status") == "active" and not is_contained(node.artefact)
    if is_active and not has(node.value, "date"):
        yield node.fault("status", seen="an active artefact without date")


@rule("artefact-identity", on=PUBLISHED, elsewhere="information")
def artefact_can_be_named(node: Node) -> Iterator[Fault]:
    """A published artefact has url, version, title and description: what a shareable artefact must have (CRMI)."""
    missing = [name for name in ("url", "version", "title", "description") if not has(node.value, name)]
    if missing and not is_contained(node.artefact):
        yield node.fault(seen=f"{node.type} without {', '.join(missing)}", allowed="url, version, title, description")


@rule("url-tail", on=PUBLISHED, elsewhere="information")
def url_ends_in_type_and_id(node: Node) -> Iterator[Fault]:
    """The url of an artefact ends in /Type/id (PK-04): so it can be read from a server, and engines find its type."""
    url, name = text(node.value, "url"), node.artefact.name
    if url and node.artefact.id and not url.endswith(f"/{name}"):
        yield node.fault("url", seen=url, allowed=f"…/{name}")


@rule("name-form", "warning", on=PUBLISHED, elsewhere="information")
def name_is_pascal_case(node: Node) -> Iterator[Fault]:
    """The name of an artefact is in PascalCase, letters and digits alone (PK-05)."""
    name = text(node.value, "name")
    if name and not _PASCAL.fullmatch(name):
        yield node.fault("name", seen=name, allowed="PascalCase: letters and digits")


@rule("version-agrees", on=SET, elsewhere="information")
def versions_agree(collection: Collection) -> Iterator[Fault]:
    """The artefacts under one base have one version (PK-03): they are published together."""
    first: dict[tuple[str, str], str] = {}
    for artefact in collection.artefacts:
        version = text(artefact.resource, "version")
        base = base_of(artefact.url) if artefact.type in PUBLISHED and TAIL.search(artefact.url) else ""
        if base and version and first.setdefault((base, artefact.version), version) != version:
            yield artefact.fault("version", seen=version, allowed=first[base, artefact.version])


@rule("title-twice", "warning", on=SET, elsewhere="information")
def titles_differ(collection: Collection) -> Iterator[Fault]:
    """Two artefacts of one type, base and FHIR version have the same title: in a list, nobody can tell them apart."""
    first: dict[tuple[str, ...], str] = {}
    for artefact in collection.artefacts:
        title = text(artefact.resource, "title").casefold()
        if not title or artefact.type not in PUBLISHED or is_contained(artefact):
            continue
        key = (artefact.type, base_of(artefact.url), artefact.version, title)
        other = first.setdefault(key, artefact.url)
        if other != artefact.url:
            yield artefact.fault("title", seen=f"the title of {other}", allowed="a title of its own")


@rule("transaction-entry", on="Bundle")
def entry_goes_where_it_belongs(node: Node) -> Iterator[Fault]:
    """An entry of a transaction that PUTs a resource has the url Type/id of that resource, and a fullUrl that ends in
    it or is a urn (PK-11): a server stores it there, or refuses it."""
    for place, entry in node.objects("entry") if text(node.value, "type") in ("transaction", "batch") else ():
        request, resource = within(entry, "request"), within(entry, "resource")
        name = f"{text(resource, 'resourceType')}/{text(resource, 'id')}"
        url, full = text(request, "url"), text(entry, "fullUrl")
        if text(request, "method") != "PUT" or not resource:
            continue
        if "?" not in url and not f"/{url}".endswith(f"/{name}"):
            yield node.fault("entry", place, "request", seen=f"PUT {url}", allowed=f"PUT {name}")
        elif full and not full.startswith("urn:") and not full.endswith(f"/{name}"):
            yield node.fault("entry", place, "fullUrl", seen=full, allowed=f"…/{name}, or urn:uuid:")
