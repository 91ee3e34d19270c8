"""Connections to a SQLite file: one for each thread of each process, since neither may use another's."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path


class _Owned:
    """A connection of one thread, closed with it: where the thread ends, or where nobody holds it any more."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection, self.process = connection, os.getpid()
        weakref.finalize(self, _close, connection, self.process)


def _close(connection: sqlite3.Connection, process: int) -> None:
    if process == os.getpid():  # that of a parent is not ours to close
        connection.close()


class Connections:
    """Opened when a thread first needs one; one that was opened before a fork is never used."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._own = threading.local()

    def own(self) -> sqlite3.Connection:
        """The connection of this thread. Raises sqlite3.Error."""
        owned: _Owned | None = getattr(self._own, "connection", None)
        if owned is None or owned.process != os.getpid():
            owned = self._own.connection = _Owned(self._connect())
        return owned.connection

    def close(self) -> None:
        """Close the connection of this thread."""
        self._own.connection = None


def opened(path: Path, timeout: float, **pragmas: str) -> sqlite3.Connection:
    """A connection that commits each statement by itself, with these settings. Raises sqlite3.Error."""
    # each is used by the thread that opened it, but whichever holds it last closes it
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name} = {value}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def rewrite_version(connection: sqlite3.Connection) -> None:
    """Write the version of a file that it has already: whether it can be written. Raises sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version:d}")
