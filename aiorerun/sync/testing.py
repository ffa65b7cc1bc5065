"""For the tests of programs that log with the blocking API; see :mod:`aiorerun.testing`."""

from __future__ import annotations

from aiorerun.sync.stream import RecordingStream
from aiorerun.testing import BaseCaptureSink, CapturedRow, CapturedRows

__all__ = ["CaptureSink", "CapturedRow", "CapturedRows"]


class CaptureSink(BaseCaptureSink):
    """A sink for tests: it keeps what is logged, and gives the rows back as Python values.

    Example::

        import aiorerun.sync as rr
        from aiorerun.sync.testing import CaptureSink


        def test_the_robot_logs_where_it_is() -> None:
            rec, sink = rr.RecordingStream("test"), CaptureSink()
            rec.set_sinks(sink)

            rec.log("robot", rr.Points3D([[1, 2, 3]]), static=True)

            (row,) = sink.rows("robot")
            assert row["positions"] == [[1.0, 2.0, 3.0]]
            assert row.is_static
            rec.disconnect()

    See :class:`aiorerun.testing.CaptureSink`.
    """

    def rows(self, entity_path: str | list[object] | None = None) -> CapturedRows:
        """The rows of an entity, or all, in the order in which they were logged.

        Everything logged before is waited for.

        Args:
            entity_path: Where, written as for ``log``.

        Raises:
            TypeError: It is a sink of an asyncio stream, which cannot be waited for here.
        """
        for stream in self._streams():
            if not isinstance(stream, RecordingStream):
                raise TypeError(
                    f"{stream!r} is of the asyncio API: use aiorerun.testing.CaptureSink and await rows()"
                )
            stream.flush()
        return self._rows(entity_path)
