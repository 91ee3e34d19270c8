"""Faults to Findings with file, line and column, and the Result that reports print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ivig_fhir.problems import Outcome
from ivig_fhir.validation.findings import SEVERITIES, Fault, Finding, fhirpath
from ivig_fhir.validation.positions import Lines, offsets
from ivig_fhir.validation.rules import Rule


@dataclass(frozen=True)
class Result:
    """What a run found, by file and line. `notes` say what was assumed and what could not be checked."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...] = ()
    artefacts: int = 0
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The findings in the one vocabulary of problems."""
        return Outcome(tuple(finding.issue for finding in self.findings))

    def count(self, severity: str) -> int:
        """How many findings have a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, fail_on: str) -> bool:
        """Whether a finding is as severe as `fail_on`, or more."""
        return any(self.count(severity) for severity in up_to(fail_on))


def up_to(severity: str) -> tuple[str, ...]:
    """The severities as severe as this one, or more."""
    return SEVERITIES[: SEVERITIES.index(severity) + 1]


def in_order(findings: Iterable[Finding], wants: Callable[[str, str], bool]) -> tuple[Finding, ...]:
    """The wanted findings by file, line, column and severity, each once."""
    wanted = [item for item in findings if wants(item.rule, item.file)]
    wanted.sort(key=lambda item: (item.file, item.line, item.column, SEVERITIES.index(item.severity), item.rule))
    return tuple(dict.fromkeys(wanted))


def located(faults: list[tuple[Rule, Fault]]) -> Iterator[Finding]:
    """The findings of faults in checked documents; each document's text is scanned once, if at all."""
    by_document: dict[int, list[tuple[Rule, Fault]]] = defaultdict(list)
    for rule, fault in faults:
        if fault.place.artefact.document.checked:
            by_document[id(fault.place.artefact.document)].append((rule, fault))
    for group in by_document.values():
        document = group[0][1].place.artefact.document
        at = offsets(document.text, {fault.place.path for _, fault in group})
        lines = Lines(document.text)
        for rule, fault in group:
            line, column = lines.at(at[fault.place.path])
            yield _finding(rule, fault, line + document.first_line - 1, column)


def _finding(rule: Rule, fault: Fault, line: int, column: int) -> Finding:
    artefact = fault.place.artefact
    data = artefact.document.data
    kind = data.get("resourceType") if isinstance(data, dict) else None
    return Finding(
        rule.id,
        rule.severity if artefact.strict else rule.elsewhere,
        artefact.document.file,
        fault.seen,
        fault.allowed,
        fault.hint,
        fhirpath(fault.place.path, kind if isinstance(kind, str) else "$"),
        artefact.name,
        line,
        column,
    )
