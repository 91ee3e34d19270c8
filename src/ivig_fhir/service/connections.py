"""Connections to a SQLite file: one for each thread of each process, since neither may use another's."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path


class Connections:
    """Opened when a thread first needs one; one that was opened before a fork is never used."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._own = threading.local()

    def own(self) -> sqlite3.Connection:
        """The connection of this thread. Raises sqlite3.Error."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None or self._own.process != os.getpid():
            connection = self._own.connection = self._connect()
            self._own.process = os.getpid()
        return connection

    def close(self) -> None:
        """Close the connection of this thread."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None


def opened(path: Path, timeout: float, **pragmas: str) -> sqlite3.Connection:
    """A connection that commits each statement by itself, with these settings. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
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
