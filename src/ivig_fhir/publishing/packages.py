"""The FHIR NPM package: package.json, index and resources in a gzipped tar, the same bytes every time."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from datetime import UTC, datetime
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.problems import problem
from ivig_fhir.publishing.bundles import printed
from ivig_fhir.publishing.dependencies import CORE, packages_of
from ivig_fhir.publishing.edition import Edition

_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+")
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[A-Za-z0-9.-]+)?")
_INDEXED = ("id", "url", "version", "kind", "type", "supplements", "content", "derivation")


def checked_name(name: str) -> str:
    """A package id. Raises Problem('malformed') where it is none (PK-01)."""
    if not _NAME.fullmatch(name) or name.startswith("hl7."):
        allowed = "two or more parts of lower-case letters, digits and hyphens (org.example.guidance); hl7.* is HL7's"
        raise problem("malformed", "--package-id", f"is {name!r}", allowed)
    return name


def package(edition: Edition, name: str) -> bytes:
    """The .tgz of an edition whose guide stands in it. Raises Problem('malformed') for a version that is no semver."""
    if not _VERSION.fullmatch(edition.content_version):
        raise problem("malformed", "version", f"is {edition.content_version!r}", "three numbers: 1.0.0, 1.0.0-ballot")
    files = {f"package/{item['resourceType']}-{item['id']}.json": item for item in edition.resources}
    contents = {path: printed(item) for path, item in sorted(files.items())}
    first = {
        "package/package.json": printed(package_json(edition, name)),
        "package/.index.json": printed(index(files)),
    }
    return _archive(first | contents, edition.date)


def package_json(edition: Edition, name: str) -> dict[str, Any]:
    """The manifest of the package, its members in the order of the specification."""
    guide = edition.guide
    depends = {item.name: item.version for item in packages_of(edition)}
    told = {
        "name": name,
        "version": edition.content_version,
        "canonical": edition.base,
        "url": edition.base,
        "title": guide.get("title"),
        "description": guide.get("description") or guide.get("title") or name,
        "date": edition.date.replace("-", "") + "000000" if edition.date else None,
        "type": "IG" if guide else "Conformance",
        "license": guide.get("license"),
        "fhirVersions": [edition.version],
        "dependencies": {CORE[edition.version]: edition.version, **depends},
        "author": edition.publisher or "unknown",
        "directories": {"lib": "package"},
    }
    return {key: value for key, value in told.items() if value}


def index(files: dict[str, Resource]) -> dict[str, Any]:
    """.index.json: what tools read instead of opening every file."""
    listed = [
        {"filename": path.rpartition("/")[2], "resourceType": item["resourceType"]}
        | {name: item[name] for name in _INDEXED if isinstance(item.get(name), str)}
        for path, item in sorted(files.items())
    ]
    return {"index-version": 2, "files": listed}


def _archive(files: dict[str, bytes], date: str) -> bytes:
    """A gzipped tar; time, owner and mode are the same wherever it is made."""
    when = int(datetime.fromisoformat(f"{date}T00:00:00+00:00").astimezone(UTC).timestamp()) if date else 0
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=9) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mtime, member.mode = len(content), when, 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
