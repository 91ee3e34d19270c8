"""What conditions are evaluated over, and what they say: facts and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from ivig_fhir.fhir import Resource


class Verdict(NamedTuple):
    """truth is True, False, or None for unknown; decided_by are the resources that made it so."""

    truth: bool | None
    decided_by: tuple[Resource, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a condition is evaluated over: input id -> resources, ids that could not be had, the day."""

    inputs: Mapping[str, tuple[Resource, ...]]
    unavailable: frozenset[str]
    today: date
    memo: dict[str, Verdict] = field(default_factory=dict, init=False, compare=False, repr=False)
    sides: dict[object, list[Any]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @cached_property
    def touched(self) -> frozenset[str]:
        """The inputs that hold something or could not be had: over all others a condition says what it always does."""
        return self.unavailable.union(self.inputs)

    @cached_property
    def had(self) -> Facts:
        """The same facts as if all that could not be had held nothing."""
        return Facts(self.inputs, frozenset(), self.today)


TRUE, FALSE, UNKNOWN = Verdict(True), Verdict(False), Verdict(None)
