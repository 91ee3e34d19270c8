"""The context of a request: what is slightly wrong in it is said, and never met with silence."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients
from ivig_fhir.cds_hooks.context import OTHER_VERSIONS
from patients import MMN

ORDERING = MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}}
SELECTING = ORDERING | {"hook": "order-select"}


def sent(client: FlaskClient, facts: dict[str, Any], **context: Any) -> Any:
    body = patients.request(facts)
    body["context"] |= context
    return client.post(f"/cds-services/ivig-{body['hook']}", json=body)


def refusal(response: Any) -> str:
    assert response.status_code == 400
    (issue,) = response.json["issue"]
    return str(issue["diagnostics"])


@pytest.mark.parametrize("user", ["d1", "Practitioner", "practitioner/d1", "Device/x", " Practitioner/d1", "a b/c"])
@pytest.mark.parametrize("facts", [MMN, ORDERING, SELECTING], ids=lambda item: item["hook"])
def test_a_reader_of_no_known_type_gets_the_wording_for_patients(
    client: FlaskClient, facts: dict[str, Any], user: str
) -> None:
    told = sent(client, facts, userId=user).json
    assert told == sent(client, facts, userId="Patient/p1").json
    assert told != sent(client, facts).json


@pytest.mark.parametrize("user", ["https://ehr.example.org/r4/Practitioner/d1", "http://127.0.0.1/PractitionerRole/r1"])
def test_a_reader_may_be_named_by_an_absolute_reference(client: FlaskClient, user: str) -> None:
    assert sent(client, ORDERING, userId=user).json == sent(client, ORDERING).json
    assert sent(client, MMN, userId=user).json == sent(client, MMN).json


def test_a_patient_who_signs_is_still_told_nothing(client: FlaskClient) -> None:
    for user in ("Patient/p1", "RelatedPerson/m1", "https://ehr.example.org/r4/Patient/p1"):
        assert sent(client, ORDERING, userId=user).json == {"cards": []}


def test_a_patient_id_that_is_a_reference_is_named_as_one(client: FlaskClient) -> None:
    told = refusal(sent(client, MMN, patientId="Patient/p1"))
    assert "context.patientId: is a reference" in told
    assert "Patient/p1" not in told


@pytest.mark.parametrize("kind", OTHER_VERSIONS)
def test_ch_39_an_order_of_another_fhir_version_is_refused(client: FlaskClient, kind: str) -> None:
    body = patients.request(ORDERING)
    body["context"]["draftOrders"]["entry"][0]["resource"]["resourceType"] = kind
    told = refusal(client.post("/cds-services/ivig-order-sign", json=body))
    assert "context.draftOrders.entry[0]" in told
    assert "another FHIR version" in told
    assert find_spec(f"fhir.resources.R4B.{kind.lower()}") is None


def test_an_order_of_a_type_that_is_none_of_ours_is_no_fault(client: FlaskClient) -> None:
    body = patients.request(ORDERING)
    diet = {"resourceType": "NutritionOrder", "id": "n1", "status": "draft", "patient": patients.SUBJECT}
    body["context"]["draftOrders"]["entry"].append({"resource": diet})
    assert len(client.post("/cds-services/ivig-order-sign", json=body).json["cards"]) == 1


MODIFIED = {"modifierExtension": [{"url": "https://ehr.example.org/x", "valueBoolean": True}]}
UNREADABLE: list[tuple[dict[str, Any], str]] = [
    (MODIFIED, "modifier extension"),
    ({"medicationCodeableConcept": [{"text": "prednisone"}]}, "medicationCodeableConcept malformed"),
    ({"subject": {"reference": "Group/g1"}}, "its subject is no patient"),
]


@pytest.mark.parametrize(("changed", "why"), UNREADABLE, ids=[why for _, why in UNREADABLE])
def test_a_drafted_order_of_ours_that_cannot_be_read_is_no_empty_list(
    client: FlaskClient, changed: dict[str, Any], why: str
) -> None:
    body = patients.request(ORDERING)
    body["context"]["draftOrders"]["entry"][0]["resource"] |= changed
    response = client.post("/cds-services/ivig-order-sign", json=body)
    assert response.status_code == 422
    assert why in response.json["issue"][0]["diagnostics"]


def test_a_drafted_order_that_cannot_be_read_is_named_on_the_card_of_another(client: FlaskClient) -> None:
    body = patients.request(ORDERING)
    order = body["context"]["draftOrders"]["entry"][0]["resource"]
    body["context"]["draftOrders"]["entry"].append({"resource": order | MODIFIED | {"id": "odd"}})
    (card,) = client.post("/cds-services/ivig-order-sign", json=body).json["cards"]
    assert "MedicationRequest/odd (it carries a modifier extension" in card["detail"]


def test_an_order_that_is_none_of_ours_may_be_unreadable(client: FlaskClient) -> None:
    body = patients.request(ORDERING | {"orders": {"paracetamol": {"atc": "N02BE01"}}})
    body["context"]["draftOrders"]["entry"][0]["resource"] |= MODIFIED
    assert client.post("/cds-services/ivig-order-sign", json=body).json == {"cards": []}


def test_a_selection_that_names_no_drafted_order_is_refused(client: FlaskClient) -> None:
    for name in ("another", "MedicationRequest/another", "urn:uuid:1"):
        assert "context.selections" in refusal(sent(client, SELECTING, selections=[name]))


def test_a_selected_order_may_be_named_by_an_absolute_reference_its_id_or_its_full_url(client: FlaskClient) -> None:
    cards = sent(client, SELECTING).json["cards"]
    for name in ("https://ehr.example.org/r4/MedicationRequest/prednisone", "prednisone"):
        assert sent(client, SELECTING, selections=[name]).json["cards"] == cards
    body = patients.request(SELECTING)
    entry = body["context"]["draftOrders"]["entry"][0]
    entry["fullUrl"] = body["context"]["selections"][0] = "urn:uuid:6f2c1a34-0000-4000-8000-000000000001"
    del entry["resource"]["id"]
    assert len(client.post("/cds-services/ivig-order-select", json=body).json["cards"]) == len(cards)


def test_where_nothing_is_drafted_or_nothing_selected_there_is_nothing_to_say(client: FlaskClient) -> None:
    assert sent(client, SELECTING, selections=[]).json == {"cards": []}
    nothing = {"resourceType": "Bundle", "type": "collection"}
    assert sent(client, SELECTING, draftOrders=nothing).json == {"cards": []}
