"""Figures of units: each must stand, digit for digit, in the statement that it is quoted from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ivig_fhir.problems import Issue

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def misquoted(trees: dict[str, Any], kinds: dict[str, str]) -> Iterator[Issue]:
    """An Issue for each figure that its statement does not print, or whose statement the unit does not name."""
    said = {
        block["id"]: _NUMBER.findall(block["says"])
        for name, tree in trees.items()
        if kinds[name] == "statements"
        for block in tree["statements"]
    }
    for name, tree in trees.items():
        for unit in tree["units"] if kinds[name] == "topic" else ():
            for figure in unit.get("figures", ()):
                statement, where = figure["statement"], f"{name}:{figure.line}"
                if statement not in unit["statements"]:
                    allowed = ", ".join(unit["statements"])
                    yield Issue(where, f"the unit does not rest on {statement}", allowed, "name it there", "figures")
                printed = said.get(statement, [])
                missing = [number for number in figure["value"].split("-") if number not in printed]
                if missing:
                    message = f"{', '.join(missing)} does not stand in {statement}"
                    yield Issue(where, message, ", ".join(printed) or "none", "copy the source's figure", "figures")
