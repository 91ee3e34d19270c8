"""A CDS client as an EHR is one: it calls a running service, signs its tokens, and looks at the clock."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ivig_fhir.fhir import dumps, loads
from ivig_fhir.problems import problem
from ivig_fhir.service.fhir_servers import origin_of

LIFE = 300  # seconds of a token
MOST_BYTES = 10_000_000


@dataclass(frozen=True)
class Signer:
    """Who calls: issuer, key, and what its tokens say besides; `audience` is what an endpoint's URL begins with."""

    key: EllipticCurvePrivateKey | RSAPrivateKey
    issuer: str
    kid: str
    audience: str
    jku: str = ""
    tenant: str = ""

    def token(self, path: str, **changed: Any) -> str:
        """A token for one call to an endpoint (CH-90 …), with claims changed."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.audience + path, "iat": now, "exp": now + LIFE}
        claims |= {"jti": str(uuid.uuid4())} | ({"tenant": self.tenant} if self.tenant else {}) | changed
        header = {"kid": self.kid, "typ": "JWT"} | ({"jku": self.jku} if self.jku else {})
        algorithm = "RS384" if isinstance(self.key, RSAPrivateKey) else "ES384"
        return jwt.encode(claims, self.key, algorithm=algorithm, headers=header)


def read_key(path: Path) -> EllipticCurvePrivateKey | RSAPrivateKey:
    """A private key of a PEM file. Raises Problem('malformed')."""
    allowed = "a private key in PEM without a password: EC P-384 or RSA"
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise problem("malformed", str(path), f"holds no usable key: {type(error).__name__}", allowed) from error
    if isinstance(key, RSAPrivateKey) or (isinstance(key, EllipticCurvePrivateKey) and key.curve.name == "secp384r1"):
        return key
    raise problem("malformed", str(path), "holds a key of another kind", allowed)


@dataclass(frozen=True)
class Reply:
    """What came back: status 0 when nothing did (`text` says why), the body as JSON where it is that."""

    status: int
    body: Any = None
    text: str = ""
    seconds: float = 0.0


class CdsClient:
    """Calls the service at a base URL. Raises Problem('malformed') for a URL or authorities that are none."""

    def __init__(self, base: str, ca_file: Path | None, seconds: float) -> None:
        self.base = base.rstrip("/").removesuffix("/cds-services")
        try:
            origin_of(self.base)
        except ValueError as error:
            raise problem("malformed", "URL", f"is {base!r}", "an http or https URL") from error
        self._http = httpx.Client(verify=_tls(self.base, ca_file), trust_env=False, timeout=seconds)

    def get(self, path: str, token: str = "") -> Reply:
        """Ask; never raises for what the network or the service does."""
        return self._call("GET", path, None, token)

    def post(self, path: str, body: Mapping[str, Any], token: str = "") -> Reply:
        """Send JSON; as get()."""
        return self._call("POST", path, body, token)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        content = dumps(body).encode() if body is not None else None
        started = time.monotonic()
        try:
            with self._http.stream(method, self.base + path, content=content, headers=headers) as response:
                data = _read(response)
        except httpx.HTTPError as error:
            return Reply(0, text=f"{type(error).__name__}: {error}", seconds=time.monotonic() - started)
        seconds = time.monotonic() - started
        text = data.decode("utf-8", "replace")
        try:
            return Reply(response.status_code, loads(data), text, seconds)
        except (ValueError, RecursionError):
            return Reply(response.status_code, None, text, seconds)


def _tls(base: str, ca_file: Path | None) -> ssl.SSLContext | bool:
    """The authorities that are trusted; without https none are needed."""
    if base.startswith("http:"):
        return False
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else True
    except OSError as error:
        raise problem("malformed", str(ca_file), f"cannot be read: {error}", "certificates in PEM") from error


def _read(response: httpx.Response) -> bytes:
    data = b""
    for part in response.iter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise httpx.ReadError(f"more than {MOST_BYTES} bytes")
    return data
