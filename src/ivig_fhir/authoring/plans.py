"""Topics and activities -> PlanDefinition and ActivityDefinition (R4), the executed half of the content."""

from __future__ import annotations

from typing import Any

from ivig_fhir.authoring.artefacts import artefact, extension_url, local
from ivig_fhir.authoring.criteria import Compiled, compile_criterion
from ivig_fhir.authoring.formulas import both, either, exists, negated
from ivig_fhir.authoring.guidance import Activity, Asks, Criterion, Guidance, Topic, Unit
from ivig_fhir.authoring.needs import Needs
from ivig_fhir.authoring.unit_extensions import citation, unit_extensions
from ivig_fhir.fhir import THO, Resource, canonical, coding, concept, extension, fhirpath_string
from ivig_fhir.knowledge.plans import OCCASION, PRIORITY
from ivig_fhir.problems import Issue, Outcome, Problem

FHIRPATH = "text/fhirpath"
INFORM = "inform"
PAYLOAD = "payload.content"
ORDER_HOOKS = ("order-select", "order-sign")
BEHAVIOUR = {"requiredBehavior": "could", "precheckBehavior": "no", "cardinalityBehavior": "single"}


def plan_definition(topic: Topic, guidance: Guidance, needs: Needs) -> Resource:
    """The PlanDefinition of a topic: one top-level action, a child action per unit.

    Raises Problem('guidance') where a criterion cannot be compiled.
    """
    module = guidance.module
    used = Needs(guidance)
    children = [_unit_action(unit, guidance, used) for unit in topic.units]
    top = _card_action(topic, guidance, used, children)
    for identifier, requirement in used.requirements.items():
        if needs.requirements.setdefault(identifier, requirement) != requirement:
            raise ValueError(f"the input {identifier} would mean two different things")
    needs.concepts |= used.concepts
    return artefact(
        module,
        ("PlanDefinition", topic.id),
        topic.title,
        topic.description,
        before_status={"type": concept(coding(f"{THO}/plan-definition-type", "eca-rule", "ECA Rule"))},
        before_date={
            "subjectCodeableConcept": concept(coding("http://hl7.org/fhir/resource-types", "Patient", "Patient"))
        },
        usage=module.disclaimer,
        topic=[concept(coding(local(module, "ivig-topic"), topic.id, topic.title))],
        relatedArtifact=[{"type": "depends-on", "resource": f"{local(module, 'ivig-statement')}|{module.version}"}],
        library=[f"{canonical(module.base, 'Library', module.id)}|{module.version}"],
        action=[top],
    )


def _card_action(topic: Topic, guidance: Guidance, needs: Needs, children: list[dict[str, Any]]) -> dict[str, Any]:
    triggers = {trigger["name"] for child in children for trigger in child.get("trigger", ())}
    hooks = [hook.name for hook in guidance.module.hooks if hook.name in triggers]
    conditions = [_living(needs)]
    if topic.anchor:
        conditions.append(_compile(topic.anchor, needs, topic.where))
    action: dict[str, Any] = {
        "id": f"{topic.id}-card",
        "title": topic.title,
        "description": topic.description,
    }
    if topic.patient_title:
        action["textEquivalent"] = topic.patient_title
    return action | {
        "priority": "routine",
        "documentation": [{"type": "documentation", "display": guidance.module.title, "url": guidance.module.base}],
        **({"trigger": [_named_event(name) for name in hooks]} if hooks else {}),
        "condition": [_condition(item, guidance) for item in conditions],
        "input": [needs.requirements[key] for key in sorted(needs.requirements)],
        "groupingBehavior": "visual-group",
        "selectionBehavior": "any",
        **BEHAVIOUR,
        "action": children,
    }


def _living(needs: Needs) -> Compiled:
    test = "deceased.ofType(boolean) or deceased.ofType(dateTime).exists()"
    return Compiled("living", negated(exists(needs.subject(), test)), "the patient is not recorded as deceased")


def _compile(criterion: Criterion, needs: Needs, where: str) -> Compiled:
    try:
        return compile_criterion(criterion, needs)
    except (KeyError, ValueError) as error:
        raise Problem("guidance", Outcome((Issue(where, str(error), rule="criterion"),))) from error


def _unit_action(unit: Unit, guidance: Guidance, needs: Needs) -> dict[str, Any]:
    module = guidance.module
    when = [_compile(item, needs, unit.where) for item in unit.when]
    occasion = _occasion(unit, guidance, needs) if (unit.hooks or unit.orders) and "any" not in unit.orders else None
    conditions = when + ([occasion] if occasion else [])
    names = [item.id for item in conditions]
    if len(set(names)) != len(names):
        raise Problem(
            "guidance", Outcome((Issue(unit.where, f"two criteria share an id: {', '.join(names)}", hint="give ids"),))
        )
    triggers = [*unit.hooks, *(ORDER_HOOKS if unit.orders else ())]
    action: dict[str, Any] = {
        "id": unit.id,
        "extension": unit_extensions(unit, guidance, needs, _opens(unit, guidance, needs)),
        "title": unit.title,
        "description": unit.says,
    }
    if unit.patient:
        action["textEquivalent"] = unit.patient
    action |= {
        "priority": "routine",
        "code": [_direction(unit, guidance)],
        "documentation": [citation(name, guidance) for name in unit.statements],
        "trigger": [_named_event(hook.name) for hook in module.hooks if hook.name in triggers],
        "condition": [_condition(item, guidance) for item in conditions],
        **({"groupingBehavior": "logical-group", "selectionBehavior": "any"} if unit.activity else {}),
        **BEHAVIOUR,
    }
    action = {key: value for key, value in action.items() if value not in ([], "")}
    if not unit.activity:
        action["definitionCanonical"] = _definition(guidance, INFORM)
    dynamic = [_warning(unit, when, guidance, needs)] if unit.warn_when else []
    if not unit.activity:
        dynamic.append(_payload(unit))
    if dynamic:
        action["dynamicValue"] = dynamic
    if unit.activity:
        action["action"] = [_proposal(unit, guidance, needs)]
    return action


def _direction(unit: Unit, guidance: Guidance) -> dict[str, Any]:
    says = {phrase.id: phrase.says for phrase in guidance.phrases}[f"direction-{unit.direction}"]
    return concept(coding(local(guidance.module, "ivig-direction"), unit.direction, says))


def _opens(unit: Unit, guidance: Guidance, needs: Needs) -> dict[str, Any] | None:
    if unit.opens_when is None:
        return None
    expression = _condition(_compile({"id": "opens"} | unit.opens_when, needs, unit.where), guidance)["expression"]
    return dict(expression)


def _definition(guidance: Guidance, activity: str) -> str:
    return f"{canonical(guidance.module.base, 'ActivityDefinition', activity)}|{guidance.module.version}"


def _occasion(unit: Unit, guidance: Guidance, needs: Needs) -> Compiled | None:
    """When the unit may speak: no order is in question, or one of its classes is drafted."""
    drafts = [_compile({"order": name, "is": ["drafted"]}, needs, unit.where) for name in unit.orders]
    medicines = [row for name in unit.orders for row in guidance.orders[name].rows if row.type == "MedicationRequest"]
    if unit.direction == "against" and medicines:
        drafts.append(_compile({"unrecognised-medicine": "yes"}, needs, unit.where))
    ways = [item.expression for item in drafts]
    reads = [item.reads for item in drafts]
    if unit.hooks:
        none = negated(either(*(exists(needs.any_draft(kind)) for kind in ("MedicationRequest", "ServiceRequest"))))
        running = [_compile({"order": name, "is": ["running"]}, needs, unit.where) for name in unit.while_running]
        if not unit.orders and not running:
            return None
        ways.insert(0, both(none, either(*(item.expression for item in running))) if running else none)
        reads.insert(0, " or ".join(item.reads for item in running) if running else "no order in question")
    return Compiled(OCCASION, either(*ways), ", or ".join(reads), _joined([item.asks for item in drafts if item.asks]))


def _joined(questions: list[Asks]) -> Asks | None:
    """One question out of several: each fact once, as whichever of them concerns the order in question."""
    facts = list(dict.fromkeys(item.fact for item in questions))
    lead = "Of the order in question, whichever it is: " if len(facts) > 1 else ""
    return Asks(lead + " ".join(facts), questions[0].reason) if questions else None


def _named_event(hook: str) -> dict[str, str]:
    return {"type": "named-event", "name": hook}


def _condition(item: Compiled, guidance: Guidance) -> dict[str, Any]:
    expression: dict[str, Any] = {}
    if item.asks:
        parts = [extension("fact", valueString=item.asks.fact), extension("reason", valueCode=item.asks.reason)]
        expression["extension"] = [extension(extension_url(guidance.module, "ivig-asks"), extension=parts)]
    expression |= {"description": item.reads, "name": item.id, "language": FHIRPATH, "expression": item.expression.text}
    return {"kind": "applicability", "expression": expression}


def _warning(unit: Unit, when: list[Compiled], guidance: Guidance, needs: Needs) -> dict[str, Any]:
    act = _compile(dict(unit.warn_when or {}), needs, unit.where)
    terms = (
        [act.expression]
        if unit.warns == "also-if-conditional"
        else [*(item.expression for item in when), act.expression]
    )
    warned = Compiled("warning", both(*terms), act.reads, act.asks)
    expression = _condition(warned, guidance)["expression"]
    expression["expression"] = f"iif({warned.expression.text}, 'urgent', 'routine')"
    return {"path": PRIORITY, "expression": expression}


def _payload(unit: Unit) -> dict[str, Any]:
    """What the CommunicationRequest tells: $apply fills it from a dynamicValue alone (AP-53)."""
    text = fhirpath_string(unit.says or unit.title)
    expression = {"description": "the description of the action", "language": FHIRPATH, "expression": text}
    return {"path": PAYLOAD, "expression": expression}


def _proposal(unit: Unit, guidance: Guidance, needs: Needs) -> dict[str, Any]:
    activity = guidance.activities[unit.activity]
    conditions = [_compile(item, needs, unit.where) for item in unit.suggest_when]
    return {
        "id": f"{unit.id}-propose",
        "title": activity.title,
        "description": activity.description,
        "condition": [_condition(item, guidance) for item in conditions],
        "type": concept(coding(f"{THO}/action-type", "create", "Create")),
        **BEHAVIOUR,
        "definitionCanonical": _definition(guidance, activity.id),
    }


def activity_definition(activity: Activity, guidance: Guidance) -> Resource:
    """The ActivityDefinition of an activity: a proposal, doNotPerform stated, dose as text only."""
    usage = {"usage": guidance.module.disclaimer}
    more: dict[str, Any] = usage | {"kind": activity.kind, "intent": "proposal", "doNotPerform": False}
    if activity.product:
        product = coding(activity.product.system, activity.product.code, activity.product.display)
        more["productCodeableConcept"] = concept(product, text=product["display"])
    if activity.dosage:
        more["dosage"] = [{"text": activity.dosage}]
    if activity.kind == "CommunicationRequest":
        more = usage | {
            "kind": activity.kind,
            "code": concept(text=activity.title),
            "intent": "proposal",
            "doNotPerform": False,
        }
    return artefact(guidance.module, ("ActivityDefinition", activity.id), activity.title, activity.description, **more)
