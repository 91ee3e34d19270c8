"""Text of the definitions as HTML: Markdown without HTML, and the id of a statement or a conflict as a link."""

from __future__ import annotations

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markupsafe import Markup

from ivig_fhir.knowledge.content import Content

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_MARKDOWN.disable("image")  # a card may not make a reader's browser ask another host
_REFERENCE = re.compile(r"\b[A-Z]\d?-\d{2,3}\b")


def linked(text: str, content: Content, link: Callable[[str], str]) -> Markup:
    """A card's Markdown as HTML in which each id of a statement or a conflict leads to it, in a tab of its own."""
    parts = re.split(r"(<a .*?</a>|<[^>]+>)", _MARKDOWN.render(text), flags=re.DOTALL)
    anchor = _anchors(content, link, '<a class="ref" href="{}" target="_blank" rel="noopener">{}</a>')
    found = [part if part.startswith("<") else _REFERENCE.sub(anchor, part) for part in parts]
    return Markup("".join(found))  # noqa: S704 - markdown-it escapes, html is off


def cited(text: str, content: Content, link: Callable[[str], str]) -> Markup:
    """A sentence with each id of a statement or a conflict as a link, made by `link`."""
    anchor = _anchors(content, link, '<a class="ref" href="{}">{}</a>')
    return Markup(_REFERENCE.sub(anchor, _MARKDOWN.renderInline(text)))  # noqa: S704 - as above


def _anchors(content: Content, link: Callable[[str], str], form: str) -> Callable[[re.Match[str]], str]:
    """What stands for an id: a link of this form, or the text as it is where it is no id."""

    def anchor(found: re.Match[str]) -> str:
        name = found.group()
        known = name in content.statements or name in content.conflicts
        return str(Markup(form).format(link(name), name)) if known else name  # noqa: S704 - a form of ours

    return anchor


def references(text: str, content: Content) -> list[str]:
    """The ids of statements that a text names, in order."""
    return [name for name in dict.fromkeys(_REFERENCE.findall(text)) if name in content.statements]
