"""`ivig-fhir explain`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.context import PATIENT, PROFESSIONAL
from ivig_fhir.cds_hooks.explanation import as_json, explain
from ivig_fhir.cds_hooks.inquiries import Asked, orders_of, read_inquiry
from ivig_fhir.cli.paths import FILE, FOLDER, of_file
from ivig_fhir.fhir import Resource, dumps
from ivig_fhir.knowledge.content import load_content


@click.command("explain")
@click.argument("document", type=FILE)
@click.option("--hook", default="", help="patient-view, encounter-start, order-select or order-sign; for a Bundle.")
@click.option("--order", "orders", type=FILE, multiple=True, help="A drafted order, a list or a Bundle of them.")
@click.option("--at", default="", help="The day of evaluation, YYYY-MM-DD; today if left out.")
@click.option("--reader", type=click.Choice([PROFESSIONAL, PATIENT]), default=PROFESSIONAL, show_default=True)
@click.option("--topic", default="", help="Also what would make its silent units appear: at most two facts each.")
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def explain_command(
    document: Path, hook: str, orders: tuple[Path, ...], at: str, reader: str, topic: str, folder: Path
) -> None:
    """Why each unit speaks, asks or is silent, as JSON; the same as POST /explain.

    DOCUMENT is a CDS Hooks request, a Bundle of one patient, or Parameters with hook and data.
    """
    content = load_content(folder / "r4")
    drafted: list[Resource] = []
    for path in orders:
        with of_file(path):
            drafted += orders_of(path.read_bytes())
    asked = Asked(hook, at, reader, topic, tuple(drafted) if orders else None)
    with of_file(document):
        inquiry = read_inquiry(document.read_bytes(), asked, datetime.now(UTC).date(), content)
    click.echo(dumps(as_json(explain(inquiry, Responder(content)), content)), nl=False)
