"""The module :mod:`aiorerun.blueprint.table` under the name a drop-in needs: saving blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint import table
from aiorerun.sync.blueprint._saving import TableBlueprint

if TYPE_CHECKING:
    from aiorerun.blueprint.filters import Filter, FilterColumn, ListFilters, StringFilters, col
    from aiorerun.blueprint.table import (
        CardLayout,
        Column,
        PreviewCell,
        PreviewsConfig,
        SortBy,
        TableLayout,
    )

__all__ = [
    "CardLayout",
    "Column",
    "Filter",
    "FilterColumn",
    "ListFilters",
    "PreviewCell",
    "PreviewsConfig",
    "SortBy",
    "StringFilters",
    "TableBlueprint",
    "TableLayout",
    "col",
]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(table, name)


def __dir__() -> list[str]:
    return dir(table)
