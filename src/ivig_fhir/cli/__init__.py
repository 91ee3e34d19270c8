"""The command `ivig-fhir`, one module a command."""
