"""The pages in a real Chromium: `make browser`. Not part of `make test`: it needs chromium, npm and playwright.

No console errors, nothing from another host, the playground's main paths, axe without serious findings, the
keyboard, narrow screens, the printed sheet. Screenshots go to the folder named by SCREENSHOTS, if any.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from conftest import ROOT
from ivig_fhir import definitions_folder
from ivig_fhir.knowledge.content import load_content
from ivig_fhir.pages.addresses import slug
from live import BIN, HERE, serving

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
CONTENT = load_content(definitions_folder() / "r4")
TOPICS = [f"/guidance/{slug(plan.title)}" for plan in CONTENT.plans]
ADDRESSES = [
    "/guidance",
    "/guidance?reader=patient",
    *TOPICS,
    *(f"{topic}?reader=patient" for topic in TOPICS),
    "/about",
    "/statements",
    "/definitions",
    "/try",
    "/guidance/nothing",
]
OFTEN = ["/guidance", TOPICS[0], TOPICS[1], f"{TOPICS[0]}?reader=patient", "/about", "/codes/ivig-product", "/try"]
SCREENS = {"wide": (1280, 900), "narrow": (360, 740)}


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server") / "log", {"IVIG_FHIR_PUBLIC_URL": HERE}) as server:
        address = server.url
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = shutil.which("chromium")
    assert found, "no chromium; on Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A browser window that remembers what went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _heard(self, message: Any) -> None:
        missing = "404" in message.text and "/guidance/nothing" in self.page.url
        if message.type in ("error", "warning") and not missing:
            self.complaints.append(message.text)

    def to(self, address: str) -> Page:
        self.page.goto(self.url + address)
        return self.page

    def serious(self) -> list[str]:
        """What axe finds that is serious or critical."""
        self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{item['id']}: {item['help']}: {node['html'][:160]}"
            for item in found["violations"]
            if item["impact"] in ("serious", "critical")
            for node in item["nodes"][:3]
        ]

    def picture(self, name: str, **options: Any) -> None:
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/{name}.png", **options)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Visit]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    made = Visit(context, url)
    yield made
    assert made.complaints == []
    assert made.hosts <= {urlsplit(url).netloc}
    context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_loads_quietly_and_is_accessible(chromium: Browser, url: str, scheme: Any, screen: str) -> None:
    width, height = SCREENS[screen]
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    visit = Visit(context, url)
    found = {}
    for address in ADDRESSES if (scheme, screen) == ("light", "wide") else OFTEN:
        page = visit.to(address)
        found[address] = visit.serious()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found[address] += [f"{wide} px wider than the screen"] if wide > 0 else []
        name = re.sub(r"\W+", "-", address).strip("-")
        visit.picture(f"{name}-{screen}-{scheme}")
    context.close()
    assert {address: issues for address, issues in found.items() if issues} == {}
    assert visit.complaints == []
    assert visit.hosts == {urlsplit(url).netloc}


def test_from_the_root_to_a_statement_in_three_clicks(visit: Visit) -> None:
    page = visit.to("/")
    page.get_by_role("link", name="Myasthenia gravis").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Myasthenia gravis")
    unit = page.locator("article#mg-modsev")
    expect(unit).to_contain_text("moderate evidence")
    unit.get_by_role("link", name="S2-065").first.click()
    expect(page.locator("li#S2-065")).to_be_in_viewport()
    expect(page.locator("li#S2-065")).to_contain_text("AAN patient sheet 2012")


def test_an_entry_of_the_map_tells_its_words_to_mouse_and_keyboard(visit: Visit) -> None:
    page = visit.to("/guidance")
    entry = page.locator("li.entry", has=page.locator("a[href$='#mmn-ivig']"))
    tip = entry.get_by_role("tooltip")
    expect(tip).to_be_hidden()
    entry.hover()
    expect(tip).to_contain_text("first-choice therapy")
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    entry.locator("a").focus()
    expect(tip).to_be_visible()
    visit.picture("map-with-tip")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


@pytest.mark.parametrize("width", [840, 1024, 1280])
def test_no_entry_of_the_map_runs_out_of_its_cell(visit: Visit, width: int) -> None:
    page = visit.to("/guidance")
    page.set_viewport_size({"width": width, "height": 900})
    out = page.evaluate(
        """[...document.querySelectorAll('.map td .chip, .map td .about')]
        .filter(part => part.getBoundingClientRect().right > part.closest('td').getBoundingClientRect().right)
        .map(part => part.textContent)"""
    )
    assert out == []


def test_the_words_of_an_entry_lead_where_its_mark_leads(visit: Visit) -> None:
    page = visit.to("/guidance")
    box = page.locator("li.entry", has=page.locator("a[href$='#mmn-steroid']")).locator(".about").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page).to_have_url(re.compile("#mmn-steroid$"))


def test_a_disease_is_found_and_its_sources_named_on_the_first_screen_of_a_phone(visit: Visit) -> None:
    page = visit.to("/guidance")
    page.set_viewport_size({"width": 390, "height": 844})
    link = page.get_by_role("navigation", name="Find a disease").get_by_role("link", name="CIDP")
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.locator("p.key")).to_contain_text("retired; successor")
    expect(page.locator("p.key strong")).to_be_in_viewport()


def test_the_map_reads_without_colour(visit: Visit) -> None:
    page = visit.to("/guidance")
    for direction, shape, letter in (("for", "circle", "F"), ("against", "octagon", "A")):
        mark = page.locator(f"svg.mark[data-direction={direction}]").first
        assert mark.get_attribute("data-shape") == shape
        expect(mark.locator("text")).to_have_text(letter)
    page.emulate_media(forced_colors="active")
    visit.picture("map-forced-colours")


def test_the_keyboard_reaches_the_content_first(visit: Visit) -> None:
    page = visit.to("/guidance/myasthenia-gravis")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_reader_chooses_the_wording(visit: Visit) -> None:
    page = visit.to("/guidance/myasthenia-gravis")
    page.get_by_role("link", name="For patients").click()
    assert page.url.endswith("?reader=patient")
    expect(page.locator("body")).not_to_contain_text("S3-015")
    page.get_by_role("link", name="For professionals").click()
    expect(page.locator("article#mg-crisis")).to_be_visible()


def test_the_printed_sheet_has_no_furniture(visit: Visit) -> None:
    page = visit.to("/guidance/multifocal-motor-neuropathy")
    page.emulate_media(media="print")
    for hidden in (
        "header.site nav",
        "nav.contents",
        "button.print",
        "section.codes",
        "nav.reader",
        "article#mmn-ivig .rests",
    ):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("article#mmn-ivig")).to_be_visible()
    expect(page.locator("article#mmn-ivig p.when").first).to_be_visible()
    expect(page.locator("article#mmn-ivig details.asks-for")).to_be_hidden()
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.pdf(path=f"{folder}/print.pdf")


@pytest.mark.parametrize("topic", TOPICS)
def test_no_topic_takes_more_than_ten_sheets(visit: Visit, topic: str) -> None:
    page = visit.to(topic)
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
    assert 1 <= sheets <= 10


def test_regimens_print_whole_and_marked_as_unreviewed(visit: Visit) -> None:
    page = visit.to("/guidance/cidp")
    page.emulate_media(media="print")
    part = page.locator("section.regimens")
    expect(part.locator("p.warn")).to_contain_text("Unreviewed")
    wide = part.evaluate("node => node.querySelector('table').scrollWidth - node.clientWidth")
    assert wide <= 0
    expect(page.locator("p.paper")).to_be_visible()


def test_a_link_into_a_closed_part_opens_it(visit: Visit) -> None:
    page = visit.to("/guidance/myasthenia-gravis#codes-mg")
    expect(page.locator("details#codes-mg table")).to_be_visible()


def test_a_link_to_a_disagreement_of_wording_opens_it(visit: Visit) -> None:
    page = visit.to("/guidance/multifocal-motor-neuropathy")
    place = page.locator("article[id='X-36']")
    expect(place).to_be_hidden()
    page.locator("article#mmn-ivig ul.differs").get_by_role("link", name="X-36").click()
    expect(place).to_be_in_viewport()


def test_the_statements_can_be_filtered(visit: Visit) -> None:
    page = visit.to("/statements")
    page.get_by_label("Filter").fill("myasthenic crisis")
    page.get_by_label("Filter").fill("S4-031")
    assert page.locator("li.statement:visible").count() == 1


def test_a_resource_can_be_viewed_and_downloaded(visit: Visit) -> None:
    page = visit.to("/guidance/myasthenia-gravis#fhir")
    with page.expect_download() as started:
        page.get_by_role("link", name="download PlanDefinition mg in R4").click()
    assert started.value.suggested_filename == "PlanDefinition-mg.json"
    page.get_by_role("link", name="view PlanDefinition mg in R4").click()
    assert page.url.endswith("/definitions/r4/PlanDefinition-mg.json")
    assert page.locator("body").inner_text().count('"resourceType"')


class Quiet(SimpleHTTPRequestHandler):
    """Any web host, without its log; browsers ask for an icon beside a file that names none."""

    def do_GET(self) -> None:  # the name that http.server calls
        """A file, or no icon."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def choose(page: Page, example: str) -> None:
    page.get_by_label("Example patient").select_option(example)
    with page.expect_navigation():
        page.get_by_role("button", name="Load and run the example").click()


def start(page: Page) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Run", exact=True).click()


def test_an_example_is_picked_run_and_explained(visit: Visit) -> None:
    page = visit.to("/try")
    choose(page, "mmn-steroid")
    start(page)
    assert urlsplit(page.url).query == ""
    card = page.locator("article.card")
    expect(card).to_have_count(1)
    expect(card).to_contain_text("Corticosteroids are advised against")
    reason = page.locator("details#why-mmn-steroid")
    expect(reason).to_contain_text("applicable")
    expect(reason.locator("li.step").first).to_contain_text("Multifocal motor neuropathy")
    assert visit.serious() == []
    visit.picture("playground")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("example", ["mg-modsev", "gbs-dose", "cryo-ivig"])
def test_from_a_sentence_on_a_card_to_its_source_in_two_clicks(visit: Visit, example: str) -> None:
    page = visit.to("/try")
    choose(page, example)
    card = page.locator("article.card").first
    name = card.locator("a.ref").first.inner_text()
    with visit.context.expect_page() as opened:  # as here: the id in the card
        card.locator("a.ref").first.click()
    expect(opened.value.locator(f"[id='{name}']")).to_be_in_viewport()
    with visit.context.expect_page() as opened:  # as in an EHR: the card's link, then the id beside the sentence
        card.get_by_role("link", name="What the sources say").click()
    opened.value.locator(f"article.unit a.ref[href='#{name}']:visible").first.click()
    expect(opened.value.locator(f"li[id='{name}']")).to_be_in_viewport()
    expect(opened.value.locator(f"li[id='{name}']")).to_contain_text(re.compile(r"lines? \d"))
    expect(page.locator("article.card").first).to_be_visible()  # the answer to the form is still there


def test_the_playground_works_by_keyboard_alone(visit: Visit) -> None:
    page = visit.to("/try")

    def tab_to(place: str, key: str = "Tab") -> None:
        for _ in range(60):
            page.keyboard.press(key)
            if page.evaluate("place => document.activeElement.matches(place)", place):
                return
        raise AssertionError(f"the keyboard does not reach {place}")

    tab_to("#example")
    page.keyboard.type("A man of 43 with confirmed")  # choosing alone changes nothing
    tab_to("button[value=load]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("article.card")).to_have_count(1)
    tab_to("button.primary", "Shift+Tab")  # the page stands at its outcome
    with page.expect_navigation():
        page.keyboard.press("Enter")
    tab_to("details#why-mmn-steroid > summary")
    page.keyboard.press("Enter")
    expect(page.locator("details#why-mmn-steroid ol.steps")).to_be_hidden()
    tab_to("button[name=ask]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#missed")).to_be_visible()


def test_enter_in_a_field_runs_what_stands_in_the_form(visit: Visit) -> None:
    page = visit.to("/try")
    choose(page, "mmn-steroid")
    page.get_by_label("Drafted orders").fill("[]")
    with page.expect_navigation():
        page.get_by_label("On this day").press("Enter")
    expect(page.locator("section.ehr")).to_contain_text("shows nothing")


def test_the_static_site_opens_below_any_path(chromium: Browser, tmp_path: Path) -> None:
    subprocess.run([BIN / "ivig-fhir", "site", tmp_path / "some" / "where"], check=True, capture_output=True)
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        context = chromium.new_context()
        visit = Visit(context, f"http://127.0.0.1:{host.server_port}/some/where")
        page = visit.to("/index.html")
        page.get_by_role("link", name="Myasthenia gravis").first.click()
        page.get_by_role("link", name="S2-065").first.click()
        expect(page.locator("li#S2-065")).to_be_in_viewport()
        page.get_by_role("link", name="For patients").click()
        assert page.url.endswith("/some/where/guidance/myasthenia-gravis.patient.html")
        page.get_by_role("link", name="FHIR").click()
        page.get_by_role("link", name="view PlanDefinition mg in R5").click()
        assert page.url.endswith("/some/where/definitions/r5/PlanDefinition-mg.json")
        context.close()
        host.shutdown()
    assert visit.complaints == []


def test_an_edited_order_silences_the_card_and_says_why(visit: Visit) -> None:
    page = visit.to("/try")
    choose(page, "mmn-steroid")
    page.get_by_label("Drafted orders").fill("[]")
    start(page)
    expect(page.locator("section.ehr")).to_contain_text("shows nothing")


def test_a_missing_fact_is_found_added_and_shows_the_unit(visit: Visit) -> None:
    page = visit.to("/try")
    choose(page, "mg-mild")
    start(page)
    missed = page.locator("div.missed > ul > li", has=page.locator("a[href='#why-mg-modsev']"))
    expect(missed).to_contain_text("MGFA class")
    visit.picture("playground-missed", full_page=True)
    with page.expect_navigation():
        missed.get_by_role("button").click()
    expect(page.locator("details#why-mg-modsev > summary .state")).not_to_have_text("silent")


def test_a_pasted_request_runs_and_a_broken_one_is_explained(visit: Visit) -> None:
    page = visit.to("/try")
    request = (ROOT / "examples" / "mmn-prednisone.json").read_text("utf-8")
    page.get_by_label("Record").fill(request)
    start(page)
    expect(page.locator("article.card")).to_contain_text("Corticosteroids are advised against")
    page.locator("summary", has_text="The request, for curl").click()
    expect(page.locator("#curl")).to_contain_text("/cds-services/ivig-order-sign")
    page.get_by_label("Record").fill(request[:-20])
    visit.complaints.clear()
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("is no JSON")
    visit.complaints = [item for item in visit.complaints if "400" not in item]


def test_it_works_without_script(chromium: Browser, url: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{url}/try")
    page.get_by_label("Example patient").select_option("mmn-steroid")
    page.get_by_role("button", name="Load and run the example").click()
    expect(page.locator("article.card")).to_have_count(1)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("article.card")).to_have_count(1)
    context.close()
