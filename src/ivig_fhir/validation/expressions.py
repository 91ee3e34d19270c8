"""The expressions layer: FHIRPath that can be read, in the grammar that is executed, over inputs that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ivig_fhir.knowledge.grammar import parse, parse_priority
from ivig_fhir.knowledge.syntax import Node as Tree
from ivig_fhir.knowledge.syntax import variables
from ivig_fhir.knowledge.tokens import NotInGrammar
from ivig_fhir.validation.elements import R5
from ivig_fhir.validation.fhirpath import FUNCTIONS, NotFhirPath, read
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import has, items, text, texts
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.primitives import shortened
from ivig_fhir.validation.rules import layer

rule = layer("expressions")

FHIRPATH = "text/fhirpath"
# AP-41: the codes of R4, R4B and R5, and the two spellings with a dot that content also uses.
LANGUAGES = {
    *(FHIRPATH, "text/cql", "text/cql-identifier", "text/cql-expression", "text/cql.identifier", "text/cql.expression"),
    *("application/x-fhir-query", "text/x-fhir-query"),
}
# The variables of $apply (AP-43), and those that FHIR itself gives to every expression.
GIVEN = {
    *("subject", "encounter", "practitioner", "organization", "userType", "userLanguage", "userTaskContext"),
    *("setting", "settingContext", "context", "resource", "rootResource", "ucum", "sct", "loinc", "action", "patient"),
}
_PATH = re.compile(
    r"resolve\(\)|extension\((['\"])[^'\"]*\1\)|ofType\([A-Za-z.]+\)|%?[A-Za-z][A-Za-z0-9]*|\$this|\[\d+\]|\."
)
_DEFINE = re.compile(r'(?:(?:[A-Za-z_][A-Za-z0-9_]*|"[^"]+")\.)?(?:[A-Za-z_][A-Za-z0-9_]*|"[^"]+"|[A-Za-z][\w ]*)')
_PRIORITY = "%action.priority"
_WITH_LIBRARY = {"PlanDefinition", "ActivityDefinition", "Measure", "ResearchDefinition"}


def _fhirpath(node: Node) -> str:
    return text(node.value, "expression") if node.value.get("language") == FHIRPATH else ""


def _is_condition(node: Node) -> bool:
    return node.above is not None and node.above.type.endswith("ActionCondition")


def _is_priority(node: Node) -> bool:
    return node.above is not None and node.above.value.get("path") == _PRIORITY


def _tree(node: Node) -> Tree | None:
    found = _fhirpath(node)
    if not found or not (_is_condition(node) or _is_priority(node)):
        return None
    return _parsed(found, _is_priority(node))


@lru_cache(maxsize=4096)
def _parsed(found: str, is_priority: bool) -> Tree:
    return parse_priority(found) if is_priority else parse(found)


@rule("fhirpath-syntax", on=("Expression", "ElementDefinitionConstraint"))
def expression_is_fhirpath(node: Node) -> Iterator[Fault]:
    """The expression is no FHIRPath (http://hl7.org/fhirpath): a bracket, a quote, an operator or an operand is
    missing or out of place."""
    found = text(node.value, "expression") if node.type != "Expression" else _fhirpath(node)
    try:
        if found:
            read(found)
    except NotFhirPath as refused:
        seen = f"{refused.seen} at character {refused.position} of {shortened(found)}"
        yield node.fault("expression", seen=seen, allowed=refused.allowed)


@rule("fhirpath-function", "warning", on="Expression")
def function_exists(node: Node) -> Iterator[Fault]:
    """The expression calls a function that neither FHIRPath nor FHIR has. It may be one of a certain engine, or a
    misspelling."""
    try:
        unknown = sorted(read(_fhirpath(node)).functions - FUNCTIONS) if _fhirpath(node) else ()
    except NotFhirPath:
        return
    for name in unknown:
        yield node.fault("expression", seen=f"the function {name}()")


@rule("fhirpath-grammar", on="Expression", elsewhere="warning")
def expression_in_grammar(node: Node) -> Iterator[Fault]:
    """A condition is a sentence of the FHIRPath grammar that this module executes (docs/decisions/0003). Elsewhere
    it may be good FHIRPath for another engine, so that there it is a warning. What is no FHIRPath at all is left to
    fhirpath-syntax."""
    try:
        _tree(node)
    except NotInGrammar as refused:
        if not _is_fhirpath(node):
            return
        seen = f"{refused.seen} at character {refused.position} of {shortened(_fhirpath(node))}"
        yield node.fault("expression", seen=seen, allowed=refused.allowed, hint=refused.hint)


def _is_fhirpath(node: Node) -> bool:
    try:
        read(_fhirpath(node))
    except NotFhirPath:
        return False
    return True


@rule("fhirpath-variable", on="Expression", elsewhere="warning")
def variable_is_input(node: Node) -> Iterator[Fault]:
    """A %variable of a condition is the id of an input of its action, of an action above it, or one that $apply
    gives (AP-43). In FHIRPath an unknown variable is an error, not an empty list."""
    if not (_is_condition(node) or _is_priority(node)) or not _fhirpath(node):
        return
    try:
        tree = _tree(node)
        named = set(variables(tree))
    except NotInGrammar:
        try:
            named = {name for name in read(_fhirpath(node)).variables if not name.startswith(("vs-", "ext-"))}
        except NotFhirPath:
            return
    for name in sorted(named - GIVEN - _inputs(node)):
        yield node.fault("expression", seen=f"%{name}", allowed="the id of an input of the action")


def _inputs(node: Node) -> set[str]:
    found: set[str] = set()
    above = node.above
    while above is not None:
        for item in items(above.value, "input"):
            wrapped = item.get("requirement")
            found |= {text(item, "id"), text(wrapped, "id") if isinstance(wrapped, dict) else ""}
        above = above.above
    return found


@rule("expression-language", "warning", on="Expression")
def language_is_known(node: Node) -> Iterator[Fault]:
    """The language of the expression is none that FHIR names (AP-41), or R5 content names it as R4 did."""
    language = text(node.value, "language")
    if language and language not in LANGUAGES:
        yield node.fault("language", seen=language, allowed=", ".join(sorted(LANGUAGES)))
    elif node.artefact.version == R5 and language == "application/x-fhir-query":
        yield node.fault("language", seen=language, allowed="text/x-fhir-query")


@rule("expression-library", "warning", on="Expression")
def define_has_library(node: Node) -> Iterator[Fault]:
    """A text/cql-identifier names a define of a library (AP-42), so that the definition must reference one; with
    several libraries the name is qualified: Library."Define"."""
    if text(node.value, "language") not in ("text/cql-identifier", "text/cql.identifier"):
        return
    found = text(node.value, "expression")
    root = node.root
    libraries = texts(root, "library") or texts(root, "cqlLibrary")
    if found and not _DEFINE.fullmatch(found):
        yield node.fault("expression", seen=shortened(found), allowed='Define, "A Define" or Library."A Define"')
    elif not libraries and not text(node.value, "reference") and node.artefact.type in _WITH_LIBRARY:
        yield node.fault("expression", seen=f"{found}, without a library", allowed="library, or reference")
    elif len(libraries) > 1 and "." not in found and not text(node.value, "reference"):
        yield node.fault("expression", seen=f"{found}, with {len(libraries)} libraries", allowed='Library."Define"')


@rule("expression-missing", on="Expression")
def language_given(node: Node) -> Iterator[Fault]:
    """An Expression with text says its language: R5 allows to leave it out, but no engine can then run it (AP-47)."""
    if has(node.value, "expression") and not has(node.value, "language") and node.artefact.version == R5:
        yield node.fault(seen="an expression without language", allowed=", ".join(sorted(LANGUAGES)))


@rule(
    "dynamic-value-path",
    elsewhere="warning",
    on=("PlanDefinitionActionDynamicValue", "ActivityDefinitionDynamicValue"),
)
def path_is_simple(node: Node) -> Iterator[Fault]:
    """A dynamicValue says which element it sets, in the simple FHIRPath that only goes down a path: names, [n],
    resolve(), extension('url'), ofType(X) (AP-33, AP-36)."""
    path = text(node.value, "path")
    if not path and not has(node.value, "path"):
        yield node.fault(seen="a dynamicValue without path", allowed="path: the element to set")
    elif path and "".join(match.group() for match in _PATH.finditer(path)) != path:
        yield node.fault("path", seen=path, allowed="names, [n], resolve(), extension('url'), ofType(X)")
