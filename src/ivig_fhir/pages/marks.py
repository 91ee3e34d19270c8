"""How a direction looks: a shape and a letter beside its colour, so that it reads in black and white.

The direction, and the word for it, come from the definitions; an unknown direction gets the neutral look.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivig_fhir.knowledge.content import Content

# direction of CodeSystem ivig-direction -> shape (a symbol of templates/symbols.svg) and letter
_LOOKS = {
    "for": ("circle", "F"),
    "against": ("octagon", "A"),
    "equivalent": ("square", "E"),
    "insufficient-evidence": ("diamond", "?"),
    "poor-response": ("triangle", "P"),
}
_NEUTRAL = ("frame", "i")


@dataclass(frozen=True)
class Mark:
    """A direction with its word, shape and letter."""

    direction: str
    word: str
    shape: str
    letter: str


def mark(direction: str, content: Content) -> Mark:
    """The mark of a direction."""
    word = content.directions[direction].display if direction in content.directions else direction
    return Mark(direction, word, *_LOOKS.get(direction, _NEUTRAL))


def legend(content: Content, used: set[str]) -> list[Mark]:
    """The marks of the directions that are used, in the order of the code system."""
    return [mark(direction, content) for direction in content.directions if direction in used]
