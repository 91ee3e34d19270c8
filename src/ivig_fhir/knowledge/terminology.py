"""Which codes a value set holds, which names a code system goes by, and what a text hints at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from ivig_fhir import fhir
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.repository import Definitions
from ivig_fhir.problems import Issue, Outcome, Problem

Code = tuple[str, str]  # system, code

UNREADABLE = "unreadable"

# Other names under which EHRs send the same code systems.
_ALIASES = {
    "urn:oid:2.16.840.1.113883.6.90": fhir.ICD10CM,
    "urn:oid:2.16.840.1.113883.6.96": fhir.SCT,
    "urn:oid:2.16.840.1.113883.6.88": fhir.RXNORM,
    "urn:oid:2.16.840.1.113883.6.1": fhir.LOINC,
    "http://loinc.org/": fhir.LOINC,
    "https://loinc.org": fhir.LOINC,
    "http://snomed.info/sct/": fhir.SCT,
}


def system_of(uri: str) -> str:
    """The canonical URI of a code system that may come under another name."""
    return _ALIASES.get(uri, uri)


def members(value_set: Resource) -> frozenset[Code]:
    """The codes of an expanded value set. Raises Problem('definitions') when there are none."""
    contains = value_set.get("expansion", {}).get("contains", ())
    codes = frozenset((item.get("system", ""), item["code"]) for item in contains if "code" in item)
    if not codes:
        message = "has no expansion, or an empty one"
        raise Problem(
            "definitions", Outcome((Issue(f"ValueSet/{value_set['id']}", message, rule="value-set-not-empty"),))
        )
    return codes


@dataclass(frozen=True)
class _Phrases:
    code: str
    whole: bool
    pattern: re.Pattern[str]
    beside: frozenset[Code]

    def found_in(self, text: str, negated: bool) -> bool:
        """Whether the text is the phrase (`whole`), or holds it and no negation."""
        if self.whole:
            return self.pattern.fullmatch(text.strip(" .")) is not None
        return not negated and self.pattern.search(text) is not None


@dataclass(frozen=True)
class Hints:
    """Reads texts for phrases: no code beside a text may be one that the hint does not name (`beside`).

    By (resource type, path): the phrases, and the codes that some of them may stand beside.
    `unreadable` is the code of an element that is absent or has no code of a system that is read.
    """

    system: str
    phrases: Mapping[tuple[str, str], tuple[_Phrases, ...]]
    beside: Mapping[tuple[str, str], frozenset[Code]]
    negation: re.Pattern[str]
    unreadable: Code

    def may_read(self, where: tuple[str, str], known: Set[Code]) -> bool:
        """Whether a text there, beside these codes, can mean anything: mostly not, and then none is searched."""
        return where in self.beside and known <= self.beside[where]

    def read(self, where: tuple[str, str], text: str, known: Set[Code]) -> list[Code]:
        """The hint codes of a text; `known`: the codes beside it."""
        negated = self.negation.search(text) is not None
        return [
            (self.system, item.code)
            for item in self.phrases.get(where, ())
            if known <= item.beside and item.found_in(text, negated)
        ]


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    words = [
        rf"\b{re.escape(item)}\b" if item[0].isalnum() else re.escape(item)
        for item in sorted(phrases, key=len, reverse=True)
    ]
    return re.compile("|".join(words) or r"(?!)", re.IGNORECASE)


def property_values(concept: Resource, name: str) -> list[str]:
    """The values of a property of a CodeSystem concept."""
    return [item["valueString"] for item in concept.get("property", ()) if item["code"] == name]


def load_hints(definitions: Definitions) -> Hints:
    """The hints of CodeSystem ivig-hint."""
    system = definitions.read("CodeSystem", "ivig-hint")
    concepts = {item["code"]: item for item in system["concept"]}
    phrases: dict[tuple[str, str], tuple[_Phrases, ...]] = {}
    for code, item in concepts.items():
        if code != UNREADABLE:
            read = _Phrases(
                code,
                bool(property_values(item, "match")),
                _pattern(property_values(item, "phrase")),
                _read_beside(definitions, item),
            )
            kind, _, path = property_values(item, "path")[0].partition(".")
            phrases[kind, path] = (*phrases.get((kind, path), ()), read)
    negation = _pattern(property_values(concepts[UNREADABLE], "negation"))
    beside = {where: frozenset[Code]().union(*(item.beside for item in items)) for where, items in phrases.items()}
    return Hints(system["url"], phrases, beside, negation, (system["url"], UNREADABLE))


def _read_beside(definitions: Definitions, hint: Resource) -> frozenset[Code]:
    named = property_values(hint, "read-beside")
    return frozenset().union(*(members(definitions.resolve(url, "CodeSystem/ivig-hint")) for url in named))
