"""`ivig-fhir compile`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cli.paths import FOLDER, extra, writing


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; name every file that differs, exit 1 if any.")
@click.option("--guidance", "folder", type=FOLDER, default=Path("guidance"), show_default=True)
@click.option("--definitions", "target", type=FOLDER, default=definitions_folder(), show_default="definitions")
def compile_command(check: bool, folder: Path, target: Path) -> None:
    """Compile guidance/ to definitions/."""
    with extra("authoring"):
        from ivig_fhir.authoring.compiler import compile_guidance, differences, write
        from ivig_fhir.authoring.reader import read_guidance

    files = compile_guidance(read_guidance(folder))
    if not check:
        with writing(target):
            write(files, target)
        click.echo(f"{len(files)} files in {target}")
        return
    found = differences(files, target)
    for issue in found:
        click.echo(str(issue), err=True)
    if found:
        sys.exit(1)
    click.echo(f"{len(files)} files in {target} are what guidance/ compiles to")
