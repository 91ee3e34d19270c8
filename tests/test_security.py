"""Who may call: real keys, a real key set over loopback, through the WSGI application."""

from __future__ import annotations

import hmac
import json
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm

import patients
import tokens
import web
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.service.addresses import Resolver, system_addresses
from ivig_fhir.service.app import create_app
from ivig_fhir.service.issuers import read_issuers
from ivig_fhir.service.key_sets import COOLDOWN_SECONDS, FRESH_SECONDS, STALE_SECONDS, FetchedKeys, Keys, read_keys
from ivig_fhir.service.replay import SWEEP_SECONDS, UsedTokens
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.transport import Unavailable
from tokens import ISSUER, PUBLIC, SERVICE, bearer, claims, token

NOBODY: dict[str, Any] = {"hook": "patient-view", "conditions": {}}


def settings(folder: Path, issuers: dict[str, Any], **more: Any) -> Settings:
    path = folder / "issuers.json"
    path.write_text(json.dumps({"issuers": issuers}), "utf-8")
    chosen = {"public_url": PUBLIC, "require_auth": True, "trusted_issuers": path, "deadline_seconds": 30.0}
    return Settings(**(chosen | {"replay_store": folder / "state" / "replay.sqlite"} | more))


@pytest.fixture(scope="module")
def keys() -> Iterator[web.Web]:
    with web.Web({"/jwks": web.says(tokens.key_set("es", "rs", "es-256", "rs-small"))}) as running:
        yield running


def app(content: Content, chosen: Settings, resolve: Resolver = system_addresses) -> FlaskClient:
    return create_app(chosen, content=content, resolve=resolve).test_client()


def listed(keys: web.Web, **more: Any) -> dict[str, Any]:
    return {ISSUER: {"jku": f"{keys.url}/jwks", "local": True} | more}


@pytest.fixture(scope="module")
def client(keys: web.Web, tmp_path_factory: pytest.TempPathFactory, content: Content) -> FlaskClient:
    folder = tmp_path_factory.mktemp("security")
    return app(content, settings(folder, listed(keys) | {"https://b.example.org": listed(keys)[ISSUER]}))


def call(client: FlaskClient, made: str, path: str = SERVICE) -> Any:
    return client.post(path, json=patients.request(NOBODY), headers=bearer(made))


def assert_refused(response: Any) -> None:
    """401 and nothing of the reason (CH-102)."""
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    (issue,) = response.get_json(force=True)["issue"]
    assert issue == {"severity": "error", "code": "security", "diagnostics": "not authorized"}


@pytest.mark.parametrize("kind", ["es", "rs"])
def test_ch_92_104_a_good_token_of_either_algorithm_is_let_in(client: FlaskClient, kind: str) -> None:
    response = call(client, token(kind))
    assert (response.status_code, response.json) == (200, {"cards": []})


@pytest.mark.parametrize(
    ("method", "path", "good"),
    [
        ("GET", "/cds-services", 200),
        ("POST", SERVICE, 200),
        ("POST", f"{SERVICE}/feedback", 404),
        ("GET", "/other", 404),
    ],
)
def test_ch_92_discovery_service_and_feedback_need_a_token_alike(
    client: FlaskClient, method: str, path: str, good: int
) -> None:
    asked = {"method": method, "json": patients.request(NOBODY) if method == "POST" else None}
    without = client.open(path, **asked)
    if path.startswith("/cds-services"):
        assert_refused(without)
    made = token(said=claims(path))
    assert client.open(path, **asked, headers=bearer(made)).status_code in (good, 200)


def test_a_record_cannot_be_sent_to_try_or_explain_without_a_token_but_the_guidance_is_open(
    client: FlaskClient,
) -> None:
    assert client.post("/explain", json={}).status_code == 401
    assert client.post("/try", data={"record": "{}"}).status_code == 401
    assert client.get("/guidance").status_code == 200


def test_ch_97_feedback_may_name_its_service_as_audience(client: FlaskClient) -> None:
    response = call(client, token(said=claims(SERVICE)), f"{SERVICE}/feedback")
    assert response.status_code != 401
    assert_refused(call(client, token(said=claims(f"{SERVICE}/feedback"))))


NOW = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "ch-96 no iss": {"iss": None},
    "ch-96 no aud": {"aud": None},
    "ch-96 no exp": {"exp": None},
    "ch-96 no iat": {"iat": None},
    "ch-96 no jti": {"jti": None},
    "ch-96 an empty jti": {"jti": ""},
    "ch-98 another issuer": {"iss": "https://evil.example.org"},
    "ch-98 the issuer as a list": {"iss": [ISSUER]},
    "ch-97 another audience": {"aud": "https://other.example.org" + SERVICE},
    "ch-97 only the base": {"aud": PUBLIC},
    "ch-97 another service": {"aud": f"{PUBLIC}/cds-services/ivig-order-sign"},
    "ch-97 with a slash": {"aud": f"{PUBLIC}{SERVICE}/"},
    "expired": {"exp": NOW - 60, "iat": NOW - 120},
    "issued tomorrow": {"iat": NOW + 86_400, "nbf": None, "exp": NOW + 86_700},
    "not yet valid": {"nbf": NOW + 600},
    "ch-101 living longer than an hour": {"exp": NOW + 7300},
    "exp as text": {"exp": str(NOW + 300)},
    "iat beyond any number": {"exp": NOW + 300.5, "iat": -(10**400)},
    "iat as truth": {"iat": True},
}


@pytest.mark.parametrize("changed", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_a_token_with_a_wrong_claim_is_refused(client: FlaskClient, changed: dict[str, Any]) -> None:
    assert_refused(call(client, token(said=claims(**changed))))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": ""},
        {"kid": "nobody"},
        {"jku": "https://evil.example.org/jwks"},
        {"jku": ""},
    ],
    ids=lambda header: "-".join(header),
)
def test_ch_95_98_a_token_with_a_wrong_header_is_refused(client: FlaskClient, header: dict[str, Any]) -> None:
    assert_refused(call(client, token(header=header)))


def test_a_token_that_demands_what_is_not_known_here_is_refused(client: FlaskClient) -> None:
    assert call(client, tokens.signed_by_hand({}, claims())).status_code == 200
    assert_refused(call(client, tokens.signed_by_hand({"crit": ["b64"], "b64": True}, claims())))


def test_ch_98_a_foreign_jku_is_never_fetched(client: FlaskClient) -> None:
    with web.Web({"/jwks": web.says(tokens.key_set("es"))}) as other:
        assert_refused(call(client, token(header={"jku": f"{other.url}/jwks"})))
        assert other.asked == []


def test_ch_98_the_configured_jku_may_be_named(client: FlaskClient, keys: web.Web) -> None:
    assert call(client, token(header={"jku": f"{keys.url}/jwks"})).status_code == 200


def test_ch_93_a_token_without_a_signature_is_refused(client: FlaskClient) -> None:
    for algorithm in ("none", "None", "ES384"):
        assert_refused(call(client, tokens.unsigned({"alg": algorithm, "typ": "JWT", "kid": "es"}, claims())))


def test_a_token_that_names_no_algorithm_is_refused(client: FlaskClient) -> None:
    assert_refused(call(client, tokens.unsigned({"typ": "JWT", "kid": "es"}, claims())))


def test_ch_94_a_public_key_is_not_taken_for_a_shared_secret(client: FlaskClient) -> None:
    header = {"alg": "HS384", "typ": "JWT", "kid": "rs"}
    secret = json.dumps(tokens.public_jwk("rs")).encode()
    body = tokens.unsigned(header, claims()).rpartition(".")[0]
    made = tokens.unsigned(header, claims(), hmac.digest(secret, body.encode(), "sha384"))
    assert_refused(call(client, made))


@pytest.mark.parametrize(
    ("kind", "header"),
    [("rs", {"kid": "rs", "alg": "RS256"}), ("rs", {"kid": "es"}), ("es", {"kid": "rs"}), ("es-256", {"alg": "ES256"})],
)
def test_ch_104_a_key_serves_its_one_algorithm(client: FlaskClient, kind: str, header: dict[str, Any]) -> None:
    assert_refused(call(client, token(kind, header=header)))


def test_a_small_rsa_key_is_no_key() -> None:
    assert set(read_keys(tokens.key_set("es", "rs", "rs-small", "es-256"))) == {"es", "rs"}


def test_a_key_id_that_stands_twice_and_a_private_or_shared_key_are_no_keys() -> None:
    twice = {"keys": [tokens.public_jwk("es"), tokens.public_jwk("rs", kid="es")]}
    assert read_keys(twice) == {}
    private = json.loads(ECAlgorithm.to_jwk(tokens.private_key("es"))) | {"kid": "es"}
    odd = [private, {"kty": "oct", "kid": "k", "k": "AA"}, {"kty": "EC", "kid": "e"}, 7]
    assert read_keys({"keys": odd}) == read_keys([]) == read_keys({}) == {}


def test_a_changed_token_is_refused(client: FlaskClient) -> None:
    head, _, signature = token().split(".")
    said = tokens.unsigned({}, claims()).split(".")[1]
    assert_refused(call(client, ".".join((head, said, signature))))


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic dTpw", "Bearer ä.ö.ü", f"Bearer {'x' * 9000}"]
)
def test_what_is_no_token_is_refused(client: FlaskClient, sent: str) -> None:
    response = client.post(SERVICE, json=patients.request(NOBODY), headers={"Authorization": sent})
    assert_refused(response)


def test_ch_101_a_token_is_good_once(client: FlaskClient) -> None:
    made = token()
    assert call(client, made).status_code == 200
    assert_refused(call(client, made))


def test_ch_101_two_issuers_may_use_the_same_identifier(client: FlaskClient) -> None:
    assert call(client, token(said=claims(jti="same"))).status_code == 200
    assert call(client, token(said=claims(jti="same", iss="https://b.example.org"))).status_code == 200


def test_a_refused_token_does_not_use_up_its_identifier(client: FlaskClient) -> None:
    assert_refused(call(client, token(said=claims(jti="tried", aud="https://other.example.org"))))
    assert call(client, token(said=claims(jti="tried"))).status_code == 200


def test_nbf_five_minutes_before_iat_and_clocks_that_differ_a_little_are_no_fault(client: FlaskClient) -> None:
    now = int(time.time())
    assert call(client, token(said=claims(nbf=now - 300, iat=now + 10))).status_code == 200
    assert call(client, token(said=claims(exp=now - 5, iat=now - 100))).status_code == 200


def test_the_audience_may_be_one_of_several(client: FlaskClient) -> None:
    assert call(client, token(said=claims(aud=["https://other.example.org", PUBLIC + SERVICE]))).status_code == 200


def test_tenants_algorithms_and_an_own_audience_are_kept_to(keys: web.Web, tmp_path: Path, content: Content) -> None:
    entry = {"tenant": ["a", "b"], "algorithms": ["ES384"], "audience": "https://inside.example.org/"}
    strict = app(content, settings(tmp_path, listed(keys, **entry)))
    inside = {"aud": f"https://inside.example.org{SERVICE}"}
    assert call(strict, token(said=claims(**inside, tenant="a"))).status_code == 200
    assert_refused(call(strict, token(said=claims(**inside, tenant="c"))))
    assert_refused(call(strict, token(said=claims(**inside))))
    assert_refused(call(strict, token("rs", said=claims(**inside, tenant="a"))))
    assert_refused(call(strict, token(said=claims(tenant="a"))))


def test_ch_99_keys_may_be_given_beforehand_in_a_file(tmp_path: Path, content: Content) -> None:
    (tmp_path / "ehr.json").write_text(json.dumps(tokens.key_set("es")), "utf-8")
    given = app(content, settings(tmp_path, {ISSUER: {"keys": "ehr.json"}}))
    assert call(given, token()).status_code == 200
    assert call(given, token(header={"jku": "https://ehr.example.org/jwks"})).status_code == 200
    assert_refused(call(given, token("rs")))


def test_two_applications_with_one_store_take_a_token_once(keys: web.Web, tmp_path: Path, content: Content) -> None:
    one, two = (app(content, settings(tmp_path, listed(keys))) for _ in range(2))
    made = token()
    assert call(one, made).status_code == 200
    assert_refused(call(two, made))


def test_ch_101_processes_and_threads_that_try_at_once_let_one_in(tmp_path: Path) -> None:
    path = tmp_path / "replay.sqlite"
    UsedTokens(path)
    program = (
        "import sys, pathlib; from ivig_fhir.service.replay import UsedTokens\n"
        "used = UsedTokens(pathlib.Path(sys.argv[1])); sys.stdin.read()\n"
        "print(used.first_use('i', 'j', 100.0, 50.0))"
    )
    command = [sys.executable, "-c", program, path]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in running:
        assert process.stdin
        process.stdin.close()  # off they go
    said = []
    for process in running:
        assert process.stdout
        said.append(process.stdout.read().strip())
        process.stdout.close()
        process.wait()
    assert sorted(said) == ["False", "False", "False", "True"]
    used, answers = UsedTokens(path), []

    def use() -> None:
        answers.append(used.first_use("i", "threads", 100.0, 50.0))
        used.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_the_store_forgets_what_has_expired_and_holds_no_identifier(tmp_path: Path) -> None:
    used = UsedTokens(tmp_path / "replay.sqlite")
    assert used.first_use("issuer-x", "identifier-x", 100.0, 50.0)
    assert not used.first_use("issuer-x", "identifier-x", 100.0, 99.0)
    assert used.first_use("issuer-x", "another", 300.0, 101.0 + SWEEP_SECONDS)
    used.close()
    with sqlite3.connect(tmp_path / "replay.sqlite") as store:
        assert store.execute("SELECT count(*) FROM used").fetchone() == (1,)
    store.close()
    assert b"identifier-x" not in (tmp_path / "replay.sqlite").read_bytes()


def test_when_the_use_of_a_token_cannot_be_noted_it_is_not_accepted(
    keys: web.Web, tmp_path: Path, content: Content
) -> None:
    caller = app(content, settings(tmp_path, listed(keys)))
    with sqlite3.connect(tmp_path / "state" / "replay.sqlite") as store:
        store.execute("DROP TABLE used")
    store.close()
    response = call(caller, token())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


# --- the key set


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Key sets as they are fetched, one after the other; the last again and again."""

    def __init__(self, *sets: tuple[str, ...]) -> None:
        self.sets = list(sets)
        self.fetched = 0

    def __call__(self) -> dict[str, Any]:
        self.fetched += 1
        kinds = self.sets.pop(0) if len(self.sets) > 1 else self.sets[0]
        if not kinds:
            raise Unavailable("too slow")
        return read_keys(tokens.key_set(*kinds))


def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    clock, issuer = Clock(), Issuer(("es",))
    source = FetchedKeys("i", issuer, clock)
    assert source.key("es")
    assert source.key("es")
    assert issuer.fetched == 1
    clock.now = FRESH_SECONDS + 1
    assert source.key("es")
    assert issuer.fetched == 2


def test_an_unknown_key_is_looked_for_once_until_the_cooldown_has_passed() -> None:
    clock, issuer = Clock(), Issuer(("es",), ("es", "rs"))
    source = FetchedKeys("i", issuer, clock)
    assert source.key("es")
    for _ in range(5):
        assert source.key("rs") is None
    assert issuer.fetched == 1
    clock.now = COOLDOWN_SECONDS + 1
    assert source.key("rs")
    assert issuer.fetched == 2


def test_keys_that_cannot_be_fetched_again_serve_for_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    clock, issuer = Clock(), Issuer(("es",), ())
    source = FetchedKeys("i", issuer, clock)
    assert source.key("es")
    clock.now = STALE_SECONDS - 1
    assert source.key("es")
    assert "could not be fetched: too slow" in caplog.text
    clock.now = STALE_SECONDS + 1
    assert source.key("es") is None


def test_while_one_caller_waits_for_the_keys_of_an_issuer_the_others_go_on_with_those_at_hand() -> None:
    clock, issuer = Clock(), Issuer(("es",), ("es", "rs"))
    asked, answered = threading.Event(), threading.Event()

    def fetch() -> Keys:
        if issuer.fetched:
            asked.set()
            answered.wait(web.HOLD_SECONDS)
        return issuer()

    source = FetchedKeys("i", fetch, clock)
    assert source.key("es")
    clock.now = FRESH_SECONDS + 1
    waiting = threading.Thread(target=source.key, args=("es",))
    waiting.start()
    assert asked.wait(web.HOLD_SECONDS)
    assert source.key("es")
    assert issuer.fetched == 1  # the other is still waiting
    answered.set()
    waiting.join()
    assert source.key("rs")


def test_a_key_that_was_withdrawn_is_refused_after_the_next_fetch() -> None:
    clock, issuer = Clock(), Issuer(("es", "rs"), ("es",))
    source = FetchedKeys("i", issuer, clock)
    assert source.key("rs")
    clock.now = FRESH_SECONDS + 1
    assert source.key("rs") is None


@pytest.mark.parametrize("said", [web.says({}, 500), web.says(b"x"), web.says({"keys": []}), web.says(b" " * 300_000)])
def test_without_keys_nobody_is_let_in(tmp_path: Path, said: web.Behaviour, content: Content) -> None:
    with web.Web({"/jwks": said}) as broken:
        caller = app(content, settings(tmp_path, listed(broken)))
        assert_refused(call(caller, token()))
        assert_refused(call(caller, token()))
        assert broken.paths() == ["/jwks"]


def test_a_key_set_at_a_private_address_is_not_fetched_unless_the_issuer_is_local(
    tmp_path: Path, content: Content
) -> None:
    with web.Web({"/jwks": web.says(tokens.key_set("es"))}) as inside:
        entry = {"jku": f"https://keys.test:{inside.port}/jwks"}
        caller = app(content, settings(tmp_path, {ISSUER: entry}), lambda *_: ["127.0.0.1"])
        assert_refused(call(caller, token()))
        assert inside.asked == []


def test_a_name_that_is_looked_up_for_ever_holds_no_caller(tmp_path: Path, content: Content) -> None:
    answered = threading.Event()

    def resolve(*_: object) -> list[str]:
        answered.wait(web.HOLD_SECONDS)
        return []

    entry = {"jku": "https://keys.test/jwks"}
    caller = app(content, settings(tmp_path, {ISSUER: entry}, deadline_seconds=0.3), resolve)
    begun = time.monotonic()
    assert_refused(call(caller, token()))
    assert time.monotonic() - begun < web.HOLD_SECONDS
    answered.set()


# --- start and log


def test_authentication_is_off_by_default_and_the_start_says_so(
    caplog: pytest.LogCaptureFixture, content: Content
) -> None:
    client = app(content, Settings())
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "plain http is answered",
        "authentication is off",
    ]
    for headers in ({}, bearer("whatever"), {"Authorization": "Basic dTpw"}):
        assert client.post(SERVICE, json=patients.request(NOBODY), headers=headers).status_code == 200


def test_required_without_trusted_issuers_does_not_start() -> None:
    with pytest.raises(Problem, match="no issuer is trusted"):
        create_app(Settings(require_auth=True))


def test_a_store_that_cannot_be_written_does_not_start(keys: web.Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Problem, match="IVIG_FHIR_REPLAY_STORE"):
        create_app(settings(tmp_path, listed(keys), replay_store=tmp_path / "file" / "replay.sqlite"))


WRONG_ISSUERS: dict[str, tuple[Any, str]] = {
    "none": ({}, "lists no issuers"),
    "no table": ({ISSUER: "x"}, "is a str"),
    "neither": ({ISSUER: {}}, "exactly one of them"),
    "both": ({ISSUER: {"jku": "https://e.example.org/j", "keys": "k"}}, "exactly one of them"),
    "http": ({ISSUER: {"jku": "http://e.example.org/j"}}, "an https URL"),
    "misspelt": ({ISSUER: {"jku": "https://e.example.org/j", "tenants": ["a"]}}, "unknown key tenants"),
    "algorithm": ({ISSUER: {"jku": "https://e.example.org/j", "algorithms": ["HS384"]}}, "ES384, RS384"),
    "no algorithm": ({ISSUER: {"jku": "https://e.example.org/j", "algorithms": []}}, "ES384, RS384"),
    "tenant": ({ISSUER: {"jku": "https://e.example.org/j", "tenant": "a"}}, "a list"),
    "audience": ({ISSUER: {"jku": "https://e.example.org/j", "audience": "cds"}}, "an https URL"),
}


@pytest.mark.parametrize(("issuers", "says"), WRONG_ISSUERS.values(), ids=WRONG_ISSUERS)
def test_a_list_of_issuers_that_is_wrong_does_not_start(tmp_path: Path, issuers: Any, says: str) -> None:
    with pytest.raises(Problem, match=says):
        create_app(settings(tmp_path, issuers))


@pytest.mark.parametrize("content", [None, "x", json.dumps({"keys": [{"kty": "oct", "kid": "k", "k": "AA"}]})])
def test_a_key_file_without_a_usable_key_does_not_start(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ehr.json").write_text(content, "utf-8")
    with pytest.raises(Problem, match=r"ehr\.json"):
        create_app(settings(tmp_path, {ISSUER: {"keys": "ehr.json"}}))


def test_issuers_may_stand_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(f'[issuers."{ISSUER}"]\njku = "https://ehr.example.org/jwks"\ntenant = ["a"]\n', "utf-8")
    issuer = read_issuers(path, PUBLIC)[ISSUER]
    assert (issuer.jku, issuer.audience, issuer.tenants) == ("https://ehr.example.org/jwks", PUBLIC, {"a"})
    path.write_text("[issuers", "utf-8")
    with pytest.raises(Problem, match="cannot be read"):
        read_issuers(path, PUBLIC)


def test_ch_103_neither_a_token_nor_a_foreign_claim_is_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    refused = [token(said=claims(iss="https://evil\nexample")), token(said=claims(aud="x")), token(header={"kid": "x"})]
    for made in [*refused, token()]:
        call(client, made)
        assert not {part for part in made.split(".") if part in caplog.text}
    assert "evil" not in caplog.text
    assert f"(issuer {ISSUER})" in caplog.text
