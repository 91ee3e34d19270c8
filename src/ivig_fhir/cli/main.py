"""The command `ivig-fhir`. Exit codes: 0 ok, 1 findings, 2 usage. Each command is a module of this package."""

from __future__ import annotations

import sys

import click

from ivig_fhir import __version__
from ivig_fhir.cli.apply import apply_command
from ivig_fhir.cli.build_sheet import build_sheet_command
from ivig_fhir.cli.check_ehr import check_ehr_command
from ivig_fhir.cli.compile import compile_command
from ivig_fhir.cli.coverage import coverage_command
from ivig_fhir.cli.diff import diff_command
from ivig_fhir.cli.explain import explain_command
from ivig_fhir.cli.export import export_command
from ivig_fhir.cli.feedback import feedback_command
from ivig_fhir.cli.site import site_command
from ivig_fhir.cli.validate import validate_command
from ivig_fhir.problems import Problem


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Guidance on intravenous immunoglobulin as FHIR content."""


for command in (
    compile_command,
    apply_command,
    explain_command,
    coverage_command,
    validate_command,
    export_command,
    diff_command,
    feedback_command,
    build_sheet_command,
    check_ehr_command,
    site_command,
):
    cli.add_command(command)


def main() -> None:
    """Run the command; a Problem is printed and decides the exit code."""
    try:
        cli()
    except Problem as stopped:
        click.echo(str(stopped), err=True)
        sys.exit(stopped.reported_as.exit_code)
