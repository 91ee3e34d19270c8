"""A mark in any place of any call: not in an error, a header, a log line, the store or the metrics."""
# ruff: noqa: F401, F811 - a fixture of another file

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from broken import good_requests, places
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings
from test_operations import MARKED, SERVICE, Lines, call, feedback_of, files, lines, marked_request

MARK = "MARKanything0099"
EVERY = 1 if "FUZZ_ROUNDS" in os.environ else 13  # of the places
ADDRESSES = [
    "/{}",
    "/cds-services/{}",
    "/cds-services/{}/feedback",
    "/cds-services/ivig-patient-view/{}",
    "/guidance/{}",
    "/guidance/gbs?reader={}",
    "/codes/{}",
    "/definitions/{}/PlanDefinition-gbs.json",
    "/definitions/r4/{}.json",
    "/definitions/r4/Patient-{}.json",
    "/static/{}",
    "/static/..%2f{}",
    "/explain?{}",
]


@pytest.fixture(scope="module", params=["strict", "epic"])
def kept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, content: Content
) -> tuple[FlaskClient, Path]:
    folder = tmp_path_factory.mktemp("kept")
    chosen = Settings(store=folder / "store.sqlite", dialect=request.param)
    return create_app(chosen, lambda: date(2026, 11, 20), content).test_client(), folder


def marked_everywhere(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The value with the mark in one place, as the value there or as its name; of the deeper places some."""
    every = [way for number, way in enumerate(places(value)) if len(way) <= 2 or not number % EVERY]
    for number, (*way, last) in enumerate(every):
        made = copy.deepcopy(value)
        parent: Any = made
        for step in way:
            parent = parent[step]
        if number % 3 != 2 or not isinstance(parent, dict):
            parent[last] = MARK if number % 2 else [MARK]
        else:
            parent[MARK] = parent.pop(last)
        yield made


def assert_unsaid(kept: tuple[FlaskClient, Path], lines: Lines, responses: list[Any]) -> None:
    client, folder = kept
    for response in responses:
        assert MARKED.findall(str(response.headers)) == []
        if response.status_code != 200:
            assert MARKED.findall(response.text) == []
    assert MARKED.findall(lines.everything + files(folder) + client.get("/metrics").text) == []


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "/cds-services/ivig-patient-view"), (3, "/cds-services/ivig-order-sign"), (3, "/explain")],
)
def test_a_mark_in_any_place_of_a_request_is_said_nowhere(
    kept: tuple[FlaskClient, Path], lines: Lines, number: int, path: str
) -> None:
    marked = list(marked_everywhere(good_requests()[number]))
    sent = [kept[0].post(path, json=body) for body in (marked[::2] if path == "/explain" else marked)]
    assert {200, 400, 422} <= {response.status_code for response in sent}
    assert_unsaid(kept, lines, sent)


def test_a_mark_in_any_place_of_a_feedback_is_said_nowhere(kept: tuple[FlaskClient, Path], lines: Lines) -> None:
    card = call(kept[0], SERVICE, marked_request()).json["cards"][0]["uuid"]
    sent = [kept[0].post(f"{SERVICE}/feedback", json=body) for body in marked_everywhere(feedback_of(card))]
    assert {response.status_code for response in sent} <= {200, 400}
    assert_unsaid(kept, lines, sent)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "POST", MARK])
def test_a_mark_in_an_address_is_said_nowhere(
    kept: tuple[FlaskClient, Path], lines: Lines, address: str, method: str
) -> None:
    response = kept[0].open(address.format(MARK), method=method, data=b"{}", content_type=f"application/{MARK}")
    assert_unsaid(kept, lines, [response])


@pytest.mark.parametrize("hook", ["patient-view", MARK])
def test_the_playground_shows_a_record_to_its_sender_alone(
    kept: tuple[FlaskClient, Path], lines: Lines, hook: str
) -> None:
    client, folder = kept
    for body in (json.dumps(marked_request()), f"{{{MARK}", MARK, json.dumps({"resourceType": MARK})):
        client.post("/try", data={"record": body, "hook": hook, "at": MARK, "topic": MARK, "orders": MARK})
    assert MARKED.findall(lines.everything + files(folder) + client.get("/metrics").text) == []
