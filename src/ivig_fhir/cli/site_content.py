"""The content as a site reads it: the definitions of a folder, under the site's code map."""

from __future__ import annotations

from pathlib import Path

from ivig_fhir.cli.paths import of_file
from ivig_fhir.knowledge.code_map import read_code_map, with_code_map
from ivig_fhir.knowledge.content import Content, load_content


def content_of_site(folder: Path, code_map: Path | None) -> Content:
    """Load it. Raises Problem('definitions'), and Problem('malformed') for a map that cannot be meant."""
    content = load_content(folder / "r4")
    if code_map is None:
        return content
    where = str(code_map)
    with of_file(code_map):
        text = code_map.read_text("utf-8")
    return with_code_map(content, read_code_map(text, where, content), where)
