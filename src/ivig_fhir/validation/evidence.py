"""The evidence layer: what a recommendation rests on can be looked up."""

from __future__ import annotations

from collections.abc import Iterator

from ivig_fhir.fhir import CORE
from ivig_fhir.validation.collection import HOUSE_EXTENSION
from ivig_fhir.validation.findings import Fault
from ivig_fhir.validation.nodes import Node
from ivig_fhir.validation.rules import layer

rule = layer("evidence")

_RATED = (f"{CORE}/cqf-strengthOfRecommendation", f"{CORE}/cqf-qualityOfEvidence")
_CITING = ("citation", "documentation", "justification", "derived-from")


def _extension_urls(node: Node) -> list[str]:
    return [url for _, item in node.objects("extension") if isinstance(url := item.get("url"), str)]


def _recommends(node: Node) -> bool:
    return any(
        url in _RATED or url.endswith("/cpg-directionOfRecommendation") or HOUSE_EXTENSION + "shown" in url
        for url in _extension_urls(node)
    )


@rule("evidence-cited", on="PlanDefinitionAction", elsewhere="warning")
def evidence_cited(node: Node) -> Iterator[Fault]:
    """An action that recommends (it has a strength, a quality of evidence, a direction, or our ivig-shown) cites at
    least one statement or publication in documentation (PK-10)."""
    cited = [item for _, item in node.objects("documentation") if item.get("type") in _CITING]
    if _recommends(node) and not cited:
        yield node.fault(seen="a recommendation without citation", allowed="documentation of type citation")
