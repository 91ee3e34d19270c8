"""ivig-fhir export: each form is accepted by our validator, says the same bytes twice, and loads where it should."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from ivig_fhir import definitions_folder
from ivig_fhir.cli.main import cli
from ivig_fhir.fhir import loads, reference_to
from ivig_fhir.knowledge.content import Content
from ivig_fhir.problems import Problem
from ivig_fhir.publishing.bundles import ORDER, printed, transaction
from ivig_fhir.publishing.changes.cards import content_from
from ivig_fhir.publishing.documents import FOLDERS, R4, R5, read_resources
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.export import FORMATS, Wish, export
from ivig_fhir.validation import catalogue, run
from ivig_fhir.validation.options import Options

BASE = "https://ivig-fhir.example.org/fhir"
OTHER = "https://guidance.hospital.example/fhir"


@cache
def edition(version: str = R4) -> Edition:
    return Edition(version, read_resources(definitions_folder(), version))


class Said(NamedTuple):
    exit_code: int
    output: str


def command(*arguments: str) -> Said:
    """What main() does with `export`: a Problem is printed and decides the exit code."""
    made = CliRunner().invoke(cli, ["export", *arguments])
    if isinstance(made.exception, Problem):
        return Said(made.exception.reported_as.exit_code, made.output + str(made.exception))
    return Said(made.exit_code, made.output)


def bundle(wish: Wish, version: str = R4) -> Any:
    return json.loads(export(edition(version), wish).content)


def resources_of(content: Any) -> dict[str, Any]:
    return {reference_to(entry["resource"]): entry["resource"] for entry in content["entry"]}


def unpacked(content: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {item.name: json.loads(archive.extractfile(item).read()) for item in archive}  # type: ignore[union-attr]


def errors(*paths: Path) -> list[str]:
    catalogue.load()
    result = run.validate([str(path) for path in paths], Options())
    return [str(item) for item in result.findings if item.severity in ("error", "warning")]


# --- every form


@pytest.mark.parametrize("version", FOLDERS)
def test_our_validator_accepts_each_export_of_a_topic_under_another_base(tmp_path: Path, version: str) -> None:
    for form in FORMATS:
        made = export(edition(version), Wish(form, ("lems",), OTHER))
        (tmp_path / made.name).write_bytes(made.content)
        assert errors(tmp_path / made.name) == [], form


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_content_gives_the_same_bytes_in_whatever_order_it_is_read(form: str) -> None:
    turned = Edition(R4, tuple(reversed(edition().resources)))
    wish = Wish(form, () if form == "ndjson" else ("lems",))
    assert export(turned, wish).content == export(edition(), wish).content


def test_times_in_an_export_are_the_day_of_the_content() -> None:
    assert bundle(Wish("bundle", ("lems",)))["timestamp"] == "2026-11-20T00:00:00Z"
    with tarfile.open(
        fileobj=io.BytesIO(export(edition(), Wish("package", ("lems",))).content), mode="r:gz"
    ) as archive:
        assert {(item.mtime, item.uid, item.uname, item.mode) for item in archive} == {(1795132800, 0, "", 0o644)}


def test_decimals_keep_the_digits_that_they_were_read_with() -> None:
    assert printed({"a": Decimal("70.50"), "b": [Decimal("1E+2"), 3], "c": "7.0"}, None) == (
        b'{"a":70.50,"b":[1E+2,3],"c":"7.0"}\n'
    )


def test_a_bundle_begins_with_its_manifest_and_a_collection_holds_the_resources_alone() -> None:
    whole, alone = bundle(Wish("bundle", ("lems",))), bundle(Wish("collection", ("lems",)))
    assert (whole["type"], alone["type"]) == ("collection", "collection")
    first = whole["entry"][0]["resource"]
    assert first["type"]["coding"][0]["code"] == "asset-collection"
    assert len(resources_of(whole)) == len(resources_of(alone)) + 1
    lines = export(edition(), Wish("ndjson")).content.splitlines()
    assert [loads(line) for line in lines] == list(edition().resources)


def test_the_manifest_names_every_artefact_and_every_system_from_elsewhere() -> None:
    found = resources_of(bundle(Wish("bundle", ("gbs",))))
    first = next(item for item in found.values() if item["id"] == "org.example.ivig-fhir-manifest")
    parts = {item["resource"] for item in first["relatedArtifact"] if item["type"] == "composed-of"}
    assert parts == {f"{item['url']}|{item['version']}" for item in found.values() if item is not first}
    outside = {item["resource"] for item in first["relatedArtifact"] if item["type"] == "depends-on"}
    assert {"http://loinc.org", "http://hl7.org/fhir/StructureDefinition/cqf-fhirQueryPattern"} <= outside
    assert not [url for url in outside if url.startswith(BASE)]
    assert "content" not in first


# --- transaction


@pytest.mark.parametrize("version", FOLDERS)
def test_a_transaction_puts_each_resource_under_its_own_id(version: str) -> None:
    made = bundle(Wish("transaction", ("gbs",)), version)
    for entry in made["entry"]:
        name = reference_to(entry["resource"])
        assert entry["request"] == {"method": "PUT", "url": name}
        assert entry["fullUrl"] == f"{BASE}/{name}"
    names = [entry["request"]["url"] for entry in made["entry"]]
    assert len(set(names)) == len(names)
    assert names[0].startswith("ImplementationGuide/")
    places = [ORDER.index(name.partition("/")[0]) for name in names[1:]]
    assert places == sorted(places)


@pytest.mark.parametrize("version", FOLDERS)
def test_every_reference_of_a_transaction_is_in_it(version: str) -> None:
    found = resources_of(bundle(Wish("transaction", ("gbs",)), version))
    references = [value for item in found.values() for value in _references(item)]
    assert references
    assert not [value for value in references if value not in found]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = value.get("reference")
        found = [own] if isinstance(own, str) and not own.startswith("#") else []
        return found + [text for item in value.values() for text in _references(item)]
    return [text for item in value for text in _references(item)] if isinstance(value, list) else []


def test_ids_that_no_server_takes_are_refused_and_numbers_are_named() -> None:
    with pytest.raises(Problem, match="CodeSystem/a_b: has an id that is none"):
        transaction([{"resourceType": "CodeSystem", "id": "a_b"}], BASE, "")
    numbered = Edition(R4, ({"resourceType": "CodeSystem", "id": "12", "url": f"{BASE}/CodeSystem/12"},))
    assert any("CodeSystem/12" in note for note in export(numbered, Wish("transaction")).notes)


# --- package


@pytest.mark.parametrize(("version", "name"), [(R4, "org.example.ivig-fhir"), (R5, "org.example.ivig-fhir.r5")])
def test_a_package_says_what_it_is_in_its_manifest_its_index_and_its_guide(version: str, name: str) -> None:
    files = unpacked(export(edition(version), Wish("package", ("gbs",))).content)
    told = files["package/package.json"]
    assert (told["name"], told["version"], told["canonical"]) == (name, "0.1.0", BASE)
    assert (told["fhirVersions"], told["license"], told["type"]) == ([version], "Apache-2.0", "IG")
    assert told["dependencies"][f"hl7.fhir.{FOLDERS[version]}.core"] == version
    assert told["author"] == "ivig-fhir project"
    guide = files[f"package/ImplementationGuide-{name}.json"]
    depends = {item["packageId"]: item["version"] for item in guide["dependsOn"]}
    assert depends == {key: value for key, value in told["dependencies"].items() if not key.endswith(".core")}
    assert "hl7.fhir.uv.cpg" in depends
    resources = {path.rpartition("/")[2]: item for path, item in files.items() if "resourceType" in item}
    assert {item["filename"] for item in files["package/.index.json"]["files"]} == set(resources)
    listed = {item["reference"]["reference"] for item in guide["definition"]["resource"]}
    assert listed == {reference_to(item) for item in resources.values()} - {reference_to(guide)}
    assert all(path == f"{item['resourceType']}-{item['id']}.json" for path, item in resources.items())


def test_a_package_is_read_like_the_folder_that_it_was_made_of(tmp_path: Path) -> None:
    made = export(edition(), Wish("package", ("gbs",)))
    (tmp_path / made.name).write_bytes(made.content)
    again = Edition(R4, read_resources(tmp_path / made.name, R4))
    assert export(again, Wish("package")).content == made.content


# --- selection


def test_a_topic_brings_what_it_depends_on_and_no_more(content: Content) -> None:
    chosen = resources_of(bundle(Wish("transaction", ("mmn",))))
    assert {name for name in chosen if name.startswith("PlanDefinition/")} == {"PlanDefinition/mmn"}
    assert {"ValueSet/mmn", "ActivityDefinition/draft-ivig-order", "EvidenceVariable/mmn-ivig-population"} <= set(
        chosen
    )
    assert "ValueSet/cidp" not in chosen
    loaded = content_from([item for item in chosen.values() if not item["id"].endswith("-manifest")])
    plan = next(item for item in content.plans if item.topic == "mmn")
    assert [unit.id for unit in loaded.plans[0].units] == [unit.id for unit in plan.units]
    assert loaded.prefetch.keys() == content.prefetch.keys()


def test_in_r5_a_topic_brings_its_evidence_and_the_sources_behind_it() -> None:
    chosen = resources_of(bundle(Wish("collection", ("mmn",)), R5))
    evidence = {name for name in chosen if name.startswith("Evidence/")}
    assert evidence == {f"Evidence/mmn-{name}" for name in ("ivig", "steroid", "pe", "maint", "course")}
    assert {"Citation/S1", "Citation/AANEM-2023", "EvidenceVariable/mmn-ivig-outcome"} <= set(chosen)


def test_library_and_guide_list_no_more_than_was_selected_and_the_reader_is_told() -> None:
    made = export(edition(), Wish("collection", ("mmn",)))
    chosen = resources_of(json.loads(made.content))
    urls = {f"{item['url']}|{item['version']}" for item in chosen.values()}
    assert {item["resource"] for item in chosen["Library/ivig-fhir"]["relatedArtifact"]} <= urls
    assert any("Library/ivig-fhir list only what was selected" in note for note in made.notes)
    assert not export(edition(), Wish("ndjson")).notes


# --- base and profiles


def test_another_base_moves_canonicals_systems_and_extensions_and_names_what_breaks() -> None:
    made = export(edition(), Wish("transaction", ("mmn",), f"{OTHER}/"))
    text = made.content.decode()
    assert BASE not in text
    assert f"{OTHER}/CodeSystem/ivig-override" in text
    told = "\n".join(made.notes)
    for contract in (f"canonicals leave {BASE}", "ivig-override", "ivig-rating", "override reasons", "feedback"):
        assert contract in told
    assert text.replace(OTHER, BASE) == export(edition(), Wish("transaction", ("mmn",))).content.decode()


def test_the_package_of_another_base_is_another_package() -> None:
    files = unpacked(export(edition(), Wish("package", ("mmn",), OTHER)).content)
    assert files["package/package.json"]["name"] == "example.hospital.guidance"
    assert files["package/ImplementationGuide-example.hospital.guidance.json"]["url"].startswith(f"{OTHER}/")
    named = export(edition(), Wish("package", ("mmn",), "http://localhost:8080/fhir", "org.hospital.ivig"))
    assert named.name == "org.hospital.ivig-0.1.0.tgz"


def test_profiles_are_left_out_on_request_and_the_rest_of_meta_stays() -> None:
    claims = {
        "resourceType": "CodeSystem",
        "id": "a",
        "meta": {"profile": ["http://example.org/p"], "versionId": "1"},
        "url": f"{BASE}/CodeSystem/a",
    }
    only = claims | {"id": "b", "url": f"{BASE}/CodeSystem/b", "meta": {"profile": ["http://example.org/p"]}}
    made = export(Edition(R4, (claims, only)), Wish("ndjson", profiles=False))
    first, second = map(json.loads, made.content.splitlines())
    assert first["meta"] == {"versionId": "1"}
    assert "meta" not in second
    assert made.notes == ("meta.profile dropped from 2 resources",)


# --- content that is not ours


def test_a_folder_of_fhir_json_without_guide_or_library_becomes_a_package(tmp_path: Path) -> None:
    value_set = {
        "resourceType": "ValueSet",
        "id": "v",
        "url": "http://cds.example.net/ValueSet/v",
        "version": "2.1.0",
        "name": "V",
        "title": "V",
        "status": "active",
        "experimental": False,
        "date": "2024-05-06",
        "publisher": "Somebody",
        "description": "V.",
        "compose": {"include": [{"system": "http://loinc.org"}]},
    }
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "any-name.json").write_text(json.dumps(value_set), "utf-8")
    target = tmp_path / "out.tgz"
    made = command(str(tmp_path / "content"), "--format", "package", "--output", str(target))
    assert made.exit_code == 0, made.output
    files = unpacked(target.read_bytes())
    assert files["package/package.json"]["name"] == "net.example.cds"
    assert files["package/package.json"]["version"] == "2.1.0"
    assert files["package/ValueSet-v.json"] == value_set
    assert [item for item in errors(target) if "error" in item] == []


# --- the command


def test_a_written_export_has_its_checksum_beside_it_and_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    options = ["--format", "ndjson", "--select", "lems", "--output", str(target)]
    made = command(*options)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    assert (tmp_path / "out.ndjson.sha256").read_text("utf-8") == f"{digest}  out.ndjson\n"
    assert digest in made.output
    again = command(*options)
    assert again.exit_code == 2
    assert "is already there; allowed: a new file, or --force" in again.output
    assert command(*options, "--force").exit_code == 0


def test_without_output_the_export_goes_to_standard_output() -> None:
    made = CliRunner().invoke(cli, ["export", "--select", "lems"])
    assert loads(made.stdout)["resourceType"] == "Bundle"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--select", "mnm"], "there is no 'mnm'; allowed: cart, cidp"),
        (["--select", "mnm"], "hint: mmn?"),
        (["--base", "localhost:8080"], "--base: is 'localhost:8080'; allowed: an absolute http(s) URL"),
        (["--base", "https://x.example/fhir?a=b"], "without query"),
        (
            ["--base", "http://localhost/fhir", "--format", "package"],
            "makes no package id; allowed: a host with a domain",
        ),
        (["--package-id", "Ours", "--format", "package"], "--package-id: is 'Ours'; allowed: two or more parts"),
        (["--output", "/nowhere/out.json"], "cannot be written"),
        (["/nowhere"], "cannot be read"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_told_where_and_what_is_allowed(options: list[str], told: str) -> None:
    made = command(*options)
    assert made.exit_code == 2
    assert told in made.output


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.json": "{"}, "is no JSON"),
        ({"a.json": "[]"}, "is no FHIR resource"),
        ({"a.json": '{"resourceType": "ValueSet"}'}, "a ValueSet without id"),
        (
            {
                "a.json": '{"resourceType": "ValueSet", "id": "a"}',
                "b.json": '{"resourceType": "ValueSet", "id": "a", "x": 1}',
            },
            "another ValueSet/a than before",
        ),
        ({"a.json": '{"resourceType": "ValueSet", "id": "a"}'}, "has no canonical of the form BASE/Type/id"),
        (
            {
                "a.json": '{"resourceType": "ImplementationGuide", "id": "a", "url": "http://x.example/ImplementationGuide/a", "fhirVersion": ["5.0.0"]}'
            },
            "is of FHIR 5.0.0; allowed: FHIR 4.0.1",
        ),
        ({"README.md": "x"}, "holds no FHIR resource"),
        ({"a.json": "[" * 100_000}, "is no JSON"),
    ],
)
def test_content_that_cannot_be_exported_is_named_by_file(tmp_path: Path, files: dict[str, str], told: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    made = command(str(tmp_path))
    assert made.exit_code == 2
    assert told in made.output
