"""`check-ehr` against a real gunicorn that asks for tokens, and against services that misbehave."""

from __future__ import annotations

import json
import re
import sqlite3
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import patients
import tokens
import web
from conftest import ROOT
from ivig_fhir.cds_hooks.discovery import discovery
from ivig_fhir.cli import check_ehr
from ivig_fhir.cli.check_ehr import check_ehr_command
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.cds_client import CdsClient, Signer, read_key
from ivig_fhir.service.ehr_check import FAULT, Check, Finding
from ivig_fhir.service.key_sets import read_keys
from live import serving
from test_fhir_access import certificate

MMN: dict[str, Any] = {
    "hook": "patient-view",
    "patient": {"born": "1982-07-01"},
    "conditions": {"mmn": {"icd-10-cm": "G61.82"}},
}
CARD = {"summary": "s", "indicator": "info", "source": {"label": "l"}}


@pytest.fixture(autouse=True)
def loaded_once(content: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's content without a code map is that of all tests."""
    whole = check_ehr.content_of_site
    monkeypatch.setattr(check_ehr, "content_of_site", lambda folder, site: whole(folder, site) if site else content)


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("check-ehr")
    (made / "key.pem").write_bytes(pem(tokens.private_key("es")))
    (made / "keys.json").write_text(json.dumps(tokens.key_set("es")))
    (made / "issuers.json").write_text(json.dumps({"issuers": {tokens.ISSUER: {"keys": "keys.json"}}}))
    return made


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    chosen = {
        "IVIG_FHIR_PUBLIC_URL": tokens.PUBLIC,
        "IVIG_FHIR_REQUIRE_AUTH": "yes",
        "IVIG_FHIR_TRUSTED_ISSUERS": str(folder / "issuers.json"),
        "IVIG_FHIR_REPLAY_STORE": str(folder / "replay.sqlite"),
        "IVIG_FHIR_STORE": str(folder / "store.sqlite"),
        "IVIG_FHIR_SILENT": "bort-sc",
    }
    with serving(folder / "log", chosen) as running:
        yield running.url


def check(url: str, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    run = CliRunner().invoke(check_ehr_command, [url, "--json", *arguments], catch_exceptions=False)
    return run.exit_code, json.loads(run.stdout)["findings"] if run.exit_code != 2 else []


def signed(folder: Path, **more: str) -> list[str]:
    given = {"key": str(folder / "key.pem"), "kid": "es", "issuer": tokens.ISSUER, "audience": tokens.PUBLIC} | more
    return [part for name, value in given.items() for part in (f"--{name}", value)]


def said(found: list[dict[str, str]], step: str, level: str = "") -> list[str]:
    return [item["says"] for item in found if item["step"] == step and item["level"] in (level or item["level"])]


def played(content: Content, url: str, signer: Signer | None = None) -> list[Finding]:
    client = CdsClient(url, None, 10)
    found = list(Check(client, content, signer, 1, 10).run())
    client.close()
    return found


def faults(found: list[Finding], step: str) -> list[str]:
    return [item.says for item in found if (item.step, item.level) == (step, FAULT)]


def feedback_in(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "store.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM feedback").fetchone()[0])


# --- against the server


def test_a_service_that_is_right_has_no_fault_and_keeps_no_feedback(url: str, folder: Path) -> None:
    code, found = check(url, *signed(folder), "--times", "2")
    assert code == 0, found
    assert [item["step"] for item in found if item["level"] == "ok"] == [
        "discovery",
        "token",
        "token",
        "patient-view",
        "order-sign",
        "feedback",
    ]
    assert "an empty batch" in found[-1]["says"]
    assert feedback_in(folder) == 0


def test_what_the_service_keeps_silent_is_noticed(url: str, folder: Path) -> None:
    _, found = check(url, *signed(folder), "--times", "1")
    (noticed,) = [item for item in found if "units missing" in item["says"]]
    assert noticed["says"] == "units missing: bort-sc; units besides: none"
    assert "IVIG_FHIR_SILENT" in noticed["to_do"]


def test_a_real_feedback_is_sent_when_asked_for(url: str, folder: Path) -> None:
    code, found = check(url, *signed(folder), "--times", "1", "--feedback")
    assert (code, feedback_in(folder)) == (0, 1)
    assert "was overridden" in said(found, "feedback", "ok")[0]


def test_without_a_key_where_one_is_needed_the_finding_says_what_to_give(url: str) -> None:
    code, found = check(url)
    assert code == 1
    ((finding),) = found
    assert "give --key, --kid and --issuer" in finding["to_do"]


@pytest.mark.parametrize("wrong", [{"kid": "other"}, {"issuer": "urn:x"}, {"audience": "https://other.example.org"}])
def test_a_token_that_is_refused_says_what_to_compare(url: str, folder: Path, wrong: dict[str, str]) -> None:
    code, found = check(url, *signed(folder, **wrong))
    assert code == 1
    assert "IVIG_FHIR_TRUSTED_ISSUERS" in found[0]["to_do"]


def test_slow_answers_are_faults(url: str, folder: Path) -> None:
    code, found = check(url, *signed(folder), "--times", "1", "--slow", "0")
    assert code == 1
    assert [item["step"] for item in found if item["says"].startswith("slow: ")] == [
        "ivig-patient-view",
        "ivig-order-sign",
    ]


# --- a request of the site


def test_a_request_of_the_site_is_sent_and_what_means_nothing_here_is_named(
    url: str, folder: Path, tmp_path: Path
) -> None:
    conditions = MMN["conditions"] | {
        "local": {"local": "NEURO-7", "text": "stiffness"},
        "other": {"icd-10-cm": "E11.9"},
        "hinted": {"text": "CIDP"},
    }
    body = patients.request(MMN | {"conditions": conditions, "unavailable": ["labs"]})
    path = tmp_path / "site.json"
    path.write_text(json.dumps(body))
    code, found = check(url, *signed(folder), "--request", str(path), "--times", "1")
    assert code == 1
    unmapped = [item for item in found if item["says"].startswith("unmapped: ")]
    written = [item["says"].partition(" has no code")[0] for item in unmapped]
    assert written == [
        'unmapped: text "CIDP" (Condition, 1 times)',
        "unmapped: urn:local:codes|NEURO-7 (Condition, 1 times)",
    ]
    assert "IVIG_FHIR_CODE_MAP" in unmapped[1]["to_do"]
    looks = said(found, "site.json", "look")
    assert any("1 codes are of no concept" in says and "E11.9" in says for says in looks)
    (labs,) = [item for item in found if "prefetch labs: absent" in item["says"]]
    assert labs["level"] == "look"
    assert "Observation?patient={{context.patientId}}&code=" in labs["to_do"]
    assert "[info] Multifocal motor neuropathy" in said(found, "site.json", "ok")[0]
    mapped = tmp_path / "codes.csv"
    mapped.write_text(
        "system,code,our_system,our_code\nurn:local:codes,NEURO-7,http://hl7.org/fhir/sid/icd-10-cm,G61.82\n"
    )
    _, found = check(url, *signed(folder), "--request", str(path), "--times", "1", "--code-map", str(mapped))
    assert len([item for item in found if item["says"].startswith("unmapped: ")]) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prefetch": {}}, "prefetch.patient: was neither sent nor could be fetched"),
        ({"context": {"userId": "Practitioner/d", "patientId": "q"}}, "is not the patient of the context"),
        ({"hook": "appointment-book"}, "absent: a service for the hook 'appointment-book'"),
        ({"hookInstance": 1}, "hookInstance: is a int"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(
    url: str, folder: Path, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(patients.request(MMN) | change))
    code, found = check(url, *signed(folder), "--request", str(path), "--times", "1")
    assert code == 1
    assert any(says in text for text in said(found, "site.json", "fault"))


def test_what_the_service_may_read_from_the_fhir_server_is_no_fault_of_the_request(
    url: str, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "site.json"
    body = patients.request(MMN | {"unavailable": ["patient", "conditions"]})
    path.write_text(json.dumps(body | {"fhirServer": "https://ehr.example.org/r4"}))
    _, found = check(url, *signed(folder), "--request", str(path), "--times", "1")
    looks = said(found, "site.json", "look")
    assert looks == [
        f"prefetch {key}: absent; its facts are read from fhirServer, if that is allowed"
        for key in ("patient", "conditions")
    ]
    (fault,) = said(found, "site.json", "fault")
    assert fault.startswith("412: prefetch.patient: was neither sent nor could be fetched")


# --- services that are not right


def misbehaving(content: Content, **changed: Any) -> dict[str, web.Behaviour]:
    """A service that answers everything, tokens or not; `changed`: what other paths say."""
    path = "/cds-services/ivig"
    answers = {
        "discovery": (discovery(content), 200),
        "view": ({"cards": [CARD]}, 200),
        "sign": ({"cards": [CARD]}, 200),
        "feedback": ({}, 200),
    } | changed
    paths = {"discovery": "/cds-services", "view": f"{path}-patient-view", "sign": f"{path}-order-sign"}
    paths |= {"feedback": f"{path}-patient-view/feedback"}
    return {paths[name]: web.says(*said) for name, said in answers.items()}


@pytest.mark.parametrize(
    ("changed", "step", "says"),
    [
        ({"discovery": (b"<html>", 200)}, "discovery", "the answer lists no services"),
        ({"discovery": ({"services": []}, 200)}, "discovery", "the answer lists no services"),
        ({"discovery": (b"gone", 503)}, "discovery", "503: gone"),
        ({"view": ({"cards": {}}, 200)}, "patient-view", "the answer has no list of cards"),
        ({"view": ({"cards": [CARD | {"summary": "s" * 140}]}, 200)}, "patient-view", "card 0: summary"),
        ({"view": ({"cards": [CARD | {"source": {}}]}, 200)}, "patient-view", "card 0: source.label"),
        ({"view": ({"cards": [CARD | {"indicator": "hard-stop"}]}, 200)}, "patient-view", "card 0: indicator"),
        (
            {"sign": ({"resourceType": "OperationOutcome", "issue": [{"diagnostics": "no room"}]}, 500)},
            "order-sign",
            "500: no room",
        ),
        ({"feedback": ({}, 500)}, "feedback", "500"),
    ],
)
def test_what_is_wrong_with_an_answer_is_a_fault(content: Content, changed: Any, step: str, says: str) -> None:
    with web.Web(misbehaving(content, **changed)) as service:
        found = played(content, service.url)
    assert any(text.startswith(says) for text in faults(found, step)), found


def test_a_hook_that_is_not_served_is_absent(content: Content) -> None:
    fewer = {"services": [item for item in discovery(content)["services"] if item["hook"] != "order-sign"]}
    with web.Web(misbehaving(content, discovery=(fewer, 200))) as service:
        assert faults(played(content, service.url), "discovery") == ["absent: a service for order-sign"]


def test_queries_of_another_version_are_noticed(content: Content) -> None:
    other = discovery(content)
    other["services"][0]["prefetch"]["labs"] = "Observation?patient={{context.patientId}}"
    with web.Web(misbehaving(content, discovery=(other, 200))) as service:
        found = played(content, service.url)
    assert any("prefetch labs differs" in item.says for item in found)


def test_a_service_that_takes_every_token_is_told_apart(content: Content) -> None:
    def tokens_only(handler: web.Handler) -> None:
        known = handler.headers.get("Authorization", "").startswith("Bearer ")
        handler.answer(discovery(content) if known else {}, 200 if known else 401)

    signer = Signer(tokens.private_key("es"), tokens.ISSUER, "es", tokens.PUBLIC)
    with web.Web(misbehaving(content) | {"/cds-services": tokens_only}) as service:
        assert len(faults(played(content, service.url, signer), "token")) == 4
    with web.Web(misbehaving(content)) as service:
        assert faults(played(content, service.url, signer), "token") == ["answers without a token too"]


def test_nobody_there_is_a_fault() -> None:
    code, found = check("http://127.0.0.1:1")
    assert code == 1
    assert found[0]["says"].startswith("no answer: ConnectError")


# --- what cannot be carried out


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Problem, match=r"^URL: is "):
        check(url)


@pytest.mark.parametrize(
    "key", [b"x", pem(ed25519.Ed25519PrivateKey.generate()), pem(ec.generate_private_key(ec.SECP256R1()))]
)
def test_a_key_that_cannot_sign_is_refused(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(key)
    with pytest.raises(Problem, match="a private key in PEM without a password: EC P-384 or RSA"):
        check("http://127.0.0.1:1", *signed(tmp_path))


def test_a_certificate_of_one_s_own_is_said_to_need_its_authority(tmp_path: Path) -> None:
    pem = certificate("cds.test", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with web.Web({}, tls=context) as server:
        code, (finding,) = check(server.url)
    assert (code, finding["step"], finding["level"]) == (1, "discovery", "fault")
    assert "--ca-file" in finding["to_do"]


def test_the_client_of_one_s_own_is_made_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integration" / "check-ehr.md").read_text("utf-8")
    (script,) = re.findall(r"<<'END'\n(.*?)\n    END\n", page, re.DOTALL)
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, check=True)
    private = read_key(tmp_path / "client.pem")
    public = read_keys(json.loads((tmp_path / "client-jwks.json").read_text()))["K1"]
    assert public.public.key.public_numbers() == private.public_key().public_numbers()
    assert (tmp_path / "client.pem").stat().st_mode & 0o077 == 0


def test_a_key_needs_its_name_and_issuer(folder: Path) -> None:
    assert check("http://127.0.0.1:1", "--key", str(folder / "key.pem"))[0] == 2
