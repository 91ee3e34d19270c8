"""A folder of patients, read file by file: Bundles of one patient (*.json), Bulk data by lines (*.ndjson).

A file or line that cannot be read is noted with its place and counted; the others are read all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivig_fhir.cds_hooks.cohort import Collection, Member, member_of, reading
from ivig_fhir.fhir import loads
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem, problem

Progress = Callable[[str], None]


@dataclass
class Fault:
    """What is wrong at a place, how often, and where first (a line, or nothing)."""

    where: str
    message: str
    first: str = ""
    count: int = 0

    def __str__(self) -> str:
        first = f" (first: {self.first})" if self.first else ""
        return f"{self.where}: {self.message}" + (f", {self.count} times" if self.count > 1 else "") + first


@dataclass
class Cohort:
    """The patients of a folder. `faults` is whole once members() has come to its end."""

    files: tuple[Path, ...]
    other_files: tuple[Path, ...]
    _reads: Callable[[dict[str, Any]], bool]
    _faults: dict[tuple[str, str], Fault] = field(default_factory=dict)

    @property
    def faults(self) -> list[Fault]:
        """What could not be read, or answered, so far."""
        return list(self._faults.values())

    def note(self, where: str, message: str, first: str = "") -> None:
        """Count a fault: the same one of the same file once, with its number."""
        self._faults.setdefault((where, message), Fault(where, message, first)).count += 1

    def members(self, progress: Progress = lambda _: None) -> Iterator[Member]:
        """Every patient that can be read; progress is told each file's name before it is read."""
        bulk = Collection(self._reads)
        for file in self.files:
            progress(file.name)
            if file.suffix == ".ndjson":
                self._collect(file, bulk)
            else:
                yield from self._bundle(file)
        for origin in bulk.strangers():
            self.note(origin, "holds a resource whose patient is not in the folder")
        yield from bulk.members()

    def _bundle(self, file: Path) -> Iterator[Member]:
        try:
            yield member_of(file.stem, loads(file.read_bytes()), self._reads)
        except Problem as found:
            self.note(file.name, "; ".join(str(issue) for issue in found.outcome.issues))
        except (OSError, ValueError, RecursionError) as error:
            self.note(file.name, _unread(error))

    def _collect(self, file: Path, bulk: Collection) -> None:
        try:
            with file.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    fault = _taken(line, file.name, bulk)
                    if fault:
                        self.note(file.name, fault, f"line {number}")
        except OSError as error:
            self.note(file.name, _unread(error))


def _taken(line: bytes, name: str, bulk: Collection) -> str:
    """Why a line of Bulk data cannot be taken; nothing for a line that is, or is blank."""
    try:
        return bulk.add(loads(line), name) if line.strip() else ""
    except (ValueError, RecursionError):
        return "holds a line that is no JSON"


def _unread(error: Exception) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"is no JSON: {error}"


def open_cohort(folder: Path, *contents: Content) -> Cohort:
    """The cohort in a folder, for these contents. Raises Problem('malformed') when it holds no file of patients.

    cohort = open_cohort(folder, content)
    for member in cohort.members():
        for name, request in requests_of(member, hook, content): …
    cohort.faults
    """
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = tuple(path for path in found if path.is_file() and path.suffix in (".json", ".ndjson"))
    if not files:
        raise problem("malformed", str(folder), "holds no patients", "Bundles (*.json) or Bulk data (*.ndjson)")
    return Cohort(files, tuple(path for path in found if path not in files), reading(*contents))
