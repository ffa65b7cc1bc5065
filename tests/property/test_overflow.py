"""Whatever producers, sinks and policies do: accepted = delivered + dropped + pending, at every moment."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import aiorerun as rr
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.memory import encode_stream
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from aiorerun.codec.messages import Message

T = TypeVar("T")

POLICIES: list[rr.OverflowPolicy] = ["wait", "drop_oldest", "drop_newest", "keep_latest"]
policies = st.sampled_from(POLICIES)


class FitfulSink:
    """Slow, failing, unavailable, or well, as it is told; and it may lose what it had taken."""

    def __init__(self, overflow: rr.OverflowPolicy | None, max_queued_bytes: int | None) -> None:
        self.overflow = overflow
        self.max_queued_bytes = max_queued_bytes
        self.gate = asyncio.Event()
        self.fails = False
        self.available = asyncio.Event()
        self.available.set()
        self.context: Any = None
        self.taken: list[Message] = []
        self.rows = 0

    def __repr__(self) -> str:
        return f"FitfulSink({self.overflow})"

    async def open(self, context: Any) -> None:
        self.context = context

    async def write(self, messages: Sequence[Message]) -> None:
        await self.gate.wait()
        if not self.available.is_set():
            raise SinkUnavailable("on purpose")
        if self.fails:
            raise OSError("on purpose")
        self.taken.extend(messages)
        self.rows += sum(message.rows for message in messages)

    async def wait_available(self) -> None:
        await self.available.wait()

    async def flush(self) -> None:
        await self.gate.wait()

    async def aclose(self) -> None: ...


class Overflowing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.logged = 0
        self.sinks: list[FitfulSink] = []

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rr.RerunWarning)
            return self.runner.run(call)

    @initialize(policy=policies, limit=st.sampled_from([4 << 10, 32 << 10]), each=st.booleans())
    def make_stream(self, policy: rr.OverflowPolicy, limit: int, each: bool) -> None:
        config = rr.ChunkBatcherConfig.ALWAYS() if each else rr.ChunkBatcherConfig(flush_tick=0.001)
        self.rec = rr.AsyncRecordingStream(
            "overflow",
            recording_id="machine",
            overflow=policy,
            max_bytes_in_flight=limit,
            max_wait=0.005,
            close_timeout=0.05,
            batcher_config=config,
        )

    @rule(
        wanted=st.lists(
            st.tuples(st.none() | policies, st.none() | st.sampled_from([1, 5000])), min_size=0, max_size=3
        )
    )
    def set_sinks(self, wanted: list[tuple[rr.OverflowPolicy | None, int | None]]) -> None:
        self.sinks = [FitfulSink(policy, limit) for policy, limit in wanted]
        self.run(self.rec.set_sinks(*self.sinks))

    @rule(rows=st.integers(1, 60), entities=st.integers(1, 5), static=st.booleans(), nowait=st.booleans())
    def log(self, rows: int, entities: int, static: bool, nowait: bool) -> None:
        async def log() -> None:
            for number in range(rows):
                path, value = f"e{number % entities}", rr.Scalars(float(number))
                if nowait:
                    self.rec.log_nowait(path, value, static=static, strict=False)
                else:
                    await self.rec.log(path, value, static=static, strict=False)
                self.check()

        self.logged += rows
        self.run(log())

    @rule(number=st.integers(0, 2), gate=st.booleans(), fails=st.booleans())
    @precondition(lambda self: bool(self.sinks))
    def change_mood(self, number: int, gate: bool, fails: bool) -> None:
        sink = self.sinks[number % len(self.sinks)]
        sink.fails = fails
        if gate:
            sink.gate.set()
        else:
            sink.gate.clear()

    @rule(number=st.integers(0, 2), available=st.booleans())
    @precondition(lambda self: bool(self.sinks))
    def come_or_go(self, number: int, available: bool) -> None:
        sink = self.sinks[number % len(self.sinks)]
        if available:
            sink.available.set()
        else:
            sink.available.clear()

    @rule(number=st.integers(0, 2), rows=st.integers(0, 40))
    @precondition(lambda self: bool(self.sinks))
    def lose(self, number: int, rows: int) -> None:
        sink = self.sinks[number % len(self.sinks)]

        async def lose() -> tuple[rr.StreamStats, rr.StreamStats]:
            # In one turn of the loop: nothing else happens in between.
            before = self.rec.stats()
            sink.context.lose(rows, "connection lost")
            return before, self.rec.stats()

        before, stats = self.run(lose())
        moved = stats.rows_dropped - before.rows_dropped
        assert 0 <= moved <= rows
        if len(self.sinks) == 1:
            # All that it has written since it was attached was delivered, as far as it was not lost already.
            lost = stats.sinks[0].rows_dropped - before.sinks[0].rows_dropped
            assert lost == min(rows, before.sinks[0].rows_written)
            assert moved <= lost

    @rule(turns=st.integers(1, 30))
    def let_time_pass(self, turns: int) -> None:
        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0.0002)
                self.check()

        self.run(turn())

    @rule()
    def flush(self) -> None:
        self.run(self.rec.flush(timeout_sec=0))

    @invariant()
    def balanced(self) -> None:
        if hasattr(self, "rec"):
            self.check()

    def check(self) -> None:
        stats = self.rec.stats()
        assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending
        assert min(stats.rows_delivered, stats.rows_dropped, stats.rows_pending, stats.pending_bytes) >= 0
        assert sum(stats.reasons.values()) == stats.rows_dropped + stats.rows_refused
        assert stats.rows_accepted + stats.rows_refused <= 1 + self.logged, "and the properties"
        for sink in stats.sinks:
            assert sink.rows_accepted == sink.rows_written + sink.rows_dropped + sink.rows_pending
            assert min(sink.rows_written, sink.rows_dropped, sink.rows_pending, sink.queued_bytes) >= 0
            assert sum(sink.reasons.values()) == sink.rows_dropped

    def teardown(self) -> None:
        if not hasattr(self, "rec"):
            self.runner.close()
            return
        for sink in self.sinks:
            sink.fails = False
            sink.gate.set()
            sink.available.set()
        before = self.rec.stats()
        self.run(self.rec.disconnect())
        self.runner.close()
        stats = self.rec.stats()
        self.check()
        assert stats.rows_accepted + stats.rows_refused == 1 + self.logged
        ledger = self.rec._engine.room.ledger
        if self.sinks:
            # With well-behaved sinks everything comes to an end, and every byte is given back.
            assert stats.rows_pending == 0
            assert (ledger.in_flight, ledger.aside, stats.pending_bytes) == (0, 0, 0)
            assert stats.rows_dropped >= before.rows_dropped
        for sink in self.sinks:
            assert len(rows_of(encode_stream(sink.taken))) <= sink.rows, "rows_of leaves the properties out"


TestOverflowing = Overflowing.TestCase
TestOverflowing.settings = settings(max_examples=60, stateful_step_count=25)
