"""The cases of tests/cases/<topic>/<unit>.yaml: one base patient a file, each case one difference from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import patients

FOLDER = Path(__file__).parent / "cases"
KEYS = {"name", "statements", "differs", "expect", "hazard", "vignette"}
EXPECTED = {
    "units",
    "only",
    "indicator",
    "cards",
    "says",
    "never",
    "missing",
    "yields",
    "suggests",
    "status",
    "first",
    "criteria",
}


@dataclass(frozen=True)
class Case:
    """One patient at one moment, and what must reach the reader."""

    id: str
    file: Path
    name: str
    facts: dict[str, Any]
    expect: dict[str, Any]
    statements: tuple[str, ...]
    hazards: tuple[str, ...]

    @property
    def topic(self) -> str:
        return self.file.parent.name

    @property
    def at(self) -> str:
        return str(self.facts["at"])

    def request(self) -> dict[str, Any]:
        return patients.request(self.facts)


class _Loader(yaml.CSafeLoader):
    """Plain YAML, but dates stay text."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for key, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> list[Case]:
    """The cases of one file. Raises ValueError for a key that means nothing."""
    tree = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - a safe loader
    found = []
    for item in tree["cases"]:
        unknown = set(item) - KEYS | set(item["expect"]) - EXPECTED
        if unknown:
            raise ValueError(f"{path.name}: {item['name']}: unknown keys {', '.join(sorted(unknown))}")
        identifier = f"{path.parent.name}/{path.stem}: {item['name']}"
        facts = patients.differing(tree["base"], item.get("differs", {}))
        hazards = item.get("hazard", [])
        found.append(
            Case(
                identifier,
                path,
                item["name"],
                facts,
                item["expect"],
                tuple(item.get("statements", tree.get("statements", ()))),
                tuple(hazards if isinstance(hazards, list) else [hazards]),
            )
        )
    return found


def all_cases() -> Iterator[Case]:
    """Every case, by file."""
    for path in sorted(FOLDER.glob("*/*.yaml")):
        yield from load(path)
