"""Choices of columns and dimensions in blueprints: structs for which texts and numbers may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiorerun.types.coerce.records import (
    ListEncoding,
    RecordEncoding,
    plain_of,
    plain_of_native,
)
from aiorerun.types.coerce.values import refusal
from aiorerun.types.native import Native, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class LastPartEncoding(RecordEncoding):
    """Structs of flags and, last of all, what they are about; for which that part alone may stand.

    The flags are set then.
    """

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a tuple of its parts."""
        if is_of(value, self):
            return plain_of_native(value)
        try:
            last = plain_of(self.parts[-1].encoding, value)
        except (TypeError, ValueError, OverflowError) as error:
            raise refusal(value, f"{self.name}, or its {self.parts[-1].name}", error) from error
        return (*[True] * (len(self.parts) - 1), last)

    def _items(self, value: Any) -> Sequence[Any]:
        is_single = isinstance(value, str | int) or (isinstance(value, Native) and not is_of(value, self))
        return (value,) if is_single else super()._items(value)


class SelectorEncoding(RecordEncoding):
    """Columns of components: natives, or texts of the form ``entity path:component``."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: entity path and component."""
        return self.parsed(value) if isinstance(value, str) else super().plain(value)

    def parsed(self, text: str) -> tuple[Any, ...]:
        """What a text selects.

        Raises:
            ValueError: It has not exactly one colon.
        """
        parts = text.split(":")
        if len(parts) != len(self.parts):
            raise refusal(text, "a column as 'entity path:component', or a ComponentColumnSelector")
        return self.plain_of_parts(parts)

    def _items(self, value: Any) -> Sequence[Any]:
        return (value,) if isinstance(value, str) else super()._items(value)


class NotNullEncoding(RecordEncoding):
    """Filters for rows that have a component: natives, or the column of the component."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: whether it is in use, and the column."""
        if self._is_column(value):
            return self.plain_of_parts((True, value))
        return super().plain(value)

    def _items(self, value: Any) -> Sequence[Any]:
        return (value,) if self._is_column(value) else super()._items(value)

    def _is_column(self, value: Any) -> bool:
        return isinstance(value, str) or is_of(value, self.parts[1].encoding)


class SelectedColumnsEncoding(RecordEncoding):
    """Choices of columns: natives, or sequences of columns; timelines are texts without a colon."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: the timelines, and the columns of components."""
        if is_of(value, self):
            return plain_of_native(value)
        if isinstance(value, str | Native) or not hasattr(value, "__iter__"):
            raise self._refusal(value)
        times, components = (cast("ListEncoding", part.encoding).item for part in self.parts)
        selectors = cast("SelectorEncoding", components)
        chosen: tuple[list[Any], list[Any]] = ([], [])
        for column in value:
            if is_of(column, selectors):
                chosen[1].append(plain_of_native(column))
            elif isinstance(column, str) and column.count(":") == 1:
                chosen[1].append(selectors.parsed(column))
            elif isinstance(column, str) or is_of(column, times):
                chosen[0].append(plain_of(times, column))
            else:
                raise refusal(column, "a ComponentColumnSelector, or the name of a column or timeline")
        return chosen

    def _items(self, value: Any) -> Sequence[Any]:
        items = super()._items(value)
        if items and (is_of(items[0], self) or isinstance(items[0], list | tuple)):
            return items
        return (items,) if value is not None and not is_of(value, self) else items


class PathsEncoding(ListEncoding):
    """Lists of entity paths. A sequence of them is one instance, one of such sequences several."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a list of paths."""
        if is_of(value, self):
            return plain_of_native(value)
        if isinstance(value, str):
            raise self._refusal(value)
        return super().plain(value)

    def _items(self, value: Any) -> Sequence[Any]:
        items = super()._items(value)
        if items and (is_of(items[0], self) or isinstance(items[0], list | tuple)):
            return items
        return (items,) if value is not None and not is_of(value, self) else items
