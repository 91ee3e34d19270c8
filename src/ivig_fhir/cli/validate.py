"""`ivig-fhir validate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def validate_command(paths: tuple[Path, ...]) -> None:
    """Check FHIR knowledge artefacts."""
    from ivig_fhir.validation.reports.text import text_report  # the models are slow to import
    from ivig_fhir.validation.run import validate

    result = validate(paths)
    click.echo(text_report(result), nl=False)
    sys.exit(1 if result.fails("error") else 0)
