"""The forms of FHIR's primitive types; R4 and R5 agree on them, and integer64 is R5's alone."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive type: the JSON it is written in, whether a value has its form, that form in words, its rule."""

    json: tuple[type, ...]
    fits: Callable[[Any], object]
    form: str
    rule: str


_DAY = r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_PART = r"(?!0000)\d{4}(?:-(?:0[1-9]|1[0-2]))?"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_DATE = re.compile(rf"{_DAY}|{_PART}", re.ASCII)
_DATE_TIME = re.compile(rf"{_DAY}(?:T{_CLOCK}{_ZONE})?|{_PART}", re.ASCII)
_INSTANT = re.compile(rf"{_DAY}T{_CLOCK}{_ZONE}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BASE64 = r"(?=\s*\S)(?:\s*[A-Za-z0-9+/]{4})*(?:\s*[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]=|==))?\s*"
_URI = re.compile(r"[^\s<>\"{}|\\^`]*(?:\|[^\s<>\"{}|\\^`]*)?")
LONGEST_STRING = 1024 * 1024


def _on_calendar(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    def fits(value: str) -> bool:
        if pattern.fullmatch(value) is None:
            return False
        day = value[8:10]
        return day <= "28" or int(day) <= monthrange(int(value[:4]), int(value[5:7]))[1]

    return fits


def _is_text(value: str) -> bool:
    return len(value) <= LONGEST_STRING and bool(value.strip(" \t\r\n"))


def _is_uri(value: str) -> bool:
    if value.startswith(("urn:uuid:", "urn:oid:")):
        pattern = _UUID if value.startswith("urn:uuid:") else _OID
        return re.fullmatch(pattern, value.partition("#")[0].partition("|")[0]) is not None
    return bool(value) and _URI.fullmatch(value) is not None


def _between(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


def _text(pattern: str, form: str, rule: str) -> Primitive:
    return Primitive((str,), re.compile(pattern, re.ASCII).fullmatch, form, rule)


_INT = 2**31 - 1
_STRING = Primitive((str,), _is_text, "text that is not empty, up to 1 MB", "string-form")
_ADDRESS = Primitive((str,), _is_uri, "a URI (RFC 3986), no spaces; urn:uuid: in lower case", "uri-form")
_CANONICAL = Primitive(
    (str,), lambda value: _is_uri(value) and not value.endswith("|"), "url, or url|version", "uri-form"
)
_OID = r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+"
_UUID = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

PRIMITIVES: dict[str, Primitive] = {
    "boolean": Primitive((bool,), lambda value: True, "true or false", "value-type"),
    "integer": Primitive((int,), _between(-_INT - 1, _INT), "a whole number of 32 bits", "number-form"),
    "unsignedInt": Primitive((int,), _between(0, _INT), "a whole number from 0", "number-form"),
    "positiveInt": Primitive((int,), _between(1, _INT), "a whole number from 1", "number-form"),
    "decimal": Primitive((int, Decimal), lambda value: Decimal(value).is_finite(), "a number", "number-form"),
    # FHIR writes 64-bit integers as JSON strings, which no 53-bit reader rounds.
    "integer64": _text(r"0|-?[1-9]\d{0,18}", "a whole number of 64 bits, as a JSON string", "number-form"),
    "string": _STRING,
    "markdown": _STRING,
    "xhtml": Primitive((str,), lambda value: bool(value) and not value.isspace(), "an XHTML <div>", "string-form"),
    "code": _text(r"\S+(?: \S+)*", "a code: no space at either end, single spaces between", "code-form"),
    "id": _text(r"[A-Za-z0-9.-]{1,64}", "1 to 64 of A-Z a-z 0-9 - .", "id-form"),
    "uri": _ADDRESS,
    "url": _ADDRESS,
    "canonical": _CANONICAL,
    "oid": _text(_OID, "urn:oid: and numbers with dots", "uri-form"),
    "uuid": _text(_UUID, "urn:uuid: and a UUID in lower case", "uri-form"),
    "date": Primitive((str,), _on_calendar(_DATE), "a date: 2026, 2026-11 or 2026-11-20", "date-form"),
    "dateTime": Primitive(
        (str,), _on_calendar(_DATE_TIME), "a date, or a date with time and zone: 2026-11-20T09:00:00Z", "date-form"
    ),
    "instant": Primitive((str,), _on_calendar(_INSTANT), "date, time and zone: 2026-11-20T09:00:00Z", "date-form"),
    "time": _text(_CLOCK, "a time of day: 09:00:00", "date-form"),
    "base64Binary": _text(_BASE64, "base64 (RFC 4648): groups of four, padded with =", "base64-form"),
}


def json_name(value: Any) -> str:
    """What a JSON value is, in words: 'the string \"1\"', 'null', 'an array of 2'."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{shortened(value)}"'
    return f"the number {value}"


def shortened(value: str, most: int = 60) -> str:
    """A text cut to what a report line can carry."""
    flat = " ".join(value.split()) if not value.isspace() else value
    return flat if len(flat) <= most else flat[: most - 1] + "…"
