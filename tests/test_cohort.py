"""Folders of patients: what is read of them, what is asked about each, and what a forecast counts."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import patients
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cohort import requests_of
from ivig_fhir.cds_hooks.requests import read_patient_record
from ivig_fhir.cli import apply as command
from ivig_fhir.cli.apply import apply_command
from ivig_fhir.cli.cohort_folder import Cohort, open_cohort
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from patients import MMN

CIDP = MMN | {"conditions": {"cidp": {"icd-10-cm": "G61.81"}}}
WELL: dict[str, Any] = {"hook": "patient-view", "patient": {"born": "1990-01-01"}}
PREDNISONE = {"rxnorm": "8640", "route": "oral"}


@pytest.fixture(autouse=True)
def loaded_once(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's content without a code map is that of all tests."""
    whole = command.content_of_site
    monkeypatch.setattr(command, "content_of_site", lambda folder, site: whole(folder, site) if site else content)


def resources(facts: dict[str, Any], identifier: str = "p1") -> list[dict[str, Any]]:
    """The resources of a patient of patients.py, once each, under another id."""
    found: dict[str, dict[str, Any]] = {}
    for value in patients.prefetch(facts).values():
        for item in [value] if value["resourceType"] == "Patient" else [e["resource"] for e in value["entry"]]:
            found[f"{item['resourceType']}/{item['id']}"] = item
    text = json.dumps(list(found.values())).replace("Patient/p1", f"Patient/{identifier}")
    return [item | ({"id": identifier} if item["resourceType"] == "Patient" else {}) for item in json.loads(text)]


def bundle(folder: Path, name: str, items: list[Any]) -> None:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": item} for number, item in enumerate(items)]
    (folder / name).write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), "utf-8")


def bulk(folder: Path, items: list[dict[str, Any]]) -> None:
    """Files by type, as a Bulk Data export writes them."""
    for item in items:
        with (folder / f"{item['resourceType']}.ndjson").open("a", encoding="utf-8") as file:
            file.write(json.dumps(item) + "\n")


def names(cohort: Cohort) -> list[str]:
    return [member.name for member in cohort.members()]


def faults(cohort: Cohort) -> list[str]:
    list(cohort.members())
    return [str(fault) for fault in cohort.faults]


# --- what is read


def test_bundles_and_bulk_data_of_the_same_patients_ask_the_same(tmp_path: Path, content: Content) -> None:
    one, other = tmp_path / "bundles", tmp_path / "bulk"
    one.mkdir()
    other.mkdir()
    facts = MMN | {
        "medications": {"pred": PREDNISONE},
        "observations": {"w": {"loinc": "29463-7", "value": 70, "unit": "kg"}},
    }
    for identifier, known in (("a", facts), ("b", WELL)):
        bundle(one, f"{identifier}.json", resources(known, identifier))
        bulk(other, resources(known, identifier))
    asked = []
    for folder in (one, other):
        found = []
        for member in open_cohort(folder, content).members():
            for hook in ("patient-view", "order-sign"):
                for _, request in requests_of(member, hook, content):
                    found.append((hook, request.patient_id, read_patient_record(request, content)[0]))
        asked.append(found)
    assert asked[0] == asked[1]
    assert [(hook, identifier) for hook, identifier, _ in asked[0]] == [
        ("patient-view", "a"),
        ("order-sign", "a"),
        ("patient-view", "b"),
    ]
    assert asked[0][0][2].resources["weight"]


def test_members_are_named_by_file_or_by_patient(tmp_path: Path, content: Content) -> None:
    bundle(tmp_path, "first.json", resources(MMN, "x"))
    bulk(tmp_path, resources(WELL, "b") + resources(MMN, "a"))
    assert names(open_cohort(tmp_path, content)) == ["first", "Patient/a", "Patient/b"]


def test_an_order_names_a_medication_of_the_bulk_data(tmp_path: Path, content: Content) -> None:
    drug = {
        "resourceType": "Medication",
        "id": "m1",
        "code": {"coding": [{"system": patients.SYSTEMS["rxnorm"], "code": "8640"}]},
    }
    facts = MMN | {"medications": {"pred": {"medication-reference": "Medication/m1", "route": "oral"}}}
    bulk(tmp_path, [*resources(facts, "a"), drug])
    (member,) = open_cohort(tmp_path, content).members()
    ((name, request),) = requests_of(member, "order-sign", content)
    record, _ = read_patient_record(request, content)
    assert name == "Patient/a MedicationRequest/pred"
    evaluation = Responder(content).evaluate(request, record, date(2026, 3, 2))
    assert any(card.warns for card in evaluation.cards)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("a.json", "{", "a.json: is no JSON: "),
        ("a.json", "[" * 100_000, "a.json: is no JSON: "),
        ("a.json", "\udc80", "a.json: is no JSON: "),
        ("a.json", '{"id": 1, "id": 2}', "a.json: is no JSON: the key id stands twice"),
        ("a.json", "[]", "a.json: is no FHIR Bundle"),
        ("a.json", '{"resourceType": "Patient", "id": "a"}', "a.json: is no FHIR Bundle"),
        ("a.json", '{"resourceType": "Bundle"}', "a.json: Bundle: holds 0 patients"),
        (
            "a.json",
            '{"resourceType": "Bundle", "entry": [{"resource": "x"}]}',
            "a.json: has entries without a resource",
        ),
        ("a.ndjson", '{\n\n{"a": NaN}\n', "a.ndjson: holds a line that is no JSON, 2 times (first: line 1)"),
        ("a.ndjson", "3\n[]\n", "a.ndjson: is no FHIR resource, 2 times (first: line 1)"),
        ("a.ndjson", '\n{"resourceType": "Patient"}\n', "a.ndjson: is a Patient without an id (first: line 2)"),
        (
            "a.ndjson",
            '{"resourceType": "Condition"}\n',
            "a.ndjson: does not say to which patient it belongs (first: line 1)",
        ),
        (
            "a.ndjson",
            '{"resourceType": "Condition", "subject": {"reference": "Patient/z"}}\n' * 3,
            "a.ndjson: holds a resource whose patient is not in the folder, 3 times",
        ),
        (
            "z.ndjson",
            '{"resourceType": "Patient", "id": "good"}\n{"resourceType": "Patient", "id": "good"}\n',
            "z.ndjson: repeats the id of another Patient, 2 times (first: line 1)",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, content: Content, file: str, text: str, said: str
) -> None:
    bulk(tmp_path, resources(MMN, "good"))
    (tmp_path / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    cohort = open_cohort(tmp_path, content)
    assert "Patient/good" in names(cohort)
    (fault,) = cohort.faults
    assert str(fault).startswith(said)


def test_a_folder_without_patients_is_refused(tmp_path: Path, content: Content) -> None:
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(Problem, match="holds no patients; allowed: Bundles"):
        open_cohort(tmp_path, content)


# --- what is asked on order hooks


def test_each_order_in_force_is_asked_about_by_itself_and_the_others_stay_on_record(
    tmp_path: Path, content: Content
) -> None:
    medications = {
        "running": PREDNISONE,
        "drafted": PREDNISONE | {"status": "draft"},
        "ended": PREDNISONE | {"status": "stopped"},
        "planned": PREDNISONE | {"intent": "plan"},
        "never": PREDNISONE | {"do-not-perform": True},
    }
    bundle(tmp_path, "a.json", resources(MMN | {"medications": medications}))
    (member,) = open_cohort(tmp_path, content).members()
    asked = dict(requests_of(member, "order-sign", content))
    assert sorted(asked) == ["a MedicationRequest/drafted", "a MedicationRequest/running"]
    for name, request in asked.items():
        identifier = name.rpartition("/")[2]
        (draft,) = request.drafts
        assert draft["id"] == identifier
        page = [entry["resource"] for entry in request.prefetch["medications"]["entry"]]
        others = {item["id"] for item in page if item["resourceType"] == "MedicationRequest"}
        assert others == medications.keys() - {identifier}


# --- the forecast


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Three patients: one with MMN who takes prednisone, one with CIDP and an old thrombosis, one well."""
    clot = CIDP | {"conditions": CIDP["conditions"] | {"clot": {"icd-10-cm": "I82.401"}}}
    bundle(tmp_path, "one.json", resources(MMN | {"medications": {"pred": PREDNISONE}}))
    bulk(tmp_path, resources(clot, "two") + resources(WELL | {"medications": {"old": PREDNISONE}}, "three"))
    return tmp_path


def apply(*arguments: str) -> Any:
    return CliRunner().invoke(apply_command, [*arguments, "--at", "2026-03-02"])


def forecasts(folder: Path, *arguments: str) -> Any:
    run = apply("--cohort", str(folder), "--json", *arguments)
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


def on(told: Any, hook: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figures of a hook, and those of its units by id."""
    (found,) = [item for item in told["hooks"] if item["hook"] == hook]
    return found, {item["unit"]: item for item in found["units"]}


def test_rates_are_counted_per_hook_and_unit_with_their_denominators(ward: Path) -> None:
    told = forecasts(ward)
    assert (told["patients"], told["files"], told["faults"]) == (3, 4, [])
    view, units = on(told, "patient-view")
    assert (view["patients"], view["asked"], view["withCard"], view["withCardPerThousand"]) == (3, 3, 2, 666.7)
    assert (view["withWarning"], view["cards"], view["patientsWithCard"]) == (1, 2, 2)
    assert units["mmn-steroid"] == {
        "unit": "mmn-steroid",
        "evaluated": 3,
        "fired": 1,
        "firedPerThousand": 333.3,
        "conditional": 0,
        "warned": 1,
        "shown": 1,
        "silenced": 0,
        "withoutRoom": 0,
    }
    assert (units["caution-clot"]["fired"], units["caution-clot"]["warned"]) == (1, 0)
    assert units["lems-ivig"]["fired"] == 0
    sign, units = on(told, "order-sign")
    assert (sign["asksAbout"], sign["patients"], sign["asked"], sign["withCard"]) == ("order", 2, 2, 1)
    assert (units["mmn-steroid"]["evaluated"], units["mmn-steroid"]["firedPerThousand"]) == (2, 500.0)


def test_the_settings_of_the_site_are_part_of_the_forecast(ward: Path) -> None:
    told = forecasts(ward, "--hook", "patient-view", "--silent", "mmn", "--max-cards", "1")
    assert [item["hook"] for item in told["hooks"]] == ["patient-view"]
    view, units = on(told, "patient-view")
    assert (view["withCard"], view["withWarning"]) == (1, 0)
    assert (units["mmn-steroid"]["fired"], units["mmn-steroid"]["shown"], units["mmn-steroid"]["silenced"]) == (1, 0, 1)
    (ward / "three.json").unlink(missing_ok=True)
    both = CIDP | {"conditions": CIDP["conditions"] | MMN["conditions"]}
    bundle(ward, "both.json", resources(both))
    _, units = on(forecasts(ward, "--max-cards", "1"), "patient-view")
    assert (units["cidp-ivig"]["shown"], units["cidp-ivig"]["withoutRoom"]) == (1, 1)


def test_the_codes_of_the_site_count(tmp_path: Path) -> None:
    local = MMN | {"conditions": {"mmn": {"local": "NEURO-7"}}}
    bundle(tmp_path, "a.json", resources(local))
    codes = tmp_path / "codes.csv"
    codes.write_text(
        "system,code,our_system,our_code\nurn:local:codes,NEURO-7,http://hl7.org/fhir/sid/icd-10-cm,G61.82\n"
    )
    assert on(forecasts(tmp_path), "patient-view")[0]["withCard"] == 0
    told = forecasts(tmp_path, "--code-map", str(codes))
    assert on(told, "patient-view")[0]["withCard"] == 1
    assert told["otherFiles"] == ["codes.csv"]


def test_the_table_says_what_the_data_say_and_what_was_left_out(ward: Path) -> None:
    (ward / "bad.json").write_text("{")
    (ward / "notes.txt").write_text("x")
    bundle(ward, "other.json", [*resources(WELL), {"resourceType": "Condition", "subject": {"reference": "Patient/q"}}])
    run = apply("--cohort", str(ward))
    assert run.exit_code == 1
    assert run.stdout.startswith("3 patients of 6 files, as of 2026-03-02\n")
    assert "not read: notes.txt\nnot counted: 2 files, lines or patients" in run.stdout
    assert (
        "order-sign: 2 orders of 2 patients\n  with a card: 1 of 2 (500.0 per 1,000); 1 patients, 1 cards" in run.stdout
    )
    assert "bad.json: is no JSON" in run.stderr
    assert "other: cannot be evaluated: conditions: resource 1, subject: belongs to another patient" in run.stderr
    (row,) = [line for line in run.stdout.split("encounter-start")[0].splitlines() if "mmn-steroid" in line]
    assert row.split() == ["mmn-steroid", "1", "333.3", "0", "1", "1", "0", "0"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--cohort", "/nowhere"],
        ["{folder}/one.json", "--cohort", "{folder}"],
        ["--cohort", "{folder}", "--explain"],
        ["--cohort", "{folder}", "--max-cards", "0"],
    ],
)
def test_what_cannot_be_meant_exits_with_2(ward: Path, arguments: list[str]) -> None:
    assert apply(*(part.format(folder=ward) for part in arguments)).exit_code == 2


def test_a_name_that_cannot_be_silenced_says_so(ward: Path) -> None:
    with pytest.raises(Problem, match="--silent: names 'mmm', which is neither"):
        CliRunner().invoke(apply_command, ["--cohort", str(ward), "--silent", "mmm"], catch_exceptions=False)


# --- one patient


def test_one_patient_gives_the_cards_of_a_bundle_or_a_request(ward: Path, tmp_path: Path) -> None:
    run = apply(str(ward / "one.json"), "--hook", "patient-view", "--json")
    (card,) = json.loads(run.stdout)["cards"]
    assert card["indicator"] == "warning"
    (tmp_path / "request.json").write_text(json.dumps(patients.request(MMN)))
    run = apply(str(tmp_path / "request.json"), "--explain")
    assert run.stdout.startswith("[info] Multifocal motor neuropathy")
    assert "mmn/mmn-ivig: applicable" in run.stdout


def test_a_file_that_is_no_patient_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(Problem, match=r"a.json: body: is no JSON"):
        CliRunner().invoke(apply_command, [str(tmp_path / "a.json")], catch_exceptions=False)
