"""What a request costs: the service and a bare Flask floor, alternately, in CPU time of their workers.

    python benchmarks/service.py [--quick] [--auth ES384|RS384] [--json] [--checkout DIR]

For each size of request and number of connections, paired rounds of a fixed number of requests go to the floor
and to the service; the ratio floor / service is of CPU milliseconds per request (median of the rounds), so that
other work on the machine does not decide. Loopback only; it ends by itself, within four minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bearer import Bearer
from connections import Connection, Load, post, send
from payloads import HOOK, request_body
from servers import Server, serving

HERE = Path(__file__).parent
CONNECTIONS = (1, 16)
LIMIT = 230  # seconds after which no further round begins
PATH = f"/cds-services/ivig-{HOOK}"
FLOOR, SERVICE = "floor", "service"


@dataclass(frozen=True)
class Extent:
    """How much is measured: rounds, cold starts, and requests a round by size in bytes."""

    rounds: int
    starts: int
    requests: dict[int, int]


FULL = Extent(rounds=9, starts=5, requests={20_000: 600, 240_000: 300})
QUICK = Extent(rounds=3, starts=1, requests={20_000: 300, 240_000: 100})


@dataclass(frozen=True)
class Round:
    """One server's part of a paired round."""

    cpu: float
    load: Load


@dataclass
class Cell:
    """All rounds of one size and number of connections."""

    size: int
    connections: int
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {FLOOR: [], SERVICE: []})

    def spread(self, name: str, read: Callable[[Round], float]) -> dict[str, float]:
        """Median, least and most of a figure over the rounds of one server."""
        return _spread([read(item) for item in self.rounds[name]])

    def ratio(self, read: Callable[[Round], float]) -> dict[str, float]:
        """Floor / service, round by round."""
        pairs = zip(self.rounds[FLOOR], self.rounds[SERVICE], strict=True)
        return _spread([read(floor) / read(service) for floor, service in pairs])

    def figures(self) -> dict[str, Any]:
        """The cell as --json prints it."""
        of_server = {
            name: {
                "cpu_ms": self.spread(name, lambda item: item.cpu),
                "requests_per_second": self.spread(name, lambda item: item.load.per_second),
                "p50_ms": self.spread(name, lambda item: item.load.percentile(0.5)),
                "p99_ms": self.spread(name, lambda item: item.load.percentile(0.99)),
            }
            for name in (FLOOR, SERVICE)
        }
        return {
            "bytes": self.size,
            "connections": self.connections,
            "rounds": len(self.rounds[FLOOR]),
            "ratio_cpu": self.ratio(lambda item: item.cpu),
            "ratio_p99": self.ratio(lambda item: item.load.percentile(0.99)),
            **of_server,
        }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


class Caller:
    """Makes the requests of one kind: the same body each time, with a token of its own where tokens are asked for."""

    def __init__(self, body: bytes, bearer: Bearer | None) -> None:
        self.size, self._body, self._bearer = len(body), body, bearer

    def requests(self, count: int) -> list[bytes]:
        """So many requests."""
        if self._bearer is None:
            return [post(PATH, self._body)] * count
        return [post(PATH, self._body, token) for token in self._bearer.tokens(PATH, count)]


def measure(extent: Extent, checkout: Path, auth: str, folder: Path) -> dict[str, Any]:
    """Serve both, load them alternately, and give all figures. Raises NotStarted, Refused and ValueError.

    `auth`: the algorithm of the tokens, or nothing; `folder` takes the files of the client and the service.
    """
    definitions = Path(os.environ.get("IVIG_FHIR_DEFINITIONS", checkout / "definitions"))
    today = datetime.now(UTC).date()
    bodies = {size: request_body(size, definitions, today) for size in extent.requests}
    bearer = Bearer(auth, folder) if auth else None
    settings = bearer.environment if bearer else {}
    callers = {size: Caller(body, bearer) for size, body in bodies.items()}
    applications = {FLOOR: ("floor:app", HERE, checkout), SERVICE: ("server:app", checkout, checkout)}
    starts: dict[str, list[float]] = {FLOOR: [], SERVICE: []}
    deadline = time.monotonic() + LIMIT
    for _ in range(extent.starts - 1):
        for name, where in applications.items():
            with serving(*where, settings) as server:
                starts[name].append(server.cold_start)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(*where, settings)) for name, where in applications.items()}
        for name, server in servers.items():
            starts[name].append(server.cold_start)
        cards = [_cards(servers[SERVICE], caller) for caller in callers.values()]
        cells = [
            _cell(servers, caller, Cell(caller.size, connections), (extent, extent.requests[size], deadline))
            for size, caller in callers.items()
            for connections in CONNECTIONS
        ]
        memory = {name: max(server.resident_megabytes()) for name, server in servers.items()}
    return {
        "auth": auth or "none",
        "machine": f"{os.cpu_count()} CPUs, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
        "answer": [{"bytes": len(text), "cards": len(json.loads(text)["cards"])} for text in cards],
        "cells": [cell.figures() for cell in cells],
        "cold_start_s": {name: _spread(values) for name, values in starts.items()},
        "resident_mb_per_worker": memory,
    }


def _cards(server: Server, caller: Caller) -> bytes:
    """The service's answer. Raises ValueError when it has no card, for then the wrong thing would be measured."""
    connection = Connection(server.port)
    (request,) = caller.requests(1)
    answer = connection.ask(request)
    connection.close()
    if not json.loads(answer)["cards"]:
        raise ValueError("the service gives no card for the benchmark's patient")
    return answer


def _cell(servers: dict[str, Server], caller: Caller, cell: Cell, bounds: tuple[Extent, int, float]) -> Cell:
    extent, count, deadline = bounds
    for server in servers.values():
        send(server.port, caller.requests(max(count // 5, cell.connections)), cell.connections)
    for number in range(extent.rounds):
        if time.monotonic() > deadline and number:
            break
        for name in (FLOOR, SERVICE) if number % 2 else (SERVICE, FLOOR):
            requests = caller.requests(count)
            before = servers[name].cpu_milliseconds()
            load = send(servers[name].port, requests, cell.connections)
            spent = servers[name].cpu_milliseconds() - before
            cell.rounds[name].append(Round(spent / len(load.milliseconds), load))
    return cell


def table(result: dict[str, Any]) -> str:
    """The figures for a person."""
    rows = [
        "CPU ms per request of the workers; median of paired rounds (least–most); ratio = floor / service",
        "",
        f"{'request':>8} {'conn':>4} {'rounds':>6}  {'service ms':<18} {'floor ms':<18} {'ratio':<18}"
        f" {'requests/s':>14} {'p50 ms':>14} {'p99 ms':>14}",
    ]
    for cell in result["cells"]:
        service, floor = cell[SERVICE], cell[FLOOR]
        rows.append(
            f"{cell['bytes'] / 1000:>5.0f} KB {cell['connections']:>4} {cell['rounds']:>6}"
            f"  {_with_spread(service['cpu_ms']):<18} {_with_spread(floor['cpu_ms']):<18}"
            f" {_with_spread(cell['ratio_cpu']):<18}"
            f" {_both(service, floor, 'requests_per_second', 0):>14}"
            f" {_both(service, floor, 'p50_ms', 1):>14} {_both(service, floor, 'p99_ms', 1):>14}"
        )
    starts, memory = result["cold_start_s"], result["resident_mb_per_worker"]
    answers = ", ".join(f"{item['bytes'] / 1000:.1f} KB with {item['cards']} card(s)" for item in result["answer"])
    return "\n".join(
        [
            *rows,
            "",
            "requests/s, p50 and p99: service | floor",
            f"start, exec to first answer:   {_with_spread(starts[SERVICE])} s | floor {_with_spread(starts[FLOOR])} s",
            f"resident memory per worker:    {memory[SERVICE]:.0f} MB | floor {memory[FLOOR]:.0f} MB",
            f"the service's answer:          {answers}",
            f"authentication:                {result['auth']}",
            f"machine:                       {result['machine']}; {result['seconds']:.0f} s in all",
        ]
    )


def _with_spread(figure: dict[str, float]) -> str:
    return f"{figure['median']:.2f} ({figure['least']:.2f}–{figure['most']:.2f})"


def _both(service: dict[str, Any], floor: dict[str, Any], name: str, places: int) -> str:
    return f"{service[name]['median']:.{places}f} | {floor[name]['median']:.{places}f}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and requests: a look, not a result")
    parser.add_argument("--auth", choices=("ES384", "RS384"), default="", help="each request with a token")
    parser.add_argument("--json", action="store_true", help="all figures as JSON")
    parser.add_argument("--checkout", type=Path, default=HERE.parent, help="whose service is measured")
    chosen = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(QUICK if chosen.quick else FULL, chosen.checkout.resolve(), chosen.auth, Path(folder))
    result["seconds"] = time.monotonic() - begun
    sys.stdout.write((json.dumps(result, indent=2) if chosen.json else table(result)) + "\n")


if __name__ == "__main__":
    main()
