"""Bad input: an error that names the argument and the fix, or one warning and nothing else changed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun import errors
from tests.reading import LoggedRow, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bad(NamedTuple):
    """Something wrong to do with a stream.

    Attributes:
        do: Does it.
        kind: What strict mode raises.
        names: What the message names: the argument, and what came or what would be right.
    """

    do: Callable[[Any], Any]
    kind: type[Exception]
    names: tuple[str, ...]


class GivesNonsense:
    def as_component_batches(self) -> list[Any]:
        return [1, 2]


class GivesWrongArrays:
    def component_descriptor(self) -> rr.ComponentDescriptor:
        return rr.ComponentDescriptor("wrong")

    def as_arrow_array(self) -> Any:
        return [1, 2]


def twice(rec: Any) -> None:
    rec.log("a", rr.Scalars(1.0), rr.Scalars(2.0))


DROPPED: dict[str, Bad] = {
    "path: int": Bad(
        lambda rec: rec.log(3, rr.Scalars(1.0)), TypeError, ("entity_path", "int", "'world/points'")
    ),
    "path: None": Bad(lambda rec: rec.log(None, rr.Scalars(1.0)), TypeError, ("entity_path", "NoneType")),
    "path: tuple": Bad(lambda rec: rec.log(("a", "b"), rr.Scalars(1.0)), TypeError, ("entity_path", "tuple")),
    "path: bytes": Bad(lambda rec: rec.log(b"a", rr.Scalars(1.0)), TypeError, ("entity_path", "bytes")),
    "path: half a pair": Bad(
        lambda rec: rec.log("\ud800", rr.Scalars(1.0)), ValueError, ("entity_path", "UTF-8")
    ),
    "path: half a pair in a list": Bad(
        lambda rec: rec.log(["a", "\udfff"], rr.Scalars(1.0)), ValueError, ("UTF-8",)
    ),
    "entity: number": Bad(lambda rec: rec.log("a", 3), TypeError, ("int", "archetype")),
    "entity: None": Bad(lambda rec: rec.log("a", None), TypeError, ("NoneType", "archetype")),
    "entity: text": Bad(lambda rec: rec.log("a", "text"), TypeError, ("str", "archetype")),
    "entity: class": Bad(lambda rec: rec.log("a", rr.Scalars), TypeError, ("class", "Scalars", "archetype")),
    "entity: list of numbers": Bad(
        lambda rec: rec.log("a", [1, 2]), TypeError, ("int", "DescribedComponentBatch")
    ),
    "entity: gives nonsense": Bad(lambda rec: rec.log("a", GivesNonsense()), TypeError, ("int",)),
    "entity: gives wrong arrays": Bad(
        lambda rec: rec.log("a", [GivesWrongArrays()]), TypeError, ("as_arrow_array",)
    ),
    "extra: number": Bad(lambda rec: rec.log("a", rr.Scalars(1.0), 4), TypeError, ("int", "archetype")),
    "static with a bad path": Bad(
        lambda rec: rec.log({}, rr.Scalars(1.0), static=True), TypeError, ("entity_path", "dict")
    ),
}
"""Calls to ``log`` that are dropped."""

TIMES: dict[str, Bad] = {
    "sequence: float": Bad(
        lambda rec: rec.set_time("t", sequence=1.5), TypeError, ("sequence", "float", "int")
    ),
    "sequence: text": Bad(lambda rec: rec.set_time("t", sequence="1"), TypeError, ("sequence", "str")),
    "sequence: too large": Bad(
        lambda rec: rec.set_time("t", sequence=2**63), OverflowError, ("sequence", "64 bits")
    ),
    "duration: NaN": Bad(
        lambda rec: rec.set_time("t", duration=float("nan")), ValueError, ("duration", "nan")
    ),
    "duration: infinite": Bad(
        lambda rec: rec.set_time("t", duration=float("inf")), ValueError, ("duration", "inf")
    ),
    "duration: NaT": Bad(
        lambda rec: rec.set_time("t", duration=np.timedelta64("NaT", "ns")), ValueError, ("duration", "NaT")
    ),
    "duration: text": Bad(
        lambda rec: rec.set_time("t", duration="1"), TypeError, ("duration", "str", "timedelta")
    ),
    "timestamp: NaN": Bad(
        lambda rec: rec.set_time("t", timestamp=float("nan")), ValueError, ("timestamp", "nan")
    ),
    "timestamp: NaT": Bad(
        lambda rec: rec.set_time("t", timestamp=np.datetime64("NaT", "ns")), ValueError, ("timestamp",)
    ),
    "timestamp: milliseconds": Bad(
        lambda rec: rec.set_time("t", timestamp=1_700_000_000_000),
        ValueError,
        ("timestamp", "milliseconds", "divide"),
    ),
    "timestamp: text": Bad(
        lambda rec: rec.set_time("t", timestamp="now"), TypeError, ("timestamp", "datetime")
    ),
    "timeline: empty": Bad(lambda rec: rec.set_time("", sequence=1), ValueError, ("timeline", "'frame'")),
    "timeline: number": Bad(lambda rec: rec.set_time(3, sequence=1), TypeError, ("timeline", "int")),
    "timeline: half a pair": Bad(
        lambda rec: rec.set_time("\ud800", sequence=1), ValueError, ("timeline", "UTF-8")
    ),
}
"""Calls to ``set_time`` that are dropped."""

NO_VALUE: Any = object()

VALUES: dict[str, Bad] = {
    "Points3D shape": Bad(lambda _: rr.Points3D([[1, 2], [3, 4], [5, 6]]), ValueError, ("positions", "3")),
    "Points3D ragged": Bad(lambda _: rr.Points3D([[1, 2, 3], [4, 5]]), ValueError, ("positions",)),
    "Points3D text": Bad(lambda _: rr.Points3D("abc"), ValueError, ("positions",)),
    "Points3D dtype": Bad(lambda _: rr.Points3D(np.array([["a", "b", "c"]])), ValueError, ("positions",)),
    "Points3D colors": Bad(lambda _: rr.Points3D([1, 2, 3], colors="red"), ValueError, ("colors",)),
    "Points3D radii": Bad(lambda _: rr.Points3D([1, 2, 3], radii=["x"]), ValueError, ("radii",)),
    "Scalars text": Bad(lambda _: rr.Scalars("x"), ValueError, ("scalars", "'x'")),
    "Scalars object": Bad(lambda _: rr.Scalars(NO_VALUE), TypeError, ("scalars",)),
    "Transform3D translation": Bad(
        lambda _: rr.Transform3D(translation=[1, 2]), ValueError, ("translation",)
    ),
    "Boxes3D both": Bad(
        lambda _: rr.Boxes3D(sizes=[1, 1, 1], half_sizes=[1, 1, 1]), ValueError, ("half_sizes",)
    ),
    "Arrows3D vectors": Bad(lambda _: rr.Arrows3D(vectors=[1, 2]), ValueError, ("vectors",)),
    "EncodedImage neither": Bad(lambda _: rr.EncodedImage(), ValueError, ("path", "contents")),
}  # fmt: skip
"""Values that do not fit: the constructor reports them."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors._Mode, "strict", None)


@pytest.fixture
def rec() -> Iterator[aiorerun.sync.RecordingStream]:
    stream = aiorerun.sync.RecordingStream("app", recording_id="bad input", send_properties=False)
    stream.set_log_time_enabled(False)
    yield stream
    stream.reset_time()
    stream.disconnect()


def record(rec: aiorerun.sync.RecordingStream, before: Callable[[], Any]) -> list[LoggedRow]:
    """Two rows with something in between."""
    memory = rec.memory_recording()
    rec.set_time("frame", sequence=1)
    rec.log("a", rr.Scalars(1.0))
    before()
    rec.log("a", rr.Scalars(2.0))
    return sorted(rows_of(memory.drain_as_bytes()), key=lambda row: row.row_id)


def check_untouched(
    rec: aiorerun.sync.RecordingStream, rows: list[LoggedRow], warned: str | None = None
) -> None:
    lines = [row for row in rows if row.path == "/__warnings"]
    rows = [row for row in rows if row.path != "/__warnings"]
    assert [row.path for row in rows] == ["/a", "/a"]
    assert [row.values for row in rows] == [{"Scalars:scalars": [1.0]}, {"Scalars:scalars": [2.0]}]
    ticks = [0, 1 + len(lines)]
    assert [row.times for row in rows] == [{"frame": 1, "log_tick": tick} for tick in ticks]
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_refused, stats.rows_dropped) == (2 + len(lines), 0, 0)
    if warned is None:
        assert lines == []
        return
    (line,) = lines
    (text,) = line.values["TextLog:text"]
    assert line.values["TextLog:level"] == ["WARN"]
    assert text.startswith(f'{warned}\nFile "{__file__}", line ')


@pytest.mark.parametrize("name", [*DROPPED, *TIMES])
def test_strict_mode_raises_and_changes_nothing(name: str, rec: aiorerun.sync.RecordingStream) -> None:
    bad = (DROPPED | TIMES)[name]
    rr.set_strict_mode(True)

    def raise_it() -> None:
        with pytest.raises(bad.kind) as caught:
            bad.do(rec)
        assert all(text in str(caught.value) for text in bad.names), caught.value

    check_untouched(rec, record(rec, raise_it))


@pytest.mark.parametrize("name", [*DROPPED, *TIMES])
def test_otherwise_there_is_one_warning_and_the_call_is_dropped(
    name: str, rec: aiorerun.sync.RecordingStream
) -> None:
    bad = (DROPPED | TIMES)[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = record(rec, lambda: bad.do(rec))
    (warning,) = caught
    assert warning.category is rr.RerunWarning
    # The line where the user's code calls: in this file, that of the lambda.
    assert warning.filename == __file__
    assert str(warning.message).startswith("log: " if name in DROPPED else "set_time: ")
    assert all(text in str(warning.message) for text in bad.names), warning.message
    # What is wrong about a time belongs to no recording in particular: only active ones are told.
    check_untouched(rec, rows, str(warning.message) if name in DROPPED else None)


@pytest.mark.parametrize("name", VALUES)
def test_values_that_do_not_fit(name: str) -> None:
    bad = VALUES[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bad.do(None)
    (warning,) = caught
    assert (warning.category, warning.filename) == (rr.RerunWarning, __file__)
    assert str(warning.message).startswith(name.partition(" ")[0])
    rr.set_strict_mode(True)
    with pytest.raises(bad.kind) as raised:
        bad.do(None)
    assert all(text in str(raised.value) for text in bad.names), raised.value


@pytest.mark.parametrize("argument", ["sequence", "duration", "timestamp"])
def test_a_scope_checks_like_set_time(argument: str, rec: aiorerun.sync.RecordingStream) -> None:
    rec.set_time("frame", sequence=1)
    arguments: dict[str, Any] = {argument: "wrong"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with rec.at("frame", **arguments):
            rec.log("a", rr.Scalars(1.0))
    assert [warning.filename for warning in caught] == [__file__]
    assert argument in str(caught[0].message)
    rr.set_strict_mode(True)
    with pytest.raises(TypeError, match=argument):
        rec.at("frame", **arguments)


def test_the_strict_argument_overrides_the_mode(rec: aiorerun.sync.RecordingStream) -> None:
    with pytest.raises(TypeError, match="entity_path"):
        rec.log(3, rr.Scalars(1.0), strict=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="entity_path"):
        rec.log_nowait(3, rr.Scalars(1.0), strict=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than once"):
        rec.log("a", rr.Scalars(1.0), rr.Scalars(1.0), strict=True)
    rr.set_strict_mode(True)
    with pytest.warns(rr.RerunWarning, match="entity_path"):
        rec.log(3, rr.Scalars(1.0), strict=False)  # type: ignore[arg-type]
    with pytest.warns(rr.RerunWarning, match="more than once"):
        rec.log("a", rr.Scalars(1.0), rr.Scalars(2.0), strict=False)
    assert rr.strict_mode()
    # One call is dropped and gives a line of text log, the other is kept.
    assert rec.stats().rows_accepted == 2


def test_of_a_repeated_component_the_first_is_kept(rec: aiorerun.sync.RecordingStream) -> None:
    memory = rec.memory_recording()
    with pytest.warns(rr.RerunWarning, match="the first is kept") as caught:
        twice(rec)
    assert [warning.filename for warning in caught] == [__file__]
    (row,) = rows_of(memory.drain_as_bytes())
    assert row.values == {"Scalars:scalars": [1.0]}


def test_nothing_to_log_is_no_row(rec: aiorerun.sync.RecordingStream) -> None:
    memory = rec.memory_recording()
    rec.log("a", [])
    rec.log("a", rr.Points3D.from_fields())
    rec.log("a", rr.Points3D.from_fields(), rr.Transform3D())
    assert rows_of(memory.drain_as_bytes()) == []
    assert rec.stats().rows_accepted == 0


async def test_the_asyncio_face_reports_in_the_same_way() -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="bad async", send_properties=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await rec.log(3, rr.Scalars(1.0))  # type: ignore[arg-type]
        await rec.log("a", 3, strict=False)  # type: ignore[arg-type]
        rec.log_nowait("a", 3)  # type: ignore[arg-type]
    assert [warning.filename for warning in caught] == [__file__] * 3
    with pytest.raises(TypeError, match="archetype"):
        await rec.log("a", 3, strict=True)  # type: ignore[arg-type]
    await rec.log("a", rr.Scalars(1.0), strict=True)
    assert rec.stats().rows_accepted == 1 + len(caught)


def test_a_foreign_array_may_change_afterwards(rec: aiorerun.sync.RecordingStream) -> None:
    values = np.array([1.0, 2.0])
    batch = rr.DescribedComponentBatch(pa.array(values), rr.ComponentDescriptor("x"))
    memory = rec.memory_recording()

    class Foreign:
        def component_descriptor(self) -> rr.ComponentDescriptor:
            return rr.ComponentDescriptor("foreign")

        def as_arrow_array(self) -> Any:
            return pa.Array.from_buffers(pa.float64(), 2, [None, pa.py_buffer(values)])

    assert batch.component_descriptor().component == "x"
    rec.log("a", [Foreign()])  # type: ignore[list-item]
    values[:] = 9.0
    (row,) = rows_of(memory.drain_as_bytes())
    assert row.values == {"foreign": [1.0, 2.0]}
