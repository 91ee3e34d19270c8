"""All of `make interop`, one after another; exits with the worst of 0 (held), 1 (not), 3 (could not be asked)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
STEPS = (HERE.parent / "elements.py", HERE / "beside.py", HERE / "official.py", HERE / "hapi.py")


def main() -> int:
    """Run every step, whatever the one before said."""
    codes = {}
    for step in STEPS:
        print(f"== {step.relative_to(HERE.parents[1])}", flush=True)
        codes[step.name] = subprocess.run([sys.executable, step], check=False).returncode
    print("; ".join(f"{name}: {code}" for name, code in codes.items()))
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(main())
