"""Copies of definitions/ that a test may change, and the pages over them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.knowledge.content import load_content
from ivig_fhir.service.pages import pages_blueprint
from ivig_fhir.service.settings import Settings

TODAY = date(2026, 3, 2)


def copied(folder: Path) -> Path:
    """A copy of definitions/r4."""
    shutil.copytree(definitions_folder() / "r4", folder / "definitions" / "r4")
    return folder / "definitions"


def changed(definitions: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change one resource in place: name is r4/PlanDefinition-mmn.json."""
    path = definitions / name
    resource = json.loads(path.read_text("utf-8"))
    change(resource)
    path.write_text(json.dumps(resource, ensure_ascii=False), "utf-8")


def added(definitions: Path, name: str, resource: dict[str, Any]) -> None:
    """Put a resource there, in place of one of the same name: name is r5/Evidence-mmn-ivig.json."""
    path = definitions / name
    path.parent.mkdir(exist_ok=True)
    kind, _, identifier = path.stem.partition("-")
    known = {"resourceType": kind, "id": identifier, "url": f"https://ivig-fhir.example.org/fhir/{kind}/{identifier}"}
    path.write_text(json.dumps(known | resource), "utf-8")


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a resource."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def action(plan: Any, unit: str) -> Any:
    """The action of a unit."""
    return next(item for item in nodes(plan) if item.get("id") == unit and "documentation" in item)


def concept(system: Any, code: str) -> Any:
    """A concept of a code system."""
    return next(item for item in system["concept"] if item["code"] == code)


@cache
def published() -> FlaskClient:
    """The pages over the committed definitions, loaded once."""
    return pages_over(definitions_folder())


def pages_over(definitions: Path) -> FlaskClient:
    """The pages over a folder of definitions, on a fixed day."""
    content = load_content(definitions / "r4")
    app = Flask("pages", static_folder=None)
    app.testing = True  # a Problem reaches the test, as in the service it reaches the error handler
    settings = Settings(public_url="https://cds.example.org", definitions=definitions)
    app.register_blueprint(pages_blueprint(content, Responder(content), settings, lambda: TODAY))
    return app.test_client()
