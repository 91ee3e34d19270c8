"""Validation of FHIR knowledge artefacts, ours and other people's: `validate(paths, options)` of `run`."""
