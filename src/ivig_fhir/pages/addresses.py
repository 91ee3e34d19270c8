"""Addresses of pages: relative, so that they hold behind any prefix, and in a folder of files.

A page has a path such as guidance/myasthenia-gravis. The service serves it under that path; the static site
writes it as guidance/myasthenia-gravis.html.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from dataclasses import dataclass

from ivig_fhir.cds_hooks.context import PATIENT, PROFESSIONAL

READERS = (PROFESSIONAL, PATIENT)


def slug(title: str) -> str:
    """A title as lower-case words for an address: 'Kawasaki disease' -> 'kawasaki-disease'."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))


@dataclass(frozen=True)
class Addresses:
    """Links as seen from the page at `here`; `files` for the static site."""

    here: str
    files: bool = False

    def page(self, path: str, fragment: str = "", reader: str = PROFESSIONAL) -> str:
        """The link to a page, to a place on it, in the wording for a reader."""
        query = "?reader=patient" if reader == PATIENT else ""
        target = self.file(path, reader) if self.files else path + query
        return self._relative(target) + (f"#{fragment}" if fragment else "")

    def asset(self, path: str) -> str:
        """The link to a file: a style, a script, a resource."""
        return self._relative(path)

    def resource(self, edition: str, resource_type: str, identifier: str) -> str:
        """The link to a resource as JSON."""
        return self._relative(resource_path(edition, resource_type, identifier))

    @staticmethod
    def file(path: str, reader: str = PROFESSIONAL) -> str:
        """The file that holds a page in the static site."""
        return f"{path}.patient.html" if reader == PATIENT else f"{path}.html"

    def _relative(self, target: str) -> str:
        path, mark, query = target.partition("?")
        folder, name = posixpath.split(path)
        way = posixpath.relpath(folder or ".", posixpath.dirname(self.here) or ".")
        return posixpath.join("" if way == "." else way, name) + mark + query


def resource_path(edition: str, resource_type: str, identifier: str) -> str:
    """The path of a resource as JSON: as it lies in definitions/."""
    return f"definitions/{edition}/{resource_type}-{identifier}.json"
