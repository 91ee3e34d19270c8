"""The grammar of published conditions: what can be executed is read, and nothing else; a refusal names the character."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivig_fhir import definitions_folder
from ivig_fhir.fhir import dumps, loads
from ivig_fhir.knowledge.conditions import compile_condition
from ivig_fhir.knowledge.content import content_of
from ivig_fhir.knowledge.repository import definitions_of
from ivig_fhir.knowledge.tokens import NotInGrammar
from ivig_fhir.problems import Problem

REFUSED = {  # text -> the character
    "%a": 1,
    "%a.not()": 4,
    "not()": 1,
    "%a.exists().exists()": 13,
    "%a.exists().value = 1": 13,
    "(%a.exists() or %b.exists()).first().exists()": 30,
    "%a.exists() = 'yes'": 1,
    "'yes' = %a.exists()": 9,
    "%a.ofType(integer).exists()": 4,
    "ofType(integer).exists()": 1,
    "%a.value.ofType(integer).ofType(string).exists()": 26,
    "%a.count() > 1": 4,
    "%a.exists() %b.exists()": 13,
    "'a' and": 1,
    "%a.exists(onset < today() - 99999 years)": 29,
}
READ = {  # text -> what it says where no input holds anything
    "%a.exists().not()": True,
    "%a.exists().not().not()": False,
    "(%a.exists() or %b.exists()).not()": True,
    "({}).not()": None,
    "%a.value.ofType(boolean).not()": None,
    "%a.where(onset >= %b.performed.first()).exists()": False,
    "%a.exists(value.ofType(integer) >= 3 or value.ofType(Quantity).value >= 3)": False,
}


@pytest.mark.parametrize(("text", "character"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_executed_is_refused_at_its_place(text: str, character: int) -> None:
    with pytest.raises(NotInGrammar) as refused:
        compile_condition(text)
    assert refused.value.position == character
    assert refused.value.allowed


@pytest.mark.parametrize(("text", "truth"), READ.items(), ids=READ)
def test_what_stands_where_it_may_is_compiled(text: str, truth: bool | None) -> None:
    assert compile_condition(text).over_nothing.truth is truth


def test_content_with_a_condition_that_cannot_be_executed_is_refused_by_plan_action_and_character() -> None:
    files = {path.name: path.read_bytes() for path in Path(definitions_folder() / "r4").glob("*.json")}
    plan = loads(files["PlanDefinition-gbs.json"])
    plan["action"][0]["condition"][0]["expression"]["expression"] = "%subject.exists().exists()"
    files["PlanDefinition-gbs.json"] = dumps(plan).encode()
    with pytest.raises(Problem, match=r"PlanDefinition/gbs action gbs-card condition living character 19"):
        content_of(definitions_of(files))
