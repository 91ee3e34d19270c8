"""The report for people: file:line:column, path, what was seen, what is allowed, a hint."""

from __future__ import annotations

from collections import Counter

from ivig_fhir.validation.findings import SEVERITIES, Finding
from ivig_fhir.validation.result import Result, up_to

_MANY = 10  # findings of one rule in one file that are printed; the others are counted


def text_report(result: Result, level: str = "warning") -> str:
    """Findings as severe as `level` by file, what was not checked, and one line that counts them all."""
    printed: Counter[tuple[str, str]] = Counter()
    blocks = []
    for finding in result.findings:
        if finding.severity in up_to(level):
            printed[finding.file, finding.rule] += 1
            if printed[finding.file, finding.rule] <= _MANY:
                blocks.append(_block(finding))
    for (file, rule), count in printed.items():
        if count > _MANY:
            blocks.append(f"{file}: {count - _MANY} more of [{rule}] (--format json has them all)")
    return "\n".join([*blocks, *(f"note: {note}" for note in result.notes), counted(result)]) + "\n"


def _block(finding: Finding) -> str:
    lines = [f"{finding.where}: {finding.severity} [{finding.rule}] {finding.seen}"]
    for label, value in (("at", finding.path), ("allowed", finding.allowed), ("hint", finding.hint)):
        if value:
            lines.append(f"    {label}: {value}")
    return "\n".join(lines)


def counted(result: Result) -> str:
    """One line: how many files, resources, errors, warnings, informations."""
    counts = ", ".join(_plural(result.count(severity), severity) for severity in SEVERITIES)
    return f"{_plural(len(result.files), 'file')}, {_plural(result.artefacts, 'resource')}: {counts}"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 or word == "information" else f"{count} {word}s"
