"""`ivig-fhir coverage`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ivig_fhir.cli.paths import FOLDER, extra
from ivig_fhir.problems import Issue, Outcome, Problem


@click.command("coverage")
@click.option("--guidance", "folder", type=FOLDER, default=Path("guidance"), show_default=True)
@click.option("--cases", "cases", type=FOLDER, default=Path("tests/cases"), show_default=True)
@click.option("--missing", is_flag=True, help="Only what is not accounted for.")
def coverage_command(folder: Path, cases: Path, missing: bool) -> None:
    """Where every statement lives or why it is not encoded, and what answers every feature row."""
    with extra("authoring"):
        from ivig_fhir.authoring.coverage import fates, rows
        from ivig_fhir.authoring.located import read_yaml
        from ivig_fhir.authoring.reader import read_guidance

    guidance = read_guidance(folder)
    by_statement: dict[str, tuple[str, ...]] = {}
    for path in sorted(cases.glob("*/*.yaml")):
        tree, issues = read_yaml(path, str(path))
        if issues or not isinstance(tree, dict):
            no_cases = Issue(str(path), "is no mapping", "a file of cases")
            raise Problem("malformed", Outcome(tuple(issues) or (no_cases,)))
        for name in tree.get("statements", ()):
            by_statement[name] = (*by_statement.get(name, ()), f"{path.parent.name}/{path.stem}")
    statements, features = fates(guidance), rows(guidance, by_statement)
    for fate in statements:
        if not missing or not fate.known:
            click.echo(
                f"{fate.statement}: {'; '.join(fate.places) or 'not encoded: ' + (fate.not_encoded or 'NO REASON')}"
            )
    for row in features:
        if not missing or not row.answered:
            shown = "; ".join(row.answered_by[:4]) or "NOTHING"
            click.echo(f"{row.id} {row.area}: {shown}; {len(row.cases)} case files")
    known, answered = sum(fate.known for fate in statements), sum(row.answered for row in features)
    click.echo(f"{known} of {len(statements)} statements")
    click.echo(f"{answered} of {len(features)} rows")
    if known < len(statements) or answered < len(features):
        sys.exit(1)
