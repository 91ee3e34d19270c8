"""Both editions are valid FHIR in FHIR's order; R5 adds and renames, R4 loses only what losses.json names."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from fhir_models import Resource, definitions, elements, wrong
from ivig_fhir import definitions_folder
from ivig_fhir.authoring.editions import to_r5
from ivig_fhir.authoring.evidence_variable_r4 import to_r4
from ivig_fhir.authoring.presence import present_input
from ivig_fhir.fhir import loads

XVER = "http://hl7.org/fhir/5.0/StructureDefinition/extension-EvidenceVariable"
R5_ONLY = {"Evidence", "Citation"}
# the elements of R4's EvidenceVariable, in order; a trailing * stands for the types of a choice
R4_VARIABLE = [
    *("resourceType", "id", "contained", "extension", "url", "version", "name", "title"),
    *("status", "date", "publisher", "description", "type", "characteristic"),
]
R4_CHARACTERISTIC = ["extension", "description", "definition*", "exclude"]
R4_DEFINITIONS = {"definitionCodeableConcept", "definitionExpression", "definitionDataRequirement"}


@cache
def edition(name: str) -> dict[str, Resource]:
    return definitions(name)


def of_type(kind: str, name: str) -> list[Resource]:
    return [item for item in edition(name).values() if item["resourceType"] == kind]


def in_order(element: dict[str, Any], order: list[str]) -> bool:
    names = ["definition*" if key in R4_DEFINITIONS else key for key in element]
    return names == [key for key in order if key in names] and len(set(names)) == len(names)


def test_every_r5_resource_is_valid_and_in_the_order_of_r5() -> None:
    assert [issue for item in edition("r5").values() for issue in wrong(item, "r5")] == []


def test_every_r4_resource_is_valid_and_in_the_order_of_r4() -> None:
    alike = [item for item in edition("r4").values() if item["resourceType"] != "EvidenceVariable"]
    assert {item["resourceType"] for item in alike} >= {"PlanDefinition", "StructureDefinition", "ImplementationGuide"}
    assert [issue for item in alike for issue in wrong(item, "r4")] == []


def test_evidence_variables_of_r4_have_the_elements_of_r4_and_no_other() -> None:
    variables = of_type("EvidenceVariable", "r4")
    assert variables
    for item in variables:
        assert in_order(item, R4_VARIABLE), item["id"]
        assert item["characteristic"]
        for part in item["characteristic"]:
            assert in_order(part, R4_CHARACTERISTIC), item["id"]
            assert len(R4_DEFINITIONS & set(part)) == 1, item["id"]


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_every_expression_and_filter_obeys_the_invariants(name: str) -> None:
    query, letters = ("text/x-fhir-query", "_") if name == "r5" else ("application/x-fhir-query", "-")
    for reference, resource in edition(name).items():
        for path, element in elements(resource):
            if "language" in element and "expression" in element:
                assert element["language"] in ("text/fhirpath", query), reference
                assert element["expression"], reference
                named = element.get("name", "x")
                assert named.replace(letters, "").isalnum(), f"{reference} {path} {named}"
            if path.endswith(("codeFilter", "dateFilter")):
                assert ("path" in element) != ("searchParam" in element), reference


def unwrapped(action: dict[str, Any]) -> dict[str, Any]:
    """An R5 action taken back to R4, by the table of differences and nothing else."""
    found = {key: value for key, value in action.items() if key not in ("linkId", "subjectCanonical")}
    if "code" in found:
        found["code"] = [found["code"]]
    for value in found.get("dynamicValue", ()):
        value["path"] = value["path"].removesuffix(".ofType(CodeableConcept).text")
    for key in ("input", "output"):
        if key in found:
            found[key] = [item["requirement"] for item in found[key]]
    if "action" in found:
        found["action"] = [unwrapped(child) for child in found["action"]]
    return found


def back_in_r4(value: Any) -> Any:
    """Names of expressions, codes of types and documents of related artefacts taken back to R4."""
    if isinstance(value, list):
        return [back_in_r4(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: back_in_r4(item) for key, item in value.items()}
    if "language" in found and "name" in found:
        found["name"] = found["name"].replace("_", "-")
    if found.get("system") == "http://hl7.org/fhir/fhir-types":
        found["system"] = "http://hl7.org/fhir/resource-types"
    if "type" in found and set(found.get("document", ())) == {"url"}:
        found["url"] = found.pop("document")["url"]
    return found


@pytest.mark.parametrize("kind", ["PlanDefinition", "ActivityDefinition", "ValueSet", "CodeSystem"])
def test_r5_taken_back_is_r4_again(kind: str) -> None:
    assert of_type(kind, "r4")
    for before in of_type(kind, "r4"):
        after = copy.deepcopy(edition("r5")[f"{kind}/{before['id']}"])
        if kind == "PlanDefinition":
            after["action"] = [unwrapped(action) for action in after["action"]]
        assert after.pop("versionAlgorithmCoding")["code"] == "semver"
        assert back_in_r4(after) == before


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_what_reads_a_value_set_names_its_version(name: str) -> None:
    read: list[str] = []
    for path, element in (found for item in edition(name).values() for found in elements(item)):
        if path.endswith("codeFilter") and "valueSet" in element:
            read.append(element["valueSet"])
        elif path.endswith("compose.include"):
            read += element.get("valueSet", [])
    assert len(read) > 100
    assert [link for link in read if not link.endswith("|0.1.0")] == []


def test_each_action_of_r5_is_linked_by_its_own_id() -> None:
    for plan in of_type("PlanDefinition", "r5"):
        actions = [element for path, element in elements(plan) if path.split(".")[-1] == "action"]
        assert actions
        assert all(action["linkId"] == action["id"] for action in actions)


def leaves(characteristic: dict[str, Any], place: str) -> Iterator[tuple[str, str, str]]:
    """(resource, element, rule) that R4 cannot say of a characteristic, from the table of differences alone."""
    combined = characteristic.get("definitionByCombination")
    link = f"characteristic[{characteristic['linkId']}]" if "linkId" in characteristic else "characteristic"
    if combined:
        yield place, f"{link}.definitionByCombination", "RS-33"
    if combined and combined["code"] == "all-of":
        for part in combined["characteristic"]:
            yield from leaves(part, place)
        return
    if "linkId" in characteristic:
        yield place, f"{link}.linkId", "RS-35"
    text = characteristic.get("definitionExpression", {}).get("expression", "")
    met, _, doubt = text.partition(" or ")
    present = met.startswith("%") and met.endswith(".exists()") and met.count("(") == 1
    if present and (not doubt or (doubt.startswith("(") and doubt.endswith(" and {})"))):
        yield place, f"{link}.definitionExpression", "RS-32"


def expected_losses() -> Iterator[tuple[str, str, str]]:
    for reference, item in edition("r5").items():
        kind = item["resourceType"]
        if kind in R5_ONLY:
            yield reference, kind, "RS-50" if kind == "Evidence" else "RS-60"
        if kind == "EvidenceVariable":
            yield reference, "experimental", "RS-36"
            for part in item["characteristic"]:
                yield from leaves(part, reference)
        if kind == "PlanDefinition":
            for _, element in elements(item):
                if "subjectCanonical" in element:
                    yield reference, f"action[{element['id']}].subjectCanonical", "RS-05"


def test_the_losses_are_those_of_the_table_and_no_other() -> None:
    report = loads((definitions_folder() / "r4" / "losses.json").read_bytes())
    assert [(row["resource"], row["element"], row["rule"]) for row in report] == sorted(expected_losses())
    assert all(row["became"] for row in report)


def test_what_r4_cannot_say_stands_in_an_extension_that_names_the_r5_element() -> None:
    variable = edition("r4")["EvidenceVariable/mmn-ivig-population"]
    assert {"url": f"{XVER}.experimental", "valueBoolean": True} in variable["extension"]
    (part,) = variable["characteristic"]
    kept = {item["url"].removeprefix(f"{XVER}.characteristic."): item for item in part["extension"]}
    assert kept["linkId"]["valueId"] == "mmn-current"
    assert kept["definitionExpression"]["valueExpression"]["expression"].startswith("%mmn.exists() or ((")
    assert part["definitionDataRequirement"]["codeFilter"][0]["valueSet"].endswith(
        f"/ValueSet/mmn|{variable['version']}"
    )


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_the_index_names_every_file_and_the_editions_that_have_it(name: str) -> None:
    other = "r5" if name == "r4" else "r4"
    index = loads((definitions_folder() / name / "index.json").read_bytes())
    references = [item["file"].removesuffix(".json").replace("-", "/", 1) for item in index]
    assert sorted(references) == references
    assert {item["url"] for item in index} == {item["url"] for item in edition(name).values()}
    for reference, item in zip(references, index, strict=True):
        assert item["editions"] == [known for known in ("r4", "r5") if known == name or reference in edition(other)]
        assert item["from"].startswith("guidance/")


@pytest.mark.parametrize(("name", "version"), [("r4", "4.0.1"), ("r5", "5.0.0")])
def test_every_extension_of_ours_is_defined_for_its_edition(name: str, version: str) -> None:
    assert {item["fhirVersion"] for item in of_type("StructureDefinition", name)} == {version}


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_the_library_of_an_edition_is_composed_of_every_other_resource_but_the_guide(name: str) -> None:
    (library,) = of_type("Library", name)
    others = [item for item in edition(name).values() if item["resourceType"] not in ("Library", "ImplementationGuide")]
    composed = {item["resource"] for item in library["relatedArtifact"] if item["type"] == "composed-of"}
    assert composed == {f"{item['url']}|{item['version']}" for item in others}


@pytest.mark.parametrize(("name", "version"), [("r4", "4.0.1"), ("r5", "5.0.0")])
def test_the_guide_of_an_edition_lists_every_resource_of_it(name: str, version: str) -> None:
    (guide,) = of_type("ImplementationGuide", name)
    assert guide["fhirVersion"] == [version]
    assert guide["url"].endswith(f"/ImplementationGuide/{guide['packageId']}")
    listed = [item["reference"]["reference"] for item in guide["definition"]["resource"]]
    assert sorted(listed) == sorted(set(edition(name)) - {f"ImplementationGuide/{guide['id']}"})


def test_the_packages_of_the_editions_differ() -> None:
    packages = {of_type("ImplementationGuide", name)[0]["packageId"] for name in ("r4", "r5")}
    assert packages == {"org.example.ivig-fhir", "org.example.ivig-fhir.r5"}


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_every_canonical_of_the_module_leads_to_a_resource_of_the_same_edition(name: str) -> None:
    urls = {f"{item['url']}|{item['version']}" for item in edition(name).values()}
    urls |= {item["url"] for item in edition(name).values()}
    base = of_type("Library", name)[0]["url"].rpartition("/Library/")[0]
    for reference, resource in edition(name).items():
        for path, element in elements(resource):
            for key in ("resource", "subjectCanonical", "definitionCanonical", "valueSet", "library"):
                for value in element.get(key, ()) if isinstance(element.get(key), list) else [element.get(key)]:
                    if isinstance(value, str) and value.startswith(base):
                        assert value in urls, f"{reference} {path}.{key}"
            if isinstance(element.get("reference"), str) and "/" in element["reference"]:
                assert element["reference"] in edition(name), f"{reference} {path}"


def shape(structure: Resource) -> dict[str, tuple[int, str, str]]:
    """Part of an extension -> (min, max, type of its value); the part '' is its own value."""
    found, parts = {}, {}
    for element in structure["differential"]["element"]:
        slice_name = element["id"].removeprefix("Extension.extension:").split(".")[0]
        if "sliceName" in element:
            parts[slice_name] = (element["min"], element["max"])
        elif "type" in element:
            inner = slice_name in parts
            kind = element["type"][0]["code"]
            found[slice_name if inner else ""] = (*(parts[slice_name] if inner else (1, "1")), kind)
    return found


def value_of(extension: dict[str, Any]) -> str:
    return next((key.removeprefix("value") for key in extension if key.startswith("value")), "")


@pytest.mark.parametrize("name", ["r4", "r5"])
def test_every_extension_of_ours_is_as_its_structure_definition_says(name: str) -> None:
    known = {item["url"]: item for item in of_type("StructureDefinition", name)}
    base = next(iter(known)).rpartition("/")[0]
    used = set()
    for reference, resource in edition(name).items():
        for path, element in elements(resource):
            if not (path.endswith("extension") and str(element.get("url", "")).startswith(f"{base}/")):
                continue
            assert element["url"] in known, f"{reference}: {element['url']}"
            used.add(element["url"])
            wanted = shape(known[element["url"]])
            parts = element["extension"] if "extension" in element else [element | {"url": ""}]
            assert {part["url"] for part in parts} <= set(wanted), f"{reference} {element}"
            for part, (least, most, kind) in wanted.items():
                given = [item for item in parts if item["url"] == part]
                assert least <= len(given) <= (len(given) if most == "*" else int(most)), f"{reference} {element}"
                assert {value_of(item).lower() for item in given} <= {kind.lower()}, f"{reference} {element}"
            (context,) = known[element["url"]]["context"]
            assert context["expression"] in ("Expression", "DataRequirement") or path.endswith("action.extension")
    assert {url.rpartition("/")[2] for url in used} >= {"ivig-rating", "ivig-shown", "ivig-conflict", "ivig-asks"}


# -- the converters on resources that the module does not hold -------------------------------------------


def plan(**action: Any) -> Resource:
    return {"resourceType": "PlanDefinition", "id": "p", "action": [{"id": "a"} | action]}


def test_of_several_codes_r5_keeps_the_first_and_the_rest_is_named_as_lost() -> None:
    found = to_r5(plan(code=[{"text": "one"}, {"text": "two"}]))
    (action,) = found.resource["action"]
    assert action["code"] == {"text": "one"}
    assert action["extension"][0]["valueCodeableConcept"] == {"text": "two"}
    assert [(loss.resource, loss.element, loss.rule) for loss in found.losses] == [
        ("PlanDefinition/p", "action[a].code", "RS-10")
    ]


def test_a_related_action_of_r5_names_its_target() -> None:
    related = {"actionId": "b", "relationship": "before"}
    (action,) = to_r5(plan(relatedAction=[related])).resource["action"]
    assert action["relatedAction"] == [{"targetId": "b", "relationship": "before"}]


def test_an_action_element_without_known_r5_form_is_refused() -> None:
    with pytest.raises(ValueError, match="action a: participant"):
        to_r5(plan(participant=[{"type": "patient"}]))


def variable(*characteristics: dict[str, Any], **more: Any) -> Resource:
    head = {"resourceType": "EvidenceVariable", "id": "v", "title": "V", "status": "draft"}
    return head | more | ({"characteristic": list(characteristics)} if characteristics else {})


def fhirpath(text: str, **more: Any) -> dict[str, Any]:
    return {"definitionExpression": {"language": "text/fhirpath", "expression": text}} | more


def combined(code: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return more | {"definitionByCombination": {"code": code, "characteristic": list(parts)}}


def test_any_of_becomes_one_expression_with_all_of_in_parentheses_where_needed() -> None:
    inner = combined("all-of", fhirpath("%b.exists() or {}"), fhirpath("%c.exists()"))
    found = to_r4(variable(combined("any-of", fhirpath("%a.exists()"), inner, linkId="x")))
    (part,) = found.resource["characteristic"]
    assert part["definitionExpression"]["expression"] == "%a.exists() or (%b.exists() or {}) and %c.exists()"
    assert ("characteristic[x].definitionByCombination", "RS-33") in {(i.element, i.rule) for i in found.losses}


@pytest.mark.parametrize(("link", "name"), [("x-1", {"name": "x-1"}), ("x.1", {}), (None, {})])
def test_such_an_expression_is_named_by_its_link_unless_that_has_a_dot(link: str | None, name: dict[str, str]) -> None:
    more = {"linkId": link} if link else {}
    (part,) = to_r4(variable(combined("any-of", fhirpath("%a.exists()"), fhirpath("{}"), **more))).resource[
        "characteristic"
    ]
    assert {key: value for key, value in part["definitionExpression"].items() if key == "name"} == name


def test_all_of_becomes_several_characteristics_at_any_depth() -> None:
    inner = combined("all-of", fhirpath("%b.exists().not()"), fhirpath("%c.exists().not()"))
    found = to_r4(variable(combined("all-of", fhirpath("%a.exists().not()"), inner)))
    texts = [part["definitionExpression"]["expression"] for part in found.resource["characteristic"]]
    assert texts == ["%a.exists().not()", "%b.exists().not()", "%c.exists().not()"]


@pytest.mark.parametrize(
    ("given", "element", "rule"),
    [
        (variable(), "characteristic", "RS-30"),
        (variable(fhirpath("{}"), handling="ordinal"), "handling", "RS-37"),
        (variable(fhirpath("{}"), copyrightLabel="x"), "copyrightLabel", "RS-01, RS-02"),
        (variable(fhirpath("{}"), category=[{"name": "x"}]), "category", "RS-36"),
        (variable(fhirpath("{}", exclude=True)), "characteristic.exclude", "RS-34"),
        (variable(fhirpath("{}", timeFromEvent=[{}])), "characteristic.timeFromEvent", "RS-35"),
        (variable(fhirpath("{}", note=[{"text": "n"}])), "characteristic.note", "RS-35"),
        (variable({"definitionCanonical": "u"}), "characteristic.definitionCanonical", "RS-31"),
        (
            variable({"definitionByTypeAndValue": {"type": {"text": "t"}, "valueBoolean": True}}),
            "characteristic.definitionByTypeAndValue",
            "RS-32",
        ),
        (variable(combined("at-least", fhirpath("{}"))), "characteristic.definitionByCombination", "RS-33"),
        (variable(combined("any-of", {"definitionId": "x"})), "characteristic.definitionByCombination", "RS-33"),
    ],
)
def test_what_r4_lacks_is_named_and_a_definition_is_there_all_the_same(
    given: Resource, element: str, rule: str
) -> None:
    found = to_r4(given)
    assert (element, rule) in {(loss.element, loss.rule) for loss in found.losses}
    assert set(found.resource) <= set(R4_VARIABLE)
    for part in found.resource["characteristic"]:
        assert len(R4_DEFINITIONS & set(part)) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("%a.exists()", "a"),
        ("%a.exists() or (%b.exists() and {})", "a"),
        ("%a.exists() or ((%b.exists() or %c.exists()) and {})", "a"),
        ("%a.exists() or %b.exists()", ""),
        ("%a.exists() or (%b.exists() and %c.exists())", ""),
        ("%a.exists() or {}", ""),
        ("%a.exists().not()", ""),
        ("%a.exists(value > 2)", ""),
        ("%a.exists() and (%b.exists() and {})", ""),
        ("{}", ""),
    ],
)
def test_only_the_presence_of_one_input_in_doubt_or_not_is_a_data_requirement(text: str, name: str) -> None:
    assert present_input(text) == name


def test_a_group_stays_a_reference_and_dichotomous_stays_a_type() -> None:
    group = {"definitionReference": {"reference": "Group/1"}}
    found = to_r4(variable(group, handling="dichotomous"))
    assert found.resource["characteristic"] == [group]
    assert found.resource["type"] == "dichotomous"
    assert found.losses == ()
