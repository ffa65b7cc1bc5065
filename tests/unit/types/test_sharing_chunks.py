"""Values whose rows share a chunk: their data is put together piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import errors
from tests.reading import rows_of


class InColumns:
    """An array that is stored by columns, as tables give theirs."""

    def __init__(self, array: Any) -> None:
        self._array = np.asfortranarray(array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._array if dtype is None else self._array.astype(dtype, order="K")


MANY = np.random.default_rng(4).standard_normal((900, 3)).astype(np.float32)
MATRICES = np.random.default_rng(5).standard_normal((3, 3, 100)).astype(np.float32).T


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        (lambda: rr.Points3D(InColumns(MANY)), "positions", MANY),
        (lambda: rr.Boxes3D(half_sizes=InColumns(MANY)), "half_sizes", MANY),
        (lambda: rr.InstancePoses3D(mat3x3=MATRICES), "mat3x3", MATRICES.transpose(0, 2, 1).reshape(-1, 9)),
        (lambda: rr.InstancePoses3D(mat3x3=np.asfortranarray(MATRICES)), "mat3x3",
         MATRICES.transpose(0, 2, 1).reshape(-1, 9)),
    ],
)  # fmt: skip
async def test_arrays_by_columns_can_share_a_chunk(given: Any, field: str, expected: Any) -> None:
    rec = rr.AsyncRecordingStream("app", send_properties=False, batcher_config=rr.ChunkBatcherConfig.NEVER())
    memory = await rec.memory_recording()
    for _ in range(3):
        await rec.log("a", given())
    await rec.flush()
    assert rec.stats().rows_dropped == 0
    rows = rows_of(await memory.drain_as_bytes())
    await rec.disconnect()
    assert len(rows) == 3
    for row in rows:
        assert np.array_equal(row.values[f"{type(given()).__name__}:{field}"], expected)


async def test_blobs_of_a_subclass_of_bytes_can_share_a_chunk() -> None:
    class Loud(bytes):
        def __len__(self) -> int:
            raise AssertionError("called")

    rec = rr.AsyncRecordingStream("app", send_properties=False, batcher_config=rr.ChunkBatcherConfig.NEVER())
    await rec.memory_recording()
    for size in (10, 5000):
        await rec.log("a", rr.EncodedImage(contents=Loud(b"x" * size), media_type="image/png"))
        await rec.log("a", rr.EncodedImage(contents=np.bytes_(b"y" * size), media_type="image/png"))
    await rec.flush()
    assert (rec.stats().rows_delivered, rec.stats().rows_dropped) == (4, 0)
    await rec.disconnect()


@pytest.mark.parametrize(("names", "error"), [(["a", None], TypeError), (["a", "\udfff"], ValueError)])
def test_names_of_dimensions(names: Any, error: type[Exception]) -> None:
    with errors.strict_scope(True), pytest.raises(error, match="dim_names"):
        rr.Tensor(np.zeros((2, 2)), dim_names=names)
