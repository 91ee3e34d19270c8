"""Populations pick the patients that the plans pick; ratings stand one by one; figures keep their denominators."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cases import all_cases
from conftest import ROOT
from fhir_models import Resource, definitions, wrong
from ivig_fhir.authoring.dating import younger
from ivig_fhir.authoring.evidence import evidence
from ivig_fhir.authoring.evidence_variables import evidence_variables
from ivig_fhir.authoring.guidance import Figure, Guidance, Rating, Unit
from ivig_fhir.authoring.reader import read_guidance
from ivig_fhir.engine.inputs import build_index
from ivig_fhir.fhir import extension_value
from ivig_fhir.knowledge.conditions import compile_condition
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.problems import Problem
from oracle import facts_of

OCCASION = "occasion"
evaluated = cache(compile_condition)


@cache
def edition(name: str) -> dict[str, Resource]:
    return definitions(name)


@pytest.fixture(scope="module")
def guidance() -> Guidance:
    return read_guidance(ROOT / "guidance")


def units(guidance: Guidance) -> list[Unit]:
    return [unit for topic in guidance.topics for unit in topic.units]


def actions(name: str) -> dict[str, dict[str, Any]]:
    plans = [item for item in edition(name).values() if item["resourceType"] == "PlanDefinition"]
    return {action["id"]: action for plan in plans for action in plan["action"][0]["action"]}


def population_of(unit: str, name: str) -> Resource:
    """The population of a unit in an edition: R5 names it on the action."""
    reference = actions("r5")[unit]["subjectCanonical"].partition("|")[0].rpartition("/EvidenceVariable/")[2]
    return edition(name)[f"EvidenceVariable/{reference}"]


# -- populations -----------------------------------------------------------------------------------------


Truth = bool | None
Ask = Callable[[str], Truth]  # an expression, or `DataRequirement` and the id of an input -> its truth for a patient
Picks = Callable[[Ask], Truth]


def conjunction(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def disjunction(truths: list[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def asking(text: str) -> Picks:
    return lambda ask: ask(text)


def together(parts: list[Picks], join: Callable[[list[Truth]], Truth] = conjunction) -> Picks:
    return lambda ask: join([part(ask) for part in parts])


def picks_in_r5(characteristic: dict[str, Any]) -> Picks:
    """How a characteristic of R5 picks: by its own expressions and combinations."""
    combined = characteristic.get("definitionByCombination")
    if combined is None:
        return asking(characteristic["definitionExpression"]["expression"])
    join = {"all-of": conjunction, "any-of": disjunction}[combined["code"]]
    return together([picks_in_r5(part) for part in combined["characteristic"]], join)


def picks_in_r4(characteristic: dict[str, Any], content: Content) -> Picks:
    """How a characteristic of R4 picks: a data requirement is met or not, and leaves nothing open."""
    wanted = characteristic.get("definitionDataRequirement")
    if wanted is None:
        return asking(characteristic["definitionExpression"]["expression"])
    same = [
        name
        for name, item in content.requirements.items()
        if {key: value for key, value in item.source.items() if key != "id"} == wanted
    ]
    assert same
    return asking(f"DataRequirement {same[0]}")


def asker(facts: Facts) -> Ask:
    """Answers of one patient's record, each asked for once."""

    @cache
    def ask(text: str) -> Truth:
        kind, _, name = text.partition(" ")
        if kind == "DataRequirement":
            return bool(facts.inputs.get(name))
        return evaluated(text).evaluate(facts).truth

    return ask


def pickers(guidance: Guidance, content: Content) -> dict[str, tuple[Picks, Picks, Picks]]:
    """Unit -> how its plan, its population in R5 and its population in R4 pick."""
    found = {}
    for unit in (unit for unit in units(guidance) if unit.population):
        criteria = [item for item in content.units[unit.id].criteria if item.id in unit.population]
        r5, r4 = (population_of(unit.id, name)["characteristic"] for name in ("r5", "r4"))
        found[unit.id] = (
            together([asking(item.condition.text) for item in criteria]),
            together([picks_in_r5(part) for part in r5]),
            together([picks_in_r4(part, content) for part in r4]),
        )
    return found


def test_a_population_picks_the_patients_that_the_conditions_of_its_plan_pick(
    guidance: Guidance, content: Content
) -> None:
    index = build_index(content.requirements.values())
    known = pickers(guidance, content)
    seen: set[Truth] = set()
    for case in all_cases():
        facts = facts_of(case, content, index)
        ask = asker(facts) if facts else None
        for unit, (by_plan, in_r5, in_r4) in known.items() if ask else ():
            assert ask is not None
            wanted = by_plan(ask)
            assert in_r5(ask) is wanted, f"{case.id}: {unit}"
            assert (in_r4(ask) is True) == (wanted is True), f"{case.id}: {unit}"
            seen.add(wanted)
    assert seen == {True, False, None}


def expressions_in_r4(variable: Resource) -> Iterator[tuple[str, str]]:
    for part in variable["characteristic"]:
        urls = {item["url"].rpartition(".")[2]: item["url"] for item in part["extension"]}
        kept = extension_value(part, urls["definitionExpression"]) if "definitionExpression" in urls else None
        yield extension_value(part, urls["linkId"]), (kept or part["definitionExpression"])["expression"]


def test_a_population_holds_exactly_the_criteria_of_the_people_in_the_words_of_the_plan(guidance: Guidance) -> None:
    for unit in (unit for unit in units(guidance) if unit.population):
        conditions = {
            item["expression"]["name"]: item["expression"]["expression"] for item in actions("r4")[unit.id]["condition"]
        }
        assert OCCASION not in unit.population
        found = dict(expressions_in_r4(population_of(unit.id, "r4")))
        whole = {link: text for link, text in found.items() if link in conditions}
        parts = {link: text for link, text in found.items() if link not in conditions}
        assert all(conditions[link] == text for link, text in whole.items()), unit.id
        for link, text in parts.items():  # a criterion `all`, flattened by R4
            assert text in conditions[link.partition(".")[0]], unit.id
        assert {link.partition(".")[0] for link in found} == set(unit.population), unit.id


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_a_population_brings_the_inputs_that_its_expressions_name(name: str, content: Content) -> None:
    populations = [item for item in edition(name).values() if item["id"].endswith("-population")]
    assert populations
    for item in populations:
        (library,) = item["contained"]
        assert {"url": "http://hl7.org/fhir/StructureDefinition/cqf-library", "valueCanonical": "#inputs"} in item[
            "extension"
        ]
        given = {data["id"]: data for data in library["dataRequirement"]}
        assert all(content.requirements[key].source == data for key, data in given.items()), item["id"]
        plain = str(item["characteristic"])
        assert {key for key in content.requirements if f"%{key}." in plain} == set(given), item["id"]


def test_a_leaf_that_asks_for_a_condition_has_a_query_by_value_set() -> None:
    (leaf,) = edition("r5")["EvidenceVariable/mmn-ivig-population"]["characteristic"]
    other = extension_value(
        leaf["definitionExpression"], "http://hl7.org/fhir/StructureDefinition/cqf-alternativeExpression"
    )
    assert other["language"] == "text/x-fhir-query"
    query = other["expression"]
    assert query.startswith("Condition?code:in=https://ivig-fhir.example.org/fhir/ValueSet/mmn&")
    assert "clinical-status=active,recurrence,relapse" in query
    assert "verification-status:not=provisional" in query


def test_units_of_one_topic_with_the_same_people_share_a_population(guidance: Guidance) -> None:
    for topic in guidance.topics:
        described = [unit for unit in topic.units if unit.population]
        said = {unit.id: str(population_of(unit.id, "r5")["characteristic"]) for unit in described}
        assert len({population_of(unit.id, "r5")["id"] for unit in described}) == len(set(said.values()))
    assert population_of("mmn-pe", "r5") == population_of("mmn-ivig", "r5")


def test_plans_of_both_editions_lead_to_the_populations_of_their_units(guidance: Guidance) -> None:
    for topic in guidance.topics:
        wanted = {population_of(unit.id, "r5")["url"] for unit in topic.units if unit.population}
        linked = edition("r4")[f"PlanDefinition/{topic.id}"]["relatedArtifact"]
        named = {item["resource"].partition("|")[0] for item in linked if item["type"] == "depends-on"}
        assert {url for url in named if "/EvidenceVariable/" in url} == wanted
        for unit in topic.units:
            assert ("subjectCanonical" in actions("r5")[unit.id]) == bool(unit.population), unit.id


# -- what guidance/ may say ------------------------------------------------------------------------------


def with_unit(guidance: Guidance, name: str, **changed: Any) -> Guidance:
    """The guidance with one unit changed."""
    topics = tuple(
        replace(topic, units=tuple(replace(unit, **changed) if unit.id == name else unit for unit in topic.units))
        for topic in guidance.topics
    )
    return replace(guidance, topics=topics)


def compiled(guidance: Guidance, name: str) -> Resource:
    """The Evidence of a unit, valid together with its variables."""
    variables, roles = evidence_variables(guidance)
    (found,) = [item for item in evidence(guidance, roles) if item["id"] == name]
    wanted = [item for item in variables if item["id"] in roles[name].values()]
    assert [issue for item in (found, *wanted) for issue in wrong(item, "r5")] == []
    return found


def test_a_population_that_names_no_criterion_is_refused_with_its_place(guidance: Guidance) -> None:
    found = with_unit(guidance, "mmn-pe", population=("mmn-curent",))
    with pytest.raises(Problem, match=r"topics/mmn.yaml:\d+: population: mmn-curent is no criterion .*mmn-current"):
        evidence_variables(found)


def test_a_comparison_becomes_the_reference_exposure(guidance: Guidance) -> None:
    found = compiled(with_unit(guidance, "mmn-pe", comparison="IVIG"), "mmn-pe")
    roles = {
        item["variableRole"]["coding"][0]["code"]: item["intended"]["reference"] for item in found["variableDefinition"]
    }
    assert roles["exposure"] == "EvidenceVariable/plasma-exchange-exposure"
    assert roles["referenceExposure"] == "EvidenceVariable/ivig-exposure"
    assert roles["population"] == "EvidenceVariable/mmn-ivig-population"


def test_two_interventions_never_share_an_id(guidance: Guidance) -> None:
    with pytest.raises(Problem, match="'IVIG!' has the id of another intervention"):
        evidence_variables(with_unit(guidance, "mmn-maint", intervention="IVIG!"))


def test_a_rated_unit_without_people_and_intervention_is_refused(guidance: Guidance) -> None:
    found = with_unit(guidance, "mmn-pe", population=(), intervention="(figures)", statements=("S4-033",))
    _, roles = evidence_variables(found)
    with pytest.raises(Problem, match="names neither population nor intervention"):
        evidence(found, roles)


# -- ratings ---------------------------------------------------------------------------------------------


def graded(unit: Unit) -> list[Rating]:
    return [rating for rating in unit.ratings if rating.kind == "evidence-rating"]


def evidence_of(unit: Unit) -> Resource:
    return edition("r5").get(f"Evidence/{unit.id}", {})


def rater(rating: Rating, guidance: Guidance) -> str:
    source = guidance.sources[guidance.statements[rating.statement].source]
    return f"{source.id}: {source.short} ({source.standing_says})"


def test_each_grade_of_evidence_stands_alone_in_the_words_of_its_one_source(guidance: Guidance) -> None:
    for unit in units(guidance):
        found = evidence_of(unit).get("certainty", [])
        assert [item["description"] for item in found] == [rating.wording for rating in graded(unit)], unit.id
        for rating, item in zip(graded(unit), found, strict=True):
            assert item["rater"] == rater(rating, guidance)
            assert item["note"][0] == {"text": rating.statement}
            assert "subcomponent" not in item
            assert item["type"]["text"] == rating.kind


def test_a_strength_of_recommendation_and_a_practice_are_notes_and_no_certainty(guidance: Guidance) -> None:
    seen = set()
    for unit in units(guidance):
        notes = [item["text"] for item in evidence_of(unit).get("note", ())]
        others = [rating for rating in unit.ratings if rating not in graded(unit)]
        wanted = [
            f"{rating.kind} “{rating.wording}” [{rating.statement}], by {rater(rating, guidance)}" for rating in others
        ]
        assert notes[: len(wanted)] == wanted, unit.id
        seen |= {rating.kind for rating in others}
    assert seen == {"recommendation-strength", "practice"}


def test_the_field_s_own_extensions_repeat_ratings_of_their_kind_alone(guidance: Guidance) -> None:
    kinds = {"strengthOfRecommendation": "recommendation-strength", "qualityOfEvidence": "evidence-rating"}
    for unit in units(guidance):
        for name, kind in kinds.items():
            words = [f"{item.statement[:2]}: {item.wording}" for item in unit.ratings if item.kind == kind]
            url = f"http://hl7.org/fhir/StructureDefinition/cqf-{name}"
            for name_of_edition in ("r4", "r5"):
                found = extension_value(actions(name_of_edition)[unit.id], url)
                assert found == ({"text": "; ".join(words)} if words else None), (unit.id, name)


def test_only_declared_grades_are_coded_and_the_code_is_marked_as_ours(guidance: Guidance) -> None:
    coded = [
        (unit, rating, item)
        for unit in units(guidance)
        for rating, item in zip(graded(unit), evidence_of(unit).get("certainty", []), strict=True)
        if "rating" in item
    ]
    assert coded
    for _, rating, item in coded:
        assert item["rating"]["coding"][0]["code"] == guidance.certainty.code_of(rating.statement[:2], rating.wording)
        assert {"text": guidance.certainty.says} in item["note"]


@pytest.mark.parametrize(
    ("source", "wording", "code"),
    [
        ("S2", "strong evidence", "high"),
        ("S2", "moderate evidence", "moderate"),
        ("S2", "weak evidence ... may help", "low"),
        ("S2", "not enough evidence", "very-low"),
        ("S2", "high-quality studies are not available", ""),
        ("S4", "strong evidence", ""),
    ],
)
def test_a_grade_is_read_only_as_declared_for_its_source(
    guidance: Guidance, source: str, wording: str, code: str
) -> None:
    assert guidance.certainty.code_of(source, wording) == code


def test_a_strength_of_recommendation_is_never_read_as_certainty(guidance: Guidance) -> None:
    rating = Rating("S2-049", "recommendation-strength", "moderate evidence")
    assert "certainty" not in compiled(with_unit(guidance, "mmn-ivig", ratings=(rating,)), "mmn-ivig")


def test_what_the_sources_report_of_the_course_is_the_outcome(guidance: Guidance) -> None:
    reported = {
        unit.id: [name for name in unit.statements if guidance.statements[name].kind == "prognosis"]
        for unit in units(guidance)
    }
    for unit, statements in reported.items():
        if f"Evidence/{unit}" not in edition("r5"):
            continue
        outcome = edition("r5").get(f"EvidenceVariable/{unit}-outcome")
        assert bool(outcome) == bool(statements), unit
        if outcome:
            assert all(f"'{name}'" in str(outcome["characteristic"]) for name in statements), unit


# -- figures ---------------------------------------------------------------------------------------------


def statistics(guidance: Guidance, *figures: Figure) -> list[dict[str, Any]]:
    return list(compiled(with_unit(guidance, "mmn-ivig", figures=figures), "mmn-ivig")["statistic"])


def test_a_figure_without_denominator_says_so(guidance: Guidance) -> None:
    (found,) = statistics(guidance, Figure("S4-031", "48.50", "%", "improved", "unclear"))
    assert str(found["quantity"]["value"]) == "48.50"
    assert found["quantity"]["code"] == "%"
    assert found["description"] == "improved"
    assert {"text": "denominator unclear"} in found["note"]
    assert found["note"][0]["text"].startswith("S4-031: ")
    assert "sampleSize" not in found


def test_a_figure_with_a_denominator_names_it(guidance: Guidance) -> None:
    (found,) = statistics(guidance, Figure("S4-031", "15.4", "%", "improved", "untreated patients"))
    assert found["sampleSize"] == {"description": "untreated patients"}
    assert {"text": "denominator unclear"} not in found["note"]


def test_a_share_is_a_proportion_and_a_dose_is_no_estimate(guidance: Guidance) -> None:
    share, median, dose = statistics(
        guidance,
        Figure("S4-031", "48.50", "%", "improved", "unclear"),
        Figure("S4-031", "57", "d", "median onset", "unclear"),
        Figure("S4-031", "2", "g/kg", "total dose", "unclear"),
    )
    assert share["statisticType"]["coding"][0]["code"] == "C44256"
    assert median["statisticType"]["coding"][0]["code"] == "C28007"
    assert dose["statisticType"]["coding"][0]["code"] == "descriptive"
    assert any("estimates no effect" in note["text"] for note in dose["note"])
    assert not any("estimates no effect" in note["text"] for item in (share, median) for note in item["note"])


def test_the_direction_of_a_recommendation_stands_on_recommendations_alone(guidance: Guidance) -> None:
    url = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-directionOfRecommendation"
    directed = {name for name, item in actions("r4").items() if any(part["url"] == url for part in item["extension"])}
    advising = {unit.id for unit in units(guidance) if unit.direction in ("for", "against")}
    assert directed == {unit.id for unit in units(guidance) if unit.kind == "recommendation"} & advising
    assert directed < advising


def test_a_range_stays_a_range(guidance: Guidance) -> None:
    (found,) = statistics(guidance, Figure("S4-031", "60-75", "%", "improved", "unclear"))
    assert "quantity" not in found
    bounds = found["attributeEstimate"][0]["range"]
    assert (str(bounds["low"]["value"]), str(bounds["high"]["value"])) == ("60", "75")


UNIT, STATEMENTS = "- id: mmn-ivig\n", "  statements: ["
REST = ', unit: "%", what: improved, of: unclear}\n'


def read_with(folder: Path, *figures: str) -> Guidance:
    """Guidance read from files in which a unit gives these figures."""
    path = folder / "topics" / "mmn.yaml"
    head, unit, tail = path.read_text("utf-8").partition(UNIT)
    assert unit and STATEMENTS in tail
    lines = "".join(f"  - {{statement: {figure}" for figure in figures)
    path.write_text(head + unit + tail.replace(STATEMENTS, f"  figures:\n{lines}{STATEMENTS}S4-056, ", 1), "utf-8")
    return read_guidance(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "guidance", tmp_path / "guidance"))


def test_a_figure_is_read_as_its_statement_prints_it(folder: Path) -> None:
    found = read_with(folder, f'S4-056, value: "48.5"{REST}')
    (unit,) = [unit for unit in units(found) if unit.id == "mmn-ivig"]
    assert unit.figures == (Figure("S4-056", "48.5", "%", "improved", "unclear"),)


def test_a_figure_that_its_statement_does_not_print_is_refused_with_its_place(folder: Path) -> None:
    with pytest.raises(Problem) as stopped:
        read_with(
            folder,
            f'S4-056, value: "48.6"{REST}',
            f'S4-056, value: "8.5"{REST}',
            f'S4-062, value: "30"{REST}',
            f'S4-999, value: "30"{REST}',
        )
    said = str(stopped.value)
    for message in (
        "48.6 does not stand in S4-056; allowed: 48.5, 15.4",
        "8.5 does not stand in S4-056",
        "the unit does not rest on S4-062",
        "'S4-999' is not defined",
    ):
        assert re.search(rf"guidance/topics/mmn.yaml:\d+: {re.escape(message)}", said), message


def test_a_figure_in_words_or_without_denominator_is_refused_with_its_place(folder: Path) -> None:
    with pytest.raises(Problem) as stopped:
        read_with(folder, f'S4-056, value: "about 48"{REST}', 'S4-056, value: "48.5", unit: "%", what: x}\n')
    said = str(stopped.value)
    assert re.search(r"guidance/topics/mmn.yaml:\d+: .*'about 48'.*text of the form", said)
    assert re.search(r"guidance/topics/mmn.yaml:\d+: .*'of' is a required property", said)


# -- citations -------------------------------------------------------------------------------------------


def test_every_source_existing_reference_and_newer_source_in_use_has_a_citation(guidance: Guidance) -> None:
    used = {name for unit in units(guidance) for name in unit.newer}
    wanted = set(guidance.sources) | {name for item in used for name in guidance.newer[item].sources}
    wanted |= {
        f"{source.id}-ref-{item.marker}"
        for source in guidance.sources.values()
        for item in source.references
        if item.resolved != "dangling"
    }
    assert {item["id"] for item in edition("r5").values() if item["resourceType"] == "Citation"} == wanted


def test_a_citation_says_the_standing_of_its_source_and_the_references_that_do_not_exist(guidance: Guidance) -> None:
    for name, source in guidance.sources.items():
        citation = edition("r5")[f"Citation/{name}"]
        (standing,) = citation["classification"]
        assert [item["text"] for item in standing["classifier"]] == list(source.standing)
        dangling = [item.marker for item in source.references if item.resolved == "dangling"]
        notes = [item["text"] for item in citation["note"]]
        assert [note[1 : note.index("]")] for note in notes if note.startswith("[")] == dangling


def test_a_citation_carries_doi_and_pmid_as_identifiers() -> None:
    cited = edition("r5")["Citation/AANEM-2023"]["citedArtifact"]
    assert {item["system"].rpartition("/")[2]: item["value"] for item in cited["identifier"]} == {
        "doi.org": "10.1002/mus.27922",
        "pubmed.ncbi.nlm.nih.gov": "37432872",
    }


# -- what a reader without the pages sees ----------------------------------------------------------------


def test_titles_name_their_topic_and_no_id_and_tell_evidence_and_variables_apart(guidance: Guidance) -> None:
    ids = {unit.id for unit in units(guidance)}
    for kind in ("Evidence", "EvidenceVariable"):
        found = [item for item in edition("r5").values() if item["resourceType"] == kind]
        titles = [item["title"] for item in found]
        assert len(set(titles)) == len(titles)
        assert not [title for title in titles if ids & set(title.split())]
    topics = {unit.id: topic.title for topic in guidance.topics for unit in topic.units}
    assert all(evidence_of(unit)["title"].startswith(topics[unit.id]) for unit in units(guidance) if evidence_of(unit))


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_a_plan_or_activity_alone_still_says_what_it_is_not_meant_for(guidance: Guidance, name: str) -> None:
    found = [
        item for item in edition(name).values() if item["resourceType"] in ("PlanDefinition", "ActivityDefinition")
    ]
    assert found
    assert {item.get("usage") for item in found} == {guidance.module.disclaimer}


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_what_is_coded_on_a_plan_and_its_evidence_is_readable_without_a_terminology_server(name: str) -> None:
    kinds = ("PlanDefinition", "ActivityDefinition", "Evidence")
    for key, resource in edition(name).items():
        if resource["resourceType"] in kinds:
            codings = [item for node in objects(resource) for item in node.get("coding", ())]
            assert all(item.get("display") for item in codings), key


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(child)


def test_evidence_is_called_newer_only_where_it_is_younger_than_the_work_behind_the_sources(guidance: Guidance) -> None:
    newer = {name for name, item in guidance.newer.items() if younger(item, guidance)}
    assert {"gbs-adult-class-i", "gbs-steroid-none", "gbs-steroid-combo-insufficient", "vasc-no-trial"} <= newer
    same_year, older, undated = "gbs-pe-with-ivig", "mmn-steroid-confirmed", "not-only-after-failure"
    assert newer.isdisjoint({same_year, older, undated, "gbs-pe-then-ivig", "gbs-steroid-combo-minor"})


def test_no_publication_supersedes_the_sheet_of_2012_that_is_not_younger(guidance: Guidance) -> None:
    superseding = [item for item in guidance.newer.values() if item.relation == "supersedes"]
    of_the_sheet = [item for item in superseding if any(name.startswith("S2-") for name in item.about)]
    assert of_the_sheet
    assert [item.id for item in of_the_sheet if not younger(item, guidance)] == []
