"""`validate(paths, options)`: read, walk, look at the whole, and put the findings in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivig_fhir.fhir import ICD10CM, THO
from ivig_fhir.problems import problem
from ivig_fhir.validation import catalogue
from ivig_fhir.validation.collection import Collection, house_bases, owner_of
from ivig_fhir.validation.findings import Fault, Finding
from ivig_fhir.validation.hl7 import hl7_findings
from ivig_fhir.validation.icd10cm import has_icd10cm
from ivig_fhir.validation.inputs import Reader
from ivig_fhir.validation.nodes import Artefact
from ivig_fhir.validation.official import Official, code_exists, code_is_bound, matches_schema, official_for
from ivig_fhir.validation.options import Options, checked
from ivig_fhir.validation.packages import TERMINOLOGY, CorePackage, core_packages
from ivig_fhir.validation.reading import Document
from ivig_fhir.validation.result import Result, in_order, located
from ivig_fhir.validation.rules import RULES, SET, Check, Rule, layer
from ivig_fhir.validation.tho import Terminology, code_of_hl7_exists
from ivig_fhir.validation.versions import Decided, decide
from ivig_fhir.validation.walk import Walk

Progress = Callable[[str, int, int], None]
rule = layer("json")

# What a rule may stumble over when the JSON has another shape than its type; anything else is a bug and is raised.
_STUMBLES = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)


@rule("rule-failed")
def rule_failed(artefact: Artefact, failed: Rule, error: Exception) -> Iterable[Fault]:
    """A rule could not be applied to this artefact, so that what it looks for was not checked. Please report it."""
    return [artefact.fault(seen=f"the rule {failed.id} stopped: {type(error).__name__}: {error}")]


@dataclass
class _Run:
    options: Options
    faults: list[tuple[Rule, Fault]] = field(default_factory=list)
    artefacts: list[Artefact] = field(default_factory=list)
    misshapen: set[Artefact] = field(default_factory=set)
    rules: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    by_check: dict[Check, Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in RULES.values():
            self.by_check[item.check] = item
            for place in item.on:
                self.rules[place].append(item)

    def report(self, check: Check, faults: Iterable[Fault]) -> None:
        found = [(self.by_check[check], fault) for fault in faults]
        self.faults.extend(found)
        self.misshapen.update(fault.place.artefact for _, fault in found)

    def apply(self, check: Check, artefact: Artefact, *subject: Any) -> None:
        """One rule on one subject; what it stumbles over is a finding, unless the structure rules have said why."""
        found = self.by_check[check]
        try:
            self.faults.extend([(found, fault) for fault in check(*subject)])
        except _STUMBLES as error:
            documents = {item.document for item in self.misshapen}
            if artefact.document not in documents and not (documents and SET in found.on):
                self.faults.extend((self.by_check[rule_failed], each) for each in rule_failed(artefact, found, error))

    def walk(self, document: Document, version: str) -> None:
        due = [Artefact(document, document.data if isinstance(document.data, dict) else {})]
        while due:
            artefact = due.pop()
            artefact.version = version
            walk = Walk(artefact, self.report)
            walk.start()
            self.artefacts.append(artefact)
            due.extend(walk.inner)

    def look(self, collection: Collection, packages: dict[str, CorePackage], codes: CorePackage | None) -> None:
        known = {version: Official(package, version) for version, package in packages.items()}
        terminology = Terminology(codes) if codes else None
        for artefact in self.artefacts:
            if artefact.document.checked:
                self.look_at(artefact)
                self.ask(artefact, known.get(artefact.version))
                for node in artefact.nodes if terminology else ():
                    self.apply(code_of_hl7_exists, artefact, node, terminology)
        for found in self.rules[SET] if self.artefacts else ():
            self.apply(found.check, self.artefacts[0], collection)

    def look_at(self, artefact: Artefact) -> None:
        for node in artefact.nodes:
            everywhere = self.rules["Resource"] if node.above is None else ()
            for found in (*everywhere, *self.rules.get(node.type, ())):
                self.apply(found.check, artefact, node)

    def ask(self, artefact: Artefact, official: Official | None) -> None:
        if official is None or artefact in self.misshapen:
            return
        self.apply(matches_schema, artefact, artefact, official)
        for node in artefact.nodes:
            self.apply(code_is_bound, artefact, node, official)
            self.apply(code_exists, artefact, node, official)


def validate(paths: Iterable[str | Path], options: Options | None = None, progress: Progress | None = None) -> Result:
    """Check files, folders, NDJSON and packages. Never raises for what they hold; Problem for wrong options."""
    catalogue.load()
    options = checked(options or Options())
    run, reader = _Run(options), Reader(options.max_size)
    documents = _read(reader, paths, options.context)
    decided = decide(documents, options.fhir_version)
    for place, document in enumerate(documents):
        if progress:
            progress(document.file, place, len(documents))
        run.walk(document, decided.versions[place])
    collection = Collection(run.artefacts, options.external)
    _hold_to_house_rules(run.artefacts, options.strict)
    at_hand = core_packages(options.packages, Path(options.cache).expanduser())
    packages = {name: found for name in set(decided.versions) if (found := official_for(name, at_hand)) is not None}
    run.look(collection, packages, at_hand.get(TERMINOLOGY))
    findings = [*reader.findings, *located(run.faults)]
    if options.with_hl7:
        findings += hl7_findings(options.with_hl7, zip(documents, decided.versions, strict=True))
    notes = (*decided.notes, *_unchecked(decided, at_hand, run.artefacts))
    return Result(
        in_order(findings, options.wants),
        tuple(reader.files),
        sum(item.document.checked for item in run.artefacts),
        notes,
    )


def _read(reader: Reader, paths: Iterable[str | Path], context: Iterable[str]) -> list[Document]:
    documents = [document for path in paths for document in reader.documents(Path(path))]
    beside = Reader(reader.most_megabytes)  # what is wrong with the context is not what was asked
    for path in context:
        if not Path(path).exists():
            raise problem("malformed", "context", f"there is no {path}", "files or folders that links lead to")
        for document in beside.documents(Path(path)):
            document.checked = False
            documents.append(document)
    return documents


def _hold_to_house_rules(artefacts: list[Artefact], strict: tuple[str, ...]) -> None:
    bases = tuple(base.rstrip("/") + "/" for base in {*strict, *house_bases(artefacts)})
    for artefact in artefacts:
        artefact.strict = owner_of(artefact).url.startswith(bases)


def _unchecked(decided: Decided, at_hand: dict[str, CorePackage], artefacts: list[Artefact]) -> list[str]:
    """What could not be checked, and what would make it possible."""
    missing = sorted(name for name in set(decided.versions) if official_for(name, at_hand) is None)
    notes = [
        f"not checked for {version}: HL7's JSON Schema and required bindings (no core package; docs/validate.md)"
        for version in missing
    ]
    if TERMINOLOGY not in at_hand and any(_names(artefact, THO) for artefact in artefacts):
        notes.append(f"not checked: codes of terminology.hl7.org (no package {TERMINOLOGY}; docs/validate.md)")
    if not has_icd10cm() and any(_names(artefact, ICD10CM) for artefact in artefacts):
        notes.append("not checked: whether ICD-10-CM codes exist (pip install simple-icd-10-cm)")
    return notes


def _names(artefact: Artefact, system: str) -> bool:
    return any(str(node.value.get("system", "")).startswith(system) for node in artefact.nodes)


__all__ = ["Finding", "Options", "Result", "validate"]
