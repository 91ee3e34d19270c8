"""A case of each unit, replayed on all four hooks: where a unit must speak, and where it must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cases import Case, all_cases
from expectations import pins

ORDERS = ("order-select", "order-sign")
CHART = ("patient-view", "encounter-start")

Showing = dict[tuple[str, tuple[str, ...]], Case]


def first_cases() -> Showing:
    """(unit, hooks of one kind) -> the first case of the unit's own file that shows the unit on one of them."""
    found: Showing = {}
    for case in all_cases():
        unit = case.file.stem
        if unit in pins() and case.expect.get("units", {}).get(unit, "silent") != "silent":
            found.setdefault((unit, ORDERS if case.facts["hook"] in ORDERS else CHART), case)
    return found


def replays() -> Iterator[Case]:
    """Each unit on each hook: as in its case of that kind where the hook is its own, else silent."""
    shown = first_cases()
    for unit, pinned in pins().items():
        for kind, other in ((CHART, ORDERS), (ORDERS, CHART)):
            case = shown.get((unit, kind)) or shown[unit, other]
            for hook in kind:
                expected = case.expect["units"][unit] if hook in pinned["hooks"] else "silent"
                facts = on_hook(case, hook)
                yield replace(case, id=f"{unit} on {hook}", facts=facts, expect={"units": {unit: expected}})


def on_hook(case: Case, hook: str) -> dict[str, Any]:
    """The facts of a case on another hook: no orders where a chart is opened, else its own or one of IVIG."""
    facts = case.facts | {"hook": hook}
    if hook in ORDERS:
        return {"orders": {"ivig": {"atc": "J06BA02", "route": "iv"}}} | facts
    return {key: value for key, value in facts.items() if key not in ("orders", "with-orders")}
