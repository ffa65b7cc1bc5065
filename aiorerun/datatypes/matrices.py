"""Matrices, which users give in rows and Rerun keeps in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiorerun.datatypes._natives import VectorNative
from aiorerun.types.coerce.catalog import MAT3X3, MAT4X4
from aiorerun.types.encoding import FIXED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.datatypes.common import Mat3x3Like, Mat4x4Like
    from aiorerun.types.coerce.vectors import MatrixEncoding
    from aiorerun.types.encoding import Encoding


class SquareMatrix(VectorNative):
    """What matrices of any size have in common."""

    __slots__ = ()

    ATTRIBUTE = "columns"

    def _set_one_of(self, rows: Any, columns: Any) -> None:
        if (rows is None) == (columns is None):
            raise ValueError("a matrix needs either `rows` or `columns`")
        if columns is None or isinstance(columns, SquareMatrix):
            self._set(rows if columns is None else columns)
            return
        self._set(columns)
        # What was given as columns has been taken for rows: turn it around.
        side = cast("MatrixEncoding", self.ENCODING).side
        self._shape, self._data = FIXED, self._array().reshape(side, side).T.tobytes()

    @property
    def flat_columns(self) -> npt.NDArray[np.float32]:
        """The numbers, column by column."""
        return self._array()


class Mat3x3(SquareMatrix):
    """A matrix of three rows and columns, given in rows or in columns.

    Args:
        rows: The matrix, row by row.
        columns: Instead of the rows: the matrix, column by column.

    Raises:
        ValueError: Neither or both were given, or not nine numbers.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = MAT3X3

    def __init__(self, rows: Mat3x3Like | None = None, *, columns: Mat3x3Like | None = None) -> None:
        self._set_one_of(rows, columns)


class Mat4x4(SquareMatrix):
    """A matrix of four rows and columns, given in rows or in columns.

    Args:
        rows: The matrix, row by row.
        columns: Instead of the rows: the matrix, column by column.

    Raises:
        ValueError: Neither or both were given, or not sixteen numbers.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = MAT4X4

    def __init__(self, rows: Mat4x4Like | None = None, *, columns: Mat4x4Like | None = None) -> None:
        self._set_one_of(rows, columns)
