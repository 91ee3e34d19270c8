"""Requests that are broken in one place or several: what a client, a proxy or somebody with bad intent may send."""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

import patients

GBS: dict[str, Any] = {
    "hook": "order-sign",
    "patient": {"born": "1971-05-17", "sex": "female"},
    "conditions": {
        "gbs": {"icd-10-cm": "G61.0", "onset": "2026-11-01"},
        "clot": {"icd-10-cm": "I26.99", "clinical": "resolved"},
        "named": {"text": "Miller Fisher syndrome"},
    },
    "medications": {
        "old": {"rxnorm": "8640", "route": "oral", "status": "stopped", "outcome": "no response", "date": "2026-01-02"},
    },
    "procedures": {"exchange": {"sct": "127788007", "date": "2026-11-02"}},
    "observations": {
        "weight": {"loinc": "29463-7", "value": 72.50, "unit": "kg", "date": "2026-11-10"},
        "grade": {"scale": "gbs-disability-scale", "value": 4, "date": "2026-11-10"},
        "igg": {"loinc": "2465-3", "value": 9.10, "unit": "g/L", "date": "2026-11-10"},
        "words": {"loinc": "39087-2", "value": "positive", "date": "2026-11-10"},
    },
    "allergies": {"ig": {"text": "immunoglobulin", "reaction": "urticaria"}},
    "orders": {
        "ivig": {
            "atc": "J06BA02",
            "route": "iv",
            "dose": {"value": 0.4, "unit": "g"},
            "reason": {"icd-10-cm": "G61.0"},
        },
        "exchange": {"type": "service", "sct": "127788007"},
        "named": {"medication-reference": "#m1"},
    },
}

# what stands where something else belongs
ODD: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, -0.0, "", " ", "x" * 300, "\u0000", "\u202e", "𝔘\U0001f600", [], {}, [None], [[]],
    [{}], {"a": None}, {"reference": "Patient/p1"}, {"coding": None}, {"coding": [None]}, {"coding": [{"system": 5, "code": []}]},
    {"coding": {"code": "active"}}, {"resourceType": "Bundle"}, {"resourceType": []}, {"value": "70", "unit": "kg"},
    {"value": 1e99, "code": "kg"}, {"start": 5}, "2026-13-45", "9999-12-31", "0000-00-00", "2026-11-1", "Patient/p2", "#", "#m1",
    "urn:uuid:x", "http://[", "http://a:b/", "Practitioner/", ["a", 1], {"text": {}}, {"text": "MMN?"}, {"end": {}},
]  # fmt: skip


def good_requests() -> list[dict[str, Any]]:
    """A request for each hook that makes much of the engine run."""
    return [
        patients.request(GBS | {"hook": hook})
        for hook in ("patient-view", "encounter-start", "order-select", "order-sign")
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def broken(request: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The request with something else, nothing, or too much in one to three places."""
    made = copy.deepcopy(request)
    for _ in range(chance.randint(1, 3)):
        *way, last = chance.choice(list(places(made)))
        parent = made
        for step in way:
            parent = parent[step]
        what = chance.random()
        if what < 0.15:
            del parent[last]
        elif what < 0.25 and isinstance(parent, list):
            parent.extend(copy.deepcopy(parent))
        elif what < 0.35:
            parent[last] = [parent[last]]
        else:
            parent[last] = copy.deepcopy(chance.choice(ODD))
        if not list(places(made)):
            break
    return made


def _nested(depth: int) -> bytes:
    inner = b'{"extension":' * depth + b"1" + b"}" * depth
    return b'{"hook":"order-sign","hookInstance":"x","context":' + inner + b"}"


def _within(text: bytes, number: bytes) -> bytes:
    return text.replace(b"72.5", number, 1)


def broken_bytes() -> list[tuple[str, bytes, dict[str, str]]]:
    """Bodies that are no JSON, or more than JSON; each with its name and further headers."""
    good = json.dumps(patients.request(GBS)).encode()
    whole = ("nothing", b"", {}), ("space", b" \n", {}), ("no JSON", b"hook=x", {}), ("cut", good[:-200], {})
    keys = b'{"hook":"order-sign",' + good[1:]
    return [
        *whole,
        ("more behind", good + good, {}),
        ("a list", b"[" + good + b"]", {}),
        ("a number", b"1", {}),
        ("a key twice", keys, {}),
        ("a key twice deep down", good.replace(b'"status": "final"', b'"status": "final", "status": "final"', 1), {}),
        *(
            (name.decode(), _within(good, name), {})
            for name in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e99999999999999999999", b"01", b"+1")
        ),
        ("digits", _within(good, b"7" * 5000), {}),
        ("places", _within(good, b"0." + b"7" * 5000), {}),
        ("nested", _nested(200_000), {}),
        ("nested below the limit", _nested(900), {}),
        ("a half character", good.replace(b'"ivig"', b'"\\ud800"', 1), {}),
        ("a half character in a key", good.replace(b'"hookInstance"', b'"x\\udfff": 1, "hookInstance"', 1), {}),
        ("a half character in bytes", good.replace(b'"ivig"', b'"\xed\xa0\x80"', 1), {}),
        ("no UTF-8", good.replace(b"Miller", b"\xff\xfe", 1), {}),
        ("UTF-16", good.decode().encode("utf-16"), {}),
        ("gzip", gzip.compress(good), {"Content-Encoding": "gzip"}),
        ("a gzip bomb", gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}),
        ("deflate", zlib.compress(good), {"Content-Encoding": "deflate"}),
        ("gzip unsaid", gzip.compress(good), {}),
        ("another charset", good.decode().encode("utf-16"), {"Content-Type": "application/json; charset=utf-16"}),
        ("text", good, {"Content-Type": "text/plain"}),
        ("no type", good, {"Content-Type": ""}),
        ("a form", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("parts", b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
        ("too large", b" " * 10_000_001, {}),
    ]
