"""Functions of every kind that run inside a recording of their own, in both APIs."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path


def ids_of(*paths: Path) -> list[str]:
    return [row.recording for path in paths for row in rows_of(path)]


async def test_a_coroutine_function(tmp_path: Path) -> None:
    @rr.thread_local_stream("job")
    async def job(name: str) -> str:
        """Does it."""
        await rr.save(tmp_path / f"{name}.rrd")
        for number in range(5):
            await rr.log("a", rr.Scalars(float(number)))
            await asyncio.sleep(0)
        return name

    assert inspect.iscoroutinefunction(job)
    assert (job.__name__, job.__doc__) == ("job", "Does it.")
    names = [f"j{number}" for number in range(5)]
    assert await asyncio.gather(*map(job, names)) == names
    assert rr.get_data_recording() is None
    paths = [tmp_path / f"{name}.rrd" for name in names]
    assert_verified(paths)
    assert [scalars_of(path, "/a") for path in paths] == [[0.0, 1.0, 2.0, 3.0, 4.0]] * 5
    assert len(set(ids_of(*paths))) == 5


async def test_it_is_closed_after_an_error_and_a_cancellation(tmp_path: Path) -> None:
    @rr.context_local_stream("job")
    async def job(path: Path, then: Any) -> None:
        await rr.save(path)
        await rr.log("a", rr.Scalars(1.0))
        await then()

    async def fail() -> None:
        raise KeyError("on purpose")

    waiting = asyncio.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    with pytest.raises(KeyError, match="on purpose"):
        await job(tmp_path / "error.rrd", fail)
    task = asyncio.create_task(job(tmp_path / "cancelled.rrd", wait))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_verified([tmp_path / "error.rrd", tmp_path / "cancelled.rrd"])


async def test_an_async_generator(tmp_path: Path) -> None:
    @rr.thread_local_stream("job")
    async def produce(name: str) -> AsyncGenerator[str, str]:
        await rr.save(tmp_path / f"{name}.rrd")
        got = "1"
        try:
            while True:
                await rr.log("a", rr.Scalars(float(got)))
                try:
                    got = yield name
                except KeyError:
                    got = "7"
        finally:
            await rr.log("end", rr.Scalars(0.0))

    first, second = produce("first"), produce("second")
    for generator, name in ((first, "first"), (second, "second")):
        assert await anext(generator) == name
        assert rr.get_data_recording() is None
        assert await generator.asend("2") == name
        assert await generator.athrow(KeyError()) == name
    await first.aclose()
    await second.aclose()
    paths = [tmp_path / "first.rrd", tmp_path / "second.rrd"]
    assert_verified(paths)
    for path in paths:
        assert scalars_of(path, "/a") == [1.0, 2.0, 7.0]
        assert scalars_of(path, "/end") == [0.0]
    assert len(set(ids_of(*paths))) == 2


async def test_plain_functions_of_the_asyncio_api_are_closed_soon() -> None:
    seen: list[rr.AsyncRecordingStream] = []

    @rr.thread_local_stream("job")
    def job() -> int:
        rec = rr.get_data_recording()
        assert rec is not None
        seen.append(rec)
        rr.log_nowait("a", rr.Scalars(1.0))
        return 3

    assert job() == 3
    assert rr.get_data_recording() is None
    with pytest.warns(rr.RerunWarning, match="is closed"):
        seen[0].log_nowait("a", rr.Scalars(1.0))

    @rr.thread_local_stream("job")
    def produce() -> Generator[str | None, None, None]:
        yield rr.get_recording_id()
        yield rr.get_recording_id()

    ids = list(produce())
    assert ids[0] == ids[1] is not None


async def test_a_plain_function_whose_recording_has_a_sink(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    tasks: list[asyncio.Task[None]] = []

    @rr.thread_local_stream("job")
    def job() -> None:
        rec = rr.get_data_recording()
        assert rec is not None
        rr.log_nowait("a", rr.Scalars(1.0))
        # The task inherits the recording, and goes on when this function is through.
        tasks.append(asyncio.create_task(rec.save(path)))

    job()
    with pytest.raises(rr.StreamClosedError):
        await tasks[0]
    assert not path.exists()


def test_the_blocking_api(tmp_path: Path) -> None:
    @blocking.thread_local_stream("job")
    def job(name: str) -> str:
        blocking.save(tmp_path / f"{name}.rrd")
        for number in range(5):
            blocking.log("a", blocking.Scalars(float(number)))
        return name

    @blocking.thread_local_stream("job")
    def produce(name: str) -> Generator[str | None, str, str]:
        blocking.save(tmp_path / f"{name}.rrd")
        got = yield blocking.get_recording_id()
        while got != "stop":
            blocking.log("a", blocking.Scalars(float(got)))
            got = yield blocking.get_recording_id()
        return name

    threads = [threading.Thread(target=job, args=(f"t{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    generators = [produce("g0"), produce("g1")]
    ids = [next(generator) for generator in generators]
    assert blocking.get_data_recording() is None
    assert [generator.send("1.5") for generator in generators] == ids
    for generator, name in zip(generators, ("g0", "g1"), strict=True):
        with pytest.raises(StopIteration) as stop:
            generator.send("stop")
        assert stop.value.value == name
    paths = [tmp_path / f"{name}.rrd" for name in ("t0", "t1", "t2", "g0", "g1")]
    assert_verified(paths)
    assert [scalars_of(path, "/a") for path in paths[:3]] == [[0.0, 1.0, 2.0, 3.0, 4.0]] * 3
    assert [scalars_of(path, "/a") for path in paths[3:]] == [[1.5]] * 2
    assert len(set(ids_of(*paths))) == 5


async def test_coroutines_and_async_generators_of_the_blocking_api(tmp_path: Path) -> None:
    @blocking.thread_local_stream("job")
    async def job(path: Path) -> None:
        await asyncio.to_thread(blocking.save, path)
        blocking.log("a", blocking.Scalars(1.0))

    @blocking.thread_local_stream("job")
    async def produce(path: Path) -> AsyncGenerator[int, None]:
        await asyncio.to_thread(blocking.save, path)
        for number in range(3):
            blocking.log("a", blocking.Scalars(float(number)))
            yield number

    await job(tmp_path / "a.rrd")
    assert [number async for number in produce(tmp_path / "b.rrd")] == [0, 1, 2]
    assert blocking.get_data_recording() is None
    assert_verified([tmp_path / "a.rrd", tmp_path / "b.rrd"])
    assert scalars_of(tmp_path / "b.rrd", "/a") == [0.0, 1.0, 2.0]


def test_an_empty_application_id() -> None:
    @blocking.thread_local_stream("")
    def job() -> None: ...

    with pytest.raises(ValueError, match="application id"):
        job()


@pytest.mark.parametrize("face", [rr, blocking])
def test_the_constructor_has_both_names(face: Any) -> None:
    former = face.set_context_local_data_recording(None)
    try:
        first = face.RecordingStream("app", recording_id="1", make_thread_default=True)
        assert face.get_thread_local_data_recording() is first
        second = face.RecordingStream("app", recording_id="2", make_context_default=True)
        assert face.get_context_local_data_recording() is second
        assert face.get_global_data_recording() is None
        third = face.RecordingStream("app", recording_id="3", make_default=True)
        assert face.get_global_data_recording() is third
        assert face.get_data_recording() is second
    finally:
        face.set_context_local_data_recording(former)
        face.set_global_data_recording(None)
