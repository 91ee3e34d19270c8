"""What a run of validation is told, by arguments or by a configuration file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ivig_fhir.problems import problem
from ivig_fhir.validation.elements import VERSIONS
from ivig_fhir.validation.findings import SEVERITIES
from ivig_fhir.validation.hl7 import LAYER, PREFIX, rule_of
from ivig_fhir.validation.packages import CACHE
from ivig_fhir.validation.rules import RULES
from ivig_fhir.validation.versions import version_of

TABLE = "tool.ivig-fhir.validate"
_TABLES = {"ivig-fhir.toml": ("validate",), "pyproject.toml": tuple(TABLE.split("."))}
_LISTS = ("rules", "ignore", "strict", "external", "context", "packages")


@dataclass(frozen=True)
class Options:
    """`rules`: only these (ids or layers). `ignore`: ids, layers, or id:glob of files. `strict`: canonical bases
    whose content is held to the house rules. `external`: URL prefixes that are defined elsewhere. `context`: files
    that resolve links and are not checked. `packages`: FHIR core packages (.tgz). `cache`: the folder of those that
    FHIR tools have fetched. `fhir_version`: where a file states none. `max_size`: megabytes.
    `with_hl7`: the jar of HL7's validator, whose findings are added."""

    rules: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    fhir_version: str = ""
    cache: str = str(CACHE)
    fail_on: str = "error"
    max_size: int = 64
    with_hl7: str = ""

    def wants(self, rule: str, file: str) -> bool:
        """Whether findings of a rule in a file are reported."""
        names = (rule, rule_of(rule).layer)
        if self.rules and not set(names) & set(self.rules):
            return False
        for item in self.ignore:
            name, _, pattern = item.partition(":")
            if name in names and (not pattern or fnmatch(file, pattern)):
                return False
        return True


def checked(options: Options) -> Options:
    """The options themselves. Raises Problem('malformed') for a rule or a severity that does not exist."""
    if options.fail_on not in SEVERITIES:
        raise problem("malformed", "fail-on", f'is "{options.fail_on}"', ", ".join(SEVERITIES))
    if options.fhir_version and not version_of(options.fhir_version):
        raise problem("malformed", "fhir-version", f'is "{options.fhir_version}"', ", ".join(VERSIONS.values()))
    known = {LAYER, *RULES, *(item.layer for item in RULES.values())}
    for item in (*options.rules, *options.ignore):
        name = item.partition(":")[0]
        if name not in known and not name.startswith(PREFIX):
            raise problem(
                "malformed", "rule", f'there is no rule or layer "{item}"', hint="ivig-fhir validate --list-rules"
            )
    return options


def read_options(folder: Path) -> Options:
    """The options of ivig-fhir.toml, or of [tool.ivig-fhir.validate] in pyproject.toml, in a folder."""
    for name, path in _TABLES.items():
        file = folder / name
        found = _table(file, path) if file.is_file() else None
        if found is not None:
            return _options(file, found)
    return Options()


def read_options_file(file: Path) -> Options:
    """The options of one configuration file. Raises Problem('malformed') when it has none."""
    found = _table(file, _TABLES.get(file.name, ("validate",)))
    if found is None:
        raise problem("malformed", str(file), "has no table for this command", f"[validate], or [{TABLE}] in pyproject")
    return _options(file, found)


def _table(file: Path, path: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        found: Any = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise problem("malformed", str(file), f"cannot be read: {error}") from error
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _options(file: Path, found: dict[str, Any]) -> Options:
    known = {item.name.replace("_", "-"): item for item in fields(Options)}
    given: dict[str, Any] = {}
    for key, value in found.items():
        if key not in known:
            raise problem("malformed", str(file), f'has the key "{key}"', ", ".join(known))
        name = known[key].name
        expected = list if name in _LISTS else type(known[key].default)
        if not isinstance(value, expected):
            raise problem("malformed", str(file), f"{key} is {value!r}", f"a {expected.__name__}")
        given[name] = tuple(value) if isinstance(value, list) else value
    return Options(**given)
