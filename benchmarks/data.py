"""The values that are logged: made before the clock starts, the same ones for every SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.workloads import ENTITIES, ROWS_PER_CALL, calls

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = 41
# How many different point clouds there are, and their size. Rows that repeat too soon would be found by
# the compressor, which looks back 64 KiB; a sensor's never are.
_CLOUDS = {
    "points_1k": (64, 1_000),
    "points_1k_colors": (64, 1_000),
    "points_100k": (4, 100_000),
    "latency": (64, 1_000),
}


@dataclass(frozen=True, slots=True)
class Data:
    """What a workload logs; lists of Python values where a program would have Python values."""

    rows: int
    numbers: list[float]
    texts: list[str]
    paths: list[str]
    positions: NDArray[np.float32]
    colors: NDArray[np.uint8]
    radii: NDArray[np.float32]
    frames: NDArray[np.uint8]
    times: NDArray[np.int64]
    """The times of all rows: one line per call."""
    values: NDArray[np.float64]
    """The values of all rows: one line per call."""


def make(workload: str, rows: int) -> Data:
    """The data of a workload; arrays that it does not log are empty."""
    random = np.random.default_rng(_SEED)
    clouds, points = _CLOUDS.get(workload, (1, 0))
    numbers = random.standard_normal(rows)
    is_columns = workload in ROWS_PER_CALL
    shape = (calls(workload, rows), -1) if is_columns else (0, 0)
    return Data(
        rows=rows,
        numbers=[] if is_columns else numbers.tolist(),
        texts=[f"request {i} took {i % 97} ms" for i in range(rows)] if workload == "text_log" else [],
        paths=[f"sensors/motor_{i}/current" for i in range(ENTITIES)],
        positions=random.standard_normal((clouds, points, 3), np.float32),
        colors=random.integers(0, 256, (clouds, points, 4), np.uint8),
        radii=random.random((clouds, points), np.float32),
        frames=_frames(random) if workload == "image" else np.zeros((0, 0, 0, 3), np.uint8),
        times=np.arange(rows if is_columns else 0).reshape(shape),
        values=numbers[: rows if is_columns else 0].reshape(shape),
    )


def _frames(random: np.random.Generator) -> NDArray[np.uint8]:
    """Four camera-like frames: smooth surfaces with the noise of a sensor."""
    y, x = np.mgrid[0:480, 0:640]
    frames = []
    for shift in range(4):
        smooth = np.stack([x / 3 + 10 * shift, y / 2.2, (x + y) / 5], axis=2)
        frames.append(np.clip(smooth + random.normal(0.0, 4.0, smooth.shape), 0, 255).astype(np.uint8))
    return np.stack(frames)
