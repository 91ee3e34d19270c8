"""A real HAPI FHIR server (R4, JPA, database in memory, clinical reasoning): does our content live in it?

The transaction of `ivig-fhir export` is posted; then search by url and version finds each resource, $expand of each
value set equals ours, $validate has no error; what $apply answers for a plan is printed. Exit 0, 1, or 3 (cannot be had).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from java import build, definitions
from packages import ROOT, STAND_INS, WORK, Missing, install

START_WITHIN = 300  # seconds
JSON = "application/fhir+json"
Resource = dict[str, Any]


def main() -> int:
    """Load, search, expand, validate, apply; the exit code."""
    try:
        install()
        jar = build("server")
    except Missing as missing:
        print(f"HAPI server: not run. It lacks {missing}")
        return 3
    transaction = _exported()
    resources = [entry["resource"] for entry in transaction["entry"]]
    with _served(jar) as server:
        print(f"server: {server.software()}, ready after {server.seconds:.0f} s")
        started = time.monotonic()
        loaded = server.post("", transaction)
        statuses = Counter(item["response"]["status"] for item in loaded.get("entry", ()))
        print(f"transaction of {len(resources)} resources: {dict(statuses)}, {time.monotonic() - started:.0f} s")
        faults = [] if sum(statuses.values()) == len(resources) else [f"transaction: {_said(loaded)}"]
        for check in (_search, _expand, _validate):
            found = [fault for resource in resources for fault in check(server, resource)]
            print(f"{check.__doc__}: {len(found)} faults")
            faults += found
        _apply(server, resources)
        _apply_for_another(server)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


class _Server:
    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/fhir"
        self.seconds = 0.0

    def ask(self, path: str, body: Resource | None = None) -> Resource:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": JSON, "Accept": JSON})
        try:
            with urllib.request.urlopen(request, timeout=600) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as refused:
            return dict(json.load(refused))

    def get(self, path: str, **query: str) -> Resource:
        return self.ask(f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path: str, body: Resource) -> Resource:
        return self.ask(path, body)

    def software(self) -> str:
        found = self.get("/metadata").get("software", {})
        return f"{found.get('name')} {found.get('version')}"


@contextmanager
def _served(jar: Path) -> Iterator[_Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    command = ["java", "-Xmx3g", log, "-jar", jar, str(port), *definitions("r4"), STAND_INS]
    WORK.mkdir(parents=True, exist_ok=True)
    told = WORK / "server.log"
    started = time.monotonic()
    with told.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            server = _Server(port)
            while "\nready" not in "\n" + told.read_text("utf-8"):
                if process.poll() is not None or time.monotonic() - started > START_WITHIN:
                    raise SystemExit(f"the server did not start: {told}")
                time.sleep(1)
            server.seconds = time.monotonic() - started
            yield server
        finally:
            process.terminate()


def _exported() -> Resource:
    command = [
        Path(sys.executable).parent / "ivig-fhir",
        "export",
        "--format",
        "transaction",
        "--fhir-version",
        "4.0.1",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env={**os.environ})
    return dict(json.loads(done.stdout))


def _search(server: _Server, resource: Resource) -> Iterator[str]:
    """search by url and version finds exactly each resource"""
    if "url" not in resource:
        return
    name = f"{resource['resourceType']}/{resource['id']}"
    found = server.get(f"/{resource['resourceType']}", url=resource["url"], version=resource.get("version", ""))
    ids = [item["resource"]["id"] for item in found.get("entry", ())]
    if ids != [resource["id"]]:
        yield f"{name}: search by url and version finds {ids}"


def _expand(server: _Server, resource: Resource) -> Iterator[str]:
    """ValueSet/$expand has the codes of our expansion"""
    if resource["resourceType"] != "ValueSet":
        return
    found = server.get("/ValueSet/$expand", url=resource["url"], count="5000")
    theirs, ours = _codes(found), _codes(resource)
    if theirs != ours or "expansion" not in found:
        yield f"ValueSet/{resource['id']}: $expand has {len(theirs)} codes, ours {len(ours)}: {_said(found)}"


def _codes(value_set: Resource) -> set[tuple[str, str]]:
    contains = value_set.get("expansion", {}).get("contains", ())
    return {(item.get("system", ""), item.get("code", "")) for item in contains}


def _validate(server: _Server, resource: Resource) -> Iterator[str]:
    """$validate has no error"""
    outcome = server.post(f"/{resource['resourceType']}/$validate", resource)
    for issue in outcome.get("issue", ()):
        if issue["severity"] in ("error", "fatal"):
            place = " ".join(issue.get("location", [])[:1])
            yield f"$validate {resource['resourceType']}/{resource['id']} {place}: {issue.get('diagnostics')}"


def _apply(server: _Server, resources: list[Resource]) -> None:
    """What $apply answers for each plan, for the patient of the example request."""
    request = json.loads((ROOT / "examples" / "mmn-prednisone.json").read_text("utf-8"))
    found = [item for item in request["prefetch"].values() if item]
    found += [request["context"].get("draftOrders", {})]
    record = [item for value in found for item in _resources(value)]
    entries = [
        {"resource": item, "request": {"method": "PUT", "url": f"{item['resourceType']}/{item['id']}"}}
        for item in record
    ]
    server.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    patient = next(item["id"] for item in record if item["resourceType"] == "Patient")
    subject = {"resourceType": "Parameters", "parameter": [{"name": "subject", "valueString": f"Patient/{patient}"}]}
    answers: Counter[str] = Counter()
    for plan in (item for item in resources if item["resourceType"] == "PlanDefinition"):
        answer = server.post(f"/PlanDefinition/{plan['id']}/$apply", subject)
        groups = [item for item in answer.get("contained", ()) if item["resourceType"] == "RequestGroup"]
        actions = sum(len(item.get("action", ())) for item in groups)
        says = {
            _said(item)[:400]
            for item in (answer, *answer.get("contained", ()))
            if item["resourceType"] == "OperationOutcome"
        }
        answers[f"{answer['resourceType']} with {actions} actions; {'; '.join(sorted(says)) or 'no message'}"] += 1
    for text, count in answers.most_common():
        print(f"$apply, {count} plans: {text}")


def _apply_for_another(server: _Server) -> None:
    """Whether an input holds what is on record of other patients: a plan of one input, for one who has no record."""
    code = {"system": "http://example.org/codes", "code": "a"}
    contains = {"timestamp": "2026-01-01T00:00:00Z", "contains": [code]}
    value_set = {"url": "http://example.org/ValueSet/one", "status": "draft", "expansion": contains}
    reads = {"id": "one", "type": "Condition", "codeFilter": [{"path": "code", "valueSet": value_set["url"]}]}
    present = {"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": "%one is not null"}}
    plan = {"url": "http://example.org/PlanDefinition/one", "status": "draft"}
    plan["action"] = [{"id": "one", "title": "One", "input": [reads], "condition": [present]}]
    of_somebody = {"subject": {"reference": "Patient/somebody"}, "code": {"coding": [code]}}
    made = {
        "Patient/somebody": {},
        "Patient/nothing-on-record": {},
        "Condition/one": of_somebody,
        "ValueSet/one": value_set,
        "PlanDefinition/one": plan,
    }
    entries = [
        {"resource": {"resourceType": kind, "id": name} | item, "request": {"method": "PUT", "url": f"{kind}/{name}"}}
        for (kind, _, name), item in ((url.partition("/"), item) for url, item in made.items())
    ]
    server.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    subject = {"name": "subject", "valueString": "Patient/nothing-on-record"}
    answer = server.post("/PlanDefinition/one/$apply", {"resourceType": "Parameters", "parameter": [subject]})
    groups = [item for item in answer.get("contained", ()) if item["resourceType"] == "RequestGroup"]
    taken = any(item.get("action") for item in groups)
    print(f"$apply takes another patient's Condition for an input: {'yes' if taken else 'no'}")


def _resources(value: Resource) -> list[Resource]:
    if value.get("resourceType") == "Bundle":
        return [entry["resource"] for entry in value.get("entry", ())]
    return [value] if "id" in value else []


def _said(outcome: Resource) -> str:
    return "; ".join(str(issue.get("diagnostics", "")) for issue in outcome.get("issue", ()))[:600]


if __name__ == "__main__":
    sys.exit(main())
