"""Turns: of the threads of a worker one computes at a time.

Threads are there to wait for FHIR servers, the store and the client; computing is what they cannot share. Left to
themselves they interrupt each other, each with a whole record in hand, and every one finds the processor's caches
full of another's: a sixth of the time at 240 KB (docs/decisions/0004).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from ivig_fhir.problems import problem


class Turn:
    """`with turn:` computes; inside, `with turn.given_up():` waits for something while others compute.

    `with turn.within(seconds):` waits no longer than that for its turn.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Computes if it is this thread's turn by then. Raises Problem('busy'): nobody waits for it any more."""
        if not self._lock.acquire(timeout=seconds):
            raise problem("busy", "request", "too many requests at the moment")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Others may compute meanwhile; goes on when it is this thread's turn again."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
