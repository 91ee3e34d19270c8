"""Units -> EvidenceVariable (R5): whom a unit is about, what is done, against what, and what came of it.

A population holds exactly the unit's `population` criteria, never the occasion, in the very expressions of the
plan; its inputs stand in a contained Library, so that the resource can be run by itself. Units of one topic with
the same population share it; its id is that of the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.authoring.artefacts import artefact, local
from ivig_fhir.authoring.condition_criteria import capital
from ivig_fhir.authoring.criteria import Compiled, compile_criterion
from ivig_fhir.authoring.editions import expression_name
from ivig_fhir.authoring.guidance import Criterion, Guidance, Topic, Unit
from ivig_fhir.authoring.needs import Needs
from ivig_fhir.authoring.presence import present_input
from ivig_fhir.fhir import CORE, THO, Resource, canonical, coding, concept, extension
from ivig_fhir.problems import problem

FHIRPATH, QUERY = "text/fhirpath", "text/x-fhir-query"
INPUTS = "inputs"
POPULATION, EXPOSURE, COMPARATOR, OUTCOME = "population", "exposure", "referenceExposure", "measuredVariable"
_UNCONFIRMED = ("unconfirmed", "provisional", "differential", "refuted", "entered-in-error")
_SEARCH = {"code": "code", "severity": "severity", "clinicalStatus": "clinical-status"}
_OWN_WORDS = ("notice", "process", "caution")
_LONGEST_SLUG = 50

Roles = dict[str, dict[str, str]]  # unit id -> variable role -> id of its EvidenceVariable


def evidence_variables(guidance: Guidance) -> tuple[list[Resource], Roles]:
    """Every EvidenceVariable, and which one plays which role for which unit. Raises Problem('guidance')."""
    made = _Variables(guidance)
    for topic in guidance.topics:
        for unit in topic.units:
            made.of_unit(unit, topic)
    return list(made.resources.values()), made.roles


def speaks_of_evidence(unit: Unit) -> bool:
    """Whether a unit is rated, gives a figure, or speaks of a population in a source's words, not the module's own."""
    return bool(unit.ratings or unit.figures or (unit.population and unit.kind not in _OWN_WORDS))


def canonical_of(guidance: Guidance, identifier: str) -> str:
    """The versioned canonical of an EvidenceVariable."""
    return f"{canonical(guidance.module.base, 'EvidenceVariable', identifier)}|{guidance.module.version}"


@dataclass
class _Variables:
    guidance: Guidance
    resources: dict[str, Resource] = field(default_factory=dict)
    roles: Roles = field(default_factory=dict)
    populations: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of_unit(self, unit: Unit, topic: Topic) -> None:
        found: dict[str, str] = {}
        if unit.population:
            found[POPULATION] = self.population(unit, topic)
        if speaks_of_evidence(unit):
            found |= self.roles_of_evidence(unit, topic)
        self.roles[unit.id] = found

    def roles_of_evidence(self, unit: Unit, topic: Topic) -> dict[str, str]:
        found = {
            role: self.exposure(text, unit)
            for role, text in ((EXPOSURE, unit.intervention), (COMPARATOR, unit.comparison))
            if text and not text.startswith("(")  # in parentheses: no intervention, only a subject
        }
        outcomes = [name for name in unit.statements if self.guidance.statements[name].kind == "prognosis"]
        return found | ({OUTCOME: self.outcome(unit, topic, outcomes)} if outcomes else {})

    def add(self, identifier: str, title: str, description: str, **more: Any) -> str:
        resource = artefact(self.guidance.module, ("EvidenceVariable", identifier), title, description, **more)
        self.resources[identifier] = resource
        return identifier

    def population(self, unit: Unit, topic: Topic) -> str:
        needs = Needs(self.guidance)
        parts = [_characteristic(item, name, needs, unit.where) for name, item in _criteria(unit, self.guidance)]
        key = (topic.id, str(parts))
        if key not in self.populations:
            root = parts[0] if len(parts) == 1 else _combined("all-of", parts)
            reads = "; and ".join(str(part["description"]) for part in parts)
            title = f"{topic.title}: whom “{unit.title}” is about"
            self.populations[key] = self.add(f"{unit.id}-population", title, f"{reads}.", **_membership([root]))
            identifier = self.populations[key]
            self.resources[identifier] = _with_inputs(self.resources[identifier], needs)
        return self.populations[key]

    def exposure(self, text: str, unit: Unit) -> str:
        identifier = f"{_slug(text)}-{EXPOSURE}"
        if self.resources.get(identifier, {}).get("title", capital(text)) != capital(text):
            raise problem("guidance", unit.where, f"{text!r} has the id of another intervention", hint="other words")
        description = f"The intervention that guidance units name so: {text}."
        said = [{"definitionCodeableConcept": concept(text=text)}]
        return self.add(identifier, capital(text), description, **_membership(said))

    def outcome(self, unit: Unit, topic: Topic, statements: list[str]) -> str:
        system = local(self.guidance.module, "ivig-statement")
        parts = [
            {
                "linkId": name,
                "definitionCodeableConcept": concept(coding(system, name), text=self.guidance.statements[name].says),
            }
            for name in statements
        ]
        reported = [f"{self.guidance.statements[name].says} [{name}]" for name in statements]
        title = f"{topic.title}: outcome reported under “{unit.title}”"
        root = parts[0] if len(parts) == 1 else _combined("dataset", parts)
        return self.add(f"{unit.id}-outcome", title, " ".join(reported), characteristic=[root])


def _criteria(unit: Unit, guidance: Guidance) -> list[tuple[str, Criterion]]:
    """The criteria that the unit's population names, in the order of `when`."""
    known = [(compile_criterion(item, Needs(guidance)).id, item) for item in unit.when]
    missing = [name for name in unit.population if name not in dict(known)]
    if missing:
        allowed = ", ".join(name for name, _ in known)
        raise problem("guidance", unit.where, f"population: {', '.join(missing)} is no criterion of `when`", allowed)
    return [(name, item) for name, item in known if name in unit.population]


def _characteristic(criterion: Criterion, link: str, needs: Needs, where: str) -> dict[str, Any]:
    try:
        compiled = compile_criterion(criterion, needs)
    except (KeyError, ValueError) as error:
        raise problem("guidance", where, str(error)) from error
    said = {"linkId": link, "description": capital(compiled.reads)}
    for key, code in (("all", "all-of"), ("any", "any-of")):
        if key in criterion:
            items = enumerate(criterion[key], 1)
            return said | _combined(
                code, [_characteristic(item, f"{link}.{number}", needs, where) for number, item in items]
            )
    return said | {"definitionExpression": _expression(compiled, link, needs)}


def _membership(characteristics: list[dict[str, Any]]) -> dict[str, Any]:
    """A variable that a person meets or does not meet."""
    return {"characteristic": characteristics, "handling": "dichotomous"}


def _combined(code: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"definitionByCombination": {"code": code, "characteristic": parts}}


def _expression(compiled: Compiled, link: str, needs: Needs) -> dict[str, Any]:
    """The plan's own FHIRPath; beside it a query, where it asks for a Condition."""
    text = compiled.expression.text
    found: dict[str, Any] = {}
    requirement = needs.requirements.get(present_input(text), {})
    if requirement.get("type") == "Condition":
        query = {"language": QUERY, "expression": _query(requirement)}
        found["extension"] = [extension(f"{CORE}/cqf-alternativeExpression", valueExpression=query)]
    if "." not in link:
        found["name"] = expression_name(link)
    return found | {"language": FHIRPATH, "expression": text}


def _query(requirement: dict[str, Any]) -> str:
    """The search that finds what asserts the condition; what is in doubt is not searched for."""
    parts = []
    for part in requirement["codeFilter"]:
        if part["path"] == "verificationStatus":  # not stated counts as confirmed, which only :not can say
            parts += [f"verification-status:not={code}" for code in _UNCONFIRMED]
        elif "valueSet" in part:
            # no |version: servers read what stands behind :in as a plain address
            parts.append(f"{_SEARCH[part['path']]}:in={part['valueSet'].partition('|')[0]}")
        else:
            parts.append(f"{_SEARCH[part['path']]}={','.join(item['code'] for item in part['code'])}")
    return f"{requirement['type']}?{'&'.join(parts)}"


def _with_inputs(variable: Resource, needs: Needs) -> Resource:
    """The variable with the data requirements that its expressions name, as a contained Library."""
    library = {
        "resourceType": "Library",
        "id": INPUTS,
        "status": "draft",
        "type": concept(coding(f"{THO}/library-type", "module-definition", "Module Definition")),
        "dataRequirement": [needs.requirements[name] for name in sorted(needs.requirements)],
    }
    head = {key: variable[key] for key in ("resourceType", "id")}
    uses = extension(f"{CORE}/cqf-library", valueCanonical=f"#{INPUTS}")
    return head | {"contained": [library], "extension": [uses]} | variable


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower().replace("+", " plus "))
    slug = ""
    for word in words:
        longer = f"{slug}-{word}" if slug else word
        if len(longer) > _LONGEST_SLUG:
            break
        slug = longer
    return slug
