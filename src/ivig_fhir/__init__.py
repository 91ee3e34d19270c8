"""Guidance on intravenous immunoglobulin as executable FHIR content."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

try:
    __version__ = version("ivig-fhir")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0.0.0"


def definitions_folder() -> Path:
    """The folder with r4/ and r5/: the one in the installed package, else the one beside src/."""
    packed = Path(__file__).parent / "definitions"
    return packed if packed.is_dir() else Path(__file__).parents[2] / "definitions"
