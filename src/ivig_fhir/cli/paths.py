"""What the commands share at their edge: parameter types, and problems that say which file or extra is at fault."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from ivig_fhir.problems import Outcome, Problem, problem

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
PATIENTS = click.Path(exists=True, file_okay=False, path_type=Path)


@contextmanager
def of_file(path: Path) -> Iterator[None]:
    """Problems of what is read here name the file; bytes that are no UTF-8 are one of them."""
    try:
        yield
    except Problem as found:
        issues = tuple(replace(issue, where=f"{path}: {issue.where}") for issue in found.outcome.issues)
        raise Problem(found.category, Outcome(issues)) from found
    except UnicodeError as error:
        raise problem("malformed", str(path), f"is no UTF-8: {error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What keeps a file or folder from being written is a problem of it. Raises Problem('malformed')."""
    try:
        yield
    except OSError as error:
        seen = f"cannot be written: {error.strerror or error}"
        raise problem("malformed", str(path), seen, "a place that can be written") from error


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of what an extra brings: without it the problem names the extra. Raises Problem('malformed')."""
    try:
        yield
    except ImportError as missing:
        raise problem(
            "malformed", "this command", f"needs {missing.name}", hint=f"pip install 'ivig-fhir[{name}]'"
        ) from missing
