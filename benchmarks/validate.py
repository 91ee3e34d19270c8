"""`ivig-fhir validate` beside HL7's validator, on the same files, in one run: wall seconds, megabytes, ratio.

    make bench-validate       our content in both editions, and 1,000 of HL7's examples, each cold: a new process

Then what the corpus says (benchmarks/corpus). Java 17, Maven and npm are needed; what cannot be had is named, exit 3.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools" / "interop"), str(ROOT / "benchmarks" / "corpus")]

from corpus import EDITIONS, TYPES, measure  # noqa: E402
from java import Judgement, judge  # noqa: E402
from packages import CACHE, EXAMPLES, WORK, Missing, install, unpacked  # noqa: E402
from places import digest  # noqa: E402

TIMES = 3
MOST_SECONDS, MOST_MEGABYTES, LEAST_RATIO = 3.0, 300, 20
EXAMPLES_OF_EDITION = 500
LARGEST = 500_000  # bytes


@dataclass(frozen=True)
class Measured:
    """Wall seconds and the most memory of a run."""

    seconds: float
    megabytes: float


def main() -> int:
    """Both loads, both tools; exit 1 when an aim is missed, 3 when Java or a package cannot be had."""
    try:
        install()
        met = [
            _compared("our content", _content(), aim=True),
            _compared("1,000 examples of HL7", _examples(), aim=False),
        ]
        measure(listing=False)
    except Missing as missing:
        print(f"bench-validate: not run. It lacks {missing}")
        return 3
    return 0 if all(met) else 1


def _content() -> dict[str, list[Path]]:
    return {edition: sorted((ROOT / "definitions" / edition).glob("[A-Z]*-*.json")) for edition in EDITIONS}


def _examples() -> dict[str, list[Path]]:
    """Knowledge artefacts among the examples, chosen by hash and copied: a package is not to be read as a whole."""
    found = {}
    for edition, version in EDITIONS.items():
        files = [path for kind in TYPES for path in unpacked(EXAMPLES[version]).glob(f"{kind}-*.json")]
        fitting = [path for path in files if path.stat().st_size <= LARGEST]
        folder = WORK / "bench" / edition
        folder.mkdir(parents=True, exist_ok=True)
        chosen = sorted(fitting, key=lambda path: digest(path.name))[:EXAMPLES_OF_EDITION]
        for path in chosen:
            (folder / path.name).write_bytes(path.read_bytes())
        found[edition] = [folder / path.name for path in chosen]
    return found


def _compared(title: str, files: dict[str, list[Path]], aim: bool) -> bool:
    count = sum(map(len, files.values()))
    print(
        f"{title}: {count} resources (load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)", flush=True
    )
    bare = _timed(_ours(files, "nowhere"))
    runs = [_timed(_ours(files, str(CACHE))) for _ in range(TIMES)]
    ours = Measured(statistics.median(run.seconds for run in runs), max(run.megabytes for run in runs))
    # our content resolves its own links; among HL7's examples are HL7's definitions, which it knows
    judged = [
        judge("hl7", edition, group, {path.parent for path in group} if aim else ()) for edition, group in files.items()
    ]
    java = Measured(sum(run.seconds for run in judged), max(run.megabytes for run in judged))
    ratio = java.seconds / ours.seconds
    print(f"  ivig-fhir validate, without HL7's packages  {bare.seconds:8.1f} s {bare.megabytes:6.0f} MB")
    print(f"  ivig-fhir validate, median of {TIMES}            {ours.seconds:8.1f} s {ours.megabytes:6.0f} MB")
    print(
        f"  HL7's validator 6.7.9                       {java.seconds:8.1f} s {java.megabytes:6.0f} MB   {ratio:.0f} ×"
    )
    _agreement(files, judged)
    kept = not aim or (ours.seconds <= MOST_SECONDS and ours.megabytes <= MOST_MEGABYTES)
    return kept and ratio >= LEAST_RATIO


def _ours(files: dict[str, list[Path]], cache: str, *more: str) -> list[str]:
    """The command over both editions at once."""
    paths = sorted({path.parent for group in files.values() for path in group})
    command = [Path(sys.executable).parent / "ivig-fhir", "validate", "--cache", cache, *more, *paths]
    return [str(word) for word in command]


def _agreement(files: dict[str, list[Path]], judged: list[Judgement]) -> None:
    """Of the files that HL7's validator refuses or lets pass, how many ours does. HL7's examples are not all valid."""
    done = subprocess.run(_ours(files, str(CACHE), "--format", "json"), capture_output=True, check=False)
    findings = json.loads(done.stdout)["findings"]
    errors = [(Path(item["file"]), item["rule"]) for item in findings if item["severity"] == "error"]
    ours = {path for path, _ in errors}
    theirs = {Path(said.file) for run in judged for said in run.findings if said.severity in ("error", "fatal")}
    every = {path for group in files.values() for path in group}
    print(f"  refused by both {len(ours & theirs)}, by neither {len(every - ours - theirs)}, ", end="")
    print(f"by HL7's alone {len(theirs - ours)}, by ours alone {len(ours - theirs)}")
    alone = Counter(rule for path, rule in errors if path not in theirs)
    for rule, count in alone.most_common():
        print(f"    ours alone: {rule} {count}")


def _timed(command: Sequence[str]) -> Measured:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Measured(time.monotonic() - started, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
