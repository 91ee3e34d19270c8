"""The body of a request: its type and coding, and whether all of it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import request
from werkzeug.exceptions import HTTPException

from ivig_fhir.problems import problem

JSON_TYPES = ("application/json", "application/fhir+json")


def json_body() -> bytes:
    """The bytes of a JSON request. Raises Problem('media-type'), Problem('too-slow'), Problem('malformed').

    Compressed bodies are refused: what they unpack to is not known before. What is said names no value that was sent.
    """
    if request.mimetype not in JSON_TYPES:
        raise problem("media-type", "request", "the content type is another", " or ".join(JSON_TYPES))
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise problem("media-type", "request", "the body is compressed", "a body without Content-Encoding")
    with _framed():
        body = request.get_data()
    if request.content_length is not None and len(body) < request.content_length:
        raise problem("too-slow", "request", "the body did not come, or not in time")
    return body


def form_body(most_bytes: int) -> Mapping[str, str]:
    """The fields of a form of at most some bytes. Raises as json_body."""
    request.max_form_memory_size = most_bytes
    with _framed():
        return request.form


@contextmanager
def _framed() -> Iterator[None]:
    """A body that is not framed as HTTP says makes the server raise errors of its own, whichever server that is."""
    try:
        yield
    except HTTPException:
        raise
    except Exception as error:
        raise problem("malformed", "request", "the body is not framed as HTTP says") from error
