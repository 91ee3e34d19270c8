"""The data that criteria need: DataRequirements under stable ids (R4 elements only).

The id is the variable of the published expressions: concept and role in camelCase. The same id means the
same requirement in the whole module. Roles: x current and confirmed; xPossible recorded in doubt;
xHint named in a text; xReason… named as the reason of a drafted order; xEver of any clinical status;
x…Draft, x…Running, x…Done of orders and procedures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ivig_fhir.authoring.artefacts import extension_url
from ivig_fhir.authoring.guidance import Guidance, OrderRow
from ivig_fhir.authoring.statuses import (
    CURRENT,
    DOUBTFUL,
    INTENTS,
    UNSTATED_STATUS,
    VALID_RESULTS,
    Filter,
    codes,
    doubtful_allergy,
    with_systems,
)
from ivig_fhir.authoring.value_sets import value_set_canonical
from ivig_fhir.fhir import UCUM, camel, canonical, extension

# what the record's door writes where a route or medicine is absent or not readable
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Phase:
    """Which orders of a class are meant: role in the input id, statuses, outcome, reason, window."""

    role: str
    statuses: tuple[str, ...]
    outcome: str = ""
    reason: str = ""
    within: str = ""


@dataclass
class Needs:
    """Collects the requirements and the value sets that a plan uses."""

    guidance: Guidance
    requirements: dict[str, dict[str, Any]] = field(default_factory=dict)
    concepts: set[str] = field(default_factory=set)

    def value_set(self, path: str, concept: str) -> Filter:
        """A codeFilter by the value set of a concept."""
        self.concepts.add(concept)
        return {"path": path, "valueSet": value_set_canonical(self.guidance.module, concept)}

    def hint_code(self, path: str, *hints: str) -> Filter:
        """A codeFilter by codes that the record's door gives to texts and to unreadable elements."""
        return codes(path, hints, canonical(self.guidance.module.base, "CodeSystem", "ivig-hint"))

    def add(self, identifier: str, resource_type: str, filters: list[Filter], **more: Any) -> str:
        """Register a requirement and return its variable, %id."""
        requirement: dict[str, Any] = {"id": identifier}
        if "extension" in more:
            requirement["extension"] = more.pop("extension")
        requirement["type"] = resource_type
        if filters:
            requirement["codeFilter"] = [with_systems(resource_type, item) for item in filters]
        requirement |= more
        known = self.requirements.setdefault(identifier, requirement)
        if known != requirement:
            raise ValueError(f"the input {identifier} would mean two different things")
        return f"%{identifier}"

    def within(self, path: str, default: str) -> list[dict[str, Any]]:
        """A dateFilter that counts back a declared default number of days."""
        days = self.guidance.module.default(default)
        duration = {"value": int(days.value), "unit": "days", "system": UCUM, "code": "d"}
        return [{"path": path, "valueDuration": duration}]

    # -- people and conditions -------------------------------------------------------------------------

    def subject(self) -> str:
        """The patient."""
        return self.add("subject", "Patient", [])

    def condition(self, concept: str, severity: str = "", in_remission: bool = False) -> str:
        """Conditions of the concept that are current (or in remission, where that counts) and confirmed."""
        clinical = (*CURRENT, "remission") if in_remission else CURRENT
        filters = [
            self.value_set("code", concept),
            codes("clinicalStatus", clinical),
            codes("verificationStatus", ("confirmed",)),
        ]
        if severity:
            filters.append(self.value_set("severity", severity))
        return self.add(camel(concept, severity, "or-in-remission" if in_remission else ""), "Condition", filters)

    def hinted(self, hint: str) -> str:
        """Conditions whose text names what the hint stands for."""
        filters = [
            self.hint_code("code", hint),
            codes("clinicalStatus", (*CURRENT, UNSTATED_STATUS)),
            codes("verificationStatus", ("confirmed", *DOUBTFUL)),
        ]
        return self.add(camel(hint, "hint"), "Condition", filters)

    def allergy(self, hint: str, concept: str = "") -> str:
        """Allergies and intolerances whose text names what the hint stands for, or whose code is of a concept."""
        code = self.value_set("code", concept) if concept else self.hint_code("code", hint)
        filters = [code, doubtful_allergy()]
        return self.add(camel(concept or hint, "allergy"), "AllergyIntolerance", filters)

    def condition_in_doubt(self, concept: str) -> list[str]:
        """Everything that points to the concept without asserting it."""
        found = self.guidance.concepts[concept]
        current = codes("clinicalStatus", (*CURRENT, UNSTATED_STATUS))
        any_way = codes("verificationStatus", ("confirmed", *DOUBTFUL))
        inputs = [
            self.add(camel(concept, "possible"), "Condition", [self.value_set("code", concept), current, any_way])
        ]
        if found.open_codes:
            inputs.append(
                self.add(
                    camel(found.open_codes, "possible"),
                    "Condition",
                    [self.value_set("code", found.open_codes), current, any_way],
                )
            )
        return [*inputs, self.hinted(found.hint)] if found.hint else inputs

    def reason_of_draft(self, concept: str) -> list[str]:
        """Drafted orders that are coded as given for the concept."""
        filters = [self.value_set("reasonCode", concept), codes("status", ("draft",)), codes("intent", INTENTS)]
        return [
            self.add(camel(concept, "reason-of", kind), f"{kind}Request", filters) for kind in ("Medication", "Service")
        ]

    def condition_ever(self, concept: str, confirmed: bool = True) -> str:
        """Conditions of the concept whatever their clinical status."""
        verification = ("confirmed",) if confirmed else DOUBTFUL
        role = "ever" if confirmed else "ever-possible"
        return self.add(
            camel(concept, role),
            "Condition",
            [self.value_set("code", concept), codes("verificationStatus", verification)],
        )

    # -- orders and procedures -------------------------------------------------------------------------

    def order(self, class_id: str, row: OrderRow, phase: Phase) -> str:
        """Orders of one row of an order class in a phase."""
        path = "medication" if row.type == "MedicationRequest" else "code"
        filters = [self.value_set(path, row.codes)]
        if row.route or row.route_stated:
            filters += self._route(row)
        if phase.outcome:
            filters.append(self.hint_code("statusReason", phase.outcome))
        if phase.reason:
            unreadable = self.hint_code("reasonCode", UNREADABLE)["code"]
            filters.append(self.value_set("reasonCode", phase.reason) | {"code": unreadable})
        filters += [codes("status", phase.statuses), codes("intent", INTENTS)]
        more = {"dateFilter": self.within("authoredOn", phase.within)} if phase.within else {}
        return self.add(camel(class_id, row.name, phase.role), row.type, filters, **more)

    def _route(self, row: OrderRow) -> list[Filter]:
        path = "dosageInstruction.route"
        unreadable = self.hint_code(path, UNREADABLE)["code"]
        if not row.route:
            return [{"path": path, "code": unreadable}]
        wanted = self.value_set(path, row.route)
        return [wanted | {"code": unreadable}] if row.route_stated == "or-not" else [wanted]

    def any_draft(self, resource_type: str) -> str:
        """Drafted orders of a type, whatever they order."""
        return self.add(
            camel("draft", resource_type), resource_type, [codes("status", ("draft",)), codes("intent", INTENTS)]
        )

    def unreadable_medicine(self) -> str:
        """Drafted medication orders whose medicine has no code of a system that the module reads."""
        return self.add(
            "unreadableMedicineDraft",
            "MedicationRequest",
            [self.hint_code("medication", UNREADABLE), codes("status", ("draft",)), codes("intent", INTENTS)],
        )

    def procedure_done(self, concept: str, default: str) -> str:
        """Procedures of a concept, completed or in progress, not longer ago than a declared default."""
        return self.add(
            camel(concept, "done"),
            "Procedure",
            [self.value_set("code", concept), codes("status", ("completed", "in-progress"))],
            dateFilter=self.within("performed", default),
        )

    def procedure(self, concept: str) -> str:
        """Procedures of a concept, completed or in progress, whenever."""
        return self.add(
            camel(concept, "procedure"),
            "Procedure",
            [self.value_set("code", concept), codes("status", ("completed", "in-progress"))],
        )

    # -- results ---------------------------------------------------------------------------------------

    def newest_result(self, concept: str, default: str = "") -> str:
        """The newest valid result of an observation; within a declared default number of days, if named."""
        more: dict[str, Any] = {"dateFilter": self.within("effective", default)} if default else {}
        return self.add(
            camel(concept),
            "Observation",
            [self.value_set("code", concept), codes("status", VALID_RESULTS)],
            **more,
            limit=1,
            sort=[{"path": "effective", "direction": "descending"}],
        )

    def printed(self, concept: str) -> dict[str, str]:
        """The newest result, or the confirmed disease or procedure, as an Expression; its description names it."""
        found = self.guidance.concepts[concept]
        name = {"condition": self.condition, "procedure": self.procedure}.get(found.type, self.newest_result)(concept)
        return {"description": found.title, "language": "text/fhirpath", "expression": name}

    def result_saying(self, concept: str, hint: str) -> str:
        """Valid results of an observation whose text is a phrase of the hint."""
        return self.add(
            camel(concept, hint),
            "Observation",
            [self.value_set("code", concept), self.hint_code("value", hint), codes("status", VALID_RESULTS)],
        )

    def weight(self, concept: str) -> str:
        """The newest weight of the declared age; the range in which it is believed stands as an extension."""
        low, high = (int(self.guidance.module.default(name).value) for name in ("weight-from-kg", "weight-to-kg"))
        unit = {"system": UCUM, "code": "kg"}
        value_range = {"low": {"value": low} | unit, "high": {"value": high} | unit}
        plausible = extension(extension_url(self.guidance.module, "ivig-plausible-range"), valueRange=value_range)
        return self.add(
            camel(concept),
            "Observation",
            [self.value_set("code", concept), codes("status", VALID_RESULTS)],
            extension=[plausible],
            dateFilter=self.within("effective", "weight-days"),
            limit=1,
            sort=[{"path": "effective", "direction": "descending"}],
        )
