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
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.expressions import Condition, Facts
from ivig_fhir.problems import Problem

TABLE = Path(__file__).parent / "oracle.json"
WORDS = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True)
class Question:
    """One condition over the inputs of one case."""

    text: str
    case: Case
    today: str
    inputs: dict[str, list[dict[str, Any]]]
    ours: str

    @property
    def key(self) -> str:
        """Digest of the day and of the inputs that the expression names."""
        plain = json.dumps([self.today, self.inputs], sort_keys=True, default=str)
        return hashlib.sha256(plain.encode()).hexdigest()[:16]


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
    known = conditions(content)
    for case in cases:
        facts = facts_of(case, content, index)
        if facts is None:
            continue
        for text, condition in known.items():
            if condition.inputs.isdisjoint(facts.unavailable):
                inputs = {name: list(facts.inputs.get(name, ())) for name in sorted(condition.inputs)}
                yield Question(text, case, case.at, inputs, WORDS[condition.evaluate(facts).truth])
