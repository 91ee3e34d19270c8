"""`ivig-fhir site`."""

from __future__ import annotations

from pathlib import Path

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cli.paths import FOLDER, writing
from ivig_fhir.knowledge.content import load_content


@click.command("site")
@click.argument("target", type=FOLDER)
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def site_command(target: Path, folder: Path) -> None:
    """Write the guideline pages to TARGET as files for any web host."""
    from ivig_fhir.pages.publication import load_publication  # the templates are slow to import
    from ivig_fhir.publishing.site import site_files, write_site

    files = site_files(load_publication(load_content(folder / "r4"), folder), folder)
    with writing(target):
        write_site(files, target)
    click.echo(f"{len(files)} files in {target}; begin with {target / 'index.html'}")
