"""The module as published: the content that is executed (R4), and its R5 edition where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ivig_fhir.fhir import Resource
from ivig_fhir.knowledge.content import Content, Word, word_of
from ivig_fhir.knowledge.plans import Plan, Unit
from ivig_fhir.knowledge.repository import Definitions, load_definitions
from ivig_fhir.pages.addresses import slug
from ivig_fhir.problems import problem

R4, R5 = "r4", "r5"


@dataclass(frozen=True)
class Publication:
    """Content, and the other edition: Evidence and Citation exist there alone."""

    content: Content
    r5: Definitions | None = None

    def edition(self, name: str) -> Definitions | None:
        """The definitions of an edition, or None when the module is not published in it."""
        return {R4: self.content.definitions, R5: self.r5}.get(name)

    def find(self, edition: str, resource_type: str, identifier: str) -> Resource | None:
        """A resource of an edition, or None."""
        definitions = self.edition(edition)
        return definitions.by_id.get((resource_type, identifier)) if definitions else None

    def editions_of(self, resource_type: str, identifier: str) -> tuple[str, ...]:
        """The editions in which a resource is published."""
        return tuple(name for name in (R4, R5) if self.find(name, resource_type, identifier))

    def plan(self, name: str) -> Plan:
        """The plan of a topic, by its id or by the slug of its title. Raises Problem('not-found')."""
        for plan in self.content.plans:
            if name in (plan.topic, slug(plan.title)):
                return plan
        known = ", ".join(slug(plan.title) for plan in self.content.plans)
        raise problem("not-found", "guidance", "there is no such topic", known)

    def words(self, code_system: str) -> list[Word]:
        """The concepts of a code system of the module that may be absent."""
        system = self.content.definitions.by_id.get(("CodeSystem", code_system))
        return [word_of(item) for item in system.get("concept", ())] if system else []

    def units(self) -> Iterator[Unit]:
        """Every unit of every topic, in order."""
        for plan in self.content.plans:
            yield from plan.units


def load_publication(content: Content, folder: Path) -> Publication:
    """The publication of a definitions folder whose r4/ is loaded. Raises Problem('definitions')."""
    return Publication(content, load_definitions(folder / R5) if (folder / R5).is_dir() else None)
