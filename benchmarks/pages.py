"""What a page costs the server: milliseconds of CPU for each page, the first time in a worker and after that.

    PYTHONPATH=src python benchmarks/pages.py [--json]

In one process, over the real application, without a network. The guideline pages are made once in a worker and
kept; /try and /explain are made for each request: every example with the topic that it asks about, and a request
of 240 KB. Exit 1 when a page needs more than 100 ms (median of the runs).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from payloads import HOOK, request_body

from ivig_fhir import definitions_folder
from ivig_fhir.knowledge.content import load_content
from ivig_fhir.pages.addresses import slug
from ivig_fhir.pages.examples import examples
from ivig_fhir.pages.playground import form_of
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

LIMIT = 100.0  # milliseconds
RUNS = 7
LARGE = 240_000


def milliseconds(work: Callable[[], Any]) -> float:
    """CPU milliseconds of one call. Raises RuntimeError unless it answers 200."""
    begun = time.process_time()
    response = work()
    spent = (time.process_time() - begun) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"{response.status_code}: {response.get_data(as_text=True)[:300]}")
    return spent


def guideline_pages(client: Any, addresses: list[str]) -> dict[str, dict[str, float]]:
    """Address -> first and later."""
    found = {}
    for address in addresses:
        first = milliseconds(lambda address=address: client.get(address))
        later = [milliseconds(lambda address=address: client.get(address)) for _ in range(RUNS)]
        found[address] = {"first": first, "later": statistics.median(later)}
    return found


def playground(client: Any, large: bytes) -> dict[str, dict[str, float]]:
    """What is made for each request: its name -> later."""
    forms = {f"/try {item.id}": asdict(form_of(item)) | {"action": "run"} for item in examples().values()}
    for topic in ("", "gbs", "mmn"):
        forms[f"/try 240 KB {topic}".rstrip()] = {"record": large.decode(), "hook": HOOK, "topic": topic}
    works = {name: (lambda form=form: client.post("/try", data=form)) for name, form in forms.items()}
    works["/explain 240 KB"] = lambda: client.post("/explain", data=large, content_type="application/json")
    return {name: {"later": statistics.median(milliseconds(work) for _ in range(RUNS))} for name, work in works.items()}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    chosen = parser.parse_args()
    content = load_content(definitions_folder() / "r4")
    client = create_app(Settings(), content=content).test_client()
    topics = [f"/guidance/{slug(plan.title)}" for plan in content.plans]
    patients = [f"{topic}?reader=patient" for topic in topics]
    fixed = ["/guidance", *topics, *patients, "/about", "/statements", "/definitions", "/codes/ivig-product", "/try"]
    large = request_body(LARGE, definitions_folder(), datetime.now(UTC).date())
    figures = guideline_pages(client, fixed) | playground(client, large)
    slow = [name for name, found in figures.items() if max(found.values()) > LIMIT]
    if chosen.json:
        sys.stdout.write(json.dumps({"milliseconds": figures, "above": slow}, indent=1) + "\n")
    else:
        for name, found in figures.items():
            sys.stdout.write(f"{name:58}" + "".join(f"{kind:>8} {ms:7.1f}" for kind, ms in found.items()) + "\n")
        sys.stdout.write(f"above {LIMIT:.0f} ms: {', '.join(slow) or 'none'}\n")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
