"""Feedback and what was shown: through the application with a real file, and against workers that are killed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import sqlite3
import subprocess
import threading
import urllib.request
import uuid
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import patients
from conftest import ROOT
from ivig_fhir.cli.feedback import feedback_command
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings
from live import BIN, free_port, serve_options, wait_for
from patients import MMN

SERVICE = "/cds-services/ivig-patient-view"
WHEN = "2026-03-02T14:05:09Z"
UNKNOWN = "6f2c1a34-0000-4000-8000-000000000001"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.sqlite"


@pytest.fixture
def client(store: Path, content: Content) -> FlaskClient:
    return create_app(Settings(store=store), content=content).test_client()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, content: Content) -> tuple[FlaskClient, Path]:
    store = tmp_path_factory.mktemp("refusing") / "store.sqlite"
    return create_app(Settings(store=store), content=content).test_client(), store


def rows(store: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


def shown(client: FlaskClient) -> dict[str, Any]:
    card: dict[str, Any] = client.post(SERVICE, json=patients.request(MMN)).json["cards"][0]
    return card


def units_of(card: dict[str, Any]) -> set[str]:
    says = card["extension"]["org.example.ivig-fhir"]
    return {unit["id"] for unit in says["recommendations"]} | set(says.get("notices", ()))


def accepted(card: str, **more: Any) -> dict[str, Any]:
    given = {"card": card, "outcome": "accepted", "acceptedSuggestions": [{"id": UNKNOWN}]}
    return given | {"outcomeTimestamp": WHEN} | more


def overridden(card: Any, **more: Any) -> dict[str, Any]:
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN} | more


def tell(client: FlaskClient, *items: Any) -> Any:
    return client.post(f"{SERVICE}/feedback", json={"feedback": list(items)})


def report(store: Path) -> str:
    run = CliRunner().invoke(feedback_command, ["report", str(store)], catch_exceptions=False)
    assert run.exit_code == 0
    return run.output


# --- what is kept


def test_a_card_shown_leaves_what_it_was_and_nothing_of_the_patient(client: FlaskClient, store: Path) -> None:
    asked = patients.request(MMN)
    card = shown(client)
    (kept,) = [row for row in rows(store, "SELECT * FROM card") if row[0] == card["uuid"]]
    instance = hashlib.sha256(asked["hookInstance"].encode()).hexdigest()
    says = card["extension"]["org.example.ivig-fhir"]
    topic = card["source"]["topic"]["code"]
    assert kept[:6] == (card["uuid"], "ivig-patient-view", topic, card["indicator"], says["module"], instance)
    assert len(kept[6]) == len("2026-03-02T14")
    units = {unit for of, unit in rows(store, "SELECT * FROM card_unit") if of == card["uuid"]}
    assert units == units_of(card)
    assert units
    assert {path.stat().st_mode & 0o077 for path in store.parent.iterdir()} == {0}


def test_the_same_request_again_is_the_same_card(client: FlaskClient, store: Path) -> None:
    shown(client)
    before = rows(store, "SELECT * FROM card")
    shown(client)
    assert rows(store, "SELECT * FROM card") == before


def test_ch_80_81_feedback_is_stored_and_reported_per_unit(client: FlaskClient, store: Path, content: Content) -> None:
    card = shown(client)
    code = next(iter(content.overrides))
    assert tell(client, overridden(card["uuid"], overrideReason={"reason": {"code": code}})).status_code == 200
    for unit in units_of(card):
        assert f"{unit}: shown 1, accepted 0, overridden 1 ({code} 1)\n" in report(store)
    assert tell(client, accepted(card["uuid"])).status_code == 200
    for unit in units_of(card):
        assert f"{unit}: shown 1, accepted 1, overridden 0\n" in report(store)


def test_ch_85_duplicates_batches_and_unknown_cards_are_taken(client: FlaskClient, store: Path) -> None:
    card = shown(client)["uuid"]
    batch = [overridden(card), overridden(card), accepted(UNKNOWN), accepted(UNKNOWN.upper())]
    assert tell(client, *batch).status_code == 200
    assert tell(client, *batch).status_code == 200
    assert len(rows(store, "SELECT * FROM feedback")) == 2
    assert "unmatched: 1 cards" in report(store)
    assert tell(client).status_code == 200


def test_an_ehr_may_say_override_reasons_and_a_reason_of_its_own_is_kept_as_unlisted(
    client: FlaskClient, store: Path, content: Content
) -> None:
    code = next(iter(content.overrides))
    told = [
        overridden(UNKNOWN, overrideReasons={"reason": {"code": code, "system": "x"}, "vendor": 1}),
        overridden(UNKNOWN, overrideReason={"reason": {"code": "because of Mrs Marker"}}),
        overridden(UNKNOWN, overrideReason={"userComment": "x"}, extension={"vendor": 1}),
        overridden(UNKNOWN),
    ]
    assert tell(client, *told).status_code == 200
    assert {reason for (reason,) in rows(store, "SELECT reason FROM feedback")} == {code, "(unlisted)", ""}


@pytest.mark.parametrize("kept", [False, True])
def test_a_comment_is_stored_only_where_a_setting_says_so(store: Path, content: Content, kept: bool) -> None:
    client = create_app(Settings(store=store, store_comments=kept), content=content).test_client()
    assert tell(client, overridden(UNKNOWN, overrideReason={"userComment": "allergic, Mrs Marker"})).status_code == 200
    assert rows(store, "SELECT comment FROM feedback") == [("allergic, Mrs Marker" if kept else "",)]
    files = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert (b"Mrs Marker" in files) is kept


def test_ch_86_times_of_other_zones_are_put_into_utc(client: FlaskClient, store: Path) -> None:
    assert tell(client, overridden(UNKNOWN, outcomeTimestamp="2026-03-02T23:30:00.5-05:00")).status_code == 200
    assert rows(store, "SELECT hour FROM feedback") == [("2026-03-03T04",)]


# --- what is refused

WRONG: list[tuple[Any, str]] = [
    (b"{", "body"),
    (b'{"feedback": [], "feedback": []}', "body"),
    ([], "feedback"),
    ({}, "feedback"),
    ({"feedback": {}}, "feedback"),
    ({"feedback": ["x"]}, "feedback[0]"),
    ({"feedback": [overridden(UNKNOWN), overridden("x")]}, "feedback[1].card"),
    ({"feedback": [overridden(None)]}, "feedback[0].card"),
    ({"feedback": [overridden(7)]}, "feedback[0].card"),
    ({"feedback": [overridden(UNKNOWN, outcome="ignored")]}, "feedback[0].outcome"),
    ({"feedback": [overridden(UNKNOWN, outcome=["accepted"])]}, "feedback[0].outcome"),
    ({"feedback": [accepted(UNKNOWN, acceptedSuggestions=[])]}, "feedback[0].acceptedSuggestions"),
    ({"feedback": [accepted(UNKNOWN, acceptedSuggestions=[{}])]}, "feedback[0].acceptedSuggestions[0].id"),
    ({"feedback": [overridden(UNKNOWN, overrideReason="no")]}, "feedback[0].overrideReason"),
    ({"feedback": [overridden(UNKNOWN, overrideReason={})]}, "feedback[0].overrideReason"),
    ({"feedback": [overridden(UNKNOWN, overrideReasons={"reason": {}})]}, "feedback[0].overrideReasons.reason"),
    ({"feedback": [overridden(UNKNOWN, overrideReason={"userComment": 1})]}, "feedback[0].overrideReason.userComment"),
    ({"feedback": [overridden(UNKNOWN, outcomeTimestamp=None)]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [overridden(UNKNOWN, outcomeTimestamp="2026-03-02T14:05:09")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [overridden(UNKNOWN, outcomeTimestamp="2026-03-02")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [overridden(UNKNOWN, outcomeTimestamp="0001-01-01T00:00:00+14:00")]}, "feedback[0].outcomeTimestamp"),
]


@pytest.mark.parametrize(("body", "where"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_ch_81_to_86_a_malformed_call_names_its_place_and_stores_nothing(
    refusing: tuple[FlaskClient, Path], body: Any, where: str
) -> None:
    client, store = refusing
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = client.post(f"{SERVICE}/feedback", data=data, content_type="application/json")
    assert response.status_code == 400
    assert where in [issue["expression"][0] for issue in response.get_json(force=True)["issue"]]
    assert rows(store, "SELECT * FROM feedback") == []


def test_another_content_type_and_another_service_are_refused(refusing: tuple[FlaskClient, Path]) -> None:
    client, _ = refusing
    assert client.post(f"{SERVICE}/feedback", data="{}", content_type="text/plain").status_code == 415
    assert client.post("/cds-services/ivig-nothing/feedback", json={"feedback": []}).status_code == 404
    assert client.get(f"{SERVICE}/feedback").status_code == 405


def test_without_a_store_there_is_no_feedback_and_the_start_says_so(
    content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ivig_fhir")
    client = create_app(Settings(), content=content).test_client()
    assert "IVIG_FHIR_STORE" in caplog.text
    assert shown(client)["uuid"]
    assert tell(client, overridden(UNKNOWN)).status_code == 404


# --- a store that fails


def test_when_the_store_fails_the_card_goes_out_and_is_counted_and_feedback_is_503(
    client: FlaskClient, store: Path
) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("DROP TABLE card")
        other.execute("DROP TABLE feedback")
    assert shown(client)["uuid"]
    response = tell(client, overridden(UNKNOWN))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    counted = client.get("/metrics").text
    assert 'ivig_fhir_store_failures_total{what="shown"} 1' in counted
    assert 'ivig_fhir_store_failures_total{what="feedback"} 1' in counted


def test_a_card_does_not_wait_for_a_writer_that_holds_the_store(client: FlaskClient, store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert shown(client)["uuid"]
        other.execute("ROLLBACK")
    assert rows(store, "SELECT * FROM card") == []


def test_a_file_that_is_no_store_or_a_newer_one_does_not_start(tmp_path: Path, content: Content) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as one" * 30)
    with closing(sqlite3.connect(tmp_path / "newer")) as newer:
        newer.execute("PRAGMA user_version = 99")
    for name in ("text", "newer"):
        with pytest.raises(Problem, match="IVIG_FHIR_STORE"):
            create_app(Settings(store=tmp_path / name), content=content)


# --- the end of what is old


def test_purge_deletes_what_is_old_with_its_feedback_and_leaves_no_trace(client: FlaskClient, store: Path) -> None:
    old = shown(client)["uuid"]
    assert tell(client, overridden(old), overridden(UNKNOWN)).status_code == 200
    with closing(sqlite3.connect(store, isolation_level=None)) as edit:
        edit.execute("UPDATE card SET hour = '2020-01-01T00'")

    def purge(days: str) -> str:
        return CliRunner().invoke(feedback_command, ["purge", str(store), "--older-than", days]).output

    assert purge("36500") == "deleted: 0 cards, 0 feedback\n"
    assert "1 feedback" in purge("30")
    assert rows(store, "SELECT card FROM feedback") == [(UNKNOWN,)]
    assert rows(store, "SELECT * FROM card") == rows(store, "SELECT * FROM card_unit") == []
    assert old.encode() not in b"".join(path.read_bytes() for path in store.parent.iterdir())


def test_a_report_of_what_is_no_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    run = CliRunner().invoke(feedback_command, ["report", str(tmp_path / "x")])
    assert isinstance(run.exception, Problem)


# --- kill -9


def _workers(master: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True, check=True)
    return [int(word) for word in found.stdout.split()]


def _killed(worker: int) -> bool:
    """Whether it was there to be killed: one of the round before may have been reaped since it was listed."""
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _send(url: str, acknowledged: list[str], enough: threading.Event, over: threading.Event) -> None:
    """Feedback, one after the other, until it is over; a call that breaks is not acknowledged."""
    while not over.is_set():
        card = str(uuid.uuid4())
        body = json.dumps({"feedback": [overridden(card)]}).encode()
        request = urllib.request.Request(f"{url}{SERVICE}/feedback", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                response.read()
            acknowledged.append(card)
        except (OSError, HTTPException):
            continue
        if len(acknowledged) % 20 == 0:
            enough.set()


def test_kill_9_of_workers_in_mid_write_loses_no_acknowledged_feedback(store: Path, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [BIN / "gunicorn", "server:app", *serve_options(), "--bind", url.removeprefix("http://")]
    environment = os.environ | {"IVIG_FHIR_STORE": str(store)}
    log = tmp_path / "log"
    with log.open("w") as output:
        master = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment)
    acknowledged: list[str] = []
    enough, over = threading.Event(), threading.Event()
    senders = [threading.Thread(target=_send, args=(url, acknowledged, enough, over)) for _ in range(4)]
    try:
        wait_for(url, master, log)
        for sender in senders:
            sender.start()
        for _ in range(2):
            enough.clear()
            assert enough.wait(20), log.read_text("utf-8")
            assert sum(_killed(worker) for worker in _workers(master.pid))
        enough.clear()
        assert enough.wait(20), "no feedback was taken after the workers were killed"
    finally:
        over.set()
        for sender in senders:
            sender.join(10)
        master.terminate()
        master.wait(10)
    kept = {card for (card,) in rows(store, "SELECT card FROM feedback")}
    assert set(acknowledged) <= kept
    assert rows(store, "PRAGMA integrity_check") == [("ok",)]
    assert len(acknowledged) >= 60
