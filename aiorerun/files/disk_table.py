"""What has to be known about every chunk of files of any size: kept on disk, with little in memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

_CACHE_KIB: Final = 8 << 10
_FETCHED: Final = 1024


class DiskTable:
    """A table in a temporary database, which goes when it is closed.

    Rows are unique in their key, and come back in its order.

    Args:
        key: The columns of the key.
        others: More columns.
    """

    def __init__(self, *key: str, others: tuple[str, ...] = ()) -> None:
        # The empty name stands for a file that nobody else sees.
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        columns = ", ".join((*key, *others))
        self._database.execute(f"CREATE TABLE t ({columns}, PRIMARY KEY ({', '.join(key)})) WITHOUT ROWID")
        places = ", ".join("?" * (len(key) + len(others)))
        self._insert = f"INSERT OR IGNORE INTO t VALUES ({places})"  # noqa: S608
        self._order = ", ".join(key)
        self._database.execute("BEGIN")

    def add(self, *row: Any) -> bool:
        """Adds a row; returns whether there was none with its key."""
        return self._database.execute(self._insert, row).rowcount == 1

    def rows(
        self, what: str = "*", where: str = "1", values: Iterable[Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Rows, in the order of the key; the table must not be changed meanwhile.

        Args:
            what: Columns.
            where: Which rows, with ``?`` for values.
            values: The values.
        """
        query = f"SELECT {what} FROM t WHERE {where} ORDER BY {self._order}"  # noqa: S608
        cursor = self._database.execute(query, tuple(values))
        while found := cursor.fetchmany(_FETCHED):
            yield from found

    def distinct(self, column: str) -> Iterator[Any]:
        """The values of a column, each once, sorted."""
        query = f"SELECT DISTINCT {column} FROM t ORDER BY {column}"  # noqa: S608
        for (value,) in self._database.execute(query):
            yield value

    def close(self) -> None:
        """Gives the space back."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
