"""Rows of a chunk that become a chunk of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.types.tuid import TuidSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

_ids: Final = TuidSource()


def divided(batch: pa.RecordBatch, chosen: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    """Some rows of the batch of a chunk, with fresh chunk ids; the row ids stay.

    Args:
        batch: The chunk.
        chosen: Which rows.

    Returns:
        One batch; several where Arrow cannot bring rows of its types together.
    """
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return
    if rows[-1] - rows[0] + 1 == len(rows):
        yield _renamed(batch.slice(int(rows[0]), len(rows)))
        return
    try:
        yield _renamed(batch.filter(pa.array(chosen)))
    except pa.ArrowException:
        for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1):
            yield _renamed(batch.slice(int(run[0]), len(run)))


def _renamed(batch: pa.RecordBatch) -> pa.RecordBatch:
    metadata: dict[bytes, Any] = dict(batch.schema.metadata or {})
    metadata[names.CHUNK_ID] = f"{names.CHUNK_ID_PREFIX}{_ids.next()}".encode()
    return batch.replace_schema_metadata(metadata)
