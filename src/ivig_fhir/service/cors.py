"""Scripts of other web origins (CH-07): the origins of the setting may call, without credentials; no other may."""

from __future__ import annotations

from flask import Flask, Response, request

METHODS = "GET, POST, OPTIONS"
HEADERS = "Authorization, Content-Type, X-Request-Id"
PREFLIGHT_SECONDS = "600"


def allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer preflights and mark answers for these origins; must stand before the check of tokens."""

    @app.before_request
    def preflight() -> Response | None:
        """A browser asks first, and without a token."""
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and _allowed(origins) else None

    @app.after_request
    def mark(response: Response) -> Response:
        if origins:
            response.vary.add("Origin")
        if _allowed(origins):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate, X-Request-Id"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = METHODS
                response.headers["Access-Control-Allow-Headers"] = HEADERS
                response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
        return response


def _allowed(origins: tuple[str, ...]) -> bool:
    return request.headers.get("Origin") in origins
