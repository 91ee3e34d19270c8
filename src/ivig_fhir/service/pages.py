"""The pages of the module over HTTP: guideline pages, about, the FHIR behind them.

Strict content security policy; what depends on a patient is POST alone and never cached.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, redirect, request

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.context import PATIENT, PROFESSIONAL
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.publication import R4, load_publication
from ivig_fhir.pages.rendering import Pages, assets
from ivig_fhir.problems import Problem, problem
from ivig_fhir.service.playground import playground_blueprint
from ivig_fhir.service.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
UNCHANGED = "public, max-age=31536000, immutable"  # assets carry a hash in their address


def pages_blueprint(content: Content, responder: Responder, settings: Settings, clock: Callable[[], date]) -> Blueprint:
    """/, /guidance, /about, /statements, /definitions, /static, /try, /explain."""
    routes = Blueprint("pages", __name__)
    pages = Pages(load_publication(content, settings.definitions))
    _guidance(routes, pages)
    _resources(routes, pages, settings.definitions)
    routes.register_blueprint(playground_blueprint(pages, responder, settings, clock))
    routes.after_request(_protected)
    return routes


def _protected(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _page(html: str, status: int = 200) -> Response:
    """A page; its hash lets a browser ask whether it changed."""
    response = Response(html, status, mimetype="text/html")
    response.add_etag()
    response.make_conditional(request)
    return response


def _reader() -> str:
    return PATIENT if request.args.get("reader") == PATIENT else PROFESSIONAL


def _guidance(routes: Blueprint, pages: Pages) -> None:
    overview, topic = (
        cache(pages.overview),
        cache(lambda name, reader: pages.topic(pages.publication.plan(name), reader)),
    )
    codes = cache(pages.codes)
    about, statements, resources = cache(pages.about), cache(pages.statements), cache(pages.resources)

    @routes.get("/")
    def start() -> Response:
        return redirect("guidance")  # type: ignore[return-value]

    @routes.get("/guidance")
    def map_of_evidence() -> Response:
        return _page(overview(_reader()))

    @routes.get("/guidance/<name>")
    def topic_of(name: str) -> Response:
        try:
            return _page(topic(name, _reader()))
        except Problem as unknown:
            issues = [str(issue) for issue in unknown.outcome.issues]
            return _page(pages.problem("There is no such page", issues, "guidance/x"), 404)

    @routes.get("/codes/<name>")
    def codes_of(name: str) -> Response:
        if pages.publication.find(R4, "ValueSet", name) is None:
            return _page(pages.problem("There is no such page", ["there is no such value set"], "codes/x"), 404)
        return _page(codes(name))

    routes.add_url_rule("/about", "about", lambda: _page(about()))
    routes.add_url_rule("/statements", "statements", lambda: _page(statements()))
    routes.add_url_rule("/definitions", "definitions", lambda: _page(resources()))


def _resources(routes: Blueprint, pages: Pages, definitions: Path) -> None:
    files = assets()

    @routes.get("/definitions/<edition>/<name>.json")
    def resource(edition: str, name: str) -> Response:
        resource_type, _, identifier = name.partition("-")
        if pages.publication.find(edition, resource_type, identifier) is None:
            raise problem("not-found", "request", "there is no such resource")
        committed = (definitions / edition / f"{name}.json").read_bytes()
        return Response(committed, mimetype="application/json")

    @routes.get("/favicon.ico")
    def icon() -> Response:  # browsers ask for it beside a resource, where no page names it
        return Response(files["icon.svg"], mimetype="image/svg+xml")

    @routes.get("/static/<name>")
    def asset(name: str) -> Response:
        if name not in files:
            raise problem("not-found", "request", "there is no such file", ", ".join(files))
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        response = Response(files[name], mimetype=kind)
        response.headers["Cache-Control"] = UNCHANGED
        return response
