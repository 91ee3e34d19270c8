"""A comparison as text, as JSON, and as the content part of a changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from ivig_fhir.problems import problem
from ivig_fhir.publishing.changes.cards import CardChange, Impact
from ivig_fhir.publishing.changes.model import Change, Comparison

BEGIN, END = "<!-- ivig-fhir diff -->", "<!-- /ivig-fhir diff -->"
_MOST_NAMES = 20
_MOST_TITLES = 3
_VERSION = re.compile(r"^## ", re.MULTILINE)


def text_report(comparison: Comparison, impact: Impact | None) -> str:
    """The report for a reader; ends without a newline."""
    lines = [_head(comparison)]
    for topics, changes in groupby(comparison.changes, key=lambda item: item.topics):
        lines += ["", _group(topics, comparison), *(f"  {item}" for item in changes)]
    if comparison.also:
        said = "Different too, as a rule because of the above" if comparison.changes else "Different, but not in words"
        lines += ["", f"{said}: {_named(comparison.also)}"]
    if impact is not None:
        lines += ["", *_cards(impact)]
    return "\n".join(lines)


def _head(comparison: Comparison) -> str:
    old, new = comparison.versions
    if not comparison.changes and not comparison.also:
        return f"No change of content ({old} → {new})" if old != new else f"No change of content ({old})"
    same = ": the same version, though the content differs; give it a new one" if old == new else ""
    return f"Content {old} → {new}{same}"


def _group(topics: tuple[str, ...], comparison: Comparison) -> str:
    if not topics:
        return "The whole module"
    titles = [comparison.titles.get(name, name) for name in topics]
    return ", ".join(titles) if len(titles) <= _MOST_TITLES else f"{len(titles)} topics: {', '.join(topics)}"


def _named(names: tuple[str, ...]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _cards(impact: Impact) -> Iterator[str]:
    yield "Cards"
    for hook, count in impact.visits.items():
        yield f"  {hook}: {impact.changed[hook]} of {count} change"
        for item in impact.changes:
            if item.hook == hook:
                yield f"    {item}: {_named(item.visits)}"
    if not impact.visits:
        yield "  nobody was asked about"


def json_report(comparison: Comparison, impact: Impact | None) -> dict[str, Any]:
    """The report for a program: every name, nothing cut."""
    old, new = comparison.versions
    found: dict[str, Any] = {
        "old": old,
        "new": new,
        "changes": [_change(item) for item in comparison.changes],
        "also": list(comparison.also),
    }
    if impact is not None:
        found["cards"] = {
            "visits": impact.visits,
            "changed": impact.changed,
            "changes": [_card_change(item) for item in impact.changes],
        }
    return found


def _change(item: Change) -> dict[str, Any]:
    return {
        "topics": list(item.topics),
        "kind": item.kind,
        "danger": item.danger,
        "subjects": list(item.subjects),
        "sentence": item.sentence,
    }


def _card_change(item: CardChange) -> dict[str, Any]:
    return {
        "hook": item.hook,
        "effect": item.effect,
        "card": item.card,
        "what": item.what,
        "visits": list(item.visits),
    }


def changelog(text: str, comparison: Comparison) -> str:
    """A changelog with the changes under `## VERSION`, `### Content`; what people wrote there stays.

    Raises Problem('malformed') where the marks of an earlier run are broken.
    """
    version = comparison.versions[1]
    block = "\n".join([BEGIN, *_entries(comparison), END]) + "\n"
    text = text or "# Changelog\n"
    start = re.search(rf"^## \[?{re.escape(version)}\]?(?!\S).*\n", text, re.MULTILINE)
    if start is None:
        first = _VERSION.search(text)
        place = first.start() if first else len(text)
        gap = "" if text[:place].endswith("\n\n") or first else "\n"
        return f"{text[:place]}{gap}## {version}\n### Content\n{block}" + (f"\n{text[place:]}" if first else "")
    after = _VERSION.search(text, start.end())
    end = after.start() if after else len(text)
    return text[: start.end()] + _section(text[start.end() : end], block) + text[end:]


def _section(section: str, block: str) -> str:
    """The section of a version with the block in place of an earlier one, else below its heading Content."""
    if (BEGIN in section) != (END in section):
        raise problem("malformed", "changelog", f"has one of {BEGIN} and {END} without the other", "both, or neither")
    if BEGIN in section:
        before, _, rest = section.partition(BEGIN)
        return before + block + rest.partition(END)[2].removeprefix("\n")
    heading = re.search(r"^### Content\s*\n", section, re.MULTILINE)
    if heading is None:
        return f"### Content\n{block}{section}"
    return section[: heading.end()] + block + section[heading.end() :]


def _entries(comparison: Comparison) -> Iterator[str]:
    for topics, changes in groupby(comparison.changes, key=lambda item: item.topics):
        yield f"- {_group(topics, comparison)}"
        yield from (f"  - {item}" for item in changes)
    if not comparison.changes:
        yield "- No change that a reader or a patient would notice."
