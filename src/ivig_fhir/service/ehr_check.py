"""What an EHR would meet at a running service: discovery, tokens, two hooks, feedback; each finding says what to do.

The patients are those of the playground, artificial. Cards shown are counted by the service as any other; feedback is
played with an empty batch, which stores nothing, unless a real one is asked for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ivig_fhir.cds_hooks.answer import Responder
from ivig_fhir.cds_hooks.cards import Origin
from ivig_fhir.cds_hooks.context import PROFESSIONAL
from ivig_fhir.cds_hooks.discovery import PREFIX, served_hooks
from ivig_fhir.cds_hooks.inquiries import Asked, Inquiry, read_inquiry
from ivig_fhir.fhir import as_list, dumps
from ivig_fhir.knowledge.content import Content
from ivig_fhir.pages.examples import examples
from ivig_fhir.problems import problem
from ivig_fhir.service.cds_answers import card_faults, counted, our_extension, unanswered, units_of
from ivig_fhir.service.cds_client import CdsClient, Reply, Signer

OK, LOOK, FAULT = "ok", "look", "fault"
SERVICES = "/cds-services"
PLAYED = ("patient-view", "order-sign")


@dataclass(frozen=True)
class Finding:
    """One thing that was tried: `ok`, `look` (to know, or to decide), `fault`; and what to do about it."""

    step: str
    level: str
    says: str
    to_do: str = ""


class Check:
    """Plays an EHR against a service; `slow` and all times are seconds, `times` how often each hook is called."""

    def __init__(self, client: CdsClient, content: Content, signer: Signer | None, times: int, slow: float) -> None:
        self.client, self.content, self.signer = client, content, signer
        self.times, self.slow = times, slow
        self.services: dict[str, dict[str, Any]] = {}  # by hook

    def run(self, really_feed_back: bool = False) -> Iterator[Finding]:
        """All that can be played without a request of the site; stops where nothing further can be had."""
        found = self.client.get(SERVICES, self.token(SERVICES))
        yield from self._discovery(found)
        if found.status != 200 or not self.services:
            return
        yield from self._tokens()
        card: dict[str, Any] = {}
        for hook in PLAYED:
            if hook in self.services:
                cards = yield from self._hook(hook)
                card = card or next(iter(cards), {})
        yield from self._feedback(card if really_feed_back else {})

    def token(self, path: str, **changed: Any) -> str:
        """A token for a path, or none where there is no key."""
        return self.signer.token(path, **changed) if self.signer else ""

    def call(self, path: str, body: dict[str, Any]) -> tuple[Reply, Finding | None]:
        """The last of some calls with the same body, and whether they were slow."""
        replies = [self.client.post(path, body, self.token(path)) for _ in range(self.times)]
        middle = statistics.median(reply.seconds for reply in replies)
        worst = max(reply.seconds for reply in replies)
        if middle <= self.slow:
            return replies[-1], None
        says = f"slow: {_ms(middle)} in the middle of {self.times} calls, {_ms(worst)} at worst; over {_ms(self.slow)}"
        do = "look at the network, at the number of workers, and whether prefetch is sent or must be read from the EHR"
        return replies[-1], Finding(path.rpartition("/")[2], FAULT, says, do)

    # --- discovery

    def _discovery(self, found: Reply) -> Iterator[Finding]:
        step = "discovery"
        if found.status == 401:
            yield Finding(step, FAULT, "401 without or with this token", REFUSED_HINT if self.signer else KEY_HINT)
        elif found.status != 200:
            says = unanswered(found)
            ask = "is its authority to be trusted? --ca-file" if "CERTIFICATE" in says else REACHED_HINT
            yield Finding(step, FAULT, says, ask)
        elif not isinstance(found.body, dict) or not as_list(found.body.get("services")):
            yield Finding(step, FAULT, "the answer lists no services", "is this a CDS Hooks service?")
        else:
            listed = [item for item in as_list(found.body["services"]) if isinstance(item, dict)]
            self.services = {str(item.get("hook")): item for item in listed}
            yield Finding(
                step, OK, f"{len(self.services)} services in {_ms(found.seconds)}: {', '.join(self.services)}"
            )
            if self.client.base.startswith("http:"):
                yield Finding(
                    step, LOOK, "plain http", "TLS between EHR and service (CH-90), unless they are one machine"
                )
            for hook in served_hooks(self.content):
                if hook not in self.services:
                    yield Finding(
                        step, FAULT, f"absent: a service for {hook}", "does another version of the content run?"
                    )
            yield from self._queries()

    def _queries(self) -> Iterator[Finding]:
        """Prefetch templates that this content does not have: typed off another version, or with another code map."""
        for hook, item in self.services.items():
            listed = item.get("prefetch")
            queries = listed if isinstance(listed, dict) else {}
            ours = {key: row.query for key, row in self.content.prefetch.items()}
            other = sorted(key for key, query in queries.items() if ours.get(key) != query)
            if other:
                says = f"{hook}: prefetch {', '.join(other)} differs from that of content {self.content.version}"
                yield Finding(
                    "discovery",
                    LOOK,
                    says,
                    "another version or code map; the EHR sends what the service asks for",
                )

    # --- tokens

    def _tokens(self) -> Iterator[Finding]:
        step, open_to_all = "token", self.client.get(SERVICES).status == 200
        if self.signer is None:
            yield Finding(step, LOOK, "answers without a token", "IVIG_FHIR_REQUIRE_AUTH=yes; play it with --key")
            return
        if open_to_all:
            yield Finding(step, FAULT, "answers without a token too", "IVIG_FHIR_REQUIRE_AUTH=yes")
            return
        yield Finding(step, OK, "refused without a token, taken with it")
        used = self.token(SERVICES)
        refused = {
            "a token is taken twice": [self.client.get(SERVICES, used) for _ in range(6)][1:],
            "a token that has expired is taken": [self.client.get(SERVICES, self.token(SERVICES, iat=1, exp=300))],
            "a token for another address is taken": [self.client.get(SERVICES, self.token("/elsewhere"))],
            "a token of another issuer is taken": [self.client.get(SERVICES, self.token(SERVICES, iss="urn:nobody"))],
        }
        wrong = [says for says, replies in refused.items() if any(reply.status != 401 for reply in replies)]
        yield from (Finding(step, FAULT, says, TAKEN_HINT) for says in wrong)
        if not wrong:
            yield Finding(step, OK, "refused when used again, expired, for another address, of another issuer")

    # --- hooks

    def _hook(self, hook: str) -> Generator[Finding, None, list[dict[str, Any]]]:
        today = datetime.now(UTC).date()
        inquiry, expected = self._example(hook, today)
        service = str(self.services[hook].get("id"))
        reply, slow = self.call(f"{SERVICES}/{service}", inquiry.document)
        yield from [slow] if slow else []
        faults = card_faults(reply)
        yield from (Finding(hook, FAULT, says, "this is not what CDS Hooks asks of a service") for says in faults)
        if faults:
            return []
        cards: list[dict[str, Any]] = reply.body["cards"]
        yield Finding(hook, OK, f"{counted(cards)} for an artificial patient in {_ms(reply.seconds)}")
        yield from self._compared(hook, cards, expected)
        return cards

    def _example(self, hook: str, today: date) -> tuple[Inquiry, list[dict[str, Any]]]:
        """The first example of a hook that brings a card, and the cards that this content gives."""
        responder = Responder(self.content)
        for item in examples().values():
            if item.hook == hook and item.record.get("resourceType") == "Bundle" and item.reader == PROFESSIONAL:
                inquiry = read_inquiry(
                    dumps(item.record).encode(), Asked(hook, orders=item.orders), today, self.content
                )
                cards = responder.answer(inquiry.request, today, Origin("", f"{PREFIX}{hook}", ""))["cards"]
                if cards:
                    return inquiry, cards
        raise problem("definitions", hook, "no artificial patient brings a card", "the content of this version")

    def _compared(self, hook: str, cards: list[dict[str, Any]], expected: list[dict[str, Any]]) -> Iterator[Finding]:
        hashes = {our_extension(card).get("contentHash") for card in cards}
        if not hashes:
            yield Finding(
                hook, LOOK, f"no card where content {self.content.version} has {counted(expected)}", SILENT_HINT
            )
        elif hashes != {self.content.definitions.content_hash}:
            yield Finding(hook, LOOK, "the cards are of another content than this command has: not compared")
        elif units_of(cards) != units_of(expected):
            gone = ", ".join(sorted(units_of(expected) - units_of(cards))) or "none"
            more = ", ".join(sorted(units_of(cards) - units_of(expected))) or "none"
            yield Finding(hook, LOOK, f"units missing: {gone}; units besides: {more}", SILENT_HINT)

    # --- feedback

    def _feedback(self, card: dict[str, Any]) -> Iterator[Finding]:
        """To the first service that was played: an empty batch, or that a card was overridden."""
        hook = next((hook for hook in PLAYED if hook in self.services), "")
        if not hook:
            return
        path = f"{SERVICES}/{self.services[hook].get('id')}/feedback"
        reply = self.client.post(path, {"feedback": _overridden(card)}, self.token(path))
        if reply.status == 404:
            yield Finding("feedback", LOOK, "not offered", "IVIG_FHIR_STORE=<file>, if it is to be kept")
        elif reply.status // 100 == 2:
            sent = f"that card {card['uuid']} was overridden" if card else "an empty batch"
            yield Finding("feedback", OK, f"taken: {sent}")
        else:
            yield Finding("feedback", FAULT, unanswered(reply), REFUSED_HINT if reply.status == 401 else "")


REACHED_HINT = "is this the address of the service, and is it reachable?"
KEY_HINT = "give --key, --kid and --issuer of a client that the service trusts"
REFUSED_HINT = (
    "compare: --issuer with the name in IVIG_FHIR_TRUSTED_ISSUERS; --kid and key with its key set; --jku; --tenant; "
    "--audience with IVIG_FHIR_PUBLIC_URL; the clocks. The service's log says the reason"
)
TAKEN_HINT = "whoever sees a token can use it: one IVIG_FHIR_REPLAY_STORE for all workers; right IVIG_FHIR_PUBLIC_URL"
SILENT_HINT = "is something silent here (IVIG_FHIR_SILENT), or fewer cards allowed (IVIG_FHIR_MAX_CARDS)?"


def _overridden(card: dict[str, Any]) -> list[dict[str, Any]]:
    if not card:
        return []
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    said: dict[str, Any] = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": moment}
    reasons = as_list(card.get("overrideReasons"))
    return [said | ({"overrideReason": {"reason": {"code": reasons[0]["code"]}}} if reasons else {})]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
