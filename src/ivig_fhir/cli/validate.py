"""`ivig-fhir validate`."""

from __future__ import annotations

import gc
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from ivig_fhir.cli.paths import FILE, extra, writing
from ivig_fhir.problems import problem

if TYPE_CHECKING:
    from ivig_fhir.validation.options import Options
    from ivig_fhir.validation.result import Result

SEVERITIES = click.Choice(["error", "warning", "information"])
FORMATS = click.Choice(["text", "json", "outcome", "junit", "sarif"])
_MANY = 100  # documents from which on progress is shown


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--fhir-version", help="4.0.1, 4.3.0 or 5.0.0: of files that do not state theirs.")
@click.option("--format", "form", type=FORMATS, default="text", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report there.")
@click.option("--fail-on", type=SEVERITIES, help="Exit 1 from this severity on.  [default: error]")
@click.option("--level", type=SEVERITIES, default="warning", show_default=True, help="What the text report prints.")
@click.option("--rule", "rules", multiple=True, help="Only this rule, or layer.")
@click.option("--ignore", multiple=True, help="Not this rule or layer, or RULE:GLOB of files.")
@click.option("--strict", multiple=True, help="Canonical base whose content is held to the house rules.")
@click.option("--external", multiple=True, help="URL prefix that is defined elsewhere.")
@click.option("--context", multiple=True, help="Files that resolve links and are not checked.")
@click.option("--package", "packages", multiple=True, help="FHIR core package (.tgz) with HL7's definitions.")
@click.option("--cache", help="Folder of FHIR packages.  [default: ~/.fhir/packages]")
@click.option(
    "--with-hl7", envvar="HL7_VALIDATOR_JAR", show_envvar=True, help="HL7's validator_cli.jar, to add its findings."
)
@click.option("--max-size", type=int, help="Megabytes of the largest file.  [default: 64]")
@click.option("--config", type=FILE, help="ivig-fhir.toml or pyproject.toml.  [default: those of this folder]")
@click.option("--explain", metavar="RULE", help="What a rule asks for, and why.")
@click.option("--list-rules", is_flag=True, help="Every rule with its layer and severity.")
def validate_command(paths: tuple[Path, ...], **given: Any) -> None:
    """Check FHIR knowledge artefacts, R4 to R5: files, folders, Bundles, NDJSON, packages (.tgz).

    Exit 0: nothing as severe as --fail-on. 1: findings. 2: the command cannot be carried out.
    """
    validation = _validation()
    if given["explain"] or given["list_rules"]:
        click.echo(_explained(given["explain"]) if given["explain"] else _listed())
        return
    if not paths:
        raise click.UsageError("PATH is missing: a file, a folder or a package")
    options = _options(given)
    gc.disable()  # the trees live until the end: looking for garbage in them is a fifth of the time
    result = validation.validate(paths, options, _progress if sys.stderr.isatty() else None)
    report = _report(result, given["form"], options.fail_on, given["level"])
    if given["output"]:
        with writing(given["output"]):
            given["output"].write_text(report, "utf-8", errors="replace")  # a file name may be no text
    else:
        click.echo(report, nl=False)
    sys.exit(1 if result.fails(options.fail_on) else 0)


def _validation() -> ModuleType:
    """The validation package: imported here, because the FHIR models are slow to import and may be absent."""
    with extra("validate"):
        from ivig_fhir.validation import catalogue, run
    catalogue.load()
    return run


def _options(given: dict[str, Any]) -> Options:
    """The configuration file's options, with those of the command line added to lists and put over single values."""
    from ivig_fhir.validation import options as reading

    config = given["config"]
    options = reading.read_options(Path()) if config is None else reading.read_options_file(config)
    changes: dict[str, Any] = {}
    for item in fields(options):
        value = given.get(item.name)
        if value:
            changes[item.name] = (*getattr(options, item.name), *value) if isinstance(value, tuple) else value
    return replace(options, **changes)


def _progress(file: str, place: int, count: int) -> None:
    if count >= _MANY and (place % 25 == 0 or place == count - 1):
        end = "\n" if place == count - 1 else ""
        click.echo(f"\r\033[K{place + 1} of {count} {Path(file).name}{end}", nl=False, err=True)


def _report(result: Result, form: str, fail_on: str, level: str) -> str:
    from ivig_fhir.validation.reports import ci, machine, text

    if form == "junit":
        return ci.junit_report(result, fail_on)
    if form == "text":
        return text.text_report(result, level)
    return {"json": machine.json_report, "outcome": machine.outcome_report, "sarif": ci.sarif_report}[form](result)


def _explained(name: str) -> str:
    from ivig_fhir.validation.hl7 import rule_of

    try:
        rule = rule_of(name)
    except KeyError as unknown:
        hint = "ivig-fhir validate --list-rules"
        raise problem("malformed", "rule", f'there is no rule "{name}"', hint=hint) from unknown
    severity = rule.severity if rule.severity == rule.elsewhere else f"{rule.severity} (elsewhere {rule.elsewhere})"
    return f"{rule.id}: {rule.layer}, {severity}\n\n{rule.explanation}"


def _listed() -> str:
    from ivig_fhir.validation.rules import RULES

    rows = sorted(RULES.values(), key=lambda rule: (rule.layer, rule.id))
    return "\n".join(f"{rule.layer:12} {rule.severity:12} {rule.elsewhere:12} {rule.id}" for rule in rows)
