"""The tokens of the fixed FHIRPath grammar, and how a text is refused that is no sentence of it."""

from __future__ import annotations

import re
from dataclasses import dataclass


class NotInGrammar(ValueError):
    """The text is no sentence of the grammar; `position` counts characters from 1."""

    def __init__(self, position: int, seen: str, allowed: str, hint: str = "") -> None:
        super().__init__(f"character {position}: {seen}")
        self.position, self.seen, self.allowed, self.hint = position, seen, allowed, hint


_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z][A-Za-z0-9]*)|(?P<variable>%[A-Za-z][A-Za-z0-9]*)|(?P<string>'[^'\\]*')"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<op><=|>=|!=|[=<>])|(?P<mark>[(){}.,-]))"
)
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class Token:
    """A name, variable, string, number, operator or mark, or the end; `position` counts characters from 1."""

    kind: str
    text: str
    position: int


def tokens(text: str) -> list[Token]:
    """The tokens of a text, the end last. Raises NotInGrammar."""
    found: list[Token] = []
    at = 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if at == len(text):
            return [*found, Token("end", "the end", at + 1)]
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotInGrammar(at + 1, f"{text[at]!r}", "a name, %variable, 'text', number, operator or bracket")
        kind = str(match.lastgroup)
        found.append(Token(kind, match.group(kind), at + 1))
        at = match.end()
