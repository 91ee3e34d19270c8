"""Who calls: the JWT of a CDS client (CH-90 … CH-104). A token that fails gets 401 and no reason (CH-102).

Checked in this order: form and header; issuer on the allow-list; jku the configured one; key by kid; signature and
times; audience; tenant; lifetime; first use. Neither the token nor a claim of an unknown issuer is logged.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import jwt
from jwt.exceptions import PyJWTError

from ivig_fhir.problems import Issue, Outcome, Problem, problem
from ivig_fhir.service.issuers import Issuer, read_issuers
from ivig_fhir.service.key_sets import key_source
from ivig_fhir.service.replay import UsedTokens
from ivig_fhir.service.settings import Settings
from ivig_fhir.service.transport import Network

log = logging.getLogger("ivig_fhir")

LEEWAY = 30  # seconds that clocks may differ
LONGEST_LIFE = 3600  # seconds from iat to exp (CH-101)
JWKS_SECONDS = 2.0  # for one fetch of a key set
_LONGEST_TOKEN = 8192  # characters
_REQUIRED = ["exp", "iat", "iss", "aud", "jti"]
_FEEDBACK = "/feedback"
_TOKENS = jwt.PyJWT()


class Gate:
    """Lets tokens of trusted issuers in, each once."""

    def __init__(self, settings: Settings, network: Network) -> None:
        if settings.trusted_issuers is None:
            raise problem(
                "malformed",
                "IVIG_FHIR_REQUIRE_AUTH",
                "is yes, but no issuer is trusted",
                "IVIG_FHIR_TRUSTED_ISSUERS=<file>",
            )
        self._issuers = read_issuers(settings.trusted_issuers, settings.public_url)
        seconds = min(JWKS_SECONDS, settings.deadline_seconds)
        self._keys = {name: key_source(issuer, network, seconds) for name, issuer in self._issuers.items()}
        self._used = UsedTokens(settings.replay_store)

    def admit(self, authorization: str, path: str) -> str:
        """The issuer of a request to a path. Raises Problem('unauthorized') without a reason, Problem('busy')."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            _refuse("no token")
        issuer, header = self._claimed(token)
        key = self._keys[issuer.name].key(header["kid"])
        if key is None or key.algorithm != header.get("alg") or key.algorithm not in issuer.algorithms:
            _refuse("no such key", issuer)
        try:
            claims = _TOKENS.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=_audiences(issuer, path),
                issuer=issuer.name,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except (PyJWTError, ValueError, TypeError) as error:
            _refuse(type(error).__name__, issuer)
        self._check(claims, issuer)
        return issuer.name

    def probe(self) -> None:
        """Whether a token could be taken. Raises Problem('busy')."""
        self._used.probe()

    def _claimed(self, token: str) -> tuple[Issuer, Mapping[str, Any]]:
        """The issuer that a token names, if trusted, and its header; nothing is verified yet."""
        try:
            unverified = _TOKENS.decode_complete(token, options={"verify_signature": False})
        except (PyJWTError, ValueError, TypeError, RecursionError):
            _refuse("no JWT")
        header, claims = unverified["header"], unverified["payload"]
        name = claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            _refuse("issuer not trusted")
        if header.get("typ") != "JWT" or not isinstance(header.get("kid"), str) or "crit" in header:
            _refuse("header", issuer)
        if issuer.jku and header.get("jku", issuer.jku) != issuer.jku:
            _refuse("jku", issuer)
        return issuer, header

    def _check(self, claims: Mapping[str, Any], issuer: Issuer) -> None:
        """What PyJWT does not check: types, lifetime, tenant, first use."""
        times = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in times):
            _refuse("times", issuer)
        if claims["iat"] < claims["exp"] - LONGEST_LIFE:  # no difference of the two: an integer may be beyond any float
            _refuse("lifetime", issuer)
        if issuer.tenants and claims.get("tenant") not in issuer.tenants:
            _refuse("tenant", issuer)
        if not isinstance(claims["jti"], str) or not claims["jti"]:
            _refuse("jti", issuer)
        if not self._used.first_use(issuer.name, claims["jti"], claims["exp"] + LEEWAY, time.time()):
            _refuse("used before", issuer)


def _audiences(issuer: Issuer, path: str) -> list[str]:
    """The exact URL of the endpoint (CH-97); for feedback also that of its service, which clients send for both."""
    url = issuer.audience + path
    return [url, url.removesuffix(_FEEDBACK)] if path.endswith(_FEEDBACK) else [url]


def _refuse(reason: str, issuer: Issuer | None = None) -> NoReturn:
    """For the log a reason and the issuer if it is one of ours; for the caller nothing."""
    log.warning("token refused: %s (issuer %s)", reason, issuer.name if issuer else "unknown")
    raise Problem("unauthorized", Outcome((Issue("", "not authorized"),)))
