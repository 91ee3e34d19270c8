"""guidance/ -> definitions/: the same bytes every time, and the check that the committed ones are those."""

from __future__ import annotations

import json
from pathlib import Path

from ivig_fhir.authoring.code_systems import code_systems
from ivig_fhir.authoring.guidance import Guidance
from ivig_fhir.authoring.library import module_library
from ivig_fhir.authoring.needs import Needs
from ivig_fhir.authoring.plans import INFORM, activity_definition, plan_definition
from ivig_fhir.authoring.value_sets import value_set
from ivig_fhir.fhir import Resource, dumps
from ivig_fhir.problems import Issue

Files = dict[str, bytes]


def compile_guidance(guidance: Guidance) -> Files:
    """Every file of definitions/ as path -> bytes. Raises Problem('guidance')."""
    needs = Needs(guidance)
    plans = [plan_definition(topic, guidance, needs) for topic in guidance.topics]
    units = [unit for topic in guidance.topics for unit in topic.units]
    wanted = {INFORM} | {unit.activity for unit in units if unit.activity}
    activities = [activity_definition(item, guidance) for name, item in guidance.activities.items() if name in wanted]
    sets = [value_set(guidance.concepts[name], guidance) for name in sorted(_reached(needs, guidance))]
    systems = code_systems(guidance)
    composed = [*plans, *activities, *sets, *systems]
    resources = [*composed, module_library(guidance, composed)]
    return _files("r4", resources, _origins(guidance))


def _reached(needs: Needs, guidance: Guidance) -> set[str]:
    reached: set[str] = set()
    waiting = [
        *needs.concepts,
        *guidance.read_beside,
        *(name for item in guidance.module.prefetch for name in item.codes),
    ]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += guidance.concepts[name].includes
    return reached


def _origins(guidance: Guidance) -> dict[str, str]:
    """Resource name -> file:line of guidance/ that it comes from."""
    found = {f"PlanDefinition-{topic.id}": topic.where for topic in guidance.topics}
    found |= {f"ValueSet-{item.id}": item.where for item in guidance.concepts.values()}
    found |= {f"ActivityDefinition-{name}": "guidance/activities.yaml" for name in guidance.activities}
    homes = {
        "source": "sources",
        "statement": "statements/",
        "conflict": "conflicts",
        "newer": "newer",
        "hint": "hints",
        "phrase": "phrases",
        "direction": "phrases",
        "scales": "concepts/",
        "topic": "topics/",
    }
    for name, home in homes.items():
        found[f"CodeSystem-ivig-{name}"] = f"guidance/{home}" + ("" if home.endswith("/") else ".yaml")
    return found


def _files(edition: str, resources: list[Resource], origins: dict[str, str]) -> Files:
    files: Files = {}
    index = []
    for resource in sorted(resources, key=lambda item: (item["resourceType"], item["id"])):
        name = f"{resource['resourceType']}-{resource['id']}"
        files[f"{edition}/{name}.json"] = dumps(resource).encode()
        index.append(
            {"file": f"{name}.json", "url": resource["url"], "from": origins.get(name, "guidance/module.yaml")}
        )
    files[f"{edition}/index.json"] = (json.dumps(index, ensure_ascii=False, indent=2) + "\n").encode()
    return files


def write(files: Files, folder: Path) -> None:
    """Make definitions/ hold exactly these files."""
    for issue in differences(files, folder):
        if issue.rule == "stray":
            (folder / issue.where).unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def differences(files: Files, folder: Path) -> list[Issue]:
    """An Issue for each stale, missing or stray file of definitions/."""
    issues = []
    for name, content in files.items():
        path = folder / name
        if not path.is_file():
            issues.append(Issue(name, "missing: guidance/ compiles to it", hint="ivig-fhir compile", rule="missing"))
        elif path.read_bytes() != content:
            issues.append(
                Issue(
                    name,
                    "stale: guidance/ compiles to other bytes",
                    hint="ivig-fhir compile; never edit definitions/ by hand",
                    rule="stale",
                )
            )
    present = (
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if folder.is_dir()
        else set()
    )
    issues += [
        Issue(name, "stray: nothing in guidance/ compiles to it", hint="ivig-fhir compile", rule="stray")
        for name in sorted(present - set(files))
    ]
    return issues
