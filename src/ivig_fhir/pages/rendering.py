"""View models -> HTML. Jinja stands here alone; undefined names fail, everything is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ivig_fhir.cds_hooks.cards import EXTENSION
from ivig_fhir.cds_hooks.context import PATIENT, PROFESSIONAL
from ivig_fhir.cds_hooks.discovery import served_hooks
from ivig_fhir.cds_hooks.selection import for_patients
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.plans import Plan
from ivig_fhir.pages.about import about_page, statements_page
from ivig_fhir.pages.addresses import READERS, Addresses, slug
from ivig_fhir.pages.basis import source
from ivig_fhir.pages.codes import value_set
from ivig_fhir.pages.evidence_map import evidence_map
from ivig_fhir.pages.examples import examples
from ivig_fhir.pages.markup import cited, linked
from ivig_fhir.pages.playground import Form, Outcome, takes_facts
from ivig_fhir.pages.publication import R4, R5, Publication
from ivig_fhir.pages.resources import everything
from ivig_fhir.pages.topics import patient_page, standing, topic_page

HERE = Path(__file__).parent
STATIC = HERE / "static"
GUIDANCE, ABOUT, STATEMENTS, RESOURCES, TRY = "guidance", "about", "statements", "definitions", "try"
CODES = "codes"


def topic_path(plan: Plan) -> str:
    """The path of a topic's page: guidance/myasthenia-gravis."""
    return f"{GUIDANCE}/{slug(plan.title)}"


def assets() -> dict[str, bytes]:
    """The styles and scripts by file name."""
    return {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file()}


class Pages:
    """Every page of a publication as HTML; `files` for the static site, where nothing answers."""

    def __init__(self, publication: Publication, files: bool = False) -> None:
        self.publication, self.files = publication, files
        self.content = publication.content
        self.version = hashlib.sha256(b"".join(assets().values())).hexdigest()[:12]
        self.jinja = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.jinja.filters |= {"slug": slug, "json": dumps}
        self.jinja.globals |= {
            "topic_path": topic_path,
            "content": self.content,
            "library": standing(self.content.library),
            "asset_version": self.version,
            "live": not files,
            "source_of": self._source_of,
            "READERS": READERS,
            "EXTENSION": EXTENSION,
            "titles": {plan.topic: plan.title for plan in self.content.plans},
        }

    def render(self, template: str, here: str, **values: Any) -> str:
        """A page at a path out of a template."""
        to = Addresses(here, self.files)
        place = partial(self._place, to)
        known = {"to": to, "here": here, "reader": PROFESSIONAL, "place": place, "cite": partial(self._cite, place)}
        known["card_text"] = partial(self._card_text, to)
        return self.jinja.get_template(template).render(known | values)

    def overview(self, reader: str = PROFESSIONAL, here: str = GUIDANCE) -> str:
        """The evidence map; for a patient the topics that have patient wording."""
        if reader == PATIENT:
            plans = [plan for plan in self.content.plans if any(for_patients(unit) for unit in plan.units)]
            return self.render("overview_patient.html", here, plans=plans, reader=reader)
        sources = [source(name, self.content) for name in self.content.sources]
        return self.render("overview.html", here, map=evidence_map(self.publication), sources=sources)

    def topic(self, plan: Plan, reader: str = PROFESSIONAL, here: str = "") -> str:
        """The page of a topic."""
        here = here or topic_path(plan)
        if reader == PATIENT:
            return self.render("topic_patient.html", here, page=patient_page(plan, self.publication), reader=reader)
        return self.render("topic.html", here, page=topic_page(plan, self.publication))

    def about(self) -> str:
        """The page on the module itself."""
        return self.render("about.html", ABOUT, page=about_page(self.publication))

    def statements(self) -> str:
        """Every statement of every source, and where it is used."""
        return self.render("statements.html", STATEMENTS, groups=statements_page(self.publication))

    def codes(self, identifier: str) -> str:
        """Every code of a value set, with its proof. Raises Problem('definitions') for one that is not there."""
        resource = self.content.definitions.read("ValueSet", identifier)
        return self.render("codes.html", f"{CODES}/{identifier}", item=value_set(resource))

    def resources(self) -> str:
        """Every FHIR resource, to view and to download."""
        return self.render("resources.html", RESOURCES, entries=everything(self.publication), editions=(R4, R5))

    def playground(
        self, form: Form, public_url: str, outcome: Outcome | None = None, issues: tuple[str, ...] = ()
    ) -> str:
        """The playground with its form, and what came of it."""
        known = {
            "form": form,
            "examples": examples(),
            "hooks": [self.content.hooks[hook] for hook in served_hooks(self.content)],
            "outcome": outcome,
            "issues": issues,
            "public_url": public_url,
            "can_add": takes_facts(form),
        }
        return self.render("try.html", TRY, **known)

    def problem(self, title: str, issues: list[str], here: str) -> str:
        """A page that says what went wrong and what is allowed."""
        return self.render("problem.html", here, title=title, issues=issues)

    def _source_of(self, name: str) -> str:
        return self.content.statements[name].one("source")

    def _place(self, to: Addresses, name: str) -> str:
        """Where a statement or a conflict stands: on the page of a topic at hand, else in the list of all."""
        if to.here.startswith(f"{GUIDANCE}/"):
            return f"#{name}"
        return to.page(STATEMENTS, name)

    def _cite(self, place: Callable[[str], str], text: str) -> Markup:
        return cited(text, self.content, place)

    def _card_text(self, to: Addresses, text: str, topic: str, reader: str) -> Markup:
        """A card's text; what it names leads to the page of its topic."""
        return linked(text, self.content, lambda name: to.page(f"{GUIDANCE}/{topic}", name, reader))
