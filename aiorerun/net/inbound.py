"""The way in for the frames that come by the thousand: past h2, straight to who reads or writes a stream.

These are DATA and WINDOW_UPDATE. Only plain frames of streams in plain states take it; h2 gets everything
else, and all that is wrong.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER: Final = 9
_STREAM_IDS: Final = 0x7FFF_FFFF
_PREFACE: Final = 24
"""What a client's connection begins with, before the frames."""

_WINDOW_UPDATE: Final = b"\0\0\4\x08\0"
"""Length, type and flags of a WINDOW_UPDATE frame."""
_WINDOW_UPDATE_BYTES: Final = 13
_MAX_WINDOW: Final = 0x7FFF_FFFF


class InboundFrames:
    """Takes what a connection receives apart into frames.

    Args:
        h2: h2's connection.
        feed_h2: Leaves bytes to grpclib and h2.
        is_closing: Whether the connection is over.
        on_window: Told, once all bytes were looked at, that a stream may send more, by its number; 0 stands
            for all of them. ``None`` if h2 is to see to that.

    Attributes:
        sinks: Who reads the data of which stream: a function that is given bytes, and start and end of the
            part that is meant.
    """

    def __init__(
        self,
        h2: Any,
        feed_h2: Callable[[bytes], None],
        is_closing: Callable[[], bool],
        on_window: Callable[[int], None] | None = None,
    ) -> None:
        from h2.connection import ConnectionState
        from h2.stream import StreamState

        self._h2 = h2
        self._open = (ConnectionState.CLIENT_OPEN, ConnectionState.SERVER_OPEN)
        self._open_streams = (StreamState.OPEN, StreamState.HALF_CLOSED_LOCAL)
        self._sending_streams = (StreamState.OPEN, StreamState.HALF_CLOSED_REMOTE)
        self._feed_h2 = feed_h2
        self._is_closing = is_closing
        self._on_window = on_window
        # Bytes that go to h2 before the next frame begins.
        self._to_h2 = 0 if h2.config.client_side else _PREFACE
        # Bytes of a DATA frame that are still to come, and who gets them.
        self._rest = 0
        self._sink: Callable[[bytes, int, int], None] | None = None
        self._header = b""
        # Whose windows the bytes at hand have opened.
        self._wider: set[int] = set()
        self.sinks: dict[int, Callable[[bytes, int, int], None]] = {}

    def feed(self, data: bytes) -> None:
        """Takes bytes as they come in."""
        if self._header:
            data = self._header + data
            self._header = b""
        position, end = 0, len(data)
        # What h2 gets lies between these two.
        begin = 0
        while position < end:
            if self._rest:
                begin = position = self._pass_on(data, position, end)
            elif self._to_h2:
                step = min(self._to_h2, end - position)
                self._to_h2 -= step
                position += step
            elif end - position < _HEADER:
                self._header = data[position:]
                break
            else:
                size = int.from_bytes(data[position : position + 3], "big")
                stream_id = int.from_bytes(data[position + 5 : position + _HEADER], "big") & _STREAM_IDS
                is_window = self._on_window is not None and data.startswith(_WINDOW_UPDATE, position)
                # Otherwise: type DATA without any flag.
                if not is_window and (
                    data[position + 3] or data[position + 4] or stream_id not in self.sinks
                ):
                    self._to_h2 = _HEADER + size
                    continue
                # h2 has to know all that came before.
                self._leave(data, begin, position)
                begin = position
                if is_window and self._widens(stream_id, data, position, end):
                    begin = position = position + _WINDOW_UPDATE_BYTES
                elif not is_window and self._takes(stream_id, size):
                    self._rest, self._sink = size, self.sinks[stream_id]
                    begin = position = position + _HEADER
                else:
                    self._to_h2 = _HEADER + size
        self._leave(data, begin, position)
        if self._wider:
            self._tell_wider()

    def _tell_wider(self) -> None:
        """Once for all of them: as a rule a stream has more room when the connection has, and only then."""
        wider, self._wider = self._wider, set()
        assert self._on_window is not None
        for stream_id in (0,) if 0 in wider else wider:
            self._on_window(stream_id)

    def _leave(self, data: bytes, begin: int, end: int) -> None:
        if begin < end and not self._is_closing():
            self._feed_h2(data[begin:end] if begin or end < len(data) else data)

    def _pass_on(self, data: bytes, position: int, end: int) -> int:
        stop = min(position + self._rest, end)
        self._rest -= stop - position
        assert self._sink is not None
        self._sink(data, position, stop)
        return stop

    def _takes(self, stream_id: int, size: int) -> bool:
        """Whether h2 would do nothing with a frame but to count its bytes. Counts them, too."""
        h2 = self._h2
        state = h2.streams.get(stream_id)
        if (
            state is None
            or size > h2.max_inbound_frame_size
            or size > h2._inbound_flow_control_window_manager.current_window_size
            or size > state._inbound_window_manager.current_window_size
            or state._expected_content_length is not None
            or state.state_machine.state not in self._open_streams
            or h2.state_machine.state not in self._open
            # In the middle of a header block there must not be any data.
            or h2.incoming_buffer._headers_buffer
        ):
            return False
        h2._inbound_flow_control_window_manager.current_window_size -= size
        state._inbound_window_manager.current_window_size -= size
        return True

    def _widens(self, stream_id: int, data: bytes, position: int, end: int) -> bool:
        """Whether h2 would do nothing with a WINDOW_UPDATE but to count its bytes. Counts them, too."""
        h2 = self._h2
        target = h2.streams.get(stream_id) if stream_id else h2
        if (
            end - position < _WINDOW_UPDATE_BYTES
            or self._is_closing()
            or target is None
            or (target is not h2 and target.state_machine.state not in self._sending_streams)
            or h2.state_machine.state not in self._open
            or h2.incoming_buffer._headers_buffer
        ):
            return False
        more = int.from_bytes(data[position + _HEADER : position + _WINDOW_UPDATE_BYTES], "big")
        # With the reserved bit set it is larger than any window.
        if not 0 < more <= _MAX_WINDOW - target.outbound_flow_control_window:
            return False
        target.outbound_flow_control_window += more
        self._wider.add(stream_id)
        return True


@lru_cache(maxsize=1)
def can_count_for_h2() -> bool:
    """Whether h2 is as :class:`InboundFrames` needs it: tried once, on a pair of connections."""
    try:
        return _received(directly=True) == _received(directly=False)
    # Whatever goes wrong, h2 has changed.
    except Exception:
        return False


def _received(*, directly: bool) -> object:
    """What is there to be seen after some data was received, and leave to send more."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, WindowUpdated

    client = H2Connection(H2Configuration(client_side=True))
    server = H2Connection(H2Configuration(client_side=False))
    client.initiate_connection()
    server.initiate_connection()
    client.send_headers(1, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")])
    got: list[bytes] = []

    wider: list[int | None] = []

    def feed_h2(data: bytes) -> None:
        events = server.receive_data(data)
        got.extend(bytes(event.data or b"") for event in events if isinstance(event, DataReceived))
        wider.extend(event.stream_id for event in events if isinstance(event, WindowUpdated))

    frames = InboundFrames(server, feed_h2, lambda: False, wider.append if directly else None)
    if directly:
        frames.sinks[1] = lambda data, start, end: got.append(data[start:end])
    frames.feed(client.data_to_send())
    for number in range(3):
        client.send_data(1, bytes((number,)) * 16_000)
        frames.feed(client.data_to_send())
    counted = server.remote_flow_control_window(1)
    server.data_to_send()
    server.acknowledge_received_data(48_000, 1)
    client.increment_flow_control_window(100)
    client.increment_flow_control_window(1000, 1)
    frames.feed(client.data_to_send())
    windows = server.outbound_flow_control_window, server.streams[1].outbound_flow_control_window
    # Whether the connection's window was opened says enough.
    return b"".join(got), counted, server.data_to_send(), 0 in wider, windows
