"""A minute of load on the server that `make serve` starts: errors, latency, and what each worker's memory grows by.

    python benchmarks/load.py [--seconds 60] [--connections 16] [--json]

Requests of 20 KB and 240 KB by turns, each with a hookInstance of its own, over keep-alive connections, with a store.
Memory is read after a warm-up and at the end. Exit code 1 when a request failed or a worker grew by more than 20 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connections import Connection, Load, Refused, post
from payloads import HOOK, request_body
from servers import Server, serving

HERE = Path(__file__).parent
SIZES = (20_000, 240_000)
WARM_UP = 5.0  # seconds
MOST_GROWTH = 20.0  # MB per worker
PATH = f"/cds-services/ivig-{HOOK}"


@dataclass
class Caller:
    """One connection that asks until a moment (monotonic seconds); what it met with."""

    port: int
    bodies: list[bytes]
    until: float
    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Ask, one request after the other; a failure is noted, and a new connection goes on."""
        connection, number = Connection(self.port), 0
        while time.monotonic() < self.until:
            body, number = self.bodies[number % len(self.bodies)], number + 1
            begun = time.perf_counter()
            try:
                connection.ask(post(PATH, anew(body)))
                self.milliseconds.append((time.perf_counter() - begun) * 1000)
            except (Refused, OSError) as failure:
                self.failures.append(str(failure)[:200])
                connection.close()
                connection = Connection(self.port)
        connection.close()


def anew(body: bytes) -> bytes:
    """The request with a hookInstance of its own."""
    head, name, rest = body.partition(b'"hookInstance":"')
    return head + name + str(uuid.uuid4()).encode() + rest[36:]


def load(server: Server, bodies: list[bytes], seconds: float, connections: int) -> tuple[Load, list[str]]:
    """Ask for some seconds over so many connections; the latencies, and what failed."""
    until = time.monotonic() + seconds
    callers = [Caller(server.port, bodies[number % 2 :] + bodies[: number % 2], until) for number in range(connections)]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = tuple(item for caller in callers for item in caller.milliseconds)
    return Load(time.perf_counter() - begun, taken), [item for caller in callers for item in caller.failures]


def measure(seconds: float, connections: int, checkout: Path) -> dict[str, Any]:
    """The figures of one run."""
    bodies = [request_body(size, checkout / "definitions", datetime.now(UTC).date()) for size in SIZES]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IVIG_FHIR_STORE"] = str(Path(folder) / "store.sqlite")
        with serving("server:app", checkout, checkout) as server:
            load(server, bodies, WARM_UP, connections)
            workers, before = server.workers(), server.resident_megabytes()
            run, failures = load(server, bodies, seconds, connections)
            after = server.resident_megabytes()
            same = workers == server.workers()
    growth = [end - begin for begin, end in zip(before, after, strict=False)]
    return {
        "seconds": run.seconds,
        "connections": connections,
        "workers": len(workers),
        "requests": len(run.milliseconds),
        "errors": len(failures),
        "first_error": failures[0] if failures else "",
        "workers_lived": same,
        "p50_ms": run.percentile(0.5),
        "p99_ms": run.percentile(0.99),
        "most_ms": run.percentile(1),
        "resident_mb": {"before": before, "after": after, "growth": growth},
        "load_of_machine": os.getloadavg()[0],
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    parser.add_argument("--checkout", type=Path, default=HERE.parent, help="whose service is asked")
    chosen = parser.parse_args()
    found = measure(chosen.seconds, chosen.connections, chosen.checkout.resolve())
    growth = found["resident_mb"]["growth"]
    text = (
        f"{found['requests']} requests in {found['seconds']:.0f} s over {found['connections']} connections,"
        f" {found['workers']} workers: {found['errors']} errors\n"
        f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, longest {found['most_ms']:.0f} ms\n"
        f"memory per worker grew by {', '.join(f'{item:.1f}' for item in growth)} MB"
        f" (load of the machine {found['load_of_machine']:.1f})\n{found['first_error']}"
    )
    sys.stdout.write((json.dumps(found, indent=2) if chosen.json else text.rstrip()) + "\n")
    return int(bool(found["errors"]) or not found["workers_lived"] or max(growth) > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
