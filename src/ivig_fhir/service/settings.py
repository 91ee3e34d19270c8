"""The settings of the service, all of them: IVIG_FHIR_* in the environment. Unknown ones are refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from ivig_fhir import definitions_folder
from ivig_fhir.problems import Issue, Outcome, Problem

PREFIX = "IVIG_FHIR_"


@dataclass(frozen=True)
class Settings:
    """PUBLIC_URL: what links begin with. DEFINITIONS: folder with r4/. MAX_REQUEST_BYTES: larger bodies get 413."""

    public_url: str = "http://127.0.0.1:8080"
    definitions: Path = field(default_factory=definitions_folder)
    max_request_bytes: int = 10_000_000


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment. Raises Problem('malformed') for unknown names and unusable values."""
    known = {item.name for item in fields(Settings)}
    values: dict[str, object] = {}
    issues = []
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {PREFIX}{close[0].upper()}?" if close else ""
            issues.append(
                Issue(name, "is no setting", ", ".join(sorted(PREFIX + item.upper() for item in known)), hint)
            )
        elif key == "definitions":
            values[key] = Path(value)
        elif key == "max_request_bytes":
            if value.isdigit():
                values[key] = int(value)
            else:
                issues.append(Issue(name, f"is {value!r}", "a whole number of bytes"))
        else:
            values[key] = value.rstrip("/")
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return Settings(**values)  # type: ignore[arg-type]
