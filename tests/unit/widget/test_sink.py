"""The sink that leads to a viewer: complete streams, order, the byte limit before the viewer is ready."""

from __future__ import annotations

import asyncio
import itertools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.widget.outbox import Outbox
from aiorerun.widget.sink import MIN_GAP_SECS, NotebookSink
from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from pathlib import Path


class Browser:
    """Takes what is sent.

    Attributes:
        sent: The recordings, and when each came.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[float, bytes]] = []
        self.outbox = Outbox(self._take)

    def _take(self, content: Any, buffers: list[bytes] | None = None) -> None:
        assert content == {"type": "rrd"}
        assert buffers is not None
        [data] = buffers
        self.sent.append((asyncio.get_running_loop().time(), data))

    @property
    def data(self) -> list[bytes]:
        return [data for _, data in self.sent]


def stream(name: str = "sink", **options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id=name, **options)


async def test_each_batch_is_a_stream_of_its_own(tmp_path: Path) -> None:
    browser, rec = Browser(), stream()
    browser.outbox.open()
    await rec.log("a", rr.Scalars(0.0))
    await rec.set_sinks(NotebookSink(browser.outbox))
    await rec.flush()
    for number in range(1, 3):
        await rec.log("a", rr.Scalars(float(number)))
        await rec.flush()
    files = []
    for number, data in enumerate(browser.data):
        files.append(tmp_path / f"{number}.rrd")
        files[-1].write_bytes(data)
    # The announcement of the recording comes alone, so there is no manifest of chunks.
    assert_verified(files[:1], footers=False)
    assert_verified(files[1:])
    assert [value for data in browser.data for value in scalars_of(data, "/a")] == [0.0, 1.0, 2.0]
    # The first says which recording it is, and has its properties.
    assert {row.recording for row in rows_of(browser.data[-1])} == {"sink"}
    await rec.disconnect()


async def test_what_is_logged_before_the_viewer_is_ready_waits() -> None:
    browser, rec = Browser(), stream()
    await rec.set_sinks(NotebookSink(browser.outbox))
    await rec.log("a", rr.Scalars(1.0))
    await rec.flush()
    assert browser.data == []
    assert rec.stats().pending_bytes > 0
    browser.outbox.open()
    assert [value for data in browser.data for value in scalars_of(data, "/a")] == [1.0]
    assert rec.stats().pending_bytes == 0
    await rec.disconnect()


async def test_before_that_the_byte_limit_holds() -> None:
    browser = Browser()
    rec = stream(max_bytes_in_flight=1 << 20, max_wait=0.05)
    await rec.set_sinks(NotebookSink(browser.outbox))
    picture = rr.Image(np.random.default_rng(1).integers(0, 255, (256, 256, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rr.RerunWarning)
        for _ in range(20):
            await rec.log("picture", picture)
    stats = rec.stats()
    assert 0 < stats.rows_refused < 20
    assert stats.pending_bytes < 2 << 20
    # Then all that was taken arrives, and there is room again.
    browser.outbox.open()
    await rec.log("picture", picture)
    await rec.flush()
    rows = [row for data in browser.data for row in rows_of(data) if row.path == "/picture"]
    assert len(rows) == 21 - stats.rows_refused
    assert rec.stats().rows_refused == stats.rows_refused
    await rec.disconnect()


async def test_after_the_recording_is_closed_it_still_reaches_the_viewer() -> None:
    browser, rec = Browser(), stream()
    await rec.set_sinks(NotebookSink(browser.outbox))
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()
    assert rec.stats().pending_bytes == 0
    browser.outbox.open()
    assert [value for data in browser.data for value in scalars_of(data, "/a")] == [1.0]
    assert rec.stats().pending_bytes == 0


async def test_large_batches_are_joined_in_the_worker() -> None:
    browser, rec = Browser(), stream()
    browser.outbox.open()
    await rec.set_sinks(NotebookSink(browser.outbox))
    values = np.random.default_rng(1).integers(0, 255, (1024, 1024, 3), np.uint8)
    await rec.log("picture", rr.Image(values))
    await rec.flush()
    assert sum(map(len, browser.data)) > values.nbytes
    await rec.disconnect()


async def test_messages_do_not_come_too_often() -> None:
    browser, rec = Browser(), stream(batcher_config=rr.ChunkBatcherConfig.ALWAYS())
    browser.outbox.open()
    await rec.set_sinks(NotebookSink(browser.outbox))
    for number in range(60):
        await rec.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0)
    await rec.flush()
    times = [time for time, _ in browser.sent]
    assert min(after - before for before, after in itertools.pairwise(times)) > MIN_GAP_SECS * 0.9
    assert [value for data in browser.data for value in scalars_of(data, "/a")] == [*map(float, range(60))]
    await rec.disconnect()


async def test_one_sink_is_for_one_recording() -> None:
    outbox = Browser().outbox
    sink = NotebookSink(outbox)
    first, second = stream("first"), stream("second")
    await first.set_sinks(sink)
    with pytest.raises(rr.SinkOpenError, match="take a new one"):
        await second.set_sinks(sink)
    assert sink == NotebookSink(outbox)
    assert hash(sink) == hash(NotebookSink(outbox))
    assert sink != NotebookSink(Browser().outbox)
    with pytest.raises(ValueError, match="Duplicate"):
        await second.set_sinks(NotebookSink(outbox), NotebookSink(outbox))
    await first.flush()
    assert repr(sink).startswith("NotebookSink(Outbox(")
    await first.disconnect()
    await second.disconnect()
