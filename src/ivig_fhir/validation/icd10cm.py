"""The codes of ICD-10-CM, where the optional package simple-icd-10-cm is installed.

The package reads a tree of a hundred thousand codes when it is imported, for a second and a half and 160 MB. Its list
of codes, without their dots, is a file of its own, and all that is asked here; a version of the package that has no
such file is imported.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = "simple_icd_10_cm"
_LIST = "data/code-list-*.txt"


def has_icd10cm() -> bool:
    """Whether the package is installed."""
    return find_spec(_PACKAGE) is not None


def icd10cm_codes() -> frozenset[str] | None:
    """Every code, category, block and chapter, without dots; None where the package is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None:
        return None
    lists = [file for place in spec.submodule_search_locations or () for file in Path(place).glob(_LIST)]
    if len(lists) == 1:
        return frozenset(lists[0].read_text("utf-8").split())
    return frozenset(import_module(_PACKAGE).get_all_codes(False))


def is_icd10cm(code: str, codes: frozenset[str]) -> bool:
    """Whether a code is one of these, with its dot after the third character or without."""
    return (code[:3] + code[4:] if code[3:4] == "." and len(code) > 4 else code) in codes
