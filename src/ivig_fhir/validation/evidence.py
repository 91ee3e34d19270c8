"""The evidence layer: what a recommendation rests on can be looked up, and a figure says of how many."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivig_fhir.fhir import CORE
from ivig_fhir.validation.collection import HOUSE_EXTENSION, Collection
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.invariants import Value, has, items, text, within
from ivig_fhir.validation.membership import code_system
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import SET, layer

rule = layer("evidence")

_RATED = (f"{CORE}/cqf-strengthOfRecommendation", f"{CORE}/cqf-qualityOfEvidence")
_KIND_OF = dict(zip(_RATED, ("recommendation-strength", "evidence-rating"), strict=True))
_DIRECTION = "/cpg-directionOfRecommendation"
_CITING = ("citation", "documentation", "justification", "derived-from", "cites", "supported-with")
_COUNTS = ("numberOfParticipants", "knownDataCount")
_OF_HOW_MANY = re.compile(r"denominator", re.IGNORECASE)


def recommends(value: Value) -> bool:
    """Whether an action carries a strength, a quality of evidence, a direction, or is one of our units, no notice."""
    return any(_says_so(item) for item in items(value, "extension"))


def _says_so(extension: Value) -> bool:
    url = text(extension, "url")
    if HOUSE_EXTENSION + "shown" in url:  # a notice is a bare sentence about the module itself
        return not any(text(item, "valueCode") == "notice" for item in items(extension, "extension"))
    return url in _RATED or url.endswith(_DIRECTION)


@rule("evidence-cited", on="PlanDefinitionAction", elsewhere="warning")
def evidence_cited(node: Node) -> Iterator[Fault]:
    """An action that recommends (it has a strength, a quality of evidence, a direction, or our ivig-shown) cites at
    least one statement or publication in documentation (PK-10)."""
    cited = [item for item in items(node.value, "documentation") if text(item, "type") in _CITING]
    if recommends(node.value) and not cited:
        yield node.fault(seen="a recommendation without citation", allowed="documentation of type citation")


@rule("rating-statement", on="PlanDefinitionAction")
def rating_names_statement(node: Node) -> Iterator[Fault]:
    """A rating (our extension ivig-rating) names its source, its wording and the statement that says so, and the
    action cites that statement in its documentation."""
    cited = {text(item, "label") for item in items(node.value, "documentation")}
    for place, rating in enumerate(items(node.value, "extension")):
        if HOUSE_EXTENSION + "rating" not in text(rating, "url"):
            continue
        parts = {text(item, "url"): item for item in items(rating, "extension")}
        statement = text(parts.get("statement", {}), "valueCode") or text(parts.get("statement", {}), "valueString")
        missing = [name for name in ("source", "wording", "statement") if name not in parts]
        if missing:
            yield node.fault("extension", place, seen=f"a rating without {', '.join(missing)}")
        elif statement not in cited:
            yield node.fault("extension", place, seen=f"a rating by {statement}, which the action does not cite")


@rule("rating-kind", on="PlanDefinitionAction")
def rating_is_of_its_kind(node: Node) -> Iterator[Fault]:
    """Beside ratings of ours (ivig-rating), cqf-strengthOfRecommendation stands only where one of them is a strength
    of recommendation, cqf-qualityOfEvidence only where one rates evidence. What a source reports as practice is
    neither."""
    extensions = list(items(node.value, "extension"))
    ratings = [item for item in extensions if HOUSE_EXTENSION + "rating" in text(item, "url")]
    kinds = {_part(item, "kind") for item in ratings}
    for place, item in enumerate(extensions):
        wanted = _KIND_OF.get(text(item, "url"))
        if ratings and wanted and wanted not in kinds:
            seen = f"{text(item, 'url').rpartition('/')[2]} beside ratings of {', '.join(sorted(kinds))}"
            yield node.fault("extension", place, seen=seen, allowed=f"beside a rating of kind {wanted}")


@rule("direction-kind", on="PlanDefinitionAction")
def direction_is_of_a_recommendation(node: Node) -> Iterator[Fault]:
    """Beside a unit of ours (ivig-shown), cpg-directionOfRecommendation stands only where its kind is recommendation:
    that a source reports no effect, or what is done, advises nothing."""
    extensions = list(items(node.value, "extension"))
    kinds = [_part(item, "kind") for item in extensions if HOUSE_EXTENSION + "shown" in text(item, "url")]
    for place, item in enumerate(extensions):
        if kinds and text(item, "url").endswith(_DIRECTION) and kinds[0] != "recommendation":
            seen = f"a direction of recommendation on a unit of kind {kinds[0]}"
            yield node.fault("extension", place, seen=seen, allowed="on a unit of kind recommendation")


def _part(extension: Value, name: str) -> str:
    found = [item for item in items(extension, "extension") if text(item, "url") == name]
    return text(found[0], "valueCode") if found else ""


@rule("statement-exists", on=SET)
def fragment_exists(collection: Collection) -> Iterator[Fault]:
    """A citation that leads to a code of a code system among the files (…/CodeSystem/x#code) names one that is
    there."""
    for node in collection.nodes("RelatedArtifact"):
        url, _, code = text(node.value, "url").partition("#")
        known = code_system(collection, url, node.artefact.version) if code else None
        if known is not None and code not in known:
            yield node.fault("url", seen=f"{code}, which {url} does not have")


@rule("figure-denominator", on="EvidenceStatistic", elsewhere="warning")
def figure_has_denominator(node: Node) -> Iterator[Fault]:
    """A figure says of how many: sampleSize with numberOfParticipants or knownDataCount, or the words "denominator
    unclear" in its description or a note."""
    size = within(node.value, "sampleSize")
    words = [text(node.value, "description"), text(size, "description")]
    words += [text(note, "text") for holder in (node.value, size) for note in items(holder, "note")]
    counted = any(has(size, name) for name in _COUNTS)
    said = counted or any(_OF_HOW_MANY.search(word) for word in words)
    if has(node.value, "quantity", "numberOfEvents", "numberAffected") and not said:
        allowed = 'sampleSize.numberOfParticipants, or "denominator unclear"'
        yield node.fault(seen="a figure without denominator", allowed=allowed)
