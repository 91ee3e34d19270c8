"""HL7's packages for the official validators, from npm, each held to its SHA-256, in .interop/home/.fhir/packages.

Three packages are not on npm, and stand-ins take their place:
- hl7.fhir.r4.core: hl7.fhir.r4.examples carries the same definitions among its examples.
- hl7.fhir.xver-extensions, which says what elements of R5 an extension of R4 may name: read off hl7.fhir.r5.core.
- hl7.fhir.uv.cpg: the one extension of it that the content uses, as its source states it (tools/interop/stand-ins).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("INTEROP", ROOT / ".interop"))
TARBALLS = WORK / "npm"
HOME = WORK / "home"
CACHE = HOME / ".fhir" / "packages"
XVER = "xver-paths-5.0.json"
STAND_INS = Path(__file__).parent / "stand-ins"

PINS = {
    "hl7.fhir.r4.examples@4.0.1": "dce87f1b5b9341867033f7d1f544fa1b5232503f6d62813887ac6b8a8b6cb682",
    "hl7.fhir.r4b.core@4.3.0": "2abd390aa5ad25eb269eb46dad45380db2fa7ba653e39926b75973475c3bc4ce",
    "hl7.fhir.r5.core@5.0.0": "09f22107bef64313545a50d2c127d20f81173c499a395672fae089bc23e72fab",
    "hl7.fhir.r5.examples@5.0.0": "00106d2479ba1d73a1168543472b730744c157d9c427a686c88c32559afb09e5",
    "hl7.fhir.uv.extensions.r4@5.3.0-ballot-tc1": "54f70616bbd444ba0259d5fc5a5c978d463971865f23dcef3103081f529ad213",
    "hl7.fhir.uv.extensions.r5@5.3.0-ballot-tc1": "33a55f290663f3f9d61c9dbdeb0be6ef10d0e64b54af539d1d557585c8f9e1c2",
    "hl7.terminology.r4@7.0.1": "170c546f761fb51b3355788ca500206f6b772b21c57348c29205de85a6612baa",
    "hl7.terminology.r5@7.0.1": "b34d9c6bdf108884e1d5ba535765e7b5cd93009f0af9f3b7e5eba38e5ae7a70b",
}
EXAMPLES = {"4.0.1": "hl7.fhir.r4.examples@4.0.1", "5.0.0": "hl7.fhir.r5.examples@5.0.0"}
_DEFINITIONS = ("CodeSystem", "CompartmentDefinition", "ConceptMap", "OperationDefinition", "SearchParameter")
_OF_R4_CORE = (*_DEFINITIONS, "StructureDefinition", "ValueSet")


class Missing(Exception):
    """Something that cannot be had here; the message names it."""


def tarball(name: str) -> Path:
    """The file of a package, fetched with npm if it is not there. Raises Missing."""
    package, _, version = name.rpartition("@")
    path = TARBALLS / f"{package}-{version}.tgz"
    if not path.exists():
        TARBALLS.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        if npm is None:
            raise Missing(f"npm, to fetch {name}")
        done = subprocess.run(
            [npm, "pack", "--silent", name], cwd=TARBALLS, capture_output=True, text=True, check=False
        )
        if done.returncode or not path.exists():
            raise Missing(f"{name} from npm: {done.stderr.strip()[-200:]}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PINS[name]:
        raise Missing(f"{name}: its SHA-256 is {found}, expected {PINS[name]}")
    return path


def unpacked(name: str) -> Path:
    """The folder of a package's files, in the layout of the FHIR package cache."""
    package, _, version = name.rpartition("@")
    folder = CACHE / f"{package}#{version}"
    if not (folder / "package" / "package.json").exists():
        path = tarball(name)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        _need_nothing(folder / "package" / "package.json")
    return folder / "package"


def install() -> Path:
    """All packages in the cache; the home folder to give to Java. Raises Missing."""
    for name in PINS:
        unpacked(name)
    _core_of_r4(unpacked(EXAMPLES["4.0.1"]))
    _paths_of_r5(unpacked("hl7.fhir.r5.core@5.0.0"))
    settings = {"prohibitNetworkAccess": True}
    (HOME / ".fhir" / "fhir-settings.json").write_text(json.dumps(settings), "utf-8")
    return HOME


def _core_of_r4(examples: Path) -> None:
    folder = CACHE / "hl7.fhir.r4.core#4.0.1" / "package"
    if (folder / "package.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(examples.glob("*.json")):
        if file.name.partition("-")[0] not in _OF_R4_CORE:
            continue
        url = json.loads(file.read_text("utf-8")).get("url", "")
        if url.startswith(("http://hl7.org/fhir/", "http://terminology.hl7.org/")):
            shutil.copyfile(file, folder / file.name)
    _package_json(folder, "hl7.fhir.r4.core", "4.0.1", ["4.0.1"])


def _need_nothing(file: Path) -> None:
    """Terminology and extensions name each other in versions that are not on npm; both are loaded as they are here."""
    about = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**about, "dependencies": {}}), "utf-8")


def _paths_of_r5(core: Path) -> None:
    """Every element of R5 with its types or its elements, in the form of hl7.fhir.xver-extensions."""
    folder = CACHE / "hl7.fhir.xver-extensions#0.1.0" / "package"
    other = folder.parent / "other"
    other.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    _package_json(folder, "hl7.fhir.xver-extensions", "0.1.0", ["5.0.0"])
    found: dict[str, dict[str, list[str]]] = {}
    for file in sorted(core.glob("StructureDefinition-*.json")):
        definition = json.loads(file.read_text("utf-8"))
        if definition.get("derivation") != "constraint" and definition["kind"] in ("resource", "complex-type"):
            for element in definition["snapshot"]["element"]:
                _enter(found, element)
    (other / XVER).write_text(json.dumps(found), "utf-8")


def _enter(found: dict[str, dict[str, list[str]]], element: dict[str, Any]) -> None:
    path, _, name = element["path"].rpartition(".")
    types = [_typed(item) for item in element.get("type", ())]
    backbone = types in (["BackboneElement"], ["Element"]) or not types
    found[element["path"]] = {} if backbone else {"types": types}
    if path in found and not found[path].get("types"):
        found[path].setdefault("elements", []).append(name)


def _typed(item: dict[str, Any]) -> str:
    code = "string" if item["code"].startswith("http://hl7.org/fhirpath/") else item["code"]
    targets = "|".join(url.rpartition("/")[2] for url in item.get("targetProfile", ()))
    return f"{code}({targets})" if targets else str(code)


def _package_json(folder: Path, name: str, version: str, versions: list[str]) -> None:
    about = {"name": name, "version": version, "type": "Core", "fhirVersions": versions, "dependencies": {}}
    (folder / "package.json").write_text(json.dumps({**about, "tools-version": 3}), "utf-8")
