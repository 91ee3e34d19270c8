"""The links layer: canonicals lead somewhere, to the right type, and not in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivig_fhir.validation.collection import Collection, base_of
from ivig_fhir.validation.elements import table
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import SET, layer

rule = layer("links")

_TAIL = re.compile(r"/([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}$")


@rule("link-resolves", on=SET)
def link_resolves(collection: Collection) -> Iterator[Fault]:
    """A canonical under a base that the files define themselves leads to none of them. Give the folder that has
    the missing resource too (as PATH, or as --context), or declare the base with --external."""
    for node, _, steps, text in collection.canonicals():
        url = text.partition("|")[0].partition("#")[0]
        if not collection.resolve(text) and not collection.is_elsewhere(url) and base_of(url) in collection.bases:
            yield node.fault(*steps, seen=f"{url}, which no file defines", allowed="a resource of this set")


@rule("link-unknown", "warning", on=SET)
def link_unknown(collection: Collection) -> Iterator[Fault]:
    """A canonical leads out of the files given, to a place that is not declared. Say so with --external PREFIX, or
    give the files that define it as --context."""
    for node, _, steps, text in collection.canonicals():
        url = text.partition("|")[0].partition("#")[0]
        known = collection.resolve(text) or collection.is_elsewhere(url) or base_of(url) in collection.bases
        if not known:
            yield node.fault(*steps, seen=f"{url}, which no file defines", hint=f"--external {base_of(url) or url}")


@rule("link-version", on=SET)
def link_version(collection: Collection) -> Iterator[Fault]:
    """A canonical asks for a version (url|version) that the files do not have, though they have that url."""
    for node, _, steps, text in collection.canonicals():
        wanted = text.partition("|")[2].partition("#")[0]
        found = collection.resolve(text)
        versions = [str(item.resource.get("version", "none")) for item in found]
        if wanted and found and wanted not in versions and not _historical(node) and not collection.is_elsewhere(text):
            yield node.fault(*steps, seen=text, allowed=f"version {', '.join(versions)}")


def _historical(node: Node) -> bool:
    return node.type == "RelatedArtifact" and node.value.get("type") not in ("depends-on", "composed-of")


@rule("link-tail", on="PlanDefinitionAction", elsewhere="warning")
def link_tail(node: Node) -> Iterator[Fault]:
    """definitionCanonical ends in /Type/id, or is #contained (AP-64): the common engine reads the type off the last
    but one segment and gives up on any other form."""
    text = node.value.get("definitionCanonical")
    if isinstance(text, str) and not text.startswith("#") and not _TAIL.search(text.partition("|")[0]):
        yield node.fault("definitionCanonical", seen=text, allowed="base/Type/id")


@rule("canonical-target", on=SET)
def canonical_target(collection: Collection) -> Iterator[Fault]:
    """A canonical leads to a resource of a type that the element does not take."""
    for node, element, steps, text in collection.canonicals():
        found = [item.type for item in collection.resolve(text)] or _type_in(text, node.artefact.version)
        if element.targets and found and not set(found) & element.targets and "Resource" not in element.targets:
            yield node.fault(*steps, seen=f"{text}, a {found[0]}", allowed=", ".join(sorted(element.targets)))


def _type_in(text: str, version: str) -> list[str]:
    match = _TAIL.search(text.partition("|")[0])
    found = table(match.group(1), version) if match else None
    return [found.type] if found and found.is_resource else []
