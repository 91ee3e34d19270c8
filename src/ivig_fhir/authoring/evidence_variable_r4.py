"""EvidenceVariable R5 -> R4, flattened: what R4 cannot say goes to an extension or is named as lost (RS-30 … RS-37).

R4 ANDs its characteristics and knows no combination; so all-of becomes several characteristics, any-of one
FHIRPath expression, and a leaf "there is a resource with this code" a DataRequirement, the expression beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ivig_fhir.authoring.losses import Converted, Loss
from ivig_fhir.authoring.presence import binds_or, present_input
from ivig_fhir.fhir import CORE, Resource, extension, extension_value, reference_to

XVER = "http://hl7.org/fhir/5.0/StructureDefinition/extension-EvidenceVariable"
FHIRPATH = "text/fhirpath"

_ORDER = (
    *("resourceType", "id", "meta", "language", "text", "contained", "extension", "url", "identifier", "version"),
    *("name", "title", "shortTitle", "status", "date", "publisher", "contact", "description", "note", "useContext"),
    *("copyright", "approvalDate", "lastReviewDate", "effectivePeriod", "author", "editor", "reviewer", "endorser"),
    *("relatedArtifact", "type", "characteristic"),
)
# R5 root element -> extension and its value[x] (RS-01, RS-02, RS-36)
_ROOT = {
    "versionAlgorithmString": (f"{XVER}.versionAlgorithm", "valueString"),
    "versionAlgorithmCoding": (f"{CORE}/artifact-versionAlgorithm", "valueCoding"),
    "experimental": (f"{XVER}.experimental", "valueBoolean"),
    "purpose": (f"{XVER}.purpose", "valueMarkdown"),
    "copyrightLabel": (f"{CORE}/artifact-copyrightLabel", "valueString"),
    "actual": (f"{XVER}.actual", "valueBoolean"),
}
# R5 element of a characteristic -> element of its extension and value[x] (RS-31, RS-35)
_MEMBER = {
    "linkId": ("linkId", "valueId"),
    "note": ("note", "valueAnnotation"),
    "definitionReference": ("definitionReference", "valueReference"),
    "definitionCanonical": ("definitionCanonical", "valueCanonical"),
    "definitionId": ("definitionId", "valueId"),
    "instancesQuantity": ("instances", "valueQuantity"),
    "instancesRange": ("instances", "valueRange"),
    "durationQuantity": ("duration", "valueQuantity"),
    "durationRange": ("duration", "valueRange"),
}
_HANDLED_AS = {"dichotomous": "dichotomous", "continuous": "continuous"}
Element = dict[str, Any]


def to_r4(variable: Resource) -> Converted:
    """The R4 form of an R5 EvidenceVariable, and every element that R4 lacks."""
    return _Conversion(variable).run()


class _Conversion:
    """One conversion; collects its losses."""

    def __init__(self, variable: Resource) -> None:
        self.variable = variable
        self.losses: list[Loss] = []
        libraries = variable.get("contained", ())
        self.requirements = {item["id"]: item for library in libraries for item in library.get("dataRequirement", ())}

    def lose(self, element: str, became: str, rule: str) -> None:
        self.losses.append(Loss(reference_to(self.variable), element, became, rule))

    def run(self) -> Converted:
        found = {key: value for key, value in self.variable.items() if key in _ORDER and key != "type"}
        added = [self.aside(name) for name in _ROOT if name in self.variable] + self.handling(found)
        if added:
            found["extension"] = [*found.get("extension", []), *added]
        if "category" in self.variable:
            self.lose("category", "left out", "RS-36")
        found["characteristic"] = [
            part for item in self.variable.get("characteristic", ()) for part in self.flat(item)
        ] or [self.nothing_said()]
        return Converted({key: found[key] for key in _ORDER if key in found}, tuple(self.losses))

    def aside(self, name: str) -> Element:
        url, value = _ROOT[name]
        self.lose(name, f"extension {url}", "RS-36" if url.startswith(XVER) else "RS-01, RS-02")
        return extension(url, **{value: self.variable[name]})

    def handling(self, found: Element) -> list[Element]:
        handled = self.variable.get("handling", "")
        if handled in _HANDLED_AS:
            found["type"] = _HANDLED_AS[handled]
            return []
        if not handled:
            return []
        self.lose("handling", f"extension {XVER}.handling", "RS-37")
        return [extension(f"{XVER}.handling", valueCode=handled)]

    def nothing_said(self) -> Element:
        self.lose("characteristic", "none in R5; the title, as R4 wants one", "RS-30")
        return {"definitionCodeableConcept": {"text": self.variable.get("title", self.variable["id"])}}

    def flat(self, item: Element) -> Iterator[Element]:
        combined = item.get("definitionByCombination", {})
        if combined.get("code") != "all-of" or item.get("exclude"):
            yield self.characteristic(item)
            return
        self.lose(_place(item, "definitionByCombination"), "its parts, which R4 joins by and", "RS-33")
        for part in combined["characteristic"]:
            yield from self.flat(part)

    def characteristic(self, item: Element) -> Element:
        definition, kept = self.definition(item)
        added = [*item.get("extension", []), *self.set_aside(item), *kept]
        found: Element = {"extension": added} if added else {}
        if "description" in item:
            found["description"] = item["description"]
        found |= definition
        if "exclude" in item:
            found["exclude"] = item["exclude"]
            self.lose(_place(item, "exclude"), "exclude, which means another thing where data are missing", "RS-34")
        return found

    def set_aside(self, item: Element) -> Iterator[Element]:
        for name, (part, value) in _MEMBER.items():
            if name not in item or (name == "definitionReference" and _is_group(item[name])):
                continue
            url = f"{XVER}.characteristic.{part}"
            self.lose(_place(item, name), f"extension {url}", "RS-31" if name.startswith("definition") else "RS-35")
            for one in item[name] if isinstance(item[name], list) else [item[name]]:
                yield extension(url, **{value: one})
        if "timeFromEvent" in item:
            self.lose(_place(item, "timeFromEvent"), "left out", "RS-35")

    def definition(self, item: Element) -> tuple[Element, list[Element]]:
        """The one definition[x] that R4 wants, and the extensions that keep what it cannot hold."""
        if "definitionExpression" in item:
            return self.expression(item, item["definitionExpression"])
        if "definitionByCombination" in item:
            return self.combination(item), []
        if "definitionByTypeAndValue" in item:
            url = f"{XVER}.characteristic.definitionByTypeAndValue"
            self.lose(_place(item, "definitionByTypeAndValue"), f"the description, and extension {url}", "RS-32")
            return _described(item), [extension(url, extension=_parts(item["definitionByTypeAndValue"]))]
        for name in ("definitionCodeableConcept", "definitionReference"):
            if name in item and (name != "definitionReference" or _is_group(item[name])):
                return {name: item[name]}, []
        return _described(item), []

    def expression(self, item: Element, expression: Element) -> tuple[Element, list[Element]]:
        said = _expression_in_r4(expression)
        name = present_input(expression["expression"]) if expression.get("language") == FHIRPATH else ""
        if name not in self.requirements:
            return {"definitionExpression": said}, []
        url = f"{XVER}.characteristic.definitionExpression"
        became = f"a DataRequirement, {name}; the expression, with what it leaves open, in extension {url}"
        self.lose(_place(item, "definitionExpression"), became, "RS-32")
        wanted = {key: value for key, value in self.requirements[name].items() if key != "id"}
        return {"definitionDataRequirement": wanted}, [extension(url, valueExpression=said)]

    def combination(self, item: Element) -> Element:
        place, code = _place(item, "definitionByCombination"), item["definitionByCombination"]["code"]
        text = _joined(item)
        if not text:
            self.lose(place, f"the description; R4 has no {code}", "RS-33")
            return _described(item)
        self.lose(place, "one definitionExpression", "RS-33")
        name = {"name": item["linkId"]} if "." not in item.get("linkId", ".") else {}  # a name takes no dot (exp-2)
        return {"definitionExpression": name | {"language": FHIRPATH, "expression": text}}


def _place(item: Element, element: str) -> str:
    return f"characteristic[{item.get('linkId', '')}].{element}".replace("[]", "")


def _is_group(reference: Element) -> bool:
    return str(reference.get("reference", "")).startswith("Group/")


def _described(item: Element) -> Element:
    parts = item.get("definitionByCombination", {}).get("characteristic", ())
    texts = [part.get("description") or part.get("definitionCodeableConcept", {}).get("text", "") for part in parts]
    text = item.get("description") or "; ".join(filter(None, texts))
    return {"definitionCodeableConcept": {"text": text or "see the extensions"}}


def _parts(backbone: Element) -> list[Element]:
    """The members of a backbone element as nested extensions."""
    found = []
    for key, value in backbone.items():
        name, kind = ("value", key) if key.startswith("value") else (key, "valueCodeableConcept")
        kind = "valueReference" if key == "device" else kind
        found += [extension(name, **{kind: one}) for one in (value if isinstance(value, list) else [value])]
    return found


def _expression_in_r4(expression: Element) -> Element:
    """An Expression as R4 names it: id-like name, application/x-fhir-query (RS-15)."""
    found = dict(expression)
    if "name" in found:
        found["name"] = found["name"].replace("_", "-")
    found["language"] = found.get("language", FHIRPATH).replace("text/x-fhir-query", "application/x-fhir-query")
    if "extension" in found:
        found["extension"] = [_alternative_in_r4(item) for item in found["extension"]]
    return found


def _alternative_in_r4(item: Element) -> Element:
    other = extension_value({"extension": [item]}, item["url"])
    return item | {"valueExpression": _expression_in_r4(other)} if "valueExpression" in item else item


def _joined(item: Element) -> str:
    """The FHIRPath of a characteristic with all its parts; nothing where a part has none."""
    if "definitionExpression" in item:
        expression = item["definitionExpression"]
        text = str(expression["expression"]) if expression.get("language") == FHIRPATH else ""
    else:
        combined = item.get("definitionByCombination", {})
        word = {"all-of": " and ", "any-of": " or "}.get(combined.get("code", ""), "")
        texts = [_joined(part) for part in combined.get("characteristic", ())]
        if word == " and ":
            texts = [f"({text})" if text and len(texts) > 1 and binds_or(text) else text for text in texts]
        text = word.join(texts) if word and all(texts) else ""
    return f"({text}).not()" if text and item.get("exclude") else text
