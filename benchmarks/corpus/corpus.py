"""The corpus: HL7's examples of knowledge artefacts (CC0) and mutants of them, with the verdicts of HL7's validator.

Committed are the recipes and the verdicts (verdicts.tsv), not the files: they are made again from the npm packages of
the examples. Half of the mutants, by hash, is for writing rules (training); the other half is measured (measured).

    python corpus.py judge      make the files and ask HL7's validator (Java; some minutes): writes verdicts.tsv
    python corpus.py measure    what `ivig-fhir validate` says of each half, and where it differs; --list names them
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tools" / "interop")]

from kinds import KINDS  # noqa: E402
from packages import CACHE, EXAMPLES, WORK, Missing, unpacked  # noqa: E402
from places import digest  # noqa: E402

VERDICTS = HERE / "verdicts.tsv"
FOLDER = WORK / "corpus"
EDITIONS = {"r4": "4.0.1", "r5": "5.0.0"}
TYPES = (
    "PlanDefinition",
    "ActivityDefinition",
    "Library",
    "ValueSet",
    "CodeSystem",
    "EvidenceVariable",
    "Evidence",
    "Citation",
    "ImplementationGuide",
    "StructureDefinition",
    "Bundle",
)
BASES_OF_TYPE, MUTANTS_OF_KIND, LARGEST = 14, 12, 60_000
ENCODING = "utf-8"


def _twice(text: bytes) -> bytes:
    return text.replace(b"{", b'{"id": "again", ', 1)


# faults of the text, not of what it says
TEXTS = {
    "json-cut-off": lambda text: text[:-2],
    "json-key-twice": _twice,
    "json-comma-too-many": lambda text: text[:-1] + b", }",
    "json-in-single-quotes": lambda text: text.replace(b'"resourceType"', b"'resourceType'", 1),
    "json-not-utf-8": lambda text: text.replace(b'"id": "', b'"id": "\xff', 1),
    "json-a-list": lambda text: b"[" + text + b"]",
}

# what HL7's validator lets pass in these mutants, and the sentence of the specification that it breaks
LET_PASS = {
    "blank-string": "a string is not empty and is not of white space alone (JSON format; code: its pattern)",
    "empty-list": "an array is not empty (JSON format); HL7's validator warns",
    "narrative-not-closed": "txt-1: the narrative is well-formed XHTML; HL7's validator closes it by itself",
    "reference-to-wrong-type": "the types that an element refers to; asked offline, HL7's validator does not look",
    "code-of-no-list": "a SNOMED CT identifier has a check digit; without a terminology server HL7's does not look",
}


@dataclass(frozen=True)
class Item:
    """A file of the corpus: the example itself (kind "valid"), or a mutant of it."""

    edition: str
    base: str
    kind: str
    content: bytes

    @property
    def name(self) -> str:
        """The name of its file, and of its line."""
        return f"{self.base}~{self.kind}"

    @property
    def half(self) -> str:
        """The half that it is in; the examples themselves are in both."""
        if self.kind == "valid":
            return "valid"
        return "training" if int(digest(f"{self.edition}/{self.name}")[0], 16) % 2 else "measured"


def items(edition: str) -> Iterator[Item]:
    """The examples and their mutants, always the same."""
    found = {path.stem: json.loads(path.read_text(ENCODING)) for path in _bases(edition)}
    for name, resource in found.items():
        yield Item(edition, name, "valid", _bytes(resource))
    for kind in KINDS:
        made = 0
        for name in sorted(found, key=lambda name: digest(f"{kind.name}:{name}")):
            mutant = kind.mutant(found[name], name) if made < MUTANTS_OF_KIND else None
            if mutant is not None:
                made += 1
                yield Item(edition, name, kind.name, _bytes(mutant[0]))
    for kind_name, change in TEXTS.items():
        for name in sorted(found, key=lambda name: digest(f"{kind_name}:{name}"))[: MUTANTS_OF_KIND // 2]:
            yield Item(edition, name, kind_name, change(_bytes(found[name])))


def _bytes(resource: object) -> bytes:
    return json.dumps(resource, ensure_ascii=False).encode(ENCODING)


def _bases(edition: str) -> Iterator[Path]:
    folder = unpacked(EXAMPLES[EDITIONS[edition]])
    for kind in TYPES:
        files = [path for path in folder.glob(f"{kind}-*.json") if path.stat().st_size <= LARGEST]
        yield from sorted(files, key=lambda path: digest(path.name))[:BASES_OF_TYPE]


def written(edition: str) -> dict[Path, Item]:
    """The files of an edition, written to .interop/corpus."""
    folder = FOLDER / edition
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for item in items(edition):
        path = folder / f"{item.name}.json"
        path.write_bytes(item.content)
        found[path] = item
    return found


def ask_judge() -> None:
    """The verdicts of HL7's validator on every file."""
    from java import judge

    lines = []
    for edition in EDITIONS:
        files = written(edition)
        run = judge("hl7", edition, files)
        print(f"{edition}: {len(files)} files, {run.seconds:.0f} s")
        errors = defaultdict(list)
        for said in run.findings:
            if said.severity in ("error", "fatal"):
                errors[Path(said.file)].append(said.id or said.message[:60].replace("\t", " ").replace("\n", " "))
        refused = {item.base for path, item in files.items() if item.kind == "valid" and errors[path]}
        for path, item in files.items():
            if item.base not in refused:
                verdict = "invalid" if errors[path] else "valid"
                first = errors[path][0] if errors[path] else ""
                check = digest(item.content.decode(ENCODING, "replace"))[:12]
                lines.append("\t".join((edition, item.base, item.kind, item.half, check, verdict, first)))
    VERDICTS.write_text("\n".join(sorted(lines)) + "\n", ENCODING)


def measure(listing: bool) -> None:
    """Caught and missed of each half, and valid files that are refused."""
    from ivig_fhir.validation.run import Options, validate

    lines = [line.split("\t") for line in VERDICTS.read_text(ENCODING).splitlines()]
    verdicts = {(line[0], line[1], line[2]): line[3:] for line in lines}
    counts: Counter[tuple[str, str, bool]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for edition in EDITIONS:
        for path, item in written(edition).items():
            found = verdicts.get((edition, item.base, item.kind))
            if found is None:
                continue
            half, check, verdict, why = found
            if digest(item.content.decode(ENCODING, "replace"))[:12] != check:
                raise SystemExit(f"{item.name} is not the file that was judged: python corpus.py judge")
            result = validate([path], Options(fhir_version=EDITIONS[edition], cache=str(CACHE)))
            errors = [finding for finding in result.findings if finding.severity == "error"]
            if errors and verdict == "valid" and item.kind in LET_PASS:
                kinds[half, f"invalid, though HL7's validator lets it pass: {item.kind}"] += 1
                continue
            counts[half, verdict, bool(errors)] += 1
            if (verdict == "invalid") != bool(errors):
                kinds[half, f"{'missed' if verdict == 'invalid' else 'refused'}: {item.kind}"] += 1
                if listing and half != "measured":
                    says = [f"{error.rule} {error.path} {error.seen[:80]}" for error in errors[:2]] or why
                    print(half, edition, item.name, verdict, says)
    _print(counts, kinds)


def _print(counts: Counter[tuple[str, str, bool]], kinds: Counter[tuple[str, str]]) -> None:
    for half in ("training", "measured"):
        caught, missed = counts[half, "invalid", True], counts[half, "invalid", False]
        refused, passed = counts[half, "valid", True], counts[half, "valid", False]
        share = caught / (caught + missed) if caught + missed else 0
        print(f"{half}: {caught} of {caught + missed} invalid mutants caught ({share:.1%}); ", end="")
        print(f"{refused} of {refused + passed} valid ones refused")
    refused, passed = counts["valid", "valid", True], counts["valid", "valid", False]
    print(f"examples as published: {refused} of {refused + passed} refused")
    for (half, text), count in sorted(kinds.items()):
        print(f"  {half} {text} {count}")


if __name__ == "__main__":
    try:
        ask_judge() if sys.argv[1:2] == ["judge"] else measure("--list" in sys.argv)
    except Missing as missing:
        print(f"corpus: not run. It lacks {missing}")
        sys.exit(3)
