"""All other resources -> subjects: activities, queries, the figures of evidence, and what follows from the rest."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.fhir import CORE, Resource, reference_to
from ivig_fhir.publishing.changes import model
from ivig_fhir.publishing.changes.model import Fact, Subject, leaves, others
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.elements import extension_of, objects, parts, texts

_TOLD = ("PlanDefinition", "ValueSet", "CodeSystem", "ActivityDefinition", "Library")
_IDENTITY = {"resourceType", "id", "url", "name"}
_DOSE = ("dosage", "quantity", "timing", "product", "location", "participant")
_WORDS = ("title", "description", "usage", "purpose")


def activity_subjects(edition: Edition) -> Iterator[Subject]:
    """What plans propose, with whatever says what, how much and whether it is to be done."""
    for item in edition.resources:
        if item["resourceType"] == "ActivityDefinition":
            name = f"activity {item['id']}"
            facts = tuple(fact for key, value in item.items() if key not in _IDENTITY for fact in _act(key, value))
            title = str(item.get("title", item["id"]))
            yield Subject(reference_to(item), "activity", name, title, _referring(item, edition), facts)


def _act(element: str, value: object) -> Iterator[Fact]:
    if element == "doNotPerform":
        yield Fact(model.DIRECTION, "do not perform", str(value).lower())
    elif element in _WORDS:
        yield Fact(model.TEXT, element, str(value))
    else:
        kind = model.DOSE if element.startswith(_DOSE) else model.ACTIVITY
        yield from (Fact(kind, path, shown) for path, shown in leaves(value, element))


def _referring(resource: Resource, edition: Edition) -> tuple[str, ...]:
    url = resource.get("url")
    plans = (item for item in edition.resources if item["resourceType"] == "PlanDefinition")
    return tuple(sorted(item["id"] for item in plans if url in {text.partition("|")[0] for text in texts(item)}))


def library_subjects(edition: Edition) -> Iterator[Subject]:
    """Libraries: their queries, parameters and code; what they are composed of is told by the parts themselves."""
    for item in edition.resources:
        if item["resourceType"] == "Library":
            facts = [_query(part, place) for place, part in enumerate(parts(item, "dataRequirement"))]
            rest = {
                key: value
                for key, value in item.items()
                if key not in (*_IDENTITY, *_WORDS, "dataRequirement", "relatedArtifact")
            }
            words = [Fact(model.TEXT, name, str(item[name])) for name in _WORDS if name in item]
            words += links(item, edition)
            name = f"library {item['id']}"
            title = str(item.get("title", item["id"]))
            yield Subject(reference_to(item), "library", name, title, (), (*facts, *words, *others(rest)))


def links(resource: Resource, edition: Edition) -> Iterator[Fact]:
    """What a resource names as related; what stands in the edition itself is told where it stands."""
    for item in parts(resource, "relatedArtifact"):
        target = str(item.get("resource") or item.get("url") or item.get("citation") or item.get("label"))
        if edition.lead_to(target) is None:
            yield Fact(model.STATEMENT, f"{item.get('type')} {target}", exact=repr(sorted(leaves(item))))


def _query(part: Resource, place: int) -> Fact:
    pattern = extension_of(part, f"{CORE}/cqf-fhirQueryPattern")
    rest = {key: value for key, value in part.items() if key not in ("id", "extension")}
    shown = str(pattern or part.get("type", ""))
    return Fact(model.QUERY, str(part.get("id", place)), shown, repr(sorted(leaves(rest))))


def evidence_subjects(edition: Edition) -> Iterator[Subject]:
    """The figures of Evidence; its sentences and ratings are those of the unit, and told there."""
    topics = _units(edition)
    for item in edition.resources:
        if item["resourceType"] == "Evidence":
            facts = []
            for place, part in enumerate(parts(item, "statistic")):
                name = str(part.get("description") or f"statistic {place}")
                facts.append(Fact(model.FIGURE, name, _figure(part), repr(sorted(leaves(part)))))
            title = str(item.get("title", item["id"]))
            read = topics.get(item["id"], ())
            name = f"evidence of {item['id']}"
            yield Subject(reference_to(item), "evidence", name, title, read, tuple(facts), model.RATING)


def _figure(statistic: Resource) -> str:
    """The values of a statistic with their units: '79 %', '2 mo, 3 mo'."""
    found = [f"{part['value']} {part.get('unit', '')}".strip() for part in objects(statistic) if "value" in part]
    return ", ".join(found)


def _units(edition: Edition) -> dict[str, tuple[str, ...]]:
    """Id of an action -> its plan."""
    plans = (item for item in edition.resources if item["resourceType"] == "PlanDefinition")
    return {
        part["id"]: (plan["id"],)
        for plan in plans
        for part in objects(plan.get("action", []))
        if isinstance(part.get("id"), str)
    }


def differing(old: Edition, new: Edition) -> list[str]:
    """Every resource that is not the same in both, by Type/id."""
    return [name for name in sorted({*old.by_name, *new.by_name}) if old.by_name.get(name) != new.by_name.get(name)]


def following(old: Edition, new: Edition) -> list[str]:
    """The resources of further types, and evidence, that differ: what is generated from the rest, mostly."""
    return [name for name in differing(old, new) if name.partition("/")[0] not in _TOLD]
