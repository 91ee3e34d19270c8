"""What validation says: a Fault as a rule sees it, a Finding as a report prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ivig_fhir.problems import Issue

ERROR, WARNING, INFORMATION = "error", "warning", "information"
SEVERITIES = (ERROR, WARNING, INFORMATION)

Step = str | int
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What one rule saw at a place of a document: `path` counts from the root of the JSON."""

    place: Place
    seen: str
    allowed: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the JSON of an artefact; `path` counts from the root of the document."""

    artefact: Any
    path: Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report. `line` and `column` count from 1; 0 where a file has no such place."""

    rule: str
    severity: str
    file: str
    seen: str
    allowed: str = ""
    hint: str = ""
    path: str = ""
    resource: str = ""
    line: int = 0
    column: int = 0

    @property
    def where(self) -> str:
        """file:line:column, as editors and CI read it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def issue(self) -> Issue:
        """The finding in the one vocabulary of problems."""
        where = f"{self.where}: {self.path}" if self.path else self.where
        return Issue(where, self.seen, self.allowed, self.hint, self.rule, self.severity)


def fhirpath(path: Path, root: str) -> str:
    """The path of a place as FHIRPath: ('action', 0, 'title') -> PlanDefinition.action[0].title."""
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
