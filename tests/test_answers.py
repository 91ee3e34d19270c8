"""The protocol as seen by an EHR: statuses, discovery, determinism."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients

MMN: dict[str, Any] = {
    "at": "2026-03-02",
    "hook": "patient-view",
    "patient": {"born": "1982-07-01"},
    "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
}


def post(client: FlaskClient, body: Any, service: str = "ivig-patient-view", **more: Any) -> Any:
    data = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return client.post(
        f"/cds-services/{service}", data=data, content_type=more.pop("content_type", "application/json"), **more
    )


def outcome(response: Any) -> str:
    body = response.get_json(force=True)
    assert body["resourceType"] == "OperationOutcome"
    assert "Traceback" not in json.dumps(body)
    return " ".join(issue["diagnostics"] for issue in body["issue"])


def test_ch_10_11_13_14_discovery_lists_the_four_services_with_their_prefetch(client: FlaskClient) -> None:
    response = client.get("/cds-services")
    services = {item["id"]: item for item in response.json["services"]}
    assert set(services) == {"ivig-patient-view", "ivig-encounter-start", "ivig-order-select", "ivig-order-sign"}
    for item in services.values():
        assert item["title"]
        assert item["description"]
        assert item["id"] == f"ivig-{item['hook']}"
        assert item["prefetch"]["patient"] == "Patient/{{context.patientId}}"
        assert item["prefetch"]["conditions"] == "Condition?patient={{context.patientId}}"


def test_ch_20_22_prefetch_uses_only_tokens_of_2_0_1_and_short_queries(client: FlaskClient) -> None:
    for item in client.get("/cds-services").json["services"]:
        for query in item["prefetch"].values():
            assert query.count("{{") == query.count("{{context.patientId}}") == 1
            assert len(query) <= 1800


def test_ch_51_nothing_to_say_is_an_empty_list(client: FlaskClient) -> None:
    response = post(client, patients.request(MMN | {"conditions": {}}))
    assert (response.status_code, response.json) == (200, {"cards": []})


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"hook": "patient-view", "hook": "patient-view"}', "body"),
        (b'{"hook": "patient-view", "hookInstance": "x", "context": {"userId": "Practitioner/1"}}', "patientId"),
        (
            b'{"hook": "order-sign", "hookInstance": "x", "context": {"userId": "Practitioner/1", "patientId": "p1"}}',
            "hook",
        ),
        (
            b'{"hook": "patient-view", "hookInstance": "x", "context": {"userId": "Practitioner/1", "patientId": "p1"}, '
            b'"fhirAuthorization": {"access_token": "t"}}',
            "fhirServer",
        ),
    ],
)
def test_ch_30_31_32_a_malformed_request_is_refused_with_its_place(
    client: FlaskClient, body: bytes, where: str
) -> None:
    response = post(client, body)
    assert response.status_code == 400
    assert where in outcome(response)


def test_an_unknown_service_is_not_found(client: FlaskClient) -> None:
    response = post(client, patients.request(MMN), "ivig-nothing")
    assert response.status_code == 404
    assert "ivig-patient-view" in outcome(response)


def test_ch_34_without_conditions_there_is_no_answer_and_the_query_is_named(client: FlaskClient) -> None:
    response = post(client, patients.request(MMN | {"unavailable": ["conditions"]}))
    assert response.status_code == 412
    assert "Condition?patient={{context.patientId}}" in outcome(response)


def test_ch_35_an_operation_outcome_in_place_of_the_patient_is_missing_data(client: FlaskClient) -> None:
    response = post(client, patients.request(MMN | {"failed": ["patient"]}))
    assert response.status_code == 412


def test_ch_36_null_conditions_are_known_to_be_none(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"] = None
    assert post(client, body).json == {"cards": []}


def test_h17_another_patients_resource_is_refused(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    response = post(client, body)
    assert response.status_code == 422
    assert "another patient" in outcome(response)


def test_h17_the_patient_must_be_the_one_of_the_context(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["patient"]["id"] = "p2"
    assert post(client, body).status_code == 422


def test_a_prefetch_value_that_is_no_resource_is_refused(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"] = "Condition"
    response = post(client, body)
    assert response.status_code == 422
    assert "prefetch.conditions" in outcome(response)


def test_one_unreadable_resource_is_left_out_and_named(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"]["entry"].append(
        {"resource": {"resourceType": "Condition", "id": "odd", "subject": patients.SUBJECT, "code": "G61.0"}}
    )
    card = post(client, body).json["cards"][0]
    assert "Condition/odd (code malformed)" in card["detail"]
    assert card["extension"]["org.example.ivig-fhir"]["notEvaluated"] == ["conditions"]


def test_another_content_type_is_refused(client: FlaskClient) -> None:
    response = post(client, b"<Bundle/>", content_type="text/xml")
    assert response.status_code == 415
    outcome(response)


def test_another_method_is_refused(client: FlaskClient) -> None:
    response = client.get("/cds-services/ivig-patient-view")
    assert response.status_code == 405
    outcome(response)


def test_the_same_request_gives_the_same_bytes(client: FlaskClient) -> None:
    body = patients.request(MMN)
    assert post(client, body).data == post(client, body).data


def test_another_hook_instance_gives_other_uuids(client: FlaskClient) -> None:
    body = patients.request(MMN)
    first = post(client, body).json["cards"][0]["uuid"]
    assert post(client, body | {"hookInstance": "another"}).json["cards"][0]["uuid"] != first


def test_on_order_select_only_the_selected_orders_are_in_question(client: FlaskClient) -> None:
    body = patients.request(MMN | {"hook": "order-select", "orders": {"prednisone": {"atc": "H02AB07"}}})
    assert post(client, body, "ivig-order-select").json["cards"]
    body["context"]["selections"] = []
    assert post(client, body, "ivig-order-select").json == {"cards": []}
