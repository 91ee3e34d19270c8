"""The official layer: HL7's own JSON Schema and required bindings, where a FHIR core package is at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jsonschema import Draft6Validator, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT6

from ivig_fhir.validation.elements import R4, R4B, differs
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import items, text
from ivig_fhir.validation.nodes import Artefact, Node
from ivig_fhir.validation.packages import CORE, CorePackage
from ivig_fhir.validation.primitives import json_name, shortened
from ivig_fhir.validation.rules import layer
from ivig_fhir.validation.schema import Fitting

rule = layer("official")

_SCHEMA = "urn:fhir-schema"
_NOT_LISTED = ("mimetypes", "all-languages", "ucum-units", "color-codes")  # value sets that are grammars
_OF_VERSION = ("resource-types", "all-types", "defined-types", "FHIR-version")  # R4B has others than R4
_OWN = "http://hl7.org/fhir/"  # those of terminology.hl7.org have grown since
Codes = frozenset[tuple[str, str]]  # system, code


@dataclass(eq=False)
class Official:
    """What one core package says; validators and bindings are made once for each type that is met."""

    package: CorePackage
    version: str
    validators: dict[str, Draft6Validator | None] = field(default_factory=dict)
    bindings: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    value_sets: dict[str, Codes | None] = field(default_factory=dict)
    systems: dict[str, frozenset[str] | None] = field(default_factory=dict)
    registry: Any = None

    @property
    def stands_in(self) -> bool:
        """Whether the package is of R4B and speaks for R4."""
        return self.version == R4 and CORE[R4] not in self.package.name

    @cached_property
    def fitting(self) -> Fitting:
        """The schema as functions; of no definition where the package has no schema."""
        return Fitting((self.package.schema or {}).get("definitions", {}))

    def validator(self, type_name: str) -> Draft6Validator | None:
        """The validator of one type's definition; None where the schema has none."""
        if type_name not in self.validators:
            self.validators[type_name] = self._validator(type_name)
        return self.validators[type_name]

    def _validator(self, type_name: str) -> Draft6Validator | None:
        schema = self.package.schema
        if schema is None or type_name not in schema["definitions"] or (self.stands_in and differs(type_name)):
            return None
        if self.registry is None:
            self.registry = Registry().with_resource(_SCHEMA, DRAFT6.create_resource(schema))
        return Draft6Validator({"$ref": f"{_SCHEMA}#/definitions/{type_name}"}, registry=self.registry)

    def bound(self, node_type: str, root: str) -> dict[str, str]:
        """element -> value set of the required bindings of a node type; `root` is the type whose file has them."""
        if root not in self.bindings:
            definition = self.package.read(f"package/StructureDefinition-{root}.json")
            self.bindings[root] = dict(_required(definition)) if isinstance(definition, dict) else {}
        return self.bindings[root].get(node_type, {})

    def codes(self, url: str) -> Codes | None:
        """The codes of a value set of the package; None where they cannot be listed."""
        if url not in self.value_sets:
            skipped = (*_NOT_LISTED, *(_OF_VERSION if self.stands_in else ()))
            self.value_sets[url] = None if url.endswith(skipped) else self._codes(url)
        return self.value_sets[url]

    def system(self, url: str) -> frozenset[str] | None:
        """The codes of a code system of FHIR itself; None where the package does not have it complete."""
        if url not in self.systems:
            found = self._definition("CodeSystem", url) if url.startswith(_OWN) and not self.stands_in else None
            listed = found is not None and found.get("content") == "complete" and found.get("caseSensitive", True)
            self.systems[url] = frozenset(all_codes(items(found or {}, "concept"))) if listed else None
        return self.systems[url]

    def _codes(self, url: str) -> Codes | None:
        value_set = self._definition("ValueSet", url)
        found: set[tuple[str, str]] = set()
        for include in items(value_set.get("compose", {}), "include") if value_set else ():
            system = text(include, "system")
            listed = items(include, "concept")
            definition = self._definition("CodeSystem", system) if system and not listed else None
            if items(include, "filter") or include.get("valueSet") or (not listed and not definition):
                return None
            found |= {(system, code) for code in all_codes(listed or items(definition or {}, "concept"))}
        excluded = items(value_set.get("compose", {}), "exclude") if value_set else ()
        found -= {(text(item, "system"), text(one, "code")) for item in excluded for one in items(item, "concept")}
        return frozenset(found) or None

    def _definition(self, kind: str, url: str) -> dict[str, Any] | None:
        found = self.package.read(f"package/{kind}-{url.rpartition('/')[2]}.json")
        return found if isinstance(found, dict) and found.get("url") == url else None


def _required(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    found: dict[str, dict[str, str]] = {}
    for element in items(definition.get("snapshot", {}), "element"):
        binding = element.get("binding", {})
        parts = text(element, "path").split(".")
        if len(parts) > 1 and binding.get("strength") == "required" and binding.get("valueSet"):
            owner = "".join(part[:1].upper() + part[1:] for part in parts[:-1])
            found.setdefault(owner, {})[parts[-1]] = binding["valueSet"].partition("|")[0]
    yield from found.items()


def all_codes(concepts: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The codes of concepts and of those below them."""
    for concept in concepts:
        yield text(concept, "code")
        yield from all_codes(items(concept, "concept"))


def official_for(version: str, packages: dict[str, CorePackage]) -> CorePackage | None:
    """The package that speaks for a version. R4B's stands in for R4's, which is not on npm."""
    return packages.get(version) or (packages.get(R4B) if version == R4 else None)


@rule("json-schema")
def matches_schema(artefact: Artefact, official: Official) -> Iterator[Fault]:
    """The resource does not fit HL7's JSON Schema (fhir.schema.json of the core package). Only asked where our own
    structure rules found nothing; of several failures the one that explains most is reported."""
    validator = official.validator(artefact.type)
    if validator is None or official.fitting.fits(artefact.type, artefact.resource):
        return
    errors = list(validator.iter_errors(artefact.resource))
    for error in errors:
        best: ValidationError = best_match([error])
        seen = f"{json_name(best.instance)}: {shortened(best.message, 160)}"
        yield artefact.fault(*best.absolute_path, seen=seen, allowed=_wanted(best))


def _wanted(error: ValidationError) -> str:
    value = error.validator_value
    return shortened(f"{error.validator} {value}", 120) if isinstance(value, (str, int, list)) else ""


@rule("official-binding")
def code_is_bound(node: Node, official: Official) -> Iterator[Fault]:
    """A code is not in the value set to which the StructureDefinition of HL7 binds the element (required)."""
    root = node.type if node.above is None else _root_of(node)
    for name, url in official.bound(node.type, root).items():
        listed = official.codes(url) if name in node.value else None
        for code in _given(node.value[name]) if listed else ():
            allowed = {item[1] for item in listed or ()}
            if not _is_in(code, listed or frozenset(), allowed):
                yield node.fault(name, seen=code[1], allowed=shortened(", ".join(sorted(allowed)), 160))


@rule("official-code")
def code_exists(node: Node, official: Official) -> Iterator[Fault]:
    """A Coding names a code that the code system does not have, one of FHIR's own (http://hl7.org/fhir/…)."""
    if node.type == "Coding" and text(node.value, "code"):
        codes = official.system(text(node.value, "system"))
        if codes and text(node.value, "code") not in codes:
            allowed = shortened(", ".join(sorted(codes)), 160)
            yield node.fault("code", seen=f"{text(node.value, 'code')}, which the code system lacks", allowed=allowed)


def _root_of(node: Node) -> str:
    """The type whose StructureDefinition describes a node: itself, or for a backbone element the one it is within."""
    if node.type.startswith(node.artefact.type):
        return node.artefact.type
    here = node
    while here.above is not None and node.type.startswith(here.above.type):
        here = here.above
    return here.type


def _given(value: Any) -> Iterator[tuple[str, str]]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield "", item
        elif isinstance(item, dict):
            codings = items(item, "coding")
            for coding in codings or ([item] if "code" in item else []):
                yield text(coding, "system"), text(coding, "code")


def _is_in(code: tuple[str, str], listed: Codes, codes: set[str]) -> bool:
    return code in listed if code[0] else code[1] in codes
