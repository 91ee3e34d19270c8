"""What a site keeps off the cards: evaluated, counted, named; and never half a message."""

from __future__ import annotations

import logging
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import patients
from cases import all_cases
from ivig_fhir import definitions_folder
from ivig_fhir.cds_hooks.answer import Evaluation, Responder
from ivig_fhir.cds_hooks.requests import read_patient_record, read_request
from ivig_fhir.cds_hooks.selection import CAUTION, Policy, Selection, restrains, select
from ivig_fhir.cds_hooks.site_policy import read_policy
from ivig_fhir.cli.feedback import feedback_command
from ivig_fhir.fhir import dumps
from ivig_fhir.knowledge.content import Content, load_content
from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.settings import Settings

BASE: dict[str, Any] = {"at": "2026-03-02", "hook": "patient-view", "patient": {"born": "1982-07-01"}}
CIDP = BASE | {"conditions": {"cidp": {"icd-10-cm": "G61.81"}}}
MMN = BASE | {"conditions": {"mmn": {"icd-10-cm": "G61.82"}}}
BOTH = BASE | {"conditions": CIDP["conditions"] | MMN["conditions"]}
STEROID = {"hook": "order-sign", "orders": {"pred": {"rxnorm": "8640", "route": "oral"}}}


def asked(client: FlaskClient, facts: dict[str, Any]) -> list[Any]:
    cards: list[Any] = client.post(f"/cds-services/ivig-{facts['hook']}", json=patients.request(facts)).json["cards"]
    return cards


def site(content: Content, *silent: str, most: int = 3, store: Path | None = None) -> FlaskClient:
    return create_app(
        Settings(silent=silent, max_cards=most, store=store), lambda: date(2026, 3, 2), content
    ).test_client()


def says(card: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = card["extension"]["org.example.ivig-fhir"]
    return found


def units(card: dict[str, Any]) -> set[str]:
    return {unit["id"] for unit in says(card)["recommendations"]}


def counted(client: FlaskClient, name: str, **labels: str) -> int:
    pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return sum(int(n) for n in re.findall(rf"ivig_fhir_{name}_total{{{pairs}.*}} (\d+)", client.get("/metrics").text))


# --- silent units


def test_a_silenced_unit_is_off_the_card_named_there_and_counted(content: Content, tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    client = site(content, "cidp-ivig", store=store)
    (plain,) = asked(site(content), CIDP)
    (card,) = asked(client, CIDP)
    assert units(plain) - units(card) == {"cidp-ivig"}
    assert "suggestions" in plain
    assert "suggestions" not in card
    title = content.units["cidp-ivig"].title
    assert card["detail"].count(title) == 1
    assert f"by a setting of this site:** {title}." in card["detail"]
    assert says(card)["silenced"] == ["cidp-ivig"]
    assert "silenced" not in says(plain)
    service = "ivig-patient-view"
    assert counted(client, "evaluations", service=service) == 1
    assert counted(client, "units_fired", unit="cidp-ivig", service=service) == 1
    assert counted(client, "units_silenced", unit="cidp-ivig", service=service) == 1
    assert counted(client, "units_shown", unit="cidp-ivig") == 0
    for unit in units(card):
        assert (
            counted(client, "units_fired", unit=unit, service=service) == counted(client, "units_shown", unit=unit) == 1
        )
    asked(client, CIDP)
    report = CliRunner().invoke(feedback_command, ["report", str(store)], catch_exceptions=False).output
    assert "cidp-ivig: shown 0, accepted 0, overridden 0, silenced 1\n" in report
    assert "cidp-equiv: shown 1, accepted 0, overridden 0\n" in report


def test_a_silenced_topic_has_no_card_and_is_named_on_the_last_of_the_others(content: Content) -> None:
    client = site(content, "mmn")
    assert asked(client, MMN) == []
    assert counted(client, "units_silenced", unit="mmn-ivig", service="ivig-patient-view") == 1
    (card,) = asked(client, BOTH)
    assert card["source"]["topic"]["code"] == "cidp"
    line = card["detail"].rpartition("by a setting of this site:**")[2].partition("\n")[0]
    assert line.endswith(f"; {content.topics['mmn'].display}.")


def test_what_yields_to_a_silenced_warning_is_not_shown_without_it(content: Content) -> None:
    facts = BOTH | STEROID
    plain = {unit for card in asked(site(content), facts) for unit in units(card)}
    (card,) = asked(site(content, "mmn"), facts)
    assert {"mmn-steroid", "cidp-equiv"} <= plain
    assert "cidp-equiv" not in units(card)
    assert content.units["cidp-equiv"].title in card["detail"].rpartition("by a setting of this site:**")[2]


def test_everything_can_be_silent_and_is_counted_all_the_same(content: Content) -> None:
    client = site(content, "all")
    assert asked(client, MMN | STEROID) == []
    assert counted(client, "units_fired", unit="mmn-steroid", service="ivig-order-sign") == 1
    unread = MMN | STEROID | {"unavailable": ["conditions"]}
    assert len(asked(site(content), unread)) == 1
    assert asked(client, unread) == []
    assert len(asked(site(content, "mmn"), unread)) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mmn-steriod", "names 'mmn-steriod', which is neither; .*did you mean mmn-steroid"),
        ("caution-clot", "silences caution-clot, .*hint: all$"),
        ("mmn-steroid", "silences mmn-steroid, .*hint: its topic mmn, or all$"),
        ("cidp-equiv", "silences cidp-equiv"),
        ("mfs-ivig", "silences mfs-ivig"),
        ("sdm", "silences sdm, .*hint: all$"),
        ("safety", "silences caution-allergy"),
    ],
)
def test_a_name_that_is_unknown_or_would_leave_half_a_message_stops_the_start(
    content: Content, name: str, said: str
) -> None:
    with pytest.raises(Problem, match=f"(?m)^IVIG_FHIR_SILENT: {said}"):
        site(content, "cidp-ivig", name)


def test_silence_is_said_at_the_start(content: Content, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ivig_fhir"):
        site(content, "lems")
    assert "silent: lems-ivig" in caplog.text


# --- over all cases


@cache
def evaluated() -> list[tuple[str, str, Evaluation, Content]]:
    """The evaluation of cases with a card: those that a hazard names, and the first of each file."""
    content = load_content(definitions_folder() / "r4")
    responder, found = Responder(content), []
    seen: set[Path] = set()
    for case in all_cases():
        if case.file in seen and not case.hazards:
            continue
        seen.add(case.file)
        try:
            request = read_request(dumps(case.request()).encode(), case.facts["hook"])
            record, _ = read_patient_record(request, content)
        except Problem:
            continue
        evaluation = responder.evaluate(request, record, date.fromisoformat(case.at))
        if evaluation.cards:
            found.append((case.id, request.reader, evaluation, content))
    return found


def policies(content: Content) -> list[Policy]:
    found = []
    for name in [*content.topics, *content.units]:
        try:
            found.append(read_policy([name], 1000, content, ""))
        except Problem:
            continue
    return found


def left(chosen: Selection) -> dict[str, set[str]]:
    return {card.plan.topic: {finding.unit.id for finding in card.findings} for card in chosen.cards}


def test_whatever_is_silenced_the_cards_that_are_left_lose_no_caution_and_gain_nothing() -> None:
    looked_at = 0
    content = evaluated()[0][3]
    allowed = policies(content)
    for case, reader, evaluation, _ in evaluated():
        whole = select(evaluation.findings, content, reader, Policy(most_cards=1000))
        plain = left(whole)
        firing = {finding.unit.id for finding in whole.firing}
        suggested = [card.suggests for card in whole.cards if card.suggests]
        for policy in allowed:
            if not policy.silent & firing:
                continue
            looked_at += 1
            chosen = select(evaluation.findings, content, reader, policy)
            for topic, names in left(chosen).items():
                assert names <= plain[topic], case
                held = {name for name in plain[topic] - names if restrains(content.units[name])}
                assert not {name for name in held if content.units[name].kind == CAUTION}, case
                assert not {name for name in held if content.units[name].warning}, case
            assert {finding.unit.id for finding in chosen.silenced} == firing - set().union(*left(chosen).values()), (
                case
            )
            assert [card.suggests for card in chosen.cards if card.suggests] in ([], suggested), case
    assert looked_at > 500


# --- how many cards


def test_the_most_cards_are_as_set_and_what_has_no_room_is_named_on_the_last(content: Content) -> None:
    facts = BOTH | {"conditions": BOTH["conditions"] | {"lems": {"icd-10-cm": "G70.80"}, "mg": {"icd-10-cm": "G70.00"}}}
    many = asked(site(content, most=17), facts)
    assert len(many) > 3
    assert not any("without room" in card["detail"] for card in many)
    assert asked(site(content), facts)[:2] == many[:2]
    (card,) = asked(site(content, most=1), facts)
    assert card["source"]["topic"] == many[0]["source"]["topic"]
    for other in many[1:]:
        assert other["source"]["topic"]["display"] in card["detail"].rpartition("without room")[2]
