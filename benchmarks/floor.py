"""The floor of the benchmark: Flask that reads the same body as strictly and answers 5 KB that stand ready.

`gunicorn floor:app`. What the service costs beyond this is the guidance; what it costs up to this is HTTP. Given keys
(bearer.py) it verifies the same token by one call of PyJWT; whether it was used before it does not ask.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import jwt
from flask import Flask, Response, request

from ivig_fhir.fhir import loads

BYTES = 5000
_EMPTY = {"cards": [{"summary": "floor", "indicator": "info", "source": {"label": "floor"}, "detail": ""}]}
_FILLING = "x" * (BYTES - len(json.dumps(_EMPTY)))
ANSWER = json.dumps(_EMPTY).replace('"detail": ""', f'"detail": "{_FILLING}"').encode()

KEYS = jwt.PyJWKSet.from_json(Path(os.environ["FLOOR_KEYS"]).read_text()).keys if "FLOOR_KEYS" in os.environ else ()

app = Flask(__name__, static_folder=None)


@app.get("/cds-services")
def discover() -> dict[str, list[str]]:
    """What a start is probed with, as in the service."""
    return {"services": []}


@app.post("/cds-services/<service_id>")
def answer(service_id: str) -> Response:  # noqa: ARG001 - the path that the service has
    """Read the whole body, answer the same bytes every time."""
    for key in KEYS:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        audience = os.environ["FLOOR_AUDIENCE"] + request.path
        jwt.decode(
            token, key, [key.algorithm_name], {"require": ["exp", "iat", "iss", "aud", "jti"]}, audience=audience
        )
    loads(request.get_data())
    return Response(ANSWER, mimetype="application/json")
