"""Two versions of content -> the changes between them, in clinical words, grouped and ordered by danger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.problems import Problem
from ivig_fhir.publishing.changes import model
from ivig_fhir.publishing.changes.artefacts import (
    activity_subjects,
    differing,
    evidence_subjects,
    following,
    library_subjects,
)
from ivig_fhir.publishing.changes.model import Change, Comparison, Fact, Subject
from ivig_fhir.publishing.changes.units import plan_subjects
from ivig_fhir.publishing.changes.vocabulary import code_system_subjects, value_set_subjects
from ivig_fhir.publishing.changes.wording import said
from ivig_fhir.publishing.edition import GUIDE, LIBRARY, Edition
from ivig_fhir.publishing.elements import codes, parts, string
from ivig_fhir.publishing.rebasing import rebase

_READERS = (
    plan_subjects,
    value_set_subjects,
    code_system_subjects,
    activity_subjects,
    library_subjects,
    evidence_subjects,
)
_OF_EACH_VERSION = ("version", "date")
_OF_A_PACKAGE = ("id", "url", "name", "packageId", "dependsOn", "definition")  # of a guide: how it was packed
_ONE_SIDED = (model.READS,)  # told by the criterion that uses it, when it comes or goes
_COMES_AND_GOES = (model.NEWER, model.CONFLICT, model.STATEMENT)  # of a unit; their words are told by themselves
_FEW = 2  # places of an element that are shown; of more only their number


def compare(old: Edition, new: Edition) -> Comparison:
    """What changed; versions, dates and the base of canonicals are set aside (base and version are named apart)."""
    before, after = plain(old, old), plain(new, old)
    earlier, later = _subjects(before), _subjects(after)
    found: list[Change] = []
    for key, other in _moved(earlier, later):
        earlier[other] = earlier.pop(key)
        topics = tuple(sorted({*earlier[other].topics, *later[other].topics}))
        where = f"moved from {', '.join(earlier[other].topics)} to {', '.join(later[other].topics)}"
        found.append(Change(topics, model.SHOWN, (later[other].name,), where))
    with_another = _with_another(earlier, later)
    told = {_resource_of(key) for key in with_another}
    for key in {**earlier, **later}:
        changes = [] if key in with_another else list(_changes(earlier.get(key), later.get(key)))
        found += changes
        told |= {_resource_of(key)} if changes else set()
    order = _topic_order(after) + [topic for topic in _topic_order(before) if topic not in _topic_order(after)]
    also = sorted({*following(before, after), *(name for name in differing(before, after) if name not in told)})
    return Comparison(
        tuple(_ordered(_joined(found), order)),
        tuple(also),
        _titles(before) | _titles(after),
        (old.content_version, new.content_version),
    )


def _resource_of(key: str) -> str:
    """The Type/id of the resource of which a subject is a part."""
    kind, _, rest = key.partition(" ")
    if kind in ("plan", "unit"):
        return f"PlanDefinition/{rest.partition(' ')[0]}"
    return f"CodeSystem/{kind}" if rest else key


def plain(edition: Edition, like: Edition) -> Edition:
    """An edition under the base of another, without what differs in every version."""
    try:
        edition = rebase(edition, like.base)
        pinned = re.compile(re.escape(like.base) + r"(/[^|\s\"]*)\|[^\s|\"]+")
    except Problem:  # no canonical of the usual form on one side: nothing to move
        pinned = re.compile(r"(?!)")

    def unpinned(value: Any) -> Any:
        if isinstance(value, str):
            return pinned.sub(lambda match: like.base + match[1], value)
        if isinstance(value, dict):
            return {key: unpinned(item) for key, item in value.items()}
        return [unpinned(item) for item in value] if isinstance(value, list) else value

    def kept(resource: Resource) -> Resource:
        found = {key: unpinned(value) for key, value in resource.items() if key not in _OF_EACH_VERSION}
        if found["resourceType"] == GUIDE:
            return {"id": "guide"} | {key: value for key, value in found.items() if key not in _OF_A_PACKAGE}
        if isinstance(found.get("expansion"), dict):
            dropped = ("timestamp", "identifier")
            found["expansion"] = {key: value for key, value in found["expansion"].items() if key not in dropped}
        return found

    return Edition(edition.version, tuple(kept(item) for item in edition.resources if not _is_manifest(item)))


def _is_manifest(resource: Resource) -> bool:
    """Whether it only lists what a package consists of (PK-12)."""
    return _is_library(resource) and "asset-collection" in codes(resource, "type") and "content" not in resource


def _is_library(resource: Resource) -> bool:
    return bool(resource["resourceType"] == LIBRARY)


def _subjects(edition: Edition) -> dict[str, Subject]:
    return {subject.key: subject for reader in _READERS for subject in reader(edition)}


def _moved(old: dict[str, Subject], new: dict[str, Subject]) -> Iterator[tuple[str, str]]:
    """(old key, new key) of units that stand in another topic: gone from one, come to one."""
    gone = [(item.name, key) for key, item in old.items() if item.noun == "unit" and key not in new]
    come = [(item.name, key) for key, item in new.items() if item.noun == "unit" and key not in old]
    for name, key in gone:
        others = [other for found, other in come if found == name]
        if len(others) == 1 and [found for found, _ in gone].count(name) == 1:
            yield key, others[0]


def _with_another(old: dict[str, Subject], new: dict[str, Subject]) -> set[str]:
    """What comes and goes with another that is told: the evidence of a unit, the codes of a code system."""
    one_sided = old.keys() ^ new.keys()
    both = {**old, **new}
    units = {both[key].name for key in one_sided if both[key].noun == "unit"}
    systems = {key.partition("/")[2] for key in one_sided if both[key].noun == "code system"}
    evidence = {key for key in one_sided if both[key].noun == "evidence" and key.partition("/")[2] in units}
    return evidence | {key for key in one_sided if both[key].kind != model.CODE and key.partition(" ")[0] in systems}


def _changes(old: Subject | None, new: Subject | None) -> Iterator[Change]:
    subject = new or old
    assert subject is not None  # noqa: S101 - a key of one of the two
    topics = tuple(sorted({*(old.topics if old else ()), *(new.topics if new else ())}))
    if old is None or new is None:
        yield Change(topics, subject.kind, (subject.name,), _came(subject, old is None))
        return
    leftovers: dict[str, list[str]] = {}
    for one, other in _differing(old, new):
        kind, sentence = said(one, other)
        if kind == model.OTHER:
            fact = other or one
            leftovers.setdefault(re.split(r"[.\[]", fact.name if fact else "")[0], []).append(sentence)
            continue
        if kind == model.CODE and not (one and other):
            sentence += subject.note
        yield Change(topics, kind, (subject.name,), sentence)
    for element, sentences in leftovers.items():
        few = sentences if len(sentences) <= _FEW else [f"{element} differs in {len(sentences)} places"]
        yield from (Change(topics, model.OTHER, (subject.name,), sentence) for sentence in few)


def _differing(old: Subject, new: Subject) -> Iterator[tuple[Fact | None, Fact | None]]:
    """The facts that differ, those left out that another change tells already."""
    before, after = _by_name(old), _by_name(new)
    for key in {**before, **after}:
        one, other = before.get(key), after.get(key)
        both, fact = bool(one and other), one or other
        if one == other or (key[0] in _ONE_SIDED and not both):
            continue
        if both and new.noun == "unit" and key[0] in _COMES_AND_GOES:
            continue
        if fact and fact.within and not both and not (fact.within in before and fact.within in after):
            continue
        yield one, other


def _came(subject: Subject, added: bool) -> str:
    """'unit added: "title" (direction)', 'added (5 codes)': what the name does not say already."""
    shown = [fact.shown for fact in subject.facts if fact.kind == model.DIRECTION]
    codes = sum(fact.kind == model.CODE for fact in subject.facts)
    more = shown or ([f"{codes} codes"] if codes else [])
    noun = "" if subject.name.startswith(subject.noun) else f"{subject.noun} "
    title = "" if subject.title in subject.name else f': "{subject.title}"'
    return f"{noun}{'added' if added else 'removed'}{title}" + (f" ({', '.join(more)})" if more else "")


def _by_name(subject: Subject) -> dict[tuple[str, str], Fact]:
    return {(fact.kind, fact.name): fact for fact in subject.facts}


def _joined(changes: Iterable[Change]) -> list[Change]:
    """The same sentence of several subjects of a topic as one; what an input reads, of all its topics as one."""
    changes = list(changes)
    reading: dict[str, set[str]] = {}
    for item in changes:
        if item.kind == model.READS:
            reading.setdefault(item.sentence, set()).update(item.topics)
    found: dict[tuple[tuple[str, ...], str, str], tuple[str, ...]] = {}
    for item in changes:
        topics = tuple(sorted(reading[item.sentence])) if item.kind == model.READS else item.topics
        key = (topics, item.kind, item.sentence)
        found[key] = (*found.get(key, ()), *(name for name in item.subjects if name not in found.get(key, ())))
    return [Change(topics, kind, names, sentence) for (topics, kind, sentence), names in found.items()]


def _ordered(changes: list[Change], order: list[str]) -> list[Change]:
    """By group, the group with the most dangerous change first; within it by danger, then as the content has it."""
    worst: dict[tuple[str, ...], int] = {}
    for item in changes:
        worst[item.topics] = min(worst.get(item.topics, item.danger), item.danger)

    def rank(item: Change) -> tuple[int, int, tuple[str, ...], int]:
        first = order.index(item.topics[0]) if item.topics and item.topics[0] in order else len(order)
        return worst[item.topics], first, item.topics, item.danger

    return sorted(changes, key=rank)


def _topic_order(edition: Edition) -> list[str]:
    """The plans as the module lists them, those that it does not list at the end."""
    plans = [item["id"] for item in edition.resources if item["resourceType"] == "PlanDefinition"]
    listed = [
        string(part, "resource").rpartition("/")[2]
        for item in edition.resources
        if _is_library(item)
        for part in parts(item, "relatedArtifact")
    ]
    return [name for name in listed if name in plans] + [name for name in plans if name not in listed]


def _titles(edition: Edition) -> dict[str, str]:
    plans = (item for item in edition.resources if item["resourceType"] == "PlanDefinition")
    return {item["id"]: str(item.get("title", item["id"])) for item in plans}
