"""JSON text to Documents: what cannot be read becomes a Finding, and the rest goes on."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ivig_fhir.validation.findings import Finding
from ivig_fhir.validation.positions import Lines, repeated
from ivig_fhir.validation.primitives import shortened
from ivig_fhir.validation.rules import RULES, Check, layer

rule = layer("json")

MOST_DEPTH = 100
UTF8_MARK = codecs.BOM_UTF8
_OTHER_MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_NO_NUMBER = re.compile(r"\b(NaN|-?Infinity)\b")


@dataclass(eq=False, slots=True)
class Document:
    """A JSON text that was read: a file, a line of NDJSON, a member of a package.

    `group` names what it came with (folder, package): there versions agree. `stated` is the FHIR version that a
    package.json beside it states. `first_line` is its line in the file. `checked` is false for files that only
    resolve links, `named` true for a file that was asked for, not met in a folder. `escapes`: the text writes
    characters below U+0100 as \\u00…, the only way in which JSON can hold control characters.
    """

    file: str
    text: str
    data: Any
    group: str = ""
    stated: str = ""
    first_line: int = 1
    checked: bool = True
    escapes: bool = False
    named: bool = False


def read(file: str, content: bytes, findings: list[Finding], first_line: int = 1) -> Document | None:
    """The Document of a text; None when it is no JSON. What is wrong with it is added to `findings`."""
    text = _decoded(file, content, findings)
    if text is None:
        return None
    flags: list[str] = []
    try:
        data = _parsed(text, flags)
        too_deep = _deeper_than(data, MOST_DEPTH)
    except json.JSONDecodeError as error:
        line = error.lineno + first_line - 1
        findings.append(reported(not_json, file, _syntax(error), line=line, column=error.colno))
        return None
    except RecursionError:  # far deeper, in some versions of Python
        data, too_deep = None, True
    except ValueError as error:
        findings.append(reported(not_a_number, file, f"a number that cannot be read: {error}"))
        return None
    if too_deep:
        findings.append(reported(nested_too_deep, file, f"objects within objects past {MOST_DEPTH} levels"))
        return None
    document = Document(file, text, data, first_line=first_line, escapes="\\u00" in text)
    findings.extend(_flagged(document, flags))
    return document


def _parsed(text: str, flags: list[str]) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            flags.append("repeated")
        return found

    def constant(name: str) -> Decimal:
        flags.append(name)
        return Decimal("NaN")

    return json.loads(text, parse_float=Decimal, parse_constant=constant, object_pairs_hook=unique)


def _deeper_than(data: Any, levels: int) -> bool:
    """Whether objects and arrays stand in one another at more levels; level by level, however deep it goes."""
    level = [data]
    for _ in range(levels):
        level = [value for item in level if isinstance(item, (dict, list)) for value in _held(item)]
    return bool(level)


def _held(item: dict[str, Any] | list[Any]) -> list[Any]:
    return [value for value in (item.values() if isinstance(item, dict) else item) if isinstance(value, (dict, list))]


def _flagged(document: Document, flags: list[str]) -> Iterator[Finding]:
    if not flags:
        return
    lines = Lines(document.text)
    if "repeated" in flags:
        for path, offset in repeated(document.text):
            line, column = lines.at(offset)
            seen = f'the key "{path[-1]}" a second time in one object'
            line += document.first_line - 1
            yield reported(repeated_key, document.file, seen, line=line, column=column)
    for match in _NO_NUMBER.finditer(document.text) if set(flags) - {"repeated"} else ():
        line, column = lines.at(match.start())
        yield reported(
            not_a_number, document.file, match.group(), "a number", line=line + document.first_line - 1, column=column
        )


def _decoded(file: str, content: bytes, findings: list[Finding]) -> str | None:
    for mark, name in _OTHER_MARKS.items():
        if content.startswith(mark):
            findings.append(reported(not_utf8, file, f"text in {name}"))
            return None
    if content.startswith(UTF8_MARK):
        findings.append(reported(byte_order_mark, file, "a byte order mark before the JSON", line=1, column=1))
        content = content[len(UTF8_MARK) :]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        byte = f"the byte 0x{content[error.start]:02x}, which is not UTF-8"
        findings.append(reported(not_utf8, file, byte, line=line, column=column))
        return None


def _syntax(error: json.JSONDecodeError) -> str:
    near = shortened(error.doc[error.pos : error.pos + 24], 24) or "the end"
    return f"{error.msg}, near {near if near.isprintable() else ascii(near)}"


def reported(check: Check, file: str, seen: str, allowed: str = "", line: int = 0, column: int = 0) -> Finding:
    """A finding of a rule that looks at files, given as its function."""
    found = next(item for item in RULES.values() if item.check is check)
    return Finding(found.id, found.severity, file, seen, allowed, line=line, column=column)


@rule("json-syntax")
def not_json() -> None:
    """The text is no JSON (RFC 8259). Often a comma too many or too few, a single quote, or a comment."""


@rule("json-duplicate-key")
def repeated_key() -> None:
    """An object names a key twice. Readers keep the first, the last or neither, so its meaning is not known."""


@rule("json-number")
def not_a_number() -> None:
    """NaN and Infinity are no JSON numbers, and a number must be short enough to be read."""


@rule("json-depth")
def nested_too_deep() -> None:
    """Objects stand in objects more than 100 deep. Many readers stop there; no FHIR resource needs it."""


@rule("json-encoding")
def not_utf8() -> None:
    """FHIR JSON is UTF-8. A file in another encoding is not read; save it as UTF-8 without byte order mark."""


@rule("json-bom", "warning")
def byte_order_mark() -> None:
    """A byte order mark stands before the JSON. RFC 8259 forbids writing one, and some readers stop at it."""
