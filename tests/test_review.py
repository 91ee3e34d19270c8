"""The generated pages for the reviewer are current."""

from __future__ import annotations

from conftest import ROOT
from ivig_fhir.knowledge.content import Content
from ivig_fhir.publishing.recommendations import recommendations
from specimens import specimens


def test_recommendations_md_is_what_the_definitions_say(content: Content) -> None:
    assert (ROOT / "docs" / "recommendations.md").read_text("utf-8") == recommendations(content), "run `make review`"


def test_specimens_md_shows_what_the_cases_give(content: Content) -> None:
    assert (ROOT / "docs" / "specimens.md").read_text("utf-8") == specimens(content), "run `make review`"
