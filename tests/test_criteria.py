"""Every criterion of every unit is made true, false and unknown by a case, and is seen to decide."""

from __future__ import annotations

from cases import all_cases
from criteria import lacking
from ivig_fhir.knowledge.content import Content


def test_each_criterion_is_true_false_and_unknown_in_some_case_and_decides(content: Content) -> None:
    assert lacking(list(all_cases()), content) == {}
