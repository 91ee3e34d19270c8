"""The commands at the edge: what cannot be read or written is said in a line, never by a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conftest import ROOT
from ivig_fhir.cli.main import main

GUIDANCE = str(ROOT / "guidance")
RESOURCE = str(ROOT / "definitions" / "r4" / "CodeSystem-ivig-topic.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compile", "--guidance", GUIDANCE, "--definitions", "FILE/below"], "cannot be written: Not a directory"),
        (["validate", RESOURCE, "--output", "FILE/below"], "cannot be written: Not a directory"),
        (["site", "FILE/below"], "cannot be written: Not a directory"),
        (["export", "--output", "FILE/below"], "cannot be written: Not a directory"),
        (["coverage", "--guidance", GUIDANCE, "--cases", "LIST"], "is no mapping"),
        (["coverage", "--guidance", GUIDANCE, "--cases", "BROKEN"], "check indentation and quotes"),
        (["coverage", "--guidance", "LIST"], "the file is missing"),
    ],
    ids=lambda item: " ".join(item[:2]) if isinstance(item, list) else "",
)
def test_what_cannot_be_read_or_written_is_said_in_a_line(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "FILE").write_text("x")
    for folder, text in (("LIST", "- a\n"), ("BROKEN", "a: [\n")):
        (tmp_path / folder / "topic").mkdir(parents=True)
        (tmp_path / folder / "topic" / "unit.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ivig-fhir", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (1, 2)
    assert said in capsys.readouterr().err
