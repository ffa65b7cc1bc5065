"""Arrow arrays taken apart into the nodes and buffers that Arrow's IPC format writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa


class Pieces(tuple[Any, ...]):
    """One buffer in several pieces, each of them C-contiguous: what rows captured, not joined yet."""

    __slots__ = ()


def joined_later(parts: Sequence[Any]) -> Any:
    """Parts of one buffer, as a buffer."""
    return parts[0] if len(parts) == 1 else Pieces(parts)


Buffer: TypeAlias = Union[bytes, memoryview, "np.ndarray[Any, Any]", "pa.Buffer"]
"""Anything with the buffer protocol, C-contiguous; its bytes are written as they are."""


@dataclass(slots=True)
class FlatArray:
    """One Arrow array as the flat lists of an IPC record batch.

    Attributes:
        type: The Arrow type.
        length: Number of elements.
        nodes: ``(length, null count)`` of this array and then of its children, depth first.
        buffers: The buffers in IPC order (metadata version 5), depth first. ``None`` stands for a
            validity bitmap that is left out because nothing is null.

    An array that IPC does not write this way (dictionaries, views) is kept whole in ``arrow``, with
    empty lists; the encoder then falls back to pyarrow.
    """

    type: pa.DataType
    length: int
    nodes: Sequence[tuple[int, int]]
    buffers: Sequence[Buffer | Pieces | None]
    arrow: pa.Array[Any] | None = None
