"""Change a rating, a direction, a conflict, a title, a figure in a copy of definitions/: page, map and table follow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from editions import action, added, changed, concept, copied, nodes, pages_over, published
from test_pages import text, words

PERCENT = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
COUNTED = {
    "description": "improved a lot",
    "quantity": {"value": 37.5, **PERCENT},
    "sampleSize": {"description": "40 adults"},
}
RANGED = {
    "description": "improved a little",
    "attributeEstimate": [{"range": {"low": {"value": 20, **PERCENT}, "high": {"value": 55, **PERCENT}}}],
    "note": [{"text": "denominator unclear"}],
}
REGIMEN = {
    "code": "r1",
    "display": "9 g/kg over 9 days",
    "property": [
        {"code": "topic", "valueString": "lems"},
        {"code": "source", "valueString": "LABEL-X"},
        {"code": "confidence", "valueString": "seen-in-secondary"},
        {"code": "population", "valueString": "adults"},
    ],
}


ALONE = {"description": "days until then", "quantity": {"value": 57, "unit": "d"}, "sampleSize": {"description": "9"}}
GRADED = {
    "description": "moderate evidence",
    "note": [{"text": "S2-049"}],
    "rating": {"coding": [{"code": "low", "display": "Low"}]},
}


def other_rating(plan: Any) -> None:
    for item in nodes(action(plan, "mmn-ivig")):
        if item.get("valueString") == "first-choice therapy":
            item["valueString"] = "a rating of the fifth kind"


def other_title(plan: Any) -> None:
    plan["title"] = plan["action"][0]["title"] = "Fever of small vessels"


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """The pages over a copy in which each test below finds its change."""
    definitions = copied(tmp_path_factory.mktemp("edited"))
    changed(definitions, "r4/PlanDefinition-mmn.json", other_rating)
    changed(
        definitions,
        "r4/PlanDefinition-lems.json",
        lambda plan: action(plan, "lems-ivig")["code"][0]["coding"][0].update(code="against"),
    )
    changed(
        definitions,
        "r4/CodeSystem-ivig-conflict.json",
        lambda system: concept(system, "X-12").update(display="A quarrel of our own", definition="They quarrel."),
    )
    changed(definitions, "r4/PlanDefinition-kawasaki.json", other_title)
    changed(
        definitions,
        "r4/PlanDefinition-postpolio.json",
        lambda plan: plan.update(approvalDate="2027-01-05", status="active"),
    )
    changed(
        definitions,
        "r4/PlanDefinition-drpn.json",
        lambda plan: action(plan, "drpn-ivig").update(description="<script>alert(1)</script> [x](javascript:alert(1))"),
    )
    added(
        definitions,
        "r5/Evidence-mmn-ivig.json",
        {"title": "A figure", "statistic": [COUNTED, RANGED, ALONE], "certainty": [GRADED]},
    )
    added(definitions, "r4/CodeSystem-ivig-regimen.json", {"concept": [REGIMEN]})
    return pages_over(definitions)


def test_a_changed_rating_appears_in_page_map_and_table(edited: FlaskClient) -> None:
    picture, table = text(edited, "/guidance").split('id="list"')
    for html in (text(edited, "/guidance/mmn").split('class="rests"')[0], picture, table):
        assert "a rating of the fifth kind" in html
        assert "first-choice therapy" not in html


def look(site: FlaskClient) -> str:
    """The mark of the first recommendation on a page."""
    found = re.search(r"<h3>(<svg.*?</svg>)", text(site, "/guidance/lems"))
    assert found
    return found.group(1)


def test_a_changed_direction_changes_word_letter_and_shape(edited: FlaskClient) -> None:
    before, after = look(published()), look(edited)
    for said in ('aria-label="for"', ">F<", "#shape-circle", 'data-direction="for"'):
        assert said in before
        assert said not in after
    for said in ('aria-label="against"', ">A<", "#shape-octagon", 'data-direction="against"'):
        assert said in after


def test_a_changed_conflict_appears_in_page_and_map(edited: FlaskClient) -> None:
    assert "A quarrel of our own" in text(edited, "/guidance")
    assert "They quarrel." in text(edited, "/guidance/mg")


def test_a_changed_title_changes_heading_address_and_map(edited: FlaskClient) -> None:
    assert "<h1>Fever of small vessels</h1>" in text(edited, "/guidance/fever-of-small-vessels")
    assert 'href="guidance/fever-of-small-vessels"' in text(edited, "/guidance")
    assert edited.get("/guidance/kawasaki-disease").status_code == 404


def test_a_figure_is_a_bar_with_its_denominator(edited: FlaskClient) -> None:
    html = text(edited, "/guidance/mmn")
    assert '<rect class="span" x="0.00" y="0" width="37.50"' in html
    assert "improved a lot 0–100 % 37.5 % of 40 adults" in words(html)


def test_a_figure_without_denominator_says_so_and_looks_it(edited: FlaskClient) -> None:
    html = text(edited, "/guidance/mmn")
    assert '<rect class="span unclear" x="20.00" y="0" width="35.00"' in html
    assert "improved a little 0–100 % 20–55 % denominator unclear" in words(html)


def test_a_number_without_a_scale_gets_no_bar(edited: FlaskClient) -> None:
    html = text(edited, "/guidance/mmn")
    assert html.count('<rect class="span') == 2
    assert "days until then 57 d of 9" in words(html)


def test_a_changed_grade_changes_the_bars_in_map_and_page(edited: FlaskClient) -> None:
    unit = r'<article class="unit" id="mmn-ivig".*?</article>'
    for site, expected in ((published(), "3"), (edited, "2")):
        for html in (text(site, "/guidance/mmn"), text(site, "/guidance").split('id="list"')[0]):
            part = re.search(unit, html, re.DOTALL) or re.search(r'href="[^"]*#mmn-ivig".*?</a>', html, re.DOTALL)
            assert part
            assert re.findall(r'class="grade" data-bars="(\d)"', part.group()) == [expected]
    assert "read as low certainty" in text(edited, "/guidance")


def test_regimens_stand_apart_with_source_and_confidence(edited: FlaskClient) -> None:
    html = text(edited, "/guidance/lems")
    part = html[html.index('id="regimens"') :]
    assert "Unreviewed" in part[:400]
    for expected in ("9 g/kg over 9 days", "LABEL-X", "seen-in-secondary", "adults"):
        assert expected in part
    assert "LABEL-X" not in text(edited, "/guidance/mmn")


def test_an_approved_topic_says_so(edited: FlaskClient) -> None:
    html = words(text(edited, "/guidance/postpolio"))
    assert "Active , approved 2027-01-05" in html
    assert "not reviewed by a clinician" not in html


def test_markup_in_a_definition_stays_text(edited: FlaskClient) -> None:
    html = text(edited, "/guidance/drpn")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert 'href="javascript' not in html
