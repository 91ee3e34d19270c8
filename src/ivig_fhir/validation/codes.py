"""Check digits of terminologies: what can be told of a code without having its code system."""

from __future__ import annotations

import re

_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_ONCE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permuted(digit: int, times: int) -> int:
    for _ in range(times):
        digit = _ONCE[digit]
    return digit


_PERMUTED = tuple(tuple(_permuted(digit, times) for digit in range(10)) for times in range(8))
_CONCEPT = {"00", "10"}  # the partitions of concepts; others are descriptions and relationships
_LOINC = re.compile(r"(\d{1,7})-(\d)")
_LOINC_PART = re.compile(r"L[ALPG]\d{1,7}-\d")


def verhoeff(digits: str) -> bool:
    """Whether the last digit is the Verhoeff check digit of those before it."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _TIMES[check][_PERMUTED[place % 8][int(digit)]]
    return check == 0


def mod10(digits: str) -> int:
    """The Luhn (mod 10) check digit of a row of digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


def snomed_fault(code: str) -> str:
    """Why a text is no SNOMED CT concept identifier; empty when it is one, or an expression."""
    if not code.isascii() or not code.isdigit():
        is_expression = bool(re.match(r"\s*(===|<<<)?\s*\d{6,18}\b", code))
        return "" if is_expression else "no SNOMED CT identifier"
    if not 6 <= len(code) <= 18:
        return "no SNOMED CT identifier: it has 6 to 18 digits"
    if not verhoeff(code):
        return "no SNOMED CT identifier: its check digit is wrong"
    return "" if code[-3:-1] in _CONCEPT else "the identifier of a SNOMED CT description or relationship, not a concept"


def loinc_fault(code: str) -> str:
    """Why a text is no LOINC code; empty when it is one, or a part or answer."""
    match = _LOINC.fullmatch(code)
    if match is None:
        return "" if _LOINC_PART.fullmatch(code) else "no LOINC code"
    right = mod10(match.group(1))
    return "" if right == int(match.group(2)) else f"no LOINC code: its check digit would be {right}"
