"""Sources, their references and the newer evidence in use -> Citation (R5 only; RS-60)."""

from __future__ import annotations

import re
from typing import Any

from ivig_fhir.authoring.artefacts import artefact
from ivig_fhir.authoring.guidance import Guidance, NewerSource, Source, SourceReference
from ivig_fhir.fhir import Resource, canonical, concept

_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s;,]+[^\s;,.)])")
_PMID = re.compile(r"\bPMID:? (\d+)")
DANGLING = "dangling"


def citations(guidance: Guidance) -> list[Resource]:
    """One Citation per source, per entry of its reference list that exists, and per newer source that a unit uses."""
    found = []
    for source in guidance.sources.values():
        found.append(_source(source, guidance))
        found += [_reference(item, source, guidance) for item in _existing(source)]
    used = {name: None for topic in guidance.topics for unit in topic.units for name in unit.newer}
    newer = {name: None for item in used for name in guidance.newer[item].sources}
    return found + [_newer(guidance.newer_sources[name], guidance) for name in newer]


def citation_canonical(guidance: Guidance, identifier: str) -> str:
    """The versioned canonical of a Citation."""
    return f"{canonical(guidance.module.base, 'Citation', identifier)}|{guidance.module.version}"


def _existing(source: Source) -> list[SourceReference]:
    return [item for item in source.references if item.resolved != DANGLING and item.citation]


def _reference_id(source: Source, item: SourceReference) -> str:
    return f"{source.id}-ref-{item.marker}"


def _source(source: Source, guidance: Guidance) -> Resource:
    standing = {"type": concept(text="standing"), "classifier": [concept(text=item) for item in source.standing]}
    notes = [source.appraisal, *([f"Successor: {source.successor}"] if source.successor else [])]
    notes += [f"[{item.marker}] {item.says}" for item in source.references if item not in _existing(source)]
    cited = _artifact(source.title, source.date, source.url)
    entries = [
        {
            "type": "cites",
            "label": f"[{item.marker}]",
            "citation": item.citation,
            "resource": citation_canonical(guidance, _reference_id(source, item)),
        }
        for item in _existing(source)
    ]
    if entries:
        cited = _before(cited, "relatesTo", entries)
    cited["note"] = [{"text": f"SHA-256 of the text that was read: {source.sha256}"}]
    description = f"{source.short}; publisher: {source.publisher}; {source.standing_says}."
    return artefact(
        guidance.module,
        ("Citation", source.id),
        source.title,
        description,
        classification=[standing],
        note=[{"text": text} for text in notes],
        citedArtifact=cited,
    )


def _reference(item: SourceReference, source: Source, guidance: Guidance) -> Resource:
    description = f"Entry [{item.marker}] of the reference list of {source.id}. {item.says}"
    cited = _artifact(item.citation, item.year, "", item.citation)
    return artefact(
        guidance.module, ("Citation", _reference_id(source, item)), item.citation, description, citedArtifact=cited
    )


def _newer(item: NewerSource, guidance: Guidance) -> Resource:
    description = f"None of the module's sources, and apart from them; read in a {item.seen} publication."
    summary = [{"text": item.citation}] if item.citation else []
    more: dict[str, Any] = {
        "summary": summary,
        "citedArtifact": _artifact(item.title, item.year, item.url, item.citation),
    }
    return artefact(
        guidance.module,
        ("Citation", item.id),
        item.title,
        description,
        **{key: value for key, value in more.items() if value},
    )


def _artifact(title: str, date: str, url: str, citation: str = "") -> dict[str, Any]:
    identifiers = [{"system": "https://doi.org", "value": value} for value in _DOI.findall(f"{citation} {url}")]
    identifiers += [{"system": "https://pubmed.ncbi.nlm.nih.gov", "value": value} for value in _PMID.findall(citation)]
    unique = list({(item["system"], item["value"]): item for item in identifiers}.values())
    found: dict[str, Any] = {
        "identifier": unique,
        "title": [{"text": title}],
        "publicationForm": [{"articleDate": date}] if date else [],
        "webLocation": [{"url": url}] if url else [],
    }
    return {key: value for key, value in found.items() if value}


def _before(artifact: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The artifact with an element that stands behind its title."""
    head = {name: artifact[name] for name in ("identifier", "title") if name in artifact}
    return head | {key: value} | artifact
