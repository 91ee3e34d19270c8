"""Comparison of FHIR values: exact decimals, and dates of any precision (FHIRPath 6.2)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?.*)?)?)?$")


def compare(left: Any, right: Any, op: str) -> bool | None:
    """left op right for numbers, dates and texts; None when they cannot be compared or are too coarse."""
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if isinstance(left, (int, Decimal)) and isinstance(right, (int, Decimal)):
        return _COMPARISONS[op](left, right)
    dates = _date_parts(left), _date_parts(right)
    if dates[0] and dates[1]:
        return _compare_dates(dates[0], dates[1], op)
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARISONS[op](left, right)
    return None


def _date_parts(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, date):
        return (value.year, value.month, value.day)
    match = _DATE.match(value) if isinstance(value, str) else None
    return tuple(int(part) for part in match.groups() if part is not None) if match else None


def _compare_dates(left: tuple[int, ...], right: tuple[int, ...], op: str) -> bool | None:
    shared = min(len(left), len(right))
    if left[:shared] == right[:shared] and len(left) != len(right):
        return None
    return _COMPARISONS[op](left, right)


def earlier(day: date, back: int, unit: str) -> date:
    """The day so many years, months or days before; the last of the month where the day does not exist."""
    if unit == "days":
        return day - timedelta(days=back)
    months = day.year * 12 + day.month - 1 - back * (12 if unit == "years" else 1)
    year, month = divmod(months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise ValueError(f"{day} less {back} {unit} is no date")
