"""HL7's and HAPI's validators over both editions of definitions/, each finding held to explained.toml.

Exit 0: no finding that is not explained. 1: there is one, or an explanation that nothing needs. 3: a tool cannot be
had. --write renews the table in docs/integration/official-validators.md.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from java import VERSIONS, Judgement, Said, judge
from packages import ROOT, Missing

HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "integration" / "official-validators.md"
START, END = "<!-- counted by make interop -->", "<!-- end -->"
NAMES = {"hl7": "HL7 6.7.9", "hapi": "HAPI 8.8.1"}
Key = tuple[str, str]


def main(given: list[str]) -> int:
    """Both tools over both editions; the exit code."""
    entries = tomllib.loads((HERE / "explained.toml").read_text("utf-8"))["explained"]
    runs: dict[Key, Judgement] = {}
    try:
        for tool in NAMES:
            for edition in VERSIONS:
                runs[tool, edition] = _over(tool, edition)
    except Missing as missing:
        print(f"official validators: not run. It lacks {missing}")
        return 3
    counts: Counter[tuple[int, Key]] = Counter()
    unexplained = [item for run in runs.values() for item in run.findings if not _explain(item, entries, counts)]
    unneeded = [entry for place, entry in enumerate(entries) if not any(at == place for at, _ in counts)]
    for item in unexplained[:50]:
        print(
            f"not explained: {item.tool} {item.edition} {Path(item.file).name} {item.path}: {item.severity} {item.id} {item.message[:300]}"
        )
    for entry in unneeded:
        print(f"explained, but nothing says it any more: {entry['says']} ({', '.join(entry['tools'])})")
    table = _table(runs, entries, counts)
    print(table)
    if "--write" in given:
        before, _, rest = PAGE.read_text("utf-8").partition(START)
        PAGE.write_text(f"{before}{START}\n{table}{END}{rest.partition(END)[2]}", "utf-8")
    return 1 if unexplained or unneeded else 0


def _over(tool: str, edition: str) -> Judgement:
    folder = ROOT / "definitions" / edition
    files = sorted(folder.glob("[A-Z]*-*.json"))
    run = judge(tool, edition, files, [folder])
    print(f"{NAMES[tool]} over {len(files)} resources of {edition}: {run.seconds:.0f} s, {run.megabytes:.0f} MB")
    return run


def _explain(item: Said, entries: list[dict[str, Any]], counts: Counter[tuple[int, Key]]) -> bool:
    """Whether a finding is information, or of an entry, which is then counted."""
    if item.severity == "information":
        return True
    for place, entry in enumerate(entries):
        allowed = item.tool in entry["tools"] and item.edition in entry["editions"] and item.id == entry["id"]
        said = f"{item.path} {item.message}"
        if allowed and item.severity == entry.get("severity", "warning") and re.search(entry["at"], said):
            counts[place, (item.tool, item.edition)] += 1
            return True
    return False


def _table(runs: dict[Key, Judgement], entries: list[dict[str, Any]], counts: Counter[tuple[int, Key]]) -> str:
    heads = [f"{NAMES[tool]}, {edition.upper()}" for tool, edition in runs]
    rows = [f"| | {' | '.join(heads)} | why it stays |", f"|---|{'---:|' * len(heads)}---|"]
    errors = [str(sum(item.severity in ("error", "fatal") for item in run.findings)) for run in runs.values()]
    rows.append(f"| errors | {' | '.join(errors)} | |")
    for place, entry in enumerate(entries):
        cells = [str(counts[place, key] or "") for key in runs]
        says = entry["says"] + (" (error)" if entry.get("severity") == "error" else "")
        rows.append(f"| {says} | {' | '.join(cells)} | {' '.join(entry['why'].split())} |")
    hints = [str(sum(item.severity == "information" for item in run.findings)) for run in runs.values()]
    rows.append(
        f"| information | {' | '.join(hints)} | no terminology server; FHIR's own lists of statuses are drafts |"
    )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
