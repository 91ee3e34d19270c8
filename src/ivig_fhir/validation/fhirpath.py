"""FHIRPath as a language: whether a text is a sentence of it, and which functions and variables it names.

The whole grammar (http://hl7.org/fhirpath/grammar.html), read without building a tree: precedence does not matter
to whether a text is well formed. The small grammar that this module executes is knowledge.grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_CLOCK = r"\d\d(:\d\d(:\d\d(\.\d+)?)?)?"
_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    rf"|(?P<time>@T{_CLOCK}|@\d{{4}}(-\d\d(-\d\d)?)?(T({_CLOCK}(Z|[+-]\d\d:\d\d)?)?)?)"
    r"|(?P<number>\d+(\.\d+)?)"
    r"|(?P<string>'(\\.|[^'\\])*'|\"(\\.|[^\"\\])*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|`(\\.|[^`\\])*`|\$this|\$index|\$total)"
    r"|(?P<mark><=|>=|!=|!~|[-+*/&|<>=~.,()\[\]{}%])",
    re.DOTALL,
)
_WORDS = {"and", "or", "xor", "implies", "div", "mod", "in", "contains"}
_TYPED = {"is", "as"}
_MARKS = {"+", "-", "*", "/", "&", "|", "<", ">", "<=", ">=", "=", "!=", "~", "!~"}
_UNITS = {"year", "month", "week", "day", "hour", "minute", "second", "millisecond"}

FUNCTIONS = frozenset(
    [
        *("empty", "exists", "all", "allTrue", "anyTrue", "allFalse", "anyFalse", "subsetOf", "supersetOf", "count"),
        *("distinct", "isDistinct", "where", "select", "repeat", "repeatAll", "ofType", "single", "first", "last"),
        *("tail", "skip", "take", "intersect", "exclude", "union", "combine", "iif", "coalesce", "toBoolean"),
        *("convertsToBoolean", "toInteger", "convertsToInteger", "toLong", "convertsToLong", "toDate"),
        *("convertsToDate", "toDateTime", "convertsToDateTime", "toDecimal", "convertsToDecimal", "toQuantity"),
        *("convertsToQuantity", "toString", "convertsToString", "toTime", "convertsToTime", "indexOf", "substring"),
        *("lastIndexOf", "startsWith", "endsWith", "contains", "upper", "lower", "replace", "matches", "matchesFull"),
        *("replaceMatches", "length", "toChars", "encode", "decode", "escape", "unescape", "trim", "split", "join"),
        *("abs", "ceiling", "exp", "floor", "ln", "log", "power", "round", "sqrt", "truncate", "children", "is", "as"),
        *("descendants", "trace", "now", "timeOfDay", "today", "not", "type", "aggregate", "sort", "defineVariable"),
        *("lowBoundary", "highBoundary", "precision", "hasValue", "getValue", "extension", "resolve", "memberOf"),
        *("elementDefinition", "slice", "checkModifiers", "conformsTo", "subsumes", "subsumedBy", "htmlChecks"),
        *("comparable", "getResourceKey", "getReferenceKey", "hasTemplateIdOf", "weight", "ordinal", "sum", "min"),
        *("max", "avg", "yearOf", "monthOf", "dayOf", "hourOf", "minuteOf", "secondOf", "difference", "duration"),
    ]
)


class NotFhirPath(ValueError):
    """The text is no FHIRPath; `position` counts characters from 1."""

    def __init__(self, position: int, seen: str, allowed: str) -> None:
        super().__init__(f"character {position}: {seen}")
        self.position, self.seen, self.allowed = position, seen, allowed


@dataclass
class Named:
    """The functions and the %variables that an expression names."""

    functions: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)


@lru_cache(maxsize=4096)
def read(text: str) -> Named:
    """What a FHIRPath expression names. Raises NotFhirPath with the place, what stands there and what may."""
    reader = _Reader(text)
    reader.expression()
    if reader.kind != "end":
        raise reader.refused("an operator, '.', '[' or the end")
    return reader.named


class _Reader:
    """One pass over the tokens; each method reads one production."""

    def __init__(self, text: str) -> None:
        self.named = Named()
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise NotFhirPath(at + 1, repr(text[at]), "a name, a literal, an operator or a bracket")
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match.group(), at + 1))
            at = match.end()
        self.tokens.append(("end", "the end", len(text) + 1))
        self.at = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def next(self) -> str:
        return self.tokens[self.at][1]

    def refused(self, allowed: str) -> NotFhirPath:
        return NotFhirPath(self.tokens[self.at][2], f"'{self.next}'", allowed)

    def accept(self, *marks: str) -> str:
        found = self.next if self.kind in ("mark", "name") and self.next in marks else ""
        self.at += bool(found)
        return found

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.refused(f"'{mark}'")

    def expression(self) -> None:
        self.operand()
        while True:
            if self.accept(*_TYPED):
                self.type_name()
            elif self.accept(*_WORDS, *_MARKS):
                self.operand()
            else:
                return

    def type_name(self) -> None:
        self.name()
        while self.accept("."):
            self.name()

    def name(self) -> str:
        if self.kind != "name":
            raise self.refused("a name")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def operand(self) -> None:
        while self.accept("+", "-"):
            pass
        self.term()
        while True:
            if self.accept("."):
                self.invocation()
            elif self.accept("["):
                self.expression()
                self.expect("]")
            else:
                return

    def term(self) -> None:
        if self.accept("("):
            self.expression()
            self.expect(")")
        elif self.accept("{"):
            self.expect("}")
        elif self.accept("%"):
            self.variable()
        elif self.kind == "number":
            self.at += 1
            if self.kind == "string" or (self.kind == "name" and self.next.removesuffix("s") in _UNITS):
                self.at += 1
        elif self.kind in ("string", "time"):
            self.at += 1
        else:
            self.invocation()

    def variable(self) -> None:
        if self.kind == "string":
            self.at += 1
        else:
            name = self.name()
            # vs-… and ext-… stand without quotes in older texts
            while name.partition("-")[0] in ("vs", "ext") and self.accept("-"):
                name += "-" + self.name()
            self.named.variables.add(name.strip("`"))

    def invocation(self) -> None:
        if self.kind != "name":
            raise self.refused("a name, a literal, %variable or '('")
        name = self.name()
        if self.accept("("):
            self.named.functions.add(name)
            if not self.accept(")"):
                self.expression()
                while self.accept(","):
                    self.expression()
                self.expect(")")
