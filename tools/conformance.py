"""Write docs/conformance.md: the rules of CDS Hooks for a service, and the tests whose names hold their numbers.

The wording is ours; the numbers are the project's own. A test is named `test_ch_<number>_…_what_it_says`; the ids
of parameters that begin `ch-<number>` count as part of the name. `--check` only compares.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "conformance.md"
WIRE = ("test_on_the_wire", "test_production")
TESTED, OPEN, NOT_USED = "tested", "open", "not used"


@dataclass(frozen=True)
class Rule:
    """A rule in our words; which change turns its tests red; why it has none; whether the subject is used at all."""

    force: str
    says: str
    red: str = ""
    note: str = ""
    state: str = OPEN


SHALL, SHOULD, OTHER = "SHALL", "SHOULD", "other"

RULES: dict[int, Rule] = {
    1: Rule(
        SHALL,
        "JSON over TLS",
        "answer as text/html; trust any certificate of a FHIR server. TLS towards callers is not ours: see 90",
    ),
    2: Rule(SHALL, "no null, empty text, list or object", "emit `links: []` or an empty `overrideReasons`"),
    3: Rule(SHALL, "leave out optional fields without a value", "emit a key whose value is empty"),
    4: Rule(SHALL, "embedded resources are FHIR JSON", "drop `subject` from the draft in engine/activity.py"),
    5: Rule(SHOULD, "strict JSON", "print NaN"),
    6: Rule(
        SHOULD,
        "answer in about half a second",
        "wait for an EHR beyond the deadline. How long answers take is measured by `make bench`, by no test",
    ),
    7: Rule(OTHER, "CORS for browser clients", "allow `*`, or drop the preflight in service/cors.py"),
    10: Rule(SHALL, "discovery at /cds-services", "rename the route"),
    11: Rule(SHALL, "discovery is an object with `services`", "return the bare list"),
    12: Rule(SHOULD, "no services: an empty list", "fail over content without a plan", state=NOT_USED),
    13: Rule(SHALL, "each service has hook, description, id", "drop `description` in cds_hooks/discovery.py"),
    14: Rule(SHOULD, "each service has a title", "drop `title`"),
    15: Rule(OTHER, "id and hook are unique as a pair", "serve two hooks under one id twice"),
    16: Rule(SHOULD, "`version` of the standard", "ignore IVIG_FHIR_DISCOVERY_VERSION"),
    17: Rule(SHALL, "`hookVersion` is the published one", "give another version in HOOK_VERSIONS"),
    18: Rule(OTHER, "other failures have a 4xx or 5xx", "let an exception pass the error handler"),
    20: Rule(SHALL, "tokens are written {{…}}", "write another token into a query of guidance/module.yaml"),
    21: Rule(SHALL, "tokens are flagged fields of the context", "ask for {{context.draftOrders}}"),
    22: Rule(
        SHALL, "templates keep to the query subset", "a query longer than 1800 characters. Modifiers are not looked for"
    ),
    23: Rule(SHALL, "dependent templates come later", "let a template name another key", state=NOT_USED),
    24: Rule(OTHER, "ask for little, newest first", "drop `_sort` or `_count` from an Observation query"),
    30: Rule(SHALL, "hook, hookInstance and context are needed", "skip a check in cds_hooks/requests.py"),
    31: Rule(OTHER, "the hook is that of the service", "accept any hook"),
    32: Rule(SHALL, "a token only with its server", "accept fhirAuthorization alone"),
    33: Rule(SHALL, "compare prefetch with the templates, fetch the rest", "return early in `FhirAccess.complete`"),
    34: Rule(SHALL, "412 when needed data cannot be had", "treat an absent key as empty"),
    35: Rule(SHOULD, "look for OperationOutcome in prefetch", "take an OperationOutcome for an empty result"),
    36: Rule(OTHER, "null and an empty Bundle mean none", "treat null as absent"),
    37: Rule(OTHER, "follow pages, or count as incomplete", "ignore `link.next`"),
    38: Rule(SHALL, "the token is transient", "keep `authorization` on the request"),
    39: Rule(
        SHALL,
        "one FHIR version in a context",
        "use a resource with elements that R4 does not have. A duty of the client; seen as far as forms differ",
    ),
    40: Rule(OTHER, "ignore unknown fields", "refuse keys that are not known"),
    41: Rule(SHOULD, "failures carry an OperationOutcome", "answer a failure with HTML"),
    50: Rule(SHALL, "success is 200 with `cards`", "return 204"),
    51: Rule(SHOULD, "nothing to say is an empty list", "answer 404 without a finding"),
    52: Rule(SHALL, "summary, indicator, source.label", "drop `label`"),
    53: Rule(SHALL, "summary below 140 characters", "a longer title in guidance/topics/"),
    54: Rule(SHALL, "detail is Markdown", "put an HTML tag into guidance/phrases.yaml"),
    55: Rule(SHALL, "indicator info, warning or critical", "use another word; `critical` fails too, it is not used"),
    56: Rule(SHOULD, "source.url is absolute and of no patient", "link to the patient"),
    57: Rule(SHOULD, "icons are 100 × 100 PNG", "send any icon: none is sent", state=NOT_USED),
    58: Rule(SHALL, "suggestions need selectionBehavior", "drop it in cds_hooks/cards.py"),
    59: Rule(SHALL, "at-most-one or any", "send another value, at-most-one included"),
    60: Rule(SHALL, "recommended suggestions fit the behaviour", "send isRecommended: it is not used"),
    61: Rule(SHALL, "suggestion has a label (and a uuid)", "drop either"),
    62: Rule(SHALL, "action has type and description", "drop `description`"),
    63: Rule(SHALL, "create brings a new resource", "give the draft an id"),
    64: Rule(SHALL, "update brings the whole resource", "send an update: none is sent", state=NOT_USED),
    65: Rule(SHOULD, "delete names resourceId", "send a delete: none is sent", state=NOT_USED),
    66: Rule(SHOULD, "order of actions", "send delete or update: none is sent", state=NOT_USED),
    67: Rule(SHALL, "override reasons are full Codings", "drop `display`"),
    68: Rule(SHALL, "link has label, url, type", "drop `type`"),
    69: Rule(SHALL, "appContext only with smart", "send appContext: no SMART link is sent", state=NOT_USED),
    70: Rule(OTHER, "autolaunch hides cards", "send autolaunchable", state=NOT_USED),
    71: Rule(SHALL, "card.uuid is unique", "a constant uuid"),
    72: Rule(SHALL, "no actionSelectionBehavior unasked", "send it", state=NOT_USED),
    73: Rule(OTHER, "systemActions only by agreement", "send one", state=NOT_USED),
    74: Rule(
        SHALL,
        "a Coding has code and system",
        "drop `system` of an override reason. Other Codings are covered by the extension's schema or not at all",
    ),
    80: Rule(
        OTHER, "feedback may be offered", "drop the route of service/feedback.py, or offer it without IVIG_FHIR_STORE"
    ),
    81: Rule(SHALL, "feedback is a list of card, outcome, time", "skip a check in cds_hooks/feedback.py"),
    82: Rule(SHALL, "outcome accepted or overridden", "take any outcome"),
    83: Rule(SHALL, "accepted names suggestions", "take an empty acceptedSuggestions"),
    84: Rule(OTHER, "a reason has a code or a comment", "take an empty overrideReason"),
    85: Rule(OTHER, "duplicates, batches, unknown cards are taken", "refuse a card that is not stored"),
    86: Rule(SHALL, "outcomeTimestamp in UTC", "take a time without a zone, or keep another zone"),
    90: Rule(
        SHALL,
        "TLS on every endpoint",
        "answer plain http where IVIG_FHIR_REQUIRE_TLS=yes, or believe any X-Forwarded-Proto. Off by default",
    ),
    91: Rule(
        SHOULD,
        "authenticate callers of sensitive services",
        "let a call without a token in. Off by default: IVIG_FHIR_REQUIRE_AUTH",
    ),
    92: Rule(SHALL, "a JWT on every authenticated call", "exempt discovery or feedback in service/app.py"),
    93: Rule(SHALL, "alg none is refused", "decode without a signature"),
    94: Rule(SHALL, "symmetric algorithms are refused", "take alg from the token"),
    95: Rule(SHALL, "header alg, kid, typ", "skip `typ`"),
    96: Rule(SHALL, "claims iss, aud, exp, iat, jti", "take one from `_REQUIRED` in service/security.py"),
    97: Rule(SHALL, "aud is the exact endpoint", "compare only the host"),
    98: Rule(SHOULD, "allow-list of iss and jku", "fetch the jku of the token"),
    99: Rule(SHALL, "without jku, keys given beforehand", "ignore `keys` in the list of issuers"),
    100: Rule(OTHER, "checks in a sensible order", "skip the signature. The order itself is not tested"),
    101: Rule(OTHER, "jti is good once", "do not note it in service/replay.py"),
    102: Rule(OTHER, "401 without the reason", "put the reason into the answer"),
    103: Rule(OTHER, "tokens are not logged or stored", "log the header"),
    104: Rule(SHOULD, "trusted algorithms, pinned", "let a key serve two algorithms"),
    110: Rule(SHALL, "extension is an object", "send FHIR's list of extensions"),
    111: Rule(SHOULD, "extension names are unique world-wide", "name it `ivig`"),
}


def numbers(name: str) -> list[int]:
    """The rules that the name of a test holds: test_ch_10_11_… -> [10, 11], test_ch_81_to_83_… -> [81, 82, 83]."""
    found = re.match(r"test_ch((?:_(?:to_)?\d+)+)_", name)
    held: list[int] = []
    for to, number in re.findall(r"_(to_)?(\d+)", found[1] if found else ""):
        held += range(held[-1] + 1, int(number) + 1) if to else [int(number)]
    return held


def rule_tests() -> dict[int, list[str]]:
    """Rule -> the tests, by file, whose names or parameter ids hold its number."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        tables = {
            target.id: _rules_of(node)
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for test in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            used = {item.id for part in test.decorator_list for item in ast.walk(part) if isinstance(item, ast.Name)}
            held = {*numbers(test.name), *(number for name in used for number in tables.get(name, ()))}
            if test.name.startswith("test_"):
                for number in held:
                    found.setdefault(number, []).append(f"{path.stem}::{test.name}")
    return found


def on_the_wire() -> set[str]:
    """The names of tests that ask a server as `make serve` starts it, imported ones included."""
    found: set[str] = set()
    for name in WIRE:
        tree = ast.parse((ROOT / "tests" / f"{name}.py").read_text("utf-8"))
        found |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        found |= {item.name for node in tree.body if isinstance(node, ast.ImportFrom) for item in node.names}
    return {name for name in found if name.startswith("test_")}


def _rules_of(node: ast.AST) -> set[int]:
    texts = (item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str))
    return {int(found[1]) for found in (re.match(r"ch-(\d+) ", text) for text in texts) if found}


def page() -> str:
    """The text of docs/conformance.md."""
    tested = rule_tests()
    states = {
        number: TESTED if number in tested and rule.state == OPEN else rule.state for number, rule in RULES.items()
    }
    count = {state: sum(item == state for item in states.values()) for state in (TESTED, NOT_USED, OPEN)}
    lines = [
        "# Conformance with CDS Hooks 2.0.1",
        "Written by tools/conformance.py, checked by tests/test_conformance.py; do not edit. CH-nn are the project's own",
        "numbers for the rules that concern a service, in short wording of ours; `other` = neither SHALL nor SHOULD. A",
        "test belongs to a rule when its name, or the id of one of its parameters, holds the number. The right column says",
        "which change of the code, by intent, turns these tests red; it was written by hand and is not itself checked.",
        "`wire`: one of the tests at least asks, over HTTP, a server that runs with the command of `make serve`; the rest",
        "ask the WSGI application or a part of it.",
        "Rules of 1.0 to 3.0-ballot stand side by side; a field that the standard requires counts as SHALL.",
        "No certification and no test against a vendor's client stands behind this page.",
        "",
        f"{count[TESTED]} rules are tested, {count[NOT_USED]} are about what this service does not use,"
        f" {count[OPEN]} are open.",
        "",
        "| rule | force | says | state | wire | tests | turned red by |",
        "|---|---|---|---|---|---|---|",
    ]
    wire = on_the_wire()
    for number, rule in RULES.items():
        names = "<br>".join(tested.get(number, ())) or "–"
        lines.append(
            f"| CH-{number:02} | {rule.force} | {rule.says} | {states[number]} | {_yes(tested.get(number, ()), wire)}"
            f" | {names} | {rule.red or '– ' + rule.note} |"
        )
    still_open = [number for number, state in states.items() if state == OPEN]
    if still_open:
        lines += ["", "## Open"]
        lines += [f"- CH-{number:02} {RULES[number].says}: {RULES[number].note}." for number in still_open]
    return "\n".join(lines) + "\n"


def _yes(tests: Iterable[str], wire: set[str]) -> str:
    return "yes" if any(name.partition("::")[2] in wire for name in tests) else "–"


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text("utf-8") != text)
    PAGE.write_text(text, "utf-8")
    print(f"docs/{PAGE.name}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
