"""Why a unit speaks or not, as JSON: the same for the command and the service, and the same bytes every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.guidanceresponse import GuidanceResponse
from fhir.resources.R4B.requestgroup import RequestGroup
from flask.testing import FlaskClient

import patients
from editions import published
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import EXTENSION, Origin
from ivig_fhir.cds_hooks.explanation import Explanation, as_json, explain
from ivig_fhir.cds_hooks.inquiries import Asked, orders_of, read_inquiry
from ivig_fhir.cds_hooks.requests import read_patient_record, read_request
from ivig_fhir.cli.explain import explain_command
from ivig_fhir.engine.candidates import candidates
from ivig_fhir.engine.inputs import extended, gather
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.examples import Example, examples
from ivig_fhir.problems import Problem
from patients import MMN

DAY = "2026-03-02"


@pytest.fixture(scope="module")
def site() -> FlaskClient:
    return published()


@pytest.fixture(scope="module")
def responder(content: Content) -> Responder:
    return Responder(content)


def dated(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"extension": {EXTENSION: {"at": DAY}}}


def explained(site: FlaskClient, document: dict[str, Any]) -> Any:
    response = site.post("/explain", json=document)
    assert response.status_code == 200
    return response.json


def parameters(facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The FHIR form of an inquiry: a Bundle with hook, day and orders."""
    request = patients.request(facts)
    found: dict[str, Any] = {}
    for value in request["prefetch"].values():
        entries = value.get("entry", [{"resource": value}])
        found |= {f"{e['resource']['resourceType']}/{e['resource']['id']}": e for e in entries}
    drafts = request["context"].get("draftOrders", {}).get("entry", [])
    parts: list[dict[str, Any]] = [
        {"name": "hook", "valueCode": facts["hook"]},
        {"name": "at", "valueDate": facts["at"]},
        {"name": "data", "resource": {"resourceType": "Bundle", "type": "collection", "entry": list(found.values())}},
        *({"name": "order", "resource": entry["resource"]} for entry in drafts),
        *({"name": name, "valueCode": value} for name, value in more.items()),
    ]
    return {"resourceType": "Parameters", "parameter": parts}


def units(explanation: Any) -> dict[str, Any]:
    return {unit["id"]: unit for unit in explanation["units"]}


def test_every_unit_is_explained_with_all_of_its_criteria(site: FlaskClient, content: Content) -> None:
    found = units(explained(site, dated(patients.request(MMN))))
    assert set(found) == set(content.units)
    for plan in content.plans:
        for unit in plan.units:
            told = [step["criterion"] for step in found[unit.id]["trace"]]
            assert told == [criterion.id for criterion in (*plan.criteria, *unit.criteria)]


def test_an_applicable_unit_names_the_fact_that_decided(site: FlaskClient) -> None:
    unit = units(explained(site, dated(patients.request(MMN))))["mmn-ivig"]
    assert (unit["applicability"], unit["card"]) == ("applicable", "mmn")
    (step,) = [step for step in unit["trace"] if step["criterion"] == "mmn-current"]
    assert (step["truth"], step["decidedBy"]) == ("true", [{"reference": "Condition/mmn"}])


def test_a_silent_unit_names_the_criterion_that_silenced_it(site: FlaskClient, content: Content) -> None:
    unit = units(explained(site, dated(patients.request(MMN))))["mg-mild"]
    assert unit["applicability"] == "silent"
    assert unit["silentFor"] == content.units["mg-mild"].criteria[0].reads
    assert unit["trace"][1]["truth"] == "false"


def test_what_could_not_be_had_is_unknown_and_named(site: FlaskClient) -> None:
    found = explained(site, dated(patients.request(MMN | {"unavailable": ["medications"]})))
    assert found["notEvaluated"] == ["medications"]
    unit = units(found)["mg-afterfail"]
    (step,) = [step for step in unit["trace"] if step["criterion"] == "treatment-fell-short"]
    assert step["truth"] == "unknown"
    assert {item["available"] for item in step["inputs"] if item["type"] == "MedicationRequest"} == {False}


def test_where_the_service_says_nothing_no_unit_stands_on_a_card(site: FlaskClient) -> None:
    facts = MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}}
    assert explained(site, dated(patients.request(facts)))["cards"]
    found = explained(site, dated(patients.request(facts | {"reader": "patient"})))
    assert found["cards"] == []
    assert not any("card" in unit for unit in found["units"])


def test_missing_conditions_are_no_explanation(site: FlaskClient) -> None:
    with pytest.raises(Problem, match=r"prefetch\.conditions"):
        site.post("/explain", json=patients.request(MMN | {"unavailable": ["conditions"]}))


def test_command_and_service_give_the_same_bytes(site: FlaskClient, tmp_path: Path) -> None:
    orders = {"prednisone": {"atc": "H02AB07"}}
    for number, document in enumerate(
        (
            dated(patients.request(MMN | {"hook": "order-sign", "orders": orders})),
            parameters(MMN | {"hook": "order-select", "orders": orders}, topic="mg"),
        )
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(document), "utf-8")
        run = CliRunner().invoke(explain_command, [str(path)], catch_exceptions=False)
        assert run.output.encode() == site.post("/explain", json=document).data


def test_other_processes_give_the_same_bytes(site: FlaskClient, tmp_path: Path) -> None:
    """Whatever order a process keeps its sets in."""
    document = parameters(MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}}, topic="mmn")
    path = tmp_path / "inquiry.json"
    path.write_text(json.dumps(document), "utf-8")
    for seed in ("1", "4711"):
        run = subprocess.run(
            [Path(sys.executable).parent / "ivig-fhir", "explain", path],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert run.stdout == site.post("/explain", json=document).data


def test_a_bundle_with_options_is_the_same_inquiry_as_parameters(site: FlaskClient, tmp_path: Path) -> None:
    facts = MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}}
    document = parameters(facts)
    parts = {part["name"]: part for part in document["parameter"]}
    bundle, order = tmp_path / "bundle.json", tmp_path / "order.json"
    bundle.write_text(json.dumps(parts["data"]["resource"]), "utf-8")
    order.write_text(json.dumps(parts["order"]["resource"]), "utf-8")
    run = CliRunner().invoke(
        explain_command,
        [str(bundle), "--hook", "order-sign", "--at", DAY, "--order", str(order)],
        catch_exceptions=False,
    )
    assert run.output.encode() == site.post("/explain", json=document).data
    (card,) = json.loads(run.output)["cards"]
    assert card["indicator"] == "warning"


def test_the_hashes_follow_the_input(site: FlaskClient, content: Content) -> None:
    first = explained(site, dated(patients.request(MMN)))
    again = explained(site, dated(patients.request(MMN)))
    other = explained(site, dated(patients.request(MMN | {"patient": {"born": "1982-07-02"}})))
    later = explained(site, dated(patients.request(MMN)) | {"extension": {EXTENSION: {"at": "2026-03-03"}}})
    assert first == again
    assert first["contentHash"] == content.definitions.content_hash
    assert len({item["inputHash"] for item in (first, other, later)}) == 3


def test_a_token_is_not_part_of_the_hash(site: FlaskClient) -> None:
    body = dated(patients.request(MMN))
    carrying = body | {"fhirServer": "https://ehr.example.org", "fhirAuthorization": {"access_token": "secret"}}
    without = body | {"fhirServer": "https://ehr.example.org"}
    assert explained(site, carrying)["inputHash"] == explained(site, without)["inputHash"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"resourceType": "Bundle"}', "hook"),
        (b'{"resourceType": "Parameters"}', "Parameters.data"),
        (b'{"resourceType": "Patient"}', "body"),
        (json.dumps(parameters(MMN | {"at": "yesterday"})).encode(), "at"),
        (json.dumps(parameters(MMN, topic="gout")).encode(), "topic"),
    ],
)
def test_an_inquiry_that_cannot_be_read_says_where(site: FlaskClient, body: bytes, where: str) -> None:
    with pytest.raises(Problem) as stopped:
        site.post("/explain", data=body, content_type="application/json")
    assert stopped.value.category == "malformed"
    assert {issue.where for issue in stopped.value.outcome.issues} == {where}


def test_two_patients_in_a_bundle_are_refused(site: FlaskClient) -> None:
    document = parameters(MMN)
    bundle = document["parameter"][2]["resource"]
    bundle["entry"].append({"resource": {"resourceType": "Patient", "id": "p2"}})
    with pytest.raises(Problem, match="holds 2 patients"):
        site.post("/explain", json=document)


# --- GuidanceResponse


@pytest.mark.parametrize("example", examples().values(), ids=list(examples()))
def test_each_guidance_response_is_valid_r4_and_holds_what_stands(
    example: Example, responder: Responder, content: Content
) -> None:
    explanation = of_example(example, responder, content)
    standing = {item.unit.id for item in explanation.evaluation.findings if item.applicability != "silent"}
    told: set[str] = set()
    for response in as_json(explanation, content)["guidanceResponses"]:
        response = json.loads(dumps(response))
        GuidanceResponse.model_validate(response)
        group, output = response["contained"][0], response["contained"][1]
        RequestGroup.model_validate(group)
        contained = {f"#{item['id']}" for item in response["contained"]}
        actions = group["action"][0]["action"]
        assert {action["resource"]["reference"] for action in actions} <= contained
        told |= {action["id"] for action in actions}
        assert [part["name"] for part in output["parameter"]] == [action["id"] for action in actions]
        unknown = any(part["part"][0]["valueCode"] == "conditional" for part in output["parameter"])
        assert (response["status"] == "data-requested") == ("dataRequirement" in response)
        assert unknown or response["status"] == "success"
    assert told == standing


def of_example(example: Example, responder: Responder, content: Content, topic: str = "") -> Explanation:
    asked = Asked(example.hook, example.at, example.reader, topic, example.orders)
    return explain(read_inquiry(dumps(example.record).encode(), asked, date(2026, 3, 2), content), responder)


# --- what would make a silent unit appear


def on_cards(document: dict[str, Any], responder: Responder, at: date) -> dict[str, str]:
    """What an EHR that sends this request gets: unit -> applicability."""
    request = read_request(dumps(document).encode(), document["hook"])
    cards = responder.answer(request, at, Origin("", "test", ""))["cards"]
    bodies = [card["extension"][EXTENSION] for card in cards]
    found = {unit["id"]: unit["applicability"] for body in bodies for unit in body["recommendations"]}
    return found | {name: "applicable" for body in bodies for name in body.get("notices", ())}


def with_added(document: dict[str, Any], facts: list[dict[str, Any]], content: Content) -> dict[str, Any]:
    """The request as it would be, had the EHR held these facts."""
    changed: dict[str, Any] = json.loads(dumps(document))
    for fact in facts:
        if fact["status"] == "draft" if "status" in fact else False:
            changed["context"]["draftOrders"]["entry"].append({"resource": fact})
            changed["context"].get("selections", []).append(f"{fact['resourceType']}/{fact['id']}")
            continue
        for key in content.prefetch.values():
            if key.type == fact["resourceType"] and key.key in changed["prefetch"]:
                changed["prefetch"][key.key]["entry"].append({"resource": fact})
    return changed


PATIENTS = [name for name, item in examples().items() if "hook" not in item.record]


@pytest.mark.parametrize("name", PATIENTS)
def test_the_facts_named_do_make_it_appear_and_none_of_them_alone_does(
    name: str, responder: Responder, content: Content
) -> None:
    example = examples()[name]
    explanation = of_example(example, responder, content, example.topic)
    inquiry = explanation.inquiry
    for item in explanation.counterfactuals:
        facts = [fact.resource for fact in item.facts]
        assert len(facts) <= 2
        assert item.unit.id not in on_cards(inquiry.document, responder, inquiry.at)
        if facts:
            after = on_cards(with_added(inquiry.document, facts, content), responder, inquiry.at)
            assert after.get(item.unit.id) == item.applicability
        if len(facts) == 2:
            for fact in facts:
                alone = on_cards(with_added(inquiry.document, [fact], content), responder, inquiry.at)
                assert item.unit.id not in alone


def test_facts_are_found_for_most_silent_units(responder: Responder, content: Content) -> None:
    """The search may miss a set; here it is told how often it may, of all units that a fact could show."""
    inquiry = read_inquiry(dumps(patients.request(MMN)).encode(), Asked(at=DAY), date(2026, 3, 2), content)
    silent, found = 0, 0
    for plan in content.plans:
        explanation = explain(
            read_inquiry(dumps(inquiry.document).encode(), Asked(at=DAY, topic=plan.topic), inquiry.at, content),
            responder,
        )
        for item in explanation.counterfactuals:
            if inquiry.request.hook in item.unit.hooks and item.unit.how == "opens" and item.unit.reader != "patient":
                silent += 1
                found += bool(item.facts)
    assert silent > 5
    assert found / silent > 0.8


def test_a_fact_of_mild_disease_is_found_for_the_mild_unit(responder: Responder, content: Content) -> None:
    mg = MMN | {
        "conditions": {"mg": {"icd-10-cm": "G70.00"}},
        "observations": {"c": {"scale": "mgfa-class", "value": "IIIa", "date": "2026-02-20"}},
    }
    inquiry = read_inquiry(dumps(patients.request(mg)).encode(), Asked(at=DAY, topic="mg"), date(2026, 3, 2), content)
    found = {item.unit.id: item for item in explain(inquiry, responder).counterfactuals}
    (fact,) = found["mg-mild"].facts
    assert found["mg-mild"].applicability == "applicable"
    assert fact.resource["valueString"] == "I"


def test_where_the_problem_list_could_not_be_read_no_fact_is_said_to_bring_a_unit_on(
    responder: Responder, content: Content
) -> None:
    facts = MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}, "unavailable": ["conditions"]}
    asked = Asked(at=DAY, topic="mmn")
    explanation = explain(
        read_inquiry(dumps(patients.request(facts)).encode(), asked, date(2026, 3, 2), content), responder
    )
    assert len(explanation.cards) == 1
    assert explanation.counterfactuals
    assert not any(item.facts for item in explanation.counterfactuals)


def test_an_order_of_a_bundle_keeps_the_medicine_that_it_names_by_the_address_of_its_entry(
    responder: Responder,
) -> None:
    medicine = {
        "resourceType": "Medication",
        "code": {"coding": [{"system": "http://www.whocc.no/atc", "code": "H02AB07"}]},
    }
    order = {
        "resourceType": "MedicationRequest",
        "id": "prednisone",
        "status": "draft",
        "intent": "order",
        "medicationReference": {"reference": "urn:uuid:m"},
        "subject": {"reference": "Patient/p1"},
    }
    bundle = {"resourceType": "Bundle", "entry": [{"resource": order}, {"fullUrl": "urn:uuid:m", "resource": medicine}]}
    (drafted, _) = orders_of(dumps(bundle))
    asked = Asked("order-sign", "2026-03-02", orders=(drafted,))
    record = dumps(patients.request(MMN)).encode()
    explanation = explain(read_inquiry(record, asked, date(2026, 3, 2), responder.content), responder)
    assert explanation.cards[0][1] == "warning"


@pytest.mark.parametrize("entry", ["text", None, {"resource": 1}, {}])
def test_what_is_no_resource_among_the_orders_is_named(entry: Any) -> None:
    with pytest.raises(Problem, match="holds something that is no resource"):
        orders_of(dumps({"resourceType": "Bundle", "entry": [entry]}))


def test_files_that_are_no_utf_8_are_named(tmp_path: Path) -> None:
    bad, request = tmp_path / "bad.json", tmp_path / "request.json"
    bad.write_bytes(b"\xff\xfe")
    request.write_text(dumps(patients.request(MMN)), "utf-8")
    for arguments in ([str(bad)], [str(request), "--order", str(bad)]):
        result = CliRunner().invoke(explain_command, arguments)
        assert isinstance(result.exception, Problem)
        assert str(bad) in str(result.exception)


def test_orders_may_come_as_one_as_a_list_or_as_a_bundle() -> None:
    order = {"resourceType": "MedicationRequest", "id": "o"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    for form in (order, [order], bundle):
        assert orders_of(json.dumps(form)) == (order,)
    assert orders_of("  ") == ()
    with pytest.raises(Problem, match="orders"):
        orders_of("[1]")


@pytest.mark.parametrize("name", ["mg-mild", "gbs-dose"])  # with results of which the newest counts
def test_facts_tried_one_by_one_are_those_of_the_whole_record(
    name: str, responder: Responder, content: Content
) -> None:
    """The search adds to what was gathered; gathering the record with them anew must find the same."""
    inquiry = of_example(examples()[name], responder, content).inquiry
    record, _ = read_patient_record(inquiry.request, content)
    base = gather(record, content, responder.index, inquiry.at)
    criteria = [
        item for plan in content.plans if plan.topic in ("mg", "gbs") for u in plan.units for item in u.criteria
    ]
    facts = candidates(criteria, content, inquiry.request.patient_id, inquiry.at)
    assert facts
    for fact in facts:
        whole = gather(fact.added_to(record), content, responder.index, inquiry.at)
        more = extended(base, [fact.resource], record, content, responder.index)
        assert more.unavailable == whole.unavailable
        assert contents(more.inputs) == contents(whole.inputs)


def contents(inputs: Mapping[str, tuple[dict[str, Any], ...]]) -> dict[str, list[str]]:
    return {name: sorted(map(dumps, found)) for name, found in inputs.items()}


def test_the_order_of_keys_does_not_count_in_the_hash(site: FlaskClient) -> None:
    body = dated(patients.request(MMN))
    turned = json.loads(json.dumps(body), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert list(turned) != list(body)
    assert explained(site, turned)["inputHash"] == explained(site, body)["inputHash"]
