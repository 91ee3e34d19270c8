"""What the store tells: per unit shown, accepted, overridden with reasons; and the end of what is old."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ivig_fhir.cds_hooks.feedback import ACCEPTED, OVERRIDDEN, hour_of
from ivig_fhir.problems import problem
from ivig_fhir.service.store import MIGRATIONS, connect

# of several outcomes of one card the one received last counts
_LAST = "SELECT card, outcome, reason FROM feedback WHERE id IN (SELECT max(id) FROM feedback GROUP BY card)"


@dataclass
class UnitFigures:
    """Cards with a unit: how many were shown, and what became of them; `reasons` by code, empty for none given.

    `silenced`: in how many hook instances a setting of the site kept the unit off.
    """

    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    silenced: int = 0


@dataclass(frozen=True)
class Report:
    """The figures by unit id, and the cards with feedback that were not noted when shown."""

    units: dict[str, UnitFigures]
    unmatched: int


def report(path: Path) -> Report:
    """The figures of a store. Raises Problem('malformed') when the file is none."""
    units: dict[str, UnitFigures] = {}
    with _opened(path) as connection:
        rows = connection.execute(
            f"SELECT unit, outcome, reason, count(*) FROM card_unit LEFT JOIN ({_LAST}) USING (card) "  # noqa: S608
            "GROUP BY unit, outcome, reason ORDER BY unit, outcome, reason"
        )
        for unit, outcome, reason, count in rows:
            figures = units.setdefault(unit, UnitFigures())
            figures.shown += count
            figures.accepted += count if outcome == ACCEPTED else 0
            if outcome == OVERRIDDEN:
                figures.overridden += count
                figures.reasons[reason] = count
        for unit, count in connection.execute("SELECT unit, count(*) FROM silenced GROUP BY unit ORDER BY unit"):
            units.setdefault(unit, UnitFigures()).silenced = count
        without = "SELECT count(DISTINCT card) FROM feedback WHERE card NOT IN (SELECT uuid FROM card)"
        (unmatched,) = connection.execute(without).fetchone()
    return Report(units, unmatched)


def purge(path: Path, days: int, now: datetime) -> tuple[int, int]:
    """Delete cards shown, units silenced, and feedback received, more than that many days ago; cards and feedback.

    The feedback of a card goes with it. Raises Problem('malformed') when the file is no store or is in use too long.
    """
    limit = hour_of(now - timedelta(days=days))
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        old = "SELECT uuid FROM card WHERE hour < ?"
        feedback = connection.execute(
            f"DELETE FROM feedback WHERE received < ? OR card IN ({old})",  # noqa: S608
            (limit, limit),
        ).rowcount
        connection.execute(f"DELETE FROM card_unit WHERE card IN ({old})", (limit,))  # noqa: S608
        cards = connection.execute("DELETE FROM card WHERE hour < ?", (limit,)).rowcount
        connection.execute("DELETE FROM silenced WHERE hour < ?", (limit,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # else the log still holds what was deleted
    return cards, feedback


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != len(MIGRATIONS):
                raise sqlite3.DatabaseError(f"it is of version {version}, not {len(MIGRATIONS)}")
            yield connection
    except sqlite3.Error as error:
        raise problem("malformed", str(path), f"cannot be used: {error}", "the file of IVIG_FHIR_STORE") from error
