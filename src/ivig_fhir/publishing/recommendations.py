"""docs/recommendations.md: per topic what a clinician would sign, out of the definitions alone."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.plans import OCCASION, Plan, Unit

_HEAD = """# Recommendations, as they would be signed

Generated from definitions/r4 by `make review`; do not edit. Content version {version}. Draft: nobody has signed.
Numbers marked † are declared defaults of the module, not of a source.
"""


def recommendations(content: Content) -> str:
    """The page, as Markdown."""
    parts = [_HEAD.format(version=content.version), *_sources(content)]
    for plan in content.plans:
        parts += _topic(plan, content)
    return "\n".join(parts) + "\n"


def _sources(content: Content) -> Iterator[str]:
    yield "## Sources\n"
    for name, word in content.sources.items():
        yield f"- **{name}** {word.one('title')} – {word.one('standing-says')}. {word.definition}"
    yield "\n## Declared defaults †\n"
    for item in content.definitions.read("CodeSystem", "ivig-default")["concept"]:
        yield f"- {item['display']}: {item['definition']}"
    yield ""


def _topic(plan: Plan, content: Content) -> Iterator[str]:
    yield f"## {plan.title}\n"
    yield f"{plan.says}\n"
    for unit in plan.units:
        yield from _unit(unit, content)


def _unit(unit: Unit, content: Content) -> Iterator[str]:
    yield f"### {unit.title}\n"
    direction = content.directions[unit.direction].display
    yield f"`{unit.id}` · {unit.kind} · {direction} · {unit.intervention} · {_shown(unit)}\n"
    yield f"> {unit.says}\n"
    if unit.patient:
        yield f"> *To patients:* {unit.patient}\n"
    for criterion in unit.criteria:
        label = "Speaks when" if criterion.id == OCCASION else "Applies when"
        asked = f" (asks: {criterion.asks.fact})" if criterion.asks else ""
        yield f"- {label}: {criterion.reads}{asked}"
    if unit.warning:
        yield f"- **Warns** while: {unit.warning.reads}"
    for rating in unit.ratings:
        yield f"- {rating.source} ({rating.kind}): “{rating.wording}” [{rating.statement}]"
    for name in unit.statements:
        yield f"- {name}: {content.statements[name].definition}"
    for name in unit.newer:
        word = content.newer[name]
        name = "Newer" if word.one("younger") else "Elsewhere"
        yield f"- {name} ({word.one('relation')}, {word.one('confidence')}): {word.definition}"
    for name in unit.conflicts:
        word = content.conflicts[name]
        yield f"- {name} ({word.one('class')}): {word.definition} *Handling:* {word.one('handling')}"
    if unit.yields_to:
        yield f"- Yields to: {', '.join(unit.yields_to)}"
    yield "- Signed: –\n"


def _shown(unit: Unit) -> str:
    hooks = ", ".join(sorted(unit.hooks)) or "no hook"
    reader = f", reader: {unit.reader}" if unit.reader else ""
    return f"{unit.how} ({hooks}{reader})"
