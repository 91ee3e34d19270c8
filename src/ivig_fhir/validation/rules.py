"""The registry of rules: one rule, one small function, one stable id, whose docstring explains it.

A rule is registered for what it looks at:
    on="Expression"     every element of that type, as a Node (a backbone element goes by its joined path,
                        PlanDefinitionAction; Resource means the root of every resource, contained ones included)
    on=SET              all artefacts of a run together
    on=""               nothing by itself: the reader or the walk calls it by name
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ivig_fhir.validation.findings import ERROR

SET = "*"
Check = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `elsewhere` is its severity in content that is not held to the house rules (options.strict)."""

    id: str
    layer: str
    severity: str
    elsewhere: str
    explanation: str
    on: tuple[str, ...]
    check: Check


RULES: dict[str, Rule] = {}


def layer(name: str) -> Callable[..., Callable[[Check], Check]]:
    """The decorator with which the modules of a layer register their rules."""

    def rule(
        identifier: str, severity: str = ERROR, on: str | tuple[str, ...] = (), elsewhere: str = ""
    ) -> Callable[[Check], Check]:
        def register(check: Check) -> Check:
            if identifier in RULES:
                raise ValueError(f"two rules are named {identifier}")
            places = (on,) if isinstance(on, str) else on
            explanation = " ".join((inspect.getdoc(check) or "").split())
            RULES[identifier] = Rule(identifier, name, severity, elsewhere or severity, explanation, places, check)
            return check

        return register

    return rule
