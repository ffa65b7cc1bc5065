"""Misuse in lenient mode is recorded: a line of text log with the user's call stack, never in a circle."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun import errors
from tests.reading import LoggedRow, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mode of a new process, and no recording left behind."""
    monkeypatch.setattr(errors._Mode, "strict", None)
    yield
    blocking.set_global_data_recording(None)
    rr.set_global_data_recording(None)


def lines_of(memory: blocking.MemoryRecording) -> list[LoggedRow]:
    return [row for row in rows_of(memory.drain_as_bytes()) if row.path == "/__warnings"]


def recording(name: str) -> tuple[blocking.RecordingStream, blocking.MemoryRecording]:
    rec = blocking.RecordingStream("app", recording_id=name, send_properties=False)
    return rec, rec.memory_recording()


def build_wrongly() -> None:
    rr.Points3D(["no", "points"])


def test_the_message_and_the_stack_from_the_users_line_on() -> None:
    rec, memory = recording("w")
    blocking.set_global_data_recording(rec)
    rec.set_time("frame", sequence=3)
    with pytest.warns(blocking.RerunWarning) as caught:
        build_wrongly()
    assert [warning.filename for warning in caught] == [__file__]
    (row,) = lines_of(memory)
    assert row.values["TextLog:level"] == ["WARN"]
    assert row.times["frame"] == 3
    (text,) = row.values["TextLog:text"]
    message, first, second, *_ = text.split("\n")
    assert message == str(caught[0].message)
    line = build_wrongly.__code__.co_firstlineno + 1
    assert first == f'File "{__file__}", line {line}, in build_wrongly'
    assert second.endswith("in test_the_message_and_the_stack_from_the_users_line_on")
    rec.reset_time()
    rec.disconnect()


def test_it_goes_to_the_recording_that_was_used() -> None:
    rec, memory = recording("used")
    other, other_memory = recording("active")
    blocking.set_global_data_recording(other)
    with pytest.warns(blocking.RerunWarning):
        rec.log(3, blocking.Scalars(1.0))  # type: ignore[arg-type]
    assert len(lines_of(memory)) == 1
    assert lines_of(other_memory) == []
    with pytest.warns(blocking.RerunWarning):
        blocking.log(3, blocking.Scalars(1.0))  # type: ignore[arg-type]
    assert lines_of(memory) == []
    assert len(lines_of(other_memory)) == 1
    rec.disconnect()
    other.disconnect()


async def test_the_asyncio_api() -> None:
    async with rr.AsyncRecordingStream("app", recording_id="w", send_properties=False) as rec:
        memory = await rec.memory_recording()
        with pytest.warns(rr.RerunWarning):
            await rr.log("a", 3)  # type: ignore[arg-type]
        with pytest.warns(rr.RerunWarning):
            build_wrongly()
        rows = rows_of(await memory.drain_as_bytes())
    assert [row.path for row in rows] == ["/__warnings"] * 2


def test_without_a_recording_there_is_only_the_warning() -> None:
    with pytest.warns(blocking.RerunWarning):
        build_wrongly()


def test_in_strict_mode_nothing_is_recorded() -> None:
    rec, memory = recording("strict")
    blocking.set_global_data_recording(rec)
    blocking.set_strict_mode(True)
    with pytest.raises(Exception, match="positions"):
        build_wrongly()
    assert lines_of(memory) == []
    rec.disconnect()


def test_a_call_with_strict_off_in_strict_mode_is_recorded() -> None:
    rec, memory = recording("lenient call")
    blocking.set_strict_mode(True)
    with pytest.warns(blocking.RerunWarning):
        rec.log("a", 3, strict=False)  # type: ignore[arg-type]
    assert len(lines_of(memory)) == 1
    rec.disconnect()


def test_a_recording_that_is_closed_or_disabled_is_no_circle() -> None:
    rec, _ = recording("closed")
    blocking.set_global_data_recording(rec)
    rec.close()
    with pytest.warns(blocking.RerunWarning) as caught:
        rec.log("a", blocking.Scalars(1.0))
    with pytest.warns(blocking.RerunWarning) as again:
        build_wrongly()
    assert (len(caught), len(again)) == (1, 1)
    off = blocking.RecordingStream("app", recording_id="off", default_enabled=False)
    blocking.set_global_data_recording(off)
    with pytest.warns(blocking.RerunWarning) as caught:
        build_wrongly()
    assert len(caught) == 1


def test_one_warning_for_a_call_that_is_wrong_inside() -> None:
    class Careless:
        def as_component_batches(self) -> Any:
            raise KeyError("inside")

    rec, memory = recording("inside")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rec.log("a", Careless())
    assert [str(warning.message) for warning in caught] == ["log: KeyError('inside')"]
    assert [warning.filename for warning in caught] == [__file__]
    assert len(lines_of(memory)) == 1
    rec.disconnect()


@pytest.mark.parametrize(
    "misuse",
    [
        lambda rec: rec.send_columns("a", [], [object()]),
        lambda rec: rec.send_dataframe(object()),
        lambda rec: rec.send_record_batch(object()),
        lambda rec: rec.send_property("", object()),
        lambda rec: rec.send_recording_name(3),
        lambda rec: rec.send_recording_start_time_nanos("now"),
        lambda rec: rec.send_recording(object()),
        lambda rec: rec.send_chunks([object()]),
    ],
)
def test_misuse_of_a_method_is_recorded_by_the_recording_it_was_for(misuse: Any) -> None:
    other, _ = recording("other")
    blocking.set_global_data_recording(other)
    rec, memory = recording("meant")
    with pytest.warns(blocking.RerunWarning):
        misuse(rec)
    assert len(lines_of(memory)) == 1
    rec.disconnect()
    other.disconnect()
