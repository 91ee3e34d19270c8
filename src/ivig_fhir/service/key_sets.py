"""The public keys of an issuer: out of its JWK Set, fetched by our own client and kept, or out of a file."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from ivig_fhir.fhir import as_list, loads
from ivig_fhir.problems import problem
from ivig_fhir.service.issuers import Issuer
from ivig_fhir.service.transport import Budget, Deadline, Network, Unavailable, read_json

log = logging.getLogger("ivig_fhir")

FRESH_SECONDS = 300.0  # keys younger than this are used as they are
COOLDOWN_SECONDS = 30.0  # after a fetch, whatever came of it, the next one waits this long
STALE_SECONDS = 3600.0  # keys are used this long when they cannot be fetched again
MOST_BYTES = 256_000
_SMALLEST_RSA = 2048  # bits
_ALGORITHMS = {"EC": "ES384", "RSA": "RS384"}


@dataclass(frozen=True)
class Key:
    """A public key and the one algorithm it is used with."""

    algorithm: str
    public: PyJWK


Keys = dict[str, Key]


def read_keys(key_set: Any) -> Keys:
    """The keys of a JWK Set by kid: EC P-384 and RSA from 2048 bits on; a kid that stands twice names none."""
    entries = as_list(key_set.get("keys")) if isinstance(key_set, dict) else []
    named = [item for item in entries if isinstance(item, dict) and isinstance(item.get("kid"), str)]
    kids = [item["kid"] for item in named]
    found = {item["kid"]: _key(item) for item in named if kids.count(item["kid"]) == 1}
    return {kid: key for kid, key in found.items() if key is not None}


def _key(entry: dict[str, Any]) -> Key | None:
    algorithm = _ALGORITHMS.get(str(entry.get("kty")), "")
    unfit = entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm or "d" in entry
    if not algorithm or unfit or (algorithm == "ES384" and entry.get("crv") != "P-384"):
        return None
    try:
        public = PyJWK(entry, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    if algorithm == "RS384" and public.key.key_size < _SMALLEST_RSA:
        return None
    return Key(algorithm, public)


class FetchedKeys:
    """The keys behind a jku: fetched when first needed, when old, and once more for a kid that is not among them."""

    def __init__(self, name: str, fetch: Callable[[], Keys], clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._fetch, self._clock = name, fetch, clock
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._fetched = self._tried = -STALE_SECONDS * 2

    def key(self, kid: str) -> Key | None:
        """The key of this id, or None. While one thread fetches, the others go on with a key that still serves."""
        if self._age() > FRESH_SECONDS or kid not in self._keys:
            serves = kid in self._keys and self._age() <= STALE_SECONDS
            self._refresh(wait=not serves)
        return self._keys.get(kid) if self._age() <= STALE_SECONDS else None

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _refresh(self, wait: bool) -> None:
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if self._clock() - self._tried < COOLDOWN_SECONDS:
                return
            self._tried = self._clock()
            self._keys = self._fetch()
            self._fetched = self._clock()
        except Unavailable as error:
            log.warning("the keys of the issuer %s could not be fetched: %s", self._name, error)
        finally:
            self._lock.release()


class GivenKeys:
    """Keys that were exchanged beforehand (CH-99)."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def key(self, kid: str) -> Key | None:
        """The key of this id, or None."""
        return self._keys.get(kid)


def key_source(issuer: Issuer, network: Network, seconds: float) -> FetchedKeys | GivenKeys:
    """Where the keys of an issuer come from. Raises Problem('malformed') when its file holds none that can be used."""
    if issuer.keys is not None:
        return GivenKeys(_keys_of_file(issuer.keys))

    def fetch(deadline: Deadline) -> Keys:
        with network.client(issuer.local, deadline) as client:
            read = read_json(client, issuer.jku, {"Accept": "application/json"}, Budget(MOST_BYTES, MOST_BYTES))
        keys = read_keys(read)
        if not keys:
            raise Unavailable("no usable key")
        return keys

    def fetch_in_time() -> Keys:
        """In a thread of its own, since the look-up of a name knows no deadline."""
        deadline, thread = Deadline(seconds), ThreadPoolExecutor(1)
        try:
            return thread.submit(fetch, deadline).result(deadline.left())
        except TimeoutError as error:
            raise Unavailable("too slow") from error
        finally:
            thread.shutdown(wait=False)

    return FetchedKeys(issuer.name, fetch_in_time)


def _keys_of_file(path: Path) -> Keys:
    try:
        keys = read_keys(loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise problem("malformed", str(path), f"cannot be read: {error}", "a JWK Set") from error
    if not keys:
        raise problem("malformed", str(path), "holds no usable key", "public EC P-384 or RSA keys, each with kid")
    return keys
