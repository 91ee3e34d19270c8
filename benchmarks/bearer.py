"""Tokens for a benchmark with authentication: an issuer whose key stands in a file, and as many tokens as are needed.

Each token is good for one request, as the service asks. They are signed beforehand: that is the client's work.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE, KEY_ID = "https://ehr.example.org/benchmark", "https://cds.example.org", "benchmark"
LIFE = 1800  # seconds; a run is shorter


class Bearer:
    """A CDS client with one key of an algorithm; its files are written to a folder."""

    def __init__(self, algorithm: str, folder: Path) -> None:
        self.algorithm = algorithm
        made: Any = ECAlgorithm if algorithm.startswith("ES") else RSAAlgorithm
        self._key: Any = (
            ec.generate_private_key(ec.SECP384R1()) if made is ECAlgorithm else rsa.generate_private_key(65537, 2048)
        )
        public = json.loads(made.to_jwk(self._key.public_key())) | {"kid": KEY_ID, "use": "sig", "alg": algorithm}
        keys, issuers = folder / "keys.json", folder / "issuers.json"
        keys.write_text(json.dumps({"keys": [public]}))
        issuers.write_text(json.dumps({"issuers": {ISSUER: {"keys": str(keys), "audience": AUDIENCE}}}))
        # the service reads the first four, the floor the last two
        self.environment = {
            "IVIG_FHIR_REQUIRE_AUTH": "yes",
            "IVIG_FHIR_TRUSTED_ISSUERS": str(issuers),
            "IVIG_FHIR_PUBLIC_URL": AUDIENCE,
            "IVIG_FHIR_REPLAY_STORE": str(folder / "used.sqlite"),
            "FLOOR_KEYS": str(keys),
            "FLOOR_AUDIENCE": AUDIENCE,
        }

    def tokens(self, path: str, count: int) -> Iterator[str]:
        """So many tokens for POSTs to a path, each with an id of its own."""
        now = int(time.time())
        said = {"iss": ISSUER, "aud": AUDIENCE + path, "iat": now, "exp": now + LIFE}
        for _ in range(count):
            claims = said | {"jti": str(uuid.uuid4())}
            yield jwt.encode(claims, self._key, self.algorithm, {"kid": KEY_ID})
