"""What guidance rests on (L2): sources, statements, conflicts, newer evidence, hints, concepts, order classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceReference:
    """An entry of a source's own reference list."""

    marker: str
    says: str
    citation: str = ""
    year: str = ""
    resolved: str = ""


@dataclass(frozen=True)
class Source:
    id: str
    title: str
    short: str
    publisher: str
    standing: tuple[str, ...]
    standing_says: str
    appraisal: str
    sha256: str
    date: str = ""
    url: str = ""
    for_patients: str = ""
    successor: str = ""
    references: tuple[SourceReference, ...] = ()


@dataclass(frozen=True)
class Statement:
    id: str
    lines: tuple[str, ...]
    kind: str
    says: str
    strength: str = ""
    cites: tuple[str, ...] = ()
    not_encoded: str = ""

    @property
    def source(self) -> str:
        """The id of the source that it stands in."""
        return self.id.partition("-")[0]


@dataclass(frozen=True)
class Feature:
    """One row of the feature table: an area of the sources, and what answers it besides its statements."""

    id: str
    area: str
    statements: tuple[str, ...] = ()
    answer: str = ""


@dataclass(frozen=True)
class Conflict:
    id: str
    kind: str
    title: str
    says: str
    handling: str
    sides: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class NewerSource:
    id: str
    title: str
    year: str
    seen: str
    short: str = ""
    citation: str = ""
    url: str = ""


@dataclass(frozen=True)
class Newer:
    """Evidence that is younger or stronger than the sources; it stands beside them, never in their place."""

    id: str
    about: tuple[str, ...]
    relation: str
    says: str
    sources: tuple[str, ...]
    confidence: str
    warns: str = ""


@dataclass(frozen=True)
class Regimen:
    """A regimen as a label, a guideline or a trial prints it: unreviewed, for its page alone, on no card.

    dose is the total of the course in `unit`; days and weeks (between courses) are a number or low-high; a rate is
    text, since labels mix units. Without a dose, instead_of_dose says what stands in its place.
    """

    id: str
    topic: str
    phase: str
    population: str
    product: str
    status: str
    source: str
    confidence: str
    disease: str = ""
    dose: str = ""
    unit: str = ""
    given_as: str = ""
    instead_of_dose: str = ""
    days: str = ""
    weeks: str = ""
    rate_initial: str = ""
    rate_max: str = ""
    against: str = ""
    note: str = ""


@dataclass(frozen=True)
class Hint:
    """Phrases that, read in a text, are a reason to ask and never a fact; `whole`: the text is the phrase.

    `beside`: concepts whose codes may stand beside the text, besides those of `read-beside`.
    """

    id: str
    path: str
    says: str
    phrases: tuple[str, ...]
    match: str = ""
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Code:
    system: str
    code: str
    display: str
    proof: str
    note: str = ""


@dataclass(frozen=True)
class LeftOut:
    system: str
    code: str
    why: str


@dataclass(frozen=True)
class Concept:
    id: str
    title: str
    type: str
    where: str
    codes: tuple[Code, ...] = ()
    includes: tuple[str, ...] = ()
    says: str = ""
    hint: str = ""
    open_codes: str = ""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class Asks:
    """What to ask when a criterion is unknown, and why it is."""

    fact: str
    reason: str


@dataclass(frozen=True)
class OrderRow:
    """One way in which an order belongs to a class; with `asks` it may belong to it."""

    name: str
    type: str
    codes: str
    route: str = ""
    route_stated: str = ""
    asks: Asks | None = None


@dataclass(frozen=True)
class OrderClass:
    id: str
    title: str
    rows: tuple[OrderRow, ...]
    done_codes: str = ""
    done_within: str = ""
