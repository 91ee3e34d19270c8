"""Content under another base: canonicals, local code systems and extensions move; what that breaks is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ivig_fhir.fhir import Resource, reference_to
from ivig_fhir.problems import problem
from ivig_fhir.publishing.edition import Edition

_ALLOWED = "an absolute http(s) URL without query, fragment, space or |, such as https://example.org/fhir"
_URL = re.compile(r"https?://[^\s|#?\"<>\\^`{}]+")


def checked_base(text: str) -> str:
    """A base URL without its final slashes. Raises Problem('malformed')."""
    base = text.rstrip("/")
    try:
        host = urlsplit(base).hostname
    except ValueError:
        host = None
    if not _URL.fullmatch(base) or not host:
        raise problem("malformed", "--base", f"is {text!r}", _ALLOWED)
    return base


def rebase(edition: Edition, base: str) -> Edition:
    """The edition with every URL under its base moved to another, wherever it stands in a text."""
    if base == edition.base:
        return edition
    pattern = re.compile(re.escape(edition.base) + r"(?=$|[/|#?\s\"'<),])")

    def moved(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub(lambda _: base, value)
        if isinstance(value, dict):
            return {key: moved(item) for key, item in value.items()}
        return [moved(item) for item in value] if isinstance(value, list) else value

    return Edition(edition.version, tuple(map(moved, edition.resources)))


def broken_contracts(edition: Edition, base: str) -> Iterator[str]:
    """What stops fitting when an edition moves to another base: one line a contract, with what it concerns."""
    if base == edition.base:
        return
    under = [item for item in edition.resources if str(item.get("url", "")).startswith(f"{edition.base}/")]
    yield f"{len(under)} canonicals leave {edition.base}: what refers to them from elsewhere no longer finds them"
    systems = [item for item in under if item["resourceType"] == "CodeSystem"]
    if systems:
        yield (
            f"codes of {_named(systems)} get another system: stored data, code maps and feedback that hold the old one "
            "no longer match (override reasons and card topics among them, where an EHR keeps them)"
        )
    extensions = [item for item in under if item["resourceType"] == "StructureDefinition"]
    if extensions:
        yield f"extensions {_named(extensions)} get other urls: what reads them by url must be told"
    if any(item["resourceType"] == "PlanDefinition" for item in under):
        yield (
            "a service over these definitions makes other card uuids and names other plans than one over the original: "
            "feedback does not match across the two"
        )
    rest = [item for item in edition.resources if item.get("url") and item not in under]
    if rest:
        yield f"{len(rest)} resources stand under another base and keep it: {_named(rest)}"


def _named(resources: list[Resource], most: int = 20) -> str:
    names = [reference_to(item).partition("/")[2] for item in resources]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
