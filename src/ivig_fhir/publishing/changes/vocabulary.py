"""Value sets and code systems -> subjects: the codes of a concept, and the module's words one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ivig_fhir.fhir import Resource
from ivig_fhir.pages.codes import system_name
from ivig_fhir.publishing.changes import model
from ivig_fhir.publishing.changes.model import Fact, Subject, leaves, others
from ivig_fhir.publishing.edition import Edition
from ivig_fhir.publishing.elements import part, parts, string, strings, texts, value_of

_VALUE_SET = {"resourceType", "id", "url", "name", "title", "compose", "expansion", "copyright"}
_CODE_SYSTEM = {"resourceType", "id", "url", "name", "title", "concept", "count"}
_PLAIN_TEXT = ("title", "description", "purpose", "usage")
# code system -> what one of its concepts is called, and the kind of its changes; others: code, text
_WORDS = {
    "ivig-statement": ("statement", model.TEXT),
    "ivig-default": ("default", model.CRITERION),
    "ivig-hint": ("text hint", model.CRITERION),
    "ivig-weight-unit": ("unit of weight", model.DOSE),
    "ivig-regimen": ("regimen elsewhere", model.DOSE),
    "ivig-source": ("source", model.RATING),
    "ivig-conflict": ("conflict", model.CONFLICT),
    "ivig-newer": ("newer evidence", model.NEWER),
    "ivig-phrase": ("phrase", model.TEXT),
    "ivig-override": ("override reason", model.SHOWN),
    "ivig-hook": ("hook", model.TEXT),
    "ivig-topic": ("topic", model.TEXT),
}
_CITED = ("statement", "conflict", "newer evidence")
_PRINTED = {"ivig-default": {"value", "unit"}}  # properties that the display of a concept prints already


def value_set_subjects(edition: Edition) -> Iterator[Subject]:
    """The concepts of an edition: each value set with the codes that it brings itself, not those that it takes in."""
    topics = _readers(edition)
    for item in edition.resources:
        if item["resourceType"] == "ValueSet":
            title = str(item.get("title", item["id"]))
            rest = {key: value for key, value in item.items() if key not in (*_VALUE_SET, *_PLAIN_TEXT)}
            words = [Fact(model.TEXT, name, str(item[name])) for name in _PLAIN_TEXT if name in item]
            facts = (*_codes(item), *words, *others(rest))
            read, wider = topics.get(str(item.get("url")), ((), ()))
            note = f" (taken in by other concepts of {', '.join(wider)})" if wider else ""
            name = f'concept "{title}"'
            yield Subject(f"ValueSet/{item['id']}", "concept", name, title, read, facts, model.CODE, note)


def _codes(value_set: Resource) -> Iterator[Fact]:
    compose = part(value_set, "compose")
    includes = parts(compose, "include")
    by_rule = [item for item in includes if "concept" not in item and "valueSet" not in item]
    if by_rule or not includes:
        for item in parts(part(value_set, "expansion"), "contains"):
            yield Fact(model.CODE, _code(string(item, "system"), string(item, "code")), string(item, "display"))
    for members, word in ((includes, ""), (parts(compose, "exclude"), "all but ")):
        for item in members:
            yield from _included(item, word)


def _included(item: dict[str, Any], word: str) -> Iterator[Fact]:
    system = string(item, "system")
    for one in parts(item, "concept"):
        code = word + _code(system, str(one.get("code")))
        yield Fact(model.CODE, code, str(one.get("display", "")))
        for element in ("extension", "designation"):
            said = ", ".join(text for path, text in leaves(one.get(element, [])) if not path.endswith("url"))
            if said:
                name = f"{'note' if element == 'extension' else element} on {code}"
                yield Fact(model.TEXT, name, said, within=(model.CODE, code))
    for url in strings(item, "valueSet"):
        yield Fact(model.INCLUDES, word + url.rpartition("/")[2])
    if "concept" not in item and system:
        rules = [f"{rule.get('property')} {rule.get('op')} {rule.get('value')}" for rule in parts(item, "filter")]
        yield Fact(model.INCLUDES, f"{word}{system_name(system)} {' and '.join(rules) or '(all of it)'}")


def _code(system: str, code: str) -> str:
    return f"{system_name(system)} {code}".strip()


def _readers(edition: Edition) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Value set -> the plans that read it itself, and those that read it within a set that takes it in.

    Where no plan reads it itself, the first are all of them.
    """
    wider: dict[str, set[str]] = {}
    direct: dict[str, set[str]] = {}
    for item in edition.resources:
        links = (text.partition("|")[0] for text in texts(item))
        if item["resourceType"] == "ValueSet":
            for url in links:
                wider.setdefault(url, set()).add(str(item.get("url")))
        elif item["resourceType"] == "PlanDefinition":
            for url in links:
                direct.setdefault(url, set()).add(item["id"])

    def readers(url: str) -> set[str]:
        seen, waiting = {url}, [url]
        while waiting:
            found = wider.get(waiting.pop(), set()) - seen
            seen |= found
            waiting += found
        return set().union(*(direct.get(item, set()) for item in seen))

    urls = [str(item["url"]) for item in edition.resources if item["resourceType"] == "ValueSet" and "url" in item]
    found = {}
    for url in urls:
        own, every = direct.get(url, set()), readers(url)
        found[url] = tuple(sorted(own or every)), tuple(sorted(every - own if own else ()))
    return found


def code_system_subjects(edition: Edition) -> Iterator[Subject]:
    """Every concept of every code system by itself, and the code systems."""
    cited = _cited(edition)
    for system in edition.resources:
        if system["resourceType"] == "CodeSystem":
            rest = {key: value for key, value in system.items() if key not in _CODE_SYSTEM}
            title = str(system.get("title", system["id"]))
            name = f"code system {system['id']}"
            yield Subject(f"CodeSystem/{system['id']}", "code system", name, title, (), others(rest))
            repeated = _repeated(parts(system, "concept"))
            for concept in _flat(parts(system, "concept")):
                yield _word(concept, system["id"], repeated, cited)


def _word(concept: dict[str, Any], system: str, repeated: set[str], cited: dict[str, tuple[str, ...]]) -> Subject:
    noun, kind = _WORDS.get(system, (f"{system} code", model.TEXT))
    code = str(concept.get("code"))
    facts = [Fact(kind, name, str(concept[key])) for key, name in _named(concept, noun)]
    for item in parts(concept, "property"):
        name, value = string(item, "code"), str(value_of(item))
        if name in repeated:
            facts.append(Fact(kind, f"{name} “{value.rpartition('/')[2] if '://' in value else value}”"))
        elif name not in _PRINTED.get(system, ()):
            facts.append(Fact(kind, name, value))
    facts += others(concept.get("designation", []), prefix="designation")
    by_text = noun in _CITED or "display" not in concept
    said = str(concept.get("definition" if by_text else "display") or concept.get("display") or code)
    return Subject(f"{system} {code}", noun, f"{noun} {code}", said, _topics(concept, noun, cited), tuple(facts), kind)


def _topics(concept: dict[str, Any], noun: str, cited: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The topics that a concept concerns: those that cite it, the one that it is, or that it names as its own."""
    code = str(concept.get("code"))
    if noun in _CITED:
        return cited.get(code, ())
    named = [str(item.get("valueString")) for item in parts(concept, "property") if item.get("code") == "topic"]
    return (code,) if noun == "topic" else tuple(named)


def _named(concept: dict[str, Any], noun: str) -> Iterator[tuple[str, str]]:
    topic = noun == "topic"  # it repeats the words of its plan
    if "display" in concept and noun != "statement":  # a statement's display repeats its source
        yield "display", "title" if topic else "words"
    if "definition" in concept:
        yield "definition", "sentence" if topic else "text"


def _repeated(concepts: list[dict[str, Any]]) -> set[str]:
    """The properties of which a concept has several."""
    found: set[str] = set()
    for concept in _flat(concepts):
        counts = Counter(str(item.get("code")) for item in parts(concept, "property"))
        found |= {name for name, count in counts.items() if count > 1}
    return found


def _flat(concepts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in concepts:
        yield item
        yield from _flat(parts(item, "concept"))


def _cited(edition: Edition) -> dict[str, tuple[str, ...]]:
    """A code that stands in a plan -> the plans, by id: which topics cite a statement, conflict or newer finding."""
    found: dict[str, set[str]] = {}
    for item in edition.resources:
        if item["resourceType"] == "PlanDefinition":
            for text in texts(item.get("action", [])):
                found.setdefault(text, set()).add(item["id"])
    return {text: tuple(sorted(plans)) for text, plans in found.items()}
