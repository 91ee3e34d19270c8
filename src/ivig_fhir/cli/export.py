"""`ivig-fhir export`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cli.paths import writing
from ivig_fhir.problems import problem
from ivig_fhir.publishing.documents import FOLDERS, R4, read_resources
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.export import FORMATS, Export, Wish, export


@click.command("export")
@click.argument("definitions", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), default="bundle", show_default=True)
@click.option("--fhir-version", "version", type=click.Choice(list(FOLDERS)), default=R4, show_default=True)
@click.option("--select", "topics", multiple=True, metavar="TOPIC", help="Only this, with all that it depends on.")
@click.option("--base", default="", metavar="URL", help="Canonicals and local code systems move there.")
@click.option("--package-id", default="", metavar="NAME", help="Of the package.  [default: the content's own]")
@click.option("--no-profiles", is_flag=True, help="Leave meta.profile out.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export_command(definitions: Path | None, **given: Any) -> None:
    """FHIR content as one file: for readers, for servers, for package tools.

    DEFINITIONS is a folder with r4/ and r5/, a folder of FHIR JSON, a Bundle, NDJSON or a package (.tgz); the
    module's own content if left out. Without --output a package goes to NAME-VERSION.tgz here, the rest to standard
    output. Beside a written file stands FILE.sha256. The same content gives the same bytes.
    """
    source = definitions or definitions_folder()
    wish = Wish(given["form"], given["topics"], given["base"], given["package_id"], not given["no_profiles"])
    try:
        made = export(Edition(given["version"], read_resources(source, given["version"])), wish)
    except RecursionError as error:
        raise problem("malformed", str(source), "is nested too deeply", "FHIR resources") from error
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    target = given["output"] or (Path(made.name) if given["form"] == "package" else None)
    if target is None:
        sys.stdout.buffer.write(made.content)
        sys.stdout.buffer.flush()
    else:
        _write(target, made, given["force"])


def _write(target: Path, made: Export, force: bool) -> None:
    if target.exists() and not force:
        raise problem("malformed", str(target), "is already there", "a new file, or --force")
    digest = hashlib.sha256(made.content).hexdigest()
    with writing(target):
        target.write_bytes(made.content)
        target.with_name(f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n", "utf-8")
    click.echo(f"{target}: {made.count} resources, sha256 {digest}", err=True)
