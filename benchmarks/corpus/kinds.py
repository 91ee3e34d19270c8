"""The kinds of fault that mutants have, one change each."""

from __future__ import annotations

import re

from places import (
    ROOT,
    Kind,
    Place,
    a_list,
    a_string,
    added,
    an_object,
    constant,
    either,
    named,
    removed,
    renamed,
    within,
)

_DATES = ("date", "lastReviewDate", "approvalDate", "start", "end", "publicationDate", "period")
_CANONICALS = ("url", "valueSet", "library", "definitionCanonical", "derivedFrom", "system", "targetProfile")
_CODES = (
    "status",
    "kind",
    "type",
    "relationship",
    "use",
    "operator",
    "content",
    "code",
    "language",
    "combinationMethod",
)


def _is_date(place: Place) -> bool:
    return isinstance(place.value, str) and bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}([T].*)?", place.value))


def _is_number(place: Place) -> bool:
    return isinstance(place.value, (int, float)) and not isinstance(place.value, bool)


def _is_flag(place: Place) -> bool:
    return isinstance(place.value, bool)


def _scalar(place: Place) -> bool:
    return a_string(place) and isinstance(place.key, str) and not str(place.key).startswith("_")


def _text_of(place: Place) -> bool:
    return place.key == "div" and isinstance(place.value, str)


def _replaced(old: str, new: str):
    return lambda place: place.put(place.value.replace(old, new, 1))


def _suffixed(place: Place) -> bool:
    return bool(re.fullmatch(r"(value|subject|timing|effective|definition|occurrence|product)[A-Z]\w+", str(place.key)))


def _second_choice(place: Place) -> None:
    stem = re.match(r"[a-z]+", str(place.key))
    name = f"{stem[0] if stem else ''}String"
    other = "valueBoolean" if name == place.key else name
    place.holder[other] = True if other.endswith("Boolean") else "x"


def _padded(before: str, after: str):
    return lambda place: place.put(before + place.value + after)


def _doubled(place: Place) -> None:
    place.holder.append(place.value)


def _contained(**more: object):
    def change(place: Place) -> None:
        resource = {"resourceType": "Basic", "id": "one", "code": {"text": "x"}} | more
        place.holder.setdefault("contained", []).append(resource)

    return change


KINDS = (
    # structure
    Kind("unknown-element", ROOT, added("colour", "red")),
    Kind("unknown-element-within", an_object, added("colour", "red")),
    Kind(
        "element-misspelt", lambda p: isinstance(p.key, str) and p.key not in ("id", "div"), renamed(lambda k: k + "s")
    ),
    Kind("element-in-capitals", lambda p: isinstance(p.key, str), renamed(lambda k: k[:1].upper() + k[1:])),
    Kind("list-for-one", _scalar, lambda p: p.put([p.value])),
    Kind("one-for-list", lambda p: a_list(p) and len(p.value) > 0, lambda p: p.put(p.value[0])),
    Kind("object-for-string", a_string, constant({"value": "x"})),
    Kind("string-for-object", an_object, constant("x")),
    Kind("number-for-string", a_string, constant(7)),
    Kind("flag-for-string", a_string, constant(True)),
    Kind("empty-list", a_list, constant([])),
    Kind("empty-object", an_object, constant({})),
    Kind("empty-string", a_string, constant("")),
    Kind("blank-string", a_string, constant("  ")),
    Kind("null", lambda p: isinstance(p.key, str), constant(None)),
    Kind("null-in-list", a_list, lambda p: p.value.append(None)),
    Kind("number-as-string", _is_number, lambda p: p.put(str(p.value))),
    Kind("flag-as-string", _is_flag, lambda p: p.put(str(p.value).lower())),
    Kind(
        "fraction-for-integer",
        named("total", "offset", "version", "max", "min", "maxLength", "rank", kind=int),
        constant(1.5),
    ),
    Kind("negative-count", named("total", "offset", "min", "count", kind=int), constant(-1)),
    Kind("status-missing", lambda p: p.path == ("status",), removed),
    Kind(
        "url-of-extension-missing", lambda p: p.above in ("extension", "modifierExtension") and p.key == "url", removed
    ),
    Kind(
        "required-part-missing",
        either(
            within("relatedArtifact", "type"),
            within("condition", "kind"),
            within("relatedAction", "relationship"),
            within("concept", "code"),
            within("entry", "resource"),
            within("contact", "system"),
            within("resource", "reference"),
            within("useContext", "code"),
            within("filter", "op"),
            within("element", "path"),
            within("citedArtifact", "webLocation"),
            within("dataRequirement", "type"),
        ),
        removed,
    ),
    Kind("type-missing", ROOT, lambda p: p.holder.pop("resourceType")),
    Kind("type-unknown", ROOT, lambda p: p.holder.update(resourceType=p.holder["resourceType"] + "x")),
    Kind("two-choices", _suffixed, _second_choice),
    Kind("choice-without-type", _suffixed, renamed(lambda k: re.match(r"[a-z]+", k)[0])),
    Kind("choice-of-no-type", _suffixed, renamed(lambda k: re.match(r"[a-z]+", k)[0] + "Colour")),
    Kind("underscore-no-object", _scalar, lambda p: p.holder.update({f"_{p.key}": "x"})),
    Kind(
        "repeated-id",
        lambda p: an_object(p) and isinstance(p.key, int),
        lambda p: p.holder.append(dict(p.value, id="a b")),
    ),
    # formats
    Kind("id-with-space", lambda p: p.path == ("id",), constant("a b")),
    Kind("id-too-long", lambda p: p.path == ("id",), constant("a" * 65)),
    Kind("month-13", _is_date, lambda p: p.put("2016-13-01")),
    Kind("february-30", _is_date, lambda p: p.put("2016-02-30")),
    Kind("date-with-slashes", _is_date, lambda p: p.put("2016/01/02")),
    Kind("date-in-words", either(_is_date, named("date", kind=str)), constant("yesterday")),
    Kind("time-without-zone", _is_date, lambda p: p.put("2016-01-02T03:04:05")),
    Kind("instant-as-date", named("lastUpdated", kind=str), constant("2015-01")),
    Kind("uri-with-space", named(*_CANONICALS, kind=str), _padded("", " x")),
    Kind("code-with-space-before", named("status", "kind", "relationship", "op", kind=str), _padded(" ", "")),
    Kind("code-with-two-spaces", named("status", "kind", "relationship", "op", kind=str), _padded("", "  x")),
    Kind("base64-bad", lambda p: p.key == "data" and isinstance(p.value, str), _padded("", "*")),
    Kind("oid-bad", named("value", "url", kind=str), constant("urn:oid:1.x")),
    Kind("uuid-bad", named("value", "url", kind=str), constant("urn:uuid:12")),
    Kind("language-bad", lambda p: p.path == ("url",), lambda p: p.holder.update(language="e n")),
    Kind("control-character", named("title", "description", "name", "display", kind=str), _padded("", "\u0001")),
    # bindings
    Kind("status-of-no-list", lambda p: p.path == ("status",), constant("approved")),
    Kind(
        "code-of-no-list",
        lambda p: p.key in _CODES and isinstance(p.value, str) and len(p.path) > 1,
        constant("nonsense"),
    ),
    Kind("related-artifact-of-no-type", within("relatedArtifact", "type"), constant("reads")),
    Kind("contact-of-no-system", within("telecom", "system"), constant("pigeon")),
    Kind("narrative-of-no-status", within("text", "status"), constant("handmade")),
    Kind("subject-of-wrong-case", named("status", kind=str), lambda p: p.put(p.value.upper())),
    # invariants
    Kind("narrative-with-script", _text_of, _replaced("</div>", "<script>x()</script></div>")),
    Kind("narrative-with-handler", _text_of, _replaced("<div", '<div onclick="x()"')),
    Kind("narrative-without-namespace", _text_of, _replaced(' xmlns="http://www.w3.org/1999/xhtml"', "")),
    Kind("narrative-not-closed", _text_of, _replaced("</div>", "")),
    Kind("narrative-empty", _text_of, constant('<div xmlns="http://www.w3.org/1999/xhtml"></div>')),
    Kind("narrative-without-div", within("text", "div"), removed),
    Kind(
        "extension-of-both",
        lambda p: p.above == "extension" and isinstance(p.value, dict) and "url" in p.value,
        added("extension", [{"url": "x", "valueString": "x"}]),
    ),
    Kind("extension-of-nothing", ROOT, added("extension", [{"url": "http://example.org/fhir/x"}])),
    Kind(
        "period-reversed",
        named("effectivePeriod", "period", kind=dict),
        constant({"start": "2020-01-02", "end": "2019-01-02"}),
    ),
    Kind("contained-unreferenced", ROOT, _contained()),
    Kind(
        "contained-within-contained",
        ROOT,
        _contained(contained=[{"resourceType": "Basic", "id": "two", "code": {"text": "x"}}]),
    ),
    Kind("contained-with-version", ROOT, _contained(meta={"versionId": "1"})),
    Kind("contained-without-id", ROOT, _contained(id="")),
    Kind("reference-to-nothing-contained", named("reference", kind=str), constant("#nowhere")),
    Kind("reference-to-wrong-type", named("reference", kind=str), constant("Slot/1")),
    Kind(
        "quantity-code-without-system",
        lambda p: p.key == "system" and isinstance(p.holder, dict) and {"value", "code"} <= p.holder.keys(),
        removed,
    ),
    Kind("value-set-of-nothing", lambda p: p.above == "include" and p.key == "system", removed),
    Kind(
        "include-by-concept-and-filter",
        lambda p: p.name == "include" and isinstance(p.value, dict) and "concept" in p.value,
        added("filter", [{"property": "concept", "op": "is-a", "value": "x"}]),
    ),
    Kind("code-twice", lambda p: p.name == "concept" and isinstance(p.key, int), _doubled),
    Kind(
        "expression-of-nothing",
        lambda p: p.name in ("expression", "valueExpression") and isinstance(p.value, dict),
        constant({"language": "text/cql"}),
    ),
    Kind(
        "filter-by-path-and-parameter",
        lambda p: p.name == "codeFilter" and isinstance(p.value, dict),
        lambda p: p.value.update(path="code", searchParam="code"),
    ),
    Kind("attachment-without-type", within("content", "contentType"), removed),
    Kind(
        "entry-of-nothing",
        lambda p: p.name == "entry" and isinstance(p.value, dict),
        constant({"fullUrl": "http://example.org/fhir/x/1"}),
    ),
    Kind("entry-twice", lambda p: p.name == "entry" and isinstance(p.key, int), _doubled),
    Kind(
        "request-in-collection",
        lambda p: p.name == "entry" and isinstance(p.value, dict),
        added("request", {"method": "GET", "url": "Patient"}),
    ),
    Kind(
        "total-in-collection",
        ROOT,
        lambda p: p.holder.update(total=3) if p.holder["resourceType"] == "Bundle" else p.holder.update(colour=1),
    ),
    Kind("snapshot-without-root", lambda p: p.above == "snapshot" and p.key == "element", lambda p: p.put(p.value[1:])),
    Kind("element-path-of-other-type", lambda p: p.above == "element" and p.key == "path", constant("Other.thing")),
    Kind(
        "trigger-of-two",
        lambda p: p.name == "trigger" and isinstance(p.value, dict),
        lambda p: p.value.update(timingDate="2020-01-01", name="x", data=[{"type": "Patient"}]),
    ),
)
