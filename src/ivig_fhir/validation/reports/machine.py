"""The reports for programs: JSON, and a FHIR OperationOutcome."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ivig_fhir.fhir import CORE, dumps
from ivig_fhir.validation.findings import SEVERITIES, Finding
from ivig_fhir.validation.hl7 import rule_of
from ivig_fhir.validation.result import Result

# layer or rule -> issue-type of FHIR
_ISSUE_TYPES = {
    "json": "structure",
    "structure": "structure",
    "invariants": "invariant",
    "links": "not-found",
    "expressions": "invalid",
    "terminology": "code-invalid",
    "editorial": "business-rule",
    "evidence": "business-rule",
    "profiles": "business-rule",
    "official": "structure",
    "hl7": "processing",
    "required-element": "required",
    "required-binding": "code-invalid",
    "official-binding": "code-invalid",
    "link-cycle": "business-rule",
    "artefact-twice": "duplicate",
    "file-too-large": "too-long",
    "rule-failed": "exception",
}
_ISSUE_LINE = f"{CORE}/operationoutcome-issue-line"
_ISSUE_COLUMN = f"{CORE}/operationoutcome-issue-col"


def json_report(result: Result) -> str:
    """Everything as JSON: counts, notes, and each finding with all of its members."""
    counts = {severity: result.count(severity) for severity in SEVERITIES}
    findings = [asdict(finding) | {"layer": rule_of(finding.rule).layer} for finding in result.findings]
    report: dict[str, Any] = {"files": len(result.files), "resources": result.artefacts, "counts": counts}
    return dumps(report | {"notes": list(result.notes), "findings": findings})


def outcome_report(result: Result) -> str:
    """A FHIR OperationOutcome (R4, R5); one information where there is nothing to say."""
    issues = [_issue(finding) for finding in result.findings]
    issues += [{"severity": "information", "code": "informational", "diagnostics": note} for note in result.notes]
    fine = {"severity": "information", "code": "informational", "diagnostics": "nothing found"}
    return dumps({"resourceType": "OperationOutcome", "issue": issues or [fine]})


def _issue(finding: Finding) -> dict[str, Any]:
    layer = rule_of(finding.rule).layer
    parts = [finding.seen]
    parts += [f"allowed: {finding.allowed}"] if finding.allowed else []
    parts += [f"hint: {finding.hint}"] if finding.hint else []
    issue: dict[str, Any] = {
        "severity": finding.severity,
        "code": _ISSUE_TYPES.get(finding.rule) or _ISSUE_TYPES[layer],
        "details": {"coding": [{"code": finding.rule}], "text": "; ".join(parts)},
        "diagnostics": f"{finding.where}: {'; '.join(parts)} [{finding.rule}]",
    }
    if finding.line:
        places = ((_ISSUE_LINE, finding.line), (_ISSUE_COLUMN, finding.column))
        issue = {"extension": [{"url": url, "valueInteger": value} for url, value in places]} | issue
    return issue | ({"expression": [finding.path]} if finding.path.partition(".")[0].isalpha() else {})
