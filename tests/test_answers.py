"""The protocol as seen by an EHR: statuses, discovery, determinism."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients
from ivig_fhir.engine.record import _FORMS
from patients import MMN


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


def outcome_entry(severity: str) -> dict[str, Any]:
    issue = {"severity": severity, "code": "processing"}
    return {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome", "issue": [issue]}}


def test_ch_34_35_a_search_that_brought_nothing_but_an_error_was_not_had(client: FlaskClient) -> None:
    body = patients.request(MMN)
    bundle = body["prefetch"]["conditions"]
    for severity in ("error", "fatal"):
        body["prefetch"]["conditions"] = bundle | {"total": 0, "entry": [outcome_entry(severity)]}
        response = post(client, body)
        assert response.status_code == 412
        assert "prefetch.conditions: was neither sent nor could be fetched" in outcome(response)
    body["prefetch"]["conditions"] = bundle | {"entry": [*bundle["entry"], outcome_entry("error")]}
    (card,) = post(client, body).json["cards"]
    assert card["extension"]["org.example.ivig-fhir"]["notEvaluated"] == ["conditions"]


def test_a_search_result_whose_type_is_no_text_is_refused(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"]["entry"] = [{"resource": {"resourceType": []}}]
    assert post(client, body).status_code == 422


@pytest.mark.parametrize("changed", [{"patient": patients.SUBJECT}, {"subject": None}, {"code": "G61.82"}])
def test_ch_34_required_data_of_which_nothing_can_be_read_was_not_had(client: FlaskClient, changed: Any) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"]["entry"][0]["resource"] |= changed
    response = post(client, body)
    assert response.status_code == 412
    assert "prefetch.conditions: holds nothing that can be read" in outcome(response)


def test_ch_34_everything_required_that_is_missing_is_named_at_once(client: FlaskClient) -> None:
    told = outcome(post(client, patients.request(MMN) | {"prefetch": {}}))
    assert "prefetch.patient" in told
    assert "prefetch.conditions" in told
    assert "prefetch.labs" not in told


def test_ch_34_null_is_no_patient_and_nobody_is_told_to_send_it(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["patient"] = None
    assert "null" not in outcome(post(client, body))


def test_h17_another_patients_resource_is_refused(client: FlaskClient) -> None:
    body = patients.request(MMN)
    body["prefetch"]["conditions"]["entry"][0]["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    response = post(client, body)
    assert response.status_code == 422
    assert "another patient" in outcome(response)


def beside_mmn(**more: Any) -> dict[str, Any]:
    """A request of the MMN patient with a second disease, of which something is changed; None takes it away."""
    body = patients.request(MMN | {"conditions": {**MMN["conditions"], "cidp": {"icd-10-cm": "G61.81"}}})
    second = body["prefetch"]["conditions"]["entry"][1]["resource"]
    changed = {key: value for key, value in (second | more).items() if value is not None}
    body["prefetch"]["conditions"]["entry"][1]["resource"] = changed
    return body


def topics(response: Any) -> set[str]:
    assert response.status_code == 200
    return {card["source"]["topic"]["code"] for card in response.json["cards"]}


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/p1"},
        {"reference": "Patient/p1/_history/3"},
        {"reference": "https://ehr.example.org/fhir/Patient/p1"},
        {"reference": "urn:uuid:p1"},
    ],
)
def test_h17_each_way_to_name_the_patient_counts(client: FlaskClient, subject: Any) -> None:
    assert topics(post(client, beside_mmn(subject=subject))) == {"mmn", "cidp"}


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        "Patient/p1",
        {"reference": 7},
        {"identifier": {"value": "p1"}},
        {"reference": "#p1"},
        {"reference": "urn:uuid:6f2c1a34-0000-4000-8000-000000000001"},
        {"reference": "Group/p1"},
    ],
)
def test_h17_a_resource_that_is_of_nobody_does_not_count_and_is_named(client: FlaskClient, subject: Any) -> None:
    response = post(client, beside_mmn(subject=subject))
    assert topics(response) == {"mmn"}
    (card,) = response.json["cards"]
    assert re.search(r"Condition/cidp \((it does not say whose it is|its subject is no patient)\)", card["detail"])
    assert card["extension"]["org.example.ivig-fhir"]["notEvaluated"] == ["conditions"]


def test_h17_the_patient_may_be_named_by_the_full_url_of_its_entry(client: FlaskClient) -> None:
    body = beside_mmn(subject={"reference": "urn:uuid:6f2c1a34-0000-4000-8000-000000000001"})
    entry = {"fullUrl": "urn:uuid:6f2c1a34-0000-4000-8000-000000000001", "resource": body["prefetch"]["patient"]}
    body["prefetch"]["conditions"]["entry"].append(entry)
    assert topics(post(client, body)) == {"mmn", "cidp"}
    entry["resource"] = entry["resource"] | {"id": "p2"}
    assert topics(post(client, body)) == {"mmn"}


def test_h17_a_drafted_order_need_not_name_the_patient_but_may_not_name_another(client: FlaskClient) -> None:
    body = patients.request(MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}})
    order = body["context"]["draftOrders"]["entry"][0]["resource"]
    named = post(client, body, "ivig-order-sign")
    assert named.json["cards"][0]["indicator"] == "warning"
    del order["subject"]
    assert post(client, body, "ivig-order-sign").json == named.json
    order["subject"] = {"reference": "Patient/p2"}
    assert post(client, body, "ivig-order-sign").status_code == 422


OTHER_VERSIONS: list[tuple[str, dict[str, Any]]] = [
    ("conditions", {"resourceType": "Condition", "patient": patients.SUBJECT}),
    ("medications", {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "medication": {}}),
    ("procedures", {"resourceType": "Procedure", "status": "completed", "occurrenceDateTime": "2026-02-01"}),
    ("labs", {"resourceType": "Observation", "status": "final", "code": {}, "context": {}}),
    ("allergies", {"resourceType": "AllergyIntolerance", "participant": []}),
]


@pytest.mark.parametrize(("key", "resource"), OTHER_VERSIONS, ids=[key for key, _ in OTHER_VERSIONS])
def test_ch_39_a_resource_of_another_fhir_version_is_left_out_and_named(
    client: FlaskClient, key: str, resource: dict[str, Any]
) -> None:
    of_patient = {"subject": patients.SUBJECT, "id": "old"} | (
        {"patient": patients.SUBJECT} if key == "allergies" else {}
    )
    body = patients.request(MMN)
    body["prefetch"][key]["entry"].append({"resource": of_patient | resource})
    (card,) = post(client, body).json["cards"]
    assert f"{resource['resourceType']}/old (it has the form of another FHIR version than R4)" in card["detail"]


def test_ch_39_what_is_taken_for_another_version_is_no_element_of_r4() -> None:
    for kind, form in _FORMS.items():
        known = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind).model_fields
        assert not {
            name for name in form.foreign if name in known or any(item.alias == name for item in known.values())
        }


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
