"""Maven and Java for the interop tools: build, and run the judge over files. What is missing is named (Missing)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages import CACHE, HOME, STAND_INS, WORK, Missing, install

HERE = Path(__file__).parent
VERSIONS = {"r4": "4.0.1", "r5": "5.0.0"}
HEAP = os.environ.get("INTEROP_HEAP", "6g")


@dataclass(frozen=True)
class Said:
    """One finding of an official validator."""

    tool: str
    edition: str
    file: str
    severity: str
    id: str
    line: int
    path: str
    message: str


@dataclass(frozen=True)
class Judgement:
    """The findings of a run, its seconds, those until the first file, and the most memory that it took."""

    findings: tuple[Said, ...]
    seconds: float
    until_ready: float
    megabytes: float


def build(module: str) -> Path:
    """The jar of a module (judge or server), its libraries beside it. Raises Missing."""
    jar = HERE / module / "target" / f"{module}.jar"
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} (Java 17, Maven 3.8 or newer)")
    source = HERE / module / "src" / "main" / "java"
    newest = max(item.stat().st_mtime for item in (*source.iterdir(), HERE / module / "pom.xml", HERE / "pom.xml"))
    if jar.exists() and jar.stat().st_mtime > newest:
        return jar
    repository = os.environ.get("MAVEN_REPOSITORY", WORK / "m2")
    command = ["mvn", "-q", "-B", f"-Dmaven.repo.local={repository}", "package", "-pl", module]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"what {module}/pom.xml names, from Maven Central:\n{done.stdout[-800:]}")
    return jar


def judge(tool: str, edition: str, files: Iterable[Path], known: Iterable[Path] = ()) -> Judgement:
    """What a validator (hl7 or hapi) says of files; what stands in the folders `known` resolves links."""
    install()
    jar = build("judge")
    folder = WORK / "judge"
    folder.mkdir(parents=True, exist_ok=True)
    listed, output = folder / f"{tool}-{edition}.list", folder / f"{tool}-{edition}.jsonl"
    listed.write_text("".join(f"{file}\n" for file in files), "utf-8")
    folders = [*known, STAND_INS]
    if tool == "hapi":
        folders += definitions(edition)
    command = ["java", f"-Xmx{HEAP}", f"-Duser.home={HOME}", "-jar", jar, tool, VERSIONS[edition], output, listed]
    timed = ["/usr/bin/time", "-f", "%M KB"] if Path("/usr/bin/time").exists() else []
    done = subprocess.run([*timed, *command, *folders], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"the {tool} validator, which stopped:\n{done.stderr[-800:]}")
    *lines, last = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    kilobytes = done.stderr.splitlines()[-1].removesuffix(" KB") if timed else "0"
    found = tuple(_said(tool, edition, line) for line in lines)
    return Judgement(found, last["seconds"], last["seconds_until_ready"], int(kilobytes) / 1024)


def definitions(edition: str) -> list[Path]:
    """The folders of HL7's terminology and extensions of today, and of the elements of R5, for HAPI."""
    extensions = f"hl7.fhir.uv.extensions.{edition}#5.3.0-ballot-tc1"
    names = (f"hl7.terminology.{edition}#7.0.1", extensions, "hl7.fhir.xver-extensions#0.1.0")
    return [CACHE / name / "package" for name in names]


def _said(tool: str, edition: str, line: dict[str, Any]) -> Said:
    path = line.get("path") or ""
    return Said(
        tool, edition, line["file"], line["severity"], line.get("id") or "", line["line"], path, line["message"]
    )
