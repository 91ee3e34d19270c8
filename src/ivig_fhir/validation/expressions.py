"""The expressions layer: conditions in text/fhirpath, and what they name."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.knowledge.grammar import NotInGrammar, parse, parse_priority
from ivig_fhir.knowledge.syntax import Node as Tree
from ivig_fhir.knowledge.syntax import variables
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.primitives import shortened
from ivig_fhir.validation.rules import layer

rule = layer("expressions")

FHIRPATH = "text/fhirpath"
# The variables of $apply (AP-43), and those that FHIR itself gives to every expression.
GIVEN = {
    *("subject", "encounter", "practitioner", "organization", "userType", "userLanguage", "userTaskContext"),
    *("setting", "settingContext", "context", "resource", "rootResource", "ucum", "sct", "loinc"),
}


def _text(node: Node) -> str:
    found = node.value.get("expression")
    is_fhirpath = node.value.get("language") == FHIRPATH
    return found if is_fhirpath and isinstance(found, str) else ""


def _is_condition(node: Node) -> bool:
    return node.above is not None and node.above.type.endswith("ActionCondition")


def _is_priority(node: Node) -> bool:
    return node.above is not None and node.above.value.get("path") == "%action.priority"


def _tree(node: Node) -> Tree | None:
    text = _text(node)
    if not text or not (_is_condition(node) or _is_priority(node)):
        return None
    return parse_priority(text) if _is_priority(node) else parse(text)


@rule("fhirpath-grammar", on="Expression", elsewhere="warning")
def expression_in_grammar(node: Node) -> Iterator[Fault]:
    """A condition is a sentence of the FHIRPath grammar that this module executes (docs/decisions/0003). Elsewhere
    it may be good FHIRPath for another engine, so that there it is a warning."""
    try:
        _tree(node)
    except NotInGrammar as refused:
        seen = f"{refused.seen} at character {refused.position} of {shortened(_text(node))}"
        yield node.fault("expression", seen=seen, allowed=refused.allowed, hint=refused.hint)


@rule("fhirpath-variable", on="Expression", elsewhere="warning")
def variable_is_input(node: Node) -> Iterator[Fault]:
    """A %variable of a condition is the id of an input of its action, of an action above it, or one that $apply
    gives (AP-43). In FHIRPath an unknown variable is an error, not an empty list."""
    try:
        tree = _tree(node)
    except NotInGrammar:
        return
    unknown = sorted(variables(tree) - GIVEN - _inputs(node)) if tree is not None else ()
    for name in unknown:
        yield node.fault("expression", seen=f"%{name}", allowed="the id of an input of the action")


def _inputs(node: Node) -> set[str]:
    found: set[str] = set()
    above = node.above
    while above is not None:
        for _, item in above.objects("input"):
            wrapped = item.get("requirement")
            requirement = wrapped if isinstance(wrapped, dict) else {}
            found |= {name for name in (item.get("id"), requirement.get("id")) if isinstance(name, str)}
        above = above.above
    return found
