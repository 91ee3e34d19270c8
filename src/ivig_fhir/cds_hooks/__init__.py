"""CDS Hooks without HTTP: requests, which cards, their text; and what else is asked of the same evaluation."""
