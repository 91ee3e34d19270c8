"""An ActivityDefinition -> the draft resource that it describes (ActivityDefinition/$apply, AP-50 … AP-55)."""

from __future__ import annotations

from ivig_fhir.fhir import Resource


def draft(activity: Resource, patient_id: str, instantiates: str) -> Resource:
    """A draft proposal for the patient; a dose only as the text that the definition holds, if any."""
    resource: Resource = {
        "resourceType": activity["kind"],
        "instantiatesCanonical": [instantiates],
        "status": "draft",
        "intent": activity["intent"],
    }
    if "productCodeableConcept" in activity:
        resource["medicationCodeableConcept"] = activity["productCodeableConcept"]
    elif "code" in activity:
        resource["code"] = activity["code"]
    resource["subject"] = {"reference": f"Patient/{patient_id}"}
    if activity.get("dosage"):
        resource["dosageInstruction"] = [{"text": item["text"]} for item in activity["dosage"]]
    return resource
