"""Which tokens were used already (CH-101): one SQLite file that all workers share, holding hashes until they expire."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from pathlib import Path

from ivig_fhir.problems import Issue, Outcome, Problem, problem
from ivig_fhir.service.store import rewrite_version

SWEEP_SECONDS = 60.0  # how long what has expired may stay

_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (token BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_until ON used (until);
"""


class UsedTokens:
    """The tokens that were used; safe between threads and between processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._sweep_at = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = self._connect()
            connection.executescript(_SCHEMA)
            connection.close()  # none may be open when workers are forked
        except (OSError, sqlite3.Error) as error:
            issue = Issue(
                "IVIG_FHIR_REPLAY_STORE", f"{path} cannot be used: {error}", "a file that all workers can write"
            )
            raise Problem("malformed", Outcome((issue,))) from error

    def first_use(self, issuer: str, identifier: str, until: float, now: float) -> bool:
        """Whether this token was not used before; then it is noted until that moment (seconds since the epoch).

        Raises Problem('busy') when that cannot be known: a token whose use cannot be noted is not accepted.
        """
        token = hashlib.sha256(f"{issuer}\n{identifier}".encode("utf-8", "surrogatepass")).digest()
        try:
            connection = self._connection()
            if now >= self._sweep_at:
                self._sweep_at = now + SWEEP_SECONDS
                connection.execute("DELETE FROM used WHERE until < ?", (now,))
            return connection.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (token, until)).rowcount == 1
        except sqlite3.Error as error:
            issue = Issue("", "the service cannot accept requests at the moment")
            raise Problem("busy", Outcome((issue,))) from error

    def probe(self) -> None:
        """Write something that changes nothing. Raises Problem('busy') when no token can be noted."""
        try:
            rewrite_version(self._connection())
        except sqlite3.Error as error:
            raise problem("busy", "", "no token can be noted") from error

    def close(self) -> None:
        """Close the connection of this thread."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def _connection(self) -> sqlite3.Connection:
        """One connection a thread and a process; a forked one is never used."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None or self._own.process != os.getpid():
            connection = self._own.connection = self._connect()
            self._own.process = os.getpid()
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=1.0, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection
