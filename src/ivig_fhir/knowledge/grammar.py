"""The fixed FHIRPath grammar of published conditions: text to syntax tree, or a refusal with its place.

    condition = and {"or" and}        and = term {"and" term}        term = value [op value] | "{" "}" | "true"
    value     = ("(" condition ")" | variable | name | string | number | today) {"." step}
    step      = name | "exists" "(" [condition] ")" | "where" "(" condition ")" | "first" "(" ")"
              | "not" "(" ")" | "ofType" "(" type ")"
    op        = "=" "!=" "<" "<=" ">" ">="
    today     = "today" "(" ")" ["-" number ("years" | "months" | "days")]       variable = "%" id
    priority  = "iif" "(" condition "," "'urgent'" "," "'routine'" ")"

not() stands behind what is true or false, every other step and each side of a comparison is of items, and ofType()
stands behind an element name. Every sentence of this grammar is FHIRPath with the same meaning (docs/decisions/0003).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ivig_fhir.knowledge.comparison import earlier
from ivig_fhir.knowledge.syntax import (
    Always,
    And,
    Compare,
    Exists,
    First,
    Member,
    Node,
    Not,
    Number,
    Open,
    Or,
    Path,
    Step,
    Text,
    Today,
    Variable,
    Where,
    gives_items,
    is_condition,
)
from ivig_fhir.knowledge.tokens import NotInGrammar, Token, tokens

_RESERVED = {"and", "or", "true"}
_UNITS = {"years", "months", "days"}
_KNOWN_TYPES = {"integer", "decimal", "string", "boolean", "dateTime", "date", "Quantity", "CodeableConcept", "Period"}


class _Parser:
    """One pass over the tokens; each method reads one production."""

    def __init__(self, text: str) -> None:
        self.tokens, self.at = tokens(text), 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def refuse(self, allowed: str, hint: str = "") -> NotInGrammar:
        return NotInGrammar(self.next.position, f"{self.next.text!r}", allowed, hint)

    def accept(self, text: str) -> bool:
        if self.next.kind not in ("string", "end") and self.next.text == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.refuse(f"{text!r}")

    def end(self) -> None:
        if self.next.kind != "end":
            raise self.refuse("'and', 'or', a comparison, or the end", "one condition stands alone in an expression")

    def condition(self) -> Node:
        terms = [self.conjunction()]
        while self.accept("or"):
            terms.append(self.conjunction())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def conjunction(self) -> Node:
        terms = [self.term()]
        while self.accept("and"):
            terms.append(self.term())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def term(self) -> Node:
        if self.accept("{"):
            self.expect("}")
            return Open()
        if self.accept("true"):
            return Always()
        start = self.next
        left = self.value()
        if self.next.kind == "op":
            return Compare(_items(left, start), self.take().text, self.operand())
        if not is_condition(left):
            raise NotInGrammar(
                start.position,
                f"{start.text!r} is no condition",
                "a comparison, or a path that ends in exists() or not()",
                "add .exists()",
            )
        return left

    def operand(self) -> Node:
        if self.next.text == "{":
            raise self.refuse("a value", "{} stands as a term of its own")
        start = self.next
        return _items(self.value(), start)

    def value(self) -> Node:
        token = self.take()
        if token.kind == "string":
            return Text(token.text[1:-1])
        if token.kind == "number":
            return Number(Decimal(token.text))
        if token.kind == "variable":
            return self.path(Variable(token.text[1:]))
        if token.text == "(" and token.kind == "mark":
            inner = self.condition()
            self.expect(")")
            return self.path(inner)
        if token.kind == "name" and token.text == "today":
            return self.today()
        if token.kind == "name":
            self.at -= 1
            return self.path(None)
        self.at -= 1
        raise self.refuse("a path, a value or '('")

    def today(self) -> Node:
        self.expect("(")
        self.expect(")")
        if not self.accept("-"):
            return Today()
        back = self.take()
        if back.kind != "number" or "." in back.text:
            raise NotInGrammar(back.position, f"{back.text!r}", "a whole number of years, months or days")
        unit = self.take()
        if unit.text not in _UNITS:
            raise NotInGrammar(unit.position, f"{unit.text!r}", "years, months or days")
        try:
            earlier(date(2000, 1, 1), int(back.text), unit.text)
        except (ValueError, OverflowError) as error:
            raise NotInGrammar(back.position, f"{back.text!r} {unit.text} ago", "a day of the calendar") from error
        return Today(int(back.text), unit.text)

    def path(self, head: Variable | Node | None) -> Node:
        found = Path(head, ())
        if head is None:
            found = self.stepped(found)
        while self.accept("."):
            found = self.stepped(found)
        return found if found.steps or head is None or isinstance(head, Variable) else head

    def stepped(self, path: Path) -> Path:
        start, step = self.next, self.step()
        last = path.steps[-1] if path.steps else None
        if isinstance(step, Member) and not step.name:
            if not isinstance(last, Member) or last.of_type:
                raise NotInGrammar(start.position, "ofType()", "an element name before it")
            return Path(path.head, (*path.steps[:-1], Member(last.name, step.of_type)))
        if not (is_condition(path) if isinstance(step, Not) else gives_items(path)):
            wanted = "not() behind what is true or false" if isinstance(step, Not) else "a step behind items"
            raise NotInGrammar(start.position, f"{start.text!r}", wanted)
        return Path(path.head, (*path.steps, step))

    def step(self) -> Step:
        token = self.take()
        if token.kind != "name" or token.text in _RESERVED:
            self.at -= 1
            raise self.refuse("a path, a value, an element name or a function")
        if not self.accept("("):
            return Member(token.text)
        return self.function(token)

    def function(self, token: Token) -> Step:
        if token.text == "exists" and self.accept(")"):
            return Exists()
        if token.text in ("exists", "where"):
            inner = self.condition()
            self.expect(")")
            return Exists(inner) if token.text == "exists" else Where(inner)
        if token.text in ("first", "not"):
            self.expect(")")
            return First() if token.text == "first" else Not()
        if token.text == "ofType":
            of_type = self.take()
            if of_type.text not in _KNOWN_TYPES:
                raise NotInGrammar(of_type.position, f"{of_type.text!r}", ", ".join(sorted(_KNOWN_TYPES)))
            self.expect(")")
            return Member("", of_type.text)
        raise NotInGrammar(token.position, f"the function {token.text!r}", "exists, where, first, not, ofType, today()")


def _items(node: Node, start: Token) -> Node:
    if not gives_items(node):
        allowed = "a path without exists() and not(), or a value"
        raise NotInGrammar(start.position, f"{start.text!r} is no value", allowed)
    return node


def parse(text: str) -> Node:
    """The syntax tree of a condition. Raises NotInGrammar with the place, what stands there and what may."""
    parser = _Parser(text)
    node = parser.condition()
    parser.end()
    return node


def parse_priority(text: str) -> Node:
    """The condition of `iif(condition, 'urgent', 'routine')`, the only form of a dynamic priority."""
    parser = _Parser(text)
    for expected in ("iif", "("):
        parser.expect(expected)
    node = parser.condition()
    for mark, word in ((",", "'urgent'"), (",", "'routine'")):
        parser.expect(mark)
        if parser.take().text != word:
            parser.at -= 1
            raise parser.refuse(word)
    parser.expect(")")
    parser.end()
    return node
