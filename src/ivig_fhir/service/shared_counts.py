"""Sums that every worker adds to and every worker can read: memory that gunicorn's workers share.

It is made before the workers are forked (`--preload`). Each process writes to a row of its own, so that no process
waits for another and a worker that is killed harms none; what it counted stays. A row is its process id, the bytes
in use, and entries: length of the name, name, value. Without a fork there is one row, and the sums are of this process.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from weakref import WeakSet

ROWS = 64
ROW_BYTES = 1 << 17
_HEAD = struct.Struct("=qq")  # process id, bytes in use
_LENGTH, _VALUE = struct.Struct("=q"), struct.Struct("=d")  # all eight bytes, so that a value is written at once

_ALL: WeakSet[SharedCounts] = WeakSet()


class SharedCounts:
    """Numbers by name; safe between threads and between forked processes."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, ROWS * ROW_BYTES)
        self._row = self._forks = 0
        _ALL.add(self)
        self.claim(0)

    def add(self, *names: str, amount: float = 1.0) -> None:
        """Add to the numbers of these names. What finds no room in the row is not counted."""
        with self._lock:
            for name in names:
                place = self._places.get(name) or self._new(name)
                if place:
                    (value,) = _VALUE.unpack_from(self._memory, place)
                    _VALUE.pack_into(self._memory, place, value + amount)

    def totals(self) -> dict[str, float]:
        """The sums over all processes, those that ended included."""
        found: defaultdict[str, float] = defaultdict(float)
        for row in range(ROWS):
            for name, place in self._entries(row):
                found[name] += _VALUE.unpack_from(self._memory, place)[0]
        return dict(found)

    def row_for_child(self) -> int:
        """The row of the next process: one never used, or that of a process which is gone; its sums go on."""
        self._forks += 1
        if self._forks < ROWS:
            return self._forks
        return next((row for row in range(1, ROWS) if not _alive(self._head(row)[0])), ROWS - 1)

    def claim(self, row: int) -> None:
        """Write to this row from now on; in a new process, before anything else."""
        self._lock = threading.Lock()  # that of the parent may have been held
        self._row = row
        self._places = dict(self._entries(row))
        _HEAD.pack_into(self._memory, row * ROW_BYTES, os.getpid(), self._head(row)[1])

    def _head(self, row: int) -> tuple[int, int]:
        process, used = _HEAD.unpack_from(self._memory, row * ROW_BYTES)
        return process, used

    def _entries(self, row: int) -> Iterator[tuple[str, int]]:
        """Each name of a row and the place of its value."""
        start = row * ROW_BYTES + _HEAD.size
        place, end = start, start + self._head(row)[1]
        while place < end:
            (length,) = _LENGTH.unpack_from(self._memory, place)
            text = self._memory[place + _LENGTH.size : place + _LENGTH.size + length]
            place += _LENGTH.size + length
            yield text.decode().rstrip(), place
            place += _VALUE.size

    def _new(self, name: str) -> int:
        """A new entry with value 0, and then the bytes in use; 0 when there is no room."""
        text = name.encode()
        text += b" " * (-len(text) % _VALUE.size)
        process, used = self._head(self._row)
        needed = _LENGTH.size + len(text) + _VALUE.size
        if _HEAD.size + used + needed > ROW_BYTES:
            return 0
        place = self._row * ROW_BYTES + _HEAD.size + used
        self._memory[place : place + needed] = _LENGTH.pack(len(text)) + text + _VALUE.pack(0.0)
        _HEAD.pack_into(self._memory, self._row * ROW_BYTES, process, used + needed)
        self._places[name] = place + needed - _VALUE.size
        return self._places[name]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_next: dict[int, int] = {}


def _before_fork() -> None:
    _next.clear()
    _next.update((id(counts), counts.row_for_child()) for counts in _ALL)


def _in_child() -> None:
    for counts in _ALL:
        counts.claim(_next[id(counts)])


os.register_at_fork(before=_before_fork, after_in_child=_in_child)
