"""Each unit speaks on the hooks that the ledger gives it, and on no other: its first case, replayed on all four."""

from __future__ import annotations

from typing import Any

import pytest

from cases import Case, all_cases
from expectations import pins, units_of

ORDER_HOOKS = ("order-select", "order-sign")
CHART_HOOKS = ("patient-view", "encounter-start")


def first_cases() -> list[tuple[str, Case]]:
    """(unit, the first case of its own file that expects it to be shown)."""
    found: dict[str, Case] = {}
    for case in all_cases():
        unit = case.file.stem
        if unit in pins() and unit not in found and case.expect.get("units", {}).get(unit, "silent") != "silent":
            found[unit] = case
    return sorted(found.items())


def replayed(case: Case, hook: str) -> dict[str, Any]:
    facts = case.facts | {"hook": hook}
    if hook in CHART_HOOKS:
        facts = {key: value for key, value in facts.items() if key not in ("orders", "with-orders")}
    return Case(case.id, case.file, case.name, facts, case.expect, case.statements, case.hazards).request()


@pytest.mark.parametrize(("unit", "case"), first_cases(), ids=[unit for unit, _ in first_cases()])
def test_a_unit_speaks_on_its_hooks_and_on_no_other(unit: str, case: Case, ask: Any) -> None:
    own = pins()[unit]["hooks"]
    kind = ORDER_HOOKS if case.facts["hook"] in ORDER_HOOKS else CHART_HOOKS
    for hook in (*CHART_HOOKS, *ORDER_HOOKS):
        if hook in ORDER_HOOKS and "orders" not in case.facts:
            continue
        shown = units_of(ask(replayed(case, hook), case.at).json["cards"]).get(unit, "silent")
        if hook not in own:
            assert shown == "silent", hook
        elif hook in kind:
            assert shown == case.expect["units"][unit], hook
