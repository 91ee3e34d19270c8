"""What is said of size and certainty (L2): figures, and how the module reads a source's grades of evidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number (or a range, low-high) as a source prints it: of what, in which UCUM unit, of whom ("unclear")."""

    statement: str
    value: str
    unit: str
    what: str
    of: str


@dataclass(frozen=True)
class Reading:
    """Which code the module gives to a source's grade of evidence that begins with these words."""

    source: str
    begins: str
    rating: str


@dataclass(frozen=True)
class Certainty:
    """The module's own reading of grades of evidence; `says` is printed wherever a code is given."""

    says: str
    readings: tuple[Reading, ...]

    def code_of(self, source: str, wording: str) -> str:
        """The code declared for a source's wording; nothing where none is."""
        found = (item.rating for item in self.readings if item.source == source and wording.startswith(item.begins))
        return next(found, "")
