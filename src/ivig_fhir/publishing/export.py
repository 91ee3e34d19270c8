"""An edition in the form that somebody wants it: the steps of `ivig-fhir export`, all but reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.problems import problem
from ivig_fhir.publishing import bundles
from ivig_fhir.publishing.edition import GUIDE, Edition, package_id
from ivig_fhir.publishing.manifest import guide, manifest
from ivig_fhir.publishing.packages import checked_name, package
from ivig_fhir.publishing.rebasing import broken_contracts, checked_base, rebase
from ivig_fhir.publishing.selection import select

FORMATS = ("bundle", "transaction", "collection", "ndjson", "package")
_PUBLISHED = ("bundle", "transaction", "package")  # with manifest and guide; the others hold the resources alone
_ENDINGS = {"ndjson": ".ndjson", "package": ".tgz"}


@dataclass(frozen=True)
class Wish:
    """What is wanted: format, topics (all if empty), base and package id (the content's own if empty)."""

    form: str = "bundle"
    topics: tuple[str, ...] = ()
    base: str = ""
    package_id: str = ""
    profiles: bool = True


@dataclass(frozen=True)
class Export:
    """The bytes, the usual file name, how many resources, and what the reader must be told."""

    content: bytes
    name: str
    count: int
    notes: tuple[str, ...] = field(default=())


def export(edition: Edition, wish: Wish) -> Export:
    """The export of an edition. Raises Problem('malformed') that names the option or resource that is wrong."""
    edition = Edition(
        edition.version, tuple(sorted(edition.resources, key=lambda item: (item["resourceType"], item["id"])))
    )
    base = checked_base(wish.base) if wish.base else edition.base
    _of_this_version(edition)
    notes = list(broken_contracts(edition, base))
    whole = edition
    if wish.topics:
        edition = select(edition, wish.topics)
        notes += _trimmed(edition, whole)
    if not wish.profiles:
        edition, dropped = without_profiles(edition)
        notes.append(f"meta.profile dropped from {dropped} resources")
    moved = rebase(edition, base)
    named = checked_name(wish.package_id or _usual_name(moved, edition, wish.form))
    published = _published(moved, named) if wish.form in _PUBLISHED else moved
    numbers = bundles.ids_of_digits(published.resources) if wish.form == "transaction" else []
    if numbers:
        notes.append(f"HAPI, as it is set up at first, refuses ids of digits alone: {', '.join(numbers)}")
    name = f"{named}-{moved.content_version}" + ("" if wish.form == "package" else f"-{wish.form}")
    content = _FORMS[wish.form](published, base, named)
    return Export(content, name + _ENDINGS.get(wish.form, ".json"), len(published.resources), tuple(notes))


def _usual_name(moved: Edition, edition: Edition, form: str) -> str:
    """A package under another base is another package; what goes to a server keeps its guide."""
    return package_id(moved.base, moved.version) if form == "package" and moved is not edition else edition.package_id


def _published(edition: Edition, named: str) -> Edition:
    """The edition with its manifest first, then its guide under the package's id, which lists the manifest too."""
    rest = tuple(item for item in edition.resources if item["resourceType"] != GUIDE)
    first = manifest(Edition(edition.version, (guide(edition, named), *rest)), named)
    return Edition(edition.version, (first, guide(edition, named, (first,)), *rest))


def without_profiles(edition: Edition) -> tuple[Edition, int]:
    """The edition without meta.profile, and from how many resources it was dropped."""
    found = [_without_profile(item) for item in edition.resources]
    dropped = sum(new is not old for new, old in zip(found, edition.resources, strict=True))
    return Edition(edition.version, tuple(found)), dropped


def _without_profile(resource: Resource) -> Resource:
    meta = resource.get("meta")
    if not isinstance(meta, dict) or "profile" not in meta:
        return resource
    kept = {key: value for key, value in meta.items() if key not in ("profile", "_profile")}
    rest = {key: value for key, value in resource.items() if key != "meta"}
    return {"resourceType": resource["resourceType"], "id": resource["id"]} | ({"meta": kept} if kept else {}) | rest


def _of_this_version(edition: Edition) -> None:
    for item in edition.resources:
        stated = item.get("fhirVersion")
        versions = stated if isinstance(stated, list) else [stated] if isinstance(stated, str) else []
        if versions and edition.version not in versions:
            said = f"is of FHIR {', '.join(map(str, versions))}"
            raise problem("malformed", reference_to(item), said, f"FHIR {edition.version}", "--fhir-version")


def _trimmed(edition: Edition, whole: Edition) -> list[str]:
    changed = [name for name, item in edition.by_name.items() if item is not whole.by_name[name]]
    if not changed:
        return []
    return [
        f"{', '.join(changed)} list only what was selected: on a server they would replace those of the whole "
        f"({len(edition.resources)} of {len(whole.resources)} resources)"
    ]


_FORMS: dict[str, Callable[[Edition, str, str], bytes]] = {
    "bundle": lambda item, base, _: bundles.printed(bundles.collection(item.resources, base, item.date)),
    "collection": lambda item, base, _: bundles.printed(bundles.collection(item.resources, base, item.date)),
    "transaction": lambda item, base, _: bundles.printed(bundles.transaction(item.resources, base, item.date)),
    "ndjson": lambda item, base, _: bundles.ndjson(item.resources),
    "package": lambda item, base, name: package(item, name),
}
