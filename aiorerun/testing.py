"""For the tests of programs that log: a sink that keeps the rows and gives them as Python values.

:class:`CaptureSink` is for the asyncio API; ``aiorerun.sync.testing`` has the blocking one.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiorerun.sinks.parcel import is_property
from aiorerun.stream_base import BaseRecordingStream, streams
from aiorerun.types.entity_path import normalize_entity_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import SinkContext

__all__ = ["CaptureSink", "CapturedRow", "CapturedRows"]


class CapturedRow:
    """One row, as it was logged.

    ``row["scalars"]`` is the value of the component of that name: a list of instances. ``"Scalars:scalars"``
    names it in full.

    Attributes:
        entity_path: Where, in normal form.
        times: The times that the program has set: ``int`` for a sequence, ``numpy.timedelta64`` or
            ``numpy.datetime64``, in nanoseconds, for the others. Empty for a static row.
        log_time: The wall clock at ``log``, if it was recorded.
        log_tick: The counter at ``log``, if it was recorded.
        is_static: Whether it holds at all times.
        arrow: By full name of the component, the instances as an Arrow array.
    """

    __slots__ = ("arrow", "entity_path", "is_static", "log_tick", "log_time", "times")

    def __init__(self, entity_path: str, times: dict[str, Any], arrow: dict[str, pa.Array[Any]]) -> None:
        self.entity_path = entity_path
        self.is_static = not times
        self.log_time: Any = times.pop("log_time", None)
        self.log_tick: int | None = times.pop("log_tick", None)
        self.times = times
        self.arrow = arrow

    @property
    def values(self) -> dict[str, list[Any]]:
        """By full name of the component, the list of instances."""
        return {name: values.to_pylist() for name, values in self.arrow.items()}

    def __getitem__(self, component: str) -> list[Any]:
        for name, values in self.arrow.items():
            if component in (name, name.rpartition(":")[2]):
                found: list[Any] = values.to_pylist()
                return found
        raise KeyError(f"{component!r}; this row of {self.entity_path!r} has {', '.join(self.arrow)}")

    def __repr__(self) -> str:
        at = (
            "static" if self.is_static else ", ".join(f"{name}={time!r}" for name, time in self.times.items())
        )
        data = ", ".join(f"{name}={reprlib.repr(values)}" for name, values in self.values.items())
        return f"<{self.entity_path} at {at or 'no time'}: {data}>"


class CapturedRows(list[CapturedRow]):
    """Rows in the order in which they were logged. If a test fails, it says what there is elsewhere.

    Args:
        rows: The rows.
        wanted: The entity path that was asked for; ``None`` for all.
        counts: How many rows every path has.
    """

    def __init__(self, rows: Iterable[CapturedRow], wanted: str | None, counts: Counter[str]) -> None:
        super().__init__(rows)
        self._wanted = wanted
        self._counts = counts

    def values(self, component: str) -> list[list[Any]]:
        """The value of one component in each row."""
        return [row[component] for row in self]

    def __repr__(self) -> str:
        if self:
            return "\n".join(["[", *(f"  {row!r}," for row in self), "]"])
        elsewhere = ", ".join(f"{path!r} ({count})" for path, count in sorted(self._counts.items()))
        where = "" if self._wanted is None else f" at {self._wanted!r}"
        return f"<no rows{where}; rows were logged at: {elsewhere or 'no path at all'}>"


class BaseCaptureSink:
    """What the sinks of both APIs have in common."""

    is_memory = True
    """Nobody waits for it."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sum(message.rows for message in self._messages)} rows)"

    async def open(self, context: SinkContext) -> None:
        """Nothing to do."""

    async def write(self, messages: Sequence[Message]) -> None:
        """Keeps them."""
        self._messages.extend(messages)

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do: it keeps what it has."""

    def clear(self) -> None:
        """Forgets the rows that have arrived so far."""
        self._messages.clear()

    def _streams(self) -> list[BaseRecordingStream]:
        """The streams it is a sink of now."""
        return [
            stream
            for stream in list(streams)
            for runner in stream._engine.conveyor.sinks.runners
            # It may be wrapped, see QueuedSink.
            if self is runner.sink or self is getattr(runner.sink, "sink", None)
        ]

    def _rows(self, entity_path: str | list[object] | None) -> CapturedRows:
        wanted = None if entity_path is None else normalize_entity_path(entity_path)
        rows = sorted(_decoded(self._messages), key=lambda entry: entry[0])
        counts = Counter(row.entity_path for _, row in rows)
        chosen = [row for _, row in rows if _is_wanted(row.entity_path, wanted)]
        return CapturedRows(chosen, wanted, counts)


class CaptureSink(BaseCaptureSink):
    """A sink for tests: it keeps what is logged, and gives the rows back as Python values.

    Example::

        import aiorerun as rr
        from aiorerun.testing import CaptureSink


        async def test_the_robot_logs_where_it_is() -> None:
            rec, sink = rr.AsyncRecordingStream("test"), CaptureSink()
            await rec.set_sinks(sink)

            with rec.at("step", sequence=7):
                await rec.log("robot", rr.Points3D([[1, 2, 3]], labels="here"))

            (row,) = await sink.rows("robot")
            assert row["positions"] == [[1.0, 2.0, 3.0]]
            assert row["labels"] == ["here"]
            assert row.times == {"step": 7}
            assert not row.is_static
            await rec.disconnect()

    It can be used by several streams, one after the other or at once, and keeps what it has when they close.
    Recording properties are left out unless their path is asked for.
    """

    async def rows(self, entity_path: str | list[object] | None = None) -> CapturedRows:
        """The rows of an entity, or all, in the order in which they were logged.

        Everything logged before is waited for. Cancelling the call changes nothing.

        Args:
            entity_path: Where, written as for ``log``.
        """
        for stream in self._streams():
            await stream._flush_sinks(1e38)
        return self._rows(entity_path)


def _is_wanted(entity_path: str, wanted: str | None) -> bool:
    return entity_path == wanted or (wanted is None and not is_property(entity_path))


def _decoded(messages: Sequence[Message]) -> Iterable[tuple[bytes, CapturedRow]]:
    """Row ids and rows, in the order of the messages."""
    from aiorerun.codec.decoder import read_chunks
    from aiorerun.sinks.memory import encode_stream

    for _, batch in read_chunks(encode_stream(messages)):
        path = batch.schema.metadata[b"rerun:entity_path"].decode()
        ids: list[bytes] = []
        times: dict[str, Any] = {}
        data: dict[str, Any] = {}
        for field, column in zip(batch.schema, batch.columns, strict=True):
            kind = field.metadata[b"rerun:kind"]
            if kind == b"control":
                ids = column.to_pylist()
            elif kind == b"index":
                times[field.name] = column.to_numpy(zero_copy_only=False)
            else:
                data[field.metadata[b"rerun:component"].decode()] = column
        for number, row_id in enumerate(ids):
            yield (
                row_id,
                CapturedRow(
                    path,
                    {name: _python(values[number]) for name, values in times.items()},
                    {name: column[number].values for name, column in data.items() if column[number].is_valid},
                ),
            )


def _python(time: Any) -> Any:
    """An ``int`` for a number; other times stay what they are."""
    return int(time) if time.dtype.kind == "i" else time
