"""The protocol on the wire: three servers as `make serve` starts them, asked over HTTP.

The tests that other files write for the WSGI application are imported and run again here, where the fixtures of the
same names lead to a running server instead. What they cannot reach from inside stands below.
"""
# ruff: noqa: F401 - imported tests and fixtures are found by their names

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import patients
import tokens
import web
from cases import all_cases
from live import Live, Wire, serving
from test_answers import (
    test_ch_10_11_13_14_discovery_lists_the_four_services_with_their_prefetch,
    test_ch_20_22_prefetch_uses_only_tokens_of_2_0_1_and_short_queries,
    test_ch_30_31_32_a_malformed_request_is_refused_with_its_place,
    test_ch_34_without_conditions_there_is_no_answer_and_the_query_is_named,
    test_ch_35_an_operation_outcome_in_place_of_the_patient_is_missing_data,
    test_ch_36_null_conditions_are_known_to_be_none,
    test_ch_39_a_resource_of_another_fhir_version_is_left_out_and_named,
    test_ch_51_nothing_to_say_is_an_empty_list,
)
from test_cards import (
    test_ch_02_03_nothing_empty_is_sent,
    test_ch_52_53_55_59_62_67_68_71_74_each_card_is_well_formed,
)
from test_conformance import (
    SHOWN,
    answers,
    cards,
    test_ch_01_05_50_success_is_strict_json_with_a_list_of_cards,
    test_ch_04_a_drafted_order_is_a_valid_r4_resource,
    test_ch_15_no_two_services_share_id_and_hook,
    test_ch_18_41_every_failure_is_an_operation_outcome,
    test_ch_21_23_24_templates_name_the_patient_alone_and_ask_for_the_newest_results,
    test_ch_35_an_operation_outcome_is_not_an_empty_result,
    test_ch_40_unknown_fields_and_extensions_are_ignored,
    test_ch_54_56_text_is_markdown_and_the_source_a_page_of_no_patient,
    test_ch_57_64_65_66_69_70_72_73_what_is_not_used_is_never_sent,
    test_ch_58_60_61_63_a_suggestion_has_behaviour_label_uuid_and_a_new_resource,
    test_ch_80_without_a_store_feedback_is_not_offered,
    test_ch_91_100_102_a_token_that_fails_in_any_way_gets_the_same_answer,
    test_ch_110_111_extensions_are_objects_under_a_reversed_domain,
)
from test_feedback import (
    test_ch_80_81_feedback_is_stored_and_reported_per_unit,
    test_ch_81_to_86_a_malformed_call_names_its_place_and_stores_nothing,
    test_ch_85_duplicates_batches_and_unknown_cards_are_taken,
    test_ch_86_times_of_other_zones_are_put_into_utc,
)
from test_fhir_access import HELD, MMN, TOKEN, body, page
from test_security import (
    test_a_token_with_a_wrong_claim_is_refused,
    test_ch_92_104_a_good_token_of_either_algorithm_is_let_in,
    test_ch_92_discovery_service_and_feedback_need_a_token_alike,
    test_ch_93_a_token_without_a_signature_is_refused,
    test_ch_94_a_public_key_is_not_taken_for_a_shared_secret,
    test_ch_95_98_a_token_with_a_wrong_header_is_refused,
    test_ch_97_feedback_may_name_its_service_as_audience,
    test_ch_98_a_foreign_jku_is_never_fetched,
    test_ch_98_the_configured_jku_may_be_named,
    test_ch_101_a_token_is_good_once,
    test_ch_101_two_issuers_may_use_the_same_identifier,
    test_ch_104_a_key_serves_its_one_algorithm,
)
from test_settings import (
    ORIGIN,
    test_ch_07_a_listed_origin_may_ask_before_it_calls,
    test_ch_07_answers_and_failures_may_be_read_by_a_listed_origin,
    test_ch_07_no_other_origin_may,
    test_ch_16_17_versions_stand_in_discovery_only_when_set,
)

SERVICE = "/cds-services/ivig-patient-view"
COMMON = {"IVIG_FHIR_PUBLIC_URL": tokens.PUBLIC}
HELD_BACK = tokens.ISSUER + "/given"  # an issuer whose keys were given beforehand


@dataclass(frozen=True)
class Servers:
    """As it comes; with a store, a web origin, a version and an EHR behind a proxy that ends TLS; with tokens."""

    plain: Live
    full: Live
    guarded: Live


@pytest.fixture(scope="session")
def ehr() -> Iterator[web.Web]:
    with web.Web() as running:
        yield running


@pytest.fixture(scope="session")
def keys() -> Iterator[web.Web]:
    with web.Web({"/jwks": web.says(tokens.key_set("es", "rs", "es-256", "rs-small"))}) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wire")


@pytest.fixture(scope="session")
def servers(folder: Path, ehr: web.Web, keys: web.Web) -> Iterator[Servers]:
    full = {
        "IVIG_FHIR_STORE": str(folder / "store.sqlite"),
        "IVIG_FHIR_CORS_ORIGINS": ORIGIN,
        "IVIG_FHIR_DISCOVERY_VERSION": "3.0.0-ballot",
        "IVIG_FHIR_MAX_REQUEST_BYTES": "150000",
        "IVIG_FHIR_FHIR_SERVERS": f"local {ehr.url}/fhir",
        "IVIG_FHIR_REQUIRE_TLS": "yes",
    }
    (folder / "given.json").write_text(json.dumps(tokens.key_set("es")), "utf-8")
    fetched = {"jku": f"{keys.url}/jwks", "local": True}
    issuers = {
        tokens.ISSUER: fetched,
        "https://b.example.org": fetched,
        f"{tokens.ISSUER}/tenants": {"keys": "given.json", "tenant": ["t1"]},
        HELD_BACK: {"keys": "given.json"},
    }
    (folder / "issuers.json").write_text(json.dumps({"issuers": issuers}), "utf-8")
    guarded = {
        "IVIG_FHIR_REQUIRE_AUTH": "yes",
        "IVIG_FHIR_TRUSTED_ISSUERS": str(folder / "issuers.json"),
        "IVIG_FHIR_REPLAY_STORE": str(folder / "replay.sqlite"),
        "IVIG_FHIR_DEADLINE_SECONDS": "30",
    }
    with ExitStack() as stack:
        started = [
            stack.enter_context(serving(folder / f"{name}.log", COMMON | environment, wait=False))
            for name, environment in (("plain", {}), ("full", full), ("guarded", guarded))
        ]
        for server in started:
            server.wait()
        yield Servers(*started)


@pytest.fixture(scope="session")
def full(servers: Servers) -> Iterator[Wire]:
    """Through a proxy that ended TLS."""
    wire = Wire(servers.full.url, headers={"X-Forwarded-Proto": "https"})
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def plain(servers: Servers) -> Iterator[Wire]:
    wire = Wire(servers.plain.url)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def guarded_server(servers: Servers) -> Iterator[Wire]:
    wire = Wire(servers.guarded.url)
    yield wire
    wire.close()


# --- the fixtures of the other files


@pytest.fixture
def client(request: pytest.FixtureRequest, plain: Wire, full: Wire, guarded_server: Wire) -> Wire:
    """The server for which the file of a test makes its client."""
    return {"test_feedback": full, "test_security": guarded_server}.get(request.function.__module__, plain)


@pytest.fixture
def ask(plain: Wire) -> Any:
    """POST a request to its service; the day is today."""
    return lambda asked, at="": plain.post(f"/cds-services/ivig-{asked['hook']}", json=asked)


@pytest.fixture
def browser(full: Wire) -> Wire:
    return full


@pytest.fixture
def versioned(full: Wire) -> Wire:
    return full


@pytest.fixture
def small(full: Wire) -> Wire:
    return full


@pytest.fixture
def store(folder: Path, full: Wire) -> Path:
    """The store of the server, emptied."""
    path = folder / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("card", "card_unit", "feedback"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
    return path


@pytest.fixture
def refusing(full: Wire, store: Path) -> tuple[Wire, Path]:
    return full, store


@pytest.fixture
def guarded(guarded_server: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The issuer whose tokens must name a tenant."""
    monkeypatch.setattr(tokens, "ISSUER", f"{tokens.ISSUER}/tenants")
    return guarded_server


@pytest.fixture(scope="session")
def shown(plain: Wire) -> list[Any]:
    """Every card of a case in twenty: the rest runs through the application itself."""
    found = []
    for case in islice(all_cases(), 0, None, 20):
        answer = plain.post(f"/cds-services/ivig-{case.facts['hook']}", json=case.request())
        found += [(case, card) for card in (answer.json["cards"] if answer.status_code == 200 else ())]
    assert len(found) > 100
    return found


@pytest.fixture
def server(ehr: web.Web) -> web.Web:
    """The EHR, which holds the patient and has not been asked yet."""
    ehr.behaviours = web.ehr(HELD)
    ehr.asked.clear()
    ehr.hold.clear()
    return ehr


# --- what only the wire shows


def test_ch_33_38_103_what_is_lacking_is_read_and_nothing_of_it_is_logged(
    servers: Servers, full: Wire, server: web.Web
) -> None:
    whole = full.post(SERVICE, json=patients.request(HELD))
    fetched = full.post(SERVICE, json=body(f"{server.url}/fhir"))
    assert fetched.json == whole.json
    assert fetched.json["cards"]
    bearer = f"Bearer {TOKEN}"
    assert set(server.asked) == {("/fhir/Patient/p1", bearer), ("/fhir/Condition?patient=p1", bearer)}
    assert full.post(SERVICE, json=body(f"{server.url}/other")).status_code == 412
    assert not {secret for secret in (TOKEN, "p1", "patient=") if secret in servers.full.said()}


def test_metrics_are_the_sums_of_both_workers_whichever_is_asked(servers: Servers, plain: Wire) -> None:
    line = re.compile(r'requests_total\{service="ivig-encounter-start",status="400"\} (\d+)\n')

    def counted(wire: Wire) -> int:
        return sum(int(found) for found in line.findall(wire.get("/metrics").text))

    before = counted(plain)
    for number in range(1, 31):
        with closing(Wire(servers.plain.url)) as anew:
            anew.post("/cds-services/ivig-encounter-start", data=b"{", content_type="application/json")
            assert counted(anew) == before + number
    assert len(servers.plain.workers()) == 2


def test_ch_37_pages_are_followed(full: Wire, server: web.Web) -> None:
    held = patients.prefetch(HELD)["conditions"]
    server.behaviours["/fhir/Condition"] = web.says(page([], f"{server.url}/fhir/page2"))
    server.behaviours["/fhir/page2"] = web.says(held)
    assert full.post(SERVICE, json=body(f"{server.url}/fhir")).json["cards"]


def test_ch_06_34_an_ehr_that_does_not_answer_does_not_hold_the_answer_up(full: Wire, server: web.Web) -> None:
    answered = threading.Event()

    def hold(handler: web.Handler) -> None:
        handler.site.hold.wait(web.HOLD_SECONDS)
        answered.set()
        handler.answer({})

    server.behaviours["/fhir/Condition"] = hold
    response = full.post(SERVICE, json=body(f"{server.url}/fhir"))
    assert not answered.is_set()
    server.hold.set()
    assert response.status_code == 412
    assert "prefetch.conditions" in response.text


def test_ch_99_103_keys_given_beforehand_serve_and_no_token_is_logged(servers: Servers, guarded_server: Wire) -> None:
    asked = {"json": patients.request(MMN | {"unavailable": []})}
    good = tokens.token(said=tokens.claims(iss=HELD_BACK))
    foreign = tokens.token(said=tokens.claims(iss="https://evil.example.org"))
    assert guarded_server.post(SERVICE, **asked, headers=tokens.bearer(good)).status_code == 200
    assert guarded_server.post(SERVICE, **asked, headers=tokens.bearer(foreign)).status_code == 401
    said = servers.guarded.said()
    assert f'"issuer": "{HELD_BACK}"' in said
    assert "evil" not in said
    assert not {part for made in (good, foreign) for part in made.split(".")[1:] if part in said}


def test_ch_90_what_came_over_plain_http_is_refused_and_only_a_trusted_proxy_may_say_otherwise(
    servers: Servers,
) -> None:
    https = {"X-Forwarded-Proto": "https"}
    near = Wire(servers.full.url)
    for method, path in (("GET", "/cds-services"), ("POST", SERVICE), ("POST", f"{SERVICE}/feedback"), ("GET", "/try")):
        refused = near.open(path, method, json=patients.request(HELD))
        assert (refused.status_code, refused.json["resourceType"]) == (403, "OperationOutcome")
        assert near.open(path, method, json=patients.request(HELD), headers=https).status_code != 403
    assert near.get("/healthz").status_code == 200
    assert near.get("/cds-services", headers=https).headers["Strict-Transport-Security"]
    stranger = Wire(servers.full.url, local_address="127.0.0.2")
    assert stranger.get("/cds-services", headers=https).status_code == 403
    near.close()
    stranger.close()
