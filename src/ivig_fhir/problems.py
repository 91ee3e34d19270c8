"""The one vocabulary of problems: Issue, Outcome, Problem.

Every problem says where it is, what was seen, what is allowed, and gives a hint.
An Outcome becomes a FHIR OperationOutcome; a Problem is an Outcome that stops the work.

    Problem
      category -> HTTP status, exit code      (CATEGORIES)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Category(NamedTuple):
    """How a kind of problem is reported: HTTP status, process exit code, FHIR issue code."""

    status: int
    exit_code: int
    issue_code: str


CATEGORIES = {
    "malformed": Category(400, 2, "structure"),
    "unauthorized": Category(401, 2, "security"),
    "plain-http": Category(403, 2, "security"),
    "not-found": Category(404, 2, "not-found"),
    "method": Category(405, 2, "not-supported"),
    "too-slow": Category(408, 2, "timeout"),
    "missing-data": Category(412, 1, "required"),
    "too-large": Category(413, 2, "too-long"),
    "media-type": Category(415, 2, "not-supported"),
    "unusable": Category(422, 1, "invalid"),
    "busy": Category(503, 1, "throttled"),
    "bug": Category(500, 1, "exception"),
    "definitions": Category(500, 1, "invalid"),
    "guidance": Category(500, 1, "invalid"),
}


@dataclass(frozen=True)
class Issue:
    """One problem: its rule, its place, what was seen there and what would be right."""

    where: str
    message: str
    allowed: str = ""
    hint: str = ""
    rule: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.hint:
            parts.append(f"hint: {self.hint}")
        text = "; ".join(parts)
        return f"{text} [{self.rule}]" if self.rule else text


MOST_ISSUES = 100


class Issues(list[Issue]):
    """Problems of one text as they are found; what has more than MOST_ISSUES is not read to its end.

    A text of a few megabytes can hold a million things that are wrong: the answer would be a hundred times as long.
    """

    def append(self, found: Issue) -> None:
        """Add one. Raises Problem('malformed') when there are too many."""
        if len(self) == MOST_ISSUES:
            more = Issue("", f"there are more than {MOST_ISSUES} problems; the others are not named")
            raise Problem("malformed", Outcome((*self, more)))
        super().append(found)


@dataclass(frozen=True)
class Outcome:
    """All problems of one piece of work, in the order in which they were found."""

    issues: tuple[Issue, ...] = ()


@dataclass
class Problem(Exception):
    """An Outcome that stops the work, with the category that decides status and exit code."""

    category: str
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(str(issue) for issue in self.outcome.issues)

    @property
    def reported_as(self) -> Category:
        """Status, exit code and FHIR issue code of this problem."""
        return CATEGORIES[self.category]


def problem(category: str, where: str, message: str, allowed: str = "", hint: str = "") -> Problem:
    """A Problem with a single issue."""
    return Problem(category, Outcome((Issue(where, message, allowed, hint),)))


def operation_outcome(stopped: Problem) -> dict[str, Any]:
    """The FHIR OperationOutcome (R4, R5) of a problem; CH-41."""
    code = stopped.reported_as.issue_code
    issues = []
    for issue in stopped.outcome.issues:
        entry: dict[str, Any] = {"severity": issue.severity, "code": code, "diagnostics": str(issue)}
        if issue.where:
            entry["expression"] = [issue.where]
        issues.append(entry)
    return {"resourceType": "OperationOutcome", "issue": issues}
