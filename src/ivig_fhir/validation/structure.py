"""The structure layer: which elements may stand where, and what their values look like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from ivig_fhir.validation.elements import R4, R4B, R5, VERSIONS, Element, Table, table
from ivig_fhir.validation.findings import Fault, Path
from ivig_fhir.validation.nodes import Artefact, Node
from ivig_fhir.validation.primitives import PRIMITIVES, json_name
from ivig_fhir.validation.rules import Check, layer

rule = layer("structure")


@rule("not-fhir")
def no_resource(artefact: Artefact) -> Iterable[Fault]:
    """The JSON is no FHIR resource: no object with a resourceType."""
    seen = f"no resourceType in {json_name(artefact.document.data)}"
    return [artefact.fault(seen=seen, allowed="a FHIR resource, Bundle, NDJSON or package")]


@rule("other-json", "information")
def other_json(artefact: Artefact) -> Iterable[Fault]:
    """A JSON file met in a folder is no FHIR resource, so that nothing in it was checked but its JSON."""
    return [artefact.fault(seen=f"no resourceType in {json_name(artefact.document.data)}")]


@rule("unknown-type")
def unknown_type(artefact: Artefact) -> Iterable[Fault]:
    """The version has no resource type of that name. Names are case-sensitive, and R5 renamed some of R4's."""
    others = [other for other in (R4, R4B, R5) if table(artefact.type, other)]
    hint = f"a resource of {' and '.join(others)}: --fhir-version {VERSIONS[others[-1]]}" if others else ""
    seen = f'the resource type "{artefact.type}"'
    return [artefact.fault("resourceType", seen=seen, allowed=f"a type of {artefact.version}", hint=hint)]


@rule("unknown-element")
def unknown_element(node: Node, key: str, allowed: Table) -> Iterable[Fault]:
    """The type has no element of that name in this version: a misspelling, a wrong level, or another version's."""
    near = get_close_matches(key.lstrip("_"), allowed.elements, 3, 0.75)
    other = R5 if node.artefact.version != R5 else R4
    elsewhere = table(node.type, other)
    hint = f"an element of {other}" if elsewhere and key.lstrip("_") in elsewhere.elements else ""
    names = near or sorted(allowed.elements)
    yield node.fault(key, seen=f'the element "{key}" in {node.type}', allowed=", ".join(names), hint=hint)


@rule("required-element")
def required_element(node: Node, expected: Table) -> Iterator[Fault]:
    """An element that the type requires is absent (a primitive may be replaced by an extension on _name)."""
    for name in sorted(expected.required):
        if name not in node.value and f"_{name}" not in node.value:
            yield node.fault(seen=f"{node.type} without {name}", allowed=_wanted(expected.elements[name]))
    for choice in sorted(expected.required_choices):
        members = expected.choices[choice]
        if not any(name in node.value or f"_{name}" in node.value for name in members):
            yield node.fault(seen=f"{node.type} without {choice}[x]", allowed=f"one of {', '.join(members)}")


def _wanted(element: Element) -> str:
    return f"{element.name}: {', '.join(sorted(element.codes)) or element.type}"


@rule("choice-single")
def single_choice(node: Node, expected: Table) -> Iterator[Fault]:
    """A choice element such as value[x] stands with more than one type; it has one value."""
    for choice, members in expected.choices.items():
        present = [name for name in members if name in node.value]
        if len(present) > 1:
            yield node.fault(present[1], seen=f"{' and '.join(present)} together", allowed=f"one {choice}[x]")


@rule("element-list")
def list_expected(node: Node, element: Element, value: Any) -> Iterable[Fault]:
    """An element that repeats is always an array in JSON, also when it stands once."""
    seen = f"{json_name(value)} for {element.name}"
    return [node.fault(element.name, seen=seen, allowed=f"an array of {element.type}", hint="put it into [ ]")]


@rule("element-single")
def single_expected(node: Node, element: Element, value: Any) -> Iterable[Fault]:
    """An element that stands at most once is no array in JSON."""
    seen = f"{json_name(value)} for {element.name}"
    return [node.fault(element.name, seen=seen, allowed=f"one {element.type}", hint="take it out of [ ]")]


@rule("array-empty")
def empty_array(node: Node, key: str) -> Iterable[Fault]:
    """An array in FHIR JSON is never empty: an element without value is left out."""
    seen = f"an empty array for {key}"
    return [node.fault(key, seen=seen, allowed="at least one item", hint="leave the element out")]


@rule("object-empty")
def empty_object(node: Node, path: Path) -> Iterable[Fault]:
    """An object in FHIR JSON is never empty (ele-1): it has a value, children or an extension."""
    return [node.fault(*path, seen="an empty object", allowed="at least one member", hint="leave the element out")]


@rule("value-null")
def null_value(node: Node, path: Path) -> Iterable[Fault]:
    """null stands in FHIR JSON only in arrays of primitives, where the other array has the extension."""
    return [node.fault(*path, seen="null", allowed="a value", hint="leave the element out")]


@rule("value-type")
def wrong_json_type(node: Node, path: Path, element: Element, value: Any) -> Iterable[Fault]:
    """A value has the wrong JSON type: "true" for true, "7" for 7, 7 for "7", or text where an object belongs."""
    primitive = PRIMITIVES.get(element.type)
    allowed = f"{element.type}: {primitive.form}" if primitive else f"an object of type {element.type}"
    return [node.fault(*path, seen=json_name(value), allowed=allowed)]


@rule("required-binding")
def code_outside_binding(node: Node, path: Path, element: Element, value: Any) -> Iterable[Fault]:
    """A code is none of those that the element's required binding allows. Codes are case-sensitive."""
    near = get_close_matches(str(value), element.codes, 1, 0.6)
    hint = f'"{near[0]}"?' if near else ""
    return [node.fault(*path, seen=json_name(value), allowed=", ".join(sorted(element.codes)), hint=hint)]


@rule("primitive-extension")
def misplaced_extension(node: Node, key: str, value: Any) -> Iterable[Fault]:
    """_name carries id and extension of the primitive element name: an object, or for a list an array of its length."""
    allowed = f"an object with id or extension, in the form of {key[1:]}"
    return [node.fault(key, seen=json_name(value), allowed=allowed)]


def _form(identifier: str, explanation: str) -> None:
    def check(node: Node, path: Path, element: Element, value: Any) -> Iterable[Fault]:
        return [node.fault(*path, seen=json_name(value), allowed=f"{element.type}: {PRIMITIVES[element.type].form}")]

    check.__doc__ = explanation
    FORMS[identifier] = rule(identifier)(check)


FORMS: dict[str, Check] = {}
_form("number-form", "A number is out of the range of its type, or no whole number where one belongs.")
_form("string-form", "A text is empty, blank, or longer than 1 MB.")
_form("uri-form", "A URI, URL, canonical, OID or UUID holds a space or is not of its form.")
_form("code-form", "A code has a space at an end, two in a row, or is empty.")
_form("id-form", "An id has 1 to 64 characters out of A-Z, a-z, 0-9, - and the dot.")
_form("date-form", "A date, dateTime, instant or time is not of its form, or not in the calendar. Times have a zone.")
_form("base64-form", "The content is not base64 (RFC 4648).")
