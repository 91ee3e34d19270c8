"""The body of a request: its type and coding, and whether all of it came."""

from __future__ import annotations

from flask import request

from ivig_fhir.problems import problem

JSON_TYPES = ("application/json", "application/fhir+json")


def json_body() -> bytes:
    """The bytes of a JSON request. Raises Problem('media-type'), Problem('too-slow').

    Compressed bodies are refused: what they unpack to is not known before. What is said names no value that was sent.
    """
    if request.mimetype not in JSON_TYPES:
        raise problem("media-type", "request", "the content type is another", " or ".join(JSON_TYPES))
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise problem("media-type", "request", "the body is compressed", "a body without Content-Encoding")
    body = request.get_data()
    if request.content_length is not None and len(body) < request.content_length:
        raise problem("too-slow", "request", "the body did not come, or not in time")
    return body
