"""The report for people: file:line:column, path, what was seen, what is allowed, a hint."""

from __future__ import annotations

from ivig_fhir.validation.findings import SEVERITIES, Finding
from ivig_fhir.validation.run import Result


def text_report(result: Result) -> str:
    """Findings by file, then one line that counts them."""
    blocks = [_printed(finding) for finding in result.findings]
    return "\n".join([*blocks, _counted(result)]) + "\n"


def _printed(finding: Finding) -> str:
    lines = [f"{finding.where}: {finding.severity} [{finding.rule}] {finding.seen}"]
    for label, value in (("at", finding.path), ("allowed", finding.allowed), ("hint", finding.hint)):
        if value:
            lines.append(f"    {label}: {value}")
    return "\n".join(lines)


def _counted(result: Result) -> str:
    counts = ", ".join(f"{result.count(severity)} {severity}" for severity in SEVERITIES)
    return f"{result.files} files, {result.artefacts} resources: {counts}"
