"""guidance/ -> definitions/: the same bytes every time, and the check that the committed ones are those."""

from __future__ import annotations

from pathlib import Path

from ivig_fhir.authoring.citations import citations
from ivig_fhir.authoring.code_systems import code_systems
from ivig_fhir.authoring.editions import R4, R5, to_r5, with_subjects, with_version_algorithm
from ivig_fhir.authoring.evidence import evidence, leading_to_populations, subjects, without_subjects
from ivig_fhir.authoring.evidence_variable_r4 import to_r4
from ivig_fhir.authoring.evidence_variables import Roles, evidence_variables
from ivig_fhir.authoring.extension_definitions import extension_definitions
from ivig_fhir.authoring.guidance import Guidance
from ivig_fhir.authoring.implementation_guide import implementation_guide
from ivig_fhir.authoring.library import module_library
from ivig_fhir.authoring.losses import Loss, report
from ivig_fhir.authoring.needs import Needs
from ivig_fhir.authoring.notation import bound_value_sets, notation
from ivig_fhir.authoring.origins import MODULE, origins
from ivig_fhir.authoring.plans import INFORM, activity_definition, plan_definition
from ivig_fhir.authoring.value_sets import value_set
from ivig_fhir.fhir import Resource, dumps, reference_to
from ivig_fhir.problems import Issue

Files = dict[str, bytes]
_R5_ONLY = {
    "Evidence": ("RS-50", "not published in R4, where Evidence is another thing; ratings stand on the action"),
    "Citation": ("RS-60", "not published in R4, which has no Citation; sources stand in CodeSystem ivig-source"),
}
FOLDERS = {R4: "r4", R5: "r5"}  # FHIR version -> folder of definitions/


def compile_guidance(guidance: Guidance) -> Files:
    """Every file of definitions/ as path -> bytes. Raises Problem('guidance')."""
    variables, roles = evidence_variables(guidance)
    executed = _plans_and_vocabulary(guidance, roles)
    wrapped = [to_r5(item) for item in executed]
    flattened = [to_r4(item) for item in variables]
    alone = [*evidence(guidance, roles), *citations(guidance)]
    linked = subjects(guidance, roles)
    r5 = [with_subjects(item.resource, linked) for item in wrapped]
    editions = {
        R4: _whole(guidance, [*executed, *(item.resource for item in flattened)], R4),
        R5: _whole(guidance, [*r5, *variables, *alone], R5),
    }
    losses = [loss for item in (*wrapped, *flattened) for loss in item.losses]
    losses += [_unpublished(item) for item in alone] + without_subjects(guidance, roles)
    return _files(editions, origins(guidance, roles)) | {f"{FOLDERS[R4]}/losses.json": report(losses)}


def _plans_and_vocabulary(guidance: Guidance, roles: Roles) -> list[Resource]:
    """What is built and executed in R4."""
    needs = Needs(guidance)
    plans = [
        leading_to_populations(plan_definition(topic, guidance, needs), topic, guidance, roles)
        for topic in guidance.topics
    ]
    units = [unit for topic in guidance.topics for unit in topic.units]
    wanted = {INFORM} | {unit.activity for unit in units if unit.activity}
    activities = [activity_definition(item, guidance) for name, item in guidance.activities.items() if name in wanted]
    sets = [value_set(guidance.concepts[name], guidance) for name in sorted(_reached(needs, guidance))]
    systems = [*code_systems(guidance), *notation(guidance)]
    sets += bound_value_sets(guidance.module, systems)
    return [*plans, *activities, *sets, *systems, *extension_definitions(guidance.module)]


def _unpublished(item: Resource) -> Loss:
    rule, became = _R5_ONLY[item["resourceType"]]
    return Loss(reference_to(item), item["resourceType"], became, rule)


def _whole(guidance: Guidance, resources: list[Resource], version: str) -> list[Resource]:
    """The resources of an edition with the Library that composes them and the guide that lists them."""
    library = module_library(guidance, resources)
    listed = [*resources, library if version == R4 else to_r5(library).resource]
    whole = [*listed, implementation_guide(guidance.module, version, listed)]
    return whole if version == R4 else [with_version_algorithm(item) for item in whole]


def _reached(needs: Needs, guidance: Guidance) -> set[str]:
    reached: set[str] = set()
    waiting = [
        *needs.concepts,
        *guidance.read_beside,
        *(name for hint in guidance.hints.values() for name in hint.beside),
        *(name for item in guidance.module.prefetch for name in item.codes),
    ]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += guidance.concepts[name].includes
    return reached


def _files(editions: dict[str, list[Resource]], where: dict[str, str]) -> Files:
    """Each edition's folder with its index: file, url, where it comes from, and the editions that have it."""
    names = {version: {_name(item) for item in resources} for version, resources in editions.items()}
    files: Files = {}
    for version, resources in editions.items():
        index = []
        for resource in sorted(resources, key=lambda item: (item["resourceType"], item["id"])):
            name = _name(resource)
            files[f"{FOLDERS[version]}/{name}.json"] = dumps(resource).encode()
            known = [FOLDERS[other] for other in editions if name in names[other]]
            origin = where.get(name, MODULE)
            index.append({"file": f"{name}.json", "url": resource["url"], "from": origin, "editions": known})
        files[f"{FOLDERS[version]}/index.json"] = dumps(index).encode()
    return files


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}-{resource['id']}"


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
