"""What only the production command shows: TLS, overload, clients that dawdle, the end of a server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

import patients
import web
from conftest import ROOT
from ivig_fhir.knowledge.content import Content
from ivig_fhir.service.app import create_app
from ivig_fhir.service.fhir_servers import FhirServer
from ivig_fhir.service.operations import ARRIVED, REFUSE
from ivig_fhir.service.settings import Settings
from live import PATIENCE, Live, Wire, serve_options, serving
from test_fhir_access import HELD, body, certificate

SERVICE = "/cds-services/ivig-patient-view"
THREADS, LIMIT, BEYOND = 4, 8, 20
CONTAINER = ["--worker-tmp-dir", "/dev/shm", "--bind", "0.0.0.0:8080"]  # noqa: S108 - its own memory and network
GOOD = json.dumps(patients.request(HELD)).encode()


@pytest.fixture(scope="module")
def ehr() -> Iterator[web.Web]:
    with web.Web() as running:
        yield running


@pytest.fixture(scope="module")
def server(ehr: web.Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One worker with a low limit and little patience; its EHR does as a test says."""
    environment = {
        "IVIG_FHIR_FHIR_SERVERS": f"local {ehr.url}/fhir",
        "IVIG_FHIR_MAX_IN_FLIGHT": str(LIMIT),
        "IVIG_FHIR_DEADLINE_SECONDS": "30",
        "IVIG_FHIR_RECEIVE_SECONDS": "1",
    }
    options = ("--workers", "1", "--threads", str(THREADS))
    with serving(tmp_path_factory.mktemp("production") / "log", environment, options) as running:
        yield running


@pytest.fixture
def wire(server: Live) -> Iterator[Wire]:
    opened = Wire(server.url)
    yield opened
    opened.close()


@pytest.fixture
def slow(ehr: web.Web) -> web.Web:
    """An EHR that answers when `hold` is set."""
    ehr.hold.clear()
    ehr.asked.clear()
    held = patients.prefetch(HELD)
    ehr.behaviours = {
        "/fhir/Patient/p1": web.after_holding(held["patient"]),
        "/fhir/Condition": web.after_holding(held["conditions"]),
    }
    return ehr


def head(length: int) -> bytes:
    return (
        f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n".encode()
    )


def posted(port: int, sent: bytes) -> socket.socket:
    """A connection on which a request was sent, its answer not yet read."""
    opened = socket.create_connection(("127.0.0.1", port), PATIENCE)
    opened.sendall(head(len(sent)) + b"Connection: close\r\n\r\n" + sent)
    return opened


def read(opened: socket.socket) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the answer on a connection; 0 when it was closed without one."""
    received = b""
    with opened, contextlib.suppress(ConnectionResetError):
        while piece := opened.recv(65536):
            received += piece
    if not received:
        return 0, {}, None
    top, _, rest = received.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, json.loads(rest)


def until(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


# --- the command


def test_container_and_documentation_run_the_command_of_make_serve() -> None:
    lines = (ROOT / "Containerfile").read_text("utf-8").splitlines()
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert command == ["gunicorn", "server:app", *serve_options(), *CONTAINER]
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    page = (ROOT / "docs" / "operations.md").read_text("utf-8").replace("\\\n", " ")
    (told,) = re.findall(r"gunicorn server:app (.*) --bind", page)
    assert told.split() == serve_options()


# --- TLS


def test_ch_90_with_a_certificate_the_server_speaks_tls_and_nothing_else(tmp_path: Path) -> None:
    pem = str(certificate("cds.test", tmp_path))
    trust = ssl.create_default_context(cafile=pem)
    trust.check_hostname = False  # the address is asked, not the name
    environment = {"IVIG_FHIR_PUBLIC_URL": "https://cds.test", "IVIG_FHIR_REQUIRE_TLS": "yes"}
    with serving(tmp_path / "log", environment, ("--certfile", pem, "--keyfile", pem)) as running:
        over_tls = Wire(running.url, verify=trust)
        assert over_tls.get("/cds-services").headers["Strict-Transport-Security"] == "max-age=31536000"
        assert over_tls.post(SERVICE, data=GOOD, content_type="application/json").json["cards"]
        over_tls.close()
        in_plain = Wire(running.url.replace("https:", "http:"))
        with pytest.raises(httpx.TransportError):
            in_plain.get("/cds-services")
        in_plain.close()


# --- overload


def test_what_is_too_much_is_refused_at_once_and_the_service_recovers(server: Live, wire: Wire, slow: web.Web) -> None:
    sent = json.dumps(body(f"{slow.url}/fhir")).encode()
    held = [posted(server.port, sent) for _ in range(LIMIT)]
    until(lambda: slow.paths().count("/fhir/Condition") == THREADS)  # these run, the others wait
    for status, headers, said in [read(posted(server.port, sent)) for _ in range(BEYOND)]:
        assert (status, headers["retry-after"], said["issue"][0]["code"]) == (503, "1", "throttled")
    assert wire.get("/healthz").status_code == 200
    assert f"refused_busy_total {BEYOND}\n" in wire.get("/metrics").text
    assert slow.paths().count("/fhir/Condition") == THREADS
    assert not slow.hold.is_set()
    slow.hold.set()
    assert [read(opened)[0] for opened in held] == [200] * LIMIT
    assert [wire.post(SERVICE, data=GOOD, content_type="application/json").status_code for _ in range(9)] == [200] * 9


@pytest.mark.parametrize("told", [{ARRIVED: 0.0}, {REFUSE: True}])
def test_a_request_that_waited_longer_than_its_deadline_is_refused(client: FlaskClient, told: dict[str, Any]) -> None:
    refused = client.get("/cds-services", environ_overrides=told)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert client.get("/readyz", environ_overrides=told).status_code == 200


def test_the_time_that_a_request_waited_counts_for_its_deadline(slow: web.Web, content: Content) -> None:
    chosen = Settings(fhir_servers=(FhirServer(f"{slow.url}/fhir", local=True),), deadline_seconds=30.0)
    client = create_app(chosen, content=content).test_client()
    waited = {ARRIVED: time.monotonic() - 29.9}
    assert client.post(SERVICE, json=body(f"{slow.url}/fhir"), environ_overrides=waited).status_code == 412
    assert slow.asked == []
    slow.hold.set()
    assert client.post(SERVICE, json=body(f"{slow.url}/fhir")).status_code == 200


# --- clients that dawdle


def test_connections_that_say_nothing_take_no_thread(server: Live, wire: Wire) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3 * LIMIT)]
    try:
        assert wire.post(SERVICE, data=GOOD, content_type="application/json").status_code == 200
    finally:
        for opened in idle:
            opened.close()


def test_a_request_that_never_comes_to_its_end_is_cut_off(server: Live, wire: Wire) -> None:
    opened = [socket.create_connection(("127.0.0.1", server.port), PATIENCE) for _ in range(2 * LIMIT)]
    for number, dawdling in enumerate(opened):
        dawdling.sendall(head(len(GOOD)) + (b"\r\n" + GOOD[:100] if number % 2 else b"X-More: "))
    found = [read(dawdling) for dawdling in opened]
    assert {status for status, _, _ in found[::2]} <= {0, 400}  # without a whole head there may be no answer
    for status, _, said in found[1::2]:
        assert (status, said["issue"][0]["code"]) in ((408, "timeout"), (503, "throttled"))
    assert 408 in {status for status, _, _ in found[1::2]}
    assert wire.post(SERVICE, data=GOOD, content_type="application/json").status_code == 200


def test_clients_that_do_not_take_their_answers_hold_no_thread_for_ever(tmp_path: Path) -> None:
    """Each asks for more than the buffers between hold, and reads nothing."""
    asked = b"GET /definitions/r4/PlanDefinition-gbs.json HTTP/1.1\r\nHost: x\r\n\r\n" * 60
    environment = {"IVIG_FHIR_RECEIVE_SECONDS": "0.5", "IVIG_FHIR_DEADLINE_SECONDS": "0.5"}
    with serving(tmp_path / "log", environment, ("--workers", "1", "--threads", "1")) as server:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with opened, httpx.Client(base_url=server.url, trust_env=False) as client:
            opened.connect(("127.0.0.1", server.port))
            opened.sendall(asked)
            until(lambda: not _answers(client))
            assert client.get("/healthz", timeout=PATIENCE).status_code == 200
            assert "rror" not in server.said()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz", timeout=0.2).status_code == 200
    except httpx.TimeoutException:
        return False


# --- the end


def test_on_sigterm_a_request_that_runs_is_answered_and_then_the_server_ends(server: Live, slow: web.Web) -> None:
    running = posted(server.port, json.dumps(body(f"{slow.url}/fhir")).encode())
    until(lambda: "/fhir/Condition" in slow.paths())
    os.kill(server.process.pid, signal.SIGTERM)
    until(lambda: "Handling signal: term" in server.said())
    slow.hold.set()
    status, _, said = read(running)
    assert status == 200
    assert said["cards"]
    assert server.process.wait(PATIENCE) == 0
