"""The site's own codes: a CSV that says which of ours each of theirs means.

    system,code,our_system,our_code
    urn:oid:1.2.3.4,WT,http://loinc.org,…

The map adds a meaning to a code that has none here; it changes none. It is applied where the codes of a record are
read (engine/codings.py), and to the prefetch templates, so that an EHR is asked for its own codes too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import PrefetchKey
from ivig_fhir.knowledge.terminology import Code, system_of
from ivig_fhir.problems import Issue, Outcome, Problem

COLUMNS = ("system", "code", "our_system", "our_code")
LONGEST_QUERY = 1800  # characters; EHRs and proxies cut or refuse longer addresses
_CELL = re.compile(r"[^\s<>`\[\]|]+(?: [^\s<>`\[\]|]+)*")


def read_code_map(text: str, where: str, content: Content) -> dict[Code, Code]:
    """The map of a CSV. Raises Problem('malformed') with every line that cannot be meant."""
    issues: list[Issue] = []
    found: dict[Code, Code] = {}
    ours = _codes_with_a_meaning(content)
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        raise Problem("malformed", Outcome((Issue(where, f"begins with {header}", f"the line {','.join(COLUMNS)}"),)))
    for row in rows:
        if row:
            place = f"{where} line {rows.line_num}"
            issue = _fault(row, place, found, ours)
            if issue:
                issues.append(issue)
            else:
                found[system_of(row[0]), row[1]] = (system_of(row[2]), row[3])
    if issues:
        raise Problem("malformed", Outcome(tuple(issues)))
    return found


def with_code_map(content: Content, code_map: Mapping[Code, Code], where: str) -> Content:
    """The content as this site reads it. Raises Problem('malformed') when a prefetch template would grow too long."""
    prefetch = {key: replace(row, query=_extended(row, code_map)) for key, row in content.prefetch.items()}
    for key, row in prefetch.items():
        if len(row.query) > LONGEST_QUERY:
            issue = Issue(
                where, f"makes the query of {key} {len(row.query)} characters long", f"at most {LONGEST_QUERY}"
            )
            raise Problem("malformed", Outcome((issue,)))
    return replace(content, prefetch=prefetch, code_map=dict(code_map))


def _fault(row: list[str], place: str, found: Mapping[Code, Code], ours: frozenset[Code]) -> Issue | None:
    if len(row) != len(COLUMNS) or not all(_CELL.fullmatch(cell) for cell in row):
        return Issue(place, f"is {row}", "four values, none empty, without spaces at their ends and without <>[]`|")
    theirs, target = (system_of(row[0]), row[1]), (system_of(row[2]), row[3])
    if ":" not in row[0]:
        return Issue(place, f"names the system {row[0]!r}", "a URI such as urn:oid:…")
    if target not in ours:
        return Issue(place, f"maps to {'|'.join(target)}, which means nothing here", "a code of one of the value sets")
    if theirs in ours:
        return Issue(place, f"maps {'|'.join(theirs)}, which has a meaning here already", "codes of the site's own")
    if theirs in found:
        return Issue(place, f"maps {'|'.join(theirs)} a second time", "one line for each code")
    return None


def _codes_with_a_meaning(content: Content) -> frozenset[Code]:
    parts = [part for item in content.requirements.values() for part in item.filters if part.from_value_set]
    codes = {code for part in parts for code in part.codes}.union(*(row.codes for row in content.prefetch.values()))
    return frozenset(code for code in codes if code[0] and code[0] != content.hints.system)


def _extended(row: PrefetchKey, code_map: Mapping[Code, Code]) -> str:
    """A query by code also asks for the site's codes that mean one of its codes."""
    theirs = [code for code, target in code_map.items() if target in row.codes]
    if not theirs:
        return row.query
    more = ",".join(quote(f"{_escaped(system)}|{_escaped(code)}", safe=":/|") for system, code in theirs)
    return re.sub(r"([?&]code=[^&]*)", lambda match: f"{match[1]},{more}", row.query, count=1)


def _escaped(text: str) -> str:
    """FHIR search escapes its own separators with a backslash."""
    return re.sub(r"([\\,$|])", r"\\\1", text)
