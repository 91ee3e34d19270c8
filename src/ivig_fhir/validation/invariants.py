"""How the invariants of the FHIR specification are written down here, and the words they share.

An invariant keeps the key that FHIR gave it (exp-1), so that it can be looked up, and so that it is told apart
from the same finding of another validator. Expressions: spec of each type, R4 4.0.1, R4B 4.3.0, R5 5.0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from ivig_fhir.validation.findings import ERROR, Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import layer

rule = layer("invariants")

Value = dict[str, Any]


def invariant(
    identifier: str,
    on: str | tuple[str, ...],
    holds: Callable[[Value], object],
    *,
    says: str,
    seen: str,
    allowed: str = "",
    at: str = "",
    versions: tuple[str, ...] = (),
    severity: str = ERROR,
) -> None:
    """Register an invariant over one object: a fault wherever `holds` does not."""

    def check(node: Node) -> Iterator[Fault]:
        if (not versions or node.artefact.version in versions) and not holds(node.value):
            yield node.fault(*(at,) if at in node.value else (), seen=seen, allowed=allowed)

    check.__doc__ = says
    rule(identifier, severity, on)(check)


def has(value: Value, *names: str) -> bool:
    """Whether one of these elements is there, if only by an extension (_name)."""
    return any(name in value or f"_{name}" in value for name in names)


def has_choice(value: Value, name: str) -> bool:
    """Whether a choice element such as value[x] is there."""
    return any(key.lstrip("_").startswith(name) and key.lstrip("_")[len(name) :][:1].isupper() for key in value)


def items(value: Value, name: str) -> list[Value]:
    """The objects of a list element."""
    found = value.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(value: Value, name: str) -> list[str]:
    """The strings of an element, whether it stands once or as a list."""
    found = value.get(name)
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, str)]


def text(value: Value, name: str) -> str:
    """The string of an element; empty when it is absent or no string."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def within(value: Value, name: str) -> Value:
    """The object of an element; empty when it is absent or no object."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def number(value: Value, name: str) -> Decimal | None:
    """The number of an element; None when it is absent or no number."""
    found = value.get(name)
    return Decimal(found) if isinstance(found, (int, Decimal)) and not isinstance(found, bool) else None


def implies(condition: object, consequence: object) -> bool:
    """Logical implication."""
    return not condition or bool(consequence)
