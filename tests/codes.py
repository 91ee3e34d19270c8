"""The codes of tests/codes.yaml as cases: each code stands once in a case, where that case has another of its kind.

What the case expects must hold with the code as well. The table is written from published code lists, not from
guidance/ or definitions/: a code that is lost there fails the case in which it stands.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cases import Case, all_cases
from patients import SYSTEMS

TABLE = Path(__file__).parent / "codes.yaml"


def table() -> dict[str, dict[str, Any]]:
    """What the codes say -> the case, the fact in which they stand, and the codes by system."""
    return dict(yaml.load(TABLE.read_text("utf-8"), yaml.CSafeLoader))


def code_cases() -> Iterator[Case]:
    """A case for each code. Raises KeyError for a row whose case there is not."""
    known = {case.id: case for case in all_cases()}
    for says, row in table().items():
        case = known[row["case"]]
        for system, code in listed(row):
            facts = with_code(case.facts, row["put"], system, code)
            yield replace(case, id=f"{says}: {system} {code}", facts=facts)


def listed(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The codes of a row, each with the short name of its system."""
    return [(system, code) for system in SYSTEMS for code in str(row.get(system, "")).split()]


def with_code(facts: dict[str, Any], place: str, system: str, code: str) -> dict[str, Any]:
    """The facts with this code, and no other, in one of them."""
    found = copy.deepcopy(facts)
    fact = found
    for step in place.split("/"):
        fact = fact[step]
    for key in SYSTEMS:
        fact.pop(key, None)
    fact[system] = code
    return found
