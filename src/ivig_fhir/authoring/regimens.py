"""Regimens of labels, guidelines and trials -> CodeSystem ivig-regimen (R4); nothing else refers to it.

Unreviewed and from outside the sources: read by the pages for professionals alone, by no plan, card or order.
"""

from __future__ import annotations

from ivig_fhir.authoring.code_system import code_system, entry
from ivig_fhir.authoring.guidance import Guidance, Regimen
from ivig_fhir.fhir import Resource


def regimens(guidance: Guidance) -> Resource:
    """The code system: display = the regimen, definition = its note, the rest as properties."""
    concepts = [_concept(item, guidance) for item in guidance.regimens]
    return code_system(
        guidance,
        "ivig-regimen",
        "Regimens elsewhere, unreviewed",
        "What labels, guidelines, stewardship programmes and trials outside the sources print; no clinician has "
        "reviewed it, no card shows it, and no order takes anything from it.",
        concepts,
    )


def _concept(item: Regimen, guidance: Guidance) -> dict[str, object]:
    source = guidance.newer_sources[item.source]
    return entry(
        item.id,
        in_words(item),
        item.note,
        topic=item.topic,
        disease=item.disease,
        phase=item.phase,
        population=item.population,
        product=item.product,
        dose=item.dose,
        unit=item.unit,
        days=item.days,
        weeks=item.weeks,
        rate_initial=item.rate_initial,
        rate_max=item.rate_max,
        against=item.against,
        standing=item.status,  # status is a property of FHIR itself, a code
        source=item.source,
        source_says=source.short or source.title,
        citation=source.citation or source.title,
        year=source.year,
        url=source.url,
        confidence=item.confidence,
    )


def in_words(item: Regimen) -> str:
    """The regimen in a line: '2 g/kg over 2–5 days, every 3 weeks'; '1 day' and 'every week' in the singular."""
    amount = item.instead_of_dose or f"{_printed(item.dose)} {item.unit}"
    if item.given_as:
        amount += f", as {item.given_as}"
    elif item.days:
        amount += " in 1 day" if item.days == "1" else f" over {_printed(item.days)} days"
    if not item.weeks:
        return amount
    return f"{amount}, every " + ("week" if item.weeks == "1" else f"{_printed(item.weeks)} weeks")


def _printed(figure: str) -> str:
    """A figure or a range with the dash that pages print."""
    return figure.replace("-", "–")
