"""The example patients of the playground: synthetic, made by tools/examples.py from the cases of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ivig_fhir.fhir import Resource, loads

FOLDER = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """A patient's record (a Bundle, or a request where something could not be had), and the moment."""

    id: str
    title: str
    topic: str
    hook: str
    at: str
    reader: str
    record: Resource
    orders: tuple[Resource, ...]


@cache
def examples() -> dict[str, Example]:
    """All examples by id, in order."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        item = loads(path.read_bytes())
        orders = tuple(item.pop("orders"))
        found[path.stem] = Example(id=path.stem, orders=orders, **item)
    return found
