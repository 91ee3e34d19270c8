"""Every published condition over every case: what we say, and the table of what fhirpath.js says.

The table is kept as expression -> inputs -> answer, by a digest of the inputs that the expression names, so
that a case whose facts do not touch an expression needs no entry of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cases import Case
from ivig_fhir.cds_hooks.requests import read_patient_record, read_request
from ivig_fhir.engine.inputs import Index, build_index, gather
from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.conditions import Condition
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.problems import Problem

TABLE = Path(__file__).parent / "oracle.json"
WORDS = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Question:
    """One condition over the inputs of one case; `key` is a digest of the day and of the inputs that it names."""

    text: str
    case: Case
    names: tuple[str, ...]
    facts: Facts
    ours: str
    key: str

    @property
    def inputs(self) -> dict[str, list[dict[str, Any]]]:
        """The inputs that the condition names."""
        return {name: list(self.facts.inputs.get(name, ())) for name in self.names}


class _Digests:
    """The digests of one case: many conditions name the same inputs, each written out once."""

    def __init__(self, today: str, facts: Facts) -> None:
        self.today = json.dumps(today)
        self.written = {name: f'"{name}": {_plain(found)}' for name, found in facts.inputs.items()}
        self.known: dict[tuple[str, ...], str] = {}

    def of(self, names: tuple[str, ...]) -> str:
        """Digest of the day and of these inputs, as JSON with sorted keys."""
        if names not in self.known:
            inputs = ", ".join([self.written.get(name) or f'"{name}": []' for name in names])
            self.known[names] = hashlib.sha256(f"[{self.today}, {{{inputs}}}]".encode()).hexdigest()[:16]
        return self.known[names]


def _plain(resources: tuple[Resource, ...]) -> str:
    return json.dumps(list(resources), sort_keys=True, default=str)


def conditions(content: Content) -> dict[str, Condition]:
    """Every distinct condition of the content, the ones inside a priority included."""
    found: dict[str, Condition] = {}
    for plan in content.plans:
        criteria = list(plan.criteria)
        for unit in plan.units:
            criteria += [*unit.criteria, *(item for item in (unit.warning, unit.opens) if item)]
            criteria += unit.proposal.criteria if unit.proposal else ()
        for criterion in criteria:
            text = criterion.condition.text
            if text.startswith("iif("):
                text = text.removeprefix("iif(").removesuffix(", 'urgent', 'routine')")
            found[text] = criterion.condition
    return found


def facts_of(case: Case, content: Content, index: Index) -> Facts | None:
    """The facts of a case; None where the request is refused."""
    try:
        request = read_request(json.dumps(case.request()).encode(), case.facts["hook"])
        record, _ = read_patient_record(request, content)
    except Problem:
        return None
    return gather(record, content, index, date.fromisoformat(case.at))


def questions(cases: list[Case], content: Content) -> Iterator[Question]:
    """Each condition over each case, where every input that it names could be had."""
    index = build_index(content.requirements.values())
    known = [(text, condition, tuple(sorted(condition.inputs))) for text, condition in conditions(content).items()]
    for case in cases:
        facts = facts_of(case, content, index)
        if facts is None:
            continue
        digests = _Digests(case.at, facts)
        for text, condition, names in known:
            if condition.inputs.isdisjoint(facts.unavailable):
                yield Question(text, case, names, facts, WORDS[condition.evaluate(facts).truth], digests.of(names))
