"""What recommendations rest on, for pages: sources, statements, conflicts, newer evidence."""

from __future__ import annotations

from dataclasses import dataclass

from ivig_fhir.cds_hooks.unit_wording import LEADING, PRIMARY
from ivig_fhir.knowledge.content import Content, Word


@dataclass(frozen=True)
class Source:
    """A source document with its standing and its appraisal."""

    id: str
    short: str
    title: str
    publisher: str
    date: str
    standing: tuple[str, ...]
    standing_says: str
    appraisal: str
    successor: str
    references: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Statement:
    """A sentence of a source, reworded, with its lines in that source."""

    id: str
    text: str
    source: Source
    lines: tuple[int, ...]
    kind: str
    strength: str
    cites: str
    not_encoded: str

    @property
    def place(self) -> str:
        """Its lines in the source, neighbours as a range: 'line 7', 'lines 5–8, 12'."""
        runs: list[list[int]] = []
        for line in self.lines:
            if runs and line == runs[-1][-1] + 1:
                runs[-1].append(line)
            else:
                runs.append([line])
        told = [f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
        return f"{'line' if len(self.lines) == 1 else 'lines'} {', '.join(told)}"


@dataclass(frozen=True)
class Newer:
    """Evidence younger or stronger than the sources, what it says of them, and what was read of it."""

    id: str
    text: str
    title: str
    relation: str
    confidence: str
    year: str
    younger: bool
    links: tuple[tuple[str, str], ...]
    about: tuple[str, ...]

    @property
    def leads(self) -> bool:
        """Whether it stands before what the source says."""
        return self.relation in LEADING

    @property
    def primary(self) -> bool:
        """Whether the publication itself was read, not a secondary source."""
        return self.confidence == PRIMARY


@dataclass(frozen=True)
class Conflict:
    """A disagreement between sources, its sides, and how the module handles it."""

    id: str
    title: str
    text: str
    kind: str
    handling: str
    sides: tuple[tuple[Statement, ...], ...]


def source(name: str, content: Content) -> Source:
    """A source by id."""
    word = content.sources[name]
    return Source(
        name,
        word.display,
        word.one("title"),
        word.one("publisher"),
        word.one("date"),
        word.properties.get("standing", ()),
        word.one("standing-says"),
        word.definition,
        word.one("successor"),
        word.properties.get("reference", ()),
        word.one("sha256"),
    )


def sources(content: Content, wanted: set[str] | None = None) -> list[Source]:
    """The sources, or those of them that are wanted, in order."""
    return [source(name, content) for name in content.sources if wanted is None or name in wanted]


def statement(name: str, content: Content) -> Statement:
    """A statement by id."""
    word = content.statements[name]
    return Statement(
        name,
        word.definition,
        source(word.one("source"), content),
        tuple(int(line) for text in word.properties.get("lines", ()) for line in text.split(",")),
        word.one("kind"),
        word.one("strength"),
        ", ".join(word.properties.get("cites", ())),
        word.one("not-encoded"),
    )


def newer(name: str, content: Content) -> Newer:
    """An item of newer evidence by id."""
    word = content.newer[name]
    urls = word.properties.get("url", ())
    citations = word.properties.get("citation", ()) or (word.display,)
    links = tuple((text, urls[number] if number < len(urls) else "") for number, text in enumerate(citations))
    return Newer(
        name,
        word.definition,
        word.display,
        word.one("relation"),
        word.one("confidence"),
        ", ".join(word.properties.get("year", ())),
        bool(word.one("younger")),
        links,
        word.properties.get("about", ()),
    )


def conflict(name: str, content: Content) -> Conflict:
    """A conflict by id."""
    word = content.conflicts[name]
    return Conflict(name, word.display, word.definition, word.one("class"), word.one("handling"), _sides(word, content))


def _sides(word: Word, content: Content) -> tuple[tuple[Statement, ...], ...]:
    return tuple(
        tuple(statement(name, content) for name in side.split() if name in content.statements)
        for side in word.properties.get("side", ())
    )
