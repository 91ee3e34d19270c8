"""Where each definition comes from: file and line of guidance/."""

from __future__ import annotations

from ivig_fhir.authoring.evidence_variables import Roles
from ivig_fhir.authoring.guidance import Guidance

_CODE_SYSTEMS = {
    "source": "sources.yaml",
    "statement": "statements/",
    "conflict": "conflicts.yaml",
    "newer": "newer.yaml",
    "regimen": "regimens.yaml",
    "hint": "hints.yaml",
    "phrase": "phrases.yaml",
    "direction": "phrases.yaml",
    "scales": "concepts/",
    "topic": "topics/",
    "unit-kind": "topics/",
    "shown-how": "topics/",
    "reader": "topics/",
    "rating-kind": "topics/",
    "ask-reason": "topics/",
}
MODULE = "guidance/module.yaml"


def origins(guidance: Guidance, roles: Roles) -> dict[str, str]:
    """Resource name -> file:line of guidance/; what is not named here comes from module.yaml."""
    found = {f"PlanDefinition-{topic.id}": topic.where for topic in guidance.topics}
    found |= {f"ValueSet-{item.id}": item.where for item in guidance.concepts.values()}
    found |= {f"ActivityDefinition-{name}": "guidance/activities.yaml" for name in guidance.activities}
    for name, home in _CODE_SYSTEMS.items():
        found |= {f"{kind}-ivig-{name}": f"guidance/{home}" for kind in ("CodeSystem", "ValueSet")}
    for topic in guidance.topics:
        for unit in topic.units:
            found[f"Evidence-{unit.id}"] = unit.where
            for variable in roles[unit.id].values():
                found.setdefault(f"EvidenceVariable-{variable}", unit.where)
    found |= {f"Citation-{name}": "guidance/newer.yaml" for name in guidance.newer_sources}
    for source in guidance.sources.values():
        found[f"Citation-{source.id}"] = "guidance/sources.yaml"
        found |= {f"Citation-{source.id}-ref-{item.marker}": "guidance/sources.yaml" for item in source.references}
    return found
