"""The module-level blocking API."""

from __future__ import annotations

import logging
import random
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun
import aiorerun.sync as rr
from aiorerun import errors
from aiorerun.types.store import process_recording_id
from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mode of a new process, and no recording left behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    yield
    rr.disconnect()
    rr.set_global_data_recording(None)


def test_init_makes_the_global_recording() -> None:
    rr.init("app", recording_id="first")
    assert (rr.get_recording_id(), rr.get_application_id()) == ("first", "app")
    assert rr.is_enabled()
    rr.init("app")
    assert rr.get_recording_id() == process_recording_id("app")
    rr.init("app", init_logging=False)
    assert rr.get_recording_id() == process_recording_id("app")


def test_the_two_faces_have_recordings_of_their_own() -> None:
    rr.init("app", recording_id="blocking")
    assert aiorerun.get_data_recording() is None
    with aiorerun.AsyncRecordingStream("app", recording_id="asyncio"):
        assert rr.get_recording_id() == "blocking"
        assert aiorerun.get_recording_id() == "asyncio"


def test_existing_recordings_are_flushed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def open(self, context: Any) -> None: ...
        async def write(self, messages: Any) -> None:
            raise ConnectionError("gone")

        async def flush(self) -> None: ...
        async def aclose(self) -> None: ...

    path = tmp_path / "a.rrd"
    broken = rr.RecordingStream("app", recording_id="broken", send_properties=False)
    broken.set_sinks(Broken())
    broken.log("a", rr.Scalars(1.0))
    rr.init("app", recording_id="old")
    old = rr.get_data_recording()
    assert old is not None
    rr.save(path)
    rr.log("a", rr.Scalars(1.0))
    rr.init("app", recording_id="new", strict=True)
    assert scalars_of(path, "/a") == [1.0]
    assert rr.strict_mode()
    assert "could not be flushed: ConnectionError: gone" in caplog.text
    old.disconnect()
    broken.disconnect()


def test_what_init_refuses() -> None:
    with pytest.raises(TypeError, match="default_blueprint"):
        rr.init("app", default_blueprint=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="application id"):
        rr.init("")


def test_nothing_is_spawned_where_recordings_are_forced_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "forced.rrd"
    monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(path))
    rr.init("app", spawn=True)
    rr.log("a", rr.Scalars(1.0))
    rr.disconnect()
    assert scalars_of(path, "/a") == [1.0]


def test_examples_repeat_themselves() -> None:
    drawn = []
    for _ in range(2):
        rr.init("rerun_example_repeats")
        drawn.append(random.random())
    assert drawn[0] == drawn[1]


def test_functions_act_on_the_active_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rr.init("app", recording_id="active", send_properties=False)
    rr.set_log_tick_enabled(False)
    rr.set_log_time_enabled(False)
    rr.save(path)
    rr.set_time("frame", sequence=1)
    rr.log("a", rr.Scalars(1.0))
    with rr.at("frame", sequence=2):
        rr.log_nowait("a", rr.Scalars(2.0))
    rr.disable_timeline("frame")
    rr.set_time("other", timestamp=1)
    rr.log("a", rr.Scalars(3.0), strict=True)
    rr.reset_time()
    rr.log("a", rr.Scalars(4.0), static=True)
    rr.flush(timeout_sec=10)
    rows = sorted(rows_of(path), key=lambda row: row.row_id)
    assert [row.times for row in rows] == [{"frame": 1}, {"frame": 2}, {"other": 10**9}, {}]
    rr.set_sinks()
    rr.log("a", rr.Scalars(5.0))
    memory = rr.memory_recording()
    assert scalars_of(memory.drain_as_bytes(), "/a") == [5.0]


def test_or_on_the_one_they_are_given() -> None:
    rr.init("app", recording_id="not this")
    other = rr.RecordingStream("app", recording_id="other", send_properties=False)
    memory = rr.memory_recording(other)
    rr.set_time("frame", sequence=1, recording=other)
    rr.log("a", rr.Scalars(1.0), recording=other)
    rr.log_nowait("a", rr.Scalars(2.0), recording=other)
    rr.flush(recording=other)
    assert rr.get_data_recording(other) is other
    assert scalars_of(memory.drain_as_bytes(), "/a") == [1.0, 2.0]
    rr.set_sinks(recording=other)
    rr.disconnect(other)


def test_without_a_recording_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rr.log("a", rr.Scalars(1.0))
    rr.log_nowait(3, object())  # type: ignore[arg-type]
    rr.set_time("frame", sequence=1)
    rr.disable_timeline("frame")
    rr.reset_time()
    rr.flush()
    rr.disconnect()
    assert rr.get_data_recording() is None
    assert not rr.is_enabled()
    with pytest.raises(RuntimeError, match="call init"):
        rr.memory_recording()
    with pytest.raises(RuntimeError, match="call init"):
        rr.binary_stream()
    with pytest.raises(ValueError, match="timeout_sec"):
        rr.flush(timeout_sec=float("nan"))
    assert caplog.records == []
    rr.save(tmp_path / "a.rrd")
    rr.set_sinks()
    rr.stdout()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3


def test_a_generator_is_isolated() -> None:
    rec = rr.RecordingStream("app", recording_id="generator", send_properties=False)

    @rr.recording_stream_generator_ctx
    def produce() -> Iterator[int]:
        with rec:
            yield 1
            assert rr.get_data_recording() is rec

    for _ in produce():
        assert rr.get_data_recording() is None


def test_one_warning_for_a_dropped_call() -> None:
    rr.init("app", recording_id="warned", send_properties=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rr.log(3, rr.Scalars(1.0))  # type: ignore[arg-type]
    assert [warning.filename for warning in caught] == [__file__]
