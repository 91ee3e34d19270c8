"""Make src/ivig_fhir/validation/elements.json out of HL7's definitions: what the models of fhir.resources do not have.

    python tools/elements.py           compare with the committed file; exit 1 where it differs, 3 without packages
    python tools/elements.py --write   write it

R4's StructureDefinitions are compared with the models of R4B, which is all that fhir.resources has of R4; required
bindings of all three versions with the models' lists. The packages: see interop/packages.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "interop"))

from packages import CACHE, ROOT, Missing, install

from ivig_fhir.validation import elements
from ivig_fhir.validation.elements import R4, R4B, R5, Element, Table

FILE = ROOT / "src" / "ivig_fhir" / "validation" / "elements.json"
FOLDERS = {R4: "hl7.fhir.r4.core#4.0.1", R4B: "hl7.fhir.r4b.core#4.3.0", R5: "hl7.fhir.r5.core#5.0.0"}
ABOUT = (
    "R4 4.0.1 where it differs from R4B (fhir.resources has no R4), and required bindings that its models lack or "
    "abbreviate; from the HL7 FHIR definitions (CC0)."
)
MOST_CODES = 70  # longer lists (resource types, events of v2) are left to the official layer
HOLDERS = ("BackboneElement", "Element")
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
Item = dict[str, Any]


class Definitions:
    """The StructureDefinitions, value sets and code systems of one version."""

    def __init__(self, version: str) -> None:
        self.folder = CACHE / FOLDERS[version] / "package"
        self.systems = {item["url"]: item for item in self._read("CodeSystem")}
        self.sets = {item["url"]: item for item in self._read("ValueSet")}
        self.types: dict[str, dict[str, Item]] = {}
        self.resources: set[str] = set()
        for item in self._read("StructureDefinition"):
            if item.get("derivation") != "constraint" and item["kind"] in ("resource", "complex-type"):
                self._enter(item)

    def _read(self, kind: str) -> Iterator[Item]:
        for file in sorted(self.folder.glob(f"{kind}-*.json")):
            yield json.loads(file.read_text("utf-8"))

    def _enter(self, definition: Item) -> None:
        for element in definition["snapshot"]["element"]:
            parts = element["path"].split(".")
            if len(parts) == 1:
                self.types[parts[0]] = {}
                if definition["kind"] == "resource":
                    self.resources.add(parts[0])
                continue
            owner = self.types.setdefault(_joined(parts[:-1]), {})
            if element.get("max") != "0":
                owner.update(self._members(parts, element))

    def _members(self, parts: list[str], element: Item) -> Iterator[tuple[str, Item]]:
        name, required = parts[-1], element["min"] > 0
        for kind in element.get("type") or [
            {"code": _joined(element["contentReference"].partition("#")[2].split("."))}
        ]:
            code = _code_of(kind)
            if len(parts) == 2 and parts[0] in self.resources and name == "id":
                code = "id"  # R4 writes string, and means the format of ids
            item: Item = {"type": _joined(parts) if code in HOLDERS else code}
            if element["max"] not in ("0", "1"):
                item["list"] = True
            if required and not name.endswith("[x]"):
                item["required"] = True
            codes = self._codes(element.get("binding", {})) if code == "code" else None
            if codes:
                item["codes"] = sorted(codes)
            targets = sorted({url.rpartition("/")[2] for url in kind.get("targetProfile", ())})
            if targets:
                item["targets"] = targets
            if name.endswith("[x]"):
                item["choice"] = name.removesuffix("[x]")
                if required:
                    item["choiceRequired"] = True
                yield item["choice"] + code[:1].upper() + code[1:], item
            else:
                yield name, item

    def _codes(self, binding: Item) -> set[str] | None:
        if binding.get("strength") != "required" or "valueSet" not in binding:
            return None
        found = self._expanded(binding["valueSet"].partition("|")[0])
        return found if found and len(found) < MOST_CODES else None

    def _expanded(self, url: str) -> set[str] | None:
        """The codes of a value set; None where it is not listed in full."""
        value_set, found = self.sets.get(url, {}), set()
        for part in value_set.get("compose", {}).get("include", ()):
            system = self.systems.get(part.get("system", ""), {})
            if part.get("filter") or not (
                part.get("concept") or part.get("valueSet") or system.get("content") == "complete"
            ):
                return None
            if "system" in part:
                found |= set(_concepts(part.get("concept") or system.get("concept", ())))
            for inner in part.get("valueSet", ()):
                more = self._expanded(inner)
                if more is None:
                    return None
                found |= more
        for part in value_set.get("compose", {}).get("exclude", ()):
            found -= set(_concepts(part.get("concept", ())))
        return found or None


def _joined(parts: Iterable[str]) -> str:
    return "".join(part[:1].upper() + part[1:] for part in parts)


def _code_of(kind: Item) -> str:
    stated = [
        item.get("valueUrl") or item.get("valueUri") for item in kind.get("extension", ()) if item["url"] == FHIR_TYPE
    ]
    return str(
        stated[0] if stated else kind["code"].rpartition(".")[2].lower() if "//" in kind["code"] else kind["code"]
    )


def _concepts(concepts: Iterable[Item]) -> Iterator[str]:
    for concept in concepts:
        if not any(
            item["code"] == "notSelectable" and item.get("valueBoolean") for item in concept.get("property", ())
        ):
            yield concept["code"]
        yield from _concepts(concept.get("concept", ()))


def made() -> Item:
    """The content of elements.json."""
    official = {version: Definitions(version) for version in FOLDERS}
    elements._corrections.cache_clear()
    empty = {"bindings": {version: {} for version in FOLDERS}, "r4": {"absent": [], "changed": {}, "added": {}}}
    elements._corrections = lambda: empty  # type: ignore[assignment]  # the models as they are
    bindings = {version: dict(sorted(_bindings(version, found))) for version, found in official.items()}
    return {"about": ABOUT, "bindings": bindings, "r4": _of_r4(official[R4], official[R4B])}


def _model(name: str) -> Table | None:
    return elements.table(name, R4B)


def _of_r4(r4: Definitions, r4b: Definitions) -> Item:
    absent = sorted(name for name in r4b.types if name not in r4.types and _model(name))
    changed, added = {}, {}
    for name, members in sorted(r4.types.items()):
        model = _model(name)
        if name == "Element" or not members:
            continue
        if model is None:
            added[name] = {"resource": name in r4.resources, "elements": members}
            continue
        known = {key: _item(element, model) for key, element in model.elements.items()}
        names = sorted({*known, *members})
        differing = {key: members.get(key) for key in names if _plain(members.get(key)) != _plain(known.get(key))}
        if differing:
            changed[name] = differing
    return {"absent": absent, "changed": changed, "added": added}


def _item(element: Element, model: Table) -> Item:
    """An element of a model as elements.json writes one."""
    item: Item = {"type": element.type}
    marks = {
        "list": element.is_list,
        "required": element.required,
        "targets": sorted(element.targets),
        "choice": element.choice,
        "choiceRequired": element.choice in model.required_choices,
    }
    return item | {key: value for key, value in marks.items() if value}


def _plain(item: Item | None) -> Item | None:
    """Without codes, which bindings correct, and with id as the models have it."""
    if item is None:
        return None
    found = {key: value for key, value in item.items() if key != "codes"}
    return found | {"type": "string" if found["type"] == "id" else found["type"]}


def _bindings(version: str, official: Definitions) -> Iterator[tuple[str, list[str]]]:
    """The codes of required bindings where a model has others; empty where the model lists what is not required."""
    for name, members in official.types.items():
        model = elements.table(name, version)
        for key, item in members.items() if model else ():
            element = model.elements.get(key) if model else None
            if element and item["type"] == "code" and set(element.codes) != set(item.get("codes", ())):
                yield f"{name}.{key}", item.get("codes", [])


def written(data: Item) -> str:
    """elements.json as text: one type or binding a line."""
    lines = ["{", f'  "about": {json.dumps(data["about"])},', '  "bindings": {']
    lines += _blocks(data["bindings"], 4)
    lines += ["  },", '  "r4": {', f'    "absent": {json.dumps(data["r4"]["absent"])},']
    lines += _blocks({name: data["r4"][name] for name in ("changed", "added")}, 4)
    return "\n".join([*lines, "  }", "}"]) + "\n"


def _blocks(blocks: dict[str, Item], indent: int) -> list[str]:
    lines, pad = [], " " * indent
    for place, (name, block) in enumerate(blocks.items()):
        inner = [f"{pad}  {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(block.items())]
        lines += [
            f"{pad}{json.dumps(name)}: {{",
            ",\n".join(inner),
            f"{pad}}}" + ("," if place < len(blocks) - 1 else ""),
        ]
    return lines


def main(given: list[str]) -> int:
    """Write or compare; the exit code."""
    try:
        install()
    except Missing as missing:
        print(f"elements.json: not compared. It lacks {missing}")
        return 3
    text = written(made())
    if "--write" in given:
        FILE.write_text(text, "utf-8")
    same = FILE.read_text("utf-8") == text
    print(f"elements.json {'is' if same else 'is not'} what HL7's definitions give")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
