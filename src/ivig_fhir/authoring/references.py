"""Which ids a file of guidance/ names, and which of them exist nowhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from ivig_fhir.authoring.located import Block
from ivig_fhir.problems import Issue

# key in a block -> the group in which its ids must be defined
_UNIT = {
    "statements": "statements",
    "conflicts": "conflicts",
    "newer": "newer",
    "yields-to": "unit",
    "activity": "activities",
    "orders": "classes",
    "while-running": "classes",
    "prints": "concepts",
}
_CRITERION = {
    "has-condition": "concepts",
    "severity": "concepts",
    "lacks-condition": "concepts",
    "mentioned": "concepts",
    "hinted": "hints",
    "ever": "concepts",
    "recent-onset": "concepts",
    "onset-known": "concepts",
    "within": "defaults",
    "began-after": "concepts",
    "event": "concepts",
    "order": "classes",
    "reason": "concepts",
    "procedure": "concepts",
    "observation": "concepts",
    "says-text": "hints",
    "allergy": "hints",
    "coded": "concepts",
}
_CONCEPT = {"includes": "concepts", "hint": "hints", "open-codes": "concepts"}
_ROW = {"codes": "concepts", "route": "concepts"}


def dangling(trees: dict[str, Any], kinds: dict[str, str]) -> Iterator[Issue]:
    """An Issue for each id that is named and defined nowhere."""
    defined = _defined(trees, kinds)
    for name, tree in trees.items():
        for group, value, line in _named(tree, kinds[name]):
            if value not in defined[group]:
                close = difflib.get_close_matches(value, defined[group], 1)
                hint = f"did you mean {close[0]!r}?" if close else f"define it under {group}"
                yield Issue(f"{name}:{line}", f"{value!r} is not defined", f"an id of {group}", hint, "links-resolve")


def not_to_be_shown(trees: dict[str, Any], kinds: dict[str, str]) -> Iterator[Issue]:
    """An Issue for each unit that shows newer evidence of a secondary source which does not warn."""
    allowed = {
        item["id"]
        for tree in trees.values()
        for item in tree.get("newer", ())
        if item["confidence"] == "seen-in-primary" or "warns" in item
    }
    for name, tree in trees.items():
        if kinds[name] == "topic":
            for unit in tree["units"]:
                for value in unit.get("newer", ()):
                    if value not in allowed:
                        message = f"{value!r} was seen only in a secondary source and does not warn"
                        yield Issue(
                            f"{name}:{unit.lines['newer']}",
                            message,
                            "seen-in-primary, or warns: yes",
                            rule="newer-shown",
                        )


def _defined(trees: dict[str, Any], kinds: dict[str, str]) -> dict[str, set[str]]:
    defined: dict[str, set[str]] = {"unit": {"any"}, "topic": set(), "newer-sources": set()}
    groups = ("statements", "conflicts", "newer", "hints", "concepts", "classes", "activities", "phrases", "defaults")
    for group in (*groups, "sources"):
        defined[group] = {block["id"] for tree in trees.values() for block in tree.get(group, ())}
    defined["classes"].add("any")
    for name, tree in trees.items():
        if kinds[name] == "topic":
            defined["topic"].add(tree["id"])
            defined["unit"] |= {unit["id"] for unit in tree["units"]}
        if kinds[name] in ("newer", "regimens"):
            defined["newer-sources"] |= {block["id"] for block in tree["sources"]}
    return defined


def _named(tree: Any, kind: str) -> Iterator[tuple[str, str, int]]:
    """(group, id, line) of everything that a file refers to."""
    if kind == "topic":
        for unit in tree["units"]:
            yield from _keys(unit, _UNIT | {"with": "unit"})
            yield from (
                ("statements", rating["statement"], rating.lines["statement"]) for rating in unit.get("ratings", ())
            )
            yield from (
                ("statements", figure["statement"], figure.lines["statement"]) for figure in unit.get("figures", ())
            )
        yield from _criteria(tree)
    elif kind == "module":
        yield from (("topic", topic, line) for topic, line in zip(tree["topics"], tree["topics"].lines, strict=True))
        for item in tree["prefetch"]:
            yield from _keys(item, {"codes": "concepts"})
    elif kind == "concepts":
        for concept in tree["concepts"]:
            yield from _keys(concept, _CONCEPT)
    elif kind == "hints":
        for block in (tree, *tree["hints"]):
            yield from _keys(block, {"read-beside": "concepts", "beside": "concepts"})
    elif kind == "orders":
        for item in tree["classes"]:
            yield from _keys(item.get("done", Block()), {"codes": "concepts", "within": "defaults"})
            for row in item["rows"]:
                yield from _keys(row, _ROW)
    elif kind == "conflicts":
        for conflict in tree["conflicts"]:
            yield from (("statements", value, side.line) for side in conflict["sides"] for value in side)
    elif kind == "certainty":
        for item in tree["readings"]:
            yield from _keys(item, {"source": "sources"})
    elif kind == "features":
        for item in tree["features"]:
            yield from _keys(item, {"statements": "statements"})
    elif kind == "newer":
        for item in tree["newer"]:
            yield from _keys(item, {"about": "statements", "sources": "newer-sources"})
    elif kind == "regimens":
        for item in tree["regimens"]:
            yield from _keys(item, {"topic": "topic", "source": "newer-sources"})


def _keys(block: Block, groups: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    for key, group in groups.items():
        value = block.get(key)
        for item in value if isinstance(value, list) else [value] if value else []:
            yield group, item, block.lines[key]


def _criteria(tree: Any) -> Iterator[tuple[str, str, int]]:
    """Every criterion key at any depth of a topic."""
    if isinstance(tree, Block):
        yield from _keys(tree, _CRITERION)
        for key, value in tree.items():
            if key != "asks":  # its `reason` is a word of ours, not an id
                yield from _criteria(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _criteria(item)
