"""All rules: importing their modules registers them."""

from importlib import import_module

_MODULES = (
    *(
        "reading",
        "inputs",
        "structure",
        "mixed",
        "data_types",
        "timings",
        "definitional",
        "value_sets",
        "structures",
        "bundles",
    ),
    *("contained", "narrative", "links", "expressions", "terminology", "bindings", "editorial", "evidence", "profiles"),
    *("official", "tho"),
)


def load() -> None:
    """Register every rule."""
    for name in _MODULES:
        import_module(f"ivig_fhir.validation.{name}")
