"""The server that `make serve` starts, and the wheel: what a newcomer gets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from live import BIN, free_port, serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server") / "log") as server:
        yield server.url


def example(name: str, url: str) -> Any:
    run = subprocess.run(
        ["sh", ROOT / "examples" / name],
        env=os.environ | {"SERVICE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def test_the_mmn_example_gives_one_warning(url: str) -> None:
    (card,) = example("mmn-prednisone.sh", url)["cards"]
    assert card["indicator"] == "warning"
    units = {
        unit["id"]: unit["applicability"] for unit in card["extension"]["org.example.ivig-fhir"]["recommendations"]
    }
    assert units["mmn-steroid"] == "applicable"


def test_the_cidp_example_warns_of_nothing(url: str) -> None:
    assert all(card["indicator"] == "info" for card in example("cidp-prednisone.sh", url)["cards"])


def test_without_guidance_and_authoring_the_answers_are_the_same(url: str, tmp_path: Path) -> None:
    for name in ("src", "definitions", "server.py"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    shutil.rmtree(tmp_path / "src" / "ivig_fhir" / "authoring")
    with serving(tmp_path / "log", {"PYTHONPATH": str(tmp_path / "src")}, folder=tmp_path) as other:
        assert example("mmn-prednisone.sh", other.url) == example("mmn-prednisone.sh", url)


def test_a_definition_that_is_wrong_stops_the_start_and_says_where(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "definitions", tmp_path / "definitions")
    plan = tmp_path / "definitions" / "r4" / "PlanDefinition-mmn.json"
    plan.write_text(plan.read_text("utf-8").replace("%mmn.exists() or", "%mmn.exists() garbage or", 1), "utf-8")
    environment = os.environ | {"IVIG_FHIR_DEFINITIONS": str(tmp_path / "definitions")}
    command = [BIN / "gunicorn", "server:app", "--preload", "--bind", f"127.0.0.1:{free_port()}"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode != 0
    assert "PlanDefinition/mmn action mmn-ivig condition mmn-current character 15" in run.stderr + run.stdout
    assert "Traceback" not in run.stderr


def test_an_unknown_setting_stops_the_start() -> None:
    command = [BIN / "gunicorn", "server:app", "--preload", "--bind", f"127.0.0.1:{free_port()}"]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"IVIG_FHIR_PUBLIC_URI": "x"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode != 0
    assert "did you mean IVIG_FHIR_PUBLIC_URL?" in run.stderr + run.stdout


def test_the_wheel_without_extras_serves_a_card(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True
    )  # ours installs there
    options = ["--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt"]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", *options, wheel]
    subprocess.run(pip, check=True, capture_output=True)
    for command, extra in (("compile", "authoring"), ("coverage", "authoring"), ("validate", "validate")):
        program = [tmp_path / "venv" / "bin" / "ivig-fhir", command, *(["."] if command == "validate" else [])]
        run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith("this command: needs ")
        assert f"pip install 'ivig-fhir[{extra}]'" in run.stderr
    (tmp_path / "server.py").write_text((ROOT / "server.py").read_text("utf-8"), "utf-8")
    with serving(tmp_path / "log", folder=tmp_path, gunicorn=tmp_path / "venv" / "bin" / "gunicorn") as installed:
        assert example("mmn-prednisone.sh", installed.url)["cards"][0]["indicator"] == "warning"
