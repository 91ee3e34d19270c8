"""Fuzz the service at length: schemathesis against a running server, then the tests of tests/test_fuzz.py, many rounds.

    python tools/fuzz.py [ROUNDS]

Needs the extra `fuzz`. The server runs with the command of `make serve`, on loopback; it ends with this program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from live import serving  # noqa: E402 - beside the tests

# not: that every request which the document does not foresee is refused; unknown members are ignored (CH-40)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def main() -> int:
    """The worst exit code of both."""
    rounds = sys.argv[1] if len(sys.argv) > 1 else "3000"
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "log", _settings(Path(folder))) as server:
        document = f"{server.url}/openapi.json"
        options = [
            "--url",
            server.url,
            "--checks",
            ",".join(CHECKS),
            "--max-examples",
            "100",
            "--generation-database",
            "none",
        ]
        by_document = subprocess.run(
            [Path(sys.executable).parent / "schemathesis", "run", document, *options], cwd=folder, check=False
        )
        faults = [line for line in server.said().splitlines() if '"level": "error"' in line or "Traceback" in line]
    print("\n".join(faults) or "no fault in the log")
    test = [sys.executable, "-m", "pytest", "-q", ROOT / "tests" / "test_fuzz.py"]
    by_test = subprocess.run(test, cwd=ROOT, env=os.environ | {"FUZZ_ROUNDS": rounds}, check=False)
    return max(by_document.returncode, by_test.returncode, int(bool(faults)))


def _settings(folder: Path) -> dict[str, str]:
    return {"IVIG_FHIR_STORE": str(folder / "store.sqlite")}


if __name__ == "__main__":
    sys.exit(main())
