"""guidance/ (L2, YAML) -> definitions/ (L3, FHIR): read, checked, compiled."""
