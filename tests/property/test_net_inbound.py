"""Frames that go past h2 have the same effect as those that go through it."""

from __future__ import annotations

from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, WindowUpdated
from h2.exceptions import ProtocolError
from hypothesis import given, settings, strategies as st

from aiorerun.net.inbound import InboundFrames

HEADERS = [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")]


class Receiver:
    """A server's side of a connection that keeps all that happens."""

    def __init__(self, direct: list[int]) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.data: dict[int, bytes] = {}
        self.others: list[str] = []
        self.passed = 0
        self.is_broken = False
        self.widened: list[int] = []
        self.widened_by_h2: list[int | None] = []
        self.frames = InboundFrames(
            self.h2, self._feed, lambda: self.is_broken, self._widen if direct else None
        )
        for stream in direct:
            self.frames.sinks[stream] = self._sink(stream)

    def _sink(self, stream: int) -> Any:
        def take(data: bytes, start: int, end: int) -> None:
            self.passed += end - start
            self.data[stream] = self.data.get(stream, b"") + data[start:end]

        return take

    def _widen(self, stream: int) -> None:
        self.widened.append(stream)

    def _feed(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError as error:
            self.is_broken = True
            self.others.append(type(error).__name__)
            return
        for event in events:
            if isinstance(event, DataReceived):
                self.data[event.stream_id] = self.data.get(event.stream_id, b"") + bytes(event.data or b"")
            elif isinstance(event, WindowUpdated):
                self.widened_by_h2.append(event.stream_id)
            else:
                self.others.append(type(event).__name__)

    def state(self) -> Any:
        streams = [stream for _, stream in sorted(self.h2.streams.items())]
        windows = [(s.inbound_flow_control_window, s.outbound_flow_control_window) for s in streams]
        connection = self.h2.inbound_flow_control_window, self.h2.outbound_flow_control_window
        data = {stream: data for stream, data in self.data.items() if data}
        wider = {*self.widened, *self.widened_by_h2}
        # Streams need not be told as well if all of them are.
        return data, self.others, 0 in wider or wider, windows, connection, self.h2.data_to_send()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


GOOD = st.one_of(
    st.tuples(st.just("data"), st.sampled_from([1, 3]), st.integers(0, 3000), st.booleans()),
    st.tuples(st.just("ping")),
    st.tuples(st.just("window"), st.sampled_from([0, 1, 3])),
    st.tuples(st.just("settings")),
    st.tuples(st.just("padded"), st.sampled_from([1, 3]), st.integers(0, 100)),
    st.tuples(st.just("acknowledge"), st.sampled_from([1, 3])),
    st.tuples(st.just("reset"), st.sampled_from([1, 3])),
)
BAD = st.one_of(
    st.builds(frame, st.just(0), st.just(0), st.sampled_from([0, 1, 3, 5, 7]), st.binary(max_size=20)),
    st.just(frame(0, 0, 1, bytes(16_384)) * 5),
    st.just(frame(0, 0, 1, bytes(17_000))),
    st.just(frame(1, 0, 9, b"") + frame(0, 0, 1, b"a")),
    st.just(frame(0, 8, 1, b"\xffab")),
    st.builds(
        frame,
        st.just(8),
        st.just(0),
        st.sampled_from([0, 1, 3, 5]),
        st.sampled_from([b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\1", b"\0\0\1", b"\0\0\0\0\1"]),
    ),
)


def act(client: H2Connection, step: Any) -> bytes:
    """What a client sends for a step."""
    kind, *arguments = step
    try:
        if kind == "data":
            stream, size, ends = arguments
            client.send_data(stream, bytes((size % 251,)) * size, end_stream=ends and size % 7 == 0)
        elif kind == "padded":
            stream, size = arguments
            client.send_data(stream, b"p" * size, pad_length=size)
        elif kind == "ping":
            client.ping(b"12345678")
        elif kind == "window":
            client.increment_flow_control_window(10, arguments[0] or None)
        elif kind == "settings":
            client.update_settings({4: 70_000})
        elif kind == "reset":
            client.reset_stream(arguments[0])
    except ProtocolError:
        # It has ended or reset that stream before, or the window is used up.
        return b""
    return client.data_to_send()


@settings(max_examples=200)
@given(
    st.lists(GOOD, max_size=40),
    st.none() | BAD,
    st.lists(st.integers(1, 5000), min_size=1, max_size=10),
    st.sampled_from([[1], [1, 3], []]),
)
def test_the_same_happens(steps: list[Any], bad: bytes | None, cuts: list[int], direct: list[int]) -> None:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    for stream in (1, 3):
        client.send_headers(stream, HEADERS)
    parts: list[Any] = [client.data_to_send()]
    parts += [act(client, step) if step[0] != "acknowledge" else step for step in steps]
    parts.append(bad or b"")
    one, other = Receiver(direct), Receiver([])
    turn = 0
    for part in parts:
        if not isinstance(part, bytes):
            for receiver in (one, other):
                if not receiver.is_broken and part[1] in receiver.h2.streams:
                    size = len(receiver.data.get(part[1], b""))
                    receiver.h2.acknowledge_received_data(min(size, 500), part[1])
            continue
        other.frames.feed(part)
        while part:
            size = cuts[turn % len(cuts)]
            turn += 1
            one.frames.feed(part[:size])
            part = part[size:]
    if one.is_broken or other.is_broken:
        # What is counted when the connection is over does not matter.
        assert one.others == other.others
        assert one.is_broken == other.is_broken
    else:
        assert one.state() == other.state()


def test_data_really_goes_past() -> None:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, HEADERS)
    receiver = Receiver([1])
    receiver.frames.feed(client.data_to_send())
    client.send_data(1, b"a" * 1000)
    receiver.frames.feed(client.data_to_send())
    assert receiver.passed == 1000
    # The end of a stream is for h2 to know.
    client.send_data(1, b"b" * 10, end_stream=True)
    receiver.frames.feed(client.data_to_send())
    assert receiver.passed == 1000
    assert receiver.data[1] == b"a" * 1000 + b"b" * 10
    assert receiver.others[-1] == "StreamEnded"


def test_leave_to_send_more_goes_past() -> None:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, HEADERS)
    receiver = Receiver([1])
    receiver.frames.feed(client.data_to_send())
    client.increment_flow_control_window(1000)
    client.increment_flow_control_window(1000, 1)
    data = client.data_to_send()
    receiver.frames.feed(data)
    # One of them is for all streams.
    assert receiver.widened == [0]
    # A frame that is cut goes through h2.
    receiver.frames.feed(data[:10])
    receiver.frames.feed(data[10:])
    assert receiver.widened == [0, 1]
    assert receiver.widened_by_h2 == [0]
    assert receiver.h2.outbound_flow_control_window == 65_535 + 2000
    assert receiver.h2.streams[1].outbound_flow_control_window == 65_535 + 2000


@pytest.mark.parametrize("size", [0, 1, 8, 9, 10])
def test_frames_cut_in_their_headers(size: int) -> None:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, HEADERS)
    receiver = Receiver([1])
    receiver.frames.feed(client.data_to_send())
    client.send_data(1, b"a" * 100)
    data = client.data_to_send() + frame(6, 0, 0, b"12345678")
    receiver.frames.feed(data[:size])
    receiver.frames.feed(data[size:])
    assert receiver.data == {1: b"a" * 100}
    assert receiver.others[-1] == "PingReceived"
