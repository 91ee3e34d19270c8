"""Each case is a patient: what reaches the reader is what the case expects."""

from __future__ import annotations

import pytest

from cases import Case, all_cases
from conftest import Answers
from expectations import check

CASES = list(all_cases())


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_case(case: Case, answers: Answers) -> None:
    check(case, *answers.to(case))
