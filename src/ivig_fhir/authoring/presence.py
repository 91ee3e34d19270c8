"""What a published condition's form tells: that it asks for the presence of one input, or that it is an `or`."""

from __future__ import annotations

from ivig_fhir.knowledge.grammar import parse
from ivig_fhir.knowledge.syntax import And, Exists, Node, Open, Or, Path, Variable


def present_input(text: str) -> str:
    """The input whose presence makes the condition true: `%x.exists()`, or that `or (doubt and {})`; else nothing.

    Raises NotInGrammar.
    """
    node = parse(text)
    if isinstance(node, Or) and len(node.terms) == 2 and _only_open(node.terms[1]):
        node = node.terms[0]
    if isinstance(node, Path) and isinstance(node.head, Variable) and node.steps == (Exists(),):
        return node.head.name
    return ""


def binds_or(text: str) -> bool:
    """Whether the outermost operator is `or`. Raises NotInGrammar."""
    return isinstance(parse(text), Or)


def _only_open(node: Node) -> bool:
    """`… and {}`: never true."""
    return isinstance(node, And) and isinstance(node.terms[-1], Open)
