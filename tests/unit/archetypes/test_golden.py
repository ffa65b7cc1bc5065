"""Archetypes against what the official SDK makes of the same calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aiorerun import errors
from aiorerun.types import any_values
from tests import recipes
from tests.golden import differences

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


@pytest.mark.parametrize(
    "recipe", [pytest.param(item, id=item["id"]) for item in GOLDEN["recipes"] if item["id"] not in DIFFERENT]
)
def test_same_as_the_official_sdk(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert differences(recipe, tmp_path, GOLDEN["types"]) == []


@pytest.mark.parametrize(
    "recipe", [pytest.param(item, id=item["id"]) for item in GOLDEN["recipes"] if item["id"] in DIFFERENT]
)
def test_documented_differences_still_exist(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert differences(recipe, tmp_path, GOLDEN["types"]) != []


def test_every_documented_difference_is_a_recipe() -> None:
    assert set(DIFFERENT) <= {item["id"] for item in GOLDEN["recipes"]}
