"""Codes of HL7's terminology (terminology.hl7.org), where a package hl7.terminology is at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches

from ivig_fhir.fhir import THO
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import text
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.official import all_codes
from ivig_fhir.validation.packages import CorePackage
from ivig_fhir.validation.primitives import shortened
from ivig_fhir.validation.rules import layer
from ivig_fhir.validation.terminology import CODED, codes_at

rule = layer("official")


@dataclass(eq=False)
class Terminology:
    """The code systems of one package hl7.terminology, each read once."""

    package: CorePackage
    systems: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def codes(self, url: str) -> frozenset[str] | None:
        """The codes of a code system; None where the package does not have it complete, or case does not count."""
        if url not in self.systems:
            found = self.package.read(f"package/CodeSystem-{url.rpartition('/')[2]}.json") or {}
            listed = found.get("url") == url and found.get("content") == "complete" and found.get("caseSensitive")
            self.systems[url] = frozenset(all_codes(found.get("concept", ()))) if listed else None
        return self.systems[url]


@rule("terminology-code")
def code_of_hl7_exists(node: Node, terminology: Terminology) -> Iterator[Fault]:
    """A code is of a code system of HL7's terminology (http://terminology.hl7.org/CodeSystem/…), and the package
    hl7.terminology that is at hand has that code system complete, without the code. A later one may have it."""
    system = text(node.value, "system")
    known = terminology.codes(system) if node.type in CODED and system.startswith(f"{THO}/") else None
    for steps, _, code, _ in codes_at(node) if known else ():
        if known and code and code not in known:
            near = get_close_matches(code, known, 1, 0.6)
            seen = f"{code}, which the code system lacks ({terminology.package.label})"
            hint = f'"{near[0]}"?' if near else ""
            yield node.fault(*steps, seen=seen, allowed=shortened(", ".join(sorted(known)), 160), hint=hint)
