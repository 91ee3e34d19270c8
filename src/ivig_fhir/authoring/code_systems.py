"""Sources, statements, conflicts, phrases and the other words of cards -> CodeSystem (R4)."""

from __future__ import annotations

from ivig_fhir.authoring.code_system import code_system, entry
from ivig_fhir.authoring.dating import younger
from ivig_fhir.authoring.evidence_base import Hint
from ivig_fhir.authoring.guidance import Guidance
from ivig_fhir.authoring.regimens import regimens
from ivig_fhir.fhir import Resource, canonical


def code_systems(guidance: Guidance) -> list[Resource]:
    """All local code systems."""
    return [
        _sources(guidance),
        _statements(guidance),
        _conflicts(guidance),
        _newer(guidance),
        regimens(guidance),
        _hints(guidance),
        _phrases(guidance),
        _defaults(guidance),
        _hooks(guidance),
        _topics(guidance),
        _directions(guidance),
        _scales(guidance),
        _overrides(guidance),
        _weight_units(guidance),
    ]


def _sources(guidance: Guidance) -> Resource:
    concepts = [
        entry(
            item.id,
            item.short,
            item.appraisal,
            title=item.title,
            publisher=item.publisher,
            date=item.date,
            url=item.url,
            standing=item.standing,
            standing_says=item.standing_says,
            for_patients=item.for_patients,
            successor=item.successor,
            sha256=item.sha256,
            reference=[f"[{reference.marker}] {reference.says}" for reference in item.references],
        )
        for item in guidance.sources.values()
    ]
    return code_system(
        guidance, "ivig-source", "Sources", "The documents that the guidance rests on, with their standing.", concepts
    )


def _statements(guidance: Guidance) -> Resource:
    concepts = [
        entry(
            item.id,
            f"{guidance.sources[item.source].short}, {item.kind}",
            item.says,
            source=item.source,
            kind=item.kind,
            lines=", ".join(item.lines),
            strength=item.strength,
            cites=item.cites,
            not_encoded=item.not_encoded,
        )
        for item in guidance.statements.values()
    ]
    return code_system(
        guidance, "ivig-statement", "Statements", "What the sources say, sentence by sentence, reworded.", concepts
    )


def _conflicts(guidance: Guidance) -> Resource:
    concepts = [
        entry(
            item.id,
            item.title,
            item.says,
            **{"class": item.kind},
            handling=item.handling,
            side=[" ".join(side) for side in item.sides],
        )
        for item in guidance.conflicts.values()
    ]
    return code_system(
        guidance,
        "ivig-conflict",
        "Conflicts",
        "Where the sources disagree with each other or with themselves.",
        concepts,
    )


def _newer(guidance: Guidance) -> Resource:
    concepts = []
    for item in guidance.newer.values():
        origins = [guidance.newer_sources[name] for name in item.sources]
        concepts.append(
            entry(
                item.id,
                ", ".join(origin.short or origin.title for origin in origins),
                item.says,
                relation=item.relation,
                confidence=item.confidence,
                warns=item.warns,
                about=item.about,
                year=max(origin.year for origin in origins),
                younger="yes" if younger(item, guidance) else "",
                citation=[origin.citation or origin.title for origin in origins],
                url=[origin.url for origin in origins],
            )
        )
    return code_system(
        guidance,
        "ivig-newer",
        "Newer evidence",
        "Evidence younger or stronger than the sources; it stands beside them.",
        concepts,
    )


def _hints(guidance: Guidance) -> Resource:
    concepts = [
        entry(
            item.id,
            item.says,
            path=item.path,
            match=item.match,
            phrase=item.phrases,
            read_beside=_read_beside(guidance, item) if item.path == "Condition.code" else (),
        )
        for item in guidance.hints.values()
    ]
    absent = "absent, or without a code that this module reads"
    concepts.append(entry("unreadable", absent, negation=guidance.negations))
    return code_system(
        guidance,
        "ivig-hint",
        "Hints",
        "Codes that the record's door gives to texts and to unreadable elements.",
        concepts,
    )


def _read_beside(guidance: Guidance, hint: Hint) -> list[str]:
    return [canonical(guidance.module.base, "ValueSet", name) for name in (*guidance.read_beside, *hint.beside)]


def _phrases(guidance: Guidance) -> Resource:
    concepts = [entry(item.id, item.says, "", patient=item.patient) for item in guidance.phrases]
    return code_system(guidance, "ivig-phrase", "Phrases", "The connecting words of cards.", concepts)


def _defaults(guidance: Guidance) -> Resource:
    concepts = [
        entry(item.id, f"{item.value} {item.unit}", item.says, value=item.value, unit=item.unit)
        for item in guidance.module.defaults
    ]
    return code_system(
        guidance,
        "ivig-default",
        "Declared defaults",
        "Numbers that no source gives; marked † wherever printed.",
        concepts,
    )


def _hooks(guidance: Guidance) -> Resource:
    concepts = [entry(item.name, item.title, item.description) for item in guidance.module.hooks]
    return code_system(guidance, "ivig-hook", "Hooks", "The CDS Hooks that the module serves.", concepts)


def _topics(guidance: Guidance) -> Resource:
    concepts = [entry(item.id, item.title, item.description) for item in guidance.topics]
    return code_system(
        guidance, "ivig-topic", "Topics", "The topics of the module, in the order of its cards.", concepts
    )


_DIRECTIONS = ("for", "against", "equivalent", "insufficient-evidence", "poor-response", "none")


def _directions(guidance: Guidance) -> Resource:
    words = {phrase.id: phrase.says for phrase in guidance.phrases}
    concepts = [entry(name, words[f"direction-{name}"]) for name in _DIRECTIONS]
    return code_system(guidance, "ivig-direction", "Directions", "Which way a unit points.", concepts)


def _scales(guidance: Guidance) -> Resource:
    codes = {
        code.code: code
        for concept in guidance.concepts.values()
        for code in concept.codes
        if code.system == "ivig-scales"
    }
    concepts = [entry(code.code, code.display, code.note) for code in codes.values()]
    return code_system(
        guidance, "ivig-scales", "Scales", "Scales for which no LOINC or SNOMED CT code was found.", concepts
    )


def _overrides(guidance: Guidance) -> Resource:
    concepts = [entry(item.id, item.says) for item in guidance.module.override_reasons]
    return code_system(guidance, "ivig-override", "Override reasons", "Why a clinician may set a card aside.", concepts)


def _weight_units(guidance: Guidance) -> Resource:
    concepts = [entry(item.code, item.code, kilograms=item.kilograms) for item in guidance.module.weight_units]
    return code_system(
        guidance,
        "ivig-weight-unit",
        "Units of weight",
        "UCUM units of body weight that are read, in kilograms.",
        concepts,
    )
