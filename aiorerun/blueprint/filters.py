r"""Conditions for the rows of a table, as SQL that viewers evaluate.

>>> from aiorerun.blueprint.table import col
>>> str(col("loss") < 0.5)
'"loss" < 0.5'
>>> str(col("tags").list.str.contains("night"))
'any_match("tags", x -> x ILIKE \'%night%\')'
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Filter", "FilterColumn", "ListFilters", "StringFilters", "col"]

_ELEMENT: Final = "x"
"""What conditions on elements of lists call an element."""

_DAY: Final = "date_trunc('day', now())"
_WEEK: Final = "date_trunc('week', now())"


@dataclass(frozen=True)
class Filter:
    """A condition in SQL.

    Attributes:
        sql: The condition, with names of columns in double quotes.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty.
    """

    sql: str

    def __post_init__(self) -> None:
        if not isinstance(self.sql, str):
            raise TypeError(f"Filter: sql: expected a text, got {type(self.sql).__name__}")
        if not self.sql.strip():
            raise ValueError("Filter: sql: the condition is empty")

    def __bool__(self) -> bool:
        raise TypeError(
            "a filter is neither true nor false here: pass several filters in a list instead of joining them "
            "with `and`, and use methods such as `ne` and `is_not_null` instead of `not`"
        )

    def __str__(self) -> str:
        return self.sql


def col(name: str) -> FilterColumn:
    """The column to put a condition on."""
    return FilterColumn(name)


class _ValueFilters:
    """Conditions on the values of a column, or on the elements of its lists, of which one fulfils it."""

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(self, name: str, *, is_list: bool) -> None:
        self._name = name
        self._is_list = is_list

    def _where(self, condition: Callable[[str], str]) -> Filter:
        column = _quoted(self._name, '"')
        if self._is_list:
            return Filter(f"any_match({column}, {_ELEMENT} -> {condition(_ELEMENT)})")
        return Filter(condition(column))

    def _compared(self, operator: str, value: str) -> Filter:
        return self._where(lambda column: f"{column} {operator} {value}")

    def _within(self, start: str, end: str) -> Filter:
        return self._where(lambda column: f"{column} >= {start} AND {column} < {end}")

    def eq(self, value: float) -> Filter:
        """Equal to a number."""
        return self._compared("=", _number(value))

    def ne(self, value: float) -> Filter:
        """Not equal to a number, or missing."""
        return _not(self.eq(value))

    def lt(self, value: float) -> Filter:
        """Less than a number."""
        return self._compared("<", _number(value))

    def le(self, value: float) -> Filter:
        """Less than a number or equal to it."""
        return self._compared("<=", _number(value))

    def gt(self, value: float) -> Filter:
        """Greater than a number."""
        return self._compared(">", _number(value))

    def ge(self, value: float) -> Filter:
        """Greater than a number or equal to it."""
        return self._compared(">=", _number(value))

    def __eq__(self, value: float) -> Filter:  # type: ignore[override]
        return self.eq(value)

    def __ne__(self, value: float) -> Filter:  # type: ignore[override]
        return self.ne(value)

    def __lt__(self, value: float) -> Filter:
        return self.lt(value)

    def __le__(self, value: float) -> Filter:
        return self.le(value)

    def __gt__(self, value: float) -> Filter:
        return self.gt(value)

    def __ge__(self, value: float) -> Filter:
        return self.ge(value)

    def is_true(self) -> Filter:
        """True."""
        return self._compared("=", "true")

    def is_false(self) -> Filter:
        """False."""
        return self._compared("=", "false")

    def is_not_true(self) -> Filter:
        """False, or missing."""
        return _not(self.is_true())

    def is_not_false(self) -> Filter:
        """True, or missing."""
        return _not(self.is_false())

    def is_null(self) -> Filter:
        """Missing. Of lists also empty ones, and those with a missing element."""
        found = self._where(lambda column: f"{column} IS NULL")
        if not self._is_list:
            return found
        column, any_element = _quoted(self._name, '"'), self._where(lambda _: "true")
        return Filter(f"{column} IS NULL OR NOT {any_element} OR {found}")

    def is_not_null(self) -> Filter:
        """There."""
        return _not(self.is_null())

    def before(self, timestamp: datetime) -> Filter:
        """Before a date; without a time zone, that is taken as UTC."""
        return self._compared("<", _timestamp(timestamp))

    def after(self, timestamp: datetime) -> Filter:
        """At a date or later."""
        return self._compared(">=", _timestamp(timestamp))

    def between(self, start: datetime, end: datetime) -> Filter:
        """From one date up to another, which is excluded."""
        return self._within(_timestamp(start), _timestamp(end))

    def not_between(self, start: datetime, end: datetime) -> Filter:
        """Not from one date up to another, or missing."""
        return _not(self.between(start, end))

    def today(self) -> Filter:
        """Today, when the viewer looks."""
        return self._within(_DAY, f"{_DAY} + INTERVAL '1 day'")

    def not_today(self) -> Filter:
        """Not today, or missing."""
        return _not(self.today())

    def yesterday(self) -> Filter:
        """The day before."""
        return self._within(f"{_DAY} - INTERVAL '1 day'", _DAY)

    def not_yesterday(self) -> Filter:
        """Not the day before, or missing."""
        return _not(self.yesterday())

    def last_24_hours(self) -> Filter:
        """At most a day ago."""
        return self._within("now() - INTERVAL '24 hours'", "now()")

    def not_last_24_hours(self) -> Filter:
        """Longer ago than a day, or missing."""
        return _not(self.last_24_hours())

    def this_week(self) -> Filter:
        """Since Monday."""
        return self._within(_WEEK, f"{_WEEK} + INTERVAL '7 days'")

    def not_this_week(self) -> Filter:
        """Not since Monday, or missing."""
        return _not(self.this_week())

    def last_week(self) -> Filter:
        """In the week before."""
        return self._within(f"{_WEEK} - INTERVAL '7 days'", _WEEK)

    def not_last_week(self) -> Filter:
        """Not in the week before, or missing."""
        return _not(self.last_week())

    @property
    def str(self) -> StringFilters:
        """Conditions on texts."""
        return StringFilters(self)


class FilterColumn(_ValueFilters):
    """Conditions on the values of a column. :func:`col` makes it.

    Args:
        name: The column.

    Raises:
        TypeError: The name is no text.
        ValueError: It is empty.
    """

    def __init__(self, name: str) -> None:
        # Within the class `str` is the property.
        if type(name) is not str:
            raise TypeError(f"FilterColumn: name: expected a text, got {type(name).__name__}")
        if not name:
            raise ValueError("FilterColumn: name: a column has a name")
        super().__init__(name, is_list=False)

    def __repr__(self) -> str:
        return f"col({self._name!r})"

    @property
    def list(self) -> ListFilters:
        """Conditions that one element of the list in a cell has to fulfil."""
        return ListFilters(self._name)


class ListFilters(_ValueFilters):
    """Conditions that one element of the list in a cell has to fulfil.

    Args:
        name: The column.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, is_list=True)

    def __repr__(self) -> str:
        return f"col({self._name!r}).list"


class StringFilters:
    """Conditions on texts, in any case.

    Args:
        column: The column.
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __init__(self, column: _ValueFilters) -> None:
        self._column = column

    def __repr__(self) -> str:
        return f"{self._column!r}.str"

    def contains(self, text: str) -> Filter:
        """With this text somewhere."""
        return self._like("%", text, "%")

    def does_not_contain(self, text: str) -> Filter:
        """With this text nowhere, or missing."""
        return _not(self.contains(text))

    def starts_with(self, text: str) -> Filter:
        """Starting with this text."""
        return self._like("", text, "%")

    def ends_with(self, text: str) -> Filter:
        """Ending with this text."""
        return self._like("%", text, "")

    def _like(self, before: str, text: str, after: str) -> Filter:
        if not isinstance(text, str):
            raise TypeError(f"StringFilters: text: expected a text, got {type(text).__name__}")
        if not text:
            raise ValueError("StringFilters: text: every text contains the empty one")
        plain = "".join([f"\\{letter}" if letter in "%_\\" else letter for letter in text])
        escape = "" if plain == text else r" ESCAPE '\'"
        pattern = _quoted(f"{before}{plain}{after}", "'")
        return self._column._where(lambda column: f"{column} ILIKE {pattern}{escape}")


def _not(condition: Filter) -> Filter:
    """The opposite; missing values fulfil it."""
    return Filter(f"({condition}) IS NOT TRUE")


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"a column is compared with a number, not with {type(value).__name__}: for other columns there "
            "are `is_true`, `before` and `str.contains`"
        )
    if isinstance(value, int) or math.isfinite(value):
        return repr(value)
    return f"CAST('{'NaN' if math.isnan(value) else repr(value)}' AS DOUBLE)"


def _timestamp(value: Any) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"a column of times is compared with a datetime, not with {type(value).__name__}")
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return f"TIMESTAMPTZ '{aware.astimezone(UTC).replace(tzinfo=None).isoformat()}Z'"


def _quoted(text: str, mark: str) -> str:
    return f"{mark}{text.replace(mark, mark * 2)}{mark}"
