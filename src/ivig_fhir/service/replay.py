"""Which tokens were used already (CH-101): one SQLite file that all workers share, holding hashes until they expire."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from ivig_fhir.problems import Issue, Outcome, Problem, problem
from ivig_fhir.service.connections import Connections, opened, rewrite_version

SWEEP_SECONDS = 60.0  # how long what has expired may stay

_SCHEMA = """
CREATE TABLE IF NOT EXISTS used (token BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_until ON used (until);
"""


class UsedTokens:
    """The tokens that were used; safe between threads and between processes."""

    def __init__(self, path: Path) -> None:
        self._connections = Connections(partial(_connect, path))
        self._sweep_at = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(_connect(path)) as connection:  # none may be open when workers are forked
                connection.executescript(_SCHEMA)
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
            connection = self._connections.own()
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
            rewrite_version(self._connections.own())
        except sqlite3.Error as error:
            raise problem("busy", "", "no token can be noted") from error

    def close(self) -> None:
        """Close the connection of this thread."""
        self._connections.close()


def _connect(path: Path) -> sqlite3.Connection:
    return opened(path, 1.0, journal_mode="WAL", synchronous="NORMAL")
