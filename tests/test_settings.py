"""Every setting: documented, checked, and what the ones without a home elsewhere do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import patients
from conftest import ROOT
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.fhir_servers import FhirServer
from ivig_fhir.service.settings import Settings, read_settings, settings_table
from patients import MMN

SERVICE = "/cds-services/ivig-patient-view"
ORIGIN = "https://sandbox.example.org"


def test_the_page_of_settings_lists_them_as_they_are() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert settings_table() in page, "python -m ivig_fhir.service.settings"
    for item in fields(Settings):
        assert f"`IVIG_FHIR_{item.name.upper()}`" in page


def test_settings_are_read_from_the_environment() -> None:
    read = read_settings(
        {
            "PATH": "/bin",
            "IVIG_FHIR_PUBLIC_URL": "https://cds.example.org/",
            "IVIG_FHIR_FHIR_SERVERS": "https://a.example.org/r4/, open local http://127.0.0.1:8081/fhir,",
            "IVIG_FHIR_DEADLINE_SECONDS": "1.5",
            "IVIG_FHIR_REQUIRE_AUTH": "yes",
            "IVIG_FHIR_CORS_ORIGINS": f"{ORIGIN},http://localhost:3000",
            "IVIG_FHIR_DISCOVERY_VERSION": "off",
            "IVIG_FHIR_CODE_MAP": "codes.csv",
        }
    )
    servers = (FhirServer("https://a.example.org/r4"), FhirServer("http://127.0.0.1:8081/fhir", open=True, local=True))
    assert read == Settings(
        public_url="https://cds.example.org",
        fhir_servers=servers,
        deadline_seconds=1.5,
        require_auth=True,
        cors_origins=(ORIGIN, "http://localhost:3000"),
        code_map=Path("codes.csv"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IVIG_FHIR_PUBLIC_URI", "x"),
        ("IVIG_FHIR_public_url", "https://cds.example.org"),
        ("IVIG_FHIR_PUBLIC_URL", "cds.example.org"),
        ("IVIG_FHIR_PUBLIC_URL", "https://cds.example.org/?site=1"),
        ("IVIG_FHIR_PUBLIC_URL", "https://cds.example.org/#cds"),
        ("IVIG_FHIR_MAX_REQUEST_BYTES", "-1"),
        ("IVIG_FHIR_MAX_PAGES", "0"),
        ("IVIG_FHIR_DEADLINE_SECONDS", "nan"),
        ("IVIG_FHIR_DEADLINE_SECONDS", "0"),
        ("IVIG_FHIR_FHIR_SERVERS", "http://ehr.example.org"),
        ("IVIG_FHIR_FHIR_SERVERS", "public https://ehr.example.org"),
        ("IVIG_FHIR_REQUIRE_AUTH", "true"),
        ("IVIG_FHIR_TRUSTED_ISSUERS", ""),
        ("IVIG_FHIR_CORS_ORIGINS", "*"),
        ("IVIG_FHIR_CORS_ORIGINS", "https://sandbox.example.org/"),
        ("IVIG_FHIR_DISCOVERY_VERSION", "3"),
        ("IVIG_FHIR_DIALECT", "cerner"),
    ],
)
def test_a_setting_that_is_unknown_or_unusable_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Problem, match=f"^{name}: is "):
        read_settings({name: value})


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(Problem) as stopped:
        read_settings({"IVIG_FHIR_DIALECT": "x", "IVIG_FHIR_MAX_PAGES": "x"})
    assert len(stopped.value.outcome.issues) == 2


def test_a_file_of_authorities_that_holds_none_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    with pytest.raises(Problem, match="IVIG_FHIR_CA_FILE"):
        create_app(Settings(ca_file=tmp_path / "ca.pem"))


def test_issuers_that_nobody_is_asked_for_are_named_at_the_start(
    tmp_path: Path, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    create_app(Settings(), content=content)
    assert "IVIG_FHIR_TRUSTED_ISSUERS" not in caplog.text
    create_app(Settings(trusted_issuers=tmp_path / "issuers.toml"), content=content)
    assert "IVIG_FHIR_TRUSTED_ISSUERS are not asked for: authentication is off" in caplog.text


# --- discovery


@pytest.fixture(scope="module")
def versioned(content: Content) -> FlaskClient:
    return create_app(Settings(discovery_version="3.0.0-ballot"), content=content).test_client()


def test_ch_16_17_versions_stand_in_discovery_only_when_set(client: FlaskClient, versioned: FlaskClient) -> None:
    plain = client.get("/cds-services").json["services"]
    assert not any({"version", "hookVersion"} & item.keys() for item in plain)
    told = versioned.get("/cds-services").json["services"]
    assert {(item["version"], item["hookVersion"]) for item in told} == {("3.0.0-ballot", "1.0")}
    assert [{k: v for k, v in item.items() if k not in ("version", "hookVersion")} for item in told] == plain


# --- the reader


@pytest.fixture(scope="module")
def without_patients(clock: Any, content: Content) -> FlaskClient:
    chosen = Settings(public_url="https://cds.example.org", patient_wording=False)
    return create_app(chosen, clock, content).test_client()


@pytest.mark.parametrize(
    ("user", "professional"),
    [
        ("Practitioner/d1", True),
        ("PractitionerRole/r1", True),
        ("Patient/p1", False),
        ("RelatedPerson/m1", False),
        ("Device/x", False),
        ("d1", False),
    ],
)
def test_who_reads_decides_the_wording_and_the_patient_wording_can_be_switched_off(
    client: FlaskClient, without_patients: FlaskClient, user: str, professional: bool
) -> None:
    body = patients.request(MMN)
    body["context"]["userId"] = user
    shown = client.post(SERVICE, json=body).json["cards"]
    assert any("overrideReasons" in card for card in shown) is professional
    assert without_patients.post(SERVICE, json=body).json == {"cards": shown if professional else []}


# --- other web origins


@pytest.fixture(scope="module")
def browser(content: Content) -> FlaskClient:
    return create_app(Settings(cors_origins=(ORIGIN,)), content=content).test_client()


@pytest.mark.parametrize("path", ["/cds-services", SERVICE, f"{SERVICE}/feedback"])
def test_ch_07_a_listed_origin_may_ask_before_it_calls(browser: FlaskClient, path: str) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = browser.options(path, headers=asks | {"Access-Control-Request-Headers": "authorization,content-type"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, X-Request-Id"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


def test_ch_07_answers_and_failures_may_be_read_by_a_listed_origin(browser: FlaskClient) -> None:
    good = browser.get("/cds-services", headers={"Origin": ORIGIN})
    bad = browser.post(SERVICE, data=b"{", content_type="application/json", headers={"Origin": ORIGIN})
    assert (good.status_code, bad.status_code) == (200, 400)
    assert {good.headers["Access-Control-Allow-Origin"], bad.headers["Access-Control-Allow-Origin"]} == {ORIGIN}
    assert "X-Request-Id" in bad.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "", f"{ORIGIN}.evil.example.org", "*"])
def test_ch_07_no_other_origin_may(browser: FlaskClient, client: FlaskClient, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for asked in (browser, client):
        for response in (asked.options(SERVICE, headers=asks), asked.get("/cds-services", headers={"Origin": origin})):
            assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
