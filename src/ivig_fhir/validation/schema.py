"""Whether a resource fits HL7's JSON Schema, asked quickly: of the schema's few keywords each type becomes a function.

jsonschema takes twenty times as long, and is asked only why something does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Number
from typing import Any

Check = Callable[[Any], bool]

_KEYWORDS = {
    "$ref",
    "additionalProperties",
    "const",
    "description",
    "enum",
    "items",
    "pattern",
    "patternProperties",
    "properties",
    "required",
    "type",
}
_UNDERSCORED: dict[str, Any] = {"^_": {}}  # the one patternProperties that packages.CorePackage.schema writes


class _Unknown(Exception):
    """The schema says something that this module does not know."""


def _is_number(value: Any) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


_TYPES: dict[str, Check] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


class Fitting:
    """The functions of a schema's definitions, each made when it is first asked for."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._made: dict[str, Check] = {}

    def fits(self, name: str, value: Any) -> bool:
        """Whether a value is surely what a definition describes; False where that is not known."""
        try:
            return self._named(name)(value)
        except _Unknown:
            return False

    def _named(self, name: str) -> Check:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._check(self._definitions[name])
        return found

    def _referred(self, name: str) -> Check:
        return lambda value: self._named(name)(value)  # not at once: definitions refer to one another in circles

    def _check(self, schema: dict[str, Any]) -> Check:
        if not schema.keys() <= _KEYWORDS or schema.get("patternProperties", _UNDERSCORED) != _UNDERSCORED:
            raise _Unknown
        if "$ref" in schema:
            return self._referred(schema["$ref"].rpartition("/")[2])
        return _all(
            [
                *([_typed(schema["type"])] if "type" in schema else []),
                *([_patterned(schema["pattern"])] if "pattern" in schema else []),
                *([_one_of([schema["const"]])] if "const" in schema else []),
                *([_one_of(schema["enum"])] if "enum" in schema else []),
                *([_each(self._check(schema["items"]))] if schema.get("items") else []),
                *([self._members(schema)] if "properties" in schema else []),
            ]
        )

    def _members(self, schema: dict[str, Any]) -> Check:
        members = {name: self._check(item) for name, item in schema["properties"].items()}
        required = schema.get("required", ())
        others = schema.get("additionalProperties", True) is not False

        def check(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            for name, item in value.items():
                known = members.get(name)
                if known is None:
                    if not others and name[:1] != "_":
                        return False
                elif not known(item):
                    return False
            return all(name in value for name in required)

        return check


def _all(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]
    return lambda value: all(check(value) for check in checks)


def _typed(name: Any) -> Check:
    if name not in _TYPES:
        raise _Unknown
    return _TYPES[name]


def _patterned(pattern: str) -> Check:
    search = re.compile(pattern).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _one_of(values: list[Any]) -> Check:
    if not all(isinstance(item, str) for item in values):
        raise _Unknown
    allowed = frozenset(values)
    return lambda value: isinstance(value, str) and value in allowed


def _each(check: Check) -> Check:
    return lambda value: not isinstance(value, list) or all(check(item) for item in value)
