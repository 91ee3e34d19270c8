"""The text of a card: GitHub-flavoured Markdown put together from definitions; no sentence stands here.

Order: which sources and how they stand; what was not evaluated; what would clear up the conditional units; the
units; what the sources disagree on; what the units rest on in this record; the closing line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ivig_fhir.cds_hooks.context import PATIENT
from ivig_fhir.cds_hooks.selection import NOTICE, TopicCard
from ivig_fhir.cds_hooks.unit_wording import stripped, unit_text
from ivig_fhir.engine.apply import Because, Finding, Missing
from ivig_fhir.engine.plain_text import plain
from ivig_fhir.engine.results import allergy_words
from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import Unit

SAFETY = "safety"


@dataclass(frozen=True)
class Setting:
    """What the text of a card depends on besides its findings."""

    reader: str
    evaluated_on: str
    not_evaluated: tuple[str, ...] = ()
    not_used: tuple[str, ...] = ()
    mapped: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # reference -> codes read through the site's map
    drafted: bool = True  # on an order hook; elsewhere a unit speaks of an order that runs


def detail(card: TopicCard, content: Content, setting: Setting) -> str:
    """The detail of a card."""
    if setting.reader == PATIENT:
        return _patient_detail(card, content, setting)
    questions = _questions(card)
    blocks = [
        _sources(card.units, content),
        _not_evaluated(content, setting),
        _to_clear_up(questions, content),
        *(unit_text(finding, card, content, questions, told) for finding, told in _in_turn(card)),
        _conflicts(card.units, content),
        _based_on(card, content, setting.drafted),
        _mapped(card, content, setting),
        _also(card, content),
        _silenced(card, content),
        content.phrase("closing", date=setting.evaluated_on),
    ]
    return "\n\n".join(block for block in blocks if block)


def _in_turn(card: TopicCard) -> Iterator[tuple[Finding, frozenset[str]]]:
    """Each finding of a card with the newer evidence that those before it have told: it is printed once."""
    told: frozenset[str] = frozenset()
    for finding in card.findings:
        yield finding, told
        told |= set(finding.unit.newer)


def headline(finding: Finding, content: Content) -> str:
    """Topic and title of a unit; of one that is open, that it is to be clarified."""
    name = "summary" if finding.applies else "summary-conditional"
    return content.phrase(name, topic=content.topics[finding.unit.topic].display, unit=finding.unit.title)


def _patient_detail(card: TopicCard, content: Content, setting: Setting) -> str:
    patients = frozenset(name for name, word in content.sources.items() if word.one("for-patients"))
    told = [finding for finding in card.findings if finding.unit.kind != NOTICE]
    blocks = [_sources(card.units, content, patients), *(finding.unit.patient for finding in card.findings)]
    if not all(finding.applies for finding in told):
        blocks.insert(1, content.phrase("patient-open"))
    return "\n\n".join([*blocks, content.phrase("closing", date=setting.evaluated_on)])


@lru_cache(maxsize=1024)
def _sources(units: tuple[Unit, ...], content: Content, only: frozenset[str] | None = None) -> str:
    used = {content.statements[name].one("source") for unit in units for name in unit.statements}
    lines = [
        content.phrase("source-line", id=name, short=word.display, standing=word.one("standing-says"))
        for name, word in content.sources.items()
        if name in used and (only is None or name in only)
    ]
    return content.phrase("sources-used", sources="; ".join(lines)) if lines else ""


def _not_evaluated(content: Content, setting: Setting) -> str:
    blocks = []
    if setting.not_evaluated:
        blocks.append(content.phrase("not-evaluated", keys=", ".join(setting.not_evaluated)))
    if setting.not_used:
        blocks.append(content.phrase("data-not-used", reasons=plain("; ".join(setting.not_used))))
    return "\n\n".join(blocks)


def _questions(card: TopicCard) -> dict[Missing, int]:
    """Every missing fact of the card, numbered in order of appearance; of a notice nothing is asked."""
    asking = (finding for finding in card.findings if finding.unit.kind != NOTICE)
    facts = dict.fromkeys(item for finding in asking for item in finding.missing)
    return {item: number for number, item in enumerate(facts, 1)}


@lru_cache(maxsize=1024)
def _conflicts(units: tuple[Unit, ...], content: Content) -> str:
    """By its title where both sides stand on the card, or where it bears on safety; the rest by number."""
    present = {name for unit in units for name in unit.statements}
    printed, named = [], []
    for identifier in dict.fromkeys(name for unit in units for name in unit.conflicts):
        word = content.conflicts[identifier]
        sides = _sides(identifier, content)
        if word.one("class") == SAFETY or (len(sides) > 1 and all(side & present for side in sides)):
            printed.append(content.phrase("conflict", id=identifier, text=word.display))
        else:
            named.append(identifier)
    if named:
        printed.append(content.phrase("conflicts-elsewhere", ids=", ".join(sorted(named))))
    return content.phrase("conflicts", conflicts=" · ".join(printed)) if printed else ""


@lru_cache(maxsize=1024)
def _sides(conflict: str, content: Content) -> tuple[frozenset[str], ...]:
    """The statements on each side of a conflict."""
    return tuple(frozenset(side.split()) for side in content.conflicts[conflict].properties.get("side", ()))


def _based_on(card: TopicCard, content: Content, drafted: bool) -> str:
    """Each resource once, with its date: as the order in question, else by the first criterion that it leaves open,
    else by the first that it meets; the patient's own data left out."""
    names: dict[int, str] = {}  # each resource speaks for many units
    facts: dict[str, list[Because]] = {}
    weighed = {}
    for finding in card.findings:
        for because in finding.because:
            for resource in because.resources:
                if resource.get("resourceType") != "Patient":
                    name = names.get(id(resource)) or names.setdefault(id(resource), _named(resource, card, content))
                    facts.setdefault(name, []).append(because)
        if finding.dose and not stripped(finding, card):
            weighed[_named(finding.dose.weight, card, content)] = content.phrase("weight-used")
    said = {name: criterion_text(min(found, key=_telling), content, drafted) for name, found in facts.items()}
    lines = [content.phrase("fact", criterion=text, reference=name) for name, text in (said | weighed).items()]
    return content.phrase("based-on", facts="; ".join(lines)) if lines else ""


def _named(resource: Resource, card: TopicCard, content: Content) -> str:
    """The reference of a resource with its date; of an allergy with what was recorded, which no unit grades."""
    reference, day = card.cited(resource)
    words = allergy_words(resource) if resource.get("resourceType") == "AllergyIntolerance" else ""
    more = "; ".join(item for item in (day, words and content.phrase("as-recorded", words=words)) if item)
    return f"{plain(reference)} ({more})" if more else plain(reference)


def _telling(because: Because) -> tuple[bool, bool]:
    """What is open goes before what is met: a suspected disease is not to be read as a confirmed one."""
    return (not because.occasion, because.settled)


def _mapped(card: TopicCard, content: Content, setting: Setting) -> str:
    """Which facts of the card were read through the site's code map."""
    if not setting.mapped:
        return ""
    facts = [resource for finding in card.findings for because in finding.because for resource in because.resources]
    facts += [finding.dose.weight for finding in card.findings if finding.dose]
    codes = dict.fromkeys(code for resource in facts for code in setting.mapped.get(reference_to(resource), ()))
    return content.phrase("mapped", codes="; ".join(codes)) if codes else ""


def criterion_text(because: Because, content: Content, drafted: bool) -> str:
    """A criterion as the card names it, said to be open if it is; the order that a unit speaks of, drafted or running,
    in the same words throughout."""
    if because.occasion:
        return content.phrase("order-in-question" if drafted else "order-running")
    return because.criterion if because.settled else content.phrase("fact-open", criterion=because.criterion)


def _to_clear_up(questions: dict[Missing, int], content: Content) -> str:
    if not questions:
        return ""
    return content.phrase(
        "to-clear-up", questions=" ".join(_question(item, number, content) for item, number in questions.items())
    )


def _question(item: Missing, number: int, content: Content) -> str:
    fact = item.fact
    if item.reason == "not-available":
        fact = content.phrase("not-available", criterion=item.fact, input=item.input)
    return content.phrase("question", number=number, fact=fact)


def _also(card: TopicCard, content: Content) -> str:
    lines: Iterable[str] = (headline(item, content) for item in card.also)
    return content.phrase("also", lines="; ".join(lines)) if card.also else ""


def _silenced(card: TopicCard, content: Content) -> str:
    """What a setting of the site kept off the card, and on the last card the topics that it kept off altogether."""
    titles = [finding.unit.title for finding in card.silenced if finding.unit.kind != NOTICE]
    lines = [*titles, *(content.topics[topic].display for topic in card.silenced_topics)]
    return content.phrase("silenced", lines="; ".join(lines)) if lines else ""
