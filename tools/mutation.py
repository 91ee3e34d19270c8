"""`make mutation`: change the content in one place at a time and see whether a case of its topic fails.

Mutants of definitions/r4, run through the WSGI application: a code dropped, a direction flipped, a criterion
negated, a figure changed, a conflict, a statement or a rating dropped, a warning turned off, a hook taken away.
Survivors are printed with file, element and what was changed. Exit 1 below 95 %.
"""

from __future__ import annotations

import copy
import json
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from cases import Case, all_cases  # noqa: E402
from conftest import Clock  # noqa: E402
from expectations import check  # noqa: E402
from ivig_fhir import definitions_folder  # noqa: E402
from ivig_fhir.knowledge.content import content_of  # noqa: E402
from ivig_fhir.knowledge.repository import definitions_of  # noqa: E402
from ivig_fhir.problems import Problem  # noqa: E402
from ivig_fhir.service.app import create_app  # noqa: E402
from ivig_fhir.service.settings import Settings  # noqa: E402

FILES = {path.name: path.read_bytes() for path in (definitions_folder() / "r4").glob("*.json")}
PLANS = {name: json.loads(text) for name, text in FILES.items() if name.startswith("PlanDefinition-")}
CASES = list(all_cases())
FLIPPED = {
    "for": "against",
    "against": "for",
    "equivalent": "against",
    "insufficient-evidence": "for",
    "poor-response": "for",
    "none": "for",
}


@dataclass(frozen=True)
class Mutant:
    """One change of one file; `topics` are those whose cases must notice."""

    file: str
    where: str
    what: str
    content: bytes
    topics: tuple[str, ...]


def mutants() -> Iterator[Mutant]:
    """All mutants, in a fixed order."""
    for name, plan in sorted(PLANS.items()):
        for number, unit in enumerate(plan["action"][0]["action"]):
            shown = next(item for item in unit["extension"] if item["url"].endswith("/ivig-shown"))
            if any(part.get("valueCode") == "never" for part in shown["extension"]):
                continue
            for what, changed in _unit_changes(unit):
                whole = copy.deepcopy(plan)
                whole["action"][0]["action"][number] = changed
                yield Mutant(name, unit["id"], what, json.dumps(whole).encode(), (plan["id"],))
    yield from _code_mutants()


def _unit_changes(unit: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    def changed() -> dict[str, Any]:
        return copy.deepcopy(unit)

    flipped = changed()
    code = flipped["code"][0]["coding"][0]
    before, code["code"] = code["code"], FLIPPED[code["code"]]
    yield f"direction {before} -> {code['code']}", flipped
    for number, item in enumerate(unit.get("condition", ())):
        negated = changed()
        expression = negated["condition"][number]["expression"]
        expression["expression"] = f"({expression['expression']}).not()"
        yield f"criterion {item['expression']['name']} negated", negated
    for key in ("documentation", "trigger"):
        for number, item in enumerate(unit.get(key, ())):
            less = changed()
            del less[key][number]
            yield f"{key} {item.get('label') or item.get('name')} dropped", less
    for number, item in enumerate(unit["extension"]):
        # the field's own extensions are for other readers; no card is made of them
        if "/StructureDefinition/ivig-" in item["url"] and not item["url"].endswith("/ivig-shown"):
            less = changed()
            del less["extension"][number]
            yield f"{item['url'].rpartition('/')[2]} {number} dropped", less
    if "dynamicValue" in unit:
        quiet = changed()
        del quiet["dynamicValue"]
        yield "warning turned off", quiet
    text = re.sub(r"\[[^\]]*\]", lambda found: "#" * len(found[0]), unit["description"])
    for found in re.finditer(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-])", text):
        other = changed()
        figure = found[0]
        replaced = f"{float(figure) + 1:g}"
        other["description"] = unit["description"][: found.start()] + replaced + unit["description"][found.end() :]
        yield f"figure {figure} -> {replaced}", other


def _code_mutants() -> Iterator[Mutant]:
    """The codes that cases name: each dropped from its value set; and the first code of every other value set."""
    facts = json.dumps([case.facts for case in CASES])
    for name, text in sorted(FILES.items()):
        if not name.startswith("ValueSet-"):
            continue
        value_set = json.loads(text)
        topics = tuple(
            plan["id"] for plan in PLANS.values() if f'"{value_set["url"]}"' in json.dumps(plan["action"][0]["input"])
        )
        contains = value_set["expansion"]["contains"]
        named = [item for item in contains if f'"{item["code"]}"' in facts] or contains[:1]
        for item in named:
            less = copy.deepcopy(value_set)
            less["expansion"]["contains"] = [other for other in contains if other != item]
            if less["expansion"]["contains"] and topics:
                yield Mutant(name, value_set["id"], f"code {item['code']} dropped", json.dumps(less).encode(), topics)


def survives(mutant: Mutant) -> bool:
    """Whether no case of the mutant's topics, and no worked patient, fails."""
    try:
        content = content_of(definitions_of(FILES | {mutant.file: mutant.content}))
    except (Problem, KeyError, StopIteration):
        return False
    clock = Clock()
    client = create_app(Settings(public_url="https://cds.example.org"), clock, content).test_client()
    return all(_passes(case, client, clock) for case in CASES if case.topic in (*mutant.topics, "vignettes"))


def _passes(case: Case, client: Any, clock: Clock) -> bool:
    clock.day = type(clock.day).fromisoformat(case.at)
    response = client.post(f"/cds-services/ivig-{case.facts['hook']}", json=case.request())
    try:
        check(case, response.status_code, response.json["cards"] if response.status_code == 200 else [])
    except (AssertionError, KeyError, IndexError):
        return False
    return True


def main() -> int:
    """Print the score and every survivor."""
    started, found = time.monotonic(), list(mutants())
    with multiprocessing.Pool() as pool:
        alive = [mutant for mutant, left in zip(found, pool.imap(survives, found, chunksize=8), strict=True) if left]
    for mutant in alive:
        print(f"survives: r4/{mutant.file} {mutant.where}: {mutant.what}")
    score = 1 - len(alive) / len(found)
    print(
        f"{len(found) - len(alive)} of {len(found)} mutants fail a case ({score:.1%}), {time.monotonic() - started:.0f} s"
    )
    return 0 if score >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
