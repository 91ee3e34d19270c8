"""The words of a comparison: subjects with their facts, and changes by how dangerous they are.

A fact has a kind, which decides how its change is said and how dangerous it is; a name within its subject; what is
shown of it; and, where the words do not say all, what is compared besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

DIRECTION, SUBJECT, CRITERION, READS, WARNING = "direction", "subject", "criterion", "reads", "warning"
CODE, INCLUDES, DOSE, FIGURE = "code", "includes", "dose", "figure"
OCCASION, HOOK, SHOWN, YIELDS, QUERY, ACTIVITY = "occasion", "hook", "shown", "yields", "query", "activity"
RATING, NEWER, CONFLICT, STATEMENT = "rating", "newer", "conflict", "statement"
TEXT, OTHER = "text", "other"

# kind -> rank, the most dangerous first: whom the advice turns round, whom it reaches, how sure it sounds, its words
DANGER = {
    **dict.fromkeys((DIRECTION,), 0),
    **dict.fromkeys((SUBJECT,), 1),
    **dict.fromkeys((CRITERION, READS, WARNING, CODE, INCLUDES, DOSE, FIGURE), 2),
    **dict.fromkeys((OCCASION, HOOK, SHOWN, YIELDS, QUERY, ACTIVITY), 3),
    **dict.fromkeys((RATING, NEWER, CONFLICT, STATEMENT), 4),
    **dict.fromkeys((TEXT,), 5),
    **dict.fromkeys((OTHER,), 6),
}


@dataclass(frozen=True)
class Fact:
    """One thing that a subject says; `exact` is compared too and shown only where `shown` is the same."""

    kind: str
    name: str
    shown: str = ""
    exact: str = ""
    within: tuple[str, str] | None = None  # kind and name of the fact with which it comes and goes


@dataclass(frozen=True)
class Subject:
    """What can change as one thing: a unit, a concept, a statement; the topics that it concerns, by id."""

    key: str  # unique within a version
    noun: str
    name: str
    title: str = ""
    topics: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    kind: str = SUBJECT  # of its being added or removed
    note: str = ""  # told with a code that comes or goes


@dataclass(frozen=True)
class Change:
    """One line of a comparison: where, what kind, who, and the sentence."""

    topics: tuple[str, ...]
    kind: str
    subjects: tuple[str, ...]
    sentence: str

    @property
    def danger(self) -> int:
        """The rank of its kind; 0 is the most dangerous."""
        return DANGER[self.kind]

    def __str__(self) -> str:
        return f"{', '.join(self.subjects)}: {self.sentence}"


@dataclass(frozen=True)
class Comparison:
    """All changes, in order; what follows from them and is not said again; the titles of topics; the versions."""

    changes: tuple[Change, ...]
    also: tuple[str, ...] = ()
    titles: dict[str, str] = field(default_factory=dict)
    versions: tuple[str, str] = ("", "")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, value) of every primitive below a value, as text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from leaves(item, f"{path}[{place}]")
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def others(value: Any, kind: str = OTHER, prefix: str = "") -> tuple[Fact, ...]:
    """A fact for each primitive below a value: what no other words are found for."""
    return tuple(Fact(kind, path, shown) for path, shown in leaves(value, prefix))
