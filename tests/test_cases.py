"""Each case is a patient: what reaches the reader is what the case expects."""

from __future__ import annotations

from typing import Any

import pytest

from cases import Case, all_cases
from expectations import check

CASES = list(all_cases())


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_case(case: Case, ask: Any) -> None:
    response = ask(case.request(), case.at)
    check(case, response.status_code, response.json["cards"] if response.status_code == 200 else [])
