"""What a card says of one unit: heading, ratings, its sentence, newer evidence, grams, results, what it outranks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby

from ivig_fhir.cds_hooks.selection import CAUTION, NOTICE, POOR_RESPONSE, TopicCard
from ivig_fhir.engine.apply import CONDITIONAL, Finding, Missing
from ivig_fhir.knowledge.content import Content, Word
from ivig_fhir.knowledge.plans import Unit

PRIMARY = "seen-in-primary"
LEADING = ("contradicts", "supersedes")  # what newer evidence must do to stand before the source


def unit_text(
    finding: Finding,
    card: TopicCard,
    content: Content,
    questions: Mapping[Missing, int],
    told: frozenset[str] = frozenset(),
) -> str:
    """What a card says of one unit; `questions`: the numbers of the facts that the card asks for; `told`: the newer
    evidence that stands on the card already."""
    unit = finding.unit
    if unit.kind == NOTICE:
        return unit.says
    if finding.applicability == CONDITIONAL:
        numbers = ", ".join(f"({number})" for number in sorted(questions[item] for item in finding.missing))
        head = content.phrase(
            "unit-conditional", title=unit.title, direction=_direction(unit, content), questions=numbers
        )
    else:
        head = _head(unit, content)
    more: list[str] = []
    if finding.dose and not stripped(finding, card):
        more.append(
            content.phrase(
                "dose",
                amount=f"{unit.amount.value} {unit.amount.unit}" if unit.amount else "",
                kilograms=finding.dose.kilograms,
                grams=finding.dose.grams,
            )
        )
    more += [*_results(finding, content), *_above(unit, card, content)]
    return "\n".join([head, *_always_said(unit, content, told & set(unit.newer)), *(f"- {line}" for line in more)])


@lru_cache(maxsize=1024)
def _head(unit: Unit, content: Content) -> str:
    return content.phrase("unit-applies", title=unit.title, direction=_direction(unit, content))


def _direction(unit: Unit, content: Content) -> str:
    return content.phrase("caution") if unit.kind == CAUTION else content.directions[unit.direction].display


@lru_cache(maxsize=1024)
def _always_said(unit: Unit, content: Content, told: frozenset[str]) -> tuple[str, ...]:
    """The lines of a unit whatever the record: ratings, its own sentence, newer evidence (first where it leads)."""
    ratings = _ratings(unit, content)
    items = [content.newer[name] for name in unit.newer if name not in told]
    leads = any(item.one("relation") in LEADING for item in items)
    newer = [_newer(item, content) for item in items]
    ordered = (ratings, *newer, unit.says) if leads else (ratings, unit.says, *newer)
    return tuple(f"- {line}" for line in ordered if line)


def _ratings(unit: Unit, content: Content) -> str:
    """The words of each source, in the unit's order; a source is named once for those that follow one another."""
    sources = [
        (source, ", ".join(content.phrase("quoted", wording=item.wording) for item in items))
        for source, items in groupby(unit.ratings, key=lambda item: item.source)
    ]
    return " · ".join(content.phrase("rating", source=source, wordings=wordings) for source, wordings in sources)


def _results(finding: Finding, content: Content) -> list[str]:
    """One line with the newest results that a unit repeats, as recorded; one for the days since each date."""
    lines = [
        content.phrase("result" if date else "result-undated", title=title, value=value, date=date)
        for title, value, date, _ in finding.results
        if value
    ]
    counted = [item for item in finding.results if item.days is not None]
    days = [content.phrase("days-since", title=item.title, days=item.days, date=item.date) for item in counted]
    return [*([content.phrase("results", results="; ".join(lines))] if lines else []), *days]


def _newer(word: Word, content: Content) -> str:
    """Evidence beside the sources, called newer only if it is; what was seen only in a secondary source says so."""
    name = "newer" if word.one("younger") else "elsewhere"
    seen = name if word.one("confidence") == PRIMARY else f"{name}-secondary"
    return content.phrase(seen, text=word.definition)


def _above(unit: Unit, card: TopicCard, content: Content) -> list[str]:
    """One line that names what a unit outranks; over diseases it asks which of them it is."""
    outranked = card.outranked.get(unit.id)
    if not outranked:
        return []
    name = "outranks" if all(item.topic == unit.topic for item in outranked) else "outranks-other-disease"
    return [
        content.phrase(
            name, titles="; ".join(f"{content.topics[item.topic].display}: {item.title}" for item in outranked)
        )
    ]


def stripped(finding: Finding, card: TopicCard) -> bool:
    """Whether grams are left out: beside a poor response, and of a unit that yields to another one that stands."""
    poor = any(item.unit.direction == POOR_RESPONSE for item in card.standing)
    return poor or bool(card.outranking(finding.unit))
