"""The command `ivig-fhir validate`: its reports, its configuration, its exit codes."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conftest import ROOT
from ivig_fhir.cli.main import cli
from ivig_fhir.problems import Problem

EXAMPLES = ROOT / "tests" / "examples"
PLAN = EXAMPLES / "invalid" / "required-binding" / "example.json"
WARNED = EXAMPLES / "invalid" / "cnl-0" / "example.json"
FINE = EXAMPLES / "valid" / "ext-1" / "example.json"
HL7 = "http://hl7.org/fhir/StructureDefinition/operationoutcome-"
DOMAIN = "http://hl7.org/fhir/StructureDefinition/DomainResource"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in an empty folder, without a package cache."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["validate", "--cache", "none", *map(str, words)])


def test_the_exit_code_is_0_without_findings_1_with_and_2_when_it_cannot_be_done(run: Run) -> None:
    assert run(FINE).exit_code == 0
    assert run(PLAN).exit_code == 1
    assert run(WARNED).exit_code == 0
    assert run(WARNED, "--fail-on", "warning").exit_code == 1
    assert run().exit_code == 2
    assert run(PLAN, "--format", "pdf").exit_code == 2
    assert isinstance(run(PLAN, "--fhir-version", "9").exception, Problem)
    assert isinstance(run(PLAN, "--context", "nowhere").exception, Problem)
    assert isinstance(run(PLAN, "--package", PLAN).exception, Problem)
    stopped = run(PLAN, "--rule", "no-such-rule").exception
    assert isinstance(stopped, Problem)
    assert stopped.reported_as.exit_code == 2


def test_the_text_report_says_where_what_allowed_and_hint(run: Run) -> None:
    lines = run(PLAN).output.splitlines()
    assert lines[0] == f'{PLAN}:8:3: error [required-binding] the string "Active"'
    assert lines[1:4] == [
        "    at: PlanDefinition.status",
        "    allowed: active, draft, retired, unknown",
        '    hint: "active"?',
    ]
    assert lines[-1] == "1 file, 1 resource: 1 error, 0 warnings, 0 information"


def test_many_findings_of_one_rule_are_counted_not_listed(run: Run, tmp_path: Path) -> None:
    names = [{"use": "x"} for _ in range(15)]
    (tmp_path / "a.json").write_text(json.dumps({"resourceType": "Patient", "id": "p", "name": names}))
    output = run("a.json").output
    assert output.count("[required-binding] the string") == 10
    assert "a.json: 5 more of [required-binding]" in output
    assert len(json.loads(run("a.json", "--format", "json").output)["findings"]) == 15


def test_rules_can_be_chosen_and_ignored_by_id_layer_and_file(run: Run) -> None:
    assert run(PLAN, "--ignore", "required-binding").exit_code == 0
    assert run(PLAN, "--ignore", "structure").exit_code == 0
    assert run(PLAN, "--rule", "links").exit_code == 0
    assert run(PLAN, "--ignore", "required-binding:*/invalid/*").exit_code == 0
    assert run(PLAN, "--ignore", "required-binding:*/other/*").exit_code == 1


def test_the_json_report_has_every_member(run: Run) -> None:
    report = json.loads(run(PLAN, "--format", "json").output)
    assert (report["files"], report["resources"], report["counts"]["error"]) == (1, 1, 1)
    finding = report["findings"][0]
    assert (finding["rule"], finding["layer"], finding["line"]) == ("required-binding", "structure", 8)
    assert any("JSON Schema" in note for note in report["notes"])


@pytest.mark.parametrize("version", ["4.0.1", "5.0.0"])
def test_the_operation_outcome_is_valid_fhir(run: Run, tmp_path: Path, version: str) -> None:
    output = run(PLAN, "--format", "outcome").output
    (issue, *_) = json.loads(output)["issue"]
    assert (issue["severity"], issue["code"], issue["expression"]) == (
        "error",
        "code-invalid",
        ["PlanDefinition.status"],
    )
    (tmp_path / "outcome.json").write_text(output)
    checked = run("outcome.json", "--fhir-version", version, "--fail-on", "warning")
    assert checked.exit_code == 0, checked.output


def test_junit_has_a_case_for_every_file_and_a_failure_for_every_bad_one(run: Run) -> None:
    suite = ElementTree.fromstring(run(PLAN, FINE, WARNED, "--format", "junit").output)  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    cases = {case.get("name"): case for case in suite}
    assert 'the string "Active"' in (cases[str(PLAN)].findtext("failure") or "")
    assert "cnl-0" in (cases[str(WARNED)].findtext("system-out") or "")
    assert list(cases[str(FINE)]) == []


def test_sarif_names_rule_level_file_line_and_path(run: Run) -> None:
    (report,) = json.loads(run(PLAN, "--format", "sarif").output)["runs"]
    (result,) = report["results"]
    assert report["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "required-binding"
    place = result["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == str(PLAN)
    assert place["physicalLocation"]["region"] == {"startLine": 8, "startColumn": 3}
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "PlanDefinition.status"
    assert result["level"] == "error"


def test_a_report_goes_to_a_file(run: Run, tmp_path: Path) -> None:
    result = run(PLAN, "--format", "json", "--output", "report.json")
    assert (result.exit_code, result.output) == (1, "")
    assert json.loads((tmp_path / "report.json").read_text())["counts"]["error"] == 1


@pytest.mark.parametrize(
    ("name", "table"), [("ivig-fhir.toml", "validate"), ("pyproject.toml", "tool.ivig-fhir.validate")]
)
def test_a_configuration_file_is_read_and_the_command_line_adds_to_it(
    run: Run, tmp_path: Path, name: str, table: str
) -> None:
    (tmp_path / name).write_text(f'[{table}]\nignore = ["required-binding"]\nfail-on = "warning"\n')
    assert run(PLAN).exit_code == 0
    assert run(WARNED).exit_code == 1
    assert run(WARNED, "--ignore", "cnl-0").exit_code == 0
    assert run(PLAN, "--ignore", "cnl-0").exit_code == 0
    assert run(WARNED, "--fail-on", "error").exit_code == 0
    (tmp_path / name).rename(tmp_path / f"other-{name}")
    assert run(PLAN).exit_code == 1
    (tmp_path / "elsewhere.toml").write_text('[validate]\nignore = ["structure"]\n')
    assert run(PLAN, "--config", "elsewhere.toml").exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('fail_on = "error"', 'has the key "fail_on"'),
        ("max-size = 'big'", "max-size is 'big'; allowed: a int"),
        ('ignore = "cnl-0"', "ignore is 'cnl-0'; allowed: a list"),
        ("fail-on = 'never'", 'fail-on: is "never"; allowed: error, warning, information'),
        ("x =", "ivig-fhir.toml: cannot be read"),
    ],
)
def test_a_wrong_configuration_is_refused(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "ivig-fhir.toml").write_text(f"[validate]\n{text}\n")
    stopped = run(PLAN).exception
    assert isinstance(stopped, Problem)
    assert said in str(stopped)


def test_a_rule_is_explained_and_all_are_listed(run: Run) -> None:
    assert run("--explain", "link-tail").output.startswith("link-tail: links, error (elsewhere warning)\n\n")
    assert isinstance(run("--explain", "nothing").exception, Problem)
    listed = run("--list-rules").output.splitlines()
    assert len(listed) > 150
    assert any(line.split() == ["invariants", "error", "error", "exp-1"] for line in listed)


def test_a_relative_path_is_reported_as_it_was_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "plan.json").write_bytes(PLAN.read_bytes())
    assert run("content").output.startswith(os.path.join("content", "plan.json") + ":8:3: error")  # noqa: PTH118


def test_a_file_whose_name_is_no_text_is_reported(run: Run, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")
    Path(odd).write_bytes(PLAN.read_bytes())
    for form in ("text", "json", "sarif", "junit", "outcome"):
        assert run(odd, "--format", form, "--output", tmp_path / "report").exit_code == 1
        assert "required-binding" in (tmp_path / "report").read_text()


# what validator 6.7.9 wrote of two files, shortened
SAID_BY_HL7 = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "OperationOutcome",
                "extension": [{"url": f"{HL7}file", "valueString": "000000.json"}],
                "issue": [
                    {
                        "extension": [
                            {"url": f"{HL7}issue-line", "valueInteger": 8},
                            {"url": f"{HL7}issue-col", "valueInteger": 21},
                            {"url": f"{HL7}message-id", "valueCode": "Terminology_TX_NoValid_16"},
                        ],
                        "severity": "error",
                        "code": "code-invalid",
                        "details": {"text": "The value provided ('Active') was not found"},
                        "expression": ["PlanDefinition.status"],
                    },
                    {
                        "extension": [{"url": f"{HL7}message-id", "valueCode": f"{DOMAIN}#dom-6"}],
                        "severity": "warning",
                        "code": "invariant",
                        "details": {"text": "A resource should have narrative"},
                        "expression": ["PlanDefinition"],
                    },
                ],
            }
        },
        {
            "resource": {
                "resourceType": "OperationOutcome",
                "extension": [{"url": f"{HL7}file", "valueString": "000001.json"}],
                "issue": [{"severity": "information", "code": "informational", "details": {"text": "All OK"}}],
            }
        },
    ],
}


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A java that does what the given line of shell does; the folder where it leaves what it was called with."""

    def stands_in(line: str) -> Path:
        program = tmp_path / "bin" / "java"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/called"\ncat 0*.json > "{tmp_path}/given"\n{line}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        (tmp_path / "validator_cli.jar").touch()
        return tmp_path

    return stands_in


def test_with_hl7_its_findings_stand_beside_ours_at_their_place(run: Run, java: Callable[[str], Path]) -> None:
    folder = java('cp "$(dirname "$0")/said.json" outcome.json')
    (folder / "bin" / "said.json").write_text(json.dumps(SAID_BY_HL7))
    many = folder / "two.ndjson"
    many.write_text("\n" + json.dumps(json.loads(PLAN.read_text())) + "\n" + json.dumps(json.loads(FINE.read_text())))
    jar = folder / "validator_cli.jar"
    found = run(PLAN, FINE, "--with-hl7", jar, "--format", "json")
    assert found.exit_code == 1
    theirs = [item for item in json.loads(found.output)["findings"] if item["layer"] == "hl7"]
    assert [(item["rule"], item["severity"], item["path"], item["line"], item["column"]) for item in theirs] == [
        ("hl7-dom-6", "warning", "PlanDefinition", 0, 0),
        ("hl7-terminology-tx-novalid-16", "error", "PlanDefinition.status", 8, 21),
    ]
    assert {item["file"] for item in theirs} == {str(PLAN)}
    called = (folder / "called").read_text().split()
    assert called[:4] == ["-jar", str(jar), "000000.json", "000001.json"]
    assert called[4:] == ["-version", "4.0.1", "-tx", "n/a", "-output", "outcome.json"]
    assert (folder / "given").read_text() == PLAN.read_text() + FINE.read_text()
    for form in ("text", "sarif", "junit", "outcome"):
        assert "hl7-dom-6" in run(PLAN, FINE, "--with-hl7", jar, "--format", form).output
    lines = json.loads(run(many, "--with-hl7", jar, "--rule", "hl7", "--format", "json").output)["findings"]
    assert [item["line"] for item in lines] == [0, 9], "counted from the line of the resource"
    assert "hl7-dom-6" not in run(PLAN, FINE, "--with-hl7", jar, "--ignore", "hl7-dom-6", "--format", "json").output
    assert "HL7's validator" in run("--explain", "hl7-dom-6").output


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("echo 'Unable to find a package' >&2; exit 1", "Unable to find a package"),
        ("echo '{' > outcome.json", "left no findings"),
    ],
)
def test_an_hl7_validator_that_fails_is_said_and_not_taken_for_silence(
    run: Run, java: Callable[[str], Path], line: str, seen: str
) -> None:
    failed = run(PLAN, "--with-hl7", java(line) / "validator_cli.jar").exception
    assert isinstance(failed, Problem)
    assert failed.reported_as.exit_code == 2
    assert seen in str(failed)
    nowhere = run(PLAN, "--with-hl7", "nowhere.jar").exception
    assert isinstance(nowhere, Problem)
    assert "there is no nowhere.jar" in str(nowhere)
