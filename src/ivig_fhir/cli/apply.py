"""`ivig-fhir apply`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.discovery import HOOK_VERSIONS, PREFIX, served_hooks
from ivig_fhir.cds_hooks.inquiries import Asked, Inquiry, orders_of, read_inquiry
from ivig_fhir.cds_hooks.requests import read_patient_record
from ivig_fhir.cds_hooks.site_policy import read_policy
from ivig_fhir.cli.cohort import forecast
from ivig_fhir.cli.paths import FILE, FOLDER, PATIENTS, of_file
from ivig_fhir.cli.site_content import content_of_site
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.fhir import Resource, dumps, reference_to
from ivig_fhir.knowledge.content import Content

HOOKS = click.Choice(list(HOOK_VERSIONS))


@click.command("apply")
@click.argument("bundle", type=FILE, required=False)
@click.option("--hook", type=HOOKS, help="Needed for a Bundle; with --cohort all hooks if left out.")
@click.option("--order", "orders", type=FILE, multiple=True, help="A drafted order, or a Bundle of them.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="The day of evaluation; today if left out.")
@click.option("--explain", is_flag=True, help="Also every silent unit, with the criterion that silenced it.")
@click.option("--json", "as_json", is_flag=True, help="The response as an EHR would get it; the forecast as data.")
@click.option("--cohort", type=PATIENTS, help="Forecast cards for the patients of a folder (*.json, *.ndjson).")
@click.option("--silent", default="", help="Topics and units, as IVIG_FHIR_SILENT.")
@click.option("--max-cards", type=click.IntRange(1), default=3, show_default=True, help="As IVIG_FHIR_MAX_CARDS.")
@click.option("--code-map", type=FILE, help="The site's own codes, as IVIG_FHIR_CODE_MAP.")
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def apply_command(bundle: Path | None, **given: Any) -> None:
    """The cards for a patient: BUNDLE is a FHIR Bundle of the patient's resources, or a CDS Hooks request.

    With --cohort: how many cards the patients of a folder would bring, and how often each unit fires.

    Exit 0: done. 1: something could not be evaluated. 2: the command cannot be carried out.
    """
    if (bundle is None) == (given["cohort"] is None):
        raise click.UsageError("give a BUNDLE, or --cohort and a folder")
    content = content_of_site(given["folder"], given["code_map"])
    silent = [name.strip() for name in given["silent"].split(",") if name.strip()]
    responder = Responder(content, read_policy(silent, given["max_cards"], content, "--silent"))
    today = given["at"].date() if given["at"] else datetime.now(UTC).date()
    if bundle is not None:
        _one(bundle, responder, today, given)
        return
    if given["orders"] or given["explain"]:
        raise click.UsageError("--order and --explain are of a BUNDLE, not of --cohort")
    hooks = [given["hook"]] if given["hook"] else list(served_hooks(content))
    forecast(given["cohort"], hooks, responder, today, given["as_json"])


def _one(bundle: Path, responder: Responder, today: date, given: dict[str, Any]) -> None:
    inquiry = _inquiry(bundle, responder.content, today, given)
    request = inquiry.request
    cards = responder.answer(request, inquiry.at, Origin("", f"{PREFIX}{request.hook}", ""))["cards"]
    if given["as_json"]:
        click.echo(dumps({"cards": cards}), nl=False)
    else:
        click.echo("\n\n".join(_printed(card) for card in cards) or "No card.")
    if given["explain"]:
        record, _ = read_patient_record(request, responder.content)
        findings = responder.evaluate(request, record, inquiry.at).findings
        click.echo("\n" + "\n".join(_explained(finding) for finding in findings))


def _inquiry(bundle: Path, content: Content, today: date, given: dict[str, Any]) -> Inquiry:
    drafted: list[Resource] = []
    for path in given["orders"]:
        with of_file(path):
            drafted += orders_of(path.read_bytes())
    with of_file(bundle):
        at = today.isoformat() if given["at"] else ""
        asked = Asked(given["hook"] or "", at, orders=tuple(drafted) if given["orders"] else None)
        return read_inquiry(bundle.read_bytes(), asked, today, content)


def _printed(card: dict[str, Any]) -> str:
    suggestions = "".join(f"\n[ ] {item['label']}" for item in card.get("suggestions", ()))
    return f"[{card['indicator']}] {card['summary']}\n\n{card['detail']}{suggestions}"


def _explained(finding: Finding) -> str:
    words = {True: "yes", False: "no", None: "unknown"}
    head = f"{finding.unit.topic}/{finding.unit.id}: {finding.applicability}"
    if finding.applicability == SILENT:
        head += f" – {finding.silent_for}"
    lines = [f"  {words[item.truth]:7} {item.criterion}" + _named(item.resources) for item in finding.trace]
    return "\n".join([head, *lines])


def _named(resources: tuple[Resource, ...]) -> str:
    return f" ({', '.join(reference_to(item) for item in resources)})" if resources else ""
