"""Where every input is there, the published FHIRPath means to fhirpath.js what it means to us."""

from __future__ import annotations

import json

from cases import all_cases
from ivig_fhir.knowledge.content import Content
from oracle import TABLE, questions


def test_every_condition_over_every_case_gives_what_fhirpath_js_gives(content: Content) -> None:
    table = json.loads(TABLE.read_text("utf-8"))
    asked = list(questions(list(all_cases()), content))
    unasked = {question.text for question in asked if question.key not in table.get(question.text, {})}
    assert not unasked, "run `make oracle`"
    differing = [
        f"{question.case.id}: {question.text}"
        for question in asked
        if table[question.text][question.key] != question.ours
    ]
    assert differing == []
    assert {"true", "false", "unknown"} <= {question.ours for question in asked}
