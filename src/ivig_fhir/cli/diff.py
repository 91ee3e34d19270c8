"""`ivig-fhir diff`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cohort import requests_of
from ivig_fhir.cli.cohort_folder import Cohort, open_cohort
from ivig_fhir.cli.paths import PATIENTS
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem, problem
from ivig_fhir.publishing.changes.cards import Impact, Visit, content_from, impact
from ivig_fhir.publishing.changes.comparison import compare
from ivig_fhir.publishing.changes.model import Comparison
from ivig_fhir.publishing.changes.report import changelog, json_report, text_report
from ivig_fhir.publishing.documents import FOLDERS, R4, has_evidence, read_resources, read_with_evidence
from ivig_fhir.publishing.edition import Edition

PATH = click.Path(path_type=Path)
SAME, DIFFERENT, TROUBLE = 0, 1, 2  # as diff(1)


@click.command("diff")
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@click.option(
    "--cohort", type=PATIENTS, help="Patients, as Bundles (*.json) or Bulk data (*.ndjson): whose cards change?"
)
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="The day of their visits; today if left out.")
@click.option("--json", "as_json", is_flag=True, help="The report for a program.")
@click.option("--changelog", "log", type=click.Path(dir_okay=False, path_type=Path), help="Write the changes there.")
@click.option("--fhir-version", "version", type=click.Choice(list(FOLDERS)), default=R4, show_default=True)
def diff_command(old: Path, new: Path, **given: Any) -> None:
    """What changed between two versions of content, in clinical words, and whose cards change.

    OLD and NEW: a folder of definitions, a package (.tgz), a Bundle or NDJSON. Exit 0: no change. 1: changes.
    2: the two cannot be compared.
    """
    try:
        comparison, found, faults = _compared(old, new, given)
        if given["log"]:
            _write(given["log"], comparison)
    except (Problem, RecursionError) as stopped:
        click.echo(str(stopped) if isinstance(stopped, Problem) else f"{old}, {new}: nested too deeply", err=True)
        sys.exit(TROUBLE)
    report = dumps(json_report(comparison, found)) if given["as_json"] else text_report(comparison, found) + "\n"
    click.echo(report, nl=False)
    for fault in faults:
        click.echo(f"not read: {fault}", err=True)
    changed = comparison.changes or comparison.also or (found and found.changes)
    sys.exit(TROUBLE if faults else DIFFERENT if changed else SAME)


def _compared(old: Path, new: Path, given: dict[str, Any]) -> tuple[Comparison, Impact | None, list[str]]:
    read = read_with_evidence if all(has_evidence(path) for path in (old, new)) else read_resources
    before, after = (Edition(given["version"], read(path, given["version"])) for path in (old, new))
    comparison = compare(before, after)
    if given["cohort"] is None:
        return comparison, None, []
    day = given["at"].date() if given["at"] else datetime.now(UTC).date()
    one, other = (Responder(content_from(edition.resources)) for edition in (before, after))
    cohort = open_cohort(given["cohort"], one.content, other.content)
    found = impact(one, other, _visits(cohort, one.content, other.content, day))
    return comparison, found, [str(fault) for fault in cohort.faults]


def _visits(cohort: Cohort, one: Content, other: Content, day: date) -> Iterator[Visit]:
    """Every member on every hook that one of the versions serves."""
    for member in cohort.members():
        for hook in {**one.hooks, **other.hooks}:
            before, after = (dict(requests_of(member, hook, content)) for content in (one, other))
            for name in {**before, **after}:
                yield Visit(name, hook, day, before.get(name), after.get(name))


def _write(target: Path, comparison: Comparison) -> None:
    try:
        text = target.read_text("utf-8") if target.exists() else ""
        target.write_text(changelog(text, comparison), "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise problem("malformed", str(target), f"cannot be read or written: {error}", "a text file") from error
