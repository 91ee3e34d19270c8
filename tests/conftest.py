"""Fixtures: the loaded content, the service as a WSGI client with a fixed clock, and the cases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from ivig_fhir import definitions_folder
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

ROOT = Path(__file__).parents[1]


class Clock:
    """The day on which the service believes itself to be."""

    def __init__(self) -> None:
        self.day = date(2026, 3, 2)

    def __call__(self) -> date:
        return self.day


@pytest.fixture(scope="session")
def content() -> Content:
    return load_content(definitions_folder() / "r4")


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def client(clock: Clock) -> FlaskClient:
    return create_app(Settings(public_url="https://cds.example.org"), clock).test_client()


Ask = Callable[..., Any]


@pytest.fixture
def ask(client: FlaskClient, clock: Clock) -> Ask:
    """POST a request to its service on a given day; the response."""

    def post(body: dict[str, Any], at: str = "2026-03-02") -> Any:
        clock.day = date.fromisoformat(at)
        return client.post(f"/cds-services/ivig-{body['hook']}", json=body)

    return post
