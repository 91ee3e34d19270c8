"""The FHIR words that all packages share: code systems, canonicals, codings, dates, JSON.

JSON numbers are read as Decimal so that 70.50 stays 70.50; a repeated key is refused.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

Resource = dict[str, Any]

SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CVX = "http://hl7.org/fhir/sid/cvx"
ATC = "http://www.whocc.no/atc"
UCUM = "http://unitsofmeasure.org"

CORE = "http://hl7.org/fhir/StructureDefinition"
THO = "http://terminology.hl7.org/CodeSystem"


def canonical(base: str, resource_type: str, identifier: str) -> str:
    """The canonical URL base/Type/id (AP-64, PK-04)."""
    return f"{base}/{resource_type}/{identifier}"


def coding(system: str, code: str, display: str = "") -> dict[str, str]:
    """A Coding; display is left out when empty."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: dict[str, str], text: str = "") -> dict[str, Any]:
    """A CodeableConcept of codings, of text, or of both."""
    result: dict[str, Any] = {}
    if codings:
        result["coding"] = list(codings)
    if text:
        result["text"] = text
    return result


def fhirpath_string(text: str) -> str:
    """A text as a FHIRPath literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def extension(url: str, **value: Any) -> dict[str, Any]:
    """An Extension with one value[x], or with nested extensions given as `extension=[…]`."""
    nested = {"extension": value.pop("extension")} if "extension" in value else {}
    return nested | {"url": url} | value


def extensions(element: dict[str, Any], url: str) -> list[dict[str, Any]]:
    """All extensions of an element with this url."""
    return [item for item in element.get("extension", ()) if item.get("url") == url]


def extension_value(element: dict[str, Any], url: str) -> Any:
    """The value[x] of the first extension with this url, or None."""
    for item in extensions(element, url):
        for name, value in item.items():
            if name.startswith("value"):
                return value
    return None


def as_list(value: Any) -> list[Any]:
    """A list for an element that may come as one object, as a list, or not at all."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def reference_to(resource: Resource) -> str:
    """The relative reference Type/id of a resource."""
    return f"{resource.get('resourceType')}/{resource.get('id', '')}"


class RepeatedKey(ValueError):
    """A JSON object names the same key twice, so that its meaning is not known."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise RepeatedKey(f"the key {', '.join(twice)} stands twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def loads(text: str | bytes) -> Any:
    """JSON in UTF-8 with decimals kept exactly; repeated keys, NaN and halves of characters are refused.

    Raises ValueError, and RecursionError for endless nesting.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    read = json.loads(text, parse_float=_decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    if _SURROGATE.search(text):  # half of a character, if its other half is not there: no UTF-8 can be made of it
        json.dumps(read, ensure_ascii=False, default=str).encode()
    return read


def quoting_nothing(error: Exception) -> str:
    """What is wrong with a text that is no JSON, without a word of it."""
    if isinstance(error, RepeatedKey):
        return "a key stands twice in one object"
    return "half of a character stands alone" if isinstance(error, UnicodeEncodeError) else str(error)


def _decimal(text: str) -> Decimal:
    """A number that is no integer; one of more digits or places than any measurement has is none (ValueError)."""
    too_long = f"a number of more than {MOST_DIGITS} digits"
    if len(text) > MOST_DIGITS:
        raise ValueError(too_long)
    try:
        value = Decimal(text)
    except InvalidOperation as error:  # an exponent beyond what a Decimal can hold
        raise ValueError(too_long) from error
    if abs(value.adjusted()) > MOST_DIGITS:
        raise ValueError(too_long)
    return value


MOST_DIGITS = 100
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def dumps(resource: Any) -> str:
    """The committed form of a resource: 2-space indent, UTF-8, final newline."""
    return json.dumps(resource, ensure_ascii=False, indent=2, default=_plain) + "\n"


def compact(value: Any, by_name: bool = False) -> str:
    """JSON in one line; `by_name` sorts the keys, so that their order does not count in a hash."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=by_name, default=_plain)


_WORD = re.compile(r"[A-Za-z0-9]+")


def camel(*names: str) -> str:
    """camelCase of kebab-case names: ('plasma-exchange', 'draft') -> 'plasmaExchangeDraft'."""
    words: Iterable[str] = _WORD.findall(" ".join(names))
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined[:1].lower() + joined[1:]
