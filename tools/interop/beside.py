"""`ivig-fhir validate --with-hl7` with the real validator: of a broken file both must say what is broken.

Exit 0, 1, or 3 when the validator cannot be had.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from java import build
from packages import HOME, ROOT, Missing, install

BROKEN = ROOT / "tests" / "examples" / "invalid" / "required-binding" / "example.json"


def main() -> int:
    """Run it on one broken file; the exit code."""
    try:
        install()
        jar = build("judge")
    except Missing as missing:
        print(f"--with-hl7: not run. It lacks {missing}")
        return 3
    program = Path(sys.executable).parent / "ivig-fhir"
    command = [program, "validate", BROKEN, "--with-hl7", jar, "--format", "json"]
    options = {**os.environ, "JAVA_TOOL_OPTIONS": f"-Duser.home={HOME}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=options)
    found = json.loads(done.stdout)["findings"] if done.returncode == 1 else []
    errors = {(item["layer"] == "hl7", item["path"], item["line"]) for item in found if item["severity"] == "error"}
    expected = {(theirs, "PlanDefinition.status", 8) for theirs in (False, True)}
    print(f"--with-hl7: {len(found)} findings, exit {done.returncode} {done.stderr.strip()[-200:]}")
    return 0 if errors == expected else 1


if __name__ == "__main__":
    sys.exit(main())
