"""The settings of the service, all of them: IVIG_FHIR_* in the environment. Unknown ones are refused.

docs/settings.md is what `python -m ivig_fhir.service.settings` prints (a test compares them).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.dialects import DIALECTS
from ivig_fhir.problems import Issue, Outcome, Problem
from ivig_fhir.service.fhir_servers import FhirServer
from ivig_fhir.service.setting_values import count, names, one_of, origins, path, seconds, servers, url, version, yes

PREFIX = "IVIG_FHIR_"


def _setting(read: Callable[[str], Any], allowed: str, says: str) -> dict[str, Any]:
    """What reads a value (raises ValueError), what is allowed, and the line in docs/settings.md."""
    return {"read": read, "allowed": allowed, "says": says}


@dataclass(frozen=True)
class Settings:
    """Each field is the setting IVIG_FHIR_<NAME>."""

    public_url: str = field(
        default="http://127.0.0.1:8080",
        metadata=_setting(
            url,
            "an http or https URL without ? and #",
            "What links begin with, and the `aud` of every token; the Host header is never used.",
        ),
    )
    definitions: Path = field(
        default=definitions_folder(), metadata=_setting(path, "a folder", "The folder that holds r4/.")
    )
    max_request_bytes: int = field(
        default=10_000_000, metadata=_setting(count, "a whole number above 0", "A larger request body gets 413.")
    )
    deadline_seconds: float = field(
        default=2.0,
        metadata=_setting(
            seconds,
            "seconds above 0, at most 60",
            "From the request's first byte to the answer's last; reading from FHIR servers ends 0.2 s before.",
        ),
    )
    fhir_servers: tuple[FhirServer, ...] = field(
        default=(),
        metadata=_setting(
            servers,
            "a list of `[open] [local] <base URL>`, separated by commas",
            "The FHIR servers from which data that prefetch lacks are read; no other is. `open`: also without a token. "
            "`local`: private and loopback addresses and http are allowed.",
        ),
    )
    max_response_bytes: int = field(
        default=4_000_000,
        metadata=_setting(count, "a whole number above 0", "A larger answer of a FHIR server is not used."),
    )
    max_fetched_bytes: int = field(
        default=10_000_000,
        metadata=_setting(count, "a whole number above 0", "All answers of FHIR servers to one request together."),
    )
    max_pages: int = field(
        default=20,
        metadata=_setting(
            count, "a whole number above 0", "Pages of one search that are read; what follows is missing."
        ),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=_setting(path, "a file", "Certificate authorities (PEM) that are trusted besides the public ones."),
    )
    require_auth: bool = field(
        default=False,
        metadata=_setting(
            yes, "yes, no", "Every call to /cds-services, /try and /explain needs a JWT of a trusted issuer, else 401."
        ),
    )
    require_tls: bool = field(
        default=False,
        metadata=_setting(
            yes, "yes, no", "What came over plain http gets 403, probes apart (docs/operations.md); answers have HSTS."
        ),
    )
    trusted_issuers: Path | None = field(
        default=None,
        metadata=_setting(path, "a .toml or .json file", "Who may call, and by which keys (see below)."),
    )
    replay_store: Path = field(
        default=Path("var/replay.sqlite"),
        metadata=_setting(
            path,
            "a file that all workers can write",
            "Which tokens were used already, as hashes (SQLite); written only where authentication is required.",
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=_setting(
            origins, "a list of scheme://host[:port]", "Web origins whose scripts may call; never with credentials."
        ),
    )
    patient_wording: bool = field(
        default=True,
        metadata=_setting(
            yes,
            "yes, no",
            "Whether readers other than Practitioner and PractitionerRole get the patient wording; `no`: no card.",
        ),
    )
    discovery_version: str = field(
        default="",
        metadata=_setting(
            version, "off, 2.0.1, 3.0.0-ballot", "What discovery gives as `version`, with `hookVersion` (3.0-ballot)."
        ),
    )
    dialect: str = field(
        default="strict",
        metadata=_setting(one_of(*DIALECTS), ", ".join(DIALECTS), "The EHR whose habits are met (docs/integration/)."),
    )
    code_map: Path | None = field(
        default=None,
        metadata=_setting(path, "a .csv file", "The site's own codes and what they mean here (see below)."),
    )
    silent: tuple[str, ...] = field(
        default=(),
        metadata=_setting(
            names,
            "a list of topics and units, or `all`",
            "What is evaluated and counted, not shown (docs/alert-burden.md).",
        ),
    )
    max_cards: int = field(
        default=3,
        metadata=_setting(
            count,
            "a whole number above 0",
            "Cards of one answer; what has no room is named on the last, warnings first.",
        ),
    )
    store: Path | None = field(
        default=None,
        metadata=_setting(path, "a file that all workers can write", "Cards shown and feedback (SQLite); none: 404."),
    )
    store_comments: bool = field(
        default=False, metadata=_setting(yes, "yes, no", "Whether the userComment of feedback is stored.")
    )
    receive_seconds: float = field(
        default=10.0,
        metadata=_setting(
            seconds, "seconds above 0, at most 60", "A request that has not arrived whole by then is cut off."
        ),
    )
    max_in_flight: int = field(
        default=64,
        metadata=_setting(count, "a whole number above 0", "Requests of a worker that run or wait; beyond: 503."),
    )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises Problem('malformed') for unknown names and unusable values."""
    known = {item.name: item for item in fields(Settings)}
    values: dict[str, Any] = {}
    issues = []
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known or name != name.upper():
            issues.append(_unknown(name, key, list(known)))
            continue
        try:
            values[key] = known[key].metadata["read"](text)
        except ValueError as error:
            issues.append(Issue(name, f"is {text!r}", known[key].metadata["allowed"], str(error)))
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return Settings(**values)


def _unknown(name: str, key: str, known: list[str]) -> Issue:
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {PREFIX}{close[0].upper()}?" if close else ""
    return Issue(name, "is no setting", ", ".join(sorted(PREFIX + item.upper() for item in known)), hint)


def settings_table() -> str:
    """The settings as a Markdown table, for docs/settings.md."""
    rows = ["| setting | default | allowed | what it does |", "|---|---|---|---|"]
    for item in fields(Settings):
        name = f"`{PREFIX}{item.name.upper()}`"
        rows.append(f"| {name} | {_shown(item.default)} | {item.metadata['allowed']} | {item.metadata['says']} |")
    return "\n".join(rows) + "\n"


def _shown(default: Any) -> str:
    if default in (None, (), ""):
        return "–"
    if isinstance(default, bool):
        return "yes" if default else "no"
    if default == definitions_folder():
        return "those of the package"
    return f"{default:g}" if isinstance(default, float) else str(default)


if __name__ == "__main__":
    print(settings_table(), end="")
