"""Health, metrics, log lines, the limit; and that nothing of a patient is found in any of them."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import patients
import tokens
import web
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service import routes, shared_counts
from ivig_fhir.service.app import create_app
from ivig_fhir.service.fhir_servers import FhirServer
from ivig_fhir.service.metrics import Metrics
from ivig_fhir.service.operations import JsonLines
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.shared_counts import ROW_BYTES, SharedCounts
from patients import MMN
from tokens import ISSUER, PUBLIC, SERVICE

REQUEST = "5f0f3a52-0000-4000-8000-000000000007"


class Lines(logging.Handler):
    """Every record of every logger, as the JSON line that a server writes and as any other handler would."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonLines())
        self.lines: list[dict[str, Any]] = []
        self.everything = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))
        self.everything += f"{self.format(record)}\n{logging.Formatter().format(record)}\n"


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, root, ours = Lines(), logging.getLogger(), logging.getLogger("ivig_fhir")
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before[0])
    ours.setLevel(before[1])


@pytest.fixture(scope="module")
def client(content: Content) -> FlaskClient:
    return create_app(Settings(), content=content).test_client()


def test_health_and_readiness_say_which_content_is_served(client: FlaskClient, content: Content) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz").json
    assert (ready["module"], ready["contentHash"]) == (content.version, content.definitions.content_hash)
    assert (ready["codeMap"], ready["writable"]) == (0, [])


def test_readiness_says_when_the_store_or_the_list_of_used_tokens_cannot_be_written(
    tmp_path: Path, content: Content, lines: Lines
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(tokens.key_set("es")), "utf-8")
    (tmp_path / "issuers.json").write_text(json.dumps({"issuers": {ISSUER: {"keys": "keys.json"}}}), "utf-8")
    files = {"store": tmp_path / "store.sqlite", "replay_store": tmp_path / "replay.sqlite"}
    chosen = Settings(require_auth=True, trusted_issuers=tmp_path / "issuers.json", **files)
    client = create_app(chosen, content=content).test_client()
    assert client.get("/readyz").json["writable"] == ["IVIG_FHIR_REPLAY_STORE", "IVIG_FHIR_STORE"]
    for name, path in files.items():
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            refused = client.get("/readyz")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert f"IVIG_FHIR_{name.upper()}: cannot be written" in refused.text
        assert f"not ready: IVIG_FHIR_{name.upper()}" in lines.everything
    assert client.get("/readyz").status_code == 200


def test_metrics_count_requests_cards_and_units_in_the_text_format(content: Content) -> None:
    client = create_app(Settings(), content=content).test_client()
    card = client.post(SERVICE, json=patients.request(MMN)).json["cards"][0]
    client.post(SERVICE, data="{", content_type="application/json")
    client.get("/cds-services/p-marker/x")
    response = client.get("/metrics")
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    text = response.text
    topic, unit = card["source"]["topic"]["code"], card["extension"]["org.example.ivig-fhir"]["recommendations"][0]
    assert f'cards_shown_total{{topic="{topic}",indicator="{card["indicator"]}"}} 1\n' in text
    assert f'units_shown_total{{unit="{unit["id"]}"}} 1\n' in text
    for service, status in (("ivig-patient-view", "200"), ("ivig-patient-view", "400"), ("", "404")):
        assert re.search(rf'requests_total{{service="{service}",status="{status}"}} 1\n', text)
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [0-9.e+-]+', line), line


def test_cards_and_refusals_are_kept_in_no_cache_and_taken_for_no_other_type(client: FlaskClient) -> None:
    answers = [
        client.post(SERVICE, json=patients.request(MMN)),
        client.post(SERVICE, data="{", content_type="application/json"),
        client.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 404]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_other_processes_count_is_in_the_sum_also_when_they_are_gone_and_others_take_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_counts, "ROWS", 4)
    metrics = Metrics()
    metrics.feedback("accepted")
    for _ in range(7):
        child = os.fork()
        if not child:
            metrics.feedback("accepted")
            metrics.feedback("overridden")
            os._exit(0)
        os.waitpid(child, 0)
    assert 'feedback_total{outcome="accepted"} 8\n' in metrics.text()
    assert 'feedback_total{outcome="overridden"} 7\n' in metrics.text()


def test_threads_that_count_at_the_same_time_lose_nothing_and_a_full_row_takes_no_more() -> None:
    counts = SharedCounts()
    threads = [
        threading.Thread(target=lambda: [counts.add("a" * 9, amount=0.5) for _ in range(2000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.totals() == {"a" * 9: 4000.0}
    for number in range(ROW_BYTES // 1000 + 1):
        counts.add(f"{number:01000}")
    assert len(counts.totals()) < ROW_BYTES // 1000
    counts.add("a" * 9)
    assert counts.totals()["a" * 9] == 4001.0


def test_a_request_leaves_one_line_with_its_id(client: FlaskClient, lines: Lines) -> None:
    response = client.post(SERVICE, json=patients.request(MMN), headers={"X-Request-Id": REQUEST})
    assert response.headers["X-Request-Id"] == REQUEST
    (line,) = [line for line in lines.lines if line["message"] == "request"]
    assert line["request"] == REQUEST
    facts = {"method": "POST", "route": "/cds-services/<service_id>", "service": "ivig-patient-view", "status": 200}
    assert facts.items() <= line.items()
    assert line["milliseconds"] > 0


@pytest.mark.parametrize("sent", ["", "Doe, Jane", "MRN0012345", "00123456", "a" * 64])
def test_an_id_that_could_say_something_is_replaced(client: FlaskClient, sent: str) -> None:
    given = {client.get("/healthz", headers={"X-Request-Id": sent}).headers["X-Request-Id"] for _ in range(2)}
    assert len(given) == 2
    assert sent not in given


@contextmanager
def one_that_computes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A request is being answered while the block runs; it gets its answer afterwards."""
    inside, go = threading.Event(), threading.Event()
    original = routes.read_request

    def held(*given: Any) -> Any:
        inside.set()
        assert go.wait(10)
        return original(*given)

    monkeypatch.setattr(routes, "read_request", held)
    found: list[int] = []
    first = threading.Thread(
        target=lambda: found.append(app.test_client().post(SERVICE, json=patients.request(MMN)).status_code)
    )
    first.start()
    try:
        assert inside.wait(10)
        yield
    finally:
        go.set()
        first.join(10)
    assert found == [200]


def test_beyond_the_limit_requests_are_refused_at_once_and_probes_are_not(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(max_in_flight=1), content=content)
    with one_that_computes(app, monkeypatch):
        refused = app.test_client().get("/cds-services")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert app.test_client().get("/healthz").status_code == 200
        assert "refused_busy_total 1" in app.test_client().get("/metrics").text
    assert [app.test_client().get("/cds-services").status_code for _ in range(3)] == [200, 200, 200]


def test_who_waits_beyond_the_deadline_for_one_that_computes_long_is_refused(
    content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(deadline_seconds=0.3), content=content)
    with one_that_computes(app, monkeypatch):
        refused = app.test_client().post(SERVICE, json=patients.request(MMN))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert app.test_client().post(SERVICE, json=patients.request(MMN)).status_code == 200


# --- nothing of the patient

# every one of them is fed in, none of them may be found
MARKS = {
    "id": "MARKpatient0001",
    "user": "MARKuser0002",
    "family": "MARKfamily0003",
    "mrn": "MARKmrn0004",
    "instance": "MARKinstance0005",
    "access": "MARKaccess0006",
    "comment": "MARKcomment0007",
    "reason": "MARKreason0008",
    "suggestion": "MARKsuggestion0009",
    "resource": "MARKresource0010",
    "order": "MARKorder0011",
}
FHIR_SERVER = "https://MARKserver0012.example.org/MARKbase0013"
MARKED = re.compile(r"MARK\w+")


def marked_request() -> dict[str, Any]:
    """A request in which whatever says who it is about is marked."""
    text = json.dumps(patients.request(MMN)).replace("Patient/p1", f"Patient/{MARKS['id']}")
    body: dict[str, Any] = json.loads(text)
    body["context"] |= {"patientId": MARKS["id"], "userId": f"Practitioner/{MARKS['user']}", "encounterId": "MARKenc14"}
    body["hookInstance"] = MARKS["instance"]
    body["fhirServer"] = FHIR_SERVER
    body["fhirAuthorization"] = {"access_token": MARKS["access"], "token_type": "Bearer", "expires_in": 300}
    body["prefetch"]["patient"] |= {
        "id": MARKS["id"],
        "name": [{"family": MARKS["family"]}],
        "identifier": [{"value": MARKS["mrn"]}],
    }
    body["prefetch"]["conditions"]["entry"][0]["resource"]["id"] = MARKS["resource"]
    return body


def changed(**more: Any) -> dict[str, Any]:
    """The marked request with other prefetch keys; None leaves one out."""
    body = marked_request()
    body["prefetch"] = {key: value for key, value in (body["prefetch"] | more).items() if value is not None}
    return body


def with_context(**more: Any) -> dict[str, Any]:
    body = marked_request()
    body["context"] |= more
    return body


def other_type(key: str) -> dict[str, Any]:
    return changed(**{key: {"resourceType": "Basic", "id": MARKS["resource"]}})


PATHS: list[tuple[int, str, Any]] = [
    (200, SERVICE, marked_request()),
    (400, SERVICE, b'{"MARKkey15": MARKvalue16'),
    (400, SERVICE, json.dumps(marked_request()).encode() + b"MARKtail17"),
    (400, SERVICE, {"hook": "patient-view", "hookInstance": [MARKS["instance"]], "context": MARKS["id"]}),
    (400, SERVICE, with_context(patientId=[MARKS["id"]])),
    (400, SERVICE, with_context(userId={"reference": MARKS["user"]})),
    (400, SERVICE, marked_request() | {"prefetch": MARKS["family"]}),
    (404, f"/cds-services/{MARKS['id']}/x", {}),
    (404, f"/guidance/nothing?patient={MARKS['id']}", None),
    (412, SERVICE, changed(patient=None)),
    (415, SERVICE, MARKS["family"]),
    (422, SERVICE, other_type("conditions")),
    (422, SERVICE, with_context(patientId="MARKother18")),
    (200, f"{SERVICE}/feedback", "feedback"),
    (400, f"{SERVICE}/feedback", {"feedback": [{"card": MARKS["id"], "outcome": MARKS["comment"]}]}),
    (404, f"/cds-services/ivig-{MARKS['id']}/feedback", {"feedback": []}),
]


def feedback_of(card: str) -> dict[str, Any]:
    told = {"card": card, "outcomeTimestamp": "2026-03-02T14:05:09Z"}
    reason = {"reason": {"code": MARKS["reason"], "display": MARKS["comment"]}, "userComment": MARKS["comment"]}
    taken = [{"id": MARKS["suggestion"]}]
    return {
        "feedback": [
            told | {"outcome": "overridden", "overrideReason": reason, "extension": {"x": MARKS["mrn"]}},
            told | {"outcome": "accepted", "acceptedSuggestions": taken},
        ]
    }


def call(client: FlaskClient, path: str, body: Any) -> Any:
    headers = {"Authorization": "Bearer MARKtoken19", "X-Request-Id": "MARKrequest20", "User-Agent": "MARKagent21"}
    if body is None:
        return client.get(path, headers=headers)
    if isinstance(body, str):
        return client.post(path, data=body, content_type="text/plain", headers=headers)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=data, content_type="application/json", headers=headers)


def files(folder: Path) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, content: Content) -> tuple[FlaskClient, Path]:
    folder = tmp_path_factory.mktemp("kept")
    return create_app(Settings(store=folder / "store.sqlite"), content=content).test_client(), folder


@pytest.mark.parametrize(("status", "path", "body"), PATHS, ids=[f"{path[0]}-{n}" for n, path in enumerate(PATHS)])
def test_nothing_of_the_patient_is_in_log_store_metrics_or_error(
    kept: tuple[FlaskClient, Path], lines: Lines, status: int, path: str, body: Any
) -> None:
    client, folder = kept
    if body == "feedback":
        card = call(client, SERVICE, marked_request()).json["cards"][0]["uuid"]
        body = feedback_of(card)
    response = call(client, path, copy.deepcopy(body))
    assert response.status_code == status
    found = MARKED.findall(lines.everything + files(folder) + client.get("/metrics").text + str(response.headers))
    assert found == []
    if status != 200:
        assert MARKED.findall(response.text) == []


def test_a_fault_of_ours_says_nothing_either(
    kept: tuple[FlaskClient, Path], lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, folder = kept

    def fails(body: bytes, hook: str) -> Any:
        raise RuntimeError(body.decode())

    monkeypatch.setattr(routes, "read_request", fails)
    response = call(client, SERVICE, marked_request())
    assert response.status_code == 500
    everything = lines.everything + files(folder) + client.get("/metrics").text + response.text
    assert MARKED.findall(everything) == []
    assert "unexpected RuntimeError" in lines.everything


def test_a_refused_token_and_a_fetch_that_fails_say_nothing_either(
    tmp_path: Path, content: Content, lines: Lines
) -> None:
    with web.Web({"/jwks": web.says(tokens.key_set("es"))}) as keys, web.Web() as ehr:
        issuers = {"issuers": {ISSUER: {"jku": f"{keys.url}/jwks", "local": True}}}
        (tmp_path / "issuers.json").write_text(json.dumps(issuers), "utf-8")
        chosen = {
            "public_url": PUBLIC,
            "require_auth": True,
            "trusted_issuers": tmp_path / "issuers.json",
            "replay_store": tmp_path / "replay.sqlite",
            "store": tmp_path / "store.sqlite",
            "fhir_servers": (FhirServer(ehr.url, local=True),),
            "deadline_seconds": 30.0,
        }
        client = create_app(Settings(**chosen), content=content).test_client()
        assert call(client, SERVICE, marked_request()).status_code == 401
        made = tokens.token(said=tokens.claims(sub="MARKsub22", jti="MARKjti23"))
        body = changed(conditions=None) | {"fhirServer": ehr.url}
        response = client.post(SERVICE, json=body, headers=tokens.bearer(made))
        assert response.status_code == 412
        assert "/Condition" in ehr.paths()
    assert MARKED.findall(lines.everything + files(tmp_path) + response.text) == []
    assert not {part for part in made.split(".") if part in lines.everything + files(tmp_path)}
    (line,) = [line for line in lines.lines if line.get("status") == 412]
    assert line["issuer"] == ISSUER
