"""Fixtures: the loaded content, the service as a WSGI client with a fixed clock, and the cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cases import Case, all_cases
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


class Answers:
    """The answer to each case, asked once for all tests: the service gives the same bytes to the same request."""

    def __init__(self, client: FlaskClient, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self.known: dict[str, tuple[int, bytes]] = {}

    def to(self, case: Case) -> tuple[int, list[dict[str, Any]]]:
        """Status and cards; none where the request is refused."""
        if case.id not in self.known:
            self.clock.day = date.fromisoformat(case.at)
            response = self.client.post(f"/cds-services/ivig-{case.facts['hook']}", json=case.request())
            self.known[case.id] = (response.status_code, response.data)
        status, body = self.known[case.id]
        return status, json.loads(body)["cards"] if status == 200 else []


@pytest.fixture(scope="session")
def answers(client: FlaskClient, clock: Clock) -> Answers:
    return Answers(client, clock)


Shown = list[tuple[Case, dict[str, Any]]]


@pytest.fixture(scope="session")
def shown(answers: Answers) -> Shown:
    """Every card of every case."""
    found: Shown = []
    for case in all_cases():
        _, cards = answers.to(case)
        assert len(cards) <= 3, case.id
        assert len({card["uuid"] for card in cards}) == len(cards), case.id
        found += [(case, card) for card in cards]
    assert len(found) > 2000
    return found
