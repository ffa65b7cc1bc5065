"""Blueprints made by both SDKs are the same, row by row."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as aio
import aiorerun.blueprint as aio_blueprint
import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb
from aiorerun.codec.decoder import read_chunks
from tests import recipes
from tests.conformance.blueprint_cases import CASES
from tests.conformance.blueprint_rows import blueprints_in
from tests.conformance.blueprint_view_cases import filters
from tests.reading import assert_verified
from tests.unit.made_blueprints import seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("rerun")

SIGNATURES: dict[str, Any] = recipes.load("blueprints.json")["signatures"]
NO_VALUE = inspect.Parameter.empty


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    """What one of the two would only warn of is an error."""
    import rerun

    rr.set_strict_mode(True)
    rerun.set_strict_mode(True)
    yield
    rr.set_strict_mode(False)
    rerun.set_strict_mode(False)


@pytest.mark.parametrize("name", CASES)
def test_both_make_the_same_rows(name: str, tmp_path: Path) -> None:
    import rerun
    import rerun.blueprint

    ours, official = tmp_path / "ours.rbl", tmp_path / "official.rbl"
    made, wanted = CASES[name](rrb, rr), CASES[name](rerun.blueprint, rerun)
    if isinstance(made, rrb.View | rrb.Container):
        made, wanted = rrb.Blueprint(made), wanted.to_blueprint()
    made.save("app", ours)
    wanted.save("app", official)
    (found,), (expected,) = blueprints_in(ours), blueprints_in(official)
    assert found == expected != []
    assert {store.application_id for store, _ in read_chunks(ours.read_bytes())} == {"app"}
    assert [each.kind for each in seen(ours) if each.kind != "chunk"] == ["info", "activation"]
    assert seen(ours)[-1] == seen(official)[-1]
    assert_verified([ours])


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


class Recorder:
    """A module that notes which parameters its classes are called with."""

    def __init__(self, module: Any, used: set[tuple[str, str]]) -> None:
        self._module = module
        self._used = used

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if inspect.ismodule(found):
            return Recorder(found, self._used)
        if not inspect.isclass(found):
            return found
        used = self._used
        if hasattr(found, "__members__") or hasattr(found, "cursor_relative"):
            return found

        class Noted(found):  # type: ignore[misc, valid-type]
            def __new__(cls, *args: Any, **kwargs: Any) -> Any:
                bound = inspect.signature(found).bind(*args, **kwargs)
                used.update((name, parameter) for parameter in bound.arguments)
                return found(*args, **kwargs)

        return Noted


def test_they_use_every_parameter_of_every_view_container_and_panel() -> None:
    used: set[tuple[str, str]] = set()
    for make in CASES.values():
        make(Recorder(rrb, used), rr)
    wanted = {
        (name.rpartition(".")[2], parameter)
        for name, parameters in SIGNATURES.items()
        if name.rpartition(".")[2][0].isupper()
        and not name.endswith(("Filter", "Filters", "FilterColumn", "VisualizableArchetype"))
        for parameter, *_ in parameters
    }
    for archetype in aio_blueprint.archetypes.__all__:
        if not archetype.endswith("Blueprint") and archetype not in _MADE_BY_OTHERS:
            cls = getattr(aio_blueprint.archetypes, archetype)
            wanted |= {(archetype, parameter) for parameter in inspect.signature(cls).parameters}
    assert wanted - used - {("VisibleTimeRanges", "start"), ("VisibleTimeRanges", "end")} == set()


_MADE_BY_OTHERS = ("ActiveVisualizers", "CardLayout", "TableColumn", "TableColumnPreview", "TableLayout",
                   "VisualizerInstruction")  # fmt: skip


def test_all_filters_are_the_same_sql() -> None:
    import rerun.blueprint

    assert filters(rrb) == filters(rerun.blueprint)
    assert len(filters(rrb)) > 150


def signature(function: Any) -> list[list[Any]]:
    """Names, kinds and defaults."""
    return [
        [item.name, item.kind.name.lower(), None if item.default is NO_VALUE else repr(item.default)]
        for item in inspect.signature(function).parameters.values()
        if item.name != "self"
    ]


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("module", [aio, rr], ids=["asyncio", "blocking"])
def test_signatures_are_the_official_ones(name: str, module: Any) -> None:
    import rerun

    found, official = module, rerun
    hidden = {"api", "views", "_base", "_table_filters", "_table_cells"}
    for part in [part for part in name.removeprefix("rerun.").split(".") if part not in hidden]:
        found, official = getattr(found, part), getattr(official, part)
    if SIGNATURES[name] is None:
        assert isinstance(found, property)
        return
    if "VisualizableArchetype" not in name:
        assert signature(found) == signature(official)
    assert [item[0] for item in signature(found)] == [item[0] for item in SIGNATURES[name]]


def test_names_are_the_official_ones() -> None:
    import rerun.blueprint

    official = {
        name
        for name, value in vars(rerun.blueprint).items()
        if not name.startswith("_") and name not in ("annotations", "api", "containers", "experimental")
        and (not inspect.ismodule(value) or value.__name__.startswith("rerun."))
    }  # fmt: skip
    assert official - set(rrb.__all__) == set()
    for name in rrb.__all__:
        assert getattr(rrb, name) is not None
        assert getattr(aio_blueprint, name) is not None
