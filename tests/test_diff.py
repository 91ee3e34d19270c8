"""ivig-fhir diff: what changed, in the words of a clinician, and whose cards change with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cases
import patients
from editions import action, changed
from guidance_edits import EDITS, Edit, edited
from ivig_fhir import definitions_folder
from ivig_fhir.authoring.compiler import compile_guidance, write
from ivig_fhir.authoring.reader import read_guidance
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.cli.main import cli
from ivig_fhir.fhir import dumps
from ivig_fhir.problems import Problem
from ivig_fhir.publishing.changes.cards import Impact, Visit, content_from, impact
from ivig_fhir.publishing.changes.comparison import compare
from ivig_fhir.publishing.changes.model import Change, Comparison, Fact
from ivig_fhir.publishing.changes.reading import reading
from ivig_fhir.publishing.changes.report import BEGIN, END, changelog, text_report
from ivig_fhir.publishing.changes.wording import figures_of, said
from ivig_fhir.publishing.documents import R4, read_with_evidence
from ivig_fhir.publishing.edition import Edition

MMN = {"hook": "patient-view", "patient": {"born": "1982-07-01"}, "conditions": {"mmn": {"icd-10-cm": "G61.82"}}}


@dataclass(frozen=True)
class Outcome:
    """The edits, all made at once: each stands in a topic of its own, or in a line of its own."""

    new: Path
    comparison: Comparison
    impact: Impact
    differing: set[str]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("edited")
    write(compile_guidance(read_guidance(edited(folder, EDITS))), folder / "definitions")
    old, new = (Edition(R4, read_with_evidence(path, R4)) for path in (definitions_folder(), folder / "definitions"))
    one, other = Responder(content_from(old.resources)), Responder(content_from(new.resources))
    visits = list(visits_of({edit.case_file for edit in EDITS}))
    differing = {visit.name for visit in visits if plainly(one, visit) != plainly(other, visit)}
    return Outcome(folder / "definitions", compare(old, new), impact(one, other, visits), differing)


def visits_of(files: set[str]) -> Iterator[Visit]:
    """The cases of some files as a cohort."""
    for name in sorted(files):
        for case in cases.load(cases.FOLDER / f"{name}.yaml"):
            request = read_request(dumps(case.request()).encode(), case.facts["hook"])
            yield Visit(case.id, request.hook, date.fromisoformat(case.at), request, request)


def plainly(responder: Responder, visit: Visit) -> str:
    """The answer to a visit, all but what differs for each content: hash and uuids."""
    assert visit.old is not None
    try:
        answer = responder.answer(visit.old, visit.at, Origin("", "", ""))
    except Problem as stopped:
        return str(stopped)
    for card in answer["cards"]:
        del card["uuid"]
        for value in card["extension"].values():
            del value["contentHash"]
        for suggestion in card.get("suggestions", ()):
            del suggestion["uuid"]
    return dumps(answer)


# --- scripted edits of guidance/


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_of_guidance_is_told_in_one_sentence(edit: Edit, outcome: Outcome) -> None:
    assert [str(item) for item in outcome.comparison.changes].count(edit.sentence) == 1


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_cases_whose_cards_an_edit_changes_are_named(edit: Edit, outcome: Outcome) -> None:
    assert edit.cards
    for (hook, said_of_card), names in edit.cards.items():
        found = [item for item in outcome.impact.changes if (item.hook, str(item)) == (hook, said_of_card)]
        assert len(found) == 1, said_of_card
        assert {f"{edit.case_file}: {name}" for name in names} <= set(found[0].visits)


def test_exactly_the_visits_whose_answer_differs_are_named(outcome: Outcome) -> None:
    named = {name for item in outcome.impact.changes for name in item.visits}
    assert named == outcome.differing
    assert 0 < len(named) < sum(outcome.impact.visits.values())
    assert sum(outcome.impact.changed.values()) == len(named)


def test_the_most_dangerous_change_comes_first_in_the_report_and_in_each_topic(outcome: Outcome) -> None:
    changes = outcome.comparison.changes
    assert str(changes[0]) == "mmn-steroid: direction: against → for"
    worst: dict[tuple[str, ...], int] = {}
    for item in changes:
        worst.setdefault(item.topics, item.danger)
        assert item.danger >= worst[item.topics]
    assert list(worst.values()) == sorted(worst.values())


def test_nothing_is_told_of_topics_that_nobody_edited(outcome: Outcome) -> None:
    told = {topic for item in outcome.comparison.changes for topic in item.topics}
    assert told == {"mmn", "cidp", "lems", "gbs", "mg", "myositis", "drpn", "paraprotein", "vasculitis"} | {
        *("kawasaki", "lupus", "postpolio", "cart"),
    }
    assert not [item for item in outcome.comparison.changes if item.kind == "other"]


# --- the command


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["diff", *arguments])


def copy_of(folder: Path) -> Path:
    """definitions/r4 with only what the service loads, to be changed by a test."""
    target = folder / "definitions" / "r4"
    target.mkdir(parents=True)
    for path in (definitions_folder() / "r4").glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())
    return folder / "definitions"


def test_a_content_is_the_same_as_itself_and_as_its_package_under_another_base(tmp_path: Path) -> None:
    package = tmp_path / "out.tgz"
    made = CliRunner().invoke(
        cli, ["export", "--format", "package", "--base", "https://example.net/ivig", "--output", str(package)]
    )
    assert made.exit_code == 0, made.output
    found = run(str(definitions_folder()), str(package))
    assert (found.exit_code, found.output) == (0, "No change of content (0.1.0)\n")


def test_a_cohort_says_who_gains_loses_or_changes_a_card_on_each_hook(tmp_path: Path) -> None:
    definitions = copy_of(tmp_path)
    changed(definitions, "r4/PlanDefinition-mmn.json", lambda plan: _drop(plan, "mmn-ivig"))
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for name, facts in (("a", MMN), ("b", MMN | {"conditions": {}})):
        (cohort / f"{name}.json").write_text(json.dumps(bundle_of(facts)), "utf-8")
    same = str(definitions_folder() / "r4")
    found = run(same, str(definitions / "r4"), "--at", "2026-03-02", "--cohort", str(cohort), "--json")
    assert found.exit_code == 1
    told = json.loads(found.output)
    assert told["changes"][0] == {
        "topics": ["mmn"],
        "kind": "subject",
        "danger": 1,
        "subjects": ["mmn-ivig"],
        "sentence": 'unit removed: "IVIG is a first-line option" (for)',
    }
    assert told["cards"]["visits"] == {"patient-view": 2, "encounter-start": 2}
    assert [(item["hook"], item["effect"], item["visits"]) for item in told["cards"]["changes"]] == [
        ("patient-view", "changes", ["a"]),
        ("encounter-start", "changes", ["a"]),
    ]
    assert told["cards"]["changes"][0]["what"].startswith("mmn-ivig: applicable, for → silent")


def _drop(plan: Any, unit: str) -> None:
    card = plan["action"][0]
    card["action"] = [item for item in card["action"] if item["id"] != unit]


def bundle_of(facts: dict[str, Any]) -> dict[str, Any]:
    """What patients.py says of a patient, as one Bundle."""
    found: dict[str, Any] = {}
    for value in patients.prefetch(facts).values():
        for item in [value] if value["resourceType"] == "Patient" else [e["resource"] for e in value["entry"]]:
            found[f"{item['resourceType']}/{item['id']}"] = item
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": item} for item in found.values()]}


@pytest.mark.parametrize(
    ("prepare", "said_of_it"),
    [
        (lambda folder: folder / "nowhere", "cannot be read"),
        (lambda folder: _file(folder, "a.json", "{"), "is no JSON"),
        (lambda folder: _file(folder, "a.json", '{"resourceType": "Patient"}'), "a Patient without id"),
        (lambda folder: _file(folder, "a.tgz", "no tar"), "is no package"),
        (lambda folder: folder, "holds no FHIR resource"),
    ],
)
def test_what_cannot_be_compared_is_trouble_and_not_no_change(tmp_path: Path, prepare: Any, said_of_it: str) -> None:
    found = run(str(definitions_folder()), str(prepare(tmp_path)))
    assert found.exit_code == 2
    assert said_of_it in found.output
    assert "No change" not in found.output


def _file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_a_patient_that_cannot_be_read_is_trouble_and_the_others_are_compared(tmp_path: Path) -> None:
    _file(tmp_path, "bad.json", "{")
    (tmp_path / "good.json").write_text(json.dumps(bundle_of(MMN)), "utf-8")
    same = str(definitions_folder() / "r4")
    found = run(same, same, "--cohort", str(tmp_path), "--at", "2026-03-02")
    assert found.exit_code == 2
    assert "not read: bad.json" in found.output
    assert "patient-view: 0 of 1 change" in found.output


def test_content_that_the_service_cannot_load_is_compared_but_has_no_cards(tmp_path: Path) -> None:
    plan = {
        "resourceType": "PlanDefinition",
        "id": "p",
        "url": "http://example.org/PlanDefinition/p",
        "status": "draft",
    }
    before = {"action": [{"title": "Give it", "condition": [_condition("%x.exists()")]}]}
    after = {"action": [{"title": "Give it", "condition": [_condition("%y.exists()")]}]}
    one, other = (
        _file(tmp_path, f"{number}.json", json.dumps(plan | part)) for number, part in enumerate((before, after))
    )
    found = run(str(one), str(other))
    assert found.exit_code == 1
    assert "action 0 of p: criterion applicability 0" in found.output
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "a.json").write_text(json.dumps(bundle_of(MMN)), "utf-8")
    assert run(str(one), str(other), "--cohort", str(cohort)).exit_code == 2


def _condition(text: str) -> dict[str, Any]:
    return {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": text}}


# --- R5 is read in the same words


def test_a_change_in_r5_is_told_in_the_words_of_r4() -> None:
    told = []
    for version in ("r4", "r5"):
        text = (definitions_folder() / version / "PlanDefinition-mmn.json").read_text("utf-8")
        old, plan = Edition(R4, (json.loads(text),)), json.loads(text)
        unit = action(plan, "mmn-steroid")
        code = unit["code"][0] if isinstance(unit["code"], list) else unit["code"]
        code["coding"][0]["code"] = "none"
        unit["title"] = "Another title"
        unit["condition"][0]["expression"]["expression"] = "%mmn.exists()"
        found = compare(old, Edition(R4, (plan,))).changes
        told.append([str(item) for item in found if "mmn-steroid" in item.subjects])
    assert told[0] == [line.replace("mmn_current", "mmn-current") for line in told[1]]  # a name in R5 has no hyphen
    assert [line.partition(": ")[2].split(":")[0] for line in told[0]] == [
        "direction",
        "criterion mmn-current, in the same words",
        "title",
    ]


def test_a_unit_that_moves_to_another_topic_is_not_told_as_gone() -> None:
    def plan(name: str, *units: str) -> dict[str, Any]:
        actions = [{"id": unit, "title": f"Title of {unit}"} for unit in units]
        return {
            "resourceType": "PlanDefinition",
            "id": name,
            "url": f"http://x.example/PlanDefinition/{name}",
            "action": actions,
        }

    old = Edition(R4, (plan("a", "one", "two"), plan("b", "three")))
    new = Edition(R4, (plan("a", "one"), plan("b", "three", "two")))
    assert [str(item) for item in compare(old, new).changes] == ["two: moved from a to b"]


CONDITION: dict[str, Any] = {
    "type": "Condition",
    "codeFilter": [
        {"path": "code", "valueSet": "https://a.example/fhir/ValueSet/gbs|1"},
        {"path": "clinicalStatus", "code": [{"system": "s", "code": "active"}, {"system": "s", "code": "relapse"}]},
    ],
    "dateFilter": [{"path": "onset", "valueDuration": {"value": 30, "unit": "days"}}],
    "limit": 1,
    "sort": [{"path": "onset", "direction": "descending"}],
}
STATUSES = CONDITION["codeFilter"][1]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"type": "Procedure"}, "resource type: Condition → Procedure"),
        (
            {"codeFilter": [{"path": "code", "valueSet": "https://a.example/fhir/ValueSet/mfs|1"}, STATUSES]},
            "code: also concept mfs, no longer concept gbs",
        ),
        ({"codeFilter": [STATUSES]}, "code: only concept gbs → any"),
        (
            {
                "codeFilter": [
                    CONDITION["codeFilter"][0],
                    {"path": "clinicalStatus", "code": [{"system": "s", "code": "active"}, {"code": "relapse"}]},
                ]
            },
            "clinicalStatus: also |relapse, no longer s|relapse",
        ),
        (
            {"dateFilter": [{"path": "onset", "valueDuration": {"value": 60, "unit": "days"}}]},
            "onset within: the last 30 days → the last 60 days",
        ),
        ({"dateFilter": []}, "onset within: the last 30 days → any"),
        ({"limit": 2}, "how many: the first 1 by onset descending → the first 2 by onset descending"),
        ({"profile": ["p"]}, "profile[0]: any → p"),
        (
            {"codeFilter": [CONDITION["codeFilter"][0] | {"id": "x"}, STATUSES]},
            "codeFilter[0].id: any → x",
        ),
        (
            {"codeFilter": [*CONDITION["codeFilter"], {"path": "code", "code": [{"code": "y"}]}]},
            "code (2): any → only y",
        ),
    ],
)
def test_what_an_input_reads_otherwise_is_said_in_words(changed: dict[str, Any], sentence: str) -> None:
    assert reading(json.dumps(CONDITION), json.dumps(CONDITION | changed)) == sentence


def test_what_an_input_reads_is_told_once_for_all_the_topics_that_read_it() -> None:
    def plans(days: int) -> list[dict[str, Any]]:
        reads = {"id": "done", "type": "Procedure", "dateFilter": [{"path": "performed", "valueDuration": days}]}
        return [
            {
                "resourceType": "PlanDefinition",
                "id": name,
                "title": name,
                "action": [{"id": f"{name}-card", "input": [reads]}],
            }
            for name in ("a", "b", "c")
        ]

    old, new = plans(30), plans(60)
    (found,) = compare(Edition(R4, tuple(old)), Edition(R4, tuple(new))).changes
    assert found.topics == ("a", "b", "c")
    assert str(found).startswith("a-card, b-card, c-card: what %done reads: ")
    (one,) = compare(Edition(R4, tuple(old)), Edition(R4, (old[0], new[1], old[2]))).changes
    assert one.topics == ("b",)


def test_a_new_code_system_is_told_once_and_not_code_by_code() -> None:
    plan = {"resourceType": "ValueSet", "id": "v", "url": "http://x.example/ValueSet/v"}
    system = {
        "resourceType": "CodeSystem",
        "id": "s",
        "url": "http://x.example/CodeSystem/s",
        "title": "Words",
        "concept": [{"code": "a", "display": "A"}, {"code": "b", "display": "B"}],
    }
    found = compare(Edition(R4, (plan,)), Edition(R4, (plan, system))).changes
    assert [str(item) for item in found] == ['code system s: added: "Words"']
    longer = system | {"concept": [*system["concept"], {"code": "c", "display": "C"}]}
    told = compare(Edition(R4, (plan, system)), Edition(R4, (plan, longer))).changes
    assert [str(item) for item in told] == ['s code c: added: "C"']


@pytest.mark.parametrize(
    "name", ["PlanDefinition-mmn", "ValueSet-paraprotein", "CodeSystem-ivig-hint", "Library-ivig-fhir"]
)
@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [[{}]], ["x"]])
def test_an_element_of_another_form_than_fhirs_is_told_and_stops_nothing(name: str, odd: Any) -> None:
    text = (definitions_folder() / "r4" / f"{name}.json").read_text("utf-8")
    for element in json.loads(text):
        if element not in ("resourceType", "id", "url", "version", "date"):
            old, new = json.loads(text), json.loads(text) | {element: odd}
            found = compare(Edition(R4, (old,)), Edition(R4, (new,)))
            assert found.changes or found.also, element


# --- words


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("2 g/kg as standard [S4-015], X-01", ["2 g/kg"]),
        ("48.5% against 15.4% [S4-056]", ["48.5%", "15.4%"]),
        ("within 30 days †", ["30 days"]),
        ("S2 and S4 on G61.82", []),
        ("no figure", []),
    ],
)
def test_figures_are_found_with_their_word_and_citations_are_none(text: str, figures: list[str]) -> None:
    assert figures_of(text) == figures


def test_a_figure_in_a_sentence_that_is_otherwise_reworded_is_shown_with_the_words() -> None:
    kind, sentence = said(Fact("text", "words", "{keys}: 2 g/kg"), Fact("text", "words", "{keys}, 3 g/kg in all"))
    assert (kind, sentence) == (
        "figure",
        "figure in words: 2 g/kg → 3 g/kg, in other words: “{keys}: 2 g/kg” → “{keys}, 3 g/kg in all”",
    )


def test_a_long_sentence_is_shown_around_its_difference_only() -> None:
    text = "one two three four five six seven eight nine ten eleven {} twelve thirteen fourteen fifteen sixteen"
    kind, sentence = said(Fact("text", "sentence", text.format("old")), Fact("text", "sentence", text.format("new")))
    assert kind == "text"
    assert sentence == (
        'sentence: "… eight nine ten eleven old twelve thirteen fourteen fifteen …"'
        ' → "… eight nine ten eleven new twelve thirteen fourteen fifteen …"'
    )


# --- changelog

FOUND = Comparison((Change(("mmn",), "text", ("mmn-ivig",), "title: a → b"),), (), {"mmn": "MMN"}, ("0.1.0", "0.2.0"))
WRITTEN = f"{BEGIN}\n- MMN\n  - mmn-ivig: title: a → b\n{END}\n"


def test_a_changelog_gets_the_changes_below_its_version_and_keeps_what_people_wrote() -> None:
    text = "# Changelog\nClinical first.\n\n## 0.2.0 (unreleased)\n### Content\n- By hand.\n### Software\n- x\n\n## 0.1.0\n"
    once = changelog(text, FOUND)
    assert once == text.replace("### Content\n", f"### Content\n{WRITTEN}")
    assert changelog(once, FOUND) == once


def test_a_changelog_without_the_version_or_without_a_word_gets_both() -> None:
    assert changelog("", FOUND) == f"# Changelog\n\n## 0.2.0\n### Content\n{WRITTEN}"
    assert changelog("# Log\n\n## 0.1.0\n- x\n", FOUND) == (
        f"# Log\n\n## 0.2.0\n### Content\n{WRITTEN}\n## 0.1.0\n- x\n"
    )
    with pytest.raises(Problem, match="without the other"):
        changelog(f"## 0.2.0\n{BEGIN}\n", FOUND)


def test_the_command_writes_a_changelog(tmp_path: Path, outcome: Outcome) -> None:
    log = tmp_path / "CHANGELOG.md"
    assert run(str(definitions_folder()), str(outcome.new), "--changelog", str(log)).exit_code == 1
    assert "- Multifocal motor neuropathy\n  - mmn-steroid: direction: against → for\n" in log.read_text("utf-8")


def test_a_changed_content_under_the_same_version_is_said_to_need_a_new_one() -> None:
    same = Comparison(FOUND.changes, (), {}, ("0.1.0", "0.1.0"))
    assert text_report(same, None).startswith("Content 0.1.0 → 0.1.0: the same version, though the content differs")
    assert text_report(FOUND, None).startswith("Content 0.1.0 → 0.2.0\n")
