"""The generated pages, for the reviewer and for the analyst, are current."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from conftest import ROOT, Shown
from ivig_fhir.cds_hooks.discovery import discovery
from ivig_fhir.cli.build_sheet import build_sheet_command
from ivig_fhir.knowledge.content import Content
from ivig_fhir.publishing.recommendations import recommendations
from specimens import specimens


def test_recommendations_md_is_what_the_definitions_say(content: Content) -> None:
    assert (ROOT / "docs" / "recommendations.md").read_text("utf-8") == recommendations(content), "run `make review`"


def test_specimens_md_shows_what_the_cases_give(shown: Shown) -> None:
    assert (ROOT / "docs" / "specimens.md").read_text("utf-8") == specimens(shown), "run `make review`"


def sheet(*arguments: str) -> str:
    run = CliRunner().invoke(build_sheet_command, [*arguments], catch_exceptions=False)
    assert run.exit_code == 0
    return run.stdout


def test_build_sheet_md_is_what_the_definitions_say() -> None:
    assert (ROOT / "docs" / "integration" / "build-sheet.md").read_text("utf-8") == sheet(), "run `make review`"


def test_a_build_sheet_says_what_discovery_says_and_what_is_on_the_cards(content: Content) -> None:
    text = sheet("--public-url", "https://cds.site.org/")
    for service in discovery(content)["services"]:
        assert f"`https://cds.site.org/cds-services/{service['id']}`" in text
        assert all(f"    {query}\n" in text for query in service["prefetch"].values())
    assert all(f"| `{word.code}` | {word.display} |" in text for word in content.overrides.values())


def test_a_build_sheet_is_of_the_dialect_and_the_codes_of_the_site(tmp_path: Path) -> None:
    codes = tmp_path / "codes.csv"
    codes.write_text("system,code,our_system,our_code\nurn:local:codes,WT,http://loinc.org,29463-7\n")
    text = sheet("--dialect", "epic", "--code-map", str(codes))
    assert (
        "| `mmn` | Multifocal motor neuropathy | `https://ivig-fhir.example.org/fhir/CodeSystem/ivig-topic-epic` |"
        in text
    )
    assert "| `urn:local:codes\\|WT` | `http://loinc.org\\|29463-7` |" in text
    assert "Observation?patient={{context.patientId}}&code=" in text
    assert ",urn:local:codes|WT&" in text
