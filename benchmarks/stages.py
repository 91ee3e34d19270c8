"""Where a request's time goes inside the service: CPU milliseconds by stage, one thread, no HTTP.

    PYTHONPATH=src python benchmarks/stages.py [--profile SIZE]

A help for whoever makes it quicker; the result that counts is that of service.py.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from payloads import HOOK, request_body

from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.requests import read_patient_record, read_request
from ivig_fhir.engine.inputs import gather
from ivig_fhir.fhir import loads
from ivig_fhir.knowledge.content import load_content

REPEATS = 15
SIZES = (20_000, 240_000)
ORIGIN = Origin(issuer="", service=f"ivig-{HOOK}", public_url="http://127.0.0.1:8080")


def milliseconds(work: Callable[[], Any]) -> float:
    """CPU milliseconds of one call: the best of several runs of some 20 ms each."""
    work()
    begun = time.process_time()
    work()
    count = max(5, int(0.02 / max(time.process_time() - begun, 1e-6)))
    figures = []
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(count):
            work()
        figures.append((time.process_time() - begun) / count)
    return min(figures) * 1000


def stages(responder: Responder, body: bytes) -> dict[str, float]:
    """Stage -> milliseconds; `all` is the whole from bytes to bytes."""
    today = datetime.now(UTC).date()
    content = responder.content
    request = read_request(body, HOOK)
    record, _ = read_patient_record(request, content)
    answer = responder.answer(request, today, ORIGIN)
    whole: Callable[[], str] = lambda: json.dumps(  # noqa: E731 - one line, measured as one
        responder.answer(read_request(body, HOOK), today, ORIGIN), ensure_ascii=False
    )
    return {
        "parse": milliseconds(lambda: loads(body)),
        "parse and form": milliseconds(lambda: read_request(body, HOOK)),
        "record": milliseconds(lambda: read_patient_record(request, content)),
        "inputs": milliseconds(lambda: gather(record, content, responder.index, today)),
        "inputs, findings, selection": milliseconds(
            lambda: responder.evaluate(request, record, today, all_units=False)
        ),
        "record to cards": milliseconds(lambda: responder.answer(request, today, ORIGIN)),
        "JSON out": milliseconds(lambda: json.dumps(answer, ensure_ascii=False)),
        "all": milliseconds(whole),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--profile", type=int, metavar="SIZE", help="where the calls of this size of request spend it")
    chosen = parser.parse_args()
    definitions = Path(os.environ.get("IVIG_FHIR_DEFINITIONS", definitions_folder()))
    responder = Responder(load_content(definitions / "r4"))
    today = datetime.now(UTC).date()
    if chosen.profile:
        request = read_request(request_body(chosen.profile, definitions, today), HOOK)
        with cProfile.Profile() as profile:
            for _ in range(500):
                responder.answer(request, today, ORIGIN)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    for size in SIZES:
        figures = stages(responder, request_body(size, definitions, today))
        sys.stdout.write(f"{size // 1000} KB\n" + "".join(f"  {key:30}{ms:8.3f}\n" for key, ms in figures.items()))


if __name__ == "__main__":
    main()
