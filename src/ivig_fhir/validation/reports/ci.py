"""The reports for CI systems: JUnit XML, and SARIF 2.1.0."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ivig_fhir import __version__
from ivig_fhir.fhir import dumps
from ivig_fhir.validation.findings import ERROR, INFORMATION, Finding
from ivig_fhir.validation.hl7 import rule_of
from ivig_fhir.validation.result import Result, up_to

_LEVELS = {"error": "error", "warning": "warning", "information": "note"}


def junit_report(result: Result, fail_on: str = ERROR) -> str:
    """One test case a file; findings as severe as `fail_on` are its failure, the others stand in system-out."""
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in result.findings:
        by_file[finding.file].append(finding)
    cases = [_case(file, by_file[file], fail_on) for file in sorted({*result.files, *by_file})]
    failures = sum("<failure" in case for case in cases)
    head = f'<testsuite name="ivig-fhir validate" tests="{len(cases)}" failures="{failures}" errors="0">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>"]) + "\n"


def _case(file: str, findings: list[Finding], fail_on: str) -> str:
    failing = [item for item in findings if item.severity in up_to(fail_on)]
    others = [item for item in findings if item not in failing]
    lines = [f'  <testcase classname="validate" name={quoteattr(file)}>']
    if failing:
        message = quoteattr(f"{len(failing)} findings, first: {failing[0].seen}")
        lines.append(f"    <failure message={message}>{escape(_said(failing))}</failure>")
    if others:
        lines.append(f"    <system-out>{escape(_said(others))}</system-out>")
    return "\n".join([*lines, "  </testcase>"])


def _said(findings: list[Finding]) -> str:
    text = "\n".join(f"{item.severity} {item.issue}" for item in findings)
    return "".join(mark if mark in "\n\t" or mark >= " " else "?" for mark in text)


def sarif_report(result: Result) -> str:
    """SARIF 2.1.0, as code scanning services read it."""
    met = sorted({finding.rule for finding in result.findings})
    driver = {"name": "ivig-fhir validate", "version": __version__, "rules": [_rule(name) for name in met]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, met.index(finding.rule)) for finding in result.findings],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "note", "message": {"text": note}} for note in result.notes],
            }
        ],
    }
    return dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]})


def _rule(name: str) -> dict[str, Any]:
    rule = rule_of(name)
    return {
        "id": name,
        "shortDescription": {"text": rule.explanation.partition(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": rule.explanation},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"layer": rule.layer},
    }


def _result(finding: Finding, place: int) -> dict[str, Any]:
    parts = [finding.seen]
    parts += [f"Allowed: {finding.allowed}."] if finding.allowed else []
    parts += [f"Hint: {finding.hint}."] if finding.hint else []
    physical: dict[str, Any] = {"artifactLocation": {"uri": finding.file.replace("\\", "/").partition("!")[0]}}
    if finding.line:
        physical["region"] = {"startLine": finding.line, "startColumn": finding.column}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.path, "kind": "element"}]
    level = _LEVELS.get(finding.severity, _LEVELS[INFORMATION])
    message = {"text": " ".join(parts)}
    return {"ruleId": finding.rule, "ruleIndex": place, "level": level, "message": message, "locations": [location]}
