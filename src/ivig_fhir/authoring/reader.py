"""guidance/ -> Guidance: strict, every problem in one pass, each with file:line and a hint."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from ivig_fhir.authoring import guidance as g
from ivig_fhir.authoring.located import Block, line_of, read_yaml
from ivig_fhir.authoring.quotations import misquoted
from ivig_fhir.authoring.references import dangling, not_to_be_shown
from ivig_fhir.problems import Issue, Outcome, Problem

_SINGLE = (
    "module",
    "phrases",
    "sources",
    "conflicts",
    "newer",
    "regimens",
    "hints",
    "orders",
    "activities",
    "features",
    "certainty",
)
_FOLDERS = {"statements": "statements", "concepts": "concepts", "topics": "topic"}

Trees = dict[str, Any]
_Made = TypeVar("_Made")  # a dataclass of guidance


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema of the notation."""
    text = files("ivig_fhir.authoring").joinpath("guidance.schema.json").read_text("utf-8")
    return dict(json.loads(text))


def read_guidance(folder: Path) -> g.Guidance:
    """Read and check guidance/. Raises Problem('guidance') with every issue found."""
    issues: list[Issue] = []
    trees: Trees = {}
    kinds: dict[str, str] = {}
    for path, kind in _kinds(folder):
        name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        if not path.is_file():
            issues.append(Issue(name, "the file is missing", "a file of this name", rule="complete"))
            continue
        tree, found = read_yaml(path, name)
        issues += found or _schema_issues(tree, kind, name)
        trees[name], kinds[name] = tree, kind
    if not issues:
        issues += [*_repeated(trees, kinds), *dangling(trees, kinds), *not_to_be_shown(trees, kinds)]
        issues += misquoted(trees, kinds)
    if issues:
        raise Problem("guidance", Outcome(tuple(issues)))
    return _guidance(trees, kinds)


def _kinds(folder: Path) -> Iterator[tuple[Path, str]]:
    for kind in _SINGLE:
        yield folder / f"{kind}.yaml", kind
    for name, kind in _FOLDERS.items():
        for path in sorted((folder / name).glob("*.yaml")):
            yield path, kind


def _schema_issues(tree: Any, kind: str, name: str) -> list[Issue]:
    validator = Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema()["$defs"]})
    return [_schema_issue(error, tree, name) for error in validator.iter_errors(tree)]


def _schema_issue(error: ValidationError, tree: Any, name: str) -> Issue:
    error = best_match([error]) or error
    path = list(error.absolute_path)
    seen: Any = error.instance
    wanted: Any = error.validator_value
    hint = ""
    allowed = ""
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = list(error.schema.get("properties", ()))
        unknown = [key for key in seen if key not in known]
        close = [match for key in unknown for match in difflib.get_close_matches(key, known, 1)]
        allowed, hint = ", ".join(known), f"did you mean {close[0]!r}?" if close else ""
        path += unknown[:1]
    elif error.validator == "enum":
        allowed = ", ".join(map(str, wanted))
        close = difflib.get_close_matches(str(seen), wanted, 1)
        hint = f"did you mean {close[0]!r}?" if close else ""
    elif error.validator == "pattern":
        allowed = f"text of the form {wanted}"
    elif error.validator == "oneOf":
        allowed = " or ".join(", ".join(option.get("required", ())) for option in wanted)
    place = ".".join(str(step) for step in error.absolute_path)
    says = "has none of these keys, or more than one" if error.validator == "oneOf" else error.message[:200]
    message = f"{place}: {says}" if place else says
    return Issue(f"{name}:{line_of(tree, path)}", message, allowed, hint, "notation")


def _repeated(trees: Trees, kinds: dict[str, str]) -> list[Issue]:
    seen: dict[tuple[str, str], str] = {}
    issues = []
    for name, tree in trees.items():
        for group, block in _identified(tree, kinds[name]):
            key, where = (group, block["id"]), f"{name}:{block.lines['id']}"
            if key in seen:
                issues.append(
                    Issue(where, f"{block['id']!r} is already defined in {seen[key]}", "each id once", rule="unique")
                )
            seen[key] = where
    return issues


def _identified(tree: Block, kind: str) -> Iterator[tuple[str, Block]]:
    if kind == "topic":
        yield "topic", tree
        yield from (("unit", unit) for unit in tree["units"])
    else:
        for group, blocks in tree.items():
            found = blocks if isinstance(blocks, list) else ()
            yield from ((group, block) for block in found if isinstance(block, Block) and "id" in block)


def _build(made: type[_Made], block: dict[str, Any], **more: Any) -> _Made:
    """A dataclass of a block: kebab-case keys become fields, lists become tuples."""
    values = {key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in block.items()}
    return made(**(values | more))


def _all(made: type[_Made], blocks: list[Any]) -> dict[str, _Made]:
    return {block["id"]: _build(made, block) for block in blocks}


def _guidance(trees: Trees, kinds: dict[str, str]) -> g.Guidance:
    by_kind: dict[str, list[tuple[str, Any]]] = {}
    for name, tree in trees.items():
        by_kind.setdefault(kinds[name], []).append((name, tree))
    one = {kind: by_kind[kind][0][1] for kind in _SINGLE}
    statements: dict[str, g.Statement] = {}
    for _, tree in by_kind["statements"]:
        statements |= _all(g.Statement, tree["statements"])
    concepts: dict[str, g.Concept] = {}
    for name, tree in by_kind.get("concepts", ()):
        concepts |= {block["id"]: _concept(block, f"{name}:{block.line}") for block in tree["concepts"]}
    topics = {tree["id"]: _topic(tree, name) for name, tree in by_kind.get("topic", ())}
    module = _module(one["module"])
    return g.Guidance(
        module=module,
        phrases=tuple(_build(g.Phrase, block) for block in one["phrases"]["phrases"]),
        sources={block["id"]: _source(block) for block in one["sources"]["sources"]},
        statements=statements,
        conflicts={block["id"]: _conflict(block) for block in one["conflicts"]["conflicts"]},
        newer=_all(g.Newer, one["newer"]["newer"]),
        newer_sources=_all(g.NewerSource, [*one["newer"]["sources"], *one["regimens"]["sources"]]),
        hints={block["id"]: _hint(block) for block in one["hints"]["hints"]},
        negations=tuple(one["hints"]["negations"]),
        read_beside=tuple(one["hints"]["read-beside"]),
        concepts=concepts,
        orders={block["id"]: _order_class(block) for block in one["orders"]["classes"]},
        activities={block["id"]: _activity(block) for block in one["activities"]["activities"]},
        topics=tuple(topics[name] for name in module.topics),
        certainty=_certainty(one["certainty"]),
        features=tuple(_build(g.Feature, block) for block in one["features"]["features"]),
        regimens=tuple(_build(g.Regimen, block) for block in one["regimens"]["regimens"]),
    )


def _module(block: Block) -> g.Module:
    return _build(
        g.Module,
        block,
        defaults=tuple(_build(g.Default, item) for item in block["defaults"]),
        hooks=tuple(_build(g.Hook, item) for item in block["hooks"]),
        prefetch=tuple(_build(g.Prefetch, item) for item in block["prefetch"]),
        override_reasons=tuple(_build(g.Phrase, item) for item in block.get("override-reasons", ())),
        weight_units=tuple(_build(g.WeightUnit, item) for item in block.get("weight-units", ())),
    )


def _certainty(block: Block) -> g.Certainty:
    return g.Certainty(block["says"], tuple(_build(g.Reading, item) for item in block["readings"]))


def _source(block: Block) -> g.Source:
    references = tuple(_build(g.SourceReference, item) for item in block.get("references", ()))
    return _build(g.Source, block, references=references)


def _conflict(block: Block) -> g.Conflict:
    rest = {key: value for key, value in block.items() if key not in ("class", "sides")}
    sides = tuple(tuple(side) for side in block["sides"])
    return _build(g.Conflict, rest, kind=block["class"], sides=sides)


def _hint(block: Block) -> g.Hint:
    rest = {key: value for key, value in block.items() if key != "in"}
    return _build(g.Hint, rest, path=block["in"])


def _concept(block: Block, where: str) -> g.Concept:
    codes = tuple(_build(g.Code, row, system=system) for system, rows in block.get("codes", {}).items() for row in rows)
    left_out = tuple(_build(g.LeftOut, row) for row in block.get("left-out", ()))
    return _build(g.Concept, block, where=where, codes=codes, left_out=left_out)


def _asks(block: dict[str, Any]) -> g.Asks | None:
    return g.Asks(**block["asks"]) if "asks" in block else None


def _order_class(block: Block) -> g.OrderClass:
    rows = tuple(_build(g.OrderRow, row, asks=_asks(row)) for row in block["rows"])
    done = block.get("done", {})
    return g.OrderClass(block["id"], block["title"], rows, done.get("codes", ""), done.get("within", ""))


def _activity(block: Block) -> g.Activity:
    product = _build(g.Code, block["product"], proof="") if "product" in block else None
    return _build(g.Activity, block, product=product)


def _topic(block: Block, name: str) -> g.Topic:
    units = tuple(_unit(unit, f"{name}:{unit.line}") for unit in block["units"])
    return _build(g.Topic, block, units=units, where=f"{name}:{block.line}")


def _unit(block: Block, where: str) -> g.Unit:
    rest = {key: value for key, value in block.items() if key not in ("with", "amount")}
    amount = block.get("amount")
    return _build(
        g.Unit,
        rest,
        where=where,
        with_units=tuple(block.get("with", ())),
        ratings=tuple(_build(g.Rating, item) for item in block.get("ratings", ())),
        figures=tuple(_build(g.Figure, item) for item in block.get("figures", ())),
        amount=(amount["value"], amount["unit"], amount["weight"]) if amount else None,
    )
