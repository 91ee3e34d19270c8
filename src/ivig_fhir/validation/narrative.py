"""Narratives: XHTML that can be shown safely (txt-1, txt-2)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from xml.parsers import expat

from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import rule, text
from ivig_fhir.validation.nodes import Node

_NAMESPACE = "http://www.w3.org/1999/xhtml"
_ALLOWED = frozenset(
    [
        *("p", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "a", "span", "b", "em", "i", "strong", "small", "big"),
        *("tt", "dfn", "q", "var", "abbr", "acronym", "cite", "blockquote", "hr", "address", "bdo", "kbd", "sub"),
        *("sup", "ul", "ol", "li", "dl", "dt", "dd", "pre", "table", "caption", "colgroup", "col", "thead", "tr"),
        *("tfoot", "tbody", "th", "td", "code", "samp", "img", "map", "area", "u", "s", "strike", "ins", "del"),
    ]
)
_EVERYWHERE = {"title", "style", "class", "id", "lang", "dir", "accesskey", "tabindex", "xml:lang", "xml:space"}
_IN_TABLES = {
    *("span", "width", "align", "valign", "char", "charoff", "abbr", "axis", "headers", "scope", "rowspan", "colspan"),
    *("summary", "border", "frame", "rules", "cellspacing", "cellpadding", "nowrap", "height", "bgcolor"),
}
_OF_ELEMENT = {
    "a": {"href", "name", "charset", "type", "hreflang", "rel", "rev", "shape", "coords", "target"},
    "img": {"src", "alt", "longdesc", "height", "width", "usemap", "ismap", "border"},
    "area": {"shape", "coords", "href", "nohref", "alt"},
    "map": {"name"},
    "blockquote": {"cite"},
    "q": {"cite"},
    "del": {"cite", "datetime"},
    "ins": {"cite", "datetime"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
    "hr": {"width", "size", "noshade"},
}
_SHOWN_WITHOUT_TEXT = {"img", "hr"}


class _Reader:
    """What a div holds: elements outside the allowed ones, attributes that act, and whether anything shows."""

    def __init__(self) -> None:
        self.depth = 0
        self.root = ""
        self.wrong: list[str] = []
        self.shows = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self.root = self.root or name
        if namespace != _NAMESPACE or local not in _ALLOWED:
            self.wrong.append(
                f"<{local}>" if namespace == _NAMESPACE else f"<{local}> of {namespace or 'no namespace'}"
            )
        for attribute, value in attributes.items():
            shown = attribute.replace("http://www.w3.org/XML/1998/namespace ", "xml:")
            known = shown in _EVERYWHERE or shown in _IN_TABLES or shown in _OF_ELEMENT.get(local, ())
            if not known or value.strip().lower().startswith("javascript:"):
                self.wrong.append(f"the attribute {shown} of <{local}>")
        self.shows = self.shows or local in _SHOWN_WITHOUT_TEXT

    def characters(self, data: str) -> None:
        self.shows = self.shows or not data.isspace()

    def refuse(self, *_: object) -> None:
        self.wrong.append("a document type")


@lru_cache(maxsize=2)
def _read(div: str) -> _Reader | str:
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(div, True)
    except expat.ExpatError as error:
        return str(error)
    return reader


@rule("txt-1", on="Narrative")
def narrative_is_xhtml(node: Node) -> Iterator[Fault]:
    """A narrative is one well-formed XHTML div in its namespace, with elements for text, lists, tables, links and
    images only: no script, form, frame, object, no event attribute, no document type, no named entity."""
    div = text(node.value, "div")
    found = _read(div) if div else None
    if isinstance(found, str):
        hint = "named entities such as &nbsp; are not XML: write the character" if "entity" in found else ""
        yield node.fault("div", seen=f"no well-formed XHTML: {found}", hint=hint)
    elif found is not None:
        if found.root != f"{_NAMESPACE} div":
            seen = f"<{found.root.rpartition(' ')[2]}> as the root"
            yield node.fault("div", seen=seen, allowed=f'<div xmlns="{_NAMESPACE}">')
        for wrong in dict.fromkeys(found.wrong):
            yield node.fault("div", seen=wrong, allowed="text, lists, tables, links, images")


@rule("txt-2", on="Narrative")
def narrative_shows_something(node: Node) -> Iterator[Fault]:
    """A narrative shows something: text or an image."""
    div = text(node.value, "div")
    found = _read(div) if div else None
    if isinstance(found, _Reader) and not found.shows:
        yield node.fault("div", seen="a narrative without text or image")
