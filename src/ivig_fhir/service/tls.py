"""TLS on every endpoint (CH-90): who ends it, gunicorn or a proxy that it trusts, is the operator's choice.

gunicorn says `https` of a connection that it decrypted, and of one whose X-Forwarded-Proto says so, if the peer is in
`--forwarded-allow-ips`; the header of anybody else counts for nothing.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, request

from ivig_fhir.problems import problem
from ivig_fhir.service.operations import PROBES
from ivig_fhir.service.settings import Settings

log = logging.getLogger("ivig_fhir")

HSTS = "max-age=31536000"


def require_tls(app: Flask, settings: Settings) -> None:
    """Where the setting asks for TLS, refuse what came without: 403, probes apart, which come from inside."""
    if not settings.require_tls:
        log.warning("plain http is answered: end TLS in front of this service or in it (IVIG_FHIR_REQUIRE_TLS=yes)")
        return
    if not settings.public_url.startswith("https:"):
        raise problem("malformed", "IVIG_FHIR_REQUIRE_TLS", "is yes, but IVIG_FHIR_PUBLIC_URL is no https URL")

    @app.before_request
    def encrypted() -> None:
        if not request.is_secure and request.path not in PROBES:
            raise problem("plain-http", "request", "came over plain http", settings.public_url)

    @app.after_request
    def remember(response: Response) -> Response:
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = HSTS
        return response
