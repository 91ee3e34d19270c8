"""The guideline pages as files for any web host: the same pages as the service's, without what needs an answer."""

from __future__ import annotations

from pathlib import Path

from ivig_fhir.pages.addresses import READERS, Addresses
from ivig_fhir.pages.publication import R4, R5, Publication
from ivig_fhir.pages.rendering import ABOUT, CODES, GUIDANCE, RESOURCES, STATEMENTS, Pages, assets, topic_path


def site_files(publication: Publication, definitions: Path) -> dict[str, bytes]:
    """Path -> bytes of every file of the site; definitions is the folder with r4/ that the publication is of."""
    pages = Pages(publication, files=True)
    html = {"index.html": pages.overview(here="index")}
    for reader in READERS:
        html[Addresses.file(GUIDANCE, reader)] = pages.overview(reader)
        for plan in publication.content.plans:
            text = pages.topic(plan, reader)
            for path in (topic_path(plan), f"{GUIDANCE}/{plan.topic}"):
                html[Addresses.file(path, reader)] = text
    html |= {
        Addresses.file(ABOUT): pages.about(),
        Addresses.file(STATEMENTS): pages.statements(),
        Addresses.file(RESOURCES): pages.resources(),
    }
    for value_set in publication.content.definitions.search("ValueSet"):
        html[Addresses.file(f"{CODES}/{value_set['id']}")] = pages.codes(value_set["id"])
    found = {name: text.encode() for name, text in html.items()}
    found |= {f"static/{name}": content for name, content in assets().items()}
    return found | {
        f"{RESOURCES}/{edition}/{path.name}": path.read_bytes()
        for edition in (R4, R5)
        for path in sorted((definitions / edition).glob("*-*.json"))
    }


def write_site(files: dict[str, bytes], target: Path) -> None:
    """Write all files below a folder; other files there are left alone."""
    for name, content in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
