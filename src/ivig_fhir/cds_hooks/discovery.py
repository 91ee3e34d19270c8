"""The discovery document: one service per hook that a plan names, with the queries that its plans need."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ivig_fhir.knowledge.content import Content
from ivig_fhir.knowledge.requirements import DRAFTS

PREFIX = "ivig-"
# the published version of each hook of which the context is read (CH-17)
HOOK_VERSIONS = {"patient-view": "1.0", "encounter-start": "1.0", "order-select": "1.0", "order-sign": "1.0"}


def discovery(content: Content, version: str = "") -> dict[str, Any]:
    """{"services": […]} (CH-10 … CH-15); with a version also the fields of 3.0-ballot (CH-16, CH-17)."""
    return {"services": [_service(hook, content) | _versions(hook, version) for hook in served_hooks(content)]}


def _versions(hook: str, version: str) -> dict[str, str]:
    if not version:
        return {}
    return {"version": version} | ({"hookVersion": HOOK_VERSIONS[hook]} if hook in HOOK_VERSIONS else {})


@lru_cache(maxsize=64)
def served_hooks(content: Content) -> tuple[str, ...]:
    """The hooks that at least one plan is triggered by."""
    return tuple(hook for hook in content.hooks if any(hook in plan.hooks for plan in content.plans))


def _service(hook: str, content: Content) -> dict[str, Any]:
    word = content.hooks[hook]
    return {
        "hook": hook,
        "title": word.display,
        "description": word.definition,
        "id": f"{PREFIX}{hook}",
        "prefetch": {key: content.prefetch[key].query for key in prefetch_keys(hook, content)},
        "usageRequirements": content.library["usage"],
    }


@lru_cache(maxsize=256)
def prefetch_keys(hook: str, content: Content) -> tuple[str, ...]:
    """The prefetch keys of the service of a hook: those that its plans read, and the required ones."""
    used = {
        content.requirements[item["id"]].key for plan in content.plans if hook in plan.hooks for item in plan.inputs
    }
    return tuple(key for key, row in content.prefetch.items() if (key in used or row.required) and key != DRAFTS)


def hook_of(service_id: str, content: Content) -> str | None:
    """The hook of a service id, or None when there is no such service."""
    hook = service_id.removeprefix(PREFIX)
    return hook if service_id.startswith(PREFIX) and hook in served_hooks(content) else None
