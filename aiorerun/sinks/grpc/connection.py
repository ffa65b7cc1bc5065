"""The task that owns the connection of a sink: connects, sends, notices losses, connects again."""

from __future__ import annotations

import asyncio
import contextvars
import os
import random
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiorerun import process
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc.at_exit import open_without_threads
from aiorerun.sinks.grpc.backoff import STABLE_SECS, Backoff
from aiorerun.sinks.grpc.errors import ServerStatusError, ServerUnavailable
from aiorerun.sinks.grpc.session import LOOK_SECS, NoAnswerError, Session

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from aiorerun.net.channel import WireChannel
    from aiorerun.net.endpoint import Endpoint
    from aiorerun.sinks.grpc.progress import Progress
    from aiorerun.sinks.grpc.supply import Batch, Supply, Unconfirmed

CONNECT_SECS: Final = 5.0
"""So long an attempt to connect may take."""

UNREACHABLE_SECS: Final = 5.0
"""So long after the loss of the connection (or the start) writes wait for it to come back."""

ANSWER_SECS: Final = 30.0
"""So long a server may take to confirm what it was sent, before the connection counts as broken."""

CLOSING_RETRY_SECS: Final = 0.5
"""The longest wait between two attempts to connect while the sink is being closed."""

REFUSALS: Final = 3
"""After so many refusals of the same data it is given up."""


class Connection:
    """Keeps a connection to a server as long as it is wanted, on one event loop.

    Args:
        endpoint: The server.
        supply: What there is to send.
        progress: What is known about the connection; it outlives this object.
        run_blocking: Runs something that blocks.
        tls: What to trust, for endpoints with TLS.
        token: What the server wants to see.
        tells_outage: Whether to log that the server cannot be reached at all, which otherwise others do.

    Attributes:
        loop: The event loop of its task.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        supply: Supply,
        progress: Progress,
        run_blocking: Callable[[Callable[[], Any]], Awaitable[Any]],
        *,
        tls: ssl.SSLContext | None = None,
        token: str | None = None,
        tells_outage: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._supply = supply
        self._progress = progress
        self._run_blocking = run_blocking
        self._tls = tls
        self._token = token
        self._tells_outage = tells_outage
        self._pid = os.getpid()
        self._backoff = Backoff(random.random)
        self._wake = asyncio.Event()
        self._session: Session | None = None
        self._refusals = 0
        self._is_abandoned = self._is_aborted = self._is_finishing = self._is_finished = False
        self._wants_answer = False
        # Questions are numbered: an answer is only for those that were asked before it was asked for.
        self._asked = self._answered = 0
        self._answer_error: ConnectionError | None = None
        self._left: Unconfirmed | None = None
        self._back_timer: asyncio.TimerHandle | None = None
        self._poison: ServerStatusError | None = None
        self.loop = asyncio.get_running_loop()
        # An empty context: the task must not keep anything of the caller's alive.
        self._task = self.loop.create_task(self._run(), name="aiorerun-grpc", context=contextvars.Context())
        _connections.add(self)

    # --- what the sink asks for ----------------------------------------------------------------

    def wake(self) -> None:
        """Something waits in the supply."""
        self._wake.set()

    @property
    def is_over(self) -> bool:
        """Whether it was finished or cut."""
        return self._task.done()

    @property
    def is_left_behind(self) -> bool:
        """Whether its event loop is closed, or its process is another one."""
        return self.loop.is_closed() or self._is_foreign

    def ask_answer(self) -> int:
        """Has the server confirm everything; returns what :meth:`is_answered` knows the question by."""
        self._wants_answer = True
        self._answer_error = None
        self._asked += 1
        self._wake.set()
        return self._asked

    def is_answered(self, question: int) -> bool:
        """Whether the server has confirmed everything that was sent before a question."""
        return self._answered >= question

    def take_answer_error(self) -> ConnectionError | None:
        """Why the server did not confirm, if that is so. The question is taken back then."""
        error, self._answer_error = self._answer_error, None
        return error

    def take_poison(self) -> ServerStatusError | None:
        """Why the server refuses the messages that are being written, again and again, if it does."""
        error, self._poison = self._poison, None
        return error

    def forget_answer(self) -> None:
        """Nobody waits for the confirmation any more."""
        self._wants_answer = False
        self._answer_error = None

    @property
    def left(self) -> Unconfirmed | None:
        """What was not confirmed when the sink itself ended the connection; ``None`` if it did not."""
        return self._left

    def finish(self) -> None:
        """Sends everything, has it confirmed, and ends."""
        self._is_finishing = True
        self._wake.set()

    async def cut(self) -> None:
        """Ends at once, whatever is under way. Not to be cancelled."""
        self._is_aborted = True
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})

    def abandon(self) -> None:
        """Lets go of everything without touching the event loop, which is another one, or the parent's."""
        self._is_abandoned = True
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]
        if self._session is None or os.getpid() != self._pid:
            # In the middle of connecting, collecting it as garbage would close what is registered with the
            # loop; a child shares that with its parent.
            _left_behind.append(self._task)
        if self._session is not None:
            self._session.abandon()
            self._session = None
        _connections.discard(self)

    def unavailability(self, now: float) -> SinkUnavailable | None:
        """Why nothing can be written for now; ``None`` if it can, or may soon."""
        progress = self._progress
        if progress.is_linked:
            return None
        refusal = progress.refusal
        if refusal is not None and refusal.is_refusal:
            return ServerUnavailable(refusal.code, refusal.text)
        if now < progress.down_since + UNREACHABLE_SECS:
            return None
        if refusal is not None:
            return ServerUnavailable(refusal.code, refusal.text)
        return SinkUnavailable(f"{self._endpoint} is unreachable: {progress.error or 'no answer yet'}")

    def patience(self, now: float) -> float | None:
        """Seconds until :meth:`unavailability` may answer something else by itself."""
        if self._progress.is_linked:
            return None
        return max(0.0, self._progress.down_since + UNREACHABLE_SECS - now) + 0.001

    # --- the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while not self._is_finished and not self._is_aborted:
                try:
                    await self._attempt()
                except asyncio.CancelledError:
                    if self._is_foreign or self._is_aborted:
                        raise
                    # The event loop is shutting down. The sink is closed in order soon after.
                    _uncancel()
        finally:
            if not self._is_foreign:
                _connections.discard(self)
                self._progress.tell()

    @property
    def _is_foreign(self) -> bool:
        return self._is_abandoned or os.getpid() != self._pid

    async def _attempt(self) -> None:
        """Connects, and uses the connection as long as it lasts."""
        try:
            channel = await self._connect()
            await self._use(channel)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if self._is_foreign:
                raise
            # grpclib wakes tasks by cancelling them; that it did is no reason to end.
            _uncancel()
            if not self._is_aborted:
                await self._failed(error)

    async def _connect(self) -> WireChannel:
        from aiorerun.net.channel import open_channel

        try:
            return await open_channel(self._endpoint, tls=self._tls, timeout=CONNECT_SECS)
        except RuntimeError:
            # The interpreter ends, and the executor of the loop with it; the worker is still there.
            if self._is_foreign:
                raise
            return await open_without_threads(self._endpoint, self._tls, CONNECT_SECS, self._run_blocking)

    async def _use(self, channel: WireChannel) -> None:
        session = Session(channel, self._supply, self._token, self._wake.set, self._on_sent)
        self._session = session
        is_new = True
        try:
            self._backoff.connected(time.monotonic())
            self._progress.linked()
            await session.send_waiting(self._supply.greet())
            while not self._is_finished:
                self._wake.clear()
                session.check()
                if self._supply.has_waiting:
                    await session.send_waiting()
                    self._progress.tell()
                elif is_new:
                    is_new = False
                    self._connected()
                elif self._is_finishing:
                    await self._finish(session)
                elif self._wants_answer:
                    await self._ask(session)
                else:
                    await self._idle(session)
        finally:
            if not self._is_foreign:
                self._session = None
                if self._is_aborted or self._is_finished:
                    self._left = self._supply.unconfirmed()
                session.hang_up()
                self._supply.broke()
                self._progress.unlinked()
                if self._back_timer is not None:
                    self._back_timer.cancel()

    async def _idle(self, session: Session) -> None:
        try:
            async with asyncio.timeout(None if session.has_stream else LOOK_SECS):
                await self._wake.wait()
        except TimeoutError:
            return
        except asyncio.CancelledError:
            if self._is_foreign or self._is_aborted:
                raise
            # The event loop is shutting down; the connection is still good for closing the sink in order.
            _uncancel()

    async def _ask(self, session: Session) -> None:
        asked = self._asked
        await session.acknowledge(ANSWER_SECS)
        self._answered = asked
        # Those who have asked meanwhile may have written something that was not sent any more.
        self._wants_answer = self._wants_answer and self._asked > asked
        self._refusals = 0
        self._progress.confirmed()

    async def _finish(self, session: Session) -> None:
        try:
            await session.acknowledge(ANSWER_SECS)
            self._progress.confirmed()
        except NoAnswerError as error:
            # Sending everything once more would not help.
            self._progress.error = str(error)
        self._is_finished = True

    def _on_sent(self, batch: Batch) -> None:
        self._progress.replayed(batch.replayed, batch.replayed_rows)

    def _connected(self) -> None:
        self._progress.connected()
        # A server that is gone again at once would fill the log.
        self._back_timer = self.loop.call_later(STABLE_SECS, self._progress.tell_back)

    async def _failed(self, error: Exception) -> None:
        """Notes why there is no connection, and waits before the next attempt."""
        if isinstance(error, ServerStatusError) and error.is_about_data:
            await self._refused(error)
        if self._wants_answer and isinstance(error, ServerStatusError | NoAnswerError):
            self._wants_answer = False
            self._answer_error = (
                ServerUnavailable(error.code, error.text)
                if isinstance(error, ServerStatusError)
                else SinkUnavailable(str(error))
            )
        self._progress.failed(error, tells_outage=self._tells_outage)
        is_refusal = isinstance(error, ServerStatusError) and error.is_refusal
        delay = self._backoff.delay(time.monotonic(), is_refused=is_refusal)
        await self._pause(delay)

    async def _refused(self, error: ServerStatusError) -> None:
        """The server does not like what it was sent. After some attempts that is given up."""
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._refusals = 0
            if not await self._supply.drop_sent():
                self._poison = error

    async def _pause(self, secs: float) -> None:
        """Waits; not so long if the sink is being closed meanwhile."""
        ends = time.monotonic() + secs
        while True:
            self._wake.clear()
            limit = min(ends, time.monotonic() + CLOSING_RETRY_SECS) if self._is_finishing else ends
            was_finishing = self._is_finishing
            try:
                async with asyncio.timeout(limit - time.monotonic()):
                    await self._wake.wait()
            except TimeoutError:
                return
            if self._is_finishing and not was_finishing:
                return


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


_connections: WeakSet[Connection] = WeakSet()
_left_behind: Final[list[asyncio.Task[None]]] = []


def _after_fork() -> None:
    """In a forked child: the connections are the parent's."""
    for connection in list(_connections):
        connection.abandon()


process.on_fork.append(_after_fork)
