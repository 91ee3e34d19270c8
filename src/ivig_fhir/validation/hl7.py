"""HL7's validator beside ours (--with-hl7): its findings under the rule ids hl7-…, at their place in the file.

The jar (validator_cli.jar) is given copies of all that is checked, one resource a file: it reads no NDJSON and no
packages. It asks no terminology server; its definitions it takes from ~/.fhir/packages, or fetches.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ivig_fhir.problems import Problem, problem
from ivig_fhir.validation.elements import VERSIONS
from ivig_fhir.validation.findings import ERROR, INFORMATION, WARNING, Finding
from ivig_fhir.validation.reading import Document
from ivig_fhir.validation.rules import RULES, Rule

PREFIX = "hl7-"
LAYER = "hl7"
_SEVERITIES = {"fatal": ERROR, "error": ERROR, "warning": WARNING, "information": INFORMATION}
_CORE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-"
_ALLOWED = "HL7's validator_cli.jar, and Java 17 or newer as java"


def hl7_findings(jar: str, documents: Iterable[tuple[Document, str]]) -> Iterator[Finding]:
    """What the jar says of documents, each with its FHIR version. Raises Problem('malformed') when it cannot be run."""
    by_version: dict[str, list[Document]] = defaultdict(list)
    for document, version in documents:
        if document.checked and isinstance(document.data, dict):
            by_version[version].append(document)
    for version, group in by_version.items():
        with TemporaryDirectory(prefix="ivig-fhir-") as name:
            folder = Path(name)
            files = {f"{place:06}.json": document for place, document in enumerate(group)}
            for file, document in files.items():
                (folder / file).write_text(document.text, "utf-8")
            yield from _findings(_outcomes(jar, VERSIONS[version], folder, list(files)), files)


def _outcomes(jar: str, version: str, folder: Path, files: list[str]) -> list[dict[str, Any]]:
    java = shutil.which("java")
    if java is None or not Path(jar).is_file():
        raise _refused("java is not to be found" if java is None else f"there is no {jar}")
    output = folder / "outcome.json"
    command = [
        java,
        "-jar",
        str(Path(jar).absolute()),
        *files,
        "-version",
        version,
        "-tx",
        "n/a",
        "-output",
        "outcome.json",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    try:
        found = json.loads(output.read_text("utf-8"))
    except (OSError, ValueError) as error:
        said = [
            line
            for line in (done.stderr or done.stdout).splitlines()
            if line.strip() and not line.startswith(("\t", "Picked up"))
        ]
        raise _refused(f"it left no findings (exit {done.returncode}): {said[-1][:300] if said else error}") from error
    entries = found.get("entry", []) if found.get("resourceType") == "Bundle" else [{"resource": found}]
    return [entry["resource"] for entry in entries]


def _refused(seen: str) -> Problem:
    hint = "its definitions must be in ~/.fhir/packages, or it must reach packages.fhir.org"
    return problem("malformed", "with-hl7", seen, _ALLOWED, hint=hint)


def _findings(outcomes: list[dict[str, Any]], files: dict[str, Document]) -> Iterator[Finding]:
    for outcome in outcomes:
        name = str(_extension(outcome, "file") or "")
        document = files.get(Path(name).name) or next(iter(files.values()))  # of one file it leaves the name out
        for issue in outcome.get("issue", ()):
            if issue.get("details", {}).get("text") != "All OK":
                yield _finding(issue, document)


def _finding(issue: dict[str, Any], document: Document) -> Finding:
    data = document.data
    line = int(_extension(issue, "issue-line") or 0)
    places = issue.get("expression") or issue.get("location") or [""]
    return Finding(
        rule=PREFIX + _slug(str(_extension(issue, "message-id") or issue.get("code", "finding"))),
        severity=_SEVERITIES.get(str(issue.get("severity")), ERROR),
        file=document.file,
        seen=str(issue.get("details", {}).get("text") or issue.get("diagnostics") or "no text"),
        path=str(places[0]),
        resource=f"{data.get('resourceType')}/{data.get('id', '')}",
        line=line + document.first_line - 1 if line > 0 else 0,
        column=max(int(_extension(issue, "issue-col") or 0), 0) if line > 0 else 0,
    )


def _slug(identifier: str) -> str:
    """hl7's own id in our spelling: an invariant by its key, a message by its name."""
    return re.sub(r"[^a-z0-9]+", "-", identifier.rpartition("#")[2].lower()).strip("-") or "finding"


def _extension(element: dict[str, Any], name: str) -> Any:
    for item in element.get("extension", ()):
        if item.get("url") == _CORE + name:
            return next((value for key, value in item.items() if key.startswith("value")), None)
    return None


def rule_of(identifier: str) -> Rule:
    """The rule of a finding: ours, or for those of HL7's validator one that says where it is from."""
    if identifier in RULES or not identifier.startswith(PREFIX):
        return RULES[identifier]
    text = f"HL7's validator says it, as {identifier.removeprefix(PREFIX)}."
    return Rule(identifier, LAYER, ERROR, ERROR, text, (), hl7_findings)
