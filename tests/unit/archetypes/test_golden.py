"""Archetypes against what the official SDK makes of the same calls."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun import errors
from aiorerun.types import any_values
from tests import recipes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOLDEN = recipes.load("golden.json")
DIFFERENT = recipes.DIFFERENT


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each recipe starts as a process does: no component has a type yet. And in lenient mode."""
    monkeypatch.setattr(any_values, "_known", {})
    monkeypatch.setattr(any_values, "_plans", {})
    monkeypatch.setattr(any_values, "_warned", set())
    errors.set_strict_mode(False)
    yield
    errors.set_strict_mode(False)


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


def differences(recipe: dict[str, Any], folder: Path) -> list[str]:
    """What is not as recorded, in lenient and in strict mode."""
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
    wanted = recipe.get("batches", [])
    if len(wanted) != len(batches):
        return [*found, f"{len(batches)} batches, not {len(wanted)}"]
    for (*names, array), (*wanted_names, type_number, ipc) in zip(batches, wanted, strict=True):
        if names != wanted_names:
            found.append(f"{names}, not {wanted_names}")
        wanted_type = recipes.arrow_type(GOLDEN["types"][type_number])
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


@pytest.mark.parametrize(
    "recipe", [pytest.param(item, id=item["id"]) for item in GOLDEN["recipes"] if item["id"] not in DIFFERENT]
)
def test_same_as_the_official_sdk(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert differences(recipe, tmp_path) == []


@pytest.mark.parametrize(
    "recipe", [pytest.param(item, id=item["id"]) for item in GOLDEN["recipes"] if item["id"] in DIFFERENT]
)
def test_documented_differences_still_exist(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert differences(recipe, tmp_path) != []


def test_every_documented_difference_is_a_recipe() -> None:
    assert set(DIFFERENT) <= {item["id"] for item in GOLDEN["recipes"]}
