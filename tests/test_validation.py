"""The rules of `ivig-fhir validate`: every file of tests/examples, and what one file cannot show."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft6Validator

from conftest import ROOT
from ivig_fhir import definitions_folder
from ivig_fhir.validation.codes import loinc_fault, snomed_fault
from ivig_fhir.validation.fhirpath import NotFhirPath, read
from ivig_fhir.validation.findings import Finding
from ivig_fhir.validation.icd10cm import icd10cm_codes, is_icd10cm
from ivig_fhir.validation.official import Official
from ivig_fhir.validation.options import Options
from ivig_fhir.validation.packages import CorePackage
from ivig_fhir.validation.positions import Lines, offsets
from ivig_fhir.validation.rules import RULES
from ivig_fhir.validation.run import validate
from ivig_fhir.validation.schema import Fitting

EXAMPLES = ROOT / "tests" / "examples"
INVALID = sorted((EXAMPLES / "invalid").glob("*/*"))
VALID = sorted((EXAMPLES / "valid").glob("*/*"))
# Rules that no file of its own can show: each has its own test below.
BY_TEST = {
    "file-unreadable",
    "file-too-large",
    "json-schema",
    "official-binding",
    "official-code",
    "terminology-code",
    "icd10cm-unknown",
    "rule-failed",
}


def named(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def found_in(*paths: Path, **options: object) -> list[Finding]:
    """The findings for paths, with no core package at hand; r5-… files are of R5."""
    version = "5.0.0" if paths[0].name.startswith("r5-") else ""
    given = {"cache": "/nonexistent", "fhir_version": version} | options
    return list(validate(paths, Options(**given)).findings)  # type: ignore[arg-type]


def rules_in(*paths: Path, **options: object) -> set[str]:
    return {finding.rule for finding in found_in(*paths, **options)}


@pytest.mark.parametrize("path", INVALID, ids=named)
def test_an_invalid_example_raises_the_rule_whose_folder_it_is_in(path: Path) -> None:
    assert path.parent.name in rules_in(path)


@pytest.mark.parametrize("path", VALID, ids=named)
def test_a_valid_example_raises_neither_that_rule_nor_another(path: Path) -> None:
    findings = found_in(path)
    assert path.parent.name not in {finding.rule for finding in findings}
    assert [finding for finding in findings if finding.severity != "information"] == []


@pytest.mark.parametrize("path", sorted((EXAMPLES / "invalid" / "fhirpath-syntax").glob("*.json")), ids=named)
def test_what_is_no_fhirpath_is_not_reported_a_second_time_as_outside_our_grammar(path: Path) -> None:
    assert "fhirpath-grammar" not in rules_in(path)


def test_elements_of_two_versions_are_told_once_and_one_of_them_as_what_it_is(tmp_path: Path) -> None:
    mixed = json.loads((EXAMPLES / "invalid" / "version-mixed" / "example.json").read_text("utf-8"))
    (finding,) = [item for item in found_in(write(tmp_path, "a.json", mixed)) if item.severity == "error"]
    assert finding.rule == "version-mixed"
    assert finding.seen.startswith("3 elements of R5 in what was read as R4: ")
    del mixed["versionAlgorithmString"], mixed["action"][0]["relatedAction"]
    (finding,) = [item for item in found_in(write(tmp_path, "b.json", mixed)) if item.severity == "error"]
    assert (finding.rule, finding.path) == ("unknown-element", "PlanDefinition.action[0].input[0].requirement")
    mixed["titel"] = mixed["nme"] = "x"
    rules = [item.rule for item in found_in(write(tmp_path, "c.json", mixed)) if item.severity == "error"]
    assert rules == ["unknown-element"] * 3, "what neither version has is told one by one"


def test_every_rule_has_a_pair_of_examples_or_a_test_of_its_own() -> None:
    for kind in ("valid", "invalid"):
        assert {path.name for path in (EXAMPLES / kind).iterdir()} | BY_TEST == set(RULES), kind


def test_every_rule_explains_itself_in_a_sentence() -> None:
    assert [rule.id for rule in RULES.values() if len(rule.explanation) < 25 or rule.explanation[-1] != "."] == []


@pytest.mark.parametrize("edition", ["r4", "r5"])
def test_the_committed_definitions_have_no_error(edition: str) -> None:
    folder = definitions_folder() / edition
    if edition == "r4" or folder.is_dir():
        result = validate([folder], Options(cache="/nonexistent"))
        assert result.artefacts > 40
        assert [str(finding.issue) for finding in result.findings if finding.severity == "error"] == []


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female"}
BROKEN = {"resourceType": "Patient", "id": "p", "gender": "f"}


def test_a_finding_names_line_column_path_what_was_seen_and_what_is_allowed(tmp_path: Path) -> None:
    text = '{\n  "resourceType": "Patient",\n  "name": [{"given": ["Eve"]},\n    {"use": "offical"}]\n}\n'
    (finding,) = found_in(write(tmp_path, "patient.json", text))
    assert (finding.line, finding.column, finding.path) == (4, 6, "Patient.name[1].use")
    assert (finding.rule, finding.severity, finding.seen) == ("required-binding", "error", 'the string "offical"')
    assert finding.allowed == "anonymous, maiden, nickname, official, old, temp, usual"
    assert finding.hint == '"official"?'


def test_a_syntax_error_is_named_where_it_stands(tmp_path: Path) -> None:
    (finding,) = found_in(write(tmp_path, "patient.json", '{"resourceType": "Patient",\n  "id" "p"}'))
    assert (finding.rule, finding.line, finding.column) == ("json-syntax", 2, 8)


def test_a_repeated_key_is_named_where_it_stands_the_second_time(tmp_path: Path) -> None:
    text = '{"resourceType": "Patient",\n "contact": [{"gender": "male",\n  "gender": "female"}]}'
    (finding,) = found_in(write(tmp_path, "patient.json", text))
    assert (finding.rule, finding.line, finding.column) == ("json-duplicate-key", 3, 3)


def test_positions_follow_escapes_and_arrays_in_arrays() -> None:
    text = '{"a\\u0062": [[1, {"c\\"": "x, ]"}],\n [2]], "d": {}}'
    at = offsets(text, [("ab", 0, 1, 'c"'), ("ab", 1, 0), ("d",), ("d", "missing")])
    lines = Lines(text)
    assert text[at[("ab", 0, 1, 'c"')] :].startswith('"c\\""')
    assert lines.at(at[("ab", 1, 0)]) == (2, 3)
    assert at[("d",)] == at[("d", "missing")] == text.index('"d"')


def test_what_cannot_be_read_is_a_finding_and_the_other_files_are_still_checked(tmp_path: Path) -> None:
    write(tmp_path, "a.json", "{")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe{\x00")
    (tmp_path / "c.json").symlink_to("nowhere")
    write(tmp_path, "d.json", BROKEN)
    findings = found_in(tmp_path, tmp_path / "nowhere.json")
    assert {(Path(item.file).name, item.rule) for item in findings} == {
        ("a.json", "json-syntax"),
        ("b.json", "json-encoding"),
        ("c.json", "file-unreadable"),
        ("d.json", "required-binding"),
        ("nowhere.json", "file-unreadable"),
    }


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, "large.json", {**BROKEN, "implicitRules": "http://example.com/" + "x" * 1024 * 1024})
    assert rules_in(path, max_size=1) == {"file-too-large"}
    assert rules_in(path, max_size=2) == {"required-binding"}


def test_ndjson_is_checked_line_by_line(tmp_path: Path) -> None:
    lines = "\n".join([json.dumps(PATIENT), "", json.dumps(BROKEN), "{"])
    findings = found_in(write(tmp_path, "patients.ndjson", lines))
    assert [(item.line, item.rule) for item in findings] == [(3, "required-binding"), (4, "json-syntax")]


def test_each_entry_of_a_bundle_is_checked_under_its_own_name(tmp_path: Path) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}, {"resource": BROKEN}]}
    (finding,) = found_in(write(tmp_path, "bundle.json", bundle))
    assert (finding.path, finding.resource) == ("Bundle.entry[1].resource.gender", "Patient/p")


GROUP = {"resourceType": "RequestGroup", "status": "draft", "intent": "plan"}


def test_the_version_is_that_of_the_package_it_came_in(tmp_path: Path) -> None:
    path = write(tmp_path, "group.json", GROUP)
    assert rules_in(path) == set()
    write(tmp_path, "package.json", {"name": "org.example.x", "fhirVersions": ["5.0.0"]})
    assert rules_in(path) == {"unknown-type"}


def test_the_version_follows_elements_that_one_version_alone_has_and_the_files_beside(tmp_path: Path) -> None:
    plan = {"resourceType": "PlanDefinition", "status": "draft", "experimental": True, "action": [{"linkId": "a"}]}
    write(tmp_path, "plan.json", plan)
    related = {"resourceType": "Library", "status": "draft", "experimental": True, "type": {"text": "x"}}
    related["relatedArtifact"] = [{"type": "cites", "display": "x"}]
    library = write(tmp_path, "library.json", related)
    assert "required-binding" in rules_in(library)
    assert "required-binding" not in rules_in(tmp_path)
    assert "unknown-element" in rules_in(tmp_path / "plan.json", fhir_version="4.0.1")


def test_what_a_resource_states_wins_over_the_version_asked_for(tmp_path: Path) -> None:
    guide = json.loads((EXAMPLES / "valid" / "ig-2" / "example.json").read_text("utf-8"))
    path = write(tmp_path, "guide.json", {**guide, "copyrightLabel": "x"})
    assert "unknown-element" in rules_in(path, fhir_version="5.0.0")


def test_a_version_that_was_assumed_and_what_was_not_checked_are_said(tmp_path: Path) -> None:
    notes = validate([write(tmp_path, "patient.json", PATIENT)], Options(cache="/nonexistent")).notes
    assert any(note.startswith("FHIR version not stated, several fit, R4 assumed: 1 of 1") for note in notes)
    assert any("JSON Schema" in note for note in notes)


def core_package(cache: Path) -> Path:
    """A core package of R4B in small: one type in the schema, one binding."""
    folder = cache / "hl7.fhir.r4b.core#4.3.0" / "package"
    schema = {
        "definitions": {
            "code": {"type": "string", "pattern": "^[^\\s]+(\\s[^\\s]+)*$"},
            "string": {"type": "string", "pattern": "^[ \\r\\n\\t\\S]+$"},
            "ResourceList": {"oneOf": []},
            "Basic": {
                "properties": {"resourceType": {"const": "Basic"}, "id": {"$ref": "#/definitions/string"}, "code": {}},
                "additionalProperties": False,
                "required": ["resourceType", "author"],
            },
        }
    }
    write(folder, "openapi/fhir.schema.json", schema)
    write(folder, "package.json", {"name": "hl7.fhir.r4b.core", "version": "4.3.0"})
    binding = {"strength": "required", "valueSet": "http://example.com/ValueSet/basic|4.3.0"}
    elements = [{"path": "Basic"}, {"path": "Basic.code", "binding": binding}]
    write(folder, "StructureDefinition-Basic.json", {"snapshot": {"element": elements}})
    include = [{"system": "http://example.com/codes"}]
    value_set = {"url": "http://example.com/ValueSet/basic", "compose": {"include": include}}
    write(folder, "ValueSet-basic.json", value_set)
    system = {"url": "http://example.com/codes", "concept": [{"code": "a", "concept": [{"code": "b"}]}]}
    write(folder, "CodeSystem-codes.json", system)
    return cache


def basic(code: str, **more: object) -> dict[str, object]:
    coding = {"system": "http://example.com/codes", "code": code}
    return {"resourceType": "Basic", "id": "b", "code": {"coding": [coding]}, **more}


def test_the_json_schema_of_a_core_package_in_the_cache_is_asked(tmp_path: Path) -> None:
    cache = str(core_package(tmp_path / "cache"))
    (finding,) = found_in(write(tmp_path, "a.json", basic("b")), cache=cache, fhir_version="4.3.0")
    assert (finding.rule, finding.path) == ("json-schema", "Basic")
    assert "'author' is a required property" in finding.seen


def test_the_faults_of_the_official_schema_are_mended() -> None:
    decimal = "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]{1,9}})?$"
    properties = {"url": {"$ref": "#/definitions/uri"}, "value": {"$ref": "#/definitions/decimal"}, "_value": {}}
    definitions = {
        "uri": {"type": "string", "pattern": "^\\S*$"},
        "decimal": {"pattern": decimal},
        "X": {"properties": properties, "additionalProperties": False, "required": ["value"]},
    }
    content = json.dumps({"definitions": definitions}).encode()
    validator = Official(CorePackage("x", lambda name: content if "schema" in name else None, ()), "R5").validator("X")
    assert validator is not None
    assert validator.is_valid({"url": "a\u00a0b", "value": "1.5e3", "_url": {"extension": []}})
    assert validator.is_valid({"_value": {"extension": []}})
    assert not validator.is_valid({"url": "a b"})
    assert not validator.is_valid({"value": "1.5e"})


def test_the_required_bindings_of_a_core_package_are_asked(tmp_path: Path) -> None:
    cache = str(core_package(tmp_path / "cache"))
    asked = {"cache": cache, "fhir_version": "4.3.0", "rules": ("official-binding",)}
    assert rules_in(write(tmp_path, "a.json", basic("b")), **asked) == set()
    (finding,) = found_in(write(tmp_path, "b.json", basic("c")), **asked)
    assert (finding.rule, finding.seen, finding.allowed) == ("official-binding", "c", "a, b")


def test_the_codes_of_code_systems_of_fhir_itself_are_asked(tmp_path: Path) -> None:
    cache = core_package(tmp_path / "cache")
    system = {
        "url": "http://hl7.org/fhir/things",
        "content": "complete",
        "concept": [{"code": "a", "concept": [{"code": "b"}]}],
    }
    write(cache / "hl7.fhir.r4b.core#4.3.0" / "package", "CodeSystem-things.json", system)

    def coded(name: str, code: str, system: str = "http://hl7.org/fhir/things") -> Path:
        coding = [{"system": system, "code": code}]
        return write(tmp_path, name, {"resourceType": "Patient", "id": "p", "maritalStatus": {"coding": coding}})

    asked = {"cache": str(cache), "fhir_version": "4.3.0", "rules": ("official-code",)}
    assert rules_in(coded("a.json", "b"), **asked) == set()
    (finding,) = found_in(coded("b.json", "c"), **asked)
    assert (finding.path, finding.allowed) == ("Patient.maritalStatus.coding[0].code", "a, b")
    assert rules_in(coded("c.json", "c", "http://hl7.org/fhir/others"), **asked) == set()
    asked["fhir_version"] = "4.0.1"
    assert rules_in(coded("d.json", "c"), **asked) == set(), "R4B's package does not know what codes R4 has"


def terminology_package(cache: Path, release: str, codes: tuple[str, ...]) -> Path:
    """A package hl7.terminology in small: one code system."""
    folder = cache / f"hl7.terminology.r5#{release}"
    system = {"url": ROLES, "content": "complete", "caseSensitive": True, "concept": [{"code": item} for item in codes]}
    write(folder / "package", "CodeSystem-variable-role.json", system)
    write(folder / "package", "package.json", {"name": "hl7.terminology.r5", "version": release})
    return folder


ROLES = "http://terminology.hl7.org/CodeSystem/variable-role"


def test_codes_of_hl7_terminology_are_asked_where_its_package_is_at_hand(tmp_path: Path) -> None:
    def coded(code: str, system: str = ROLES) -> Path:
        coding = [{"system": system, "code": code}]
        return write(
            tmp_path, f"{code}.json", {"resourceType": "Patient", "id": "p", "maritalStatus": {"coding": coding}}
        )

    asked = {"cache": str(tmp_path / "cache"), "rules": ("terminology-code",)}
    assert rules_in(coded("populaton"), **asked) == set(), "without the package nothing is known"
    result = validate([coded("populaton")], Options(cache=asked["cache"]))
    assert any("terminology.hl7.org" in note for note in result.notes)
    terminology_package(tmp_path / "cache", "9.1.0", ("population",))
    terminology_package(tmp_path / "cache", "10.0.0-ballot", ("population",))
    terminology_package(tmp_path / "cache", "10.0.0", ("population", "exposure"))
    (finding,) = found_in(coded("populaton"), **asked)
    assert (finding.path, finding.hint) == ("Patient.maritalStatus.coding[0].code", '"population"?')
    assert finding.seen.endswith("(hl7.terminology.r5#10.0.0)")
    assert rules_in(coded("exposure"), **asked) == set(), "the newest is asked"
    assert rules_in(coded("x", "http://terminology.hl7.org/CodeSystem/others"), **asked) == set()
    assert not any(
        "terminology.hl7.org" in note for note in validate([coded("x")], Options(cache=asked["cache"])).notes
    )


def test_hl7_terminology_may_be_named_as_a_tgz(tmp_path: Path) -> None:
    folder = terminology_package(tmp_path / "cache", "7.0.1", ("population",))
    tgz = shutil.move(shutil.make_archive(str(tmp_path / "tho"), "gztar", folder, "package"), tmp_path / "tho.tgz")
    include = {"system": ROLES, "concept": [{"code": "populaton"}]}
    value_set = {"resourceType": "ValueSet", "id": "v", "status": "draft", "compose": {"include": [include]}}
    asked = {"packages": (str(tgz),), "rules": ("terminology-code",)}
    assert rules_in(write(tmp_path, "v.json", value_set), **asked) == {"terminology-code"}


def test_a_core_package_may_be_named_as_a_tgz(tmp_path: Path) -> None:
    folder = core_package(tmp_path / "cache") / "hl7.fhir.r4b.core#4.3.0"
    archive = shutil.make_archive(str(tmp_path / "core"), "gztar", folder, "package")
    tgz = shutil.move(archive, tmp_path / "core.tgz")
    path = write(tmp_path, "a.json", basic("c"))
    assert rules_in(path, packages=(str(tgz),)) == {"json-schema", "official-binding"}


def test_what_is_no_file_is_said_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to("nowhere")
    write(tmp_path, "a.json", PATIENT)
    found = {Path(item.file).name: item.rule for item in found_in(tmp_path)}
    assert found == {"pipe.json": "file-unreadable", "gone.json": "file-unreadable"}


def test_a_line_of_ndjson_past_the_limit_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text(json.dumps(PATIENT) + "\n" + " " * 1024 * 1024 + "1\n")
    (finding,) = found_in(path, max_size=1)
    assert (finding.rule, finding.seen) == ("file-too-large", "line 2 has more than 1 MB")


def test_icd_10_cm_codes_are_looked_up_where_the_package_for_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coded(name: str, code: str) -> Path:
        coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]
        return write(tmp_path, name, {"resourceType": "Basic", "id": "b", "code": {"coding": coding}})

    unknown = coded("unknown.json", "G61.88")
    assert "icd10cm-unknown" in rules_in(unknown)
    assert "icd10cm-unknown" not in rules_in(coded("known.json", "G61.82"))
    monkeypatch.setitem(sys.modules, "simple_icd_10_cm", None)
    assert "icd10cm-unknown" not in rules_in(unknown)
    notes = validate([unknown], Options(cache="/nonexistent")).notes
    assert "not checked: whether ICD-10-CM codes exist (pip install simple-icd-10-cm)" in notes


def test_the_codes_of_icd_10_cm_are_those_of_the_package_for_it() -> None:
    import simple_icd_10_cm

    codes = icd10cm_codes() or frozenset()
    assert codes == set(simple_icd_10_cm.get_all_codes(False))
    for code in ("G61.82", "G6182", "A00-A09", "G61.88", "g61.82", "G61.", "G.6182", ""):
        assert is_icd10cm(code, codes) == simple_icd_10_cm.is_valid_item(code), code


def test_the_quick_look_at_the_schema_passes_what_jsonschema_passes_and_nothing_else() -> None:
    text = {"type": "string", "pattern": "^[a-z]+$"}
    definitions = {
        "Thing": {
            "description": "of every keyword one",
            "properties": {
                "resourceType": {"const": "Thing"},
                "name": text,
                "names": {"type": "array", "items": text},
                "kind": {"enum": ["a", "b"]},
                "part": {"$ref": "#/definitions/Thing"},
                "parts": {"type": "array", "items": {"$ref": "#/definitions/Thing"}},
                "flag": {"type": "boolean", "pattern": "^true$"},
                "count": {"type": "number"},
                "held": {"type": "object"},
                "any": {},
            },
            "patternProperties": {"^_": {}},
            "additionalProperties": False,
            "required": ["name"],
        },
        "Other": {"properties": {"name": {"type": "string", "maxLength": 3}}},
    }
    fitting = Fitting(definitions)
    for name, values in {
        "resourceType": ["Thing", "Other", 1],
        "name": ["abc", "ABC", "", 7, None, ["abc"]],
        "names": [["a"], [], ["a", "1"], "a", {}],
        "kind": ["a", "c", 1, ["a"]],
        "part": [{"name": "a"}, {}, {"name": "a", "kind": "c"}, {"name": "a", "colour": 1}, "a", []],
        "parts": [[{"name": "a"}], [{"name": "a"}, {}], [1]],
        "flag": [True, False, 1, "true"],
        "count": [1, 1.5, Decimal("1.5"), True, "1"],
        "held": [{}, {"a": 1}, []],
        "any": [None, 1, {"a": []}],
        "_name": [1],
        "colour": ["red"],
    }.items():
        for value in values:
            thing = {"name": "a", name: value}
            schema = {"definitions": definitions, "$ref": "#/definitions/Thing"}
            assert fitting.fits("Thing", thing) == Draft6Validator(schema).is_valid(thing), thing
    assert not fitting.fits("Other", {"name": "a"}), "a keyword that it does not know is left to jsonschema"


def test_a_rule_that_fails_is_a_finding_unless_the_json_is_misshapen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(node: object) -> None:
        raise TypeError("unexpected")

    monkeypatch.setitem(RULES, "txt-2", dataclasses.replace(RULES["txt-2"], check=stumbles, on=("Patient",)))
    assert rules_in(write(tmp_path, "a.json", PATIENT)) == {"rule-failed"}
    assert rules_in(write(tmp_path, "b.json", BROKEN)) == {"required-binding"}


def test_a_rule_of_the_house_is_an_error_in_content_that_is_held_to_it(tmp_path: Path) -> None:
    path = EXAMPLES / "invalid" / "action-priority" / "example.json"
    assert [item.severity for item in found_in(path, rules=("action-priority",))] == ["warning"]
    strict = {"rules": ("action-priority",), "strict": ("http://example.com/fhir",)}
    assert [item.severity for item in found_in(path, **strict)] == ["error"]
    plan = json.loads(path.read_text("utf-8"))
    plan["extension"] = [{"url": "http://example.com/fhir/StructureDefinition/ivig-x", "valueString": "x"}]
    ours = write(tmp_path, "plan.json", plan)
    assert [item.severity for item in found_in(ours, rules=("action-priority",))] == ["error"]


def test_files_given_as_context_resolve_links_and_are_not_checked(tmp_path: Path) -> None:
    bundle = json.loads((EXAMPLES / "valid" / "link-resolves" / "example.json").read_text("utf-8"))
    plan, activity = (entry["resource"] for entry in bundle["entry"])
    path = write(tmp_path, "plan.json", plan)
    beside = write(tmp_path, "context/activity.json", {**activity, "kind": "Nonsense"})
    assert rules_in(path) == {"link-resolves"}
    assert rules_in(path, context=(str(beside),)) == set()
    assert rules_in(path, external=("http://example.com/fhir",)) == set()


def test_the_two_editions_of_one_set_do_not_disturb_each_other(tmp_path: Path) -> None:
    write(tmp_path, "r4/plan.json", (EXAMPLES / "valid" / "pld-4" / "example.json").read_text("utf-8"))
    write(tmp_path, "r5/plan.json", (EXAMPLES / "valid" / "pld-0" / "r5-example.json").read_text("utf-8"))
    assert rules_in(tmp_path) == set()
    library = json.loads((EXAMPLES / "valid" / "att-1" / "example.json").read_text("utf-8"))
    write(tmp_path, "r4/library.json", library)
    write(tmp_path, "r5/library.json", {**library, "version": "2.0.0"})
    plan = json.loads((tmp_path / "r4" / "plan.json").read_text("utf-8"))
    for version, raised in (("1.0.0", set()), ("2.0.0", {"link-version"})):
        write(tmp_path, "r4/plan.json", {**plan, "library": [f"{library['url']}|{version}"]})
        assert rules_in(tmp_path) - {"version-agrees"} == raised


@pytest.mark.parametrize(("code", "is_right"), [("64572001", True), ("64572010", False), ("22298006", True)])
def test_snomed_ct_identifiers_are_told_by_their_check_digit(code: str, is_right: bool) -> None:
    assert (snomed_fault(code) == "") is is_right


@pytest.mark.parametrize(("code", "is_right"), [("8867-4", True), ("8867-5", False), ("85354-9", True)])
def test_loinc_codes_are_told_by_their_check_digit(code: str, is_right: bool) -> None:
    assert (loinc_fault(code) == "") is is_right


def test_fhirpath_is_read_as_a_whole() -> None:
    text = "Patient.name.where(use = 'official' and given[0] ~ `x y`).given | %ext-a.select($this is FHIR.string)"
    assert read(text).functions == {"where", "select"}
    assert read("now() - 3 'months' >= @2015-02-04T14:34:28Z // comment").functions == {"now"}
    with pytest.raises(NotFhirPath) as refused:
        read("Patient.name.where(use = 'official'")
    assert refused.value.position == len("Patient.name.where(use = 'official'") + 1


def test_the_command_starts_without_the_fhir_models() -> None:
    script = "import sys, ivig_fhir.cli.main; sys.exit(bool({'fhir', 'jsonschema', 'pydantic'} & set(sys.modules)))"
    path = os.pathsep.join([str(ROOT / "src"), *sys.path])
    assert subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}).returncode == 0
