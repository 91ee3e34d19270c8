"""Requests as Epic sends them and answers as Epic takes them; the strict form beside it; the site's own codes."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients
from conftest import ROOT
from ivig_fhir.cds_hooks.completion import lacking
from ivig_fhir.cds_hooks.dialects import DIALECTS, EPIC
from ivig_fhir.cds_hooks.discovery import discovery
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.knowledge.code_map import COLUMNS, LONGEST_QUERY, read_code_map, with_code_map
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

BASE = "https://ehr.example.org/interconnect/api/FHIR/R4"
ERRORS = "urn:oid:1.2.840.114350.1.13.861.1.7.2.657369"
EXTENSION = "org.example.ivig-fhir"


@pytest.fixture(scope="module")
def epic(clock: Any, content: Content) -> FlaskClient:
    return create_app(Settings(public_url="https://cds.example.org", dialect="epic"), clock, content).test_client()


def issue(code: str, severity: str = "warning", system: str = ERRORS) -> dict[str, Any]:
    coding = [{"system": system, "code": code, "display": "…"}]
    return {"severity": severity, "code": "processing", "details": {"coding": coding, "text": "…"}}


def outcome(*issues: dict[str, Any], mode: str = "outcome") -> dict[str, Any]:
    return {"resource": {"resourceType": "OperationOutcome", "issue": list(issues)}, "search": {"mode": mode}}


def search(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    link = [{"relation": "self", "url": f"{BASE}/Condition?patient=p1"}]
    return {"resourceType": "Bundle", "type": "searchset", "total": 0, "link": link, "entry": list(entries)} | more


def epic_request() -> dict[str, Any]:
    """A drafted steroid in MMN in the shapes of Epic's documentation: OIDs, absolute references, `-user`,
    the Medication beside the order, `category` as an object, an empty search that holds an OperationOutcome."""
    subject = {"reference": f"{BASE}/Patient/p1", "display": "…"}
    condition = patients.condition("c1", {"oid-icd": "G61.82"}) | {"subject": subject}
    order = {
        "resourceType": "MedicationRequest",
        "id": "o1",
        "status": "draft",
        "intent": "order",
        "category": {"coding": [{"code": "inpatient"}], "text": "Inpatient"},
        "medicationReference": {"reference": f"{BASE}/Medication/m1", "display": "…"},
        "subject": subject,
    }
    medicine = {"resourceType": "Medication", "id": "m1", "code": {"coding": [{"system": SITE, "code": "2356"}]}}
    medicine["ingredient"] = [{"itemCodeableConcept": {"coding": [{"system": OID_RXNORM, "code": "198145"}]}}]
    prefetch = {key: search(outcome(issue("4101"))) for key in patients.KEYS}
    prefetch |= {
        "-user": {"resourceType": "PractitionerRole", "id": "r1"},
        "patient": {"resourceType": "Patient", "id": "p1", "birthDate": "1982-07-01"},
        "conditions": search({"fullUrl": f"{BASE}/Condition/c1", "resource": condition}, total=1),
    }
    entries = [{"resource": order}, {"fullUrl": f"{BASE}/Medication/m1", "resource": medicine}]
    return {
        "hook": "order-sign",
        "hookInstance": "f399c67c-c703-11ea-af16-460231621f93",
        "fhirServer": BASE,
        "context": {
            "patientId": "p1",
            "userId": "PractitionerRole/r1",
            "draftOrders": {"resourceType": "Bundle", "entry": entries},
        },
        "prefetch": prefetch,
        "extension": {"com.epic.cdshooks.request.bpa-trigger-action": "23"},
    }


SITE = "urn:oid:1.2.840.114350.1.13.861.1.7.2.698288"
OID_RXNORM = "urn:oid:2.16.840.1.113883.6.88"


def post(client: FlaskClient, body: dict[str, Any]) -> Any:
    response = client.post(f"/cds-services/ivig-{body['hook']}", json=body)
    assert response.status_code == 200, response.text
    return response.json["cards"]


def not_evaluated(cards: list[dict[str, Any]]) -> list[str]:
    return cards[0]["extension"][EXTENSION]["notEvaluated"]


def test_a_request_in_epic_s_shapes_is_read_in_full(epic: FlaskClient) -> None:
    (card, *_) = post(epic, epic_request())
    assert card["indicator"] == "warning"
    assert "MedicationRequest/o1" in card["detail"]
    assert not_evaluated([card]) == []


def test_strict_takes_an_outcome_in_a_search_for_not_knowing(epic: FlaskClient, client: FlaskClient) -> None:
    assert set(not_evaluated(post(client, epic_request()))) > set(not_evaluated(post(epic, epic_request())))


def test_the_oids_of_icd_and_rxnorm_category_as_object_and_sibling_medications_need_no_dialect(
    client: FlaskClient,
) -> None:
    (card, *_) = post(client, epic_request())
    assert card["indicator"] == "warning"
    assert "MedicationRequest/o1" in card["detail"]


NOT_EMPTY: dict[str, dict[str, Any]] = {
    "additional data may be present": search(outcome(issue("4101"), issue("4119"))),
    "a sub-resource is not authorized": search(outcome(issue("59204"))),
    "not authorized": search(outcome(issue("4118", "fatal"))),
    "no results, but as an error": search(outcome(issue("4101", "error"))),
    "the same number in another vendor's list": search(outcome(issue("4101", system="urn:oid:1.2.3"))),
    "no issue": search(outcome()),
    "no code": search(outcome({"severity": "warning", "code": "processing"})),
    "something was found, says the total": search(outcome(issue("4101")), total=3),
    "an outcome that is a match": search(outcome(issue("4101"), mode="match")),
    "one of two says something else": search(outcome(issue("4101")), outcome(issue("4119"))),
}


@pytest.mark.parametrize("answer", NOT_EMPTY.values(), ids=NOT_EMPTY)
def test_only_the_outcome_no_results_counts_as_none(epic: FlaskClient, answer: dict[str, Any]) -> None:
    body = epic_request()
    body["prefetch"]["medications"] = answer
    assert not_evaluated(post(epic, body)) == ["medications"]


def test_a_search_with_results_and_an_outcome_stays_incomplete(epic: FlaskClient) -> None:
    body = epic_request()
    body["prefetch"]["conditions"]["entry"].append(outcome(issue("4101")))
    assert not_evaluated(post(epic, body)) == ["conditions"]


# --- answers


def suggested(actions: int) -> dict[str, Any]:
    made = [{"type": "create", "description": f"action {number}", "resource": {}} for number in range(actions)]
    suggestion = {"label": "all", "uuid": "9f1f2c1e-0d1d-4f0b-9b3e-1f3f2f8a7c33", "actions": made}
    topic = {"system": "https://x.example.org/CodeSystem/ivig-topic", "code": "igm-pn", "display": "IgM"}
    return {
        "summary": "s",
        "source": {"label": "l", "topic": topic},
        "suggestions": [suggestion],
        "selectionBehavior": "at-most-one",
    }


def test_epic_gets_one_action_per_suggestion_each_with_its_own_stable_uuid() -> None:
    answer = {"cards": [suggested(2)]}
    before = copy.deepcopy(answer)
    (card,) = EPIC.outbound(answer)["cards"]
    assert [len(item["actions"]) for item in card["suggestions"]] == [1, 1]
    assert [item["label"] for item in card["suggestions"]] == ["action 0", "action 1"]
    assert len({item["uuid"] for item in card["suggestions"]} | {before["cards"][0]["suggestions"][0]["uuid"]}) == 3
    assert card["selectionBehavior"] == "any"
    assert EPIC.outbound(answer) == {"cards": [card]}
    assert answer == before
    (single,) = EPIC.outbound({"cards": [suggested(1)]})["cards"]
    assert single["suggestions"] == suggested(1)["suggestions"]


def test_epic_gets_alphanumeric_topics_and_strict_those_of_the_code_system(
    epic: FlaskClient, client: FlaskClient
) -> None:
    (card,) = EPIC.outbound({"cards": [suggested(1)]})["cards"]
    assert card["source"]["topic"]["code"] == "igmpn"
    for item, plain in zip(post(epic, epic_request()), post(client, epic_request()), strict=True):
        assert item["source"]["topic"]["system"] != plain["source"]["topic"]["system"]
        assert re.fullmatch("[A-Za-z0-9]{1,100}", item["source"]["topic"]["code"])
    assert DIALECTS["strict"].outbound({"cards": [suggested(2)]}) == {"cards": [suggested(2)]}


def test_a_card_without_suggestion_or_topic_passes_as_it_is() -> None:
    plain = {"summary": "s", "source": {"label": "l"}}
    assert EPIC.outbound({"cards": [plain]}) == {"cards": [plain]}


def test_two_topics_that_would_be_one_to_an_ehr_stop_the_start(content: Content) -> None:
    word = next(iter(content.topics.values()))
    clash = replace(content, topics={"a-b": word, "ab": word})
    with pytest.raises(Problem, match="not distinct"):
        EPIC.check(clash)
    DIALECTS["strict"].check(clash)
    with pytest.raises(Problem, match="not distinct"):
        EPIC.check(replace(content, topics={"-": word}))
    EPIC.check(content)


@pytest.mark.parametrize("dialect", [item for item in DIALECTS.values() if item.rules], ids=lambda item: item.name)
def test_every_rule_of_a_dialect_quotes_the_vendor_and_stands_in_its_build_sheet(dialect: Any) -> None:
    sheet = (ROOT / "docs" / "integration" / f"{dialect.name}.md").read_text("utf-8")
    for rule in dialect.rules:
        assert rule.quote
        assert rule.page.startswith("https://fhir.epic.com/")
        assert f"| {rule.id} |" in sheet
        assert rule.page in sheet


# --- the site's own codes

HEADER = ",".join(COLUMNS)


@pytest.fixture
def target(content: Content) -> tuple[str, str]:
    """A code that a query asks for by name, so that the query must ask for the site's code too."""
    return min(content.prefetch["weight"].codes)


def rows(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def app_with(folder: Path, text: str, clock: Any, content: Content) -> FlaskClient:
    path = folder / "codes.csv"
    path.write_text(text, "utf-8")
    return create_app(Settings(public_url="https://cds.example.org", code_map=path), clock, content).test_client()


@pytest.mark.parametrize("levels", [600, 3000])
def test_a_record_nested_deeper_than_it_can_be_followed_is_refused(
    clock: Any, content: Content, tmp_path: Path, levels: int
) -> None:
    """Python 3.11 does not read such JSON at all; later versions do, and the search for mapped codes stumbled."""
    body = patients.request(patients.MMN)
    body["prefetch"]["conditions"]["entry"][0]["resource"]["extension"] = "deep"
    sent = json.dumps(body).replace('"deep"', '[{"a":' * levels + "1" + "}]" * levels)
    mapped = app_with(tmp_path, rows("urn:oid:1.2.3.4,WT,http://loinc.org,29463-7"), clock, content)
    refused = mapped.post("/cds-services/ivig-patient-view", data=sent, content_type="application/json")
    assert refused.status_code == 400
    assert refused.json["resourceType"] == "OperationOutcome"


def test_a_code_of_the_site_is_read_through_its_map_and_the_card_says_so(
    client: FlaskClient, clock: Any, content: Content, tmp_path: Path
) -> None:
    text = rows(
        "urn:local:codes,N 61,http://hl7.org/fhir/sid/icd-10-cm,G61.82",
        f"{SITE},2356,http://www.whocc.no/atc,H02AB07",
    )
    mapped = app_with(tmp_path, text, clock, content)
    body = epic_request()
    body["prefetch"]["conditions"]["entry"][0]["resource"]["code"] = patients.codeable({"local": "N 61"})
    del body["context"]["draftOrders"]["entry"][1]["resource"]["ingredient"]
    assert not post(client, body)
    (card, *_) = post(mapped, body)
    assert card["indicator"] == "warning"
    assert "urn:local:codes|N 61 → http://hl7.org/fhir/sid/icd-10-cm|G61.82" in card["detail"]
    assert f"{SITE}|2356 → http://www.whocc.no/atc|H02AB07" in card["detail"]


def test_facts_that_needed_no_map_are_not_said_to_be_mapped(clock: Any, content: Content, tmp_path: Path) -> None:
    mapped = app_with(tmp_path, rows("urn:local:codes,N61,http://hl7.org/fhir/sid/icd-10-cm,G61.82"), clock, content)
    (card, *_) = post(mapped, epic_request())
    assert "urn:local:codes" not in card["detail"]


def test_queries_by_code_also_ask_for_the_codes_of_the_site(content: Content, target: tuple[str, str]) -> None:
    text = rows(f'urn:local:codes,"W&1,a",{target[0]},{target[1]}')
    known = read_code_map(text, "codes.csv", content)
    extended = with_code_map(content, known, "codes.csv").prefetch
    before = content.prefetch["weight"].query
    codes, rest = before.split("&_sort", 1)
    assert extended["weight"].query == f"{codes},urn:local:codes|W%261%5C%2Ca&_sort{rest}"
    assert {key for key in extended if extended[key] != content.prefetch[key]} == {"weight"}


def test_discovery_and_the_queries_to_the_ehr_are_those_of_the_site(content: Content, target: tuple[str, str]) -> None:
    asked_for = {"weight": replace(content.prefetch["weight"], required=True)}
    needing = replace(content, prefetch=content.prefetch | asked_for)
    mapped = with_code_map(needing, {("urn:local:codes", "W&1"): target}, "codes.csv")
    for item in discovery(mapped)["services"]:
        assert ",urn:local:codes|W%261&" in item["prefetch"]["weight"]
    asked = read_request(json.dumps(epic_request()).encode(), "order-sign")
    assert ",urn:local:codes%7CW%261&" in lacking(replace(asked, prefetch={}), mapped)["weight"].path


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("urn:x,a,{system}", "four values"),
        ("urn:x,,{system},{code}", "four values"),
        ("urn:x, a,{system},{code}", "four values"),
        ("urn:x,<b>,{system},{code}", "four values"),
        ("local,a,{system},{code}", "a URI"),
        ("urn:x,a,{system},nothing", "means nothing here"),
        ("urn:x,a,https://ivig-fhir.example.org/fhir/CodeSystem/ivig-hint,unreadable", "means nothing here"),
        ("{system},{code},{system},{code}", "has a meaning here already"),
        ("urn:x,good,{system},{code}", "a second time"),
    ],
)
def test_a_line_of_the_map_that_cannot_be_meant_is_named(
    content: Content, target: tuple[str, str], line: str, says: str
) -> None:
    system, code = target
    text = rows(f"urn:x,good,{system},{code}", line.format(system=system, code=code))
    with pytest.raises(Problem, match=says) as stopped:
        read_code_map(text, "codes.csv", content)
    assert "codes.csv line 3" in str(stopped.value)


def test_a_map_without_its_header_is_refused_and_a_byte_order_mark_is_not(
    content: Content, target: tuple[str, str]
) -> None:
    with pytest.raises(Problem, match="system,code,our_system,our_code"):
        read_code_map("a,b\n", "codes.csv", content)
    read = read_code_map("\ufeff" + rows(f"urn:x,a,{target[0]},{target[1]}", ""), "codes.csv", content)
    assert read == {("urn:x", "a"): target}


def test_a_map_that_makes_a_query_too_long_is_refused(content: Content, target: tuple[str, str]) -> None:
    many = {(f"urn:oid:1.2.3.{number}", "x"): target for number in range(LONGEST_QUERY // 10)}
    with pytest.raises(Problem, match="characters long"):
        with_code_map(content, many, "codes.csv")


def test_a_map_that_cannot_be_read_does_not_start(content: Content, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"none\.csv"):
        create_app(Settings(code_map=tmp_path / "none.csv"), content=content)
    (tmp_path / "latin.csv").write_bytes(b"\xe4")
    with pytest.raises(Problem, match=r"latin\.csv"):
        create_app(Settings(code_map=tmp_path / "latin.csv"), content=content)


def test_the_fixture_is_json_as_it_would_come() -> None:
    assert json.loads(json.dumps(epic_request())) == epic_request()
