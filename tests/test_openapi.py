"""The OpenAPI document names every address of the service, and what comes back keeps to it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker

import patients
from broken import GBS
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import CATEGORIES
from ivig_fhir.service.app import create_app
from ivig_fhir.service.openapi import openapi_document
from ivig_fhir.service.settings import Settings

SERVICE = "/cds-services/ivig-order-sign"
CALLS: list[tuple[str, str, str, Any, int]] = [
    ("get", "/cds-services", "/cds-services", None, 200),
    ("post", SERVICE, "/cds-services/{service_id}", patients.request(GBS), 200),
    ("post", SERVICE, "/cds-services/{service_id}", {}, 400),
    ("post", SERVICE, "/cds-services/{service_id}", patients.request(GBS | {"unavailable": ["patient"]}), 412),
    ("post", "/cds-services/x", "/cds-services/{service_id}", {}, 404),
    ("post", f"{SERVICE}/feedback", "/cds-services/{service_id}/feedback", {"feedback": []}, 404),
    ("post", "/explain", "/explain", patients.request(GBS), 200),
    ("post", "/explain", "/explain", {}, 400),
    ("get", "/healthz", "/healthz", None, 200),
    ("get", "/readyz", "/readyz", None, 200),
    ("get", "/metrics", "/metrics", None, 200),
    ("get", "/openapi.json", "/openapi.json", None, 200),
    ("get", "/guidance", "/guidance", None, 200),
    ("get", "/guidance/nothing", "/guidance/{name}", None, 404),
    ("get", "/definitions/r4/PlanDefinition-gbs.json", "/definitions/{edition}/{name}.json", None, 200),
    ("get", "/definitions/r4/x.json", "/definitions/{edition}/{name}.json", None, 404),
    ("get", "/try", "/try", None, 200),
]


@pytest.fixture(scope="module")
def document(content: Content) -> dict[str, Any]:
    return openapi_document(content, Settings())


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """A response, its reference followed."""
    found: Any = document if "$ref" in value else value
    for step in value.get("$ref", "#").split("/")[1:]:
        found = found[step]
    return found


def test_every_address_and_method_stands_in_the_document_and_no_other(
    document: dict[str, Any], content: Content
) -> None:
    rules = create_app(Settings(), content=content).url_map.iter_rules()
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(path, method) for path, methods in document["paths"].items() for method in methods}


def test_the_document_says_of_each_status_of_ours_when_it_comes(document: dict[str, Any]) -> None:
    told = set(document["components"]["responses"])
    statuses = {category.status for category in CATEGORIES.values()}
    assert told == {f"status-{status}" for status in statuses - {405}}  # of a method that no path names
    used = set(re.findall(r"#/components/(\w+/[\w-]+)", json.dumps(document)))
    assert used == {f"{kind}/{name}" for kind in ("responses", "schemas") for name in document["components"][kind]}


@pytest.mark.parametrize(("method", "address", "path", "body", "status"), CALLS)
def test_what_comes_back_is_what_the_document_says(
    client: FlaskClient, document: dict[str, Any], method: str, address: str, path: str, body: Any, status: int
) -> None:
    response = getattr(client, method)(address, **({"json": body} if body is not None else {}))
    assert response.status_code == status
    told = resolved(document, document["paths"][path][method]["responses"][str(status)])
    schema = told["content"][response.mimetype]["schema"]
    sent = response.get_json(force=True) if "json" in response.mimetype else response.text
    whole = {"$schema": document["jsonSchemaDialect"], "components": document["components"], "allOf": [schema]}
    errors = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(sent)
    assert [f"{error.json_path}: {error.message[:100]}" for error in errors] == []


def test_the_requests_of_the_cases_keep_to_the_document(document: dict[str, Any]) -> None:
    whole = {"components": document["components"], "$ref": "#/components/schemas/CdsRequest"}
    validator = Draft202012Validator(whole)
    for hook in ("patient-view", "encounter-start", "order-select", "order-sign"):
        validator.validate(patients.request(GBS | {"hook": hook}))
    assert not validator.is_valid(patients.request(GBS) | {"fhirAuthorization": {}})
