"""What a unit's action carries in extensions: the module's own, and the ones that the field shares.

Strength of recommendation and quality of evidence stand as text that lists the sources, never merged; the
direction is coded only of a recommendation, and only where the required binding has a code for it (for, against): that
a source reports no effect, or what is done, advises nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ivig_fhir.authoring.artefacts import extension_url, local
from ivig_fhir.authoring.guidance import Guidance, Unit
from ivig_fhir.authoring.needs import Needs
from ivig_fhir.fhir import CORE, UCUM, coding, concept, extension

CPG = "http://hl7.org/fhir/uv/cpg"
RECOMMENDATION = "recommendation"  # the kind of unit that advises
# which kind of rating the field's own extension is for; a practice ("often used") is neither, and stays in ours
_STANDARD = {"recommendation-strength": "strengthOfRecommendation", "evidence-rating": "qualityOfEvidence"}


def citation(statement: str, guidance: Guidance) -> dict[str, str]:
    """The RelatedArtifact of a statement: label = its id, display = its source and how that stands."""
    source = guidance.sources[guidance.statements[statement].source]
    url = f"{local(guidance.module, 'ivig-statement')}#{statement}"
    return {"type": "citation", "label": statement, "display": f"{source.short} ({source.standing_says})", "url": url}


def unit_extensions(unit: Unit, guidance: Guidance, needs: Needs, opens: dict[str, Any] | None) -> list[dict[str, Any]]:
    """All extensions of a unit's action; `opens` is the Expression under which a line opens a card."""
    module = guidance.module
    shown = [extension("kind", valueCode=unit.kind), extension("how", valueCode=unit.shown)]
    shown.append(extension("intervention", valueString=unit.intervention))
    if unit.reader:
        shown.append(extension("reader", valueCode=unit.reader))
    shown += [extension("with", valueId=name) for name in unit.with_units]
    shown += [extension("anchor", valueId=name) for name in unit.anchors]
    if opens:
        shown.append(extension("opensWhen", valueExpression=opens))
    shown += [extension("prints", valueExpression=needs.printed(name)) for name in unit.prints]
    found = [*_standard(unit, guidance), extension(extension_url(module, "ivig-shown"), extension=shown)]
    for rating in unit.ratings:
        parts = [
            extension("source", valueCode=guidance.statements[rating.statement].source),
            extension("kind", valueCode=rating.kind),
            extension("wording", valueString=rating.wording),
            extension("statement", valueCode=rating.statement),
        ]
        found.append(extension(extension_url(module, "ivig-rating"), extension=parts))
    for name, ids in (
        ("ivig-conflict", unit.conflicts),
        ("ivig-newer", unit.newer),
        ("ivig-yields-to", unit.yields_to),
    ):
        found += [extension(extension_url(module, name), valueCode=identifier) for identifier in ids]
    if unit.amount:
        found.append(_stated_amount(unit.amount, guidance, needs))
    return found


def _standard(unit: Unit, guidance: Guidance) -> list[dict[str, Any]]:
    """cqf-strengthOfRecommendation, cqf-qualityOfEvidence (each once) and cpg-directionOfRecommendation."""
    by_kind: dict[str, list[str]] = {}
    for rating in unit.ratings:
        by_kind.setdefault(rating.kind, []).append(f"{guidance.statements[rating.statement].source}: {rating.wording}")
    found = [
        extension(f"{CORE}/cqf-{name}", valueCodeableConcept=concept(text="; ".join(by_kind[kind])))
        for kind, name in _STANDARD.items()
        if kind in by_kind
    ]
    if unit.kind == RECOMMENDATION and unit.direction in ("for", "against"):
        code = concept(
            coding(f"{CPG}/CodeSystem/cpg-recommendation-direction-cs", unit.direction, unit.direction.capitalize())
        )
        found.append(extension(f"{CPG}/StructureDefinition/cpg-directionOfRecommendation", valueCodeableConcept=code))
    return found


def _stated_amount(amount: tuple[str, str, str], guidance: Guidance, needs: Needs) -> dict[str, Any]:
    value, unit, weight = amount
    quantity = {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit}
    parts = [
        extension("amount", valueQuantity=quantity),
        extension("weight", valueId=needs.weight(weight).removeprefix("%")),
    ]
    return extension(extension_url(guidance.module, "ivig-stated-amount"), extension=parts)
