"""Line and column of places in JSON text: one pass of a small scanner, run only over files with findings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ivig_fhir.validation.findings import Path

_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(slots=True)
class _Open:
    """An object or array whose end has not been reached; `due` is the path of the value to come, if known."""

    path: Path
    index: int | None
    due: Path | None


def _key(token: str) -> str:
    def plain(found: re.Match[str]) -> str:
        mark = found.group(1)
        return chr(int(mark[1:], 16)) if len(mark) == 5 else _PLAIN.get(mark, mark)

    return _ESCAPE.sub(plain, token[1:-1]) if "\\" in token else token[1:-1]


def places(text: str) -> Iterator[tuple[Path, int]]:
    """(path, offset) of the root, of every member (at its key) and item (at its value). Expects valid JSON."""
    stack = [_Open((), None, ())]
    for match in _TOKEN.finditer(text):
        mark, here = match.group(), stack[-1]
        if mark in "}]":
            stack.pop()
        elif mark == ",":
            if here.index is None:
                here.due = None
            else:
                here.index += 1
        elif mark == ":":
            continue
        elif here.index is None and here.due is None:
            here.due = (*here.path, _key(mark))
            yield here.due, match.start()
        else:
            path = (*here.path, here.index) if here.index is not None else here.due or ()
            if here.index is not None or not path:
                yield path, match.start()
            if mark in "{[":
                stack.append(_Open(path, 0 if mark == "[" else None, None))


def offsets(text: str, wanted: Iterable[Path]) -> dict[Path, int]:
    """The offset of each wanted place; the nearest place above it where the text has no such place."""
    missing = {path[:end] for path in wanted for end in range(len(path) + 1)}
    found: dict[Path, int] = {}
    for path, offset in places(text):
        if path in missing:
            missing.discard(path)
            found[path] = offset
            if not missing:
                break
    return {path: next(found[path[:end]] for end in range(len(path), -1, -1) if path[:end] in found) for path in wanted}


def repeated(text: str) -> Iterator[tuple[Path, int]]:
    """(path, offset) of every key that its object has had before."""
    seen: set[Path] = set()
    for path, offset in places(text):
        if path in seen:
            yield path, offset
        seen.add(path)


class Lines:
    """Offsets to lines and columns, both from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        """(line, column) of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
