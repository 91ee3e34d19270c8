"""Counters of all workers, printed in the Prometheus text format; labels are names of ours, never a value sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from ivig_fhir.service.shared_counts import SharedCounts

NAMES = {
    "ivig_fhir_requests_total": "Requests by service (empty: none of ours) and status.",
    "ivig_fhir_request_seconds_total": "Seconds from the first byte of a request to its answer, by service.",
    "ivig_fhir_refused_busy_total": "Requests refused because too many were in flight.",
    "ivig_fhir_cards_shown_total": "Cards that went out, by topic and indicator.",
    "ivig_fhir_units_shown_total": "Units that stood on cards that went out.",
    "ivig_fhir_evaluations_total": "Requests for which every unit was evaluated, by service.",
    "ivig_fhir_units_fired_total": "Units that had something to say, shown or not, by service.",
    "ivig_fhir_units_silenced_total": "Units that had something to say and were kept off by a setting, by service.",
    "ivig_fhir_feedback_total": "Feedback stored, by outcome.",
    "ivig_fhir_store_failures_total": "Writes that the store did not take: cards shown (they went out), feedback.",
}


class Metrics:
    """Counts; safe between threads, and one sum for all workers of a server (shared_counts.py)."""

    def __init__(self) -> None:
        self._counts = SharedCounts()

    def request(self, service: str, status: int, seconds: float) -> None:
        """One request that was answered; `service` is an id of ours or empty."""
        self._counts.add(_named("ivig_fhir_requests_total", service=service, status=str(status)))
        self._counts.add(_named("ivig_fhir_request_seconds_total", service=service), amount=seconds)

    def busy(self) -> None:
        """One request that was refused because too many were in flight."""
        self._counts.add("ivig_fhir_refused_busy_total")

    def card(self, topic: str, indicator: str, units: Iterable[str]) -> None:
        """One card that goes out."""
        self._counts.add(
            _named("ivig_fhir_cards_shown_total", topic=topic, indicator=indicator),
            *(_named("ivig_fhir_units_shown_total", unit=unit) for unit in units),
        )

    def evaluation(self, service: str, fired: Iterable[str], silenced: Iterable[str]) -> None:
        """One record that was evaluated: the units that had something to say, and those kept off by a setting."""
        self._counts.add(
            _named("ivig_fhir_evaluations_total", service=service),
            *(_named("ivig_fhir_units_fired_total", unit=unit, service=service) for unit in fired),
            *(_named("ivig_fhir_units_silenced_total", unit=unit, service=service) for unit in silenced),
        )

    def feedback(self, outcome: str) -> None:
        """One item of feedback that was stored, duplicates included."""
        self._counts.add(_named("ivig_fhir_feedback_total", outcome=outcome))

    def store_failure(self, what: str) -> None:
        """One write that failed: `shown` or `feedback`."""
        self._counts.add(_named("ivig_fhir_store_failures_total", what=what))

    def text(self) -> str:
        """All counters in the Prometheus text format 0.0.4."""
        return "".join(f"{line}\n" for line in _lines(self._counts.totals()))


@lru_cache(maxsize=4096)
def _named(name: str, **labels: str) -> str:
    """A counter with its labels, as it is printed."""
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{pairs}}}"


def _lines(counts: dict[str, float]) -> Iterator[str]:
    for name, says in NAMES.items():
        yield f"# HELP {name} {says}"
        yield f"# TYPE {name} counter"
        for counted, value in sorted(counts.items()):
            if counted.partition("{")[0] == name:
                yield f"{counted} {int(value) if value.is_integer() else value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
