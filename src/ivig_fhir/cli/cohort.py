"""`ivig-fhir apply --cohort`: how often the module would speak for the patients of a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import click

from ivig_fhir.cds_hooks.answer import Evaluation, Responder
from ivig_fhir.cds_hooks.cohort import Member, requests_of
from ivig_fhir.cds_hooks.forecast import HookFigures, hook_json, hook_text
from ivig_fhir.cds_hooks.requests import read_patient_record
from ivig_fhir.cli.cohort_folder import Cohort, open_cohort
from ivig_fhir.fhir import dumps
from ivig_fhir.problems import Problem

_SECONDS = 2.0  # between two lines of progress


@dataclass
class Forecast:
    """The figures of a cohort, and what was left out of them."""

    responder: Responder
    today: date
    hooks: dict[str, HookFigures]
    cohort: Cohort
    patients: int = 0
    not_used: dict[str, int] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        """Count a patient on every hook; one who cannot be evaluated is a fault of the cohort, and counts nowhere."""
        try:
            answers = {hook: self._answers(member, hook) for hook in self.hooks}
        except Problem as found:
            self.cohort.note(member.name, f"cannot be evaluated: {found}")
            return
        self.patients += 1
        for hook, evaluations in answers.items():
            self.hooks[hook].count(evaluations)

    def _answers(self, member: Member, hook: str) -> list[Evaluation]:
        content, found = self.responder.content, []
        for _, request in requests_of(member, hook, content):
            record, _ = read_patient_record(request, content)
            found.append(self.responder.evaluate(request, record, self.today))
        return found


def forecast(folder: Path, hooks: list[str], responder: Responder, today: date, as_json: bool) -> None:
    """Print the forecast; exit 1 when something in the folder could not be read or evaluated."""
    cohort = open_cohort(folder, responder.content)
    found = Forecast(responder, today, {hook: HookFigures() for hook in hooks}, cohort)
    progress = _progress()
    for member in cohort.members(lambda name: progress(f"reading {name}")):
        progress(f"{found.patients:,} patients evaluated")
        found.add(member)
    click.echo(_json(found) if as_json else _text(found), nl=False)
    if cohort.faults:
        click.echo("".join(f"{fault}\n" for fault in cohort.faults), nl=False, err=True)
    sys.exit(1 if cohort.faults else 0)


def _progress() -> Callable[[str], None]:
    """Says on standard error how far it is, every other second."""
    last = time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS:
            last = time.monotonic()
            click.echo(text, err=True)

    return tell


def _json(found: Forecast) -> str:
    content, policy = found.responder.content, found.responder.policy
    told: dict[str, Any] = {
        "schema": 1,
        "module": content.version,
        "contentHash": content.definitions.content_hash,
        "evaluatedOn": found.today.isoformat(),
        "silent": sorted(policy.silent),
        "mostCards": policy.most_cards,
        "files": len(found.cohort.files),
        "otherFiles": [path.name for path in found.cohort.other_files],
        "patients": found.patients,
        "hooks": [hook_json(hook, figures, content) for hook, figures in found.hooks.items()],
        "faults": [asdict(fault) for fault in found.cohort.faults],
    }
    return dumps(told)


def _text(found: Forecast) -> str:
    content, cohort = found.responder.content, found.cohort
    head = [
        f"{found.patients} patients of {len(cohort.files)} files, as of {found.today.isoformat()}",
        f"content {content.version} {content.definitions.content_hash}",
    ]
    if cohort.other_files:
        head.append(f"not read: {', '.join(path.name for path in cohort.other_files)}")
    if cohort.faults:
        count = sum(fault.count for fault in cohort.faults)
        head.append(f"not counted: {count} files, lines or patients that could not be read (named on standard error)")
    tables = (hook_text(hook, figures, content) for hook, figures in found.hooks.items())
    return "\n\n".join(["\n".join(head), *tables]) + "\n"
