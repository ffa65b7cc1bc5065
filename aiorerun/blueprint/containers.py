"""Containers: how views are arranged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.blueprint.parts import Container, View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun import datatypes

__all__ = ["Grid", "Horizontal", "Tabs", "Vertical"]


class Horizontal(Container):
    """Parts beside one another.

    Args:
        args: What is in it.
        contents: The same as one iterable, instead of them.
        column_shares: The widths of the parts, relative to one another.
        name: The name shown for it.
        visible: Whether it is shown.
    """

    def __init__(
        self,
        *args: Container | View,
        contents: Iterable[Container | View] | None = None,
        column_shares: datatypes.Float32ArrayLike | None = None,
        name: datatypes.Utf8Like | None = None,
        visible: datatypes.BoolLike | None = None,
    ) -> None:
        super().__init__(
            *args,
            contents=contents,
            kind="Horizontal",
            column_shares=column_shares,
            name=name,
            visible=visible,
        )


class Vertical(Container):
    """Parts below one another.

    Args:
        args: What is in it.
        contents: The same as one iterable, instead of them.
        row_shares: The heights of the parts, relative to one another.
        name: The name shown for it.
        visible: Whether it is shown.
    """

    def __init__(
        self,
        *args: Container | View,
        contents: Iterable[Container | View] | None = None,
        row_shares: datatypes.Float32ArrayLike | None = None,
        name: datatypes.Utf8Like | None = None,
        visible: datatypes.BoolLike | None = None,
    ) -> None:
        super().__init__(
            *args, contents=contents, kind="Vertical", row_shares=row_shares, name=name, visible=visible
        )


class Grid(Container):
    """Parts in rows and columns.

    Args:
        args: What is in it, row by row.
        contents: The same as one iterable, instead of them.
        column_shares: The widths of the columns, relative to one another.
        row_shares: The heights of the rows, relative to one another.
        grid_columns: How many columns there are; by default the viewer decides.
        name: The name shown for it.
        visible: Whether it is shown.
    """

    def __init__(
        self,
        *args: Container | View,
        contents: Iterable[Container | View] | None = None,
        column_shares: datatypes.Float32ArrayLike | None = None,
        row_shares: datatypes.Float32ArrayLike | None = None,
        grid_columns: int | None = None,
        name: datatypes.Utf8Like | None = None,
        visible: datatypes.BoolLike | None = None,
    ) -> None:
        super().__init__(
            *args,
            contents=contents,
            kind="Grid",
            column_shares=column_shares,
            row_shares=row_shares,
            grid_columns=grid_columns,
            name=name,
            visible=visible,
        )


class Tabs(Container):
    """Parts of which one is shown at a time.

    Args:
        args: What is in it.
        contents: The same as one iterable, instead of them.
        active_tab: The part in front: its position, or the name of the view.
        name: The name shown for it.
        visible: Whether it is shown.
    """

    def __init__(
        self,
        *args: Container | View,
        contents: Iterable[Container | View] | None = None,
        active_tab: int | str | None = None,
        name: datatypes.Utf8Like | None = None,
        visible: datatypes.BoolLike | None = None,
    ) -> None:
        super().__init__(
            *args, contents=contents, kind="Tabs", active_tab=active_tab, name=name, visible=visible
        )
