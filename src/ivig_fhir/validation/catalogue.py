"""All rules: importing their modules registers them."""

from importlib import import_module

_MODULES = ("reading", "inputs", "structure", "links", "expressions", "evidence")


def load() -> None:
    """Register every rule."""
    for name in _MODULES:
        import_module(f"ivig_fhir.validation.{name}")
