"""The floor of the benchmark: Flask that reads the same body as strictly and answers 5 KB that stand ready.

`gunicorn floor:app`. What the service costs beyond this is the guidance; what it costs up to this is HTTP.
"""

from __future__ import annotations

import json

from flask import Flask, Response, request

from ivig_fhir.fhir import loads

BYTES = 5000
_EMPTY = {"cards": [{"summary": "floor", "indicator": "info", "source": {"label": "floor"}, "detail": ""}]}
_FILLING = "x" * (BYTES - len(json.dumps(_EMPTY)))
ANSWER = json.dumps(_EMPTY).replace('"detail": ""', f'"detail": "{_FILLING}"').encode()

app = Flask(__name__, static_folder=None)


@app.get("/cds-services")
def discover() -> dict[str, list[str]]:
    """What a start is probed with, as in the service."""
    return {"services": []}


@app.post("/cds-services/<service_id>")
def answer(service_id: str) -> Response:  # noqa: ARG001 - the path that the service has
    """Read the whole body, answer the same bytes every time."""
    loads(request.get_data())
    return Response(ANSWER, mimetype="application/json")
