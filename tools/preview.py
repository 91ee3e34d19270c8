"""`make preview TOPIC=gbs`: compile guidance/ in memory; print changed resources and changed cards of the topic."""

import difflib
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from cases import all_cases  # noqa: E402
from ivig_fhir import definitions_folder  # noqa: E402
from ivig_fhir.authoring.compiler import compile_guidance, differences, write  # noqa: E402
from ivig_fhir.authoring.reader import read_guidance  # noqa: E402
from ivig_fhir.cds_hooks.answer import Responder  # noqa: E402
from ivig_fhir.cds_hooks.cards import Origin  # noqa: E402
from ivig_fhir.cds_hooks.requests import read_request  # noqa: E402
from ivig_fhir.fhir import dumps  # noqa: E402
from ivig_fhir.knowledge.content import load_content  # noqa: E402
from ivig_fhir.problems import Problem  # noqa: E402


def rendered(responder: Responder, topic: str) -> dict[str, list[str]]:
    """Case -> the lines of its cards."""
    found = {}
    for case in all_cases():
        if case.topic != topic:
            continue
        try:
            request = read_request(dumps(case.request()).encode(), case.facts["hook"])
            cards = responder.answer(request, date.fromisoformat(case.at), Origin("", "preview", ""))["cards"]
        except Problem as stopped:
            found[case.id] = str(stopped).splitlines()
            continue
        text = "\n\n".join(f"[{card['indicator']}] {card['summary']}\n{card['detail']}" for card in cards)
        found[case.id] = text.splitlines()
    return found


def main(topic: str) -> int:
    """0 when nothing changed, 1 when something did."""
    files = compile_guidance(read_guidance(ROOT / "guidance"))
    changed = differences(files, definitions_folder())
    for issue in changed:
        print(f"{issue.rule:8} {issue.where}")
    with tempfile.TemporaryDirectory() as scratch:
        write(files, Path(scratch))
        before = rendered(Responder(load_content(definitions_folder() / "r4")), topic)
        after = rendered(Responder(load_content(Path(scratch) / "r4")), topic)
    touched = 0
    for name in sorted(before):
        lines = list(difflib.unified_diff(before[name], after[name], "committed", "compiled", lineterm="", n=1))
        if lines:
            touched += 1
            print(f"\n{name}")
            print("\n".join(lines[2:]))
    print(f"\n{len(changed)} files differ, {touched} of {len(before)} cases of {topic} change their cards")
    return 1 if changed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make preview TOPIC=<topic>")
    sys.exit(main(sys.argv[1]))
