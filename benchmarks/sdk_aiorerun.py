"""aiorerun, used from asyncio."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import aiorerun as rr

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from benchmarks.data import Data


class Session:
    """One recording into one sink."""

    def __init__(self, workload: str, sink: str, path: str) -> None:
        self.rec = rr.AsyncRecordingStream("benchmark", recording_id=path, batcher_config=_config(workload))
        self._sink = sink
        self._path = path
        self._memory: Any = None

    async def open(self) -> None:
        """Attaches the sink."""
        if self._sink == "file":
            await self.rec.save(self._path)
        elif self._sink == "grpc":
            await self.rec.connect_grpc(self._path)
        else:
            self._memory = await self.rec.memory_recording()

    async def close(self) -> int | None:
        """Finishes; the number of bytes if they are not in a file."""
        written = None if self._memory is None else len(await self._memory.drain_as_bytes())
        await self.rec.disconnect()
        return written


def _config(workload: str) -> rr.ChunkBatcherConfig | None:
    if workload == "one_row_chunks":
        return rr.ChunkBatcherConfig(flush_tick=timedelta(days=1), flush_num_rows=1)
    if workload == "latency":
        return rr.ChunkBatcherConfig.LOW_LATENCY()
    return None


async def scalars(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rec.set_time("step", sequence=i)
        await rec.log("scalar", rr.Scalars(number))


async def entities(rec: rr.AsyncRecordingStream, data: Data) -> None:
    paths = data.paths
    for i, number in enumerate(data.numbers):
        rec.set_time("step", sequence=i)
        await rec.log(paths[i % len(paths)], rr.Scalars(number))


async def text_log(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i, text in enumerate(data.texts):
        rec.set_time("step", sequence=i)
        await rec.log("log", rr.TextLog(text, level="INFO"))


async def any_values(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rec.set_time("step", sequence=i)
        await rec.log("values", rr.AnyValues(confidence=number, count=i, label="cat"))


async def static(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for number in data.numbers:
        await rec.log("static", rr.Scalars(number), static=True)


async def transform(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rec.set_time("step", sequence=i)
        rotation = rr.Quaternion(xyzw=[0.0, 0.0, 0.6, 0.8])
        await rec.log("world/robot", rr.Transform3D(translation=[number, 1.0, 2.0], quaternion=rotation))


async def points(rec: rr.AsyncRecordingStream, data: Data) -> None:
    positions = data.positions
    for i in range(data.rows):
        rec.set_time("step", sequence=i)
        await rec.log("points", rr.Points3D(positions[i % len(positions)]))


async def points_colors(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i in range(data.rows):
        j = i % len(data.positions)
        rec.set_time("step", sequence=i)
        await rec.log("points", rr.Points3D(data.positions[j], colors=data.colors[j], radii=data.radii[j]))


async def image(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for i in range(data.rows):
        rec.set_time("step", sequence=i)
        await rec.log("camera", rr.Image(data.frames[i % 4]))


async def columns(rec: rr.AsyncRecordingStream, data: Data) -> None:
    for times, values in zip(data.times, data.values, strict=True):
        indexes = [rr.TimeColumn("step", sequence=times)]
        await rec.send_columns("scalar", indexes, rr.Scalars.columns(scalars=values))


async def _nothing() -> None:
    pass


async def latency(rec: rr.AsyncRecordingStream, data: Data) -> dict[str, list[int]]:
    """Each call beside one that does nothing, while other rows keep the pipeline busy."""
    clock = time.perf_counter_ns
    positions = data.positions
    empty: list[int] = []
    log: list[int] = []
    for i in range(data.rows):
        before = clock()
        await _nothing()
        between = clock()
        await rec.log("small", rr.Scalars(data.numbers[i]))
        after = clock()
        empty.append(between - before)
        log.append(after - between)
        if i % 20 == 0:
            await rec.log("points", rr.Points3D(positions[i % len(positions)]))
        await asyncio.sleep(0)
    return {"empty": empty, "log": log}


FUNCTIONS: dict[str, Callable[[rr.AsyncRecordingStream, Data], Coroutine[Any, Any, Any]]] = {
    "scalars": scalars,
    "entities": entities,
    "text_log": text_log,
    "any_values": any_values,
    "static": static,
    "transform": transform,
    "points_1k": points,
    "points_1k_colors": points_colors,
    "points_100k": points,
    "image": image,
    "one_row_chunks": scalars,
    "columns_huge": columns,
    "columns_1k": columns,
    "latency": latency,
}
