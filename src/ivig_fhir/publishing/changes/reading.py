"""What an input reads, in words: of two DataRequirements only what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ivig_fhir.publishing.changes.model import leaves
from ivig_fhir.publishing.elements import part, parts, string

_CONCEPT = "concept"
_RANGE = "/StructureDefinition/ivig-plausible-range"
_IN_WORDS = {"type", "codeFilter", "dateFilter", "sort", "limit", "extension"}
Code = tuple[str, str]  # system, code; of a value set (_CONCEPT, its id)
Aspects = dict[str, "str | frozenset[Code]"]


def reading(old: str, new: str) -> str:
    """How two DataRequirements, as JSON, differ: 'clinicalStatus: also remission; effective: the last 30 → 60 days'."""
    one, other = json.loads(old), json.loads(new)
    before, after = _aspects(one), _aspects(other)
    if before == after:  # something that has no words here: its path
        before, after = dict(leaves(one)), dict(leaves(other))
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return "; ".join(f"{name}: {_difference(before.get(name), after.get(name))}" for name in names)


def _difference(old: str | frozenset[Code] | None, new: str | frozenset[Code] | None) -> str:
    if not isinstance(old, frozenset) or not isinstance(new, frozenset):
        return f"{_said(old)} → {_said(new)}"
    come, gone = _named(new - old, old - new), _named(old - new, new - old)
    return ", ".join([f"also {item}" for item in come] + [f"no longer {item}" for item in gone])


def _said(value: str | frozenset[Code] | None) -> str:
    if isinstance(value, frozenset):
        return f"only {', '.join(_named(value, frozenset()))}"
    return value or "any"


def _named(codes: frozenset[Code], others: frozenset[Code]) -> list[str]:
    """The codes, with their systems where the other side has the same code of another."""
    twice = {code for _, code in others}
    return sorted(
        f"{system} {code}" if system == _CONCEPT else f"{system}|{code}" if code in twice else code
        for system, code in codes
    )


def _aspects(requirement: dict[str, Any]) -> Aspects:
    found: Aspects = {"resource type": string(requirement, "type")}
    for item in parts(requirement, "codeFilter"):
        found[_place(item, found)] = frozenset(_codes(item))
    for item in parts(requirement, "dateFilter"):
        found[_place(item, found, " within")] = _window(item)
    limit = requirement.get("limit")
    order = ", ".join(f"{string(item, 'path')} {string(item, 'direction')}" for item in parts(requirement, "sort"))
    if order or limit:
        found["how many"] = f"{f'the first {limit}' if limit else 'all'}{f' by {order}' if order else ''}"
    for item in parts(requirement, "extension"):
        ranged = part(item, "valueRange") if string(item, "url").endswith(_RANGE) else {}
        if ranged:
            found["values believed"] = " to ".join(_quantity(part(ranged, name)) for name in ("low", "high"))
        else:
            found |= dict(leaves(item, f"extension {string(item, 'url').rpartition('/')[2]}"))
    return found | dict(leaves({key: value for key, value in requirement.items() if key not in _IN_WORDS}))


def _place(item: dict[str, Any], taken: Aspects, what: str = "") -> str:
    """The element that a filter looks at; the second filter of one element has a number."""
    name = (string(item, "path") or string(item, "searchParam")) + what
    count = sum(key == name or key.startswith(f"{name} (") for key in taken)
    return f"{name} ({count + 1})" if count else name


def _codes(item: dict[str, Any]) -> Iterator[Code]:
    if string(item, "valueSet"):
        yield _CONCEPT, string(item, "valueSet").partition("|")[0].rpartition("/")[2]
    for code in parts(item, "code"):
        yield string(code, "system"), string(code, "code")


def _window(item: dict[str, Any]) -> str:
    duration, period = part(item, "valueDuration"), part(item, "valuePeriod")
    if duration:
        return f"the last {_quantity(duration)}"
    return f"{string(period, 'start')} to {string(period, 'end')}" if period else string(item, "valueDateTime")


def _quantity(value: dict[str, Any]) -> str:
    return f"{value.get('value', '?')} {value.get('unit') or value.get('code') or ''}".strip()
