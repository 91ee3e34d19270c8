"""What is exported or compared, from wherever it lies: a folder of definitions, a FHIR package, a file or a Bundle."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ivig_fhir.fhir import Resource, as_list, loads, reference_to
from ivig_fhir.problems import Issue, Outcome, Problem, problem

R4, R5 = "4.0.1", "5.0.0"
FOLDERS = {R4: "r4", R5: "r5"}  # FHIR version -> folder of definitions/
MOST_BYTES = 512 * 1024 * 1024  # of a package, unpacked
_NOT_RESOURCES = {"index.json", "losses.json", "package.json", ".index.json", "package-lock.json"}
_LINES = (".ndjson", ".jsonl")
_ALLOWED = "a folder of FHIR JSON, a Bundle, NDJSON, or a FHIR package (.tgz)"


def read_resources(path: Path, version: str) -> tuple[Resource, ...]:
    """Every resource of a path, by type and id; of definitions/ the folder of this FHIR version.

    Raises Problem('malformed') that names every file which cannot be read, lacks an id, or repeats one.
    """
    issues: list[Issue] = []
    found: dict[tuple[str, str], Resource] = {}
    for name, resource in _resources(path, version, issues):
        key = str(resource["resourceType"]), str(resource.get("id", ""))
        if not key[1]:
            issues.append(Issue(name, f"a {key[0]} without id", "resources with ids", "a server stores them by id"))
        elif key in found and found[key] != resource:
            issues.append(Issue(name, f"another {reference_to(resource)} than before", "one resource of type and id"))
        found[key] = resource
    if not found and not issues:
        issues.append(Issue(str(path), "holds no FHIR resource", _ALLOWED))
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return tuple(found[key] for key in sorted(found))


def has_evidence(path: Path) -> bool:
    """Whether a path is a folder of definitions in both FHIR versions, of which only R5 has Evidence and Citation."""
    return all((path / name).is_dir() for name in FOLDERS.values())


def read_with_evidence(path: Path, version: str) -> tuple[Resource, ...]:
    """The resources of one version of definitions/, and those of types that only R5 has. Raises as read_resources."""
    found = read_resources(path, version)
    types = {item["resourceType"] for item in found}
    return (*found, *(item for item in read_resources(path, R5) if item["resourceType"] not in types))


def _resources(path: Path, version: str, issues: list[Issue]) -> Iterator[tuple[str, Resource]]:
    for name, content in _files(path, version):
        if name.endswith(_LINES):
            lines = enumerate(content.splitlines(), 1)
            parts = [(f"{name}:{number}", line) for number, line in lines if line.strip()]
        else:
            parts = [(name, content)]
        for place, text in parts:
            for resource in _read(text, place, issues):
                yield place, resource


def _files(path: Path, version: str) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            folder = path / FOLDERS[version] if any((path / name).is_dir() for name in FOLDERS.values()) else path
            for file in sorted(folder.rglob("*")):
                if file.suffix in (".json", *_LINES) and file.name not in _NOT_RESOURCES and not _hidden(file, folder):
                    yield str(file), file.read_bytes()
        elif path.name.endswith((".tgz", ".tar.gz")):
            yield from package_files(path)
        else:
            yield str(path), path.read_bytes()
    except OSError as error:
        raise problem("malformed", str(path), f"cannot be read: {error.strerror or error}", _ALLOWED) from error


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in file.relative_to(folder).parts)


def package_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each resource file directly under package/. Raises Problem('malformed') where it is none."""
    try:
        with tarfile.open(path, "r:gz") as package:
            members = [item for item in package if item.isfile()]
            if sum(item.size for item in members) > MOST_BYTES:
                raise problem("malformed", str(path), "unpacks to too much", f"{MOST_BYTES} bytes")
            if not any(item.name == "package/package.json" for item in members):
                raise problem("malformed", str(path), "has no package/package.json", "a FHIR package (.tgz)")
            for item in sorted(members, key=lambda item: item.name):
                folder, _, name = item.name.rpartition("/")
                if folder == "package" and name.endswith(".json") and name not in _NOT_RESOURCES:
                    stream = package.extractfile(item)
                    yield f"{path}!{item.name}", stream.read() if stream else b""
    except (tarfile.TarError, EOFError) as error:
        raise problem("malformed", str(path), f"is no package: {error}", "a gzipped tar (.tgz)") from error


def _read(text: bytes, place: str, issues: list[Issue]) -> list[Resource]:
    """The resource of a text, or those of the Bundle that it is; what is wrong goes to `issues`."""
    try:
        read: Any = loads(text)
    except (ValueError, RecursionError) as error:
        issues.append(Issue(place, f"is no JSON: {error}"))
        return []
    if not isinstance(read, dict) or not isinstance(read.get("resourceType"), str):
        issues.append(Issue(place, "is no FHIR resource", "an object with resourceType"))
        return []
    if read["resourceType"] != "Bundle":
        return [read]
    entries = [item.get("resource") for item in as_list(read.get("entry")) if isinstance(item, dict)]
    return [item for item in entries if isinstance(item, dict) and isinstance(item.get("resourceType"), str)]
