"""Which evidence beside the sources may be called newer: what is younger than the work that they rest on."""

from __future__ import annotations

from ivig_fhir.authoring.evidence_base import Newer, Statement
from ivig_fhir.authoring.guidance import Guidance


def younger(item: Newer, guidance: Guidance) -> bool:
    """Whether its latest publication is of a later year than each dated statement that it is about; without a dated
    one that cannot be said."""
    dated = [year for name in item.about if (year := _rests_on(guidance.statements[name], guidance))]
    return bool(dated) and max(guidance.newer_sources[name].year for name in item.sources) > max(dated)


def _rests_on(statement: Statement, guidance: Guidance) -> str:
    """The year of the earliest work that a statement cites, else that of its source; empty where none is known."""
    source = guidance.sources[statement.source]
    if not statement.cites:
        return source.date[:4]
    cited = [entry.year for entry in source.references if entry.marker in statement.cites and entry.year]
    return min(cited, default="")
