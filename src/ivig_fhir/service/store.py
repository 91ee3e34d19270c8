"""Cards shown and feedback, in one SQLite file (WAL) that all workers share; nothing of a patient is in it.

A write that returns is on the disk. Migrations are numbered (PRAGMA user_version) and run at the start, once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol

from ivig_fhir.cds_hooks.feedback import Feedback, Occasion, ShownCard
from ivig_fhir.problems import problem
from ivig_fhir.service.connections import Connections, opened, rewrite_version

SHOWN_WAIT = 100  # milliseconds for another writer: a card does not wait long for its trace
FEEDBACK_WAIT = 2000

MIGRATIONS = (
    """
    CREATE TABLE card (
        uuid TEXT PRIMARY KEY, service TEXT NOT NULL, topic TEXT NOT NULL, indicator TEXT NOT NULL,
        version TEXT NOT NULL, instance TEXT NOT NULL, hour TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE card_unit (card TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (card, unit)) WITHOUT ROWID;
    CREATE TABLE feedback (
        id INTEGER PRIMARY KEY, card TEXT NOT NULL, service TEXT NOT NULL, outcome TEXT NOT NULL,
        reason TEXT NOT NULL, comment TEXT NOT NULL, hour TEXT NOT NULL, received TEXT NOT NULL,
        UNIQUE (card, outcome, reason, comment, hour)
    );
    CREATE INDEX card_hour ON card (hour);
    CREATE INDEX feedback_received ON feedback (received);
    """,
    """
    CREATE TABLE silenced (
        unit TEXT NOT NULL, service TEXT NOT NULL, instance TEXT NOT NULL, hour TEXT NOT NULL,
        PRIMARY KEY (instance, service, unit)
    ) WITHOUT ROWID;
    CREATE INDEX silenced_hour ON silenced (hour);
    """,
)


class StoreFailed(Exception):
    """Nothing was written; its text names the kind of failure only."""


class Store(Protocol):
    """Where cards shown and feedback go; a method that returns has persisted all that it was given."""

    def record_shown(self, occasion: Occasion, cards: Sequence[ShownCard], silenced: Sequence[str] = ()) -> None:
        """Note cards and units (ids) kept off them; what is there already stays as it is. Raises StoreFailed."""

    def record_feedback(self, feedback: Sequence[Feedback], service: str, received: str) -> None:
        """Note feedback to a service, received in an hour; a duplicate changes nothing. Raises StoreFailed."""

    def probe(self) -> None:
        """Write something that changes nothing. Raises StoreFailed."""


class SqliteStore:
    """The store in a file. Raises Problem('malformed') when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._connections = Connections(partial(connect, path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)  # the files beside it get the same mode
            with closing(connect(path)) as connection:  # none may be open when workers are forked
                migrate(connection)
        except (OSError, sqlite3.Error) as error:
            seen = f"{path} cannot be used: {error}"
            raise problem("malformed", "IVIG_FHIR_STORE", seen, "a file that all workers can write") from error

    def record_shown(self, occasion: Occasion, cards: Sequence[ShownCard], silenced: Sequence[str] = ()) -> None:
        """See Store."""
        service, instance, hour = occasion.service, occasion.instance, occasion.hour
        rows = [(c.uuid, service, c.topic, c.indicator, c.version, instance, hour) for c in cards]
        units = [(card.uuid, unit) for card in cards for unit in card.units]
        kept_off = [(unit, service, instance, hour) for unit in silenced]
        self._write(
            SHOWN_WAIT,
            ("INSERT OR IGNORE INTO card VALUES (?, ?, ?, ?, ?, ?, ?)", rows),
            ("INSERT OR IGNORE INTO card_unit VALUES (?, ?)", units),
            ("INSERT OR IGNORE INTO silenced VALUES (?, ?, ?, ?)", kept_off),
        )

    def record_feedback(self, feedback: Sequence[Feedback], service: str, received: str) -> None:
        """See Store."""
        rows = [(f.card, service, f.outcome, f.reason, f.comment, f.hour, received) for f in feedback]
        columns = "card, service, outcome, reason, comment, hour, received"
        statement = f"INSERT OR IGNORE INTO feedback ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        self._write(FEEDBACK_WAIT, (statement, rows))

    def probe(self) -> None:
        """See Store."""
        try:
            connection = self._connections.own()
            connection.execute(f"PRAGMA busy_timeout = {SHOWN_WAIT:d}")
            rewrite_version(connection)
        except sqlite3.Error as error:
            raise StoreFailed(type(error).__name__) from error

    def close(self) -> None:
        """Close the connection of this thread."""
        self._connections.close()

    def _write(self, wait: int, *statements: tuple[str, Sequence[Sequence[str]]]) -> None:
        """All statements in one transaction, or none."""
        try:
            connection = self._connections.own()
            connection.execute(f"PRAGMA busy_timeout = {wait:d}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement, rows in statements:
                    connection.executemany(statement, rows)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, UnicodeError) as error:
            raise StoreFailed(type(error).__name__) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection on which a commit is on the disk when it returns. Raises sqlite3.Error."""
    return opened(path, 2.0, journal_mode="WAL", synchronous="FULL", secure_delete="ON")


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that a file lacks, all or none. Raises sqlite3.Error, also for a file of a newer version."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (done,) = connection.execute("PRAGMA user_version").fetchone()
        if done > len(MIGRATIONS):
            raise sqlite3.DatabaseError(f"it is of version {done}, newer than {len(MIGRATIONS)}")
        for script in MIGRATIONS[done:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
