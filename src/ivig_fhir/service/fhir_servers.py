"""The FHIR servers that may be read, as the operator lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

OPEN, LOCAL = "open", "local"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class FhirServer:
    """A server: its base without final slash; `open`: read without a token; `local`: private addresses and http."""

    base: str
    open: bool = False
    local: bool = False

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a link to a further page must share."""
        return origin_of(self.base)


def read_server(text: str) -> FhirServer:
    """`[open] [local] <base>` as in the setting. Raises ValueError."""
    *words, url = text.split()
    unknown = set(words) - {OPEN, LOCAL}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is no mark")
    server = FhirServer(normal_base(url), OPEN in words, LOCAL in words)
    if server.base.startswith("http:") and not server.local:
        raise ValueError("http is for servers marked local")
    return server


def allowed_server(url: str, servers: Iterable[FhirServer]) -> FhirServer | None:
    """The listed server that a request's fhirServer names, or None; the same base in another spelling counts."""
    try:
        base = normal_base(url)
    except ValueError:
        return None
    return next((server for server in servers if server.base == base), None)


def normal_base(url: str) -> str:
    """A base URL in one spelling: lower-case scheme and host, no default port, no final slash. Raises ValueError."""
    parts = urlsplit(url)
    doubtful = not url.isascii() or not url.isprintable() or "\\" in url or " " in url
    steps = parts.path.split("/")
    if doubtful or "?" in url or "#" in url or "." in steps or ".." in steps:
        raise ValueError("is no plain base URL")
    return origin_of(url) + parts.path.rstrip("/")


def origin_of(url: str) -> str:
    """scheme://host[:port] of an absolute URL, in one spelling. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("is no http or https URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
