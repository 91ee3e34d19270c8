"""`make review`: write docs/recommendations.md, docs/specimens.md and docs/integration/build-sheet.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from ivig_fhir import definitions_folder  # noqa: E402
from ivig_fhir.knowledge.content import load_content  # noqa: E402
from ivig_fhir.publishing.build_sheet import Site, build_sheet  # noqa: E402
from ivig_fhir.publishing.recommendations import recommendations  # noqa: E402
from specimens import answers, specimens  # noqa: E402

content = load_content(definitions_folder() / "r4")
pages = {
    "recommendations.md": recommendations(content),
    "specimens.md": specimens(answers(content)),
    "integration/build-sheet.md": build_sheet(content, Site("https://cds.example.org")),
}
for name, text in pages.items():
    (ROOT / "docs" / name).write_text(text, "utf-8")
    print(f"docs/{name}: {len(text.splitlines())} lines")
