"""The official SDK, used as its documentation does."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import rerun as rr

from benchmarks.workloads import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Data


class Session:
    """One recording into one sink."""

    def __init__(self, workload: str, sink: str, path: str) -> None:
        # The global recording: module-level functions are how most programs log, and a little faster.
        self.rec = rr.RecordingStream(
            "benchmark", recording_id=path, make_default=True, batcher_config=_config(workload)
        )
        self._memory = None
        if sink == "file":
            self.rec.save(path)
        elif sink == "grpc":
            self.rec.connect_grpc(path)
        else:
            self._memory = self.rec.memory_recording()

    def close(self) -> int | None:
        """Finishes; the number of bytes if they are not in a file."""
        if self._memory is not None:
            return len(self._memory.drain_as_bytes())
        self.rec.disconnect()
        return None


def _config(workload: str) -> Any:
    if workload == "one_row_chunks":
        return rr.ChunkBatcherConfig(flush_tick=timedelta(days=1), flush_num_rows=1)
    if workload == "latency":
        return rr.ChunkBatcherConfig.LOW_LATENCY()
    return None


def scalars(_: Any, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rr.set_time("step", sequence=i)
        rr.log("scalar", rr.Scalars(number))


def entities(_: Any, data: Data) -> None:
    paths = data.paths
    for i, number in enumerate(data.numbers):
        rr.set_time("step", sequence=i)
        rr.log(paths[i % len(paths)], rr.Scalars(number))


def text_log(_: Any, data: Data) -> None:
    for i, text in enumerate(data.texts):
        rr.set_time("step", sequence=i)
        rr.log("log", rr.TextLog(text, level="INFO"))


def any_values(_: Any, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rr.set_time("step", sequence=i)
        rr.log("values", rr.AnyValues(confidence=number, count=i, label="cat"))


def static(_: Any, data: Data) -> None:
    for number in data.numbers:
        rr.log("static", rr.Scalars(number), static=True)


def transform(_: Any, data: Data) -> None:
    for i, number in enumerate(data.numbers):
        rr.set_time("step", sequence=i)
        rotation = rr.Quaternion(xyzw=[0.0, 0.0, 0.6, 0.8])
        rr.log("world/robot", rr.Transform3D(translation=[number, 1.0, 2.0], quaternion=rotation))


def points(_: Any, data: Data) -> None:
    positions = data.positions
    for i in range(data.rows):
        rr.set_time("step", sequence=i)
        rr.log("points", rr.Points3D(positions[i % len(positions)]))


def points_colors(_: Any, data: Data) -> None:
    for i in range(data.rows):
        j = i % len(data.positions)
        rr.set_time("step", sequence=i)
        rr.log("points", rr.Points3D(data.positions[j], colors=data.colors[j], radii=data.radii[j]))


def image(_: Any, data: Data) -> None:
    for i in range(data.rows):
        rr.set_time("step", sequence=i)
        rr.log("camera", rr.Image(data.frames[i % 4]))


def threads(_: Any, data: Data) -> None:
    share = data.rows // THREADS

    def run(thread: int) -> None:
        for i in range(share):
            rr.set_time("step", sequence=i)
            rr.log(f"thread_{thread}", rr.Scalars(data.numbers[i]))

    workers = [threading.Thread(target=run, args=(thread,)) for thread in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def columns(_: Any, data: Data) -> None:
    for times, values in zip(data.times, data.values, strict=True):
        indexes = [rr.TimeColumn("step", sequence=times)]
        rr.send_columns("scalar", indexes, rr.Scalars.columns(scalars=values))


async def _nothing() -> None:
    pass


def latency(_: Any, data: Data) -> dict[str, list[int]]:
    """In an event loop, as an asyncio program would: each call beside one that does nothing."""
    return asyncio.run(_latency(data))


async def _latency(data: Data) -> dict[str, list[int]]:
    clock = time.perf_counter_ns
    positions = data.positions
    empty: list[int] = []
    log: list[int] = []
    for i in range(data.rows):
        before = clock()
        await _nothing()
        between = clock()
        rr.log("small", rr.Scalars(data.numbers[i]))
        after = clock()
        empty.append(between - before)
        log.append(after - between)
        if i % 20 == 0:
            rr.log("points", rr.Points3D(positions[i % len(positions)]))
        await asyncio.sleep(0)
    return {"empty": empty, "log": log}


FUNCTIONS: dict[str, Callable[[Any, Data], Any]] = {
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
    "threads": threads,
    "one_row_chunks": scalars,
    "columns_huge": columns,
    "columns_1k": columns,
    "latency": latency,
}
