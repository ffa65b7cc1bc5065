"""Choices of columns and dimensions in blueprints: structs for which texts and numbers may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aiorerun.types.coerce.numbers import NumberEncoding
from aiorerun.types.coerce.records import (
    ListEncoding,
    RecordEncoding,
    plain_of,
    plain_of_native,
)
from aiorerun.types.coerce.text import TextEncoding, writable
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
            last = self._last(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise refusal(value, f"{self.name}, or its {self.parts[-1].name}", error) from error
        return (*[True] * (len(self.parts) - 1), last)

    def _last(self, value: Any) -> Any:
        encoding = self.parts[-1].encoding
        if isinstance(encoding, TextEncoding):
            return writable(str(value))
        if getattr(value, "ndim", 0):
            raise TypeError("an array is none")
        return plain_of(encoding, value)

    def _items(self, value: Any) -> Sequence[Any]:
        if isinstance(value, str):
            return (value,) if value else ()
        is_alone = isinstance(value, Native) and not is_of(value, self)
        is_number = isinstance(value, int) and isinstance(self.parts[-1].encoding, NumberEncoding)
        return (value,) if is_alone or is_number else super()._items(value)


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
        if isinstance(value, str):
            return (value,) if value else ()
        return super()._items(value)


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
        if isinstance(value, str):
            value = (value,)
        elif isinstance(value, Native) or not hasattr(value, "__iter__"):
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
        if isinstance(value, str):
            return (value or (),)
        items = super()._items(value)
        if not items or is_of(items[0], self):
            return items if is_of(value, self) or items or value is None else (items,)
        is_column = isinstance(items[0], str | Native) or not hasattr(items[0], "__iter__")
        return (items,) if is_column else items


class PathsEncoding(ListEncoding):
    """Lists of entity paths: natives, or a sequence of what stands for paths, which is one instance."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a list of paths."""
        if is_of(value, self):
            return plain_of_native(value)
        return [writable(str(item)) for item in ((value,) if isinstance(value, str) else value)]

    def _items(self, value: Any) -> Sequence[Any]:
        if isinstance(value, str):
            return (value or (),)
        items = super()._items(value)
        several = value is None or is_of(value, self) or (items and is_of(items[0], self))
        return items if several else (items,)
