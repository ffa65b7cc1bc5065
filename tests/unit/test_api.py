"""The module-level asyncio API, and that both faces offer the same."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.stream
import aiorerun.sync
import aiorerun.sync.stream
from aiorerun import errors
from aiorerun.types.store import process_recording_id
from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

FUNCTIONS = sorted(
    name
    for name in rr.__all__
    if inspect.isroutine(getattr(rr, name)) and getattr(rr, name).__module__.startswith("aiorerun")
)
SENDING = {
    "send_chunks", "send_columns", "send_dataframe", "send_property", "send_record_batch", "send_recording",
    "send_recording_name", "send_recording_start_time_nanos",
}  # fmt: skip
LIVE = {"connect_grpc", "send_blueprint", "serve_grpc"}
FILES = {"log_file_from_contents", "log_file_from_path"}
NOTEBOOKS = {"legacy_notebook_show", "notebook_show"}
COROUTINES = {
    "binary_stream", "connected", "disconnect", "flush", "init", "log", "memory_recording", "save",
    "script_setup", "script_teardown", "serve_web_viewer", "set_sinks", "spawn", "start_web_viewer_server",
    "stdout", *FILES, *LIVE, *NOTEBOOKS, *SENDING,
}  # fmt: skip
METHODS = {
    "at", "binary_stream", "disable_timeline", "disconnect", "flush", "get_application_id",
    "get_recording_id", "is_enabled", "log", "log_nowait", "memory_recording", "reset_time", "save",
    "set_log_tick_enabled", "set_log_time_enabled", "set_sinks", "set_time", "stats", "stdout", "__init__",
    *FILES, *LIVE, *SENDING,
}  # fmt: skip
KEYWORD_ONLY_RECORDING = {
    "at", "flush", "log", "log_nowait", "send_chunks", "send_columns", "set_sinks", "set_time", *FILES, *LIVE,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mode of a new process, and no recording left behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    yield
    rr.set_global_data_recording(None)


@pytest.fixture
async def recording() -> AsyncIterator[rr.AsyncRecordingStream]:
    """What ``init`` made."""
    await rr.init("app", recording_id=f"api {random.random()}", send_properties=False)
    rec = rr.get_data_recording()
    assert rec is not None
    yield rec
    rec.reset_time()
    await rec.disconnect()


class TestSignatures:
    def parameters(self, function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
        found = inspect.signature(function).parameters.values()
        return [(each.name, each.kind, each.default) for each in found]

    def test_both_namespaces_offer_the_same(self) -> None:
        ours, blocking = set(rr.__all__), set(aiorerun.sync.__all__)
        assert ours - blocking == {"AsyncRecordingStream"} | (ours - blocking - {"AsyncRecordingStream"})
        assert blocking - ours <= {"__version__"}
        assert ours - blocking <= {"AsyncRecordingStream", "__version__"}

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_functions_have_the_same_parameters(self, name: str) -> None:
        ours, blocking = getattr(rr, name), getattr(aiorerun.sync, name)
        assert self.parameters(ours) == self.parameters(blocking)
        assert inspect.iscoroutinefunction(ours) == (name in COROUTINES)
        assert not inspect.iscoroutinefunction(blocking)

    @pytest.mark.parametrize("name", sorted(METHODS))
    def test_methods_have_the_same_parameters(self, name: str) -> None:
        ours, blocking = getattr(rr.AsyncRecordingStream, name), getattr(aiorerun.sync.RecordingStream, name)
        assert self.parameters(ours) == self.parameters(blocking)
        assert inspect.iscoroutinefunction(ours) == (name in COROUTINES)
        assert not inspect.iscoroutinefunction(blocking)

    @pytest.mark.parametrize("name", sorted(METHODS - {"__init__", "stats", "send_recording"}))
    def test_functions_are_the_methods_and_a_recording(self, name: str) -> None:
        function = self.parameters(getattr(rr, name))
        method = self.parameters(getattr(rr.AsyncRecordingStream, name))[1:]
        (kind,) = (each[1] for each in function if each[0] == "recording")
        assert [each for each in function if each[0] != "recording"] == method
        keyword_only = inspect.Parameter.KEYWORD_ONLY
        assert (kind == keyword_only) == (name in KEYWORD_ONLY_RECORDING)

    def test_sending_a_recording_to_a_recording(self) -> None:
        """The function has two, so what is sent has another name there."""
        assert [each[0] for each in self.parameters(rr.send_recording)] == ["rrd", "recording"]
        method = self.parameters(rr.AsyncRecordingStream.send_recording)
        assert [each[0] for each in method] == ["self", "recording"]

    @pytest.mark.parametrize("method", ["num_msgs", "drain_as_bytes"])
    def test_memory_recordings(self, method: str) -> None:
        assert inspect.iscoroutinefunction(getattr(aiorerun.stream.MemoryRecording, method))
        assert not inspect.iscoroutinefunction(getattr(aiorerun.sync.stream.MemoryRecording, method))

    def test_names(self) -> None:
        assert rr.RecordingStream is rr.AsyncRecordingStream
        assert rr.get_thread_local_data_recording == rr.get_context_local_data_recording
        assert rr.set_thread_local_data_recording == rr.set_context_local_data_recording
        assert "AsyncRecordingStream" not in aiorerun.sync.__all__
        blocking: type = aiorerun.sync.RecordingStream
        assert rr.AsyncRecordingStream is not blocking


class TestInit:
    async def test_it_makes_the_global_recording(self) -> None:
        await rr.init("app", recording_id="first")
        assert rr.get_recording_id() == "first"
        assert rr.get_application_id() == "app"
        assert rr.is_enabled()
        assert rr.get_global_data_recording() is rr.get_data_recording()
        await rr.init("app", recording_id=uuid.UUID(int=7))
        assert rr.get_recording_id() == str(uuid.UUID(int=7))

    async def test_without_an_id_it_continues_the_recording_of_the_process(self) -> None:
        await rr.init("app")
        first = rr.get_recording_id()
        await rr.init("app")
        assert rr.get_recording_id() == first == process_recording_id("app")

    async def test_times_go_on_with_the_same_recording(self) -> None:
        await rr.init("app", recording_id="times", send_properties=False)
        rr.set_time("frame", sequence=4)
        await rr.init("app", recording_id="times", send_properties=False)
        memory = await rr.memory_recording()
        await rr.log("a", rr.Scalars(1.0))
        (row,) = rows_of(await memory.drain_as_bytes())
        assert row.times["frame"] == 4
        rr.reset_time()
        await rr.disconnect()

    async def test_existing_recordings_are_flushed(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        await rr.init("app", recording_id="old")
        old = rr.get_data_recording()
        assert old is not None
        await rr.save(path)
        await rr.log("a", rr.Scalars(1.0))
        await rr.init("app", recording_id="new")
        assert scalars_of(path, "/a") == [1.0]
        await old.disconnect()

    async def test_a_recording_that_cannot_be_flushed_does_not_stop_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken:
            async def open(self, context: Any) -> None: ...
            async def write(self, messages: Any) -> None:
                raise ConnectionError("gone")

            async def flush(self) -> None: ...
            async def aclose(self) -> None: ...

        await rr.init("app", recording_id="broken")
        old = rr.get_data_recording()
        assert old is not None
        await rr.set_sinks(Broken())
        await rr.log("a", rr.Scalars(1.0))
        await rr.init("app", recording_id="next")
        assert rr.get_recording_id() == "next"
        assert "could not be flushed: ConnectionError: gone" in caplog.text
        await old.disconnect()

    async def test_init_logging_off_makes_none(self) -> None:
        await rr.init("app", init_logging=False)
        assert rr.get_data_recording() is None

    async def test_a_disabled_recording(self) -> None:
        await rr.init("app", default_enabled=False)
        assert not rr.is_enabled()
        await rr.log("a", object())  # type: ignore[arg-type]

    async def test_the_environment_disables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RERUN", "off")
        await rr.init("app")
        assert not rr.is_enabled()

    @pytest.mark.parametrize("mode", [True, False])
    async def test_strict(self, mode: bool) -> None:
        await rr.init("app", strict=mode)
        assert rr.strict_mode() is mode
        await rr.init("app")
        assert rr.strict_mode() is mode

    async def test_strict_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RERUN_STRICT", "yes")
        await rr.init("app")
        with pytest.raises(TypeError, match="entity_path"):
            await rr.log(3, rr.Scalars(1.0))  # type: ignore[arg-type]

    async def test_examples_repeat_themselves(self) -> None:
        drawn = []
        for _ in range(2):
            await rr.init("rerun_example_repeats")
            drawn.append((random.random(), float(np.random.random())))  # noqa: NPY002
        assert drawn[0] == drawn[1]

    async def test_what_is_not_there_yet_is_refused(self) -> None:
        with pytest.raises(TypeError, match="default_blueprint"):
            await rr.init("app", default_blueprint=object())  # type: ignore[arg-type]

    async def test_nothing_is_spawned_where_recordings_are_forced_into_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "forced.rrd"
        monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(path))
        await rr.init("app", spawn=True)
        await rr.log("a", rr.Scalars(1.0))
        await rr.disconnect()
        assert scalars_of(path, "/a") == [1.0]

    async def test_an_empty_application_id(self) -> None:
        with pytest.raises(ValueError, match="application id"):
            await rr.init("")


class TestWithoutARecording:
    async def test_logging_and_times_do_nothing(self) -> None:
        await rr.log("a", rr.Scalars(1.0))
        await rr.log(3, object())  # type: ignore[arg-type]
        rr.log_nowait("a", rr.Scalars(1.0))
        rr.set_time("frame", sequence=1)
        with rr.at("frame", sequence=2):
            rr.disable_timeline("frame")
        rr.reset_time()
        rr.set_log_tick_enabled(False)
        rr.set_log_time_enabled(False)
        await rr.flush()
        await rr.disconnect()
        assert rr.get_recording_id() is None
        assert rr.get_application_id() is None
        assert rr.get_data_recording() is None
        assert rr.get_global_data_recording() is None
        assert not rr.is_enabled()

    async def test_wrong_times_are_dropped_too(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rr.RerunWarning)
            rr.set_time("frame", sequence="x")  # type: ignore[arg-type]
            with rr.at("frame", sequence="x"):  # type: ignore[arg-type]
                pass
        with pytest.raises(ValueError, match="exactly one"):
            rr.set_time("frame")
        with pytest.raises(ValueError, match="timeout_sec"):
            await rr.flush(timeout_sec=-1)

    async def test_changes_of_sinks_are_ignored_with_a_log_line(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        await rr.save(tmp_path / "a.rrd")
        await rr.set_sinks()
        await rr.stdout()
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
        assert "call init() first" in caplog.text
        assert not (tmp_path / "a.rrd").exists()

    async def test_memory_has_nothing_to_give(self) -> None:
        with pytest.raises(RuntimeError, match="call init"):
            await rr.memory_recording()
        with pytest.raises(RuntimeError, match="call init"):
            await rr.binary_stream()


class TestActive:
    async def test_functions_act_on_the_active_recording(
        self, recording: rr.AsyncRecordingStream, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.rrd"
        rr.set_log_tick_enabled(False)
        rr.set_log_time_enabled(False)
        await rr.save(path)
        rr.set_time("frame", sequence=1)
        await rr.log("a", rr.Scalars(1.0))
        with rr.at("frame", sequence=2):
            rr.log_nowait("a", rr.Scalars(2.0))
        rr.disable_timeline("frame")
        rr.set_time("other", duration=1)
        await rr.log("a", rr.Scalars(3.0))
        rr.reset_time()
        await rr.log("a", rr.Scalars(4.0), static=True)
        await rr.flush(timeout_sec=10)
        rows = sorted(rows_of(path), key=lambda row: row.row_id)
        assert [row.times for row in rows] == [{"frame": 1}, {"frame": 2}, {"other": 10**9}, {}]
        await rr.disconnect()
        assert recording.stats().sinks == ()

    async def test_or_on_the_one_they_are_given(self, recording: rr.AsyncRecordingStream) -> None:
        other = rr.AsyncRecordingStream("app", recording_id="other", send_properties=False)
        memory = await rr.memory_recording(other)
        rr.set_log_tick_enabled(False, other)
        rr.set_log_time_enabled(False, other)
        rr.set_time("frame", sequence=1, recording=other)
        await rr.log("a", rr.Scalars(1.0), recording=other)
        with rr.at("frame", sequence=2, recording=other):
            rr.log_nowait("a", rr.Scalars(2.0), recording=other, strict=True)
        rr.disable_timeline("frame", other)
        rr.reset_time(other)
        await rr.flush(recording=other)
        assert rr.get_recording_id(other) == "other"
        assert rr.get_application_id(other) == "app"
        assert rr.is_enabled(other)
        assert rr.get_data_recording(other) is other
        rows = rows_of(await memory.drain_as_bytes())
        assert [row.times for row in sorted(rows, key=lambda row: row.row_id)] == [{"frame": 1}, {"frame": 2}]
        await rr.set_sinks(recording=other)
        await rr.disconnect(other)
        assert recording.stats().rows_accepted == 0

    async def test_tasks_inherit_and_keep_their_own(self, recording: rr.AsyncRecordingStream) -> None:
        other = rr.AsyncRecordingStream("app", recording_id="of a task", send_properties=False)

        async def work() -> None:
            assert rr.get_data_recording() is recording
            rr.set_context_local_data_recording(other)
            await asyncio.sleep(0)
            assert rr.get_data_recording() is other

        await asyncio.gather(work(), work())
        assert rr.get_data_recording() is recording
