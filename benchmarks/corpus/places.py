"""Places in the JSON of a resource, and how a mutation names what it may change: deterministic, no chance involved."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = Any
Change = Callable[["Place"], None]
Test = Callable[["Place"], bool]


@dataclass(frozen=True)
class Place:
    """A member of an object or list: its holder, its key, and the path to it."""

    holder: Json
    key: str | int
    path: tuple[str | int, ...]

    @property
    def value(self) -> Json:
        """What stands there."""
        return self.holder[self.key]

    @property
    def name(self) -> str:
        """The name of the element, that of the list for a member of a list."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), "")

    @property
    def above(self) -> str:
        """The name of the element that holds it; empty at the root."""
        names = [step for step in self.path if isinstance(step, str)]
        return names[-2] if len(names) > 1 else ""

    def put(self, value: Json) -> None:
        """Another value in its place."""
        self.holder[self.key] = value

    def take(self) -> Json:
        """Remove it."""
        return self.holder.pop(self.key)


def places(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[Place]:
    """Every member at every depth; what stands in a narrative or a contained resource is left alone."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, child in pairs:
        here = (*path, key)
        yield Place(value, key, here)
        if key not in ("div", "contained"):
            yield from places(child, here)


@dataclass(frozen=True)
class Kind:
    """One kind of fault: where it can be made, and how."""

    name: str
    at: Test
    change: Change

    def mutant(self, resource: dict[str, Json], seed: str) -> tuple[Json, tuple[str | int, ...]] | None:
        """A changed copy and the place of the change; None where the resource has no such place."""
        made = copy.deepcopy(resource)
        found = [Place(made, "resourceType", ()), *(place for place in places(made) if place.key != "resourceType")]
        fitting = [place for place in found if (place.path == ()) == (self.at is ROOT) and self.at(place)]
        if not fitting:
            return None
        chosen = fitting[int(digest(f"{seed}:{self.name}")[:8], 16) % len(fitting)]
        self.change(chosen)
        return made, chosen.path


def ROOT(place: Place) -> bool:
    """The test of a kind that changes the resource as such."""
    return place.path == ()


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def named(*names: str, kind: type | tuple[type, ...] = (str, dict, list, int)) -> Test:
    """Elements of these names, whose value is of a type; members of lists included."""
    return lambda place: place.name in names and isinstance(place.value, kind) and place.key != "resourceType"


def within(above: str, *names: str) -> Test:
    """Elements of these names directly within an element."""
    return lambda place: place.above == above and place.key in names


def either(*tests: Test) -> Test:
    """Where one of the tests holds."""
    return lambda place: any(test(place) for test in tests)


def constant(value: Json) -> Change:
    """Put a value there."""
    return lambda place: place.put(value)


def added(key: str, value: Json) -> Change:
    """Add a member to the object that stands there, or at the root."""

    def change(place: Place) -> None:
        target = place.holder if place.path == () else place.value
        target[key] = copy.deepcopy(value)

    return change


def removed(place: Place) -> None:
    """Take it away; an emptied list goes too when it is the holder's own member."""
    place.take()


def renamed(change: Callable[[str], str]) -> Change:
    """Another name for the element."""

    def apply(place: Place) -> None:
        place.holder[change(str(place.key))] = place.take()

    return apply


def an_object(place: Place) -> bool:
    """An object that is not the root."""
    return isinstance(place.value, dict) and place.path != ()


def a_string(place: Place) -> bool:
    """A string of an element, not the narrative."""
    return isinstance(place.value, str) and place.key not in ("div", "resourceType")


def a_list(place: Place) -> bool:
    """A list of an element."""
    return isinstance(place.value, list) and place.key != "contained"
