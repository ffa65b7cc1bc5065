"""The queue in front of a sink and the task that writes: order, errors, closing, cancelling."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.codec.messages import store_info_message
from aiorerun.pipeline.ledger import Ledger
from aiorerun.sinks.parcel import Parcel
from aiorerun.sinks.runner import MAX_WRITE_BYTES, SinkRunner
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aiorerun.codec.messages import Message

STORE = StoreId(StoreKind.RECORDING, "app", "runner")


def message() -> Message:
    return store_info_message(STORE, ids.next(), (3, 11, 0))


class Sink:
    """Notes what is called; each method may be told to wait or to fail."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.errors: dict[str, Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}

    def __repr__(self) -> str:
        return "Sink()"

    async def _call(self, name: str, note: Any) -> None:
        self.calls.append(note)
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.errors:
            raise self.errors[name]

    async def open(self, context: Any) -> None:
        await self._call("open", "open")
        assert context.store == STORE
        assert await context.run_blocking(lambda: 3) == 3

    async def write(self, messages: Sequence[Message]) -> None:
        await self._call("write", len(messages))

    async def flush(self) -> None:
        await self._call("flush", "flush")

    async def aclose(self) -> None:
        await self._call("aclose", "aclose")


@pytest.fixture
async def make() -> AsyncIterator[Callable[[Sink], SinkRunner]]:
    worker = Worker.of(asyncio.get_running_loop())
    yield lambda sink: SinkRunner(sink, STORE, worker)
    worker.release()


async def started(make: Callable[[Sink], SinkRunner], sink: Sink) -> SinkRunner:
    runner = make(sink)
    await runner.open(1)
    runner.start()
    return runner


class Outcome:
    """How parcels ended, of one row each."""

    def __init__(self) -> None:
        self.reasons: list[str | None] = []
        self.ledger = Ledger(100)

    def settle(
        self, cost: int, rows: int, lost_because: str | None, *, aside: bool = False, ledger: Any
    ) -> None:
        assert not aside
        assert ledger is self.ledger
        self.reasons += [lost_because] * rows

    def set_aside(self, cost: int, nbytes: int, ledger: Any) -> None:
        raise AssertionError("somebody waits for all of these sinks")

    def count_again(self, nbytes: int, ledger: Any) -> None:
        raise AssertionError("nothing was set aside")

    def parcel(self) -> Parcel:
        return Parcel(message(), 1, 1, rows=1, account=self)


async def test_what_is_queued_is_written_in_order(make: Callable[[Sink], SinkRunner]) -> None:
    sink, outcome = Sink(), Outcome()
    runner = await started(make, sink)
    for _ in range(6):
        runner.put(outcome.parcel())
    assert runner.stats().queued_bytes > 0
    await runner.flush()
    for _ in range(4):
        runner.put(outcome.parcel())
    await runner.close(1)
    assert sink.calls == ["open", 6, "flush", 4, "aclose"]
    assert outcome.reasons == [None] * 10
    stats = runner.stats()
    assert (stats.name, stats.messages_written, stats.queued_bytes, stats.error) == ("Sink()", 10, 0, None)
    assert stats.bytes_written > 0


async def test_large_parcels_are_written_one_by_one(make: Callable[[Sink], SinkRunner]) -> None:
    sink, outcome = Sink(), Outcome()
    runner = await started(make, sink)
    for _ in range(3):
        parcel = outcome.parcel()
        parcel.nbytes = MAX_WRITE_BYTES
        runner.put(parcel)
    await runner.close(1)
    assert sink.calls == ["open", 1, 1, 1, "aclose"]


async def test_a_failed_write_is_told_to_the_next_flush(
    make: Callable[[Sink], SinkRunner], caplog: pytest.LogCaptureFixture
) -> None:
    sink, outcome = Sink(), Outcome()
    runner = await started(make, sink)
    sink.errors["write"] = ConnectionError("gone")
    for _ in range(2):
        runner.put(outcome.parcel())
        with pytest.raises(ConnectionError, match="gone"):
            await runner.flush()
    sink.errors.clear()
    await runner.flush()
    runner.put(outcome.parcel())
    await runner.flush()
    assert outcome.reasons == ["sink error: ConnectionError"] * 2 + [None]
    assert caplog.text.count("gone") == 1
    sink.errors["write"] = ConnectionError("gone again")
    runner.put(outcome.parcel())
    await runner.close(1)
    assert caplog.text.count("gone again") == 1
    assert runner.stats().error == "ConnectionError: gone again"


async def test_a_failed_flush(make: Callable[[Sink], SinkRunner], caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    runner = await started(make, sink)
    sink.errors["flush"] = OSError("no")
    with pytest.raises(OSError, match="no"):
        await runner.flush()
    assert "flushing Sink() failed" in caplog.text
    waiting = runner.flush()
    waiting.cancel()
    await runner.close(1)


async def test_a_failed_close_is_only_logged(
    make: Callable[[Sink], SinkRunner], caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink()
    runner = await started(make, sink)
    sink.errors["aclose"] = OSError("still busy")
    await runner.close(1)
    assert "closing Sink() failed: OSError: still busy" in caplog.text


async def test_opening_takes_only_so_long(make: Callable[[Sink], SinkRunner]) -> None:
    sink = Sink()
    sink.gates["open"] = asyncio.Event()
    with pytest.raises(TimeoutError):
        await make(sink).open(0.02)


@pytest.mark.parametrize("where", ["write", "flush", "aclose"])
async def test_closing_takes_only_so_long(make: Callable[[Sink], SinkRunner], where: str) -> None:
    sink, outcome = Sink(), Outcome()
    sink.gates[where] = asyncio.Event()
    runner = await started(make, sink)
    runner.put(outcome.parcel())
    flushed = runner.flush()
    runner.put(outcome.parcel())
    await runner.close(0.05)
    assert sink.calls[-1] == "aclose"
    if where == "aclose":
        assert outcome.reasons == [None, None]
        await flushed
        return
    lost = "sink did not finish in time"
    assert outcome.reasons == ([lost, lost] if where == "write" else [None, lost])
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await flushed
    assert runner.stats().queued_bytes == 0


async def test_a_sink_that_does_not_let_itself_be_cancelled(make: Callable[[Sink], SinkRunner]) -> None:
    class Stubborn(Sink):
        async def write(self, messages: Sequence[Message]) -> None:
            ends = asyncio.get_running_loop().time() + 1.2
            while asyncio.get_running_loop().time() < ends:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.01)

    sink, outcome = Stubborn(), Outcome()
    runner = await started(make, sink)
    runner.put(outcome.parcel())
    await runner.close(0.02)
    assert runner._task is not None
    await asyncio.wait([runner._task], timeout=5)
    assert len(outcome.reasons) == 1


async def test_the_event_loop_cancelling_everything_does_not_stop_the_writing(
    make: Callable[[Sink], SinkRunner],
) -> None:
    sink, outcome = Sink(), Outcome()
    runner = await started(make, sink)
    await asyncio.sleep(0)
    assert runner._task is not None
    runner._task.cancel()
    await asyncio.sleep(0)
    runner.put(outcome.parcel())
    await runner.close(1)
    assert outcome.reasons == [None]


def test_after_its_loop_was_closed_it_goes_on_in_another() -> None:
    sink, outcome = Sink(), Outcome()
    first = asyncio.new_event_loop()
    runner: SinkRunner

    async def begin() -> SinkRunner:
        runner = SinkRunner(sink, STORE, Worker.of(first))
        await runner.open(1)
        runner.put(outcome.parcel())
        return runner

    runner = first.run_until_complete(begin())
    first.close()

    async def go_on() -> None:
        runner.rebind()
        await runner.close(1)

    asyncio.run(go_on())
    runner._worker.release()
    assert outcome.reasons == [None]
    assert sink.calls == ["open", 1, "aclose"]
