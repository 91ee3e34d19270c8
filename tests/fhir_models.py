"""What the FHIR models say of a resource: whether they accept it, and whether its elements stand in FHIR's order."""

from __future__ import annotations

import importlib
import json
from typing import Any

from pydantic import ValidationError

from ivig_fhir import definitions_folder
from ivig_fhir.fhir import loads

Resource = dict[str, Any]
PACKAGES = {"r4": "fhir.resources.R4B", "r5": "fhir.resources"}


def definitions(edition: str) -> dict[str, Resource]:
    """Type/id -> resource, as committed."""
    found = {}
    for path in sorted((definitions_folder() / edition).glob("*-*.json")):
        resource = loads(path.read_bytes())
        found[f"{resource['resourceType']}/{resource['id']}"] = resource
    return found


def wrong(resource: Resource, edition: str) -> list[str]:
    """What the model of the edition refuses, and the elements that it would write in another order."""
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"{PACKAGES[edition]}.{kind.lower()}"), kind)
    text = json.dumps(resource, default=float)
    try:
        written = json.loads(model.model_validate_json(text).model_dump_json())
    except ValidationError as error:
        return [f"{kind}/{resource['id']} {item['loc']}: {item['msg']}" for item in error.errors()]
    ours, theirs = list(_keys(json.loads(text))), list(_keys(written))
    return [] if ours == theirs else [f"{kind}/{resource['id']}: elements out of order or not kept"]


def _keys(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in (f"{path}.{key}", *_keys(item, f"{path}.{key}"))]
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in _keys(item, f"{path}[{number}]")]
    return []


def elements(value: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object at any depth with the path of element names that leads to it."""
    if isinstance(value, dict):
        inner = [found for key, item in value.items() for found in elements(item, f"{path}.{key}" if path else key)]
        return [(path, value), *inner]
    return [found for item in value for found in elements(item, path)] if isinstance(value, list) else []
