"""The syntax tree of a condition."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Open:
    """`{}`: known to nobody; unknown whatever the record says."""


@dataclass(frozen=True)
class Always:
    """`true`."""


@dataclass(frozen=True)
class Text:
    value: str


@dataclass(frozen=True)
class Number:
    value: Decimal


@dataclass(frozen=True)
class Today:
    """today(), or that day so many years, months or days earlier."""

    back: int = 0
    unit: str = "days"


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass(frozen=True)
class Member:
    """An element by name; of_type narrows a choice element."""

    name: str
    of_type: str = ""


@dataclass(frozen=True)
class Exists:
    condition: Node | None = None


@dataclass(frozen=True)
class Where:
    condition: Node


@dataclass(frozen=True)
class First:
    pass


@dataclass(frozen=True)
class Not:
    pass


Step = Member | Exists | Where | First | Not


@dataclass(frozen=True)
class Path:
    """A head and the steps after it; head None stands for the item at hand."""

    head: Variable | Node | None
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Compare:
    left: Node
    op: str
    right: Node


@dataclass(frozen=True)
class And:
    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    terms: tuple[Node, ...]


Node = Open | Always | Text | Number | Today | Variable | Path | Compare | And | Or


def variables(node: Node | Step | None) -> frozenset[str]:
    """The input ids that a tree names."""
    if isinstance(node, Variable):
        return frozenset({node.name})
    if isinstance(node, (And, Or)):
        return frozenset().union(*(variables(term) for term in node.terms))
    if isinstance(node, Compare):
        return variables(node.left) | variables(node.right)
    if isinstance(node, (Exists, Where)):
        return variables(node.condition)
    if isinstance(node, Path):
        return variables(node.head).union(*(variables(step) for step in node.steps))
    return frozenset()


def is_condition(node: Node) -> bool:
    """Whether a value can stand as a condition of its own; a path without steps is what its head is."""
    if not isinstance(node, Path):
        return isinstance(node, (And, Or, Compare, Open, Always))
    if not node.steps:
        return node.head is not None and not isinstance(node.head, Variable) and is_condition(node.head)
    last = node.steps[-1]
    return isinstance(last, (Exists, Not)) or (isinstance(last, Member) and last.of_type == "boolean")


def gives_items(node: Node) -> bool:
    """Whether it is of items, to which a step or a comparison applies, and not true or false itself."""
    if not isinstance(node, Path):
        return isinstance(node, (Text, Number, Today))
    of_items = node.head is None or isinstance(node.head, Variable)
    return of_items and not any(isinstance(step, (Exists, Not)) for step in node.steps)
