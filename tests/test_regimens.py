"""Regimens of labels and guidelines: as their source prints them, unreviewed, on their own page and nowhere else."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from conftest import ROOT
from editions import published
from ivig_fhir import definitions_folder
from ivig_fhir.authoring.guidance import Regimen
from ivig_fhir.authoring.reader import read_guidance
from ivig_fhir.authoring.regimens import in_words
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import EXTENSION, Origin
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content, content_of
from ivig_fhir.knowledge.repository import Definitions, load_definitions
from ivig_fhir.pages.addresses import READERS
from ivig_fhir.pages.examples import examples
from ivig_fhir.pages.playground import form_of, inquiry_of
from ivig_fhir.problems import Problem
from test_pages import text, words
from test_reader import guidance, problems, replace  # noqa: F401 - guidance is a fixture

PINS = Path(__file__).parent / "regimens.txt"


@pytest.fixture(scope="module")
def site() -> FlaskClient:
    return published()


@cache
def written() -> dict[str, Regimen]:
    return {item.id: item for item in read_guidance(ROOT / "guidance").regimens}


def concepts() -> list[dict[str, Any]]:
    path = definitions_folder() / "r4" / "CodeSystem-ivig-regimen.json"
    return list(json.loads(path.read_text("utf-8"))["concept"])


def values(concept: dict[str, Any]) -> dict[str, str]:
    return {item["code"]: item["valueString"] for item in concept["property"]}


# --- the figures


def test_each_regimen_has_the_figures_source_and_confidence_of_the_table() -> None:
    pinned = {}
    for line in PINS.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, *rest = (part.strip() for part in line.split("|"))
            pinned[name] = rest
    shown = {item["code"]: values(item) for item in concepts()}
    columns = ("topic", "dose", "unit", "days", "weeks", "rate-initial", "rate-max", "source", "confidence")
    assert {name: [found.get(column, "") for column in columns] for name, found in shown.items()} == pinned


def test_a_regimen_is_worded_from_its_figures() -> None:
    read = {name: in_words(item) for name, item in written().items()}
    assert read["cidp-maint-gammagard"] == "1 g/kg over 1–4 days, every 3 weeks"
    assert read["itp-adult-ash"] == "1 g/kg in 1 day"
    assert read["cidp-scig-hizentra-low"] == "0.2–0.4 g/kg/week over 1–2 days, every week"
    assert read["gbs-2day"] == "2 g/kg, as 1 g/kg/day × 2 days"
    assert read["lems-no-dose"] == "no dose seen in any source"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("confidence: seen-in-secondary}", "confidence: memory-unverified}", "seen-in-primary, seen-in-secondary"),
        ("source: LBL-GAMUNEXC", "source: LBL-GAMUNEX", "did you mean 'LBL-GAMUNEXC'?"),
        ("topic: cidp", "topic: cipd", "did you mean 'cidp'?"),
        ('dose: "2", unit: g/kg', 'dose: "2"', "'unit' is a dependency of 'dose'"),
        ('dose: "2", unit: g/kg, days: "2-4"', 'days: "2-4"', "dose or instead-of-dose"),
        ("cidp-maint-gamunexc", "cidp-load-gamunexc", "already defined in guidance/regimens.yaml"),
    ],
)
def test_a_slip_in_a_regimen_is_refused_with_its_line(
    guidance: Path,  # noqa: F811
    before: str,
    after: str,
    message: str,
) -> None:
    line = replace(guidance / "regimens.yaml", before, after)
    said = problems(guidance)
    assert re.search(rf"guidance/regimens\.yaml:({line}|{line - 1}):", said)
    assert message in said


def test_a_unit_cannot_name_a_regimen(guidance: Path) -> None:  # noqa: F811
    replace(guidance / "topics" / "mmn.yaml", "  shown: opens\n", "  shown: opens\n  regimens: [mmn-load-efns]\n")
    with pytest.raises(Problem, match="regimens"):
        read_guidance(guidance)


# --- where they stand

READ = {"seen-in-primary": "read in the publication", "seen-in-secondary": "read second-hand"}


def part(html: str) -> str:
    """The part of a page that holds its regimens; nothing where it has none."""
    found = re.search(r'<section aria-labelledby="regimens".*?</section>', html, re.DOTALL)
    return found.group() if found else ""


def test_each_regimen_stands_in_the_marked_part_of_its_topic_with_source_and_confidence(
    site: FlaskClient, content: Content
) -> None:
    pages = {plan.topic: text(site, f"/guidance/{plan.topic}") for plan in content.plans}
    for concept in concepts():
        told = values(concept)
        marked = words(part(pages[told["topic"]]))
        assert "Unreviewed" in marked
        row = marked[marked.index(f"{told['phase']}") :]
        for expected in (concept["display"], told["product"], told["source-says"], READ[told["confidence"]]):
            assert expected in row
        assert concept.get("definition", "") in row
        for edition in ("r4", "r5"):
            assert f"definitions/{edition}/CodeSystem-ivig-regimen.json" in pages[told["topic"]]
        for topic, html in pages.items():
            assert topic == told["topic"] or concept["code"] not in part(html)


def test_outside_its_part_no_page_shows_a_regimen_and_a_patient_none_at_all(
    site: FlaskClient, content: Content
) -> None:
    for plan in content.plans:
        for reader in READERS:
            html = text(site, f"/guidance/{plan.topic}?reader={reader}")
            assert reader == "professional" or not part(html)
            rest = words(html.replace(part(html), ""))
            for concept in concepts():
                assert concept["display"] not in rest
                assert concept.get("definition", concept["display"]) not in rest


# --- and where they do not


def without_regimens() -> Content:
    whole = load_definitions(definitions_folder() / "r4")
    name = ("CodeSystem", "ivig-regimen")
    left = {key: item for key, item in whole.by_id.items() if key != name}
    urls = {url: item for url, item in whole.by_url.items() if item["id"] != "ivig-regimen"}
    return content_of(Definitions(left, urls, whole.content_hash))


def cards(content: Content) -> dict[str, str]:
    """The answer of the service to every example, by example and hook."""
    responder, found = Responder(content), {}
    for example in examples().values():
        inquiry = inquiry_of(form_of(example), date(2026, 3, 2), content)
        request = read_request(dumps(inquiry.document).encode(), inquiry.request.hook)
        found[example.id] = dumps(responder.answer(request, inquiry.at, Origin("", "test", "")))
    return found


def test_every_card_is_the_same_without_them(content: Content) -> None:
    shown = cards(content)
    assert sum(EXTENSION in answer for answer in shown.values()) > 15
    assert shown == cards(without_regimens())


def test_no_plan_activity_or_library_input_refers_to_them() -> None:
    for edition in ("r4", "r5"):
        for path in (definitions_folder() / edition).glob("*.json"):
            if path.name.startswith(("PlanDefinition", "ActivityDefinition", "Evidence", "ValueSet")):
                assert "ivig-regimen" not in path.read_text("utf-8"), path.name
