"""`ivig-fhir apply`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Evaluation, Responder
from ivig_fhir.cds_hooks.cards import Origin, build_cards
from ivig_fhir.cds_hooks.requests import HookRequest, read_patient_record
from ivig_fhir.cds_hooks.wording import Setting
from ivig_fhir.cli.paths import FILE, FOLDER
from ivig_fhir.engine.apply import SILENT, Finding
from ivig_fhir.fhir import Resource, as_list, dumps, loads, reference_to
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.problems import Issue, Outcome, Problem

HOOKS = click.Choice(["patient-view", "encounter-start", "order-select", "order-sign"])


@click.command("apply")
@click.option("--hook", type=HOOKS, required=True)
@click.argument("bundle", type=FILE)
@click.option("--order", "orders", type=FILE, multiple=True, help="A drafted order, or a Bundle of them.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="The day of evaluation; today if left out.")
@click.option("--explain", is_flag=True, help="Also every silent unit, with the criterion that silenced it.")
@click.option("--json", "as_json", is_flag=True, help="The response as an EHR would get it.")
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def apply_command(
    hook: str, bundle: Path, orders: tuple[Path, ...], at: datetime | None, explain: bool, as_json: bool, folder: Path
) -> None:
    """The cards for a patient: BUNDLE is a FHIR Bundle of the patient's resources."""
    content = load_content(folder / "r4")
    today = at.date() if at else datetime.now(UTC).date()
    request = _request(hook, _resources(bundle), [item for path in orders for item in _resources(path)], content)
    record, _ = read_patient_record(request, content)
    evaluation = Responder(content).evaluate(request, record, today)
    cards = _cards(evaluation, request, content, today)
    if as_json:
        click.echo(dumps({"cards": cards}), nl=False)
    else:
        click.echo("\n\n".join(_printed(card) for card in cards) or "No card.")
    if explain:
        click.echo("\n" + "\n".join(_explained(finding) for finding in evaluation.findings))


def _resources(path: Path) -> list[tuple[str, Resource]]:
    try:
        read = loads(path.read_bytes())
    except ValueError as error:
        raise Problem(
            "malformed", Outcome((Issue(str(path), f"is no JSON: {error}", "a FHIR Bundle or resource"),))
        ) from error
    if not isinstance(read, dict) or "resourceType" not in read:
        raise Problem("malformed", Outcome((Issue(str(path), "is no FHIR resource", "a FHIR Bundle or resource"),)))
    if read["resourceType"] != "Bundle":
        return [("", read)]
    return [
        (str(entry.get("fullUrl", "")), entry["resource"])
        for entry in as_list(read.get("entry"))
        if "resource" in entry
    ]


def _request(
    hook: str, resources: list[tuple[str, Resource]], drafts: list[tuple[str, Resource]], content: Content
) -> HookRequest:
    patients = [resource for _, resource in resources if resource["resourceType"] == "Patient"]
    if len(patients) != 1:
        raise Problem("unusable", Outcome((Issue("BUNDLE", f"holds {len(patients)} patients", "exactly one"),)))
    medications = [item for item in resources if item[1]["resourceType"] == "Medication"]
    prefetch: dict[str, Any] = {}
    for key in content.prefetch.values():
        entries = [
            {"fullUrl": url, "resource": item}
            for url, item in resources
            if item["resourceType"] in (key.type, "Medication")
        ]
        prefetch[key.key] = patients[0] if key.type == "Patient" else {"resourceType": "Bundle", "entry": entries}
    return HookRequest(
        hook,
        "command-line",
        patients[0]["id"],
        "Practitioner/command-line",
        prefetch,
        tuple(item for _, item in drafts if item["resourceType"] != "Medication"),
        (*drafts, *medications),
    )


def _cards(evaluation: Evaluation, request: HookRequest, content: Content, today: date) -> list[dict[str, Any]]:
    setting = Setting(request.reader, today.isoformat(), evaluation.not_evaluated, evaluation.not_used)
    return build_cards(list(evaluation.cards), content, request, setting, Origin("", f"ivig-{request.hook}", ""))


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
