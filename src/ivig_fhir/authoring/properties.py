"""What the properties of the module's code systems mean; a property without a meaning is not compiled."""

from __future__ import annotations

# of a code system where it says more than the name alone does, else of every one
_MEANINGS = {
    "about": "Id of a guidance unit or a topic that it is about.",
    "against": "Present where the publication speaks against the treatment.",
    "citation": "Where it is published, as a citation.",
    "cites": "Marker in the source's own reference list.",
    "class": "Kind of conflict.",
    "confidence": "How it was read: in the publication itself, or in another that reports it.",
    "date": "Date that the document states for itself.",
    "days": "Days over which a course is given, a number or low-high.",
    "disease": "Disease, where the topic has several.",
    "dose": "Total of a course, a number or low-high, in the unit beside it.",
    "for-patients": "How the document is named to patients.",
    "handling": "What the module does about it.",
    "kilograms": "Kilograms in one of the unit, exactly.",
    "kind": "What kind of sentence it is.",
    "lines": "Lines of the document in which it stands.",
    "match": "Present where the text as a whole has to be the phrase.",
    "negation": "Word with which a text says the contrary, so that no phrase in it counts.",
    "not-encoded": "Why no unit rests on it.",
    "path": "Resource type and element whose text is read.",
    "phase": "Phase of the treatment or the disease, as the document names it.",
    "phrase": "Words that are looked for in a text.",
    "population": "Whom it is for, as printed.",
    "product": "Product or class of products.",
    "publisher": "Publisher of the document.",
    "rate-initial": "Rate of infusion at the start, as printed.",
    "rate-max": "Highest rate of infusion, as printed.",
    "read-beside": "Value set whose codes may stand beside the text.",
    "reference": "Entry of the document's own reference list.",
    "relation": "How it stands to the sources.",
    "sha256": "SHA-256 of the text that was read.",
    "side": "Ids of the statements on one side.",
    "source": "Id of the source that says it.",
    "source-says": "Name of that source, for readers.",
    "standing": "How it stands: current, retired, unreviewed and so on; several may hold.",
    "standing-says": "The standing in words, as cards print it.",
    "strength": "Strength or grade in the source's own words.",
    "successor": "Publication that took its place.",
    "title": "Title of the document.",
    "topic": "Id of the topic.",
    "unit": "Unit of the value or dose beside it.",
    "url": "Where it can be read.",
    "value": "The number.",
    "warns": "Present where it may be shown because it warns.",
    "weeks": "Weeks between courses, a number or low-high.",
    "year": "Year of publication; of several the last.",
    "younger": "Present where it is of a later year than each dated work that it stands beside.",
}
_OF_ONE = {
    ("ivig-regimen", "standing"): "What kind of document prints it: a label, a guideline, stewardship or a trial.",
}


def description_of(code_system: str, code: str) -> str:
    """The meaning of a property. Raises KeyError where none is declared."""
    found = _OF_ONE.get((code_system, code)) or _MEANINGS.get(code)
    if found is None:
        raise KeyError(f"{code_system} has the property {code}, whose meaning authoring/properties.py does not say")
    return found
