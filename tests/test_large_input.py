"""What a few megabytes can cost: work and answers grow with what was sent, not with its square or a hundredfold.

Comparisons and look-ups are counted, not timed.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients
from ivig_fhir.cds_hooks.explanation import MOST_NAMED
from ivig_fhir.engine import inputs
from ivig_fhir.fhir import RepeatedKey, _unique
from ivig_fhir.knowledge.conditions import compile_condition
from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.facts import Facts
from ivig_fhir.problems import MOST_ISSUES
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

MANY = 3000
SIGN = "/cds-services/ivig-order-sign"


class Name(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, str(other))

    __hash__ = str.__hash__


class Counted(dict[str, Any]):
    """A resource that counts how often it is compared, and how often something is looked up in it."""

    compared = read = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return dict.__eq__(self, dict(other) if isinstance(other, dict) else other)

    def get(self, *key: Any) -> Any:
        Counted.read += 1
        return dict.get(self, *key)

    __hash__ = None  # type: ignore[assignment]


def test_a_key_that_stands_twice_among_many_is_found_without_comparing_each_with_each() -> None:
    names = [Name(f"k{number}") for number in range(MANY)]
    Name.compared = 0
    with pytest.raises(RepeatedKey, match="the key k7 stands twice"):
        _unique([(name, 0) for name in [*names, Name("k7")]])
    assert Name.compared < 3 * MANY


def test_many_results_of_one_moment_are_told_apart_without_comparing_each_with_each() -> None:
    sent = [Counted(effectiveDateTime="2026-03-01", valueInteger=number) for number in range(MANY)]
    Counted.compared = 0
    found = inputs._newest([*sent, *sent[:5], Counted(effectiveDateTime="2026-02-01")], "effective")
    assert Counted.compared < 3 * MANY
    assert [item["valueInteger"] for item in found] == list(range(MANY))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, content: Content) -> FlaskClient:
    store = tmp_path_factory.mktemp("large") / "store.sqlite"
    return create_app(Settings(store=store), content=content).test_client()


def _drafts(entries: list[Any]) -> dict[str, Any]:
    asked = patients.request(patients.MMN | {"hook": "order-sign", "orders": {}})
    asked["context"]["draftOrders"] = {"resourceType": "Bundle", "entry": entries}
    return asked


SUGGESTIONS = {"outcome": "accepted", "acceptedSuggestions": [0] * MANY}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SIGN, _drafts([0] * MANY)),
        ("/explain", _drafts([0] * MANY)),
        (f"{SIGN}/feedback", {"feedback": [0] * MANY}),
        (f"{SIGN}/feedback", {"feedback": [SUGGESTIONS]}),
    ],
    ids=["drafts", "explained", "feedback", "suggestions"],
)
def test_of_very_many_faults_the_first_hundred_are_named(stored: FlaskClient, path: str, body: dict[str, Any]) -> None:
    response = stored.post(path, json=body)
    assert response.status_code == 400
    issues = json.loads(response.data)["issue"]
    assert len(issues) == MOST_ISSUES + 1
    assert "more than 100" in issues[-1]["diagnostics"]


def test_as_many_faults_as_are_named_are_all_of_them(stored: FlaskClient) -> None:
    response = stored.post(SIGN, json=_drafts([0] * MOST_ISSUES))
    issues = json.loads(response.data)["issue"]
    assert len(issues) == MOST_ISSUES
    assert "more than" not in response.text


def test_dates_of_another_resource_are_looked_up_once_not_for_each_that_is_compared() -> None:
    asked = compile_condition("%a.where(onset >= %b.performed.first()).exists()")
    diseases = tuple({"resourceType": "Condition", "onsetDateTime": "2026-01-01"} for _ in range(MANY))
    events = tuple(Counted(resourceType="Procedure", performedDateTime="2026-02-01") for _ in range(MANY))
    Counted.read = 0
    assert asked.evaluate(Facts({"a": diseases, "b": events}, frozenset(), date(2026, 3, 2))).truth is False
    assert MANY <= Counted.read < 30 * MANY


def test_an_explanation_names_a_hundred_resources_of_each_criterion_and_how_many_more(stored: FlaskClient) -> None:
    asked = patients.request(patients.MMN)
    (entry,) = asked["prefetch"]["conditions"]["entry"]
    sent = [{"resource": entry["resource"] | {"id": f"c{number}"}} for number in range(MOST_NAMED + 50)]
    asked["prefetch"]["conditions"]["entry"] = sent
    explained = stored.post("/explain", json=asked).json
    (unit,) = [unit for unit in explained["units"] if unit["id"] == "mmn-ivig"]
    named = unit["because"][0]["resources"]
    assert named[:2] == [{"reference": "Condition/c0"}, {"reference": "Condition/c1"}]
    assert named[MOST_NAMED:] == [{"more": "50"}]
