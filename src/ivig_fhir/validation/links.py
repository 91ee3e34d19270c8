"""The links layer: canonicals lead somewhere, to the right type and version, and not in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivig_fhir.validation.collection import Collection, Link, base_of, is_contained
from ivig_fhir.validation.elements import table
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import text
from ivig_fhir.validation.nodes import Artefact, Node
from ivig_fhir.validation.rules import SET, layer

rule = layer("links")

TAIL = re.compile(r"/([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}$")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@rule("link-resolves", on=SET)
def link_resolves(collection: Collection) -> Iterator[Fault]:
    """A canonical under a base that the files define themselves leads to none of them. Give the folder that has the
    missing resource too (as PATH, or as --context), or declare the base with --external."""
    for link in collection.links:
        if not link.found and not collection.is_elsewhere(link.url) and base_of(link.url) in collection.bases:
            yield link.fault(seen=f"{link.url}, which no file defines", allowed="a resource of this set")


@rule("link-unknown", "warning", on=SET)
def link_unknown(collection: Collection) -> Iterator[Fault]:
    """A canonical leads out of the files given, to a place that is not declared. Say so with --external PREFIX, or
    give the files that define it as --context."""
    for link in collection.links:
        if not (link.found or collection.is_elsewhere(link.url) or base_of(link.url) in collection.bases):
            yield link.fault(
                seen=f"{link.url}, which no file defines", hint=f"--external {base_of(link.url) or link.url}"
            )


@rule("link-absolute", elsewhere="warning", on=SET)
def link_is_absolute(collection: Collection) -> Iterator[Fault]:
    """A canonical is an absolute URL or #contained, never Type/id: it must mean the same wherever it is read."""
    for link in collection.links:
        if not _ABSOLUTE.match(link.url):
            yield link.fault(seen=link.url, allowed="an absolute URL, or #id")


@rule("link-version", on=SET)
def link_version(collection: Collection) -> Iterator[Fault]:
    """A canonical asks for a version (url|version) that the files do not have, though they have that url. Predecessors
    and other versions named for the record are not held to it."""
    for link in collection.links:
        wanted = link.text.partition("|")[2].partition("#")[0]
        versions = [text(item.resource, "version") or "none" for item in link.found]
        exempt = _is_historical(link.node) or collection.is_elsewhere(link.url)
        if wanted and versions and wanted not in versions and not exempt:
            yield link.fault(seen=link.text, allowed=f"version {', '.join(versions)}")


def _is_historical(node: Node) -> bool:
    return node.type == "RelatedArtifact" and node.value.get("type") not in ("depends-on", "composed-of")


@rule("link-tail", on="PlanDefinitionAction", elsewhere="warning")
def link_tail(node: Node) -> Iterator[Fault]:
    """definitionCanonical ends in /Type/id, or is #contained (AP-64): the common engine reads the type off the last
    but one segment and gives up on any other form."""
    found = text(node.value, "definitionCanonical")
    if found and not found.startswith("#") and not TAIL.search("/" + found.partition("|")[0]):
        yield node.fault("definitionCanonical", seen=found, allowed="base/Type/id")


@rule("canonical-target", on=SET)
def canonical_target(collection: Collection) -> Iterator[Fault]:
    """A canonical leads to a resource of a type that the element does not take."""
    for link in collection.links:
        yield from _off_target(link, [item.type for item in link.found])


@rule("canonical-name", "warning", on=SET)
def canonical_name(collection: Collection) -> Iterator[Fault]:
    """A canonical whose resource is not among the files has the form of a type that the element does not take."""
    for link in collection.links:
        if not link.found:
            yield from _off_target(link, _type_in(link.url, link.node.artefact.version))


def _off_target(link: Link, found: list[str]) -> Iterator[Fault]:
    targets = link.element.targets
    if targets and found and not set(found) & targets and "Resource" not in targets:
        yield link.fault(seen=f"{link.text}, of type {found[0]}", allowed=", ".join(sorted(targets)))


def _type_in(url: str, version: str) -> list[str]:
    match = TAIL.search(url)
    found = table(match.group(1), version) if match else None
    return [found.type] if found and found.is_resource else []


@rule("reference-target", on="Reference")
def reference_target(node: Node) -> Iterator[Fault]:
    """A Reference leads to a resource of a type that the element does not take."""
    targets = node.element.targets if node.element else frozenset()
    match = re.search(
        r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[^/]+)?$", text(node.value, "reference")
    )
    named = {match.group(1) if match else "", text(node.value, "type")} - {""}
    for kind in sorted(named if targets and not targets & {"Resource", "Any"} else ()):
        found = table(kind, node.artefact.version)
        if found and found.is_resource and kind not in targets:
            yield node.fault(seen=f"a reference to {kind}", allowed=", ".join(sorted(targets)))


@rule("reference-in-bundle", on="Reference", elsewhere="warning")
def reference_in_bundle(node: Node) -> Iterator[Fault]:
    """A urn:uuid: or urn:oid: reference means an entry of its own Bundle, and there is none with that fullUrl."""
    reference = text(node.value, "reference")
    bundle = node.artefact.container
    while bundle is not None and bundle.type != "Bundle":
        bundle = bundle.container
    is_local = bundle is not None and reference.startswith(("urn:uuid:", "urn:oid:"))
    if is_local and bundle is not None and reference not in bundle.entry_urls:
        yield node.fault("reference", seen=reference, allowed="the fullUrl of an entry of this Bundle")


_CHAINS = {
    "PlanDefinitionAction": ("definitionCanonical",),
    "ValueSetComposeInclude": ("valueSet",),
    "StructureDefinition": ("baseDefinition",),
    "Library": (),
}


@rule("link-cycle", on=SET)
def no_circle(collection: Collection) -> Iterator[Fault]:
    """Definitions lead in a circle: a plan that applies itself, a value set that includes itself, a profile that is
    its own base. No engine can come to an end with it."""
    steps: dict[Artefact, list[tuple[Artefact, Link]]] = {}
    for link in collection.links:
        if str(link.steps[0]) in _CHAINS.get(link.node.type, ()) or _depends(link):
            steps.setdefault(link.node.artefact, []).extend((found, link) for found in link.found)
    done: set[Artefact] = set()
    for start in steps:
        yield from _circles(start, steps, done)


def _depends(link: Link) -> bool:
    return link.node.type == "RelatedArtifact" and link.node.value.get("type") == "depends-on"


def _circles(
    start: Artefact, steps: dict[Artefact, list[tuple[Artefact, Link]]], done: set[Artefact]
) -> Iterator[Fault]:
    way = [(start, iter(steps.get(start, ())))]
    while way:
        step = next(way[-1][1], None)
        if step is None:
            done.add(way.pop()[0])
        elif any(step[0] is each for each, _ in way):
            names = [each.name for each, _ in way]
            circle = [*names[names.index(step[0].name) :], step[0].name]
            yield step[1].fault(seen=f"a circle: {' -> '.join(circle)}")
        elif step[0] not in done:
            way.append((step[0], iter(steps.get(step[0], ()))))


_LEAVES = {"ValueSet", "CodeSystem", "ActivityDefinition", "EvidenceVariable", "StructureDefinition"}
_ROOTS = {"PlanDefinition", "ImplementationGuide", "Evidence", "Citation", "Library"}


@rule("link-unreachable", "warning", on=SET, elsewhere="information")
def everything_is_used(collection: Collection) -> Iterator[Fault]:
    """Nothing leads to this artefact: no plan, no library, no guide. It may have been left behind."""
    if not any(artefact.type in _ROOTS for artefact in collection.artefacts):
        return
    for artefact in collection.artefacts:
        is_leaf = artefact.type in _LEAVES and not is_contained(artefact) and artefact.url
        if is_leaf and not {artefact.url, artefact.name} & collection.named_urls:
            yield artefact.fault(seen=f"{artefact.name}, to which nothing leads")


@rule("artefact-twice", on=SET, elsewhere="warning")
def stands_once(collection: Collection) -> Iterator[Fault]:
    """Two files define the same url in the same version with different content (PK-14). Which one is meant cannot be
    known."""
    for found in collection.by_url.values():
        first: dict[tuple[str, str], Artefact] = {}
        for artefact in found:
            key = artefact.version, text(artefact.resource, "version")
            other = first.setdefault(key, artefact)
            if other.resource != artefact.resource:
                yield artefact.fault(seen=f"{artefact.url}, which {other.document.file} defines otherwise")


@rule("extension-defined", "warning", on="Extension")
def extension_has_definition(node: Node) -> Iterator[Fault]:
    """The url of an extension is absolute, but for the parts of a complex extension."""
    above = node.above
    url = text(node.value, "url")
    if url and not _ABSOLUTE.match(url) and (above is None or above.type != "Extension"):
        yield node.fault("url", seen=url, allowed="the absolute URL of a StructureDefinition")


@rule("extension-unpublished", "warning", on=SET)
def extension_is_published(collection: Collection) -> Iterator[Fault]:
    """An extension whose url lies under a base of the files has no StructureDefinition among them."""
    missing: set[str] = set()
    for node in collection.nodes("Extension"):
        url = text(node.value, "url")
        ours = base_of(url) in collection.bases and not collection.is_elsewhere(url)
        if ours and url not in missing and not collection.resolve(url, node.artefact.version):
            missing.add(url)
            yield node.fault("url", seen=f"{url}, which no file defines", allowed="a StructureDefinition of this set")
