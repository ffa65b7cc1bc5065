"""The gRPC sink: sends to a Rerun server or viewer, and survives that it goes away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiorerun.config import ChunkBatcherConfig, check_number
from aiorerun.errors import SinkOpenError
from aiorerun.net.endpoint import DEFAULT_URL, Endpoint
from aiorerun.net.methods import auth_metadata
from aiorerun.pipeline.overflow import check_policy
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc.progress import Progress
from aiorerun.sinks.grpc.state import ConnectionState
from aiorerun.sinks.queued import check_max_queued_bytes

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.net.tls import ClientTls
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import SinkContext
    from aiorerun.sinks.grpc.connection import Connection
    from aiorerun.sinks.grpc.spill import SpillSupply
    from aiorerun.sinks.grpc.state import ConnectionStatus
    from aiorerun.sinks.grpc.supply import MemorySupply, Unconfirmed

REPLAY_BYTES: Final = 16 << 20
"""So many bytes of sent messages are kept by default until the server confirms them."""

SPILL_BYTES: Final = 1 << 30
"""So many bytes of messages are kept on disk by default."""

MAX_MESSAGE_BYTES: Final = (1 << 31) - 64
"""Longer messages are not sent: no server takes them."""

NOT_SENT: Final = "not sent before the gRPC sink was closed"
"""Why rows are lost that were taken, and could not be sent in time."""

TOO_LONG: Final = "too long for gRPC"
"""Why rows are lost whose chunk has more than 2 GiB."""

logger = logging.getLogger("aiorerun")


class GrpcSink:
    """Sends a recording to a Rerun server or viewer.

    Attaching it returns at once; a task of its own connects, and connects again whenever the connection is
    lost, for as long as the sink is attached. Nobody's event loop is held up meanwhile: while there is no
    connection the sink takes nothing, and what is logged waits by the overflow policy.

    The only answer that servers give comes at the end of a stream of messages: until a flush asks for it
    (``flush(acknowledged=True)``) or the sink is closed, what was sent may be under way. So it is kept, up to
    ``replay_bytes``, and sent again unchanged when the connection breaks; Rerun drops chunks that it has
    already. Rows that were forgotten because of that limit, and may not have arrived when the connection
    breaks, are counted as lost, with a reason, in the statistics. What every viewer needs (which recording it
    is, its properties, blueprints, and the newest static data) is sent on each new connection in any case.

    With ``spill_dir`` messages are on disk before they count as taken, and writing waits for no connection.
    What a program could not get confirmed before it ended, by whatever means, is sent by the next one that
    uses the same directory for the same server. Live programs may share a directory. Files are not synced:
    they survive the end of the program, but not always a loss of power.

    Args:
        url: The server, such as ``rerun+http://192.168.1.7:9876/proxy``, with the schemes ``rerun+http``, or
            ``rerun`` or ``rerun+https`` for TLS; by default the viewer on this machine.
        tls: What to trust, for URLs with TLS: a context, or a file with certificates. By default what the
            system trusts.
        token: Sent as ``authorization: Bearer …`` to servers that ask for one. It is never shown.
        replay_bytes: So many bytes of sent messages are kept in memory until they are confirmed.
        spill_dir: A directory for messages that are not confirmed.
        spill_bytes: So many bytes may be there, per sink; over it the oldest are deleted and count as lost.
        overflow: The policy of this sink; by default that of the stream. See :data:`aiorerun.OverflowPolicy`.
        max_queued_bytes: Encoded bytes that may wait for it under a policy other than ``"wait"``.
        on_state: Called with a :class:`ConnectionStatus` on the event loop of the recording whenever the
            state of the connection changes. It must not block; what it raises is logged.

    Raises:
        InvalidUrlError: The URL is none of a message proxy.
        ValueError: A limit is negative, there is no such policy, or the token holds what headers cannot hold.
        TypeError: URL or token is no text, or a limit is no number.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        tls: ClientTls = None,
        token: str | None = None,
        replay_bytes: int = REPLAY_BYTES,
        spill_dir: str | os.PathLike[str] | None = None,
        spill_bytes: int = SPILL_BYTES,
        overflow: OverflowPolicy | None = None,
        max_queued_bytes: int | None = None,
        on_state: Callable[[ConnectionStatus], object] | None = None,
    ) -> None:
        self.endpoint = Endpoint.parse(DEFAULT_URL if url is None else url)
        auth_metadata(token)
        self._tls = tls
        self._token = token
        self._replay_bytes = _check_bytes("replay_bytes", replay_bytes)
        self._spill_dir = None if spill_dir is None else Path(spill_dir)
        self._spill_bytes = _check_bytes("spill_bytes", spill_bytes)
        self.overflow: OverflowPolicy | None = None if overflow is None else check_policy(overflow)
        self.max_queued_bytes = check_max_queued_bytes(max_queued_bytes)
        self._on_state = on_state
        self.default_batcher_config = ChunkBatcherConfig.LOW_LATENCY()
        self._progress = Progress(repr(self), on_state, self._rows_unconfirmed)
        self._context: SinkContext | None = None
        self._trust: ssl.SSLContext | None = None
        self._memory: MemorySupply | None = None
        self._spill: SpillSupply | None = None
        self._connection: Connection | None = None
        self._spill_error: OSError | None = None
        self._lost_because = ""
        self._is_attached = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GrpcSink):
            return NotImplemented
        return self.endpoint == other.endpoint

    def __hash__(self) -> int:
        return hash(self.endpoint)

    def __repr__(self) -> str:
        return f"GrpcSink({self.url!r})"

    @property
    def url(self) -> str:
        """The URL of the server, complete and without credentials."""
        return str(self.endpoint)

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._progress.state

    @property
    def connection_state(self) -> str:
        """Where the connection stands, as a text."""
        return self._progress.state.value

    @property
    def status(self) -> ConnectionStatus:
        """Where the connection stands, with the last error and counters."""
        return self._progress.status()

    async def connected(self, timeout: float | None = None) -> None:
        """Returns when the server is there and has been sent what was kept for it. May be cancelled.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: Time is over; the text says why there is no connection.
            ConnectionError: The sink was closed.
        """
        progress = self._progress
        try:
            async with asyncio.timeout(timeout):
                while progress.state is not ConnectionState.CONNECTED:
                    if progress.state is ConnectionState.CLOSED:
                        raise ConnectionError(f"{self!r} is closed")
                    await progress.changes.wait()
        except TimeoutError:
            why = "" if progress.error is None else f": {progress.error}"
            raise TimeoutError(f"{self!r} is not connected after {timeout} s{why}") from None

    def reopened(self) -> GrpcSink:
        """A fresh sink to the same server; in a forked child, in place of the parent's."""
        return GrpcSink(
            self.url,
            tls=self._tls,
            token=self._token,
            replay_bytes=self._replay_bytes,
            spill_dir=self._spill_dir,
            spill_bytes=self._spill_bytes,
            overflow=self.overflow,
            max_queued_bytes=self.max_queued_bytes,
            on_state=self._on_state,
        )

    # --- what the stream calls -----------------------------------------------------------------

    async def open(self, context: SinkContext) -> None:
        """Starts connecting, and does not wait for that.

        Raises:
            SinkOpenError: Certificates cannot be read, the spill directory cannot be used, or the sink is
                attached to another recording.
        """
        if self._is_attached and (self._connection is None or not self._connection.is_left_behind):
            raise SinkOpenError(
                errno.EBUSY, f"{self!r} is attached to another recording already: make another sink"
            )
        self._is_attached = True
        try:
            self._leave_behind()
            await self._open(context)
        except BaseException:
            self._is_attached = False
            raise

    def _leave_behind(self) -> None:
        """A recording that had the sink has gone with its event loop or process, without a word."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
            self._progress.moved()

    async def _open(self, context: SinkContext) -> None:
        # In the worker: it takes a tenth of a second.
        await context.run_blocking(_load)
        from aiorerun.net.hosts import is_loopback
        from aiorerun.sinks.resident import RESIDENT_BYTES, Resident

        self._context = context
        if self._token is not None and not self.endpoint.is_tls and not is_loopback(self.endpoint.host):
            logger.warning("%r sends its token over a connection that is not encrypted", self)
        if self.endpoint.is_tls:
            await self._read_certificates(context)
        resident = Resident(RESIDENT_BYTES, lambda text: logger.warning("%r: %s", self, text))
        if self._spill_dir is None:
            from aiorerun.sinks.grpc.supply import MemorySupply

            self._memory = MemorySupply(resident, self._replay_bytes, self._lose)
        else:
            from aiorerun.sinks.grpc.spill import SpillSupply

            self._spill = SpillSupply(
                self._spill_dir, self.url, self._spill_bytes, resident, self._lose, context.run_blocking
            )
            await self._spill.open()
        self._progress.opened()
        self._bind()

    async def write(self, messages: Sequence[Message]) -> None:
        """Hands messages over to HTTP/2, or writes them to the spill directory.

        Without a connection it waits for one until five seconds after the loss.

        Raises:
            SinkUnavailable: There is no connection; nothing was taken.
            ServerStatusError: The server refuses these messages again and again.
        """
        messages = self._leave_out_too_long(messages)
        connection = self._bind()
        if self._spill is not None:
            await self._write_to_disk(self._spill, connection, messages)
            return
        memory = self._memory
        assert memory is not None
        call = memory.put(messages)
        connection.wake()
        try:
            await self._until(connection, lambda: not memory.has_waiting)
        except asyncio.CancelledError:
            # Time is over: the stream is cut, so that half a message is never taken for a whole one.
            await connection.cut()
            memory.withdraw(call)
            raise
        except Exception:
            memory.withdraw(call)
            raise
        memory.settle()

    async def flush(self) -> None:
        """Returns when everything was handed over to the operating system.

        Raises:
            SinkUnavailable: There is no connection for more than five seconds.
        """
        connection = self._bind()
        await self._catch_up()
        supply = self._supply
        if self._spill is not None and not self._progress.is_linked:
            # It is safe where it is.
            return
        await self._until(connection, lambda: not supply.has_waiting)

    async def flush_acknowledged(self) -> None:
        """Returns when the server has confirmed everything.

        Raises:
            SinkUnavailable: There is no connection for more than five seconds, or no answer for thirty; or
                rows were lost meanwhile that had been taken before.
            ServerUnavailable: The server has answered with an error.
        """
        connection = self._bind()
        await self._catch_up()
        lost = self._progress.rows_lost
        question = connection.ask_answer()
        try:
            await self._until(
                connection, lambda: connection.is_answered(question), or_raise=connection.take_answer_error
            )
        finally:
            connection.forget_answer()
        lost = self._progress.rows_lost - lost
        if lost:
            # The connection broke, and the answer over the next one is not about them.
            raise SinkUnavailable(f"{lost} rows are lost that {self!r} had taken: {self._lost_because}")

    async def wait_available(self) -> None:
        """Returns when writing makes sense again. May be cancelled."""
        self._bind()
        if self._spill_error is not None:
            await self._make_room()
            return
        while self._progress.state is not ConnectionState.CONNECTED:
            self._bind()
            await self._progress.changes.wait()

    async def aclose(self) -> None:
        """Sends what is left, has it confirmed and ends the connection.

        Without an answer it goes on until the stream gives up. A line in the log then says what was not
        confirmed.
        """
        context = self._context
        assert context is not None
        connection = self._connection
        try:
            if not context.has_given_up and (self._progress.is_linked or self._rows_unconfirmed()):
                connection = self._bind()
                with contextlib.suppress(SinkUnavailable):
                    await self._catch_up()
                await self._finish(connection)
        except GeneratorExit:
            # The event loop is gone for good; nothing can be waited for.
            raise
        except BaseException:
            await self._end(connection)
            raise
        await self._end(connection)

    # --- the rest ------------------------------------------------------------------------------

    def _bind(self) -> Connection:
        """The connection, made anew if the recording goes on in another event loop."""
        from aiorerun.sinks.grpc.connection import Connection

        connection = self._connection
        assert self._context is not None
        if connection is not None:
            if connection.loop is asyncio.get_running_loop() and not connection.is_over:
                return connection
            if connection.loop is not asyncio.get_running_loop():
                connection.abandon()
                if self._memory is not None:
                    # The call that was under way there never ends. What it was given is not lost.
                    self._memory.settle()
                self._supply.broke()
                self._progress.moved()
        self._connection = Connection(
            self.endpoint,
            self._supply,
            self._progress,
            self._context.run_blocking,
            tls=self._trust,
            token=self._token,
            tells_outage=self._spill is not None,
        )
        return self._connection

    @property
    def _supply(self) -> MemorySupply | SpillSupply:
        supply = self._memory or self._spill
        assert supply is not None
        return supply

    def _rows_unconfirmed(self) -> int:
        if self._memory is None and self._spill is None:
            return 0
        unconfirmed = self._supply.unconfirmed()
        return unconfirmed.rows_sent + unconfirmed.rows_waiting

    async def _end(self, connection: Connection | None) -> None:
        if connection is not None:
            await connection.cut()
        left = None if connection is None else connection.left
        self._connection = None
        self._is_attached = False
        self._tell_unconfirmed(left or self._supply.unconfirmed())
        self._progress.closed()
        if self._spill is not None:
            await self._spill.close()

    async def _finish(self, connection: Connection) -> None:
        connection.finish()
        if self._spill is None:
            await self._until(connection, lambda: connection.is_over, is_patient=True)
            return
        # What is on disk need not wait for a server that is not there.
        with contextlib.suppress(ConnectionError):
            await self._until(connection, lambda: connection.is_over)

    async def _until(
        self,
        connection: Connection,
        is_done: Callable[[], bool],
        *,
        or_raise: Callable[[], Exception | None] = lambda: None,
        is_patient: bool = False,
    ) -> None:
        """Waits for something. Cancelling takes effect when time for closing is over, or else afterwards."""
        assert self._context is not None
        cancelled = False
        try:
            while not is_done():
                now = time.monotonic()
                error = or_raise() or connection.take_poison()
                if error is None and not is_patient:
                    error = connection.unavailability(now)
                if error is None and connection.is_over:
                    error = SinkUnavailable("the connection has ended")
                if error is not None:
                    raise error
                try:
                    await self._progress.changes.wait(None if is_patient else connection.patience(now))
                except asyncio.CancelledError:
                    if self._context.has_given_up:
                        raise
                    cancelled = True
        finally:
            if cancelled:
                task = asyncio.current_task()
                if task is not None:
                    task.cancel()

    async def _write_to_disk(
        self, spill: SpillSupply, connection: Connection, messages: Sequence[Message]
    ) -> None:
        await self._to_disk(spill.put(messages))
        connection.wake()
        if spill.has_losses:
            # Rows of this very call may be among them, which count as written only when it returns.
            asyncio.get_running_loop().call_soon(spill.report_losses)

    async def _to_disk(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except OSError as error:
            self._spill_error = error
            raise SinkUnavailable(f"cannot write to {str(self._spill_dir)!r}: {error.strerror}") from error

    async def _catch_up(self) -> None:
        """Finishes the write that was under way when a former event loop was closed."""
        if self._spill is not None and self._spill.is_writing:
            await self._to_disk(self._spill.finish_put())
            self._bind().wake()

    async def _make_room(self) -> None:
        """The disk is full, for instance: what the server confirms can be deleted."""
        connection = self._bind()
        question = connection.ask_answer()
        ends = time.monotonic() + 1.0
        while (left := ends - time.monotonic()) > 0:
            await self._progress.changes.wait(left)
            if connection.is_answered(question):
                break
        connection.forget_answer()
        self._spill_error = None

    async def _read_certificates(self, context: SinkContext) -> None:
        from aiorerun.net.tls import client_context

        try:
            self._trust = await context.run_blocking(partial(client_context, self._tls))
        except OSError as error:
            raise SinkOpenError(error.errno, f"tls: certificates cannot be read: {error}") from error

    def _leave_out_too_long(self, messages: Sequence[Message]) -> Sequence[Message]:
        if all(message.nbytes <= MAX_MESSAGE_BYTES for message in messages):
            return messages
        too_long = [message for message in messages if message.nbytes > MAX_MESSAGE_BYTES]
        rows = sum(message.rows for message in too_long)
        logger.error("%r: %d rows are lost, their chunks have more than 2 GiB", self, rows)
        asyncio.get_running_loop().call_soon(self._lose, rows, TOO_LONG)
        return [message for message in messages if message.nbytes <= MAX_MESSAGE_BYTES]

    def _lose(self, rows: int, reason: str) -> None:
        self._progress.rows_lost += rows
        self._lost_because = reason
        if self._context is not None:
            self._context.lose(rows, reason)

    def _tell_unconfirmed(self, left: Unconfirmed) -> None:
        messages = left.messages_sent + left.messages_waiting
        if not messages and not left.rows_sent:
            return
        why = self._progress.error or "no answer"
        if self._spill is not None:
            logger.warning(
                "%r is closed and %d rows in %d messages are not confirmed (%s); they stay in %r",
                self, left.rows_sent + left.rows_waiting, messages, why, str(self._spill_dir),
            )  # fmt: skip
            return
        logger.warning(
            "%r is closed without a confirmation from the server (%s): %d rows in %d messages were sent and "
            "may not have arrived, %d rows in %d messages were not sent",
            self, why, left.rows_sent, left.messages_sent, left.rows_waiting, left.messages_waiting,
        )  # fmt: skip
        if left.rows_waiting:
            self._lose(left.rows_waiting, NOT_SENT)


def _load() -> None:
    """Imports what is needed from now on: grpclib above all."""
    for name in ("net.channel", "sinks.grpc.connection", "sinks.grpc.spill"):
        importlib.import_module(f"aiorerun.{name}")
    from aiorerun.net.inbound import can_count_for_h2

    # It tries that out once.
    can_count_for_h2()


def _check_bytes(name: str, value: int) -> int:
    check_number(value, name)
    if value < 0:
        raise ValueError(f"{name}: {value!r} is negative; pass a number of bytes")
    return value
