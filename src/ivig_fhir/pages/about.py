"""What the module is: publisher, funding, dates, sources, intended users, limits, declared defaults."""

from __future__ import annotations

from dataclasses import dataclass

from ivig_fhir.knowledge.content import Word
from ivig_fhir.pages import basis
from ivig_fhir.pages.publication import Publication
from ivig_fhir.pages.topics import Standing, standing


@dataclass(frozen=True)
class AboutPage:
    """The page on the module itself."""

    title: str
    publisher: str
    funding: tuple[str, ...]
    says: str
    usage: str
    copyright: str
    standing: Standing
    content_hash: str
    sources: tuple[basis.Source, ...]
    defaults: tuple[Word, ...]
    limits: tuple[str, ...]
    encoded: int
    statements: int
    hooks: tuple[Word, ...]


def about_page(publication: Publication) -> AboutPage:
    """The page, out of the module Library and the code systems."""
    content = publication.content
    library = content.library
    encoded = {name for unit in publication.units() for name in unit.statements}
    return AboutPage(
        library.get("title", ""),
        library.get("publisher", ""),
        _phrases(publication, "funding"),
        library.get("description", ""),
        library.get("usage", ""),
        library.get("copyright", ""),
        standing(library),
        content.definitions.content_hash,
        tuple(basis.sources(content)),
        tuple(publication.words("ivig-default")),
        _phrases(publication, "limit-"),
        len(encoded),
        len(content.statements),
        tuple(content.hooks.values()),
    )


def _phrases(publication: Publication, begins: str) -> tuple[str, ...]:
    """The module's phrases of one kind, in order; none where it has none."""
    return tuple(word.display for name, word in publication.content.phrases.items() if name.startswith(begins))


@dataclass(frozen=True)
class Use:
    """A statement, and the units that rest on it."""

    statement: basis.Statement
    units: tuple[tuple[str, str, str], ...]


def statements_page(publication: Publication) -> list[tuple[basis.Source, list[Use]]]:
    """Every statement by source, with where it is used: (topic id, unit id, unit title)."""
    content = publication.content
    used: dict[str, list[tuple[str, str, str]]] = {}
    for unit in publication.units():
        for name in unit.statements:
            used.setdefault(name, []).append((unit.topic, unit.id, unit.title))
    uses = [Use(basis.statement(name, content), tuple(used.get(name, ()))) for name in content.statements]
    return [(source, [use for use in uses if use.statement.source == source]) for source in basis.sources(content)]
