"""Each code of the published lists does in its case what the case's own code does there; unions are unions."""

from __future__ import annotations

from collections import defaultdict

import pytest

from cases import Case
from codes import code_cases, listed, table
from composed import composition, contained, differing, whole_systems
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
    assert differing([item for item in content.definitions.search("ValueSet") if not whole_systems(item)]) == []


def test_a_value_set_of_a_whole_code_system_holds_each_of_its_codes(content: Content) -> None:
    found = [item for item in content.definitions.search("ValueSet") if whole_systems(item)]
    assert {item["id"] for item in found} >= {"ivig-statement", "ivig-conflict", "ivig-unit-kind"}
    for item in found:
        (url,) = whole_systems(item)
        system = content.definitions.read("CodeSystem", url.rpartition("/")[2])
        assert contained(item) == {(url, concept["code"]) for concept in system["concept"]}, item["id"]


def test_no_code_of_the_content_is_without_its_case(content: Content) -> None:
    own, _ = composition(list(content.definitions.search("ValueSet")))
    tried = {(SYSTEMS[system], code) for row in table().values() for system, code in listed(row)}
    words = {(SYSTEMS["sct"], code) for code in (*ROUTES.values(), *SEVERITIES.values())}  # in many a case by name
    assert {code for codes in own.values() for code in codes} - tried - words == set()
