"""An evaluation as FHIR R4 GuidanceResponse, one per topic that has something to say (AP-70 …).

Contained: the RequestGroup of what stands, and Parameters with applicability and missing facts of each unit.
"""

from __future__ import annotations

from typing import Any

from ivig_fhir.cds_hooks.answer import Evaluation
from ivig_fhir.cds_hooks.inquiries import Inquiry
from ivig_fhir.engine.activity import draft
from ivig_fhir.engine.apply import CONDITIONAL, SILENT, Finding
from ivig_fhir.fhir import Resource, coding, concept
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Plan


def guidance_responses(inquiry: Inquiry, evaluation: Evaluation, content: Content) -> list[Resource]:
    """The GuidanceResponses, in the order of the topics."""
    made = []
    for plan in content.plans:
        found = [item for item in evaluation.findings if item.unit.topic == plan.topic and item.applicability != SILENT]
        if found:
            made.append(_response(plan, found, inquiry, evaluation, content))
    return made


def _response(
    plan: Plan, findings: list[Finding], inquiry: Inquiry, evaluation: Evaluation, content: Content
) -> Resource:
    subject = {"reference": f"Patient/{inquiry.request.patient_id}"}
    asked = _asked(findings, evaluation, content)
    proposals = {item.unit.id: _proposal(item, plan, inquiry, content) for item in findings}
    group = {
        "resourceType": "RequestGroup",
        "id": "result",
        "instantiatesCanonical": [plan.canonical],
        "status": "draft",
        "intent": "proposal",
        "subject": subject,
        "action": [{"title": plan.title, "action": [_action(item, content) for item in findings]}],
    }
    output = {"resourceType": "Parameters", "id": "output", "parameter": [_parameter(item) for item in findings]}
    return {
        "resourceType": "GuidanceResponse",
        "id": plan.topic,
        "contained": [group, output, *proposals.values()],
        "moduleCanonical": plan.canonical,
        "status": "data-requested" if asked else "success",
        "subject": subject,
        "occurrenceDateTime": inquiry.at.isoformat(),
        "note": [{"text": content.phrase("closing", date=inquiry.at.isoformat()).strip("*")}],
        "outputParameters": {"reference": "#output"},
        "result": {"reference": "#result"},
    } | ({"dataRequirement": asked} if asked else {})


def _action(finding: Finding, content: Content) -> dict[str, Any]:
    unit = finding.unit
    return {
        "id": unit.id,
        "title": unit.title,
        "description": unit.says,
        "priority": "urgent" if finding.warns else "routine",
        "code": [concept(coding(f"{content.base}/CodeSystem/ivig-direction", unit.direction))],
        "documentation": [
            {"type": "citation", "label": name, "display": content.statements[name].display} for name in unit.statements
        ],
        "resource": {"reference": f"#{unit.id}"},
    }


def _proposal(finding: Finding, plan: Plan, inquiry: Inquiry, content: Content) -> Resource:
    """What an action is: the draft order that may be suggested, or else a message that says what the unit says."""
    unit = finding.unit
    if finding.proposes and unit.proposal is not None:
        drafted = draft(unit.proposal.activity, inquiry.request.patient_id, plan.canonical)
        return {"resourceType": drafted["resourceType"], "id": unit.id} | drafted
    return {
        "resourceType": "CommunicationRequest",
        "id": unit.id,
        "status": "draft",
        "subject": {"reference": f"Patient/{inquiry.request.patient_id}"},
        "payload": [{"contentString": f"{unit.title}: {unit.says}"}],
        "note": [{"text": content.directions[unit.direction].display}],
    }


def _parameter(finding: Finding) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"name": "applicability", "valueCode": finding.applicability}]
    parts += [{"name": "missing", "valueString": item.fact} for item in finding.missing]
    return {"name": finding.unit.id, "part": parts}


def _asked(findings: list[Finding], evaluation: Evaluation, content: Content) -> list[dict[str, Any]]:
    """The published DataRequirements of the criteria that are unknown."""
    names: dict[str, None] = {}
    for finding in findings:
        if finding.applicability == CONDITIONAL:
            for criterion in finding.unit.criteria:
                if criterion.condition.evaluate(evaluation.facts).truth is None:
                    names |= dict.fromkeys(sorted(criterion.condition.inputs))
    return [content.requirements[name].source for name in names if name in content.requirements]
