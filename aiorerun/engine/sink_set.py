"""The sinks that are attached to a stream, and every change of them."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

from aiorerun.engine.cargo import Encoded
from aiorerun.errors import SinkOpenError
from aiorerun.sinks.parcel import Parcel
from aiorerun.sinks.runner import SinkRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.room import Room
    from aiorerun.engine.waiting import Cargo, Waiting
    from aiorerun.engine.watched_worker import WatchedWorker
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource


class SinkSet:
    """Opens, attaches and closes sinks; methods belong to the event loop of the stream.

    A change takes two steps, by the one task that also feeds the sinks: :meth:`open` and :meth:`attach`.

    Args:
        store: The recording.
        ids: Where the ids of announcements come from.
        room: Counts what sinks keep.
        waiting: Gets back what a sink did not take, and gives it to the next ones.
        worker: Where sinks do their blocking work.
        close_timeout: Seconds that opening or closing a sink may take.
        on_changed: Called when the sinks were replaced, or one of them left.
        overflow: The policy of sinks that have none.
        limit: Bytes that may wait for a sink with a queue of its own that names no limit.

    Attributes:
        runners: The attached sinks.
        had_any: Whether there ever was one.
        bytes_of_closed: Encoded bytes that former sinks have taken.
    """

    def __init__(
        self,
        store: StoreId,
        ids: TuidSource,
        room: Room,
        waiting: Waiting,
        worker: WatchedWorker,
        close_timeout: float,
        on_changed: Callable[[], None],
        overflow: OverflowPolicy,
        limit: int,
    ) -> None:
        self._store = store
        self._ids = ids
        self._room = room
        self._waiting = waiting
        self._worker = worker
        self._close_timeout = close_timeout
        self._on_changed = on_changed
        self._overflow: OverflowPolicy = overflow
        self._limit = limit
        self._undrained: list[Message] = []
        self.runners: list[SinkRunner] = []
        self.had_any = False
        self.bytes_of_closed = 0

    def rebind(self) -> None:
        """Goes on in the running loop, after the former one was closed without finishing."""
        for runner in self.runners:
            runner.rebind()

    def abandon(self) -> list[asyncio.Task[None] | None]:
        """In a forked child: gives the tasks that were to write, which nobody misses there."""
        return [runner.abandon() for runner in self.runners]

    def count_waited_for(self) -> int:
        """How many of the sinks producers wait for."""
        return sum([runner.is_waited_for for runner in self.runners])

    def make_room(self, nbytes: int) -> None:
        """So many bytes are to come: sinks that share the limit with them drop what is too much with these.

        Where callers wait for a sink the limit keeps what is to come, and the queues of others are their own.
        """
        if not self.count_waited_for():
            for runner in self.runners:
                runner.make_room(nbytes)

    def flush(self, *, acknowledged: bool) -> list[asyncio.Future[None]]:
        """Flushes all sinks; one future each."""
        return [runner.flush(acknowledged=acknowledged) for runner in self.runners]

    # --- a change ------------------------------------------------------------------------------

    async def open(self, sinks: Sequence[Sink]) -> tuple[list[SinkRunner], list[SinkRunner]]:
        """Opens sinks for :meth:`attach`.

        A former sink that equals a new one has the same file or port, and has to let go first. As it may be
        missed if another one cannot be opened, these come last.

        Returns:
            What feeds the new ones; and the former ones that were closed for them.

        Raises:
            SinkOpenError: One did not open in time.
            Exception: What a sink raised. Those that were opened before it are closed again, in both cases.
        """
        runners = [self._make_runner(sink) for sink in sinks]
        equal = [runner for runner in self.runners if runner.sink in sinks]
        former = [runner.sink for runner in equal]
        last = [runner for runner in runners if runner.sink in former]
        opened: list[SinkRunner] = []
        try:
            for runner in [runner for runner in runners if runner not in last]:
                await self._open(runner, opened)
                opened.append(runner)
            await self._close(equal)
            for runner in last:
                await self._open(runner, opened)
                opened.append(runner)
        except Exception:
            for runner in runners:
                runner.discard()
            self._on_changed()
            raise
        return runners, equal

    async def attach(
        self, runners: list[SinkRunner], equal: Sequence[SinkRunner], first: Sequence[Message] = ()
    ) -> None:
        """Replaces all sinks by opened ones, and hands over to them what no sink has taken for good.

        Args:
            runners: The new ones.
            equal: The former ones that were closed for them.
            first: What the new ones get before everything else; its rows were not counted yet.
        """
        old = self.runners
        await self._close(old)
        self.runners = runners
        self.had_any = self.had_any or bool(runners)
        for runner in runners:
            runner.start()
        self._on_changed()
        self._worker.worker.stop_hurrying()
        self._hand_over([*equal, *old], first)

    def _make_runner(self, sink: Sink) -> SinkRunner:
        return SinkRunner(
            sink,
            self._store,
            self._worker.worker,
            self._overflow,
            self._limit,
            hold_bytes=self._hold_bytes,
            on_lost=partial(self._room.lose, ledger=self._room.ledger),
            on_gone=self._on_gone,
        )

    async def _open(self, runner: SinkRunner, opened: Sequence[SinkRunner]) -> None:
        try:
            await runner.open(self._close_timeout)
        except TimeoutError as error:
            await self._abandon(opened)
            raise SinkOpenError(
                None, f"{runner.sink!r} did not open within {self._close_timeout} s"
            ) from error
        except BaseException:
            await self._abandon(opened)
            raise

    async def _abandon(self, opened: Iterable[SinkRunner]) -> None:
        """Closes sinks that were opened for a change that failed."""
        for runner in opened:
            runner.start()
            await runner.close(self._close_timeout)

    async def _close(self, runners: Sequence[SinkRunner]) -> None:
        if not runners:
            return
        # Where the worker hangs all that time has passed already.
        is_stuck = self._worker.is_bound and self._worker.worker.is_stuck
        timeout = min(self._close_timeout, 0.5) if is_stuck else self._close_timeout
        await asyncio.gather(*(runner.close(timeout) for runner in runners))
        # One that went away in the last moment has left already.
        closed = [runner for runner in self.runners if runner in runners]
        for runner in closed:
            if runner.gone is not None:
                self._take_back(runner, is_lost=len(self.runners) > 1)
        self.bytes_of_closed += sum(runner.counters.bytes_written for runner in closed)
        self._room.end_losses()
        self.runners = [runner for runner in self.runners if runner not in runners]

    def _hand_over(self, old: Sequence[SinkRunner], first: Sequence[Message]) -> None:
        """Announces the recording to new sinks and gives them what no sink has taken for good."""
        for runner in old:
            take_messages = getattr(runner.sink, "take_messages", None)
            if take_messages is not None:
                self._undrained.extend(take_messages())
        if not self.runners:
            return
        for message in first:
            self._room.accept(message.rows, message.nbytes)
            self._put(message, cost=message.nbytes, account=self._room)
        undrained, self._undrained = self._undrained, []
        for message in (self._announce(), *undrained):
            # Their rows, if any, were settled when the memory sink took them.
            self._put(message)
        self._waiting.bring_forward()

    def _put(self, message: Message, *, cost: int = 0, account: Room | None = None) -> None:
        parcel = Parcel(message, len(self.runners), self.count_waited_for(), cost=cost, account=account)
        for runner in self.runners:
            runner.put(parcel)

    # --- sinks that went away ------------------------------------------------------------------

    def _on_gone(self, runner: SinkRunner) -> None:
        """A sink can take nothing any more. The others go on; without any, rows wait in a buffer."""
        if runner.is_closing or runner not in self.runners:
            # A change of sinks is under way, and takes care of what is left.
            return
        self.runners = [other for other in self.runners if other is not runner]
        self.bytes_of_closed += runner.counters.bytes_written
        self._take_back(runner, is_lost=bool(self.runners))
        self._on_changed()

    def _take_back(self, runner: SinkRunner, *, is_lost: bool) -> None:
        """Puts what a sink did not take back into the buffer, unless another sink has it."""
        from aiorerun.codec.framing import MessageKind

        if is_lost:
            runner.lose_unsent()
            return
        waiting: list[Cargo] = []
        for parcel in runner.take_unsent():
            if parcel.is_settled:
                # The next sink gets an announcement of its own. Those of blueprints go with them.
                message = parcel.message
                if message.kind is not MessageKind.SET_STORE_INFO or message.store != self._store:
                    self._undrained.append(message)
            else:
                waiting.append(Encoded(parcel.message, parcel.rows, parcel.reclaim(), parcel.lost_because))
        self._waiting.put_back(waiting)

    def _hold_bytes(self, nbytes: int) -> None:
        """Counts what a sink keeps in memory towards the byte limit; from any thread."""
        if nbytes > 0:
            self._room.take(nbytes)
        else:
            self._room.settle(-nbytes, 0, None)

    def _announce(self) -> Message:
        """Tells a sink which recording this is."""
        from aiorerun.codec.messages import store_info_message

        return store_info_message(self._store, self._ids.next(), sys.version_info[:3])
