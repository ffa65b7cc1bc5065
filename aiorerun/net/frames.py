"""Sends framed messages on a gRPC stream, many at a time.

Peers close connections on which too many short DATA frames come in, so that messages have to be joined,
which grpclib's own interface cannot do. The direct way makes the frames here and keeps the windows of h2's
connection up to date; the other way leaves the frames to h2.
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived
from h2.stream import StreamState

from aiorerun.net.data_frames import MIN_FRAME, WRITE_SIZE, FrameCutter
from aiorerun.net.gathering import gathering_descriptor, write_pieces
from aiorerun.net.logmsg import Framed
from aiorerun.net.streams import StreamBrokenError, Watch, inner_stream, is_client, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.net.streams import Stream

SWITCH: Final = "AIORERUN_DIRECT_FRAMES"
"""The environment variable that switches the direct way off when it is ``0``."""

_FAIR_BYTES: Final = 1 << 20
"""After so many bytes other tasks have their turn, even if the transport takes more."""

_SMALL_WINDOW_SECS: Final = 0.1
"""So long to wait for more when the peer's window has room for a short frame only."""


class MessageWriter:
    """Writes framed messages to one gRPC stream, joined into writes of about 512 KiB.

    One task uses it. What is written together should be given together: the last frame of each
    :meth:`write` may be a short one, and peers do not forgive many of them.

    Args:
        stream: A call of grpclib, of the client or the server. Its request or initial metadata is sent with
            the first message if that was not done before.
        direct: Whether to make the frames here; by default if :func:`can_write_directly`.

    Attributes:
        bytes_written: Bytes of messages that were handed to the transport.
    """

    def __init__(self, stream: Stream, *, direct: bool | None = None) -> None:
        self._stream: Any = stream
        self._is_direct: bool | None = direct
        self._watch: Watch | None = None
        self._descriptor: int | None = None
        self._waiting: FrameCutter | None = None
        self.bytes_written = 0

    @property
    def is_direct(self) -> bool:
        """Whether frames are made here. Known for sure from the first message on."""
        return bool(self._is_direct)

    async def write(self, messages: Sequence[Framed]) -> None:
        """Sends messages. It returns when all of them are handed to the transport.

        It waits for the peer's windows and for room in the buffer of the transport. Cancelling it after some
        bytes were sent resets the stream, so that the peer never takes half a message for a whole one.

        Raises:
            StreamBrokenError: The peer has ended or reset the stream, or the connection is gone.
        """
        if not messages:
            return
        await self._start()
        before = self.bytes_written
        try:
            await self._send(messages)
        except BaseException:
            if self.bytes_written != before:
                _reset(inner_stream(self._stream))
            raise

    async def _start(self) -> None:
        if self._watch is not None:
            return
        await start(self._stream)
        if self._is_direct is None:
            self._is_direct = can_write_directly(self._stream)
        if self._is_direct:
            self._descriptor = gathering_descriptor(inner_stream(self._stream).connection._transport)
            inner_stream(self._stream).window_updated = _RoomEvent(self._use_room)
        self._watch = Watch.of(inner_stream(self._stream))

    def _check(self, inner: Any) -> Any:
        """The stream's state at h2.

        Raises:
            StreamBrokenError: Nothing can be sent any more.
        """
        watch = self._watch
        assert watch is not None
        if watch.error is not None or inner.connection.is_closing():
            raise watch.broken()
        state = inner._h2_connection.streams.get(inner.id)
        if state is None or not _may_send(state, is_caller=is_client(self._stream)):
            raise watch.broken()
        return state

    async def _send(self, messages: Sequence[Framed]) -> None:
        inner = inner_stream(self._stream)
        connection = inner.connection
        cutter = FrameCutter(messages, inner.id)
        has_waited = False
        turn_ends = self.bytes_written + _FAIR_BYTES
        while left := cutter.ready(MIN_FRAME):
            if not connection.write_ready.is_set():
                await connection.write_ready.wait()
                turn_ends = self.bytes_written + _FAIR_BYTES
            state = self._check(inner)
            room = _room(inner, state)
            if room < MIN_FRAME and room < left and not (has_waited and room > 0):
                await self._wait_for_room(inner, cutter, is_empty=room <= 0)
                has_waited = room > 0
                turn_ends = self.bytes_written + _FAIR_BYTES
            elif self.bytes_written >= turn_ends:
                await asyncio.sleep(0)
                turn_ends = self.bytes_written + _FAIR_BYTES
            else:
                has_waited = False
                self._write_some(inner, state, cutter, room)
        inner.data_sent += cutter.taken
        connection.data_sent += cutter.taken
        connection.data_send_process()

    def _write_some(self, inner: Any, state: Any, cutter: FrameCutter, room: int) -> None:
        if self._is_direct:
            self.bytes_written += _write_frames(inner, state, cutter, room, self._descriptor)
        else:
            self.bytes_written += _write_by_h2(inner, cutter, room)

    async def _wait_for_room(self, inner: Any, cutter: FrameCutter, *, is_empty: bool) -> None:
        """Waits until the peer opens a window, or the stream ends. Meanwhile more may be written."""
        inner.window_updated.clear()
        if is_empty:
            self._waiting = cutter
            try:
                await inner.window_updated.wait()
            finally:
                self._waiting = None
            return
        # A frame of a few bytes is worse than a short wait; but some peers only open windows that are
        # used up.
        try:
            async with asyncio.timeout(_SMALL_WINDOW_SECS):
                await inner.window_updated.wait()
        except TimeoutError:
            return

    def _use_room(self) -> bool:
        """A window was opened: writes what waits for that. Returns whether the rest goes on waiting."""
        cutter, self._waiting = self._waiting, None
        if cutter is None:
            return False
        inner = inner_stream(self._stream)
        try:
            state = self._check(inner)
        except StreamBrokenError:
            # The task finds out the same.
            return False
        turn_ends = self.bytes_written + _FAIR_BYTES
        while left := cutter.ready(MIN_FRAME):
            room = _room(inner, state)
            if room <= 0:
                # Often the stream's window is opened first, and then that of the connection.
                self._waiting = cutter
                return True
            is_full = not inner.connection.write_ready.is_set()
            if is_full or room < min(MIN_FRAME, left) or self.bytes_written >= turn_ends:
                return False
            self._write_some(inner, state, cutter, room)
        return False


class _RoomEvent(asyncio.Event):
    """Stands in for the event by which grpclib tells a stream that it may send more.

    Whoever waits is woken only if ``use_room`` has not done all there is to do: peers open windows by half
    a megabyte or less, and each time a task would need another turn of the event loop.
    """

    def __init__(self, use_room: Callable[[], bool]) -> None:
        super().__init__()
        self._use_room = use_room

    def set(self) -> None:
        """There is more room, or the stream has ended."""
        if not self._use_room():
            super().set()


def _room(inner: Any, state: Any) -> int:
    """How many bytes the windows of the connection and the stream allow."""
    window: int = min(inner._h2_connection.outbound_flow_control_window, state.outbound_flow_control_window)
    return window


def _write_frames(inner: Any, state: Any, cutter: FrameCutter, room: int, descriptor: int | None) -> int:
    """Makes frames and hands them to the transport; the result is how many bytes of messages they hold."""
    connection, h2 = inner.connection, inner._h2_connection
    pieces, size, nbytes = cutter.take(room, h2.max_outbound_frame_size)
    # From here to the write nothing may come between: the windows belong to these frames.
    h2.outbound_flow_control_window -= size
    state.outbound_flow_control_window -= size
    # What h2 still has to send, such as headers, comes before.
    connection.flush()
    write_pieces(connection._transport, descriptor, pieces, nbytes)
    return size


def _write_by_h2(inner: Any, cutter: FrameCutter, room: int) -> int:
    """The same for one frame, made by h2."""
    h2 = inner._h2_connection
    max_frame = h2.max_outbound_frame_size
    (_header, *data), size, _ = cutter.take(min(room, max_frame), max_frame)
    h2.send_data(inner.id, b"".join(data))
    inner.connection.flush()
    return size


def _may_send(state: Any, *, is_caller: bool) -> bool:
    """Whether a stream of h2 takes data, and somebody still wants it."""
    found = state.state_machine.state
    # The caller's peer has ended the call: whatever comes now goes nowhere.
    return found is StreamState.OPEN or (found is StreamState.HALF_CLOSED_REMOTE and not is_caller)


def _reset(inner: Any) -> None:
    """Tells the peer to forget the stream, if there still is one."""
    if inner is not None and inner.closable:
        inner._h2_connection.reset_stream(inner.id, error_code=ErrorCodes.CANCEL)
        inner.connection.flush()


def can_write_directly(stream: Stream) -> bool:
    """Whether grpclib and h2 are as the direct way needs them, and it is not switched off.

    Looks at the objects behind a call whose request or initial metadata was sent, and tries the way out once
    on a pair of h2's connections.
    """
    if os.environ.get(SWITCH) == "0":
        return False
    inner = inner_stream(stream)
    h2 = getattr(inner, "_h2_connection", None)
    state = getattr(h2, "streams", {}).get(getattr(inner, "id", None))
    connection = getattr(inner, "connection", None)
    return (
        type(getattr(h2, "outbound_flow_control_window", None)) is int
        and type(getattr(state, "outbound_flow_control_window", None)) is int
        and callable(getattr(connection, "flush", None))
        and callable(getattr(getattr(connection, "_transport", None), "write", None))
        and _windows_are_counters()
    )


@lru_cache(maxsize=1)
def _windows_are_counters() -> bool:
    """Whether taking bytes from h2's two windows does for a DATA frame all that h2 does by itself."""
    data = b"x" * 1000
    try:
        sender = H2Connection(H2Configuration(client_side=True))
        receiver = H2Connection(H2Configuration(client_side=False))
        sender.initiate_connection()
        receiver.initiate_connection()
        headers = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")]
        sender.send_headers(1, headers)
        receiver.receive_data(sender.data_to_send())
        sender.receive_data(receiver.data_to_send())
        before = sender.local_flow_control_window(1)
        pieces, size, _ = FrameCutter([Framed((data,), len(data))], 1).take(
            WRITE_SIZE, sender.max_outbound_frame_size
        )
        sender.outbound_flow_control_window -= size
        sender.streams[1].outbound_flow_control_window -= size
        counted = sender.local_flow_control_window(1)
        events = receiver.receive_data(b"".join(pieces))
        got = [event.data for event in events if isinstance(event, DataReceived)]
        sender.send_data(1, data, end_stream=True)
        receiver.receive_data(sender.data_to_send())
    except Exception:
        return False
    return got == [data] and counted == before - len(data)
