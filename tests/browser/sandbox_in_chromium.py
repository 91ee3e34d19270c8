"""The public CDS Hooks sandbox, a client that is not ours, in a real Chromium against the service (docs/integration).

    SANDBOX_URL=http://127.0.0.1:8000 .venv/bin/python -m pytest tests/browser/sandbox_in_chromium.py

Not part of `make test`. The sandbox is served by whoever runs this; SCREENSHOTS names a folder for pictures, if any.
Every host but loopback is out of the browser's reach.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, Response, sync_playwright

import patients
import web
from ivig_fhir.service.feedback_report import report
from live import serving

SANDBOX = os.environ.get("SANDBOX_URL", "").rstrip("/")
BORN = {"born": "1982-07-01", "sex": "female"}
CIDP: dict[str, Any] = {"patient": BORN, "conditions": {"MARKcidp": {"icd-10-cm": "G61.81", "text": "CIDP"}}}
MMN: dict[str, Any] = {"patient": BORN, "conditions": {"MARKmmn": {"icd-10-cm": "G61.82", "text": "MMN"}}}
DRUG = "Prednisone 20 MG Oral Tablet"


def fhir_server(facts: dict[str, Any]) -> web.Web:
    """A server with one patient, which a page of another origin may read."""
    text = json.dumps(patients.prefetch(facts)).replace("Patient/p1", "Patient/MARKp1")
    prefetch = json.loads(text)
    person = prefetch["patient"] | {"id": "MARKp1", "name": [{"family": "MARKfamily", "given": ["MARKgiven"]}]}
    answers = {f"/fhir/{kind}": prefetch[key] for key, kind in patients.KEYS.items()}
    answers |= {"/fhir/Patient": patients.searchset([person]), "/fhir/Patient/MARKp1": person}
    answers["/fhir/metadata"] = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    return web.Web({path: web.says(body, Access_Control_Allow_Origin="*") for path, body in answers.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[str]:
    assert SANDBOX, "SANDBOX_URL is the address at which the sandbox is served"
    chosen = {"IVIG_FHIR_CORS_ORIGINS": SANDBOX, "IVIG_FHIR_STORE": str(folder / "store.sqlite")}
    with serving(folder / "log", chosen) as server:
        yield server.url


@pytest.fixture(scope="module")
def window() -> Iterator[BrowserContext]:
    found = shutil.which("chromium")
    assert found, "no chromium; on Debian: apt-get install chromium"
    closed = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", closed])
        yield browser.new_context(viewport={"width": 1500, "height": 1200})
        browser.close()


def pictured(page: Page, name: str) -> None:
    page.wait_for_timeout(500)
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(os.environ["SCREENSHOTS"]) / f"{name}.png", full_page=True)


def address(service: str, ehr: web.Web, screen: str, hook: str) -> str:
    asked = {"fhirServiceUrl": f"{ehr.url}/fhir", "patientId": "MARKp1", "screen": screen, "hook": hook}
    return f"{SANDBOX}/?{urlencode(asked | {'serviceDiscoveryURL': f'{service}/cds-services'})}"


def posted(path: str) -> Any:
    return lambda response: response.url.endswith(path) and response.request.method == "POST"


def cards(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200, response.text()
    found: list[dict[str, Any]] = response.json()["cards"]
    return found


def sign(page: Page) -> list[dict[str, Any]]:
    with page.expect_response(posted("/ivig-order-sign")) as got:
        page.get_by_role("button", name="Sign Order").click()
    return cards(got.value)


def choose(page: Page) -> None:
    box = page.locator("input[name=medication-input]")
    box.wait_for()
    box.fill("Prednisone 20")
    page.get_by_text(DRUG, exact=True).first.click()


def test_a_patient_view_an_order_with_its_suggestion_taken_and_a_dismissal_with_a_reason_go_through(
    service: str, window: BrowserContext, folder: Path
) -> None:
    page = window.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if "Suggested resource" in said.text else None)
    with fhir_server(CIDP) as cidp, fhir_server(MMN) as mmn:
        with page.expect_response(posted("/ivig-patient-view")) as got:
            page.goto(address(service, cidp, "patient-view", "patient-view"))
        (card,) = cards(got.value)
        page.get_by_text(card["summary"], exact=True).wait_for()
        pictured(page, "sandbox-patient-view")

        page.goto(address(service, cidp, "rx-sign", "order-sign"))
        choose(page)
        (card,) = sign(page)
        pictured(page, "sandbox-order-sign")
        with page.expect_response(posted("/feedback")) as got:
            page.get_by_role("button", name=card["suggestions"][0]["label"]).click()
        assert got.value.status == 200
        with page.expect_response(posted("/ivig-order-sign")) as got:
            page.get_by_role("button", name="Sign Order").click()
        sent = json.loads(got.value.request.post_data or "")["context"]["draftOrders"]["entry"][0]["resource"]
        drafted = card["suggestions"][0]["actions"][0]["resource"]["medicationCodeableConcept"]
        assert sent["medicationCodeableConcept"]["text"] == drafted["text"]

        page.goto(address(service, mmn, "rx-sign", "order-sign"))
        choose(page)
        (card,) = sign(page)
        assert card["indicator"] == "warning"
        pictured(page, "sandbox-warning")
        page.get_by_role("button", name="select dismiss reason").click()
        pictured(page, "sandbox-reasons")
        reason = card["overrideReasons"][1]
        with page.expect_response(posted("/feedback")) as got:
            page.get_by_role("menuitem", name=reason["display"]).click()
        assert got.value.status == 200
        page.get_by_text(card["summary"], exact=True).wait_for(state="hidden")
    assert complaints == []
    units = report(folder / "store.sqlite").units
    assert (units["cidp-ivig"].shown, units["cidp-ivig"].accepted) == (2, 1)
    assert (units["mmn-steroid"].shown, units["mmn-steroid"].overridden) == (1, 1)
    assert units["mmn-steroid"].reasons == {reason["code"]: 1}


def test_and_nothing_of_the_patient_is_in_log_store_or_metrics(service: str, folder: Path) -> None:
    with urllib.request.urlopen(f"{service}/metrics") as response:
        kept = response.read().decode()
    kept += "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())
    assert "ivig-order-sign" in kept
    assert re.findall(r"MARK\w+|1982-07-01|request-123", kept) == []
