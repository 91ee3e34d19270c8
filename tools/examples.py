"""`python tools/examples.py`: write the example patients of the playground out of tests/cases; `--check` only compares.

An example is the patient that a file of cases begins with; its title is the first comment of the file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from cases import Case, load  # noqa: E402
from ivig_fhir.fhir import dumps, reference_to  # noqa: E402

CASES = ROOT / "tests" / "cases"
TARGET = ROOT / "src" / "ivig_fhir" / "pages" / "examples"
INCOMPLETE = ("unavailable", "failed", "cut")
# topic/file: each shows something that no other one does
CHOSEN = [
    "mmn/mmn-steroid",
    "mmn/mmn-ivig",
    "mmn/mmn-course",
    "gbs/gbs-dose",
    "gbs/gbs-child",
    "gbs/gbs-steroid-alone",
    "gbs/mfs-ivig",
    "cidp/cidp-equiv",
    "cidp/cidp-scig",
    "mg/mg-crisis",
    "mg/mg-mild",
    "mg/mg-modsev",
    "myositis/dm-refractory",
    "lems/lems-ivig",
    "kawasaki/kd-ivig",
    "paraprotein/bort-avoid",
    "paraprotein/wm-combo",
    "vasculitis/cryo-ivig",
    "lupus/sle-severe",
    "cart/cart-steroid",
    "safety/caution-clot",
    "general/scope-ask",
]
# a vignette with several diseases at once, under the topic that its first card is of
SEVERAL = {"vignettes/v-19": "cidp"}
# of these also the first patient of whom something could not be had
ALSO_INCOMPLETE = ["mmn/mmn-steroid"]


def headline(path: Path) -> str:
    """The first comment of a case file: who the patient is."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return re.sub(r" \(V-\d+\)", "", " ".join(lines)).partition(". ")[0].rstrip(".") + "."


def incomplete(case: Case) -> bool:
    """Whether something of the record could not be had, and there was an answer all the same."""
    return any(name in case.facts for name in INCOMPLETE) and case.expect.get("status", 200) == 200


def record_of(case: Case) -> dict[str, Any]:
    """A Bundle of all resources, or the whole request where something could not be had."""
    request = case.request()
    if incomplete(case):
        return request
    resources: dict[str, Any] = {}
    for value in request["prefetch"].values():
        found = [value] if value["resourceType"] != "Bundle" else [entry["resource"] for entry in value["entry"]]
        resources |= {reference_to(item): item for item in found}
    entries = [{"resource": item} for item in resources.values()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def example(case: Case, title: str, topic: str = "") -> str:
    """The file of an example, under the topic of its case or another one."""
    request = case.request()
    reader = "patient" if request["context"]["userId"].startswith("Patient/") else "professional"
    orders = [entry["resource"] for entry in request["context"].get("draftOrders", {}).get("entry", ())]
    known = {"title": title, "topic": topic or case.topic, "hook": request["hook"], "at": case.at, "reader": reader}
    return dumps(known | {"record": record_of(case), "orders": orders})


def files() -> dict[str, str]:
    """File name -> content of every example."""
    made: dict[str, str] = {}
    for name in CHOSEN:
        path = CASES / f"{name}.yaml"
        cases = load(path)
        made[f"{path.stem}.json"] = example(cases[0], headline(path))
        if name in ALSO_INCOMPLETE:
            case = next(case for case in cases if incomplete(case))
            made[f"{path.stem}-incomplete.json"] = example(case, f"{headline(path)} Here {case.name}.")
    for name, topic in SEVERAL.items():
        case = load(CASES / f"{name}.yaml")[0]
        made[f"{topic}-and-more.json"] = example(case, f"{case.name[0].upper()}{case.name[1:]}.", topic)
    return made


def main(check: bool) -> int:
    """0 when the committed examples are these."""
    made = files()
    committed = {path.name: path.read_text("utf-8") for path in TARGET.glob("*.json")}
    differing = sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))
    if check:
        print("\n".join(differing) or f"{len(made)} examples are up to date")
        return 1 if differing else 0
    TARGET.mkdir(exist_ok=True)
    for name in committed.keys() - made.keys():
        (TARGET / name).unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, "utf-8")
    print(f"{len(made)} examples in {TARGET.relative_to(ROOT)}, {len(differing)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv))
