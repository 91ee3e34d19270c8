"""GET /openapi.json: what this service answers, as OpenAPI 3.1; openapi.json with what only a running service knows."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from flask import Blueprint

from ivig_fhir.cds_hooks.discovery import discovery
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service.settings import Settings


def openapi_document(content: Content, settings: Settings) -> dict[str, Any]:
    """The document of a service: its address, its version, its services, the extension of its cards."""
    made: dict[str, Any] = json.loads(files(__package__).joinpath("openapi.json").read_text("utf-8"))
    made["info"]["version"] = content.version
    made["servers"] = [{"url": settings.public_url}]
    made["components"]["schemas"] |= _extension_of_cards()
    services = [item["id"] for item in discovery(content)["services"]]
    for path in (path for path in made["paths"] if "{service_id}" in path):
        made["paths"][path]["post"]["parameters"][0]["schema"] = {"enum": services}
    return made


def _extension_of_cards() -> dict[str, Any]:
    """The published schema of the extension, its parts named as components."""
    text = files("ivig_fhir.cds_hooks").joinpath("card-extension.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text.replace('"#/$defs/', '"#/components/schemas/card-'))
    parts = schema.pop("$defs")
    kept = {key: value for key, value in schema.items() if key not in ("$id", "$schema")}
    return {"CardExtension": kept} | {f"card-{name}": part for name, part in parts.items()}


def openapi_blueprint(content: Content, settings: Settings) -> Blueprint:
    """/openapi.json."""
    routes = Blueprint("openapi", __name__)
    made = openapi_document(content, settings)
    routes.add_url_rule("/openapi.json", "document", lambda: made)
    return routes
