"""The module as a Library: what it consists of, and the queries with which an EHR feeds it (AP-92)."""

from __future__ import annotations

from typing import Any

from ivig_fhir.authoring.artefacts import artefact
from ivig_fhir.authoring.guidance import Guidance, Prefetch
from ivig_fhir.authoring.value_sets import system_url, value_set_canonical
from ivig_fhir.fhir import CORE, THO, Resource, coding, concept, extension
from ivig_fhir.problems import Issue, Outcome, Problem

LONGEST_QUERY = 1800
_ENCODED = {"|": "%7C", ":": "%3A", "/": "%2F", ",": "%2C"}


def module_library(guidance: Guidance, composed_of: list[Resource]) -> Resource:
    """The module-definition Library; its data requirements are the prefetch table, id = key."""
    module = guidance.module
    parts = [{"type": "composed-of", "resource": f"{item['url']}|{item['version']}"} for item in composed_of]
    return artefact(
        module,
        ("Library", module.id),
        module.title,
        module.description,
        before_date={"type": concept(coding(f"{THO}/library-type", "module-definition", "Module Definition"))},
        usage=module.disclaimer,
        relatedArtifact=parts,
        dataRequirement=[_requirement(item, guidance) for item in module.prefetch],
    )


def _requirement(item: Prefetch, guidance: Guidance) -> dict[str, Any]:
    query = item.query.replace("{codes}", _code_parameter(item, guidance))
    if _percent_encoded_length(query) > LONGEST_QUERY:
        message = f"the query of {item.key!r} has {_percent_encoded_length(query)} characters, percent-encoded"
        raise Problem("guidance", Outcome((Issue("guidance/module.yaml", message, f"at most {LONGEST_QUERY}"),)))
    found: dict[str, Any] = {
        "id": item.key,
        "extension": [extension(f"{CORE}/cqf-fhirQueryPattern", valueString=query)],
        "type": item.type,
    }
    if item.required:
        found["mustSupport"] = ["id"]
    if item.codes:
        found["codeFilter"] = [
            {"path": "code", "valueSet": value_set_canonical(guidance.module, name)} for name in item.codes
        ]
    if item.count:
        found["limit"] = int(item.count)
    return found


def _code_parameter(item: Prefetch, guidance: Guidance) -> str:
    return ",".join(
        f"{system_url(code.system, guidance)}|{code.code}"
        for name in item.codes
        for code in guidance.concepts[name].codes
    )


def _percent_encoded_length(query: str) -> int:
    return sum(len(_ENCODED.get(character, character)) for character in query)
