"""`ivig-fhir site`."""

from __future__ import annotations

from pathlib import Path

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cli.paths import FOLDER
from ivig_fhir.knowledge.content import load_content
from ivig_fhir.problems import problem


@click.command("site")
@click.argument("target", type=FOLDER)
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def site_command(target: Path, folder: Path) -> None:
    """Write the guideline pages to TARGET as files for any web host."""
    from ivig_fhir.pages.publication import load_publication  # the templates are slow to import
    from ivig_fhir.publishing.site import site_files, write_site

    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise problem(
            "malformed", str(target), f"cannot be written: {error}", "a folder that can be written"
        ) from error
    files = site_files(load_publication(load_content(folder / "r4"), folder), folder)
    write_site(files, target)
    click.echo(f"{len(files)} files in {target}; begin with {target / 'index.html'}")
