"""What value sets are composed of: codes of their own and the codes of their parts, worked out from `compose`."""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]
Code = tuple[str, str]  # system, code
Composition = tuple[dict[str, list[Code]], dict[str, list[str]]]  # own codes by set, parts by set


def composition(value_sets: list[Resource]) -> Composition:
    """The codes of its own and the parts of each value set, by id."""
    return {item["id"]: _own(item) for item in value_sets}, {item["id"]: _parts(item) for item in value_sets}


def expanded(name: str, composed: Composition) -> set[Code]:
    """The codes of a value set: its own, and those of its parts."""
    own, parts = composed
    return set(own[name]).union(*(expanded(part, composed) for part in parts[name]))


def contained(value_set: Resource) -> set[Code]:
    """The codes of the expansion as published, which is what the service reads."""
    return {(item["system"], item["code"]) for item in value_set["expansion"]["contains"]}


def differing(value_sets: list[Resource]) -> list[str]:
    """The value sets whose expansion is not what they are composed of."""
    composed = composition(value_sets)
    return [item["id"] for item in value_sets if contained(item) != expanded(item["id"], composed)]


def whole_systems(value_set: Resource) -> list[str]:
    """The code systems that it includes whole: those to which only extensions bind."""
    return [item["system"] for item in value_set["compose"]["include"] if "system" in item and "concept" not in item]


def _own(value_set: Resource) -> list[Code]:
    included = value_set["compose"]["include"]
    return [(item["system"], concept["code"]) for item in included for concept in item.get("concept", ())]


def _parts(value_set: Resource) -> list[str]:
    urls = [url for item in value_set["compose"]["include"] for url in item.get("valueSet", ())]
    return [url.partition("|")[0].rpartition("/")[2] for url in urls]
