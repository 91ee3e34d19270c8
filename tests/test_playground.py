"""The playground over HTTP: the same cards as the service gives, and nothing of the record stays behind."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from dataclasses import asdict
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

import patients
from conftest import ROOT
from editions import published
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import EXTENSION, Origin
from ivig_fhir.cds_hooks.requests import read_request
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.examples import Example, examples
from ivig_fhir.pages.playground import form_of
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings
from live import serving
from test_pages import words

MARK = "Zyxwvut-4711"


@pytest.fixture(scope="module")
def site() -> FlaskClient:
    return published()


def fields(example: Example, **changed: str) -> dict[str, str]:
    return asdict(form_of(example)) | {"action": "run"} | changed


def run(site: FlaskClient, values: dict[str, str], status: int = 200) -> str:
    response = site.post("/try", data=values)
    assert response.status_code == status
    return response.get_data(as_text=True)


def pre(html: str, name: str) -> str:
    """The text of a <pre>."""
    (found,) = re.findall(rf'<pre id="{name}"[^>]*>(.*?)</pre>', html, re.DOTALL)
    return unescape(found)


def test_the_examples_are_what_the_tool_makes_of_the_cases() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "examples.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, f"python tools/examples.py\n{checked.stdout}{checked.stderr}"


@pytest.mark.parametrize("example", examples().values(), ids=list(examples()))
def test_an_example_shows_the_cards_that_the_service_gives(
    example: Example, site: FlaskClient, content: Content
) -> None:
    loaded = run(site, {"action": "load", "example": example.id})
    assert example.title in unescape(loaded)
    html = run(site, fields(example))
    sent = pre(html, "curl").partition("<<'REQUEST'\n")[2].removesuffix("REQUEST\n")
    request = read_request(sent.encode(), example.hook)
    answer = Responder(content).answer(
        request, date.fromisoformat(example.at), Origin("", f"ivig-{example.hook}", "https://cds.example.org")
    )
    assert pre(html, "response") == dumps(answer)
    assert len(re.findall(r'<article class="card', html)) == len(answer["cards"])
    for card in answer["cards"]:
        assert unescape(html).count(card["summary"])
        for unit in card["extension"][EXTENSION]["recommendations"]:
            assert f'id="why-{unit["id"]}"' in html


ORDERING = patients.MMN | {"hook": "order-sign", "orders": {"prednisone": {"atc": "H02AB07"}}}
HARD: dict[str, dict[str, Any]] = {
    "a drafted order, and no problem list": ORDERING | {"unavailable": ["conditions"]},
    "a drafted order, and a problem list that failed": ORDERING | {"failed": ["conditions"]},
    "a drafted order, and one page of the problem list": ORDERING | {"cut": ["conditions"], "conditions": {}},
    "a drafted immunoglobulin, and no problem list": ORDERING
    | {"orders": {"ivig": {"atc": "J06BA02"}}, "unavailable": ["conditions"]},
    "no order and no problem list": ORDERING | {"orders": {}, "unavailable": ["conditions"]},
}


@pytest.mark.parametrize("facts", HARD.values(), ids=HARD)
def test_what_the_service_answers_in_spite_of_missing_data_is_shown(
    facts: dict[str, Any], site: FlaskClient, content: Content
) -> None:
    body = dumps(patients.request(facts))
    origin = Origin("", "ivig-order-sign", "https://cds.example.org")
    answer = Responder(content).answer(read_request(body.encode(), "order-sign"), date(2026, 3, 2), origin)
    html = run(site, {"action": "run", "record": body, "at": "2026-03-02", "topic": "mmn"})
    assert pre(html, "response") == dumps(answer)
    for card in answer["cards"]:
        assert unescape(html).count(card["summary"])
    assert '<span class="state applicable">0 applicable on a card</span>' in html
    assert '<span class="state conditional">0 conditional on a card</span>' in html


def test_what_the_service_cannot_answer_is_412_here_too(site: FlaskClient) -> None:
    body = dumps(patients.request(patients.MMN | {"unavailable": ["conditions"]}))
    assert "prefetch.conditions" in run(site, {"action": "run", "record": body}, 412)


def test_a_request_is_read_as_the_dialect_of_the_service_means_it(content: Content) -> None:
    coding = {"system": "urn:oid:1.2.840.114350.1.13.861.1.7.2.657369", "code": "4101"}
    issue = {"severity": "warning", "code": "processing", "details": {"coding": [coding]}}
    empty = {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome", "issue": [issue]}}
    body = patients.request(patients.MMN)
    body["prefetch"]["medications"] |= {"entry": [empty]}
    for dialect, not_evaluated in (("strict", ["medications"]), ("epic", [])):
        app = create_app(Settings(dialect=dialect), lambda: date(2026, 3, 2), content).test_client()
        told = json.loads(pre(run(app, {"action": "run", "record": dumps(body)}), "response"))
        assert told == app.post("/cds-services/ivig-patient-view", json=body).json
        assert told["cards"][0]["extension"][EXTENSION]["notEvaluated"] == not_evaluated
        assert app.post("/explain", json=body).json["notEvaluated"] == not_evaluated


def test_where_patients_are_shown_no_card_the_page_says_so(content: Content) -> None:
    app = create_app(Settings(patient_wording=False), lambda: date(2026, 3, 2), content).test_client()
    html = run(app, fields(examples()["mmn-ivig"], reader="patient"), 422)
    assert "IVIG_FHIR_PATIENT_WORDING=yes" in html


def test_the_reasons_name_each_unit_and_its_state(site: FlaskClient, content: Content) -> None:
    html = run(site, fields(examples()["mmn-steroid"]))
    for name in content.units:
        assert f'id="why-{name}"' in html
    (reason,) = re.findall(
        r'<details class="reason applicable" id="why-mmn-steroid".*?</details>\s*</li>', html, re.DOTALL
    )
    assert "Condition/" in reason
    assert "✓" in reason


def test_every_sentence_of_a_card_leads_to_its_statement_and_its_disagreements(
    site: FlaskClient, content: Content
) -> None:
    """One click: the id in the card; two: the card's link, then the id on that page. Then the source and its lines."""
    for example in examples().values():
        html = run(site, fields(example))
        cards = json.loads(pre(html, "response"))["cards"]
        for card in cards if example.reader == "professional" else ():
            page = site.get(urlsplit(card["source"]["url"]).path).get_data(as_text=True)
            units = card["extension"][EXTENSION]["recommendations"]
            named = {name for unit in units for name in unit["statements"]}
            for name in named:
                assert f'<li class="statement" id="{name}">' in page, f"{card['source']['url']}: {name}"
                assert content.statements[name].one("lines")
            for name in {name for unit in units for name in unit["conflicts"]}:
                assert re.search(rf'<article class="conflict \w+" id="{name}"', page), f"{example.id}: {name}"
            topic = card["source"]["topic"]["code"]
            for name in set(re.findall(r"\b[SX]\d?-\d{2,3}\b", card["detail"])):
                assert f'<a class="ref" href="guidance/{topic}#{name}" target="_blank"' in html
                assert f'id="{name}"' in page, f"{example.id}: {name}"


def test_a_card_for_a_patient_leads_to_the_page_for_patients(site: FlaskClient) -> None:
    html = run(site, fields(examples()["mmn-course"]))
    links = re.findall(r'<a class="ref" href="(.*?)" target', html)
    assert links
    for link in links:
        path, _, name = link.partition("#")
        assert path.endswith("?reader=patient")
        assert f'id="{name}"' in site.get(f"/{path}").get_data(as_text=True)


def test_choosing_an_example_runs_it_at_once(site: FlaskClient) -> None:
    html = run(site, {"action": "load", "example": "mmn-steroid"})
    assert '<article class="card warning"' in html
    empty = run(site, {"action": "load", "example": ""})
    assert '<article class="card' not in empty


def test_what_would_change_another_topic_is_asked_with_a_button(site: FlaskClient) -> None:
    example = examples()["mmn-steroid"]
    (button,) = re.findall(r'<button [^>]*name="ask" value="mg"[^>]*>', run(site, fields(example)))
    assert 'form="form"' in button
    asked = run(site, fields(example, ask="mg"))
    missed = asked[asked.index('id="missed"') : asked.index('<details class="topic"')]
    assert "“Myasthenia gravis”" in missed
    assert "why-mg-crisis" in missed


def test_a_topic_of_which_no_card_speaks_stays_closed(site: FlaskClient) -> None:
    html = run(site, fields(examples()["mg-mild"]))
    opened = re.findall(r'<details class="topic"( open)?>\s*<summary>(.*?) <span', html)
    shown = [title for state, title in opened if state]
    assert shown == ["Myasthenia gravis", "Immunoglobulin: safety and monitoring", "General remarks"]
    assert "1 applicable" in re.findall(r"<summary>Vasculitic neuropathy (.*?)</summary>", html)[0]


def test_an_edited_order_changes_the_cards(site: FlaskClient) -> None:
    example = examples()["mmn-steroid"]
    assert '<article class="card warning"' in run(site, fields(example))
    assert '<article class="card' not in run(site, fields(example, orders="[]"))


def test_another_hook_and_another_day_count(site: FlaskClient) -> None:
    example = examples()["mg-modsev"]
    state = r'<details class="reason (\w+)" id="why-mg-modsev"'
    assert re.findall(state, run(site, fields(example))) == ["applicable"]
    assert re.findall(state, run(site, fields(example, at="2027-03-02"))) == ["conditional"]
    assert re.findall(state, run(site, fields(example, hook="order-sign"))) == ["applicable"]


def test_a_pasted_request_is_run_as_it_stands(site: FlaskClient) -> None:
    facts = {
        "at": "2026-03-02",
        "hook": "order-sign",
        "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
        "orders": {"prednisone": {"atc": "H02AB07"}},
    }
    html = run(site, {"record": json.dumps(patients.request(facts)), "action": "run", "at": "2026-03-02"})
    assert '<article class="card warning"' in html


def test_a_named_set_of_facts_can_be_added_and_shows_the_unit(site: FlaskClient) -> None:
    example = examples()["mg-mild"]
    html = run(site, fields(example))
    (facts,) = re.findall(r'why-mg-modsev">.*?name="facts" value="(.*?)"', html, re.DOTALL)[:1]
    after = run(site, fields(example, facts=unescape(facts)))
    assert re.search(r'<details class="reason (applicable|conditional)" id="why-mg-modsev"', after)


@pytest.mark.parametrize(("orders", "hook"), [("", "patient-view"), ("[]", "patient-view"), (None, "order-sign")])
def test_a_pasted_bundle_needs_no_hook(orders: str | None, hook: str, site: FlaskClient) -> None:
    values = fields(examples()["mmn-steroid"], hook="")
    html = run(site, values | ({} if orders is None else {"orders": orders}))
    assert f'<option value="{hook}" selected>' in html
    assert f"/cds-services/ivig-{hook}" in html


def test_reasons_are_told_in_words_of_the_clinic(site: FlaskClient, content: Content) -> None:
    html = words(run(site, fields(examples()["mg-mild"])))
    assert "problem: Myasthenia gravis without (acute) exacerbation" in html
    assert f"Why: {content.units['mg-mild'].title}" in html
    for state in ("applicable all that", "conditional something", "silent something"):
        assert state in html
    assert "Condition: Myasthenia" not in html


def test_a_question_stands_once_beside_what_it_decides(site: FlaskClient, content: Content) -> None:
    html = run(site, fields(examples()["mg-modsev"], at="2027-03-02"))
    unit = unescape(html.partition('id="why-mg-modsev"')[2].partition('class="reason')[0])
    (asked,) = {item.asks.fact for item in content.units["mg-modsev"].criteria if item.asks and item.asks.fact in unit}
    assert unit.count(asked) == 1


def test_the_playground_says_that_it_shows_a_draft(site: FlaskClient) -> None:
    assert "not reviewed by a clinician" in words(site.get("/try").get_data(as_text=True).partition("<form")[0])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"record": "{"}, "body: is no JSON"),
        ({"record": " "}, "record: is empty"),
        ({"hook": "signing", "record": '{"resourceType": "Bundle"}'}, "hook: is"),
        ({"at": "soon"}, "at: is"),
        ({"orders": "{"}, "orders: is no JSON"),
        ({"topic": "gout"}, "topic: is"),
        ({"record": '{"resourceType": "Bundle", "entry": []}'}, "holds 0 patients"),
    ],
)
def test_what_cannot_be_evaluated_is_said_and_stays_in_the_form(
    site: FlaskClient, changed: dict[str, str], says: str
) -> None:
    values = fields(examples()["mg-mild"], **changed)
    response = site.post("/try", data=values)
    assert 400 <= response.status_code < 500
    html = unescape(response.get_data(as_text=True))
    assert says in html
    assert values["record"].strip() in html


def test_html_in_a_record_stays_text(site: FlaskClient) -> None:
    example = examples()["mg-mild"]
    record = json.loads(dumps(example.record))
    for entry in record["entry"]:
        if entry["resource"]["resourceType"] == "Condition":
            entry["resource"]["id"] = "x"
            entry["resource"]["code"]["coding"][0]["display"] = "<img src=x onerror=alert(1)>"
    html = run(site, fields(example, record=json.dumps(record)))
    assert "<img" not in html
    assert "&lt;img" in html


def marked() -> dict[str, Any]:
    """A request whose every place for a name, a number or a text carries the mark."""
    facts = {
        "at": "2026-03-02",
        "hook": "patient-view",
        "conditions": {"mmn": {"icd-10-cm": "G61.82", "text": MARK}},
    }
    body = patients.request(facts)
    body["prefetch"]["patient"] |= {"name": [{"family": MARK}], "identifier": [{"value": MARK}]}
    return json.loads(json.dumps(body).replace("p1", f"p1-{MARK}"))  # type: ignore[no-any-return]


def test_nothing_of_a_record_is_cached_logged_or_put_in_an_address(
    site: FlaskClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        site.post("/try", data={"record": json.dumps(marked()), "action": "run"}),
        site.post("/try", data={"record": json.dumps(marked())[:-1], "action": "run"}),
        site.post("/explain", json=marked()),
    ]
    for response in answers:
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers
        assert "Set-Cookie" not in response.headers
        assert MARK not in str(response.headers)
    assert MARK in answers[0].get_data(as_text=True)
    assert MARK not in caplog.text
    assert MARK not in "".join(capfd.readouterr())
    assert site.get("/try").headers["Cache-Control"] == "no-store"
    assert 'method="post"' in site.get("/try").get_data(as_text=True)
    assert 'method="get"' not in answers[0].get_data(as_text=True).lower()


def test_the_server_keeps_nothing_of_a_record_in_log_store_or_metrics(tmp_path: Path) -> None:
    log, store = tmp_path / "log", tmp_path / "store.db"
    with serving(log, {"IVIG_FHIR_STORE": str(store)}) as server:
        url = server.url
        form = urllib.parse.urlencode({"record": json.dumps(marked()), "action": "run"}).encode()
        assert MARK in urllib.request.urlopen(f"{url}/try", form).read().decode()
        broken = urllib.request.Request(
            f"{url}/explain", b"{" + json.dumps(marked()).encode(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(broken)
        refused.value.close()
        assert refused.value.code == 400
        assert MARK not in urllib.request.urlopen(f"{url}/metrics").read().decode()
    kept = list(tmp_path.iterdir())
    assert store in kept
    for path in kept:
        assert MARK.encode() not in path.read_bytes(), path.name


def test_an_order_whose_patient_could_not_be_read_has_its_card_here_too(site: FlaskClient) -> None:
    facts = {
        "at": "2026-03-02",
        "hook": "order-sign",
        "conditions": {"asthma": {"icd-10-cm": "J45.909"}},
        "orders": {"prednisone": {"atc": "H02AB07"}},
        "cut": ["conditions"],
    }
    html = run(site, {"record": json.dumps(patients.request(facts)), "action": "run", "at": "2026-03-02"})
    (card,) = json.loads(pre(html, "response"))["cards"]
    assert card["extension"][EXTENSION]["recommendations"] == []
    assert card["summary"] in unescape(html)
