"""FHIR core packages: in the cache of the FHIR tools (~/.fhir/packages), or a .tgz named on the command line."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ivig_fhir.problems import problem
from ivig_fhir.validation.elements import R4, R4B, R5
from ivig_fhir.validation.versions import version_of

CACHE = Path.home() / ".fhir" / "packages"
CORE = {R4: "hl7.fhir.r4.core#4.0.1", R4B: "hl7.fhir.r4b.core#4.3.0", R5: "hl7.fhir.r5.core#5.0.0"}
TERMINOLOGY = "hl7.terminology"  # in editions: hl7.terminology.r4 and .r5 hold the same codes
SCHEMA = "package/openapi/fhir.schema.json"
_WANTED = ("package/StructureDefinition-", "package/ValueSet-", "package/CodeSystem-")


@dataclass(eq=False)
class CorePackage:
    """The definitions of one FHIR version; `member` gives the bytes of a file, or None."""

    name: str
    member: Callable[[str], bytes | None]
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and version, as far as they are known: hl7.terminology.r5#7.0.1."""
        manifest = self.read("package/package.json") or {}
        return f"{manifest.get('name', self.name)}#{manifest.get('version', '?')}"

    def read(self, name: str) -> Any:
        """The JSON of a member; None where there is none."""
        content = self.member(name)
        return json.loads(content) if content is not None else None

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The official JSON Schema, mended where it refuses what the specification allows.

        R5's pattern of decimal has a brace too many. In patterns \\s and \\S mean ASCII, as FHIR has them: a
        no-break space is text. Extensions of primitives (_name) are left to our own rules: the schema knows none on
        canonicals, and no null in their arrays. A resource within another is checked by itself.
        """
        content = self.member(SCHEMA)
        if content is None:
            return None
        schema: dict[str, Any] = json.loads(content.replace(b"{1,9}})?$", b"{1,9})?$").replace(b'"^', b'"(?a)^'))
        definitions = schema["definitions"]
        definitions["ResourceList"] = {}
        definitions.get("Expression", {}).get("properties", {}).get("language", {}).pop("enum", None)  # extensible
        for definition in definitions.values():
            properties = definition.get("properties")
            if properties is not None:
                definition["required"] = [
                    name for name in definition.get("required", ()) if f"_{name}" not in properties
                ]
                definition["patternProperties"] = {"^_": {}}
                definition["properties"] = {
                    name: _inlined(item, definitions) for name, item in properties.items() if not name.startswith("_")
                }
        return schema


def _inlined(item: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A property without its description, and with a primitive's pattern in place of the reference to it: resolving
    references is half of the time that jsonschema takes."""
    item = {name: value for name, value in item.items() if name != "description"}
    if isinstance(item.get("items"), dict):
        item["items"] = _inlined(item["items"], definitions)
    target = definitions.get(item.get("$ref", "").rpartition("/")[2])
    if target is None or "properties" in target:
        return item
    return {name: value for name, value in target.items() if name != "description"}


def installed(version: str, cache: Path = CACHE) -> CorePackage | None:
    """The core package of a version in the cache; None where it is not there."""
    return _unpacked(cache / CORE[version])


def _unpacked(folder: Path) -> CorePackage | None:
    if not (folder / "package").is_dir():
        return None
    names = tuple(f"package/{file.name}" for file in (folder / "package").glob("*.json"))

    def member(name: str) -> bytes | None:
        file = folder / name
        return file.read_bytes() if file.is_file() else None

    return CorePackage(folder.name, member, names)


def opened(file: Path) -> tuple[str, CorePackage]:
    """(version, package) of a core package as .tgz, or (TERMINOLOGY, package). Raises Problem('malformed')."""
    try:
        with tarfile.open(file, "r:gz") as package:
            content = {
                item.name: stream.read()
                for item in package
                if (item.name.startswith(_WANTED) or item.name in (SCHEMA, "package/package.json"))
                and (stream := package.extractfile(item)) is not None
            }
        manifest = json.loads(content.get("package/package.json", b"{}"))
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise problem("malformed", str(file), f"is no FHIR package: {error}", "a core package as .tgz") from error
    name, version = str(manifest.get("name", "")), version_of(str(manifest.get("version", "")))
    if name.startswith(TERMINOLOGY):
        return TERMINOLOGY, CorePackage(str(file), content.get, tuple(content))
    if not name.endswith(".core") or not version:
        raise problem("malformed", str(file), "is no FHIR core package", f"{', '.join(CORE.values())}, {TERMINOLOGY}")
    return version, CorePackage(str(file), content.get, tuple(content))


def core_packages(files: tuple[str, ...], cache: Path = CACHE) -> dict[str, CorePackage]:
    """The core packages at hand by version, and TERMINOLOGY: those named, then those in the cache."""
    named = dict(opened(Path(file)) for file in files)
    for version in CORE:
        found = None if version in named else installed(version, cache)
        if found is not None:
            named[version] = found
    terminology = None if TERMINOLOGY in named else _newest_terminology(cache)
    return named | ({TERMINOLOGY: terminology} if terminology else {})


def _newest_terminology(cache: Path) -> CorePackage | None:
    found = [folder for folder in cache.glob(f"{TERMINOLOGY}*#*") if (folder / "package").is_dir()]
    return _unpacked(max(found, key=_release)) if found else None


def _release(folder: Path) -> tuple[list[int], str]:
    """By version, a release before a preview of it, then by name."""
    version, _, preview = folder.name.partition("#")[2].partition("-")
    return [*(int(part) for part in version.split(".") if part.isdigit()), not preview], folder.name
