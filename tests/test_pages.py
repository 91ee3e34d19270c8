"""The guideline pages: everything on them comes from definitions/, and they keep themselves to themselves."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from flask.testing import FlaskClient

from editions import published
from ivig_fhir import definitions_folder
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.addresses import slug
from ivig_fhir.problems import Problem


@pytest.fixture(scope="module")
def site() -> FlaskClient:
    return published()


def words(html: str) -> str:
    """The text of a page, without marks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def text(site: FlaskClient, address: str) -> str:
    response = site.get(address)
    assert response.status_code == 200, address
    return response.get_data(as_text=True)


class Page(HTMLParser):
    """The elements of a page: ids, links, what a browser loads, and what a policy forbids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" and "href" in values else []
        self.loads += [values[name] for name in ("src", "action", "data", "srcset") if name in values]
        self.loads += [values["href"]] if tag in ("link", "use") and "href" in values else []
        self.inline += [f"{tag} {name}" for name in values if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in values) else []


def addresses(content: Content) -> list[str]:
    topics = [f"/guidance/{slug(plan.title)}" for plan in content.plans]
    readers = [f"{address}?reader=patient" for address in ("/guidance", *topics)]
    return ["/guidance", *topics, *readers, "/about", "/statements", "/definitions"]


# --- where things are


def test_the_root_leads_to_the_evidence_map(site: FlaskClient) -> None:
    assert site.get("/").location == "guidance"
    assert "Evidence map" in text(site, "/guidance")


def test_a_topic_answers_to_its_id_and_to_its_title(site: FlaskClient, content: Content) -> None:
    for plan in content.plans:
        assert text(site, f"/guidance/{plan.topic}") == text(site, f"/guidance/{slug(plan.title)}")
    assert "Myasthenia gravis" in text(site, "/guidance/myasthenia-gravis")


def test_an_unknown_topic_is_a_page_that_names_the_topics(site: FlaskClient) -> None:
    response = site.get("/guidance/gout")
    assert response.status_code == 404
    assert "myasthenia-gravis" in response.get_data(as_text=True)


def test_every_link_and_every_place_on_every_page_exists(site: FlaskClient, content: Content) -> None:
    pages = {address: Page(text(site, address)) for address in addresses(content)}
    places = {address: set(page.ids) for address, page in pages.items()}
    for address, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), address
        for link in page.links:
            if urlsplit(link).netloc:
                continue
            target, _, place = urljoin(address, link).partition("#")
            if target not in places:
                found = site.get(target)
                assert found.status_code == 200, f"{address}: {link}"
                places[target] = set(Page(found.get_data(as_text=True)).ids) if found.mimetype == "text/html" else set()
            assert not place or place in places[target], f"{address}: {link}"


def test_a_sentence_leads_to_its_statement_and_source_line_on_the_same_page(
    site: FlaskClient, content: Content
) -> None:
    for plan in content.plans:
        html = text(site, f"/guidance/{plan.topic}")
        shown = words(html)
        for name in {name for unit in plan.units for name in unit.statements}:
            statement = content.statements[name]
            assert f'id="{name}"' in html
            assert f'href="#{name}"' in html
            assert f"{name} {statement.definition}" in shown
            lines = statement.one("lines")
            assert re.search(rf"{re.escape(statement.definition)} .{{0,80}}lines? {lines} of", shown), name


def test_every_entry_of_the_map_says_in_words_what_it_is(site: FlaskClient, content: Content) -> None:
    picture = text(site, "/guidance").partition('id="list"')[0]
    entries = re.findall(r'<li class="entry".*?#([\w-]+)".*?<span class="about">(.*?)</span>', picture, re.DOTALL)
    assert len(entries) == picture.count('<li class="entry"')
    for name, about in entries:
        assert unescape(about) == content.units[name].title


def test_each_disease_is_a_link_before_the_map_and_leads_to_its_regimens(site: FlaskClient, content: Content) -> None:
    html = text(site, "/guidance")
    before = html.partition('<table class="map"')[0]
    for plan in content.plans:
        address = f"guidance/{slug(plan.title)}"
        assert f'<a href="{address}">{plan.title}</a>' in before
        assert (f'href="{address}#regimens"' in html) == ('id="regimens"' in text(site, f"/{address}"))
    assert 'href="about#limits"' in before


def test_a_topic_names_its_sources_and_what_they_are_worth_before_anything_else(
    site: FlaskClient, content: Content
) -> None:
    for plan in content.plans:
        shown = words(text(site, f"/guidance/{plan.topic}").partition("What the sources say</h2>")[0])
        for name in {content.statements[name].one("source") for unit in plan.units for name in unit.statements}:
            source = content.sources[name]
            assert f"{name} {source.display} ({source.one('standing-says')})" in shown
        for unit in plan.units:
            assert unit.title in shown
            for rating in unit.ratings:
                assert f"{rating.source} “{rating.wording}”" in shown


def test_what_a_recommendation_asks_is_folded_away_and_when_it_applies_is_not(site: FlaskClient) -> None:
    unit = text(site, "/guidance/gbs").partition('id="gbs-child"')[2].partition("</article>")[0]
    before, folded = unit.split('<details class="asks-for')
    assert "younger than 18 years †" in before
    assert "order-sign" not in before
    assert "order-sign" in folded
    assert "Date of birth" in folded


def test_disagreements_of_safety_stand_first_and_those_of_wording_are_folded(site: FlaskClient) -> None:
    html = text(site, "/guidance/gbs").partition('id="conflicts"')[2].partition("</section>")[0]
    kinds = re.findall(r'<article class="conflict (\w+)"', html)
    number = kinds.count("safety")
    assert number > 1
    assert set(kinds[:number]) == {"safety"}
    shown, _, folded = html.partition("<details")
    assert set(re.findall(r'<article class="conflict (\w+)"', shown)) == {"safety", "clinical"}
    assert set(re.findall(r'<article class="conflict (\w+)"', folded)) <= {"editorial", "provenance"}


def test_a_condition_that_always_holds_reads_as_english(site: FlaskClient, content: Content) -> None:
    for plan in content.plans:
        shown = words(text(site, f"/guidance/{plan.topic}")).replace(" .", ".")
        assert not re.search(r"(?i)(when|while)[: ]+always|always [;,]", shown), plan.topic
    assert "<strong>Warns always</strong>." in text(site, "/guidance/hepatitis")


def test_neighbouring_lines_are_a_range(site: FlaskClient) -> None:
    html = words(text(site, "/statements"))
    assert "lines 43–84" in html
    assert "lines 130, 132, 134" in html


def test_a_figure_is_not_said_twice(site: FlaskClient) -> None:
    part = words(text(site, "/guidance/gbs").partition('id="figures"')[2].partition("</section>")[0])
    assert part.count("2 g/kg") == 1


# --- everything comes from the definitions


def test_both_sides_of_every_conflict_stand_on_the_page(site: FlaskClient, content: Content) -> None:
    for plan in content.plans:
        shown = words(text(site, f"/guidance/{plan.topic}"))
        for name in {name for unit in plan.units for name in unit.conflicts}:
            word = content.conflicts[name]
            assert word.one("handling") in shown
            for side in word.properties.get("side", ()):
                for statement in side.split():
                    assert content.statements[statement].definition in shown


def test_newer_evidence_that_supersedes_stands_before_what_the_source_says(site: FlaskClient, content: Content) -> None:
    html = text(site, "/guidance/mmn")
    unit = html[html.index('<article class="unit" id="mmn-ivig"') :]
    assert unit.index(content.newer["mmn-class-i"].definition) < unit.index('class="says"')


def test_codes_stand_with_their_proof(site: FlaskClient) -> None:
    html = words(text(site, "/guidance/mg"))
    assert "ICD-10-CM G70.00 Myasthenia gravis without (acute) exacerbation confirmed:" in html
    assert "in remission: not active" in html


def test_each_page_says_version_date_and_that_no_clinician_reviewed_it(site: FlaskClient, content: Content) -> None:
    for plan in content.plans:
        assert "Draft , not reviewed by a clinician. Version 0.1.0" in words(text(site, f"/guidance/{plan.topic}"))


# --- readers


def test_a_patient_reads_patient_wording_alone(site: FlaskClient, content: Content) -> None:
    readable = {unit.id for unit in content.units.values() if unit.patient and unit.reader in ("patient", "both")}
    lay = {name for name, word in content.sources.items() if word.one("for-patients")}
    for plan in content.plans:
        html = text(site, f"/guidance/{plan.topic}?reader=patient")
        shown, ids = words(html), set(Page(html).ids)
        assert {unit.id for unit in plan.units if unit.id in ids} == {unit.id for unit in plan.units} & readable
        for unit in plan.units:
            assert unit.says not in shown
        assert {item for item in content.sources if f"source-{item}" in ids} <= lay
    assert "mg-mild" in readable
    assert "weighing its benefit and its risk" in words(text(site, "/guidance/mg?reader=patient"))


def test_a_patient_finds_the_way_back_to_the_subjects_for_patients(site: FlaskClient, content: Content) -> None:
    for plan in content.plans:
        links = Page(text(site, f"/guidance/{plan.topic}?reader=patient")).links
        assert "../guidance?reader=patient" in links


# --- the about page


def test_the_about_page_names_sources_defaults_and_publisher(site: FlaskClient, content: Content) -> None:
    html = words(text(site, "/about"))
    for word in content.sources.values():
        assert word.definition in html
    for item in content.definitions.read("CodeSystem", "ivig-default")["concept"]:
        assert item["definition"] in html
    assert content.library["publisher"] in html
    funding = [word.display for name, word in content.phrases.items() if name.startswith("funding")]
    assert f"Funding {' '.join(funding) or 'none declared'}" in html
    for name, word in content.phrases.items():
        assert not name.startswith("limit-") or word.display in html
    assert content.library["usage"] in html


# --- the FHIR behind


def test_each_resource_can_be_read_and_an_unknown_one_cannot(site: FlaskClient, content: Content) -> None:
    html = text(site, "/guidance/mg")
    assert 'href="../definitions/r4/PlanDefinition-mg.json"' in html
    response = site.get("/definitions/r4/PlanDefinition-mg.json")
    assert response.data == (definitions_folder() / "r4" / "PlanDefinition-mg.json").read_bytes()
    for wrong in ("r4/PlanDefinition-gout", "r3/PlanDefinition-mg", "r4/index"):
        with pytest.raises(Problem):
            site.get(f"/definitions/{wrong}.json")


# --- what a browser is allowed


def test_no_page_loads_anything_from_elsewhere_or_inline(site: FlaskClient, content: Content) -> None:
    for address in addresses(content):
        page = Page(text(site, address))
        assert page.inline == [], address
        assert page.loads
        for load in page.loads:
            assert not urlsplit(load).netloc, f"{address} loads {load}"
    styles = text(site, "/static/app.css")
    assert "url(" not in styles
    assert "@import" not in styles


def test_each_page_carries_the_strict_policy(site: FlaskClient, content: Content) -> None:
    for address in addresses(content):
        headers = site.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_that_did_not_change_is_not_sent_again(site: FlaskClient) -> None:
    first = site.get("/guidance")
    again = site.get("/guidance", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
