"""Encodings: how a user's value becomes captured data, and captured data an Arrow column.

A value is captured once, when it is logged, in one of a few shapes that are cheap to keep; the
Arrow array is built once per column of a chunk. Fixed-width single instances, the common small
case, are plain bytes that are packed into the row itself.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.types.flat import FlatArray

Shape: TypeAlias = int
"""In which of the shapes below a value is kept."""

FIXED: Final[Shape] = 1
"""One instance as ``bytes`` of exactly ``Encoding.width``, stored inside the row."""
ARRAY: Final[Shape] = 2
"""Any number of instances: a C-contiguous ``np.ndarray`` that nobody else writes to, in the final
dtype, its first axis the instances."""
TEXT: Final[Shape] = 3
"""One instance: a ``str``."""
TEXTS: Final[Shape] = 4
"""Any number of instances: a ``tuple`` of ``str``."""
BLOB: Final[Shape] = 5
"""One instance that is a list of bytes: ``bytes``, or a 1-D uint8 array nobody else writes to."""
ARROW: Final[Shape] = 6
"""Any number of instances: a ``pa.Array`` of the encoding's type. Unlike data of the other shapes it may be
somebody else's: rows and columns copy it."""

PACKED: Final[Shape] = 7
"""Any number of instances as an object of the encoding's own, which has ``len()`` (the number of
instances) and ``nbytes``. For instances of varying size that are too frequent for ARROW."""

RAW: Final[Shape] = 8
"""Any number of instances, each as in FIXED, one behind the other: ``bytes``, or a 1-D uint8 array nobody
else writes to. What arrays in rows become: the quickest to capture and to write."""

DYNAMIC: Final[Shape] = 0
"""Not a shape: a converter that answers with the shape and the data together."""

Captured: TypeAlias = tuple[Shape, Any]
"""A value in one of the shapes: the shape, and the data."""

Converter: TypeAlias = "tuple[Shape, Callable[[Any], Any]]"
"""How values of one Python type are captured: always into this shape, or ``DYNAMIC``."""


_E = TypeVar("_E", bound="Encoding")

_CATALOGS: Final = ("aiorerun.types.coerce.catalog", "aiorerun.types.coerce.blueprint_catalog")
"""The modules in which encodings have names."""


def once_per_encoding(make: Callable[[_E], pa.DataType]) -> Callable[[_E], pa.DataType]:
    """Makes an Arrow type once: equal ones that are other objects take long to be recognised.

    There are few encodings, and they live as long as the program.
    """
    return cache(make)


class Encoding:
    """One way of turning values into Arrow data; subclasses are one per family.

    Attributes:
        width: Bytes of one instance in the FIXED shape, 0 if the family has no such shape.
    """

    __slots__ = ()
    width: int = 0

    def __reduce__(self) -> tuple[Callable[..., Encoding], tuple[Any, ...]]:
        """How to find it again, in this process or another: encodings are compared by identity."""
        return _encoding_at, _place_of(self)

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        raise NotImplementedError

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes.

        Raises:
            TypeError, ValueError, OverflowError: The value does not fit; the message says what came
                and what is accepted.
        """
        raise NotImplementedError

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values whose type is exactly ``kind``.

        The function may fail where ``capture`` would succeed, or with a less helpful error; callers
        then use ``capture``.
        """
        return DYNAMIC, self.capture

    def row_converter(self, kind: type) -> Converter:
        """The same for values of rows, which may also become RAW."""
        return self.converter(kind)

    def packer(self, kind: type) -> Callable[..., bytes] | None:
        """What packs the items of a sequence of type ``kind`` that is one FIXED instance.

        ``None`` if no such sequence is. It fails with ``struct.error``, ``OverflowError`` or
        ``TypeError`` for sequences that are none, or several, instances.
        """
        return None

    def empty(self) -> Captured:
        """No instance at all, which clears a component."""
        return self.capture(())

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads ``size`` instances captured from a value.

        Arrays of numbers have one row per element of their first axis; all else one per instance.
        """
        return size

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances: ``raw`` has shape (instances, width), C-contiguous."""
        raise NotImplementedError

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances, those of all rows joined along the first axis."""
        raise NotImplementedError

    def raw_column(self, parts: Sequence[bytes | npt.NDArray[np.uint8]]) -> FlatArray:
        """Values of RAW instances, those of all rows; they are not copied."""
        raise NotImplementedError

    def blob_column(self, blobs: Sequence[bytes | npt.NDArray[np.uint8]]) -> FlatArray:
        """Values of many BLOB instances."""
        raise NotImplementedError

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of PACKED instances, those of all rows joined."""
        raise NotImplementedError


@cache
def _place_of(encoding: Encoding) -> tuple[str, str]:
    """The catalog an encoding is in, and its name there."""
    for catalog in _CATALOGS:
        for name, found in vars(importlib.import_module(catalog)).items():
            if found is encoding:
                return catalog, name
    raise TypeError(f"cannot pickle {encoding!r}, which is in no catalog")


def _encoding_at(catalog: str, name: str) -> Encoding:
    """The encoding that a catalog has under a name."""
    found: Encoding = getattr(importlib.import_module(catalog), name)
    return found
