"""The static site: the same pages as files, every link of which leads to a file."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from editions import published
from ivig_fhir import definitions_folder
from ivig_fhir.cli.site import site_command
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from test_pages import Page, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site") / "out"
    run = CliRunner().invoke(site_command, [str(target)], catch_exceptions=False)
    assert f"begin with {target / 'index.html'}" in run.output
    return target


def test_every_link_and_every_file_that_a_page_loads_exists(folder: Path) -> None:
    pages = {path: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    assert len(pages) > 20
    for path, page in pages.items():
        for link in (*page.links, *(load for load in page.loads if not load.startswith("#"))):
            parts = urlsplit(link)
            if parts.netloc:
                continue
            assert not parts.path.startswith("/"), f"{path.name}: {link} holds at the root of a host alone"
            target = folder / posixpath.normpath(posixpath.join(path.parent.relative_to(folder).as_posix(), parts.path))
            target = target if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            assert not parts.fragment or parts.fragment in pages[target].ids, f"{path.name}: {link}"


def test_a_topic_reads_as_in_the_service(folder: Path, content: Content) -> None:
    for plan in content.plans[:6]:
        served = words(published().get(f"/guidance/{plan.topic}").get_data(as_text=True))
        written = words((folder / "guidance" / f"{plan.topic}.html").read_text("utf-8"))
        assert written == served.replace("Print ", "", 1).replace("Try a patient ", "", 1)


def test_the_files_carry_their_policy_and_need_no_server(folder: Path) -> None:
    for path in folder.rglob("*.html"):
        html = path.read_text("utf-8")
        assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'' in html
        assert "<form" not in html


def test_resources_lie_beside_as_committed(folder: Path) -> None:
    name = "r4/PlanDefinition-mg.json"
    assert (folder / "definitions" / name).read_bytes() == (definitions_folder() / name).read_bytes()


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("x")
    with pytest.raises(Problem):
        CliRunner().invoke(site_command, [str(target / "below")], catch_exceptions=False)
