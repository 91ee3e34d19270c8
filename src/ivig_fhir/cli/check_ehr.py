"""`ivig-fhir check-ehr`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import click

from ivig_fhir import definitions_folder
from ivig_fhir.cli.paths import FILE, FOLDER
from ivig_fhir.cli.site_content import content_of_site
from ivig_fhir.fhir import dumps
from ivig_fhir.service.cds_client import CdsClient, Signer, read_key
from ivig_fhir.service.ehr_check import FAULT, Check, Finding
from ivig_fhir.service.request_check import check_request


@click.command("check-ehr")
@click.argument("url")
@click.option("--key", type=FILE, help="Private key (PEM) of a CDS client that the service trusts; plays the JWT.")
@click.option("--kid", default="", help="Name of the key in the client's key set.")
@click.option("--issuer", default="", help="The iss of its tokens.")
@click.option("--jku", default="", help="The jku in the header of its tokens, if any.")
@click.option("--tenant", default="", help="The claim tenant, if the service asks for one.")
@click.option("--audience", default="", help="What the aud begins with, IVIG_FHIR_PUBLIC_URL.  [default: URL]")
@click.option("--request", "requests", type=FILE, multiple=True, help="A CDS Hooks request as the site sends it.")
@click.option("--code-map", type=FILE, help="The site's own codes, as IVIG_FHIR_CODE_MAP of the service.")
@click.option(
    "--feedback", is_flag=True, help="Store one real feedback; an empty batch, which stores nothing, if left out."
)
@click.option("--times", type=click.IntRange(1, 1000), default=5, show_default=True, help="Calls of each hook.")
@click.option("--slow", type=click.FloatRange(0), default=500.0, show_default=True, help="Milliseconds.")
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=10.0, show_default=True, help="Seconds.")
@click.option("--ca-file", type=FILE, help="Certificate authorities (PEM) instead of the public ones.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option("--definitions", "folder", type=FOLDER, default=definitions_folder(), show_default="definitions")
def check_ehr_command(url: str, **given: Any) -> None:
    """Play an EHR against the CDS Hooks service at URL: discovery, token, patient-view, order-sign, feedback.

    Says what is absent, slow or unmapped, and what to do about it. The patients are artificial, unless --request
    names a file.

    Exit 0: no fault. 1: faults. 2: the command cannot be carried out.
    """
    content = content_of_site(given["folder"], given["code_map"])
    found = []
    with closing(CdsClient(url, given["ca_file"], given["timeout"])) as client:
        check = Check(client, content, _signer(client.base, given), given["times"], given["slow"] / 1000)
        for finding in _findings(check, given):
            found.append(finding)
            if not given["as_json"]:
                click.echo(_printed(finding))
    if given["as_json"]:
        click.echo(dumps({"url": client.base, "findings": [asdict(item) for item in found]}), nl=False)
    sys.exit(1 if any(item.level == FAULT for item in found) else 0)


def _findings(check: Check, given: dict[str, Any]) -> Iterator[Finding]:
    yield from check.run(given["feedback"])
    for path in given["requests"]:
        yield from check_request(path.read_bytes(), path.name, check)


def _signer(base: str, given: dict[str, Any]) -> Signer | None:
    if given["key"] is None:
        return None
    if not given["kid"] or not given["issuer"]:
        raise click.UsageError("--key needs --kid and --issuer")
    audience = (given["audience"] or base).rstrip("/")
    return Signer(read_key(given["key"]), given["issuer"], given["kid"], audience, given["jku"], given["tenant"])


def _printed(finding: Finding) -> str:
    line = f"{finding.level:5}  {finding.step}: {finding.says}"
    return f"{line}\n       → {finding.to_do}" if finding.to_do else line
