"""Whatever is sent: an answer or an OperationOutcome, never a fault, never a word of what was sent, memory bounded.

A bounded part with fixed seeds; `make fuzz` goes on from here.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import re
import socket
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import patients
from broken import GBS, broken, broken_bytes, good_requests, places
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.examples import Example, examples
from ivig_fhir.pages.playground import form_of
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings
from live import PATIENCE, Live, Wire, serving

SERVICE = "/cds-services/ivig-order-sign"
TAKE_BODIES = (SERVICE, f"{SERVICE}/feedback", "/explain")
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "100"))
MARK = "MARKfamily0001"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("fuzz")
    environment = {"IVIG_FHIR_STORE": str(folder / "store.sqlite"), "IVIG_FHIR_RECEIVE_SECONDS": "2"}
    with serving(folder / "log", environment, ("--workers", "1")) as running:
        yield running


@pytest.fixture(scope="module")
def wire(server: Live) -> Iterator[Wire]:
    opened = Wire(server.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, content: Content) -> FlaskClient:
    store = tmp_path_factory.mktemp("stored") / "store.sqlite"
    return create_app(Settings(store=store), lambda: date(2026, 11, 20), content).test_client()


def refused(response: Any) -> bool:
    """Whether it is a refusal that says in FHIR what is wrong, and nothing of how we work."""
    said = response.get_json(force=True)
    assert said["resourceType"] == "OperationOutcome"
    assert all(issue["diagnostics"] for issue in said["issue"])
    assert "Traceback" not in response.text
    return 400 <= response.status_code < 500


def answered(response: Any) -> bool:
    """Whether it is cards, reasons or a refusal; never a fault."""
    json.loads(response.text, parse_constant=pytest.fail)
    return response.status_code == 200 or refused(response)


# --- bodies


@pytest.mark.parametrize(("body", "headers"), [case[1:] for case in broken_bytes()], ids=[c[0] for c in broken_bytes()])
def test_a_body_that_is_no_request_is_refused(wire: Wire, body: bytes, headers: dict[str, str]) -> None:
    for path in TAKE_BODIES:
        headers = {"Content-Type": "application/json"} | headers
        assert refused(wire.post(path, data=body, headers=headers)), path


@pytest.mark.parametrize("seed", range(10))
def test_a_request_with_something_else_in_some_places_is_answered(stored: FlaskClient, seed: int) -> None:
    for number in range(ROUNDS // 10):
        chance = random.Random(f"{seed} {number}")  # noqa: S311 - the same every time
        request = chance.choice(good_requests())
        path = chance.choice([f"/cds-services/ivig-{request['hook']}"] * 3 + ["/explain"])
        sent = broken(request, chance)
        assert answered(stored.post(path, json=sent)), json.dumps(sent)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=ROUNDS // 2,
    derandomize=ROUNDS == 100,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(where=st.integers(0, 10**6), value=ANYTHING)
def test_anything_in_any_place_is_answered(stored: FlaskClient, where: int, value: Any) -> None:
    request = copy.deepcopy(good_requests()[where % 4])
    every = list(places(request))
    *way, last = every[where % len(every)]
    parent: Any = request
    for step in way:
        parent = parent[step]
    parent[last] = value
    assert answered(stored.post(f"/cds-services/ivig-{good_requests()[where % 4]['hook']}", json=request))


DATES = ("onsetDateTime", "performedDateTime", "effectiveDateTime", "authoredOn", "recordedDate", "birthDate")
NO_VALUES: dict[str, tuple[tuple[str, ...], Any]] = {
    "a date as it is written elsewhere": (DATES, "02/01/2026"),
    "a day before all years": (DATES, "0000-01-01"),
    "digits without end": (("valueQuantity", "valueInteger", "valueString"), "9" * 5000),
    "codings that are none": (("coding",), [None, "G61.0", {"code": {"a": 1}}]),
}


def spoilt(value: Any, names: tuple[str, ...], wrong: Any) -> Any:
    """A JSON value with something else wherever one of these names stands; a result has it as its text."""
    if isinstance(value, list):
        return [spoilt(item, names, wrong) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: wrong if key in names else spoilt(item, names, wrong) for key, item in value.items()}
    if "valueString" in names and value.get("resourceType") == "Observation":
        return {key: item for key, item in made.items() if key not in names} | {"valueString": wrong}
    return made


@pytest.mark.parametrize("example", examples().values(), ids=examples())
@pytest.mark.parametrize(("names", "wrong"), NO_VALUES.values(), ids=NO_VALUES)
def test_values_that_are_none_are_answered_in_every_topic(
    stored: FlaskClient, example: Example, names: tuple[str, ...], wrong: Any
) -> None:
    form = asdict(form_of(example)) | {"action": "run", "topic": ""}
    asked = form | {name: dumps(spoilt(json.loads(form[name] or "[]"), names, wrong)) for name in ("record", "orders")}
    assert stored.post("/try", data=asked).status_code == 200


@settings(max_examples=ROUNDS // 4, derandomize=ROUNDS == 100, deadline=None, database=None)
@given(items=st.lists(ANYTHING, max_size=3))
def test_any_feedback_is_answered(stored: FlaskClient, items: list[Any]) -> None:
    assert answered(stored.post(f"{SERVICE}/feedback", json={"feedback": items}))


def test_half_a_character_from_a_client_that_escapes_it_rightly_is_a_whole_one(stored: FlaskClient) -> None:
    body = json.dumps(patients.request(GBS)).replace("Miller Fisher", "\\ud83d\\ude00 Miller Fisher")
    assert stored.post(SERVICE, data=body, content_type="application/json").status_code == 200


@pytest.mark.parametrize("value", ["9.10", "9.1", "0.30000000000000000004", "123456789012345678901234567890.5"])
def test_decimals_are_kept_exactly(stored: FlaskClient, value: str) -> None:
    body = json.dumps(patients.request(patients.MONITORED)).replace("9.1,", f"{value},")
    (card,) = stored.post(SERVICE, data=body, content_type="application/json").json["cards"]
    assert f" {value} g/L" in card["detail"]
    explained = stored.post("/explain", data=body, content_type="application/json").text
    assert explained.count("mon-ig") > 0


# --- what is no HTTP

POST = f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\nX-Name: {MARK}\r\nContent-Type: application/json\r\n".encode()
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NO_HTTP = {
    "a size that is none": CHUNKED + b"ZZ\r\n{}\r\n0\r\n\r\n",
    "a negative size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk without its end": CHUNKED + b"2\r\n{}XX0\r\n\r\n",
    "a chunk that is cut": CHUNKED + b"5\r\n{}",
    "a huge chunk": CHUNKED + b"FFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    "a length that is none": POST + b"Content-Length: x\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a length too long": POST + b"Content-Length: 200\r\n\r\n{}",
    "a huge length": POST + b"Content-Length: 99999999999\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two framings": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "an expectation": POST + f"Expect: {MARK}\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
    "no HTTP": f"hello {MARK}\r\n\r\n".encode(),
    "another version": f"GET /{MARK} HTTP/9.9\r\n\r\n".encode(),
    "another method": f"{MARK} / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a long line": b"GET /" + MARK.encode() * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n"
    + b"".join(b"X-%d: %s\r\n" % (n, MARK.encode()) for n in range(300))
    + b"\r\n",
    "a big header": b"GET / HTTP/1.1\r\nX-A: " + MARK.encode() * 2000 + b"\r\n\r\n",
    "a bad name": f"GET / HTTP/1.1\r\nX {MARK}: 1\r\n\r\n".encode(),
    "a zero byte": f"GET /{MARK}\0 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "no ASCII": f"GET /{MARK}ä HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_and_nowhere_quoted(server: Live, wire: Wire, sent: bytes) -> None:
    received = b""
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as opened,
        contextlib.suppress(ConnectionError),
    ):
        opened.sendall(sent)
        opened.shutdown(socket.SHUT_WR)
        while piece := opened.recv(65536):
            received += piece
    head, _, body = received.decode().partition("\r\n\r\n")
    assert re.match(r"HTTP/1\.[01] 4\d\d ", head)
    assert json.loads(body)["resourceType"] == "OperationOutcome"
    assert MARK not in received.decode() + server.said()
    assert wire.get("/healthz").status_code == 200


# --- memory


def test_large_bodies_leave_nothing_behind(server: Live, wire: Wire) -> None:
    body = b'[{"resourceType":"Condition"}' + b',{"resourceType":"Condition"}' * 100_000 + b"]"

    def megabytes() -> float:
        (worker,) = server.workers()
        text = Path(f"/proc/{worker}/status").read_text("utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024

    used = []
    for _ in range(6):
        assert refused(wire.post(SERVICE, data=body, content_type="application/json"))
        used.append(megabytes())
    assert max(used) < 400
    assert used[-1] - used[2] < 20
