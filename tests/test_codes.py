"""Each code of the published lists does in its case what the case's own code does there; unions are unions."""

from __future__ import annotations

from collections import defaultdict

import pytest

from cases import Case
from codes import code_cases, listed, table
from composed import composition, differing
from conftest import Answers
from expectations import holds
from ivig_fhir.knowledge.content import Content
from patients import ROUTES, SEVERITIES, SYSTEMS

BY_LIST: dict[str, list[Case]] = defaultdict(list)
for _case in code_cases():
    BY_LIST[_case.id.partition(": ")[0]].append(_case)


@pytest.mark.parametrize("name", BY_LIST)
def test_each_code_of_a_list_does_what_its_case_expects(name: str, answers: Answers) -> None:
    assert [case.id for case in BY_LIST[name] if not holds(case, *answers.to(case))] == []


def test_each_value_set_holds_its_own_codes_and_those_of_its_parts(content: Content) -> None:
    assert differing(list(content.definitions.search("ValueSet"))) == []


def test_no_code_of_the_content_is_without_its_case(content: Content) -> None:
    own, _ = composition(list(content.definitions.search("ValueSet")))
    tried = {(SYSTEMS[system], code) for row in table().values() for system, code in listed(row)}
    words = {(SYSTEMS["sct"], code) for code in (*ROUTES.values(), *SEVERITIES.values())}  # in many a case by name
    assert {code for codes in own.values() for code in codes} - tried - words == set()
