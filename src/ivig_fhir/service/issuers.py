"""Who may call: the issuers of tokens that are trusted, out of a TOML or JSON file.

[issuers."https://ehr.example.org/r4"]
jku = "https://ehr.example.org/jwks.json"     # or: keys = "ehr-jwks.json", a file beside this one
audience = "https://cds.example.org"          # left out: IVIG_FHIR_PUBLIC_URL
tenant = ["t1"]                               # left out: the claim is not looked at
algorithms = ["RS384"]                        # left out: both
local = true                                  # left out: the jku has a public address and https
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivig_fhir.problems import Issue, Outcome, Problem
from ivig_fhir.service.fhir_servers import origin_of

ALGORITHMS = ("ES384", "RS384")
_KINDS: dict[str, type] = {"jku": str, "keys": str, "audience": str, "tenant": list, "algorithms": list, "local": bool}


@dataclass(frozen=True)
class Issuer:
    """One trusted issuer: where its keys are, under which base URL it calls us, its tenants and algorithms."""

    name: str
    audience: str
    jku: str = ""
    keys: Path | None = None
    tenants: frozenset[str] = frozenset()
    algorithms: tuple[str, ...] = ALGORITHMS
    local: bool = False


def read_issuers(path: Path, public_url: str) -> dict[str, Issuer]:
    """The issuers of a file, by name. Raises Problem('malformed') with everything that is wrong in it."""
    listed = _table(path).get("issuers")
    if not isinstance(listed, dict) or not listed:
        raise Problem("malformed", Outcome((Issue(str(path), "lists no issuers", 'a table issuers."<iss>"'),)))
    issues = [issue for name, entry in listed.items() for issue in _faults(entry, f"{path} issuers.{name!r}")]
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return {name: _issuer(name, entry, path.parent, public_url) for name, entry in listed.items()}


def _table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        read = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise Problem("malformed", Outcome((Issue(str(path), f"cannot be read: {error}"),))) from error
    return read if isinstance(read, dict) else {}


def _faults(entry: Any, where: str) -> list[Issue]:
    if not isinstance(entry, dict):
        return [Issue(where, f"is a {type(entry).__name__}", "a table")]
    unknown = sorted(set(entry) - set(_KINDS))
    found = [Issue(where, f"has the unknown key {name}", ", ".join(_KINDS)) for name in unknown]
    wrong = [name for name, kind in _KINDS.items() if name in entry and not isinstance(entry[name], kind)]
    found += [Issue(f"{where}.{name}", f"is {entry[name]!r}", f"a {_KINDS[name].__name__}") for name in wrong]
    if found:
        return found
    if ("jku" in entry) == ("keys" in entry):
        found.append(Issue(where, "has both jku and keys, or neither", "exactly one of them"))
    for name in {"jku", "audience"} & entry.keys():
        if not _is_url(entry[name], http=name == "audience" or entry.get("local", False)):
            found.append(Issue(f"{where}.{name}", f"is {entry[name]!r}", "an https URL; http only with local = true"))
    if not set(entry.get("algorithms", ALGORITHMS)) <= set(ALGORITHMS) or entry.get("algorithms") == []:
        found.append(Issue(f"{where}.algorithms", f"is {entry['algorithms']}", ", ".join(ALGORITHMS)))
    if not all(isinstance(item, str) for item in entry.get("tenant", ())) or entry.get("tenant") == []:
        found.append(Issue(f"{where}.tenant", f"is {entry['tenant']}", "a list of texts that is not empty"))
    return found


def _is_url(text: str, http: bool) -> bool:
    try:
        return origin_of(text).startswith("http:" if http else "https:") or origin_of(text).startswith("https:")
    except ValueError:
        return False


def _issuer(name: str, entry: dict[str, Any], folder: Path, public_url: str) -> Issuer:
    return Issuer(
        name,
        entry.get("audience", public_url).rstrip("/"),
        entry.get("jku", ""),
        folder / entry["keys"] if "keys" in entry else None,
        frozenset(entry.get("tenant", ())),
        tuple(entry.get("algorithms", ALGORITHMS)),
        entry.get("local", False),
    )
