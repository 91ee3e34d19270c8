"""`make mutation`: change the content in one place at a time and see whether a case of its topic fails.

Each mutant (tools/mutants.py) is a service of its own, asked through WSGI; what it does not change is not read again.
The cases of its topics are asked in the order in which they are likely to notice, until one fails: the cases of the
unit or of the code first, those of the topic, the worked patients. Cases are tests/cases/, the codes of
tests/codes.yaml and the replays of tests/replays.py. A service that refuses to start is noticed too, and counted.

A code that is lost in the expansion of a composed value set alone is not in the score: the compiler writes no such
expansion. Those mutants are shown to the test that compares the sets with their parts, and have a line of their own.

Survivors stand in tests/survivors.yaml, each with its reason. Exit 1 below 95 %, on a survivor that is not listed, and
on a listed one that is caught or gone.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
import time
from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from mutants import Mutant, Resources, all_mutants, lost_from_expansions  # noqa: E402

from cases import Case, all_cases  # noqa: E402
from codes import code_cases  # noqa: E402
from composed import differing  # noqa: E402
from conftest import Clock  # noqa: E402
from expectations import holds  # noqa: E402
from ivig_fhir import definitions_folder  # noqa: E402
from ivig_fhir.fhir import loads  # noqa: E402
from ivig_fhir.knowledge.content import content_of  # noqa: E402
from ivig_fhir.knowledge.repository import Definitions, load_definitions  # noqa: E402
from ivig_fhir.problems import Problem  # noqa: E402
from ivig_fhir.service.app import create_app  # noqa: E402
from ivig_fhir.service.settings import Settings  # noqa: E402
from replays import replays  # noqa: E402

ENOUGH = 0.95
SURVIVORS = ROOT / "tests" / "survivors.yaml"
# hooks read r4 alone: without the folder of the other edition its pages are left out
SETTINGS = Settings(public_url="https://cds.example.org", definitions=ROOT / "no-other-edition")


@cache
def committed() -> Definitions:
    """The definitions as they are."""
    return load_definitions(definitions_folder() / "r4")


@cache
def by_file() -> Resources:
    """The committed resources by file name."""
    return {f"{kind}-{name}.json": item for (kind, name), item in committed().by_id.items()}


@cache
def mutants() -> list[Mutant]:
    """Every mutant that a case has to notice."""
    return list(all_mutants(by_file()))


@cache
def asked() -> dict[str, list[tuple[Case, str, bytes]]]:
    """Every case by topic, its facts as text, and the body of its request."""
    found = defaultdict(list)
    for case in chain(code_cases(), all_cases(), replays()):
        found[case.topic].append((case, json.dumps(case.facts), json.dumps(case.request()).encode()))
    return found


def service(mutant: Mutant, clock: Clock) -> Any:
    """A client of the service over the mutant. Raises Problem where the service refuses to start."""
    before = committed()
    by_id = {(item["resourceType"], item["id"]): item for item in mutant.changed.values()}
    by_url = {item["url"]: item for item in mutant.changed.values()}
    changed = Definitions(
        MappingProxyType(before.by_id | by_id), MappingProxyType(before.by_url | by_url), before.content_hash
    )
    return create_app(SETTINGS, clock, content_of(changed)).test_client()


def killer(number: int) -> str:
    """The first case that fails, "start" where the service does not start, or nothing."""
    mutant, clock = mutants()[number], Clock()
    try:
        client = service(mutant, clock)
    except Problem:
        return "start"
    topics = [topic for topic in mutant.topics if topic in asked()]
    found = [item for topic in topics for item in asked()[topic]]
    found.sort(key=lambda item: not (item[0].file.stem == mutant.where or (mutant.code and mutant.code in item[1])))
    return next(
        (case.id for case, _, body in found + asked()["vignettes"] if not _passes(case, body, client, clock)), ""
    )


def _passes(case: Case, body: bytes, client: Any, clock: Clock) -> bool:
    clock.day = type(clock.day).fromisoformat(case.at)
    response = client.post(f"/cds-services/ivig-{case.facts['hook']}", data=body, content_type="application/json")
    return holds(case, response.status_code, loads(response.data)["cards"] if response.status_code == 200 else [])


def listed() -> dict[str, str]:
    """Survivor -> reason, of tests/survivors.yaml. Raises ValueError for one without a reason or named twice."""
    found: dict[str, str] = {}
    for entry in yaml.load(SURVIVORS.read_text("utf-8"), yaml.CSafeLoader):
        for name in entry["mutants"]:
            if name in found or not entry["why"]:
                raise ValueError(f"{SURVIVORS.name}: {name} needs one reason")
            found[name] = entry["why"]
    return found


def report(killers: list[str]) -> tuple[list[str], bool]:
    """What is printed of the mutants, and whether it is well."""
    alive = [str(mutant) for mutant, name in zip(mutants(), killers, strict=True) if not name]
    reasons = listed()
    unlisted = [name for name in alive if name not in reasons]
    caught = [name for name in reasons if name not in alive]
    score = 1 - len(alive) / len(killers)
    lines = [f"survives, as listed: {name}\n    {reasons[name]}" for name in alive if name in reasons]
    lines += [f"SURVIVES, NOT LISTED: {name}" for name in unlisted]
    lines += [f"LISTED, BUT CAUGHT OR GONE: {name}" for name in caught]
    lines.append(
        f"{len(killers) - len(alive)} of {len(killers)} mutants fail a case of their topic ({score:.1%}), "
        f"{killers.count('start')} of them because the service refuses to start; {len(alive)} survive"
    )
    return lines, score >= ENOUGH and not unlisted and not caught


def lost_alone() -> tuple[str, bool]:
    """What is printed of the codes that are lost in one expansion alone, and whether each is noticed."""
    found = list(lost_from_expansions(by_file()))
    noticed = sum(bool(differing(changed)) for changed in found)
    return (
        f"not in the score: {noticed} of {len(found)} codes lost in the expansion of a composed value set alone are "
        "caught by tests/test_codes.py, which compares each set with its parts"
    ), noticed == len(found)


def main() -> int:
    """Print every survivor and the score."""
    started = time.monotonic()
    logging.disable()  # each service would say that authentication is off
    mutants(), asked()
    with multiprocessing.get_context("fork").Pool() as pool:
        killers = pool.map(killer, range(len(mutants())), chunksize=16)
    (lines, well), (alone, all_noticed) = report(killers), lost_alone()
    print(*lines, alone, f"{time.monotonic() - started:.0f} s", sep="\n")
    return 0 if well and all_noticed else 1


if __name__ == "__main__":
    sys.exit(main())
