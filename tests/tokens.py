"""Keys, key sets and tokens of a CDS client, as an EHR would make them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://ehr.example.org/r4"
PUBLIC = "https://cds.example.org"
SERVICE = "/cds-services/ivig-patient-view"


@cache
def private_key(kind: str) -> Any:
    """One key of each kind for all tests: es, rs, and others that may not be used."""
    if kind.startswith("rs"):
        return rsa.generate_private_key(65537, 1024 if kind == "rs-small" else 2048)
    return ec.generate_private_key(ec.SECP256R1() if kind == "es-256" else ec.SECP384R1())


def public_jwk(kind: str, kid: str = "", **more: Any) -> dict[str, Any]:
    """The public key as it stands in a key set; its kid is the kind unless said otherwise."""
    key = private_key(kind).public_key()
    made = (RSAAlgorithm if kind.startswith("rs") else ECAlgorithm).to_jwk(key)
    return json.loads(made) | {"kid": kid or kind, "use": "sig"} | more


def key_set(*kinds: str) -> dict[str, Any]:
    """A JWK Set."""
    return {"keys": [public_jwk(kind) for kind in kinds]}


def claims(path: str = SERVICE, **changed: Any) -> dict[str, Any]:
    """What a good token says, with changes; None takes a claim away."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": PUBLIC + path,
        "iat": now,
        "nbf": now - 300,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    } | changed
    return {name: value for name, value in made.items() if value is not None}


def token(kind: str = "es", said: dict[str, Any] | None = None, header: dict[str, Any] | None = None) -> str:
    """A token signed with the key of a kind."""
    names = {"kid": kind} | (header or {})
    algorithm = "RS384" if kind.startswith("rs") else "ES384"
    algorithm = names.pop("alg", algorithm)
    return jwt.PyJWS().encode(json.dumps(said or claims()).encode(), private_key(kind), algorithm, names)


def signed_by_hand(header: dict[str, Any], said: dict[str, Any]) -> str:
    """A token with a header that no library would write, properly signed with the key es."""
    body = unsigned({"alg": "ES384", "typ": "JWT", "kid": "es"} | header, said).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("ES384").sign(body.encode(), private_key("es"))
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(said).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def bearer(made: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {made}"}
