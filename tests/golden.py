"""Recipes compared with what the official SDK made of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from aiorerun import errors
from aiorerun.types import any_values
from tests import recipes

if TYPE_CHECKING:
    from pathlib import Path


def outcome(recipe: dict[str, Any], folder: Path) -> tuple[list[Any], Exception | None, list[str]]:
    """Batches (descriptor parts and array), the error, and the categories of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = recipes.make(recipe["build"], folder)
            if recipe["kind"] == "batches":
                parts = made.as_component_batches()
            elif recipe["kind"] == "columns":
                parts = list(made)
            else:
                parts = [made]
            batches = [(*_names(part, recipe["kind"]), part.as_arrow_array()) for part in parts]
            error = None
        except Exception as raised:
            batches, error = [], raised
    return batches, error, sorted(item.category.__name__ for item in caught)


def _names(part: Any, kind: str) -> tuple[str | None, str | None, str | None]:
    if kind == "array":
        return None, None, None
    descriptor = part.component_descriptor()
    return descriptor.component, descriptor.archetype, descriptor.component_type


def differences(recipe: dict[str, Any], folder: Path, types: list[Any]) -> list[str]:
    """What is not as recorded, in lenient and in strict mode; ``types`` are those the recording numbers."""
    batches, error, warned = outcome(recipe, folder)
    errors.set_strict_mode(True)
    any_values._known.clear()
    any_values._plans.clear()
    _, strict_error, _ = outcome(recipe, folder)
    wanted_strict = recipe.get("strict_error", recipe.get("error"))
    found = [
        *_error_differences("lenient", recipe.get("error"), error),
        *_error_differences("strict", wanted_strict, strict_error),
    ]
    if warned != sorted(recipe.get("warnings", [])):
        found.append(f"warnings {warned}, not {recipe.get('warnings', [])}")
    return [*found, *batch_differences(batches, recipe.get("batches", []), types)]


def batch_differences(batches: list[Any], wanted: list[Any], types: list[Any]) -> list[str]:
    """In what batches (three names and an array each) are not as recorded."""
    found: list[str] = []
    if len(wanted) != len(batches):
        return [f"{len(batches)} batches, not {len(wanted)}"]
    for (*names, array), (*wanted_names, type_number, ipc) in zip(batches, wanted, strict=True):
        if names != wanted_names:
            found.append(f"{names}, not {wanted_names}")
        wanted_type = recipes.arrow_type(types[type_number])
        if not recipes.same_type(array.type, wanted_type):
            found.append(f"{names[0]}: {array.type}, not {wanted_type}")
        elif ipc is not None:
            values, wanted_values = (
                recipes.plain(item.to_pylist()) for item in (array, recipes.arrow_array(ipc))
            )
            if values != wanted_values:
                found.append(f"{names[0]}: {values}, not {wanted_values}")
    return found


def _error_differences(mode: str, wanted: str | None, error: Exception | None) -> list[str]:
    if wanted is None and error is None:
        return []
    if wanted is None or error is None or recipes.family(wanted) != recipes.family(type(error).__name__):
        return [f"{mode}: {error!r}, not {wanted}"]
    return []
