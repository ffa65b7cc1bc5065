"""What a view of rows shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import converted
from aiorerun.blueprint.archetypes.dataframe import DataframeQueryFields

if TYPE_CHECKING:
    from aiorerun import datatypes
    from aiorerun.blueprint import datatypes as blueprint_datatypes


class DataframeQuery(DataframeQueryFields):
    """Which rows and columns a view of rows shows.

    Args:
        timeline: The timeline that rows are sorted by.
        filter_by_range: Only rows between two times.
        filter_is_not_null: Only rows with this component, e.g. ``"/points:Points3D:positions"`` as a
            :class:`ComponentColumnSelector`.
        apply_latest_at: Whether empty cells show what was latest.
        select: The columns: timelines, and components as ``"/points:positions"``; all by default.
        entity_order: The order of entities.
        auto_scroll: Whether it follows what comes in.

    Raises:
        ValueError: A range without two times, or a column that is none.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        timeline: datatypes.Utf8Like | None = None,
        filter_by_range: tuple[datatypes.TimeInt, datatypes.TimeInt]
        | blueprint_datatypes.FilterByRangeLike
        | None = None,
        filter_is_not_null: blueprint_datatypes.ComponentColumnSelectorLike | None = None,
        apply_latest_at: bool = False,
        select: list[blueprint_datatypes.ComponentColumnSelectorLike | datatypes.Utf8Like | str]
        | None = None,
        entity_order: list[str] | None = None,
        auto_scroll: bool = False,
    ) -> None:
        if isinstance(filter_by_range, tuple):
            filter_by_range = converted("DataframeQuery: filter_by_range", _range, filter_by_range)
        if isinstance(filter_is_not_null, str):
            filter_is_not_null = converted("DataframeQuery: filter_is_not_null", _column, filter_is_not_null)
        self._capture(
            timeline, filter_by_range, filter_is_not_null, apply_latest_at, select, entity_order, auto_scroll
        )


def _range(bounds: tuple[Any, ...]) -> Any:
    from aiorerun.blueprint.datatypes import FilterByRange

    if len(bounds) != 2:
        raise ValueError(f"expected two times, got {bounds!r}")
    return FilterByRange(*bounds)


def _column(text: str) -> Any:
    from aiorerun.blueprint.datatypes import ComponentColumnSelector

    return ComponentColumnSelector(text)
