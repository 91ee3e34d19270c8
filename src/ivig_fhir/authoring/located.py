"""YAML read so that every scalar is text and every value knows its file and line.

Plain YAML turns 0123 into 83, on into True and 1.10 into 1.1; here nothing is turned. A repeated key,
an anchor, a tag or a broken file is an Issue with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ivig_fhir.problems import Issue

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Block(dict[str, Any]):
    """A mapping; `line` is where it begins, `lines` where each key stands."""

    line: int
    lines: dict[str, int]


class Items(list[Any]):
    """A sequence; `lines` is where each item begins."""

    line: int
    lines: list[int]


def read_yaml(path: Path, name: str) -> tuple[Any, list[Issue]]:
    """The tree of one file and what is wrong with it; `name` stands for the file in messages."""
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        return None, [Issue(name, f"byte {error.start} is not UTF-8", "UTF-8 text", rule="yaml")]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return None, [Issue(f"{name}:{line}", str(error.problem), "YAML", "check indentation and quotes", "yaml")]
    if node is None:
        return None, [Issue(name, "the file is empty", "a mapping", rule="yaml")]
    issues: list[Issue] = []
    return _build(node, name, issues), issues


def _build(node: yaml.Node, name: str, issues: list[Issue]) -> Any:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        items = Items(_build(child, name, issues) for child in node.value)
        items.line, items.lines = line, [child.start_mark.line + 1 for child in node.value]
        return items
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind
    block = Block()
    block.line, block.lines = line, {}
    for key_node, value_node in node.value:
        key, at = str(key_node.value), key_node.start_mark.line + 1
        if key in block:
            issues.append(Issue(f"{name}:{at}", f"the key {key!r} stands twice", "each key once", rule="yaml"))
        block[key] = _build(value_node, name, issues)
        block.lines[key] = at
    return block


def line_of(tree: Any, path: Iterator[Any] | list[Any]) -> int:
    """The line of the value at a path of keys and positions; of its nearest ancestor when it is absent."""
    line = getattr(tree, "line", 1)
    for step in path:
        if (isinstance(tree, Block) and step in tree) or (
            isinstance(tree, Items) and isinstance(step, int) and step < len(tree)
        ):
            line, tree = tree.lines[step], tree[step]
        else:
            break
    return line
