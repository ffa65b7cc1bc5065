"""Archetypes of blueprints, and whole blueprints, against what the official SDK makes of the same calls."""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun import errors
from aiorerun.types.batches import DescribedComponentBatch
from tests import recipes
from tests.golden import batch_differences, differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOLDEN = recipes.load("blueprints.json")
IDS = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

DIFFERENT: dict[str, str] = {}
"""Recipes that give something else here, and why; documented in docs/differences.md."""


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    errors.set_strict_mode(False)
    yield
    errors.set_strict_mode(False)


@pytest.mark.parametrize(
    "recipe", [pytest.param(item, id=item["id"]) for item in GOLDEN["recipes"] if item["id"] not in DIFFERENT]
)
def test_same_as_the_official_sdk(recipe: dict[str, Any], tmp_path: Path) -> None:
    assert differences(recipe, tmp_path, GOLDEN["types"]) == []


def test_at_least_99_percent_are_the_same() -> None:
    names = {item["id"] for item in GOLDEN["recipes"]}
    assert set(DIFFERENT) <= names
    assert len(DIFFERENT) <= len(names) / 100


class Numbers:
    """Random ids by the order in which they are met, as texts and as bytes."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        return IDS.sub(lambda match: self._known.setdefault(match[0], f"id{len(self._known)}"), text)

    def plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list) and len(value) == 16 and all(isinstance(item, int) for item in value):
            digits = bytes(value).hex()
            return self.text("-".join(re.fullmatch("(.{8})(.{4})(.{4})(.{4})(.{12})", digits).groups()))  # type: ignore[union-attr]
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items()}
        return value


def structural(rows: list[tuple[str, bool, list[Any]]]) -> list[Any]:
    """Rows as plain values, in which ids are numbered by the order in which they come."""
    numbers = Numbers()
    return [
        (
            numbers.text(path),
            static,
            [(*names, str(array.type), numbers.plain(array.to_pylist())) for *names, array in batches],
        )
        for path, static, batches in rows
    ]


def rows_of(blueprint: Any) -> list[tuple[str, bool, list[Any]]]:
    found: list[tuple[str, bool, list[Any]]] = []
    for path, (form, fixed, objects), static in blueprint._rows():
        batches = [
            (spec.descriptor.component, spec.descriptor.archetype, spec.descriptor.component_type, array)
            for spec, array in zip(form.columns, _arrays(form, fixed, objects), strict=True)
        ]
        found.append((path.removeprefix("/"), static, batches))
    return found


def _arrays(form: Any, fixed: bytes, objects: Any) -> list[Any]:
    from aiorerun.types.coerce.arrow import captured_to_arrow

    return [
        captured_to_arrow(spec.encoding, spec.shape, data)
        for spec, data in zip(form.columns, form.split(fixed, objects), strict=True)
    ]


@pytest.mark.parametrize("whole", [pytest.param(item, id=item["id"]) for item in GOLDEN["blueprints"]])
def test_whole_blueprints_are_the_same_sequence_of_rows(whole: dict[str, Any], tmp_path: Path) -> None:
    if "error" in whole:
        with pytest.raises(getattr(builtins, whole["error"])):
            rows_of(recipes.make(whole["build"], tmp_path))
        return
    ours = rows_of(recipes.make(whole["build"], tmp_path))
    wanted = [
        (path, static, [(*names, recipes.arrow_array(ipc)) for *names, _, ipc in batches])
        for path, static, batches in whole["rows"]
    ]
    assert structural(ours) == structural(wanted)
    for (_, _, batches), (_, _, recorded) in zip(ours, whole["rows"], strict=True):
        listed = [[*names, array] for *names, array in batches]
        # The values, where they are no ids, were compared above.
        assert [
            item for item in batch_differences(listed, recorded, GOLDEN["types"]) if ", not [" not in item
        ] == []


def test_a_described_batch_is_a_default() -> None:
    import aiorerun.blueprint as rrb
    from aiorerun import archetypes

    (batch,) = archetypes.SeriesLines.from_fields(widths=2).as_component_batches()
    assert isinstance(batch, DescribedComponentBatch)
    (path,) = [path for path, _, _ in rrb.TimeSeriesView(defaults=[batch])._rows() if "defaults" in path]
    assert path.endswith("/defaults")
