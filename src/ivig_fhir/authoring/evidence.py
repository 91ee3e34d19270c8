"""Units -> Evidence (R5): each rating in its source's words, each figure with its denominator, nothing merged.

Certainty holds what a source says of evidence; how strongly it recommends, and what it reports as practice, are notes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ivig_fhir.authoring.artefacts import artefact, local
from ivig_fhir.authoring.citations import citation_canonical
from ivig_fhir.authoring.evidence_variables import POPULATION, Roles, canonical_of, speaks_of_evidence
from ivig_fhir.authoring.guidance import Figure, Guidance, Rating, Topic, Unit
from ivig_fhir.authoring.losses import Loss
from ivig_fhir.fhir import THO, UCUM, Resource, coding, concept
from ivig_fhir.problems import problem

EVIDENCE_RATING = "evidence-rating"
UNCLEAR = "unclear"
_RATING = "http://hl7.org/fhir/certainty-rating"
_STATISTICS = {"%": ("C44256", "Proportion"), "median": ("C28007", "Median")}  # unit, or the word that comes first
_NARRATIVE = ("descriptive", "Descriptive")  # HL7: a measure reported as narrative
_NO_ESTIMATE = "A dose, a time or a count that the source names; it estimates no effect."
_GRADES = {"high": "High", "moderate": "Moderate", "low": "Low", "very-low": "Very low"}  # … quality, says HL7
_ROLES = {"referenceExposure": "reference exposure", "measuredVariable": "measured variable"}  # as HL7 displays them


def evidence(guidance: Guidance, roles: Roles) -> list[Resource]:
    """The Evidence of every unit that says something of evidence. Raises Problem('guidance')."""
    return [
        _evidence(unit, topic, guidance, roles[unit.id])
        for topic in guidance.topics
        for unit in topic.units
        if speaks_of_evidence(unit)
    ]


def leading_to_populations(plan: Resource, topic: Topic, guidance: Guidance, roles: Roles) -> Resource:
    """An R4 plan that names the populations of its units: relatedArtifact depends-on."""
    wanted = {name: None for unit in topic.units if (name := roles[unit.id].get(POPULATION))}
    links = [{"type": "depends-on", "resource": canonical_of(guidance, name)} for name in wanted]
    return plan | {"relatedArtifact": [*plan["relatedArtifact"], *links]}


def subjects(guidance: Guidance, roles: Roles) -> dict[str, str]:
    """Unit id -> canonical of its population, for subjectCanonical of R5."""
    return {unit: canonical_of(guidance, found[POPULATION]) for unit, found in roles.items() if POPULATION in found}


def without_subjects(guidance: Guidance, roles: Roles) -> list[Loss]:
    """The losses of R4's plans, which cannot say on an action whom it is about."""
    became = "relatedArtifact depends-on of the plan, which does not say of which action"
    return [
        Loss(f"PlanDefinition/{topic.id}", f"action[{unit.id}].subjectCanonical", became, "RS-05")
        for topic in guidance.topics
        for unit in topic.units
        if POPULATION in roles[unit.id]
    ]


def _evidence(unit: Unit, topic: Topic, guidance: Guidance, roles: dict[str, str]) -> Resource:
    if not roles:
        raise problem("guidance", unit.where, "is rated, but names neither population nor intervention")
    found = artefact(guidance.module, ("Evidence", unit.id), f"{topic.title}: {unit.title}", "")
    found.pop("description")
    graded = [rating for rating in unit.ratings if rating.kind == EVIDENCE_RATING]
    said = [_said(rating, guidance) for rating in unit.ratings if rating not in graded]
    notes = [_note(text) for text in (*said, *_newer(unit, guidance), *_conflicts(unit, guidance))]
    more = {
        "relatedArtifact": _cited(unit, guidance),
        "description": f"What the sources say, rate and count behind “{unit.title}”; no two of them are merged.",
        "assertion": unit.says,
        "note": notes,
        "variableDefinition": [_variable(role, name) for role, name in roles.items()],
        "statistic": [_statistic(figure, guidance) for figure in unit.figures],
        "certainty": [_certainty(rating, guidance) for rating in graded],
    }
    return found | {key: value for key, value in more.items() if value}


def _note(text: str) -> dict[str, str]:
    return {"text": text}


def _newer(unit: Unit, guidance: Guidance) -> list[str]:
    found = []
    for name in unit.newer:
        item = guidance.newer[name]
        years = ", ".join(guidance.newer_sources[source].year for source in item.sources)
        found.append(f"Beside the sources ({years}; {item.relation}; {item.confidence}): {item.says}")
    return found


def _conflicts(unit: Unit, guidance: Guidance) -> list[str]:
    return [f"{name}: {guidance.conflicts[name].title}. {guidance.conflicts[name].says}" for name in unit.conflicts]


def _cited(unit: Unit, guidance: Guidance) -> list[dict[str, Any]]:
    """Each statement with the source that it stands in; then each newer source, apart from them."""
    system = local(guidance.module, "ivig-statement")
    found = []
    for name in unit.statements:
        source = guidance.sources[guidance.statements[name].source]
        found.append(
            {
                "type": "citation",
                "label": name,
                "display": f"{source.short} ({source.standing_says})",
                "document": {"url": f"{system}#{name}"},
                "resource": citation_canonical(guidance, source.id),
            }
        )
    for name in unit.newer:
        for source_id in guidance.newer[name].sources:
            newer = guidance.newer_sources[source_id]
            display = newer.short or newer.title
            resource = citation_canonical(guidance, source_id)
            found.append({"type": "documentation", "label": name, "display": display, "resource": resource})
    return found


def _variable(role: str, name: str) -> dict[str, Any]:
    reference = {"reference": f"EvidenceVariable/{name}"}
    kind = coding(f"{THO}/variable-role", role, _ROLES.get(role, role))
    return {"variableRole": concept(kind), "intended": reference}


def _certainty(rating: Rating, guidance: Guidance) -> dict[str, Any]:
    """One grade of evidence of one source: its words; a code only where a reading of that source's is declared."""
    source = guidance.sources[guidance.statements[rating.statement].source]
    overall = coding("http://hl7.org/fhir/certainty-type", "Overall", "Overall certainty")
    found: dict[str, Any] = {
        "description": rating.wording,
        "note": [_note(rating.statement)],
        "type": concept(overall, text=rating.kind),
    }
    code = guidance.certainty.code_of(source.id, rating.wording)
    if code:
        found["note"].append(_note(guidance.certainty.says))
        found["rating"] = concept(coding(_RATING, code, f"{_GRADES[code]} quality"))
    return found | {"rater": _rater(rating, guidance)}


def _said(rating: Rating, guidance: Guidance) -> str:
    """A strength of recommendation or a practice, in its source's words."""
    return f"{rating.kind} “{rating.wording}” [{rating.statement}], by {_rater(rating, guidance)}"


def _rater(rating: Rating, guidance: Guidance) -> str:
    source = guidance.sources[guidance.statements[rating.statement].source]
    return f"{source.id}: {source.short} ({source.standing_says})"


def _statistic(figure: Figure, guidance: Guidance) -> dict[str, Any]:
    """A figure as its source prints it; a range has no quantity of its own."""
    source = guidance.sources[guidance.statements[figure.statement].source]
    notes = [f"{figure.statement}: {source.short} ({source.standing_says})"]
    low, _, high = figure.value.partition("-")
    amount: dict[str, Any] = {"quantity": _quantity(low, figure.unit)}
    if high:
        bounds = {"low": _quantity(low, figure.unit), "high": _quantity(high, figure.unit)}
        amount = {"attributeEstimate": [{"description": "range as printed", "range": bounds}]}
    size = {} if figure.of == UNCLEAR else {"sampleSize": {"description": figure.of}}
    if figure.of == UNCLEAR:
        notes.append("denominator unclear")
    kind = _statistic_type(figure)
    if kind["coding"][0]["code"] == _NARRATIVE[0]:
        notes.append(_NO_ESTIMATE)
    said = {"description": figure.what, "note": [_note(text) for text in notes], "statisticType": kind}
    order = ("description", "note", "statisticType", "quantity", "sampleSize", "attributeEstimate")
    found = said | amount | size
    return {key: found[key] for key in order if key in found}


def _statistic_type(figure: Figure) -> dict[str, Any]:
    """What kind of figure it is: a share; a median where the source says so; else what a narrative reports."""
    name = "median" if figure.what.startswith("median ") else figure.unit
    return concept(coding(f"{THO}/statistic-type", *_STATISTICS.get(name, _NARRATIVE)))


def _quantity(value: str, unit: str) -> dict[str, Any]:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit}
