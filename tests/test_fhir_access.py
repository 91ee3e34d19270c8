"""What prefetch lacks is read from the EHR, and an EHR that misbehaves does no harm."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import patients
import web
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.completion import filled, lacking
from ivig_fhir.cds_hooks.dialects import DIALECTS
from ivig_fhir.cds_hooks.requests import HookRequest, read_request
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.addresses import Resolver, may_be_reached, system_addresses
from ivig_fhir.service.app import create_app
from ivig_fhir.service.fhir_client import FhirAccess
from ivig_fhir.service.fhir_servers import FhirServer, allowed_server, read_server
from ivig_fhir.service.routes import Service
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.transport import Deadline, Network, trusted_tls
from ivig_fhir.service.turns import Turn

MMN: dict[str, Any] = patients.MMN | {"unavailable": ["patient", "conditions"]}
HELD = {key: value for key, value in MMN.items() if key != "unavailable"}
TOKEN = "s3cr3t-t0ken"  # noqa: S105 - of a server on loopback
LONG = 30.0  # seconds: a deadline that no test is meant to meet
SHORT = 0.3  # seconds: a deadline that the test is meant to meet, far below web.HOLD_SECONDS
TLS = trusted_tls(None)


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.Web(web.ehr(HELD)) as running:
        yield running


def body(base: str, facts: dict[str, Any] = MMN, **more: Any) -> dict[str, Any]:
    access = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "user/*.read", "subject": "s"}
    return patients.request(facts) | {"fhirServer": base, "fhirAuthorization": access} | more


def request(base: str, facts: dict[str, Any] = MMN, **more: Any) -> HookRequest:
    return read_request(json.dumps(body(base, facts, **more)).encode(), facts["hook"])


def settings(site: web.Web, **more: Any) -> Settings:
    return Settings(**({"fhir_servers": (FhirServer(f"{site.url}/fhir", local=True),)} | more))


def complete(
    site: web.Web,
    content: Content,
    asked: HookRequest | None = None,
    seconds: float = LONG,
    resolve: Resolver = system_addresses,
    **more: Any,
) -> HookRequest:
    """The request completed from a server of the allow-list."""
    access = FhirAccess(content, settings(site, **more), Network(TLS, resolve))
    with Turn() as turn:
        return access.complete(asked or request(f"{site.url}/fhir"), Deadline(seconds), turn)


def answer(site: web.Web, content: Content, facts: dict[str, Any] = MMN, **more: Any) -> dict[str, Any]:
    """The whole way of a request, as the service goes it."""
    return invoke(service_of(settings(site, **more), content), site, facts)


def service_of(chosen: Settings, content: Content) -> Service:
    access = FhirAccess(content, chosen, Network(TLS, system_addresses))
    return Service(Responder(content), access, DIALECTS["strict"], chosen, lambda: datetime.date(2026, 3, 2))


def invoke(service: Service, site: web.Web, facts: dict[str, Any]) -> dict[str, Any]:
    sent = json.dumps(body(f"{site.url}/fhir", facts)).encode()
    return service.answer(sent, facts["hook"], Origin("", "s", ""), time.monotonic())


def had(completed: HookRequest) -> set[str]:
    """The keys that were fetched."""
    return {key for key in ("patient", "conditions") if key in completed.prefetch}


def test_ch_33_what_prefetch_lacks_is_read_with_the_token_of_the_request(server: web.Web, content: Content) -> None:
    app = create_app(settings(server, deadline_seconds=LONG), lambda: datetime.date(2026, 3, 2), content).test_client()
    whole = app.post("/cds-services/ivig-patient-view", json=patients.request(HELD))
    fetched = app.post("/cds-services/ivig-patient-view", json=body(f"{server.url}/fhir"))
    assert fetched.status_code == 200
    assert fetched.json == whole.json
    assert fetched.json["cards"]
    assert set(server.asked) == {
        ("/fhir/Patient/p1", f"Bearer {TOKEN}"),
        ("/fhir/Condition?patient=p1", f"Bearer {TOKEN}"),
    }


def test_ch_33_every_key_of_discovery_is_asked_for_with_its_own_query(server: web.Web, content: Content) -> None:
    bare = MMN | {"unavailable": list(content.prefetch)}
    completed = complete(server, content, request(f"{server.url}/fhir", bare))
    asked = {unquote(path) for path, _ in server.asked}
    wanted = {row.query.replace("{{context.patientId}}", "p1") for row in content.prefetch.values()}
    assert asked == {f"/fhir/{query}" for query in wanted}
    assert completed.prefetch.keys() == set(content.prefetch)


def test_ch_33_a_key_that_came_as_an_operation_outcome_is_read_too(server: web.Web, content: Content) -> None:
    failed = HELD | {"failed": ["conditions"]}
    completed = complete(server, content, request(f"{server.url}/fhir", failed))
    assert server.paths() == ["/fhir/Condition"]
    assert completed.prefetch["conditions"]["resourceType"] == "Bundle"


def test_ch_33_35_a_key_that_holds_nothing_but_an_error_is_read_too(server: web.Web, content: Content) -> None:
    asked = request(f"{server.url}/fhir", HELD)
    error = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    completed = complete(
        server, content, replace(asked, prefetch={**asked.prefetch, "conditions": patients.searchset([error])})
    )
    assert server.paths() == ["/fhir/Condition"]
    assert completed.prefetch["conditions"]["entry"][0]["resource"]["resourceType"] == "Condition"


def test_what_was_sent_is_not_read_again_and_null_is_an_answer(server: web.Web, content: Content) -> None:
    asked = request(f"{server.url}/fhir", HELD)
    complete(server, content, replace(asked, prefetch={**asked.prefetch, "conditions": None}))
    assert server.asked == []


def test_all_keys_are_read_at_the_same_time(server: web.Web, content: Content) -> None:
    together = threading.Barrier(2)
    plain = dict(server.behaviours)

    def meet(path: str) -> web.Behaviour:
        def behave(handler: web.Handler) -> None:
            together.wait(web.HOLD_SECONDS)  # broken, and so without an answer, when nobody else comes
            plain[path](handler)

        return behave

    server.behaviours |= {path: meet(path) for path in ("/fhir/Patient/p1", "/fhir/Condition")}
    assert had(complete(server, content)) == {"patient", "conditions"}


def test_ch_38_103_the_token_is_neither_kept_nor_logged_nor_the_patient(
    server: web.Web, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.behaviours["/fhir/Condition"] = web.says({}, 500)
    asked = request(f"{server.url}/fhir")
    completed = complete(server, content, asked)
    assert completed.authorization == {}
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "conditions not had: status 500" in logged
    assert not {secret for secret in (TOKEN, "p1", "patient=") if secret in logged}
    assert TOKEN not in repr(asked)


def test_without_a_token_only_open_servers_are_read(server: web.Web, content: Content) -> None:
    asked = replace(request(f"{server.url}/fhir"), authorization={})
    assert had(complete(server, content, asked)) == set()
    assert server.asked == []
    opened = (FhirServer(f"{server.url}/fhir", open=True, local=True),)
    assert had(complete(server, content, asked, fhir_servers=opened)) == {"patient", "conditions"}
    assert {token for _, token in server.asked} == {""}


@pytest.mark.parametrize("token", ["a\r\nX: y", "a b", "", "ä", None, 7])
def test_a_token_that_is_none_is_sent_nowhere(server: web.Web, content: Content, token: Any) -> None:
    asked = replace(request(f"{server.url}/fhir"), authorization={"access_token": token, "token_type": "Bearer"})
    assert had(complete(server, content, asked)) == set()
    assert server.asked == []


def test_a_server_that_is_not_listed_is_not_read(server: web.Web, content: Content) -> None:
    for other in (server.url, f"{server.url}/fhir2", f"{server.url}/fhir/../fhir2", f"{server.url}/other/fhir"):
        assert had(complete(server, content, request(other))) == set()
    assert server.asked == []
    assert had(complete(server, content, request(f"{server.url}/fhir/".replace("http:", "HTTP:")))) != set()


def test_the_log_says_why_nothing_was_read_from_a_server_and_repeats_nothing_of_it(
    server: web.Web, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    complete(server, content, request("https://other.example.org/r4/p1"))
    complete(server, content, replace(request(f"{server.url}/fhir"), authorization={}))
    complete(server, content, request("https://other.example.org/r4/p1", HELD))
    complete(server, content, replace(request(server.url), fhir_server="", authorization={}))
    keys = "patient, conditions"
    assert [record.getMessage() for record in caplog.records] == [
        f"not read from fhirServer, which is none of the list (IVIG_FHIR_FHIR_SERVERS): {keys}",
        f"not read from fhirServer, which is not open, and no token came (IVIG_FHIR_FHIR_SERVERS): {keys}",
    ]


@pytest.mark.parametrize("identifier", ["..", ".", "p1/../p2", "p1?x=y", "p 1", "ä", "p" * 65, "p1&_count=1"])
def test_a_patient_id_that_is_none_leads_to_no_query(server: web.Web, content: Content, identifier: str) -> None:
    asked = replace(request(f"{server.url}/fhir"), patient_id=identifier)
    complete(server, content, asked)
    assert server.asked == []


def test_queries_are_percent_encoded(content: Content) -> None:
    assert filled("Patient/{{context.patientId}}", "p.1-A") == "Patient/p.1-A"
    query = filled("Observation?patient={{context.patientId}}&code=http://loinc.org|1-8,urn:x|a%2Bb c&_count=5", "p1")
    assert query == "Observation?patient=p1&code=http://loinc.org%7C1-8,urn:x%7Ca%2Bb%20c&_count=5"
    assert filled("Patient/{{context.userId}}", "p1") == ""


def test_where_nothing_can_be_said_nothing_is_lacking(content: Content) -> None:
    nothing = MMN | {"hook": "order-sign", "orders": {}}
    assert lacking(request("https://ehr.example.org", nothing), content) == {}
    some = nothing | {"orders": {"o": {"text": "something"}}}
    assert {"patient", "conditions"} <= set(lacking(request("https://ehr.example.org", some), content))
    assert lacking(request("https://ehr.example.org", some | {"reader": "patient"}), content) == {}


# --- pages


def page(entries: list[Any], following: str = "") -> dict[str, Any]:
    link = {"link": [{"relation": "next", "url": following}]} if following else {}
    return patients.searchset(entries) | link


def test_ch_37_pages_are_followed_and_joined(server: web.Web, content: Content) -> None:
    one, two = ({"resourceType": "Condition", "id": name} for name in ("c1", "c2"))
    server.behaviours["/fhir/Condition"] = web.says(page([one], f"{server.url}/fhir/page2?_getpages=x%7Cy"))
    server.behaviours["/fhir/page2"] = web.says(page([two]))
    found = complete(server, content).prefetch["conditions"]
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["c1", "c2"]
    assert "link" not in found
    assert ("/fhir/page2?_getpages=x%7Cy", f"Bearer {TOKEN}") in server.asked


def test_ch_37_the_rest_of_a_page_that_was_sent_is_read(server: web.Web, content: Content) -> None:
    cut = request(f"{server.url}/fhir", HELD)
    sent = cut.prefetch["conditions"] | {"link": [{"relation": "next", "url": f"{server.url}/fhir/page2"}]}
    server.behaviours["/fhir/page2"] = web.says(page([{"resourceType": "Condition", "id": "c2"}]))
    found = complete(server, content, replace(cut, prefetch={**cut.prefetch, "conditions": sent})).prefetch
    assert [entry["resource"]["id"] for entry in found["conditions"]["entry"]] == ["mmn", "c2"]


def endless(site: web.Web, path: str) -> web.Behaviour:
    return lambda handler: handler.answer(page([], f"{site.url}{path}?page={len(site.asked)}"))


def test_endless_pages_end_and_what_was_read_is_incomplete(server: web.Web, content: Content) -> None:
    path = "/fhir/MedicationRequest"
    server.behaviours[path] = endless(server, path)
    asked = request(f"{server.url}/fhir", HELD | {"unavailable": ["medications"]})
    found = complete(server, content, asked, max_pages=7).prefetch["medications"]
    assert server.paths().count(path) == 7
    assert found["link"][0]["relation"] == "next"


def test_a_required_key_of_endless_pages_is_not_had(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = endless(server, "/fhir/Condition")
    assert had(complete(server, content)) == {"patient"}
    assert server.paths().count("/fhir/Condition") == Settings().max_pages


def test_a_page_that_names_itself_as_the_next_is_read_once(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.says(page([], f"{server.url}/fhir/Condition?patient=p1"))
    assert had(complete(server, content)) == {"patient"}
    assert server.paths().count("/fhir/Condition") == 1


def test_a_next_page_on_another_server_is_not_followed(server: web.Web, content: Content) -> None:
    with web.Web() as other:
        server.behaviours["/fhir/Condition"] = web.says(page([], f"{other.url}/fhir/Condition?page=2"))
        assert had(complete(server, content)) == {"patient"}
        sent = request(f"{server.url}/fhir", HELD)
        cut = page([], f"{other.url}/more")
        complete(server, content, replace(sent, prefetch={**sent.prefetch, "conditions": cut}))
        assert other.asked == []


def test_401_after_the_first_page_leaves_the_key_unread(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.says(page([], f"{server.url}/fhir/page2"))
    server.behaviours["/fhir/page2"] = web.says({}, 401)
    assert had(complete(server, content)) == {"patient"}


def test_a_query_for_the_newest_results_is_one_page(server: web.Web, content: Content) -> None:
    row = replace(content.prefetch["conditions"], count=5)
    newest = replace(content, prefetch=content.prefetch | {"conditions": row})
    server.behaviours["/fhir/Condition"] = web.says(page([], f"{server.url}/fhir/page2"))
    complete(server, newest)
    assert "/fhir/page2" not in server.paths()


# --- an EHR that misbehaves


@pytest.mark.parametrize("drip", [web.dripping, web.dripping_headers, web.after_holding({})])
def test_a_slow_answer_is_not_waited_for(server: web.Web, content: Content, drip: web.Behaviour) -> None:
    server.behaviours["/fhir/Condition"] = drip
    assert had(complete(server, content, seconds=SHORT)) == {"patient"}


def test_what_drips_is_hung_up_on(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.dripping
    complete(server, content, seconds=SHORT)
    assert server.cut_off.wait(web.HOLD_SECONDS)


def test_ch_34_a_required_key_that_cannot_be_had_in_time_is_412(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.after_holding({})
    with pytest.raises(Problem) as stopped:
        answer(server, content, deadline_seconds=SHORT + 0.2)
    assert stopped.value.category == "missing-data"
    assert "prefetch.conditions" in str(stopped.value)


def test_an_optional_key_that_cannot_be_had_is_named_as_not_evaluated(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/MedicationRequest"] = web.says({}, 503)
    (card, *_) = answer(server, content, HELD | {"unavailable": ["medications"]}, deadline_seconds=LONG)["cards"]
    assert card["extension"]["org.example.ivig-fhir"]["notEvaluated"] == ["medications"]


def test_a_request_that_waits_for_its_server_keeps_no_other_from_being_answered(
    server: web.Web, content: Content
) -> None:
    service = service_of(settings(server, deadline_seconds=LONG), content)
    asked, answered = threading.Event(), threading.Event()
    plain = server.behaviours["/fhir/Condition"]

    def hold(handler: web.Handler) -> None:
        asked.set()
        answered.wait(web.HOLD_SECONDS)
        plain(handler)

    server.behaviours |= {"/fhir/Condition": hold}
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: found.append(invoke(service, server, MMN)))
    waiting.start()
    assert asked.wait(LONG)
    other = invoke(service, server, HELD)
    assert not found  # the first is still waiting
    answered.set()
    waiting.join(LONG)
    assert found == [other]


def test_the_deadline_runs_from_the_first_byte_of_the_request(server: web.Web, content: Content) -> None:
    chosen = settings(server)
    access = FhirAccess(content, chosen, Network(TLS, system_addresses))
    service = Service(Responder(content), access, DIALECTS["strict"], chosen, lambda: datetime.date(2026, 3, 2))
    sent = json.dumps(body(f"{server.url}/fhir")).encode()
    with pytest.raises(Problem):  # the body took longer to come than the deadline is long
        service.answer(sent, "patient-view", Origin("", "s", ""), time.monotonic() - chosen.deadline_seconds)
    assert server.asked == []


def test_fifty_megabytes_are_not_read(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.flood(50)
    assert had(complete(server, content)) == {"patient"}
    assert server.cut_off.wait(web.HOLD_SECONDS)


def test_an_answer_above_its_limit_is_not_used(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Condition"] = web.says(page([]) | {"x": " " * 600})
    assert had(complete(server, content, max_response_bytes=500)) == {"patient"}
    assert had(complete(server, content, max_response_bytes=1000)) == {"patient", "conditions"}


def test_all_answers_together_have_a_limit_too(server: web.Web, content: Content) -> None:
    padded = {"resourceType": "Patient", "id": "p1", "x": " " * 600}
    server.behaviours["/fhir/Patient/p1"] = web.says(padded)
    server.behaviours["/fhir/Condition"] = web.says(page([]) | {"x": " " * 600})
    assert len(had(complete(server, content, max_fetched_bytes=1000))) == 1
    assert len(had(complete(server, content, max_fetched_bytes=2000))) == 2


def test_a_redirect_is_not_followed(server: web.Web, content: Content) -> None:
    with web.Web(web.ehr(HELD)) as other:
        server.behaviours["/fhir/Condition"] = web.says({}, 302, Location=f"{other.url}/fhir/Condition")
        assert had(complete(server, content)) == {"patient"}
        assert other.asked == []


@pytest.mark.parametrize(
    "said",
    [
        web.says(b"<html>"),
        web.says(b"[1"),
        web.says(b'{"resourceType": "Bundle", "resourceType": "Bundle"}'),
        web.says(b"[" * 100_000),
        web.says({"resourceType": "OperationOutcome", "issue": []}),
        web.says({"resourceType": "Condition"}),
        web.says({"resourceType": "Bundle", "entry": [{}]}),
        web.says({"resourceType": "Bundle", "entry": ["x"]}),
        web.says(b"", 204),
        web.says(page([]), Content_Encoding="gzip"),
        lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"),
        lambda handler: handler.connection.shutdown(socket.SHUT_RDWR),
    ],
    ids=range(12),
)
def test_an_answer_that_is_no_bundle_is_no_answer(
    server: web.Web, content: Content, said: Callable[[web.Handler], Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.behaviours["/fhir/Condition"] = said
    assert had(complete(server, content)) == {"patient"}
    assert "unexpected" not in caplog.text
    assert server.paths().count("/fhir/Condition") == 1  # an answer, whatever it is, is not asked for twice


def test_h17_another_patient_of_the_server_is_refused(server: web.Web, content: Content) -> None:
    server.behaviours["/fhir/Patient/p1"] = web.says({"resourceType": "Patient", "id": "p2"})
    with pytest.raises(Problem) as stopped:
        answer(server, content, deadline_seconds=LONG)
    assert stopped.value.category == "unusable"


def test_connecting_is_tried_again(server: web.Web, content: Content) -> None:
    calls: list[str] = []

    def faltering(host: str, port: int) -> list[str]:
        calls.append(host)
        if len(calls) == 1:
            raise OSError("no answer")
        return ["127.0.0.1"]

    asked = request(f"{server.url}/fhir", HELD | {"unavailable": ["conditions"]})
    assert "conditions" in complete(server, content, asked, resolve=faltering).prefetch
    assert len(calls) == 2


def test_a_name_look_up_that_hangs_is_not_waited_for(server: web.Web, content: Content) -> None:
    found = threading.Event()

    def hanging(host: str, port: int) -> list[str]:
        server.hold.wait(web.HOLD_SECONDS)
        found.set()
        return ["127.0.0.1"]

    assert had(complete(server, content, seconds=SHORT, resolve=hanging)) == set()
    assert not found.is_set()


def test_proxies_of_the_environment_are_not_used(
    server: web.Web, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web.Web() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert had(complete(server, content)) == {"patient", "conditions"}
        assert proxy.asked == []


# --- addresses


class Changing:
    """A name that leads to another address each time it is looked up."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def __call__(self, *_: Any) -> list[str]:
        self.asked += 1
        return [self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]]


def named(site: web.Web, **marks: bool) -> dict[str, Any]:
    return {"fhir_servers": (FhirServer(f"http://ehr.test:{site.port}/fhir", **marks),)}


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0"])  # noqa: S104 - to be refused
def test_a_name_that_leads_to_this_machine_is_not_connected_to(server: web.Web, content: Content, address: str) -> None:
    asked = request(f"http://ehr.test:{server.port}/fhir")
    assert had(complete(server, content, asked, resolve=lambda *_: [address], **named(server))) == set()
    assert server.asked == []


def test_one_private_address_among_public_ones_refuses_the_name(server: web.Web, content: Content) -> None:
    mixed = ["127.0.0.1", "93.184.216.34"]
    asked = request(f"http://ehr.test:{server.port}/fhir")
    assert had(complete(server, content, asked, resolve=lambda *_: mixed, **named(server))) == set()
    assert server.asked == []


def test_a_name_that_changes_its_address_is_looked_up_once_and_held_to_it(server: web.Web, content: Content) -> None:
    rebinding = Changing("127.0.0.1", "169.254.169.254")
    one = request(f"http://ehr.test:{server.port}/fhir", HELD | {"unavailable": ["conditions"]})
    assert "conditions" in complete(server, content, one, resolve=rebinding, **named(server, local=True)).prefetch
    assert rebinding.asked == 1
    again = complete(server, content, one, resolve=rebinding, **named(server, local=True))
    assert "conditions" not in again.prefetch


@pytest.mark.parametrize(
    ("address", "public", "local"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.0.9", False, True),
        ("100.64.0.1", False, True),
        ("::1", False, True),
        ("fd12::1", False, True),
        ("::ffff:10.1.2.3", False, True),
        ("::ffff:93.184.216.34", True, True),
        ("64:ff9b::7f00:1", False, True),
        ("2002:7f00:1::", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("64:ff9b:1::a9fe:a9fe", False, False),
        ("::ffff:0:a9fe:a9fe", False, False),
        ("::a9fe:a9fe", False, False),
        ("::7f00:1", False, True),
        ("fec0::1", False, True),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("168.63.129.16", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - an address to be refused
        ("224.0.0.1", False, False),
        ("ehr.example.org", False, False),
        ("", False, False),
    ],
)
def test_which_addresses_may_be_reached(address: str, public: bool, local: bool) -> None:
    assert (may_be_reached(address, local=False), may_be_reached(address, local=True)) == (public, local)


@pytest.mark.parametrize(
    "text",
    [
        "http://ehr.example.org",
        "ftp://e",
        "https://u:p@e",
        "https://e/a/../b",
        "https://e/?q",
        "public https://e",
        "https://e:x",
        "x",
    ],
)
def test_a_server_that_may_not_be_listed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_server(text)


def test_a_server_is_known_in_any_spelling_of_its_base() -> None:
    listed = (read_server("https://EHR.example.org:443/r4/"), read_server("open local http://[::1]:8080/fhir"))
    assert allowed_server("https://ehr.example.org/r4", listed) == listed[0]
    assert allowed_server("http://[::1]:8080/fhir/", listed) == FhirServer("http://[::1]:8080/fhir", True, True)
    for other in (
        "https://ehr.example.org/R4",
        "http://ehr.example.org/r4",
        "https://ehr.example.org:444/r4",
        "",
        "x:",
    ):
        assert allowed_server(other, listed) is None


# --- TLS


def certificate(name: str, folder: Path) -> Path:
    """A self-signed certificate for a name, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("name", "found"), [("ehr.test", {"patient", "conditions"}), ("other.test", set())])
def test_ch_01_the_certificate_must_be_the_names_though_the_connection_goes_to_an_address(
    content: Content, tmp_path: Path, name: str, found: set[str]
) -> None:
    pem = certificate("ehr.test", tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with web.Web(web.ehr(HELD), tls) as site:
        base = f"https://{name}:{site.port}/fhir"
        chosen = Settings(fhir_servers=(FhirServer(base, local=True),))
        network = Network(trusted_tls(pem), lambda *_: [str(ipaddress.IPv4Address("127.0.0.1"))])
        with Turn() as turn:
            completed = FhirAccess(content, chosen, network).complete(request(base), Deadline(LONG), turn)
        assert had(completed) == found


# --- Medications that orders name


def test_medications_that_orders_name_are_looked_up_here_and_nowhere_else(
    server: web.Web, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = f"{server.url}/fhir/Medication/m1", "https://elsewhere.example.org/Medication/m2"
    orders = {
        "absolute": {"medication-reference": ours},
        "relative": {"medication-reference": "Medication/m3"},
        "foreign": {"medication-reference": theirs},
        "contained": {"medication-reference": "#m4"},
        "odd": {"medication-reference": "Medication/../Patient/p1"},
        "up": {"medication-reference": "Medication/.."},
    }
    steroid = {"resourceType": "Medication", "id": "m1", "code": patients.codeable({"atc": "H02AB07"})}
    server.behaviours["/fhir/Medication/m1"] = web.says(steroid)
    facts = HELD | {"hook": "order-sign", "orders": orders}
    completed = complete(server, content, request(f"{server.url}/fhir", facts))
    assert sorted(server.paths()) == ["/fhir/Medication/m1", "/fhir/Medication/m3"]
    assert "Medication not had: status 404" in caplog.text
    assert "m3" not in caplog.text
    assert steroid in [resource for _, resource in completed.draft_bundle]
    (card, *_) = answer(server, content, facts, deadline_seconds=LONG)["cards"]
    assert card["indicator"] == "warning"
