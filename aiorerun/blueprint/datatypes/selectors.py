"""Choices of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from aiorerun.datatypes._natives import RecordNative
from aiorerun.types.coerce.blueprint_catalog import COMPONENT_COLUMN_SELECTOR, SELECTED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun import datatypes
    from aiorerun.blueprint.datatypes.dataframe import ComponentColumnSelectorLike
    from aiorerun.types.coerce.selectors import SelectorEncoding
    from aiorerun.types.encoding import Encoding


class ComponentColumnSelector(RecordNative):
    """A column: a component of an entity.

    Args:
        spec: Both in one, as ``"/points:positions"``.
        entity_path: Instead of that, together with ``component``: the entity.
        component: Instead of that, together with ``entity_path``: the component.

    Raises:
        ValueError: Neither or both ways were used, or the text has not exactly one colon.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = COMPONENT_COLUMN_SELECTOR

    def __init__(
        self,
        spec: str | None = None,
        *,
        entity_path: datatypes.EntityPathLike | None = None,
        component: datatypes.Utf8Like | None = None,
    ) -> None:
        if spec is None:
            if entity_path is None or component is None:
                raise ValueError("a column needs `spec`, or both `entity_path` and `component`")
            self._set(entity_path, component)
            return
        if entity_path is not None or component is not None:
            raise ValueError("`spec` excludes `entity_path` and `component`")
        if not isinstance(spec, str):
            raise ValueError(f"`spec` must be a text as 'entity path:component', not {spec!r}")  # noqa: TRY004
        self._plain = cast("SelectorEncoding", self.ENCODING).parsed(spec)

    @property
    def entity_path(self) -> datatypes.EntityPath:
        """The entity."""
        from aiorerun.datatypes.common import EntityPath

        return EntityPath(self._plain[0])

    @property
    def component(self) -> datatypes.Utf8:
        """The component."""
        from aiorerun.datatypes.common import Utf8

        return Utf8(self._plain[1])


class SelectedColumns(RecordNative):
    """A choice of columns.

    Args:
        columns: Columns of components, by name too (``"/points:positions"``), and names of timelines.

    Raises:
        ValueError: Something else is among them.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = SELECTED_COLUMNS

    def __init__(self, columns: Sequence[ComponentColumnSelectorLike | datatypes.Utf8Like]) -> None:
        self._plain = cast("SelectorEncoding", self.ENCODING).plain(columns)

    @property
    def time_columns(self) -> list[datatypes.Utf8]:
        """The timelines."""
        from aiorerun.datatypes.common import Utf8

        return [Utf8(item) for item in self._plain[0]]

    @property
    def component_columns(self) -> list[ComponentColumnSelector]:
        """The columns of components."""
        return [ComponentColumnSelector._of(item) for item in self._plain[1]]
