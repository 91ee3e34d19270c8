"""How the values of settings are read: text -> value. Each raises ValueError for a text that cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ivig_fhir.service.fhir_servers import FhirServer, origin_of, read_server


def url(text: str) -> str:
    """An http or https URL, without the slash at its end."""
    origin_of(text)
    if "?" in text or "#" in text:
        raise ValueError("paths are put behind it")
    return text.rstrip("/")


def path(text: str) -> Path:
    """A path."""
    if not text:
        raise ValueError
    return Path(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10**9):
        raise ValueError
    return int(text)


def seconds(text: str) -> float:
    """Seconds, at most a minute."""
    value = float(text)
    if not 0 < value <= 60:
        raise ValueError
    return value


def yes(text: str) -> bool:
    """yes or no."""
    return one_of("yes", "no")(text) == "yes"


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def listed(text: str) -> list[str]:
    """The parts of a list with commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def names(text: str) -> tuple[str, ...]:
    """A list of names, each once."""
    return tuple(dict.fromkeys(listed(text)))


def servers(text: str) -> tuple[FhirServer, ...]:
    """A list of FHIR servers."""
    return tuple(read_server(item) for item in listed(text))


def origins(text: str) -> tuple[str, ...]:
    """A list of web origins."""
    found = tuple(listed(text))
    if any(origin_of(item) != item for item in found):
        raise ValueError
    return found


def version(text: str) -> str:
    """A version of CDS Hooks; empty for off."""
    return one_of("off", "2.0.1", "3.0.0-ballot")(text).replace("off", "")
