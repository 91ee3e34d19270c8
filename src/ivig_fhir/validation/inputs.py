"""Files, folders, NDJSON and packages to Documents: the edge where validation touches the disk."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

from ivig_fhir.validation.findings import Finding
from ivig_fhir.validation.reading import Document, read, reported
from ivig_fhir.validation.rules import layer

rule = layer("json")

_LINES = (".ndjson", ".jsonl")
_PACKAGE = (".tgz", ".tar.gz")
_NOT_CONTENT = {"package.json", ".index.json", "package-lock.json"}
_MANIFEST = ("name", "version", "description", "author", "dependencies")
_PACKAGE_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+(#.*)?")
MEGABYTE = 1024 * 1024


@dataclass
class Reader:
    """Reads inputs one after another; what cannot be read is in `findings`, and the others are still read."""

    most_megabytes: int
    findings: list[Finding] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    stated: dict[Path, str] = field(default_factory=dict)

    def documents(self, path: Path) -> Iterator[Document]:
        """Every Document of a file, of a folder with what is below it, or of a package."""
        if path.is_dir():
            for file in self.files_of(path):
                if file.is_file() or file.is_symlink():
                    yield from self._file(file, str(file.parent))
                else:  # a pipe would be waited for
                    self.findings.append(reported(unreadable, str(file), "no file, but a pipe, a socket or a device"))
        elif path.exists():
            for document in self._file(path, str(path.parent)):
                document.named = True
                yield document
        else:
            self.findings.append(reported(unreadable, str(path), "no such file or folder"))

    def files_of(self, folder: Path) -> list[Path]:
        """The files of a folder that may hold FHIR JSON, hidden folders and node_modules left out."""
        found = [
            file
            for file in sorted(folder.rglob("*"))
            if file.suffix in (".json", *_LINES)
            and file.name not in _NOT_CONTENT
            and not _hidden(file, folder)
            and not file.is_dir()
        ]
        if not found:
            self.findings.append(reported(nothing_found, str(folder), "a folder without .json or .ndjson file"))
        return found

    def _file(self, file: Path, group: str) -> Iterator[Document]:
        self.files.append(str(file))
        try:
            with file.open("rb") as stream:
                if file.name.endswith(_PACKAGE):
                    yield from self._package(file, stream)
                elif file.suffix in _LINES:
                    yield from self._lines(str(file), stream, group)
                else:
                    yield from self._text(str(file), stream, group, self._beside(file.parent))
        except OSError as error:
            self.findings.append(reported(unreadable, str(file), error.strerror or str(error)))

    def _text(self, name: str, stream: IO[bytes] | None, group: str, stated: str = "") -> Iterator[Document]:
        content = stream.read(self.most_megabytes * MEGABYTE + 1) if stream else b""
        if len(content) > self.most_megabytes * MEGABYTE:
            self.findings.append(reported(too_large, name, f"more than {self.most_megabytes} MB"))
            return
        document = read(name, content, self.findings)
        if document is not None:
            document.group, document.stated = group, stated
            yield document

    def _beside(self, folder: Path) -> str:
        """The FHIR version that the package.json of a folder states, if it is one of FHIR."""
        if folder not in self.stated:
            manifest = folder / "package.json"
            content = manifest.read_bytes() if manifest.is_file() else b""
            document = read(str(manifest), content, []) if content else None
            self.stated[folder] = stated_version(document.data) if document else ""
        return self.stated[folder]

    def _lines(self, name: str, stream: BinaryIO, group: str) -> Iterator[Document]:
        most = self.most_megabytes * MEGABYTE
        for number, line in enumerate(iter(lambda: stream.readline(most + 1), b""), 1):
            if len(line) > most:
                self.findings.append(reported(too_large, name, f"line {number} has more than {self.most_megabytes} MB"))
                return
            if line.strip():
                document = read(name, line, self.findings, number)
                if document is not None:
                    document.group = group
                    yield document

    def _package(self, file: Path, stream: BinaryIO) -> Iterator[Document]:
        try:
            with tarfile.open(fileobj=stream, mode="r:gz") as package:
                members = [item for item in package.getmembers() if item.isfile()]
                yield from self._members(file, package, members)
        except (tarfile.TarError, EOFError, OSError) as error:
            self.findings.append(reported(not_a_package, str(file), str(error) or "not a gzipped tar"))

    def _members(self, file: Path, package: tarfile.TarFile, members: list[tarfile.TarInfo]) -> Iterator[Document]:
        manifest = next((item for item in members if item.name == "package/package.json"), None)
        stated = ""
        if manifest is None:
            self.findings.append(reported(not_a_package, str(file), "no package/package.json"))
        else:
            for document in self._text(f"{file}!{manifest.name}", package.extractfile(manifest), str(file)):
                stated = stated_version(document.data)
                self.findings.extend(_manifest_faults(document))
        for member in members:
            if _is_content(member.name):
                yield from self._text(f"{file}!{member.name}", package.extractfile(member), str(file), stated)


def stated_version(manifest: Any) -> str:
    """The FHIR version that a package.json states: its own member, or the core package it depends on."""
    if not isinstance(manifest, dict):
        return ""
    versions = manifest.get("fhirVersions") or manifest.get("fhir-version-list") or manifest.get("fhirVersion") or []
    found = versions if isinstance(versions, str) else next(iter(versions), "")
    dependencies = manifest.get("dependencies")
    for name, version in dependencies.items() if isinstance(dependencies, dict) and not found else ():
        if name.startswith("hl7.fhir.") and name.endswith(".core"):
            return str(version)
    return str(found)


def _is_content(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder in ("package", "package/example", "package/examples") and (
        file.endswith(".json") and file not in _NOT_CONTENT and not file.startswith(".")
    )


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in file.relative_to(folder).parts)


def _manifest_faults(manifest: Document) -> Iterator[Finding]:
    data = manifest.data if isinstance(manifest.data, dict) else {}
    missing = [name for name in _MANIFEST if not data.get(name)]
    if missing:
        yield reported(incomplete_manifest, manifest.file, f"no {', '.join(missing)}", ", ".join(_MANIFEST))
    name = str(data.get("name", ""))
    if name and not _PACKAGE_NAME.fullmatch(name):
        yield reported(
            incomplete_manifest, manifest.file, f"the name {name}", "two or more lower-case parts: org.example"
        )
    if data.get("dependencies") and not stated_version(data):
        yield reported(incomplete_manifest, manifest.file, "no core package", "dependencies: hl7.fhir.r4.core 4.0.1")


@rule("package-manifest", "warning")
def incomplete_manifest() -> None:
    """package.json of a FHIR package has name (two or more lower-case parts), version, description, author and
    dependencies, with the core package of its FHIR version among them (PK-01)."""


@rule("file-unreadable")
def unreadable() -> None:
    """The file or folder is not there, or may not be read. The other inputs are still checked."""


@rule("file-too-large")
def too_large() -> None:
    """The file is larger than --max-size, so it was not read. Split a Bundle into NDJSON, or raise the limit."""


@rule("nothing-to-check", "warning")
def nothing_found() -> None:
    """A folder holds no file that could be FHIR JSON, so nothing in it was checked. Often a wrong path."""


@rule("package-unreadable")
def not_a_package() -> None:
    """The file is no FHIR NPM package: a gzipped tar whose files stand under package/, with a package.json (PK-01)."""
