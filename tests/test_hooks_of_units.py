"""Each unit speaks on the hooks that the ledger gives it, and on no other: its first case, replayed on all four."""

from __future__ import annotations

import pytest

from cases import Case
from conftest import Answers
from expectations import check
from replays import replays

REPLAYS = list(replays())


@pytest.mark.parametrize("case", REPLAYS, ids=[case.id for case in REPLAYS])
def test_a_unit_speaks_on_its_hooks_and_on_no_other(case: Case, answers: Answers) -> None:
    check(case, *answers.to(case))
