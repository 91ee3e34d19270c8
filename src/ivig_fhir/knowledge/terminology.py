"""Which codes a value set holds, which names a code system goes by, and what a text hints at."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    path: str
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
    """Reads texts for phrases: no code beside a text may be one that the hint does not name (`beside`)."""

    system: str
    phrases: tuple[_Phrases, ...]
    negation: re.Pattern[str]

    def read(self, path: str, text: str, known: Iterable[Code]) -> list[Code]:
        """The hint codes of a text at an element path such as 'Condition.code'; `known`: the codes beside it."""
        negated = self.negation.search(text) is not None
        return [
            (self.system, item.code)
            for item in self.phrases
            if item.path == path and item.beside.issuperset(known) and item.found_in(text, negated)
        ]

    @property
    def unreadable(self) -> Code:
        """The code of an element that is absent or has no code of a system that is read."""
        return (self.system, UNREADABLE)


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
    marker = concepts[UNREADABLE]
    phrases = tuple(
        _Phrases(
            code,
            property_values(item, "path")[0],
            bool(property_values(item, "match")),
            _pattern(property_values(item, "phrase")),
            _read_beside(definitions, item),
        )
        for code, item in concepts.items()
        if code != UNREADABLE
    )
    return Hints(system["url"], phrases, _pattern(property_values(marker, "negation")))


def _read_beside(definitions: Definitions, hint: Resource) -> frozenset[Code]:
    named = property_values(hint, "read-beside")
    return frozenset().union(*(members(definitions.resolve(url, "CodeSystem/ivig-hint")) for url in named))
