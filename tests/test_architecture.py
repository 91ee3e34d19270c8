"""The import law, the size of things, and that no code of the module stands in its Python."""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

import pytest

from conftest import ROOT

SOURCE = ROOT / "src" / "ivig_fhir"
FILES = sorted(SOURCE.rglob("*.py"))

# package -> the packages of ours that it may import (docs/architecture.md)
LAW = {
    "problems": set(),
    "fhir": set(),
    "": set(),
    "knowledge": {"fhir", "problems"},
    "authoring": {"knowledge"},
    "validation": {"knowledge"},
    "engine": {"knowledge"},
    "cds_hooks": {"engine", "knowledge"},
    "pages": {"cds_hooks", "engine", "knowledge"},
    "publishing": {"cds_hooks", "engine", "knowledge", "pages"},
    "service": {"cds_hooks", "engine", "knowledge", "pages"},
    "cli": {"authoring", "cds_hooks", "engine", "knowledge", "pages", "publishing", "service", "validation"},
}
FOR_ALL = {"fhir", "problems", ""}
# library -> the packages that may import it
LIBRARIES = {
    "yaml": {"authoring"},
    "flask": {"service"},
    "werkzeug": {"service"},
    "jinja2": {"pages"},
    "markdown_it": {"pages"},
    "httpx": {"service"},
    "httpcore": {"service"},
    "jwt": {"service"},
    "gunicorn": {"service"},
    "fhir": {"validation", "authoring"},
    "jsonschema": {"validation", "authoring"},
    "click": {"cli"},
}


def package_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py").replace("__init__", "")


def imports_of(path: Path) -> list[str]:
    """Every imported module, those inside functions and for types only included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def ours(path: Path) -> set[str]:
    found = set()
    for name in imports_of(path):
        if name == "ivig_fhir" or name.startswith("ivig_fhir."):
            parts = name.split(".")
            part = parts[1] if len(parts) > 1 else ""
            found.add(part if part in LAW else "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    package = package_of(path)
    allowed = LAW[package] | FOR_ALL | {package}
    assert ours(path) <= allowed, f"{package} may import {sorted(allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_libraries_stay_where_they_belong(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports_of(path)}
    for library, packages in LIBRARIES.items():
        assert library not in tops or package_of(path) in packages


def test_no_module_imports_itself_by_a_detour() -> None:
    def module(path: Path) -> str:
        return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")

    names = {module(path) for path in FILES}
    graph = {}
    for path in FILES:
        wanted = imports_of(path)
        graph[module(path)] = {
            n
            for n in names
            for w in wanted
            if w == n
            or (
                w.startswith(n + ".")
                and w not in names
                and not any(w.startswith(m + ".") for m in names if m.startswith(n + "."))
            )
        } - {
            module(path),
            "ivig_fhir",
        }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in graph[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_are_short_and_take_few_arguments(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 250
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            arguments = [
                item.arg for item in (*node.args.posonlyargs, *node.args.args) if item.arg not in ("self", "cls")
            ]
            most = 7 if package_of(path) == "cli" else 6  # a command takes what its options say
            assert len(arguments) <= most, f"{node.name} takes {len(arguments)}"


def test_nine_functions_of_ten_are_short() -> None:
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    ]
    assert statistics.quantiles(lengths, n=10)[-1] <= 25


def test_every_public_module_class_and_function_says_what_it_is() -> None:
    silent = []
    for path in FILES:
        tree = ast.parse(path.read_text("utf-8"))
        if tree.body and not ast.get_docstring(tree):
            silent.append(path.name)
        public = (node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"))
        silent += [f"{path.name}:{node.name}" for node in public if not ast.get_docstring(node)]
    assert silent == []


def clinical_codes() -> set[str]:
    """Every code of four or more characters that a value set of the module holds, local codes left out."""
    found = set()
    for path in (ROOT / "definitions" / "r4").glob("ValueSet-*.json"):
        for item in json.loads(path.read_text("utf-8"))["expansion"]["contains"]:
            if len(item["code"]) >= 4 and "ivig-fhir" not in item["system"]:
                found.add(item["code"])
    return found


def unit_ids() -> set[str]:
    plans = [
        json.loads(path.read_text("utf-8")) for path in (ROOT / "definitions" / "r4").glob("PlanDefinition-*.json")
    ]
    return {action["id"] for plan in plans for action in plan["action"][0]["action"]}


def test_no_code_unit_or_statement_of_the_content_stands_in_python() -> None:
    codes = clinical_codes()
    units = {name for name in unit_ids() if "-" in name}  # an id of one word may be any word
    assert len(codes) > 100
    assert units
    for path in FILES:
        text = path.read_text("utf-8")
        words = set(re.findall(r"[A-Za-z0-9.]+", text)) | set(re.findall(r"\d{4,}", text))
        assert not words & codes, f"{path.name}: {sorted(words & codes)}"
        literals = {
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not literals & units, f"{path.name}: {sorted(literals & units)}"
        assert not re.search(r"\bS[1-4]-\d{3}\b", text), path.name
