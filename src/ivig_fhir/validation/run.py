"""`validate(paths, options)`: read, walk, look at the whole, and put the findings in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivig_fhir.problems import Outcome
from ivig_fhir.validation import catalogue, versions
from ivig_fhir.validation.collection import Collection, house_bases
from ivig_fhir.validation.elements import R4
from ivig_fhir.validation.findings import ERROR, SEVERITIES, WARNING, Fault, Finding, fhirpath
from ivig_fhir.validation.inputs import Reader
from ivig_fhir.validation.nodes import Artefact
from ivig_fhir.validation.options import Options, checked
from ivig_fhir.validation.positions import Lines, offsets
from ivig_fhir.validation.reading import Document
from ivig_fhir.validation.rules import RULES, SET, Rule
from ivig_fhir.validation.walk import Walk

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a run found, by file and line; `checked` counts files, `artefacts` resources."""

    findings: tuple[Finding, ...]
    files: int = 0
    artefacts: int = 0
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The findings in the one vocabulary of problems."""
        return Outcome(tuple(finding.issue for finding in self.findings))

    def count(self, severity: str) -> int:
        """How many findings have a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, fail_on: str) -> bool:
        """Whether a finding is as severe as `fail_on`, or more."""
        return any(self.count(severity) for severity in SEVERITIES[: SEVERITIES.index(fail_on) + 1])


@dataclass
class _Run:
    options: Options
    progress: Progress
    faults: list[tuple[Rule, Fault]] = field(default_factory=list)
    artefacts: list[Artefact] = field(default_factory=list)
    rules: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    by_check: dict[Any, Rule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in RULES.values():
            self.by_check[rule.check] = rule
            for place in rule.on:
                self.rules[place].append(rule)

    def report(self, check: Any, faults: Iterable[Fault]) -> None:
        rule = self.by_check[check]
        self.faults.extend((rule, fault) for fault in faults)

    def walk(self, document: Document, version: str) -> None:
        due = [Artefact(document, document.data if isinstance(document.data, dict) else {}, version=version)]
        while due:
            artefact = due.pop()
            artefact.version = version
            walk = Walk(artefact, self.report)
            walk.start()
            self.artefacts.append(artefact)
            due.extend(walk.inner)

    def look(self, collection: Collection) -> None:
        everywhere = self.rules["Resource"]
        for artefact in self.artefacts:
            if not artefact.document.checked:
                continue
            for node in artefact.nodes:
                for rule in self.rules.get(node.type, ()) if node.above else (*everywhere, *self.rules[node.type]):
                    self.report(rule.check, rule.check(node))
        for rule in self.rules[SET]:
            self.report(rule.check, rule.check(collection))


def validate(paths: Iterable[str | Path], options: Options | None = None, progress: Progress | None = None) -> Result:
    """Check files, folders, NDJSON and packages. Never raises for what they hold; Problem for wrong options."""
    catalogue.load()
    options = checked(options or Options())
    run = _Run(options, progress or (lambda text: None))
    reader = Reader(options.max_size)
    documents = [document for path in paths for document in reader.documents(Path(path))]
    for path in options.context:
        for document in reader.documents(Path(path)):
            document.checked = False
            documents.append(document)
    for document, version in _versions(documents, options):
        run.walk(document, version)
    collection = Collection(run.artefacts, options.external)
    strict = {*options.strict, *house_bases(run.artefacts)}
    for artefact in run.artefacts:
        owner = artefact
        while not owner.url and owner.container is not None:
            owner = owner.container
        artefact.strict = any(owner.url.startswith(base.rstrip("/") + "/") for base in strict)
    run.look(collection)
    findings = [*reader.findings, *_findings(run.faults)]
    wanted = [finding for finding in findings if options.wants(finding.rule, finding.file)]
    wanted.sort(key=lambda item: (item.file, item.line, item.column, SEVERITIES.index(item.severity), item.rule))
    return Result(tuple(dict.fromkeys(wanted)), reader.files, len(run.artefacts))


def _versions(documents: list[Document], options: Options) -> list[tuple[Document, str]]:
    """Each document with its version: stated, asked for, shaped like one, like its neighbours, or R4."""
    known: dict[int, str] = {}
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    asked = versions.version_of(options.fhir_version)
    for place, document in enumerate(documents):
        found = versions.stated(document.data) or versions.version_of(document.stated) or asked
        known[place] = found or versions.shaped(document.data)
        if known[place]:
            groups[document.group][known[place]] += 1
    result = []
    for place, document in enumerate(documents):
        near = groups[document.group].most_common(1)
        result.append((document, known[place] or (near[0][0] if near else R4)))
    return result


def _findings(faults: list[tuple[Rule, Fault]]) -> list[Finding]:
    by_document: dict[int, list[tuple[Rule, Fault]]] = defaultdict(list)
    for rule, fault in faults:
        if fault.place.artefact.document.checked:
            by_document[id(fault.place.artefact.document)].append((rule, fault))
    found = []
    for group in by_document.values():
        document = group[0][1].place.artefact.document
        at = offsets(document.text, {fault.place.path for _, fault in group})
        lines = Lines(document.text)
        for rule, fault in group:
            line, column = lines.at(at[fault.place.path])
            found.append(_finding(rule, fault, line + document.first_line - 1, column))
    return found


def _finding(rule: Rule, fault: Fault, line: int, column: int) -> Finding:
    artefact = fault.place.artefact
    data = artefact.document.data
    root = str(data.get("resourceType") or "$") if isinstance(data, dict) else "$"
    return Finding(
        rule.id,
        rule.severity if artefact.strict else rule.elsewhere,
        artefact.document.file,
        fault.seen,
        fault.allowed,
        fault.hint,
        fhirpath(fault.place.path, root),
        artefact.name,
        line,
        column,
    )


__all__ = ["ERROR", "WARNING", "Options", "Result", "validate"]
