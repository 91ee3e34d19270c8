"""`ivig-fhir feedback`: what became of the cards, and how long it is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from ivig_fhir.service.feedback_report import UnitFigures, purge, report

STORE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("feedback")
def feedback_command() -> None:
    """Cards shown and their feedback, in the file of IVIG_FHIR_STORE."""


@feedback_command.command("report")
@click.argument("store", type=STORE)
def report_command(store: Path) -> None:
    """Per unit: on how many cards it was shown, how many were accepted, overridden and why; how often silenced."""
    found = report(store)
    for unit, figures in found.units.items():
        click.echo(f"{unit}: {_line(figures)}")
    click.echo(f"unmatched: {found.unmatched} cards with feedback that were not noted when shown")


def _line(figures: UnitFigures) -> str:
    reasons = ", ".join(f"{code or '(no reason)'} {count}" for code, count in figures.reasons.items())
    overridden = f"overridden {figures.overridden}" + (f" ({reasons})" if reasons else "")
    silenced = f", silenced {figures.silenced}" if figures.silenced else ""
    return f"shown {figures.shown}, accepted {figures.accepted}, {overridden}{silenced}"


@feedback_command.command("purge")
@click.argument("store", type=STORE)
@click.option("--older-than", "days", type=click.IntRange(0, 36500), required=True, metavar="DAYS")
def purge_command(store: Path, days: int) -> None:
    """Delete what was shown or received more than DAYS days ago."""
    cards, feedback = purge(store, days, datetime.now(UTC))
    click.echo(f"deleted: {cards} cards, {feedback} feedback")
