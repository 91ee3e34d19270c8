"""How a change is said: one sentence a fact, no longer than it takes to see the difference."""

from __future__ import annotations

import difflib
import re
from itertools import takewhile

from ivig_fhir.publishing.changes import model
from ivig_fhir.publishing.changes.model import Fact
from ivig_fhir.publishing.changes.reading import reading

_AROUND = 4  # words shown on each side of a difference
_MOST = 12  # words of a text from which on only the difference is shown
_MOST_PLACES = 3
_LONGEST_PIECE = 80  # characters of an expression
_LONGEST_TEXT = 300
_TOKEN = re.compile(r"%?\w+(?:-\w+)*|[<>=!]+|'[^']*'|[^\s\w]")
_MARKS = re.compile(r"\[[^\]]*\]|\bX-\d+\b|\bS\d-\d+\b")  # citations, which are no figures
_FIGURE = re.compile(r"(?<![A-Za-z\d.])\d+(?:[.,]\d+)*(?:\s?(?:%|†|[A-Za-zµ]+(?:/[A-Za-z]+)*))?")

# kind -> how a fact is added, removed, changed; {old} and {new} come quoted where they are texts
_SAID = {
    model.DIRECTION: ("{name}: none → {new}", "{name}: {old} → none", "{name}: {old} → {new}"),
    model.CRITERION: (
        'criterion added: {name} "{new}"',
        'criterion removed: {name} "{old}"',
        'criterion {name}: "{old}" → "{new}"',
    ),
    model.WARNING: ('warns while "{new}"', 'no longer warns while "{old}"', 'warns while: "{old}" → "{new}"'),
    model.CODE: ("code added: {name} “{new}”", "code removed: {name} “{old}”", "display of {name}: “{old}” → “{new}”"),
    model.INCLUDES: ("takes in {name}", "no longer takes in {name}", "{name}: {old} → {new}"),
    model.OCCASION: (
        'speaks only when "{new}"',
        'speaks whatever is ordered, before only when "{old}"',
        'speaks when: "{old}" → "{new}"',
    ),
    model.HOOK: ("speaks on {name}", "no longer speaks on {name}", "trigger {name} changed"),
    model.YIELDS: ("yields to {name}", "no longer yields to {name}", ""),
    model.RATING: (
        'rating added: {name} "{new}"',
        'rating removed: {name} "{old}"',
        'rating {name}: "{old}" → "{new}"',
    ),
    model.NEWER: (
        'newer evidence added: {name} "{new}"',
        'newer evidence removed: {name} "{old}"',
        '{name}: "{old}" → "{new}"',
    ),
    model.CONFLICT: (
        'conflict added: {name} "{new}"',
        'conflict removed: {name} "{old}"',
        '{name}: "{old}" → "{new}"',
    ),
    model.STATEMENT: ('cites {name} "{new}"', 'no longer cites {name} "{old}"', "{name}: {old} → {new}"),
    model.FIGURE: ("figure added: {name}: {new}", "figure removed: {name}: {old}", "figure in {name}: {old} → {new}"),
    model.TEXT: ('{name} added: "{new}"', '{name} removed: "{old}"', '{name}: "{old}" → "{new}"'),
}
_ELSE = ("{name}: none → {new}", "{name}: {old} → none", "{name}: {old} → {new}")


def said(old: Fact | None, new: Fact | None) -> tuple[str, str]:
    """(kind, sentence) of the difference between two facts of one name; one of them may be absent."""
    fact = new or old
    assert fact is not None  # noqa: S101 - the caller compares what at least one side has
    added, removed, changed = _SAID.get(fact.kind, _ELSE)
    if old is None or new is None:
        shown = _shortened(fact.shown, _LONGEST_TEXT)
        text = (added if new else removed).format(name=fact.name, old=shown, new=shown)
        return fact.kind, text.replace(' ""', "").replace(" “”", "").removesuffix(": ")
    if fact.kind == model.READS:
        return fact.kind, f"what {fact.name} reads: {reading(old.shown, new.shown)}"
    if old.shown == new.shown:
        return fact.kind, f"{_same_words(fact)}, in the same words: {expressions(old.exact, new.exact)}"
    figures = _figures(old.shown, new.shown)
    before, after = window(old.shown, new.shown)
    if figures and fact.kind in (model.TEXT, model.CONFLICT, model.NEWER):
        reworded = _FIGURE.sub("", old.shown) != _FIGURE.sub("", new.shown)
        words = f", in other words: “{before}” → “{after}”" if reworded else ""
        return model.FIGURE, f"figure in {fact.name}: {figures[0]} → {figures[1]}{words}"
    return fact.kind, changed.format(name=fact.name, old=before, new=after)


def _same_words(fact: Fact) -> str:
    words = {model.CRITERION: "criterion", model.OCCASION: "when it speaks", model.WARNING: "when it warns"}
    return f"{words.get(fact.kind, '')} {fact.name}".strip()


def expressions(old: str, new: str) -> str:
    """Where two FHIRPath expressions differ: the input before it, a token around, each difference once."""
    before, after = list(_TOKEN.finditer(old)), list(_TOKEN.finditer(new))
    words = [item.group() for item in before], [item.group() for item in after]
    found: dict[str, None] = {}
    for step, a, b, c, d in difflib.SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        if step != "equal":
            named = next((token for token in reversed(words[0][:a]) if token.startswith("%")), "")
            pieces = f"{_piece(old, before, a - 1, b)} → {_piece(new, after, c - 1, d)}"
            found[f"{named}: {pieces}" if named else pieces] = None
    shown = list(found)[:_MOST_PLACES]
    rest = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more places" if rest else "")


def _piece(text: str, tokens: list[re.Match[str]], first: int, last: int) -> str:
    """The text from one token to before another; of a long piece its ends."""
    part = tokens[max(0, first) : last]
    return _shortened(text[part[0].start() : part[-1].end()], _LONGEST_PIECE) if part else "nothing"


def window(old: str, new: str) -> tuple[str, str]:
    """The two texts; of long ones the words that differ with those around them."""
    before, after = old.split(), new.split()
    if max(len(before), len(after)) <= _MOST:
        return _shortened(old, _LONGEST_TEXT), _shortened(new, _LONGEST_TEXT)
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    backwards = zip(reversed(before[start:]), reversed(after[start:]), strict=False)
    end = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], backwards))
    first = max(0, start - _AROUND)

    def cut(words: list[str]) -> str:
        last = min(len(words), len(words) - end + _AROUND)
        text = " ".join(words[first:last])
        return _shortened(f"{'… ' if first else ''}{text}{' …' if last < len(words) else ''}", _LONGEST_TEXT)

    return cut(before), cut(after)


def _shortened(text: str, longest: int) -> str:
    """A text, or the two ends of a long one."""
    return text if len(text) <= longest else f"{text[: longest // 2]} … {text[-longest // 2 :]}"


def figures_of(text: str) -> list[str]:
    """The figures of a text with the word behind each, citations left out."""
    return [match.strip() for match in _FIGURE.findall(_MARKS.sub(" ", text))]


def _figures(old: str, new: str) -> tuple[str, str] | None:
    """The figures that only one of two texts has; nothing where both have the same numbers."""
    before, after = figures_of(old), figures_of(new)
    if sorted(map(_number, before)) == sorted(map(_number, after)):
        return None
    gone = _without(before, after)
    come = _without(after, before)
    return ", ".join(gone) or "none", ", ".join(come) or "none"


def _number(figure: str) -> str:
    match = re.match(r"[\d.,]+", figure)
    return match.group() if match else figure


def _without(figures: list[str], others: list[str]) -> list[str]:
    left = [_number(item) for item in others]
    found = []
    for item in figures:
        if _number(item) in left:
            left.remove(_number(item))
        else:
            found.append(item)
    return found
