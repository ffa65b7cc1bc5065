"""The names that the footer of a file gives to columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiorerun.types.descriptors import ComponentDescriptor

PROPERTIES: Final = "/__properties"

_ARCHETYPE_PREFIXES: Final = ("rerun.archetypes.", "rerun.blueprint.archetypes.", "rerun.")
_REPLACED: Final = re.compile(r"[, \-.\\]")


def column_name(*parts: str) -> str:
    """Joins the parts that are not empty, without characters that query languages trip over."""
    return _REPLACED.sub("_", ":".join(filter(None, parts))).lstrip("_")


def short_archetype(descriptor: ComponentDescriptor) -> str:
    """The archetype without the package it is from; empty if there is none."""
    name = descriptor.archetype or ""
    for prefix in _ARCHETYPE_PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def component_parts(descriptor: ComponentDescriptor) -> tuple[str, str]:
    """Archetype and field, as parts of a column name."""
    archetype = short_archetype(descriptor)
    component = descriptor.component
    return archetype, component.removeprefix(f"{archetype}:") if archetype else component


def schema_name(entity_path: str, component: str) -> str:
    """What a component of an entity is called in the schema of the whole recording."""
    if entity_path == PROPERTIES:
        return f"property:{component}"
    if entity_path.startswith(f"{PROPERTIES}/"):
        return f"property:{entity_path[len(PROPERTIES) + 1 :]}:{component}"
    return f"{entity_path}:{component}"
