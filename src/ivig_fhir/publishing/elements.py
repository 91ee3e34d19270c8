"""Members of FHIR elements that may be anything: content is exported and compared before anybody has validated it.

What has another form than FHIR gives it counts as absent here; the resource itself is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Element = dict[str, Any]


def parts(element: Element, name: str) -> list[Element]:
    """The objects of a member, whether it is one or a list of them."""
    value = element.get(name)
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def part(element: Element, name: str) -> Element:
    """The object of a member; empty where there is none."""
    return next(iter(parts(element, name)), {})


def strings(element: Element, name: str) -> list[str]:
    """The strings of a member, whether it is one or a list of them."""
    value = element.get(name)
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def string(element: Element, name: str) -> str:
    """The string of a member; empty where there is none."""
    return next(iter(strings(element, name)), "")


def codes(element: Element, name: str) -> list[str]:
    """The codes of a CodeableConcept, or of several."""
    return [string(coding, "code") for concept in parts(element, name) for coding in parts(concept, "coding")]


def value_of(element: Element) -> Any:
    """The value[x] of an element, or None."""
    return next((element[name] for name in element if name.startswith("value")), None)


def extension_of(element: Element, url: str) -> Any:
    """The value[x] of the first extension with this url, or None."""
    return next((value_of(item) for item in parts(element, "extension") if item.get("url") == url), None)


def texts(value: Any) -> Iterator[str]:
    """Every string of a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def objects(value: Any) -> Iterator[Element]:
    """Every object of a value, at any depth."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)
