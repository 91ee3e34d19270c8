"""`ivig-fhir build-sheet`."""

from __future__ import annotations

from pathlib import Path

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.dialects import DIALECTS
from ivig_fhir.cli.paths import FILE, FOLDER
from ivig_fhir.cli.site_content import content_of_site
from ivig_fhir.publishing.build_sheet import Site, build_sheet


@click.command("build-sheet")
@click.option("--public-url", default="https://cds.example.org", show_default=True, help="As IVIG_FHIR_PUBLIC_URL.")
@click.option("--dialect", type=click.Choice(list(DIALECTS)), default="strict", show_default=True)
@click.option("--code-map", type=FILE, help="The site's own codes, as IVIG_FHIR_CODE_MAP.")
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def build_sheet_command(public_url: str, dialect: str, code_map: Path | None, folder: Path) -> None:
    """What an analyst types into an EHR: services, prefetch, topics, override reasons, links (Markdown)."""
    content = content_of_site(folder, code_map)
    click.echo(build_sheet(content, Site(public_url.rstrip("/"), dialect)), nl=False)
