"""Matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.datatypes._natives import VectorNative
from aiorerun.types.coerce.catalog import MAT3X3
from aiorerun.types.encoding import FIXED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.datatypes.common import Mat3x3Like
    from aiorerun.types.encoding import Encoding


class Mat3x3(VectorNative):
    """A matrix of three rows and columns, given in rows or in columns.

    Args:
        rows: The matrix, row by row.
        columns: Instead of the rows: the matrix, column by column.

    Raises:
        ValueError: Neither or both were given, or not nine numbers.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = MAT3X3
    ATTRIBUTE = "columns"

    def __init__(self, rows: Mat3x3Like | None = None, *, columns: Mat3x3Like | None = None) -> None:
        if (rows is None) == (columns is None):
            raise ValueError("a matrix needs either `rows` or `columns`")
        if columns is None or isinstance(columns, Mat3x3):
            self._set(rows if columns is None else columns)
            return
        self._set(columns)
        # What was given as columns has been taken for rows: turn it around.
        self._shape, self._data = FIXED, self._array().reshape(3, 3).T.tobytes()

    @property
    def flat_columns(self) -> npt.NDArray[np.float32]:
        """The nine numbers, column by column."""
        return self._array()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(self._array(), dtype=dtype)
