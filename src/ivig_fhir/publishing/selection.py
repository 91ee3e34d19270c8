"""One topic with all that it depends on, out of an edition.

Followed are canonicals and references, wherever they stand. What a Library is composed of is not followed, but for
code systems and extensions, the words in which its plans are written; a guide is never followed. Evidence is found the
other way round: it belongs to a plan when it has the id of one of its actions, or speaks of one of its populations.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ivig_fhir.fhir import Resource, as_list, reference_to
from ivig_fhir.problems import problem
from ivig_fhir.publishing.edition import COMPOSED_OF, GUIDE, LIBRARY, Edition, parts_of
from ivig_fhir.publishing.elements import codes, objects, part, parts, string, texts

_WORDS = ("CodeSystem", "StructureDefinition")


def select(edition: Edition, topics: Iterable[str]) -> Edition:
    """The edition with only these topics and what they need; Library and guide list no more than is there.

    A topic is the id of a PlanDefinition, a Type/id, or a canonical. Raises Problem('malformed') for an unknown one.
    """
    wanted: dict[str, Resource] = {}
    waiting = [_root(edition, topic) for topic in topics]
    while waiting:
        item = waiting.pop()
        if reference_to(item) not in wanted:
            wanted[reference_to(item)] = item
            waiting += [*_needed(item, edition), *_evidence(item, edition)]
    if edition.guide:
        wanted[reference_to(edition.guide)] = edition.guide
    return Edition(edition.version, tuple(_trimmed(wanted[name], wanted, edition) for name in sorted(wanted)))


def _root(edition: Edition, topic: str) -> Resource:
    found = edition.by_name.get(f"PlanDefinition/{topic}") or edition.lead_to(topic)
    if found is None:
        plans = [item["id"] for item in edition.resources if item["resourceType"] == "PlanDefinition"]
        near = difflib.get_close_matches(topic, plans, 1)
        hint = f"{near[0]}?" if near else ""
        raise problem("malformed", "--select", f"there is no {topic!r}", f"{', '.join(plans)}, or a Type/id", hint)
    return found


def _needed(resource: Resource, edition: Edition) -> Iterator[Resource]:
    if resource["resourceType"] == GUIDE:
        return
    listed = parts_of(resource) if resource["resourceType"] == LIBRARY else []
    for text in texts({key: value for key, value in resource.items() if key != "url"} | _without(resource, listed)):
        found = edition.lead_to(text)
        if found is not None and found["resourceType"] != GUIDE:
            yield found
    for item in listed:  # what a Library only lists is not needed, but for code systems and extensions
        found = edition.lead_to(string(item, "resource"))
        if found is not None and found["resourceType"] in _WORDS:
            yield found


def _without(resource: Resource, listed: list[Resource]) -> Resource:
    rest = [item for item in as_list(resource.get("relatedArtifact")) if item not in listed]
    return {"relatedArtifact": rest} if listed else {}


def _evidence(plan: Resource, edition: Edition) -> Iterator[Resource]:
    if plan["resourceType"] != "PlanDefinition":
        return
    actions = {string(item, "id") for item in objects(plan.get("action", ()))}
    populations = {found["id"] for text in texts(plan) if (found := edition.lead_to(text)) and _is_variable(found)}
    for item in edition.resources:
        if item["resourceType"] == "Evidence" and (item["id"] in actions or _populations(item) & populations):
            yield item


def _is_variable(resource: Resource) -> bool:
    return str(resource["resourceType"]) == "EvidenceVariable"


def _populations(evidence: Resource) -> set[str]:
    """The ids of the EvidenceVariables that an Evidence names as its population."""
    found = set()
    for item in parts(evidence, "variableDefinition"):
        if "population" in codes(item, "variableRole"):
            references = (string(part(item, name), "reference") for name in ("observed", "intended"))
            found |= {reference.rpartition("/")[2] for reference in references if reference}
    return found


def _trimmed(resource: Resource, kept: dict[str, Resource], edition: Edition) -> Resource:
    def stays(link: str) -> bool:
        found = edition.lead_to(link)
        return found is None or reference_to(found) in kept

    if resource["resourceType"] == LIBRARY and parts_of(resource):
        kept_parts = [item for item in as_list(resource["relatedArtifact"]) if not _is_gone(item, stays)]
        return resource | {"relatedArtifact": kept_parts}
    definition = part(resource, "definition")
    if resource["resourceType"] == GUIDE and definition:
        listed = parts(definition, "resource")
        staying = [item for item in listed if stays(string(part(item, "reference"), "reference"))]
        return resource | {"definition": definition | {"resource": staying}}
    return resource


def _is_gone(related: Any, stays: Callable[[str], bool]) -> bool:
    composed = isinstance(related, dict) and related.get("type") == COMPOSED_OF
    return composed and not stays(string(related, "resource"))
