"""`make oracle`: ask fhirpath.js every question of tests/oracle.py and write tests/oracle.json."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from cases import all_cases  # noqa: E402
from ivig_fhir import definitions_folder  # noqa: E402
from ivig_fhir.knowledge.content import load_content  # noqa: E402
from oracle import TABLE, questions  # noqa: E402

asked = {}
for question in questions(list(all_cases()), load_content(definitions_folder() / "r4")):
    asked.setdefault((question.text, question.key), question)
jobs = [{"today": q.case.at, "inputs": q.inputs, "expressions": [q.text]} for q in asked.values()]
run = subprocess.run(
    ["node", HERE / "evaluate.mjs"], input=json.dumps(jobs, default=float), capture_output=True, text=True, check=False
)
if run.returncode:
    sys.exit(run.stderr[-2000:])
table: dict[str, dict[str, str]] = {}
for (text, key), (answer,) in zip(asked, json.loads(run.stdout), strict=True):
    table.setdefault(text, {})[key] = answer
TABLE.write_text(json.dumps({text: dict(sorted(table[text].items())) for text in sorted(table)}, indent=1) + "\n")
different = [q for (text, key), q in asked.items() if table[text][key] != q.ours]
for question in different:
    print(
        f"{question.case.id}: we say {question.ours}, fhirpath.js {table[question.text][question.key]}: {question.text}"
    )
print(
    f"{len(asked)} answers of fhirpath.js over {len(table)} conditions in {TABLE.name}; {len(different)} differ from ours"
)
sys.exit(1 if different else 0)
