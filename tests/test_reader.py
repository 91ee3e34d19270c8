"""A malformed guidance file: every problem with file:line and a hint, in one pass, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import ROOT
from ivig_fhir.authoring.reader import read_guidance
from ivig_fhir.cli.main import cli
from ivig_fhir.problems import Problem

TOPIC = "topics/mmn.yaml"


@pytest.fixture
def guidance(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "guidance", tmp_path / "guidance"))


def problems(folder: Path) -> str:
    with pytest.raises(Problem) as stopped:
        read_guidance(folder)
    return str(stopped.value)


def replace(path: Path, before: str, after: str) -> int:
    """Replace the first occurrence; the line on which it stood."""
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")
    return text[: text.index(before)].count("\n") + 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("direction: for\n", "direction: fro\n", "did you mean 'for'?"),
        ("  shown: opens\n", "  showm: opens\n", "did you mean 'shown'?"),
        ("has-condition: mmn", "has-condition: nmm", "did you mean 'mmn'?"),
        ("S4-031,", "S4-999,", "'S4-999' is not defined"),
        ("activity: draft-ivig-order", "activity: draft-ivig-odrer", "did you mean 'draft-ivig-order'?"),
        ("- id: mmn-ivig\n", "- id: MMN ivig\n", "text of the form"),
        ("- id: mmn-pe\n", "- id: mmn-ivig\n", "already defined in guidance/topics/mmn.yaml"),
    ],
)
def test_a_slip_is_named_with_its_line_and_a_hint(guidance: Path, before: str, after: str, message: str) -> None:
    line = replace(guidance / TOPIC, before, after)
    said = problems(guidance)
    assert f"guidance/{TOPIC}:{line}:" in said
    assert message in said


def test_a_key_that_stands_twice_is_refused(guidance: Path) -> None:
    line = replace(guidance / TOPIC, "  direction: for\n", "  direction: for\n  direction: against\n")
    assert f"guidance/{TOPIC}:{line + 1}: the key 'direction' stands twice" in problems(guidance)


def test_text_that_is_no_yaml_is_refused_with_its_line(guidance: Path) -> None:
    path = guidance / TOPIC
    path.write_text(path.read_text("utf-8") + "\n  - : : [", "utf-8")
    assert f"guidance/{TOPIC}:" in problems(guidance)


def test_scalars_stay_text(guidance: Path) -> None:
    replace(guidance / "module.yaml", "publisher: ivig-fhir project", "publisher: on")
    replace(guidance / "module.yaml", "version: 0.1.0", "version: 1.10.0")
    module = read_guidance(guidance).module
    assert (module.publisher, module.version) == ("on", "1.10.0")


def test_all_problems_come_in_one_pass_and_nothing_is_written(guidance: Path, tmp_path: Path) -> None:
    replace(guidance / TOPIC, "direction: for\n", "direction: fro\n")
    replace(guidance / "phrases.yaml", "- {id: summary, says:", "- {id: summary, said:")
    (guidance / "hints.yaml").unlink()
    target = tmp_path / "definitions"
    run = CliRunner().invoke(
        cli, ["compile", "--guidance", str(guidance), "--definitions", str(target)], catch_exceptions=True
    )
    assert isinstance(run.exception, Problem)
    for name in (TOPIC, "phrases.yaml", "hints.yaml"):
        assert f"guidance/{name}" in str(run.exception)
    assert run.exception.reported_as.exit_code == 1
    assert not target.exists()
