"""docs/conformance.md is current and honest; and the rules of CDS Hooks that no other file tests."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from flask.testing import FlaskClient

import patients
import tokens
from conftest import ROOT
from ivig_fhir.cds_hooks.discovery import discovery
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

sys.path.insert(0, str(ROOT / "tools"))

from conformance import NOT_USED, OPEN, RULES, numbers, on_the_wire, page, rule_tests

AT = "2026-03-02"
CIDP: dict[str, Any] = {
    "at": AT,
    "hook": "patient-view",
    "patient": {"born": "1982-07-01"},
    "conditions": {"cidp": {"icd-10-cm": "G61.81"}},
}
STEROID: dict[str, Any] = CIDP | {
    "hook": "order-sign",
    "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
    "orders": {"prednisone": {"atc": "H02AB07"}},
}
UNREADABLE: dict[str, Any] = STEROID | {"unavailable": ["conditions"]}
READ_BY_PATIENT: dict[str, Any] = CIDP | {"reader": "patient"}
SHOWN = [CIDP, STEROID, UNREADABLE, READ_BY_PATIENT]


@pytest.fixture
def answers(ask: Any) -> list[Any]:
    """The answers to four requests: a suggestion, a warning, the card without a record, the patient's card."""
    found = [ask(patients.request(facts), AT) for facts in SHOWN]
    assert all(item.json["cards"] for item in found)
    return found


@pytest.fixture
def cards(answers: list[Any]) -> list[dict[str, Any]]:
    return [card for answer in answers for card in answer.json["cards"]]


def test_the_page_is_what_the_tests_are_named() -> None:
    assert (ROOT / "docs" / "conformance.md").read_text("utf-8") == page(), "run .venv/bin/python tools/conformance.py"


def test_every_rule_that_a_test_names_stands_in_the_table() -> None:
    assert {number for number in rule_tests() if number not in RULES} == set()


def test_a_tested_rule_says_what_turns_it_red_and_an_open_one_why_it_is_open() -> None:
    tested = rule_tests()
    assert [number for number, rule in RULES.items() if number in tested and not rule.red] == []
    untested = [number for number in RULES if number not in tested]
    assert [number for number in untested if not RULES[number].note] == []
    assert {RULES[number].state for number in untested} <= {OPEN, NOT_USED}


def test_every_rule_has_a_test_and_every_rule_of_a_service_one_on_the_wire() -> None:
    tests, wire = rule_tests(), on_the_wire()
    assert [number for number in RULES if number not in tests] == []
    inside = [number for number in RULES if not any(name.partition("::")[2] in wire for name in tests[number])]
    assert inside == [12]  # there are always four services


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("test_ch_10_11_x", [10, 11]),
        ("test_ch_38_103_the_2_x", [38, 103]),
        ("test_other_ch_1", []),
        ("test_ch_81_to_83_x", [81, 82, 83]),
    ],
)
def test_numbers_are_read_from_names(name: str, found: list[int]) -> None:
    assert numbers(name) == found


def test_ch_04_a_drafted_order_is_a_valid_r4_resource(cards: list[dict[str, Any]]) -> None:
    (action,) = [action for card in cards for item in card.get("suggestions", ()) for action in item["actions"]]
    assert MedicationRequest(**action["resource"]).status == "draft"


def test_ch_01_05_50_success_is_strict_json_with_a_list_of_cards(answers: list[Any]) -> None:
    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        assert isinstance(json.loads(answer.get_data(as_text=True), parse_constant=pytest.fail)["cards"], list)


def test_ch_15_no_two_services_share_id_and_hook(client: FlaskClient) -> None:
    pairs = [(item["id"], item["hook"]) for item in client.get("/cds-services").json["services"]]
    assert len(pairs) == len(set(pairs)) == 4


def test_ch_12_without_a_plan_there_is_an_empty_list_of_services(content: Content) -> None:
    assert discovery(replace(content, plans=())) == {"services": []}


def test_ch_21_23_24_templates_name_the_patient_alone_and_ask_for_the_newest_results(client: FlaskClient) -> None:
    for item in client.get("/cds-services").json["services"]:
        for key, query in item["prefetch"].items():
            assert re.findall(r"{{(.*?)}}", query) == ["context.patientId"]
            assert ("_sort=-date&_count=" in query) == query.startswith("Observation"), key


def test_ch_35_an_operation_outcome_is_not_an_empty_result(ask: Any) -> None:
    assert ask(patients.request(CIDP | {"failed": ["conditions"]}), AT).status_code == 412
    (card, *_) = ask(patients.request(CIDP | {"failed": ["medications"]}), AT).json["cards"]
    assert card["extension"]["org.example.ivig-fhir"]["notEvaluated"] == ["medications"]


def test_ch_40_unknown_fields_and_extensions_are_ignored(ask: Any) -> None:
    body = patients.request(CIDP)
    more = body | {"extension": {"org.example.other": {"x": [1]}}, "unknown": True}
    more["context"] = body["context"] | {"unknown": {"y": 2}}
    assert ask(more, AT).data == ask(body, AT).data


@pytest.fixture(scope="module")
def small(content: Content) -> FlaskClient:
    """A service that takes no more than 150,000 bytes."""
    return create_app(Settings(max_request_bytes=150_000), content=content).test_client()


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("POST", "/cds-services/ivig-patient-view", b"{", "application/json", 400),
        ("POST", "/cds-services/ivig-patient-view", b"[" * 100_000, "application/json", 400),
        ("POST", "/cds-services/nothing", b"{}", "application/json", 404),
        ("GET", "/cds-services/ivig-patient-view", b"", "application/json", 405),
        ("POST", "/cds-services/ivig-patient-view", b"<a/>", "text/xml", 415),
        ("POST", "/cds-services/ivig-patient-view", b" " * 200_000, "application/json", 413),
    ],
)
def test_ch_18_41_every_failure_is_an_operation_outcome(
    small: FlaskClient, method: str, path: str, body: bytes, kind: str, status: int
) -> None:
    response = small.open(path, method=method, data=body, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, "application/fhir+json")
    outcome = response.get_json(force=True)
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"]


def test_ch_54_56_text_is_markdown_and_the_source_a_page_of_no_patient(cards: list[dict[str, Any]]) -> None:
    for card in cards:
        assert not re.search(r"<[a-zA-Z/!]", card["detail"])
        assert re.fullmatch(r"https://cds\.example\.org/guidance/[a-z]+", card["source"]["url"])


def test_ch_58_60_61_63_a_suggestion_has_behaviour_label_uuid_and_a_new_resource(cards: list[dict[str, Any]]) -> None:
    for card in cards:
        assert ("suggestions" in card) == ("selectionBehavior" in card)
    (suggestion,) = [item for card in cards for item in card.get("suggestions", ())]
    assert set(suggestion) == {"uuid", "label", "actions"}
    assert uuid.UUID(suggestion["uuid"])
    assert [(action["type"], "id" in action["resource"]) for action in suggestion["actions"]] == [("create", False)]


def test_ch_57_64_65_66_69_70_72_73_what_is_not_used_is_never_sent(answers: list[Any]) -> None:
    for answer in answers:
        text = answer.get_data(as_text=True)
        for word in ("icon", "appContext", "autolaunchable", "actionSelectionBehavior", "systemActions", "resourceId"):
            assert f'"{word}"' not in text
        assert not re.search(r'"type":\s*"(update|delete|smart)"', text)


def test_ch_80_without_a_store_feedback_is_not_offered(client: FlaskClient) -> None:
    assert client.post("/cds-services/ivig-patient-view/feedback", json={"feedback": []}).status_code == 404


def test_ch_110_111_extensions_are_objects_under_a_reversed_domain(cards: list[dict[str, Any]]) -> None:
    for card in cards:
        assert [name for name in card["extension"] if not re.fullmatch(r"[a-z]+(\.[a-z][a-z-]*){2,}", name)] == []
        assert all(isinstance(value, dict) for value in card["extension"].values())


@pytest.fixture
def guarded(tmp_path: Path, content: Content) -> FlaskClient:
    """A service for which a token of the tenant t1 is needed."""
    (tmp_path / "keys.json").write_text(json.dumps(tokens.key_set("es")), "utf-8")
    issuers = {"issuers": {tokens.ISSUER: {"keys": "keys.json", "tenant": ["t1"]}}}
    (tmp_path / "issuers.json").write_text(json.dumps(issuers), "utf-8")
    settings = Settings(
        public_url=tokens.PUBLIC,
        require_auth=True,
        trusted_issuers=tmp_path / "issuers.json",
        replay_store=tmp_path / "used.sqlite",
    )
    return create_app(settings, content=content).test_client()


def test_ch_91_100_102_a_token_that_fails_in_any_way_gets_the_same_answer(guarded: FlaskClient) -> None:
    def call(made: str) -> Any:
        return guarded.get("/cds-services", headers=tokens.bearer(made) if made else {})

    def said(**changed: Any) -> dict[str, Any]:
        return tokens.claims("/cds-services", **({"tenant": "t1"} | changed))

    good = tokens.token(said=said())
    assert call(good).status_code == 200
    wrong = [
        said(iss="https://other"),
        said(aud="x"),
        said(exp=int(time.time()) - 600),
        said(tenant="t2"),
        said(jti=""),
    ]
    sent = ["", good, tokens.unsigned({"alg": "ES384", "typ": "JWT", "kid": "es"}, said())]
    answers = [call(made) for made in (*sent, *(tokens.token(said=item) for item in wrong))]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
