"""Long messages: cut at once, and handed over in few writes."""

from __future__ import annotations

import os
from typing import Any

import pytest

from aiorerun.net.data_frames import MIN_FRAME, WRITE_SIZE, FrameCutter
from aiorerun.net.frames import MessageWriter
from aiorerun.net.logmsg import Framed
from aiorerun.net.reading import MessageReader
from tests.unit.net.serving import Proxy, connected, framed, serving, writing

MAX_FRAME = 16_384
SIZES = [MAX_FRAME, 3 * MAX_FRAME, 3 * MAX_FRAME + 1, 5 * MAX_FRAME - 1, WRITE_SIZE, 2 * WRITE_SIZE + 255]


@pytest.mark.parametrize("limit", [WRITE_SIZE, 4 * MAX_FRAME, 2 * MAX_FRAME, MAX_FRAME])
@pytest.mark.parametrize("size", SIZES)
def test_runs_of_frames_are_what_single_frames_would_be(size: int, limit: int) -> None:
    parts = [b"head", os.urandom(size), b"tail" * 100, os.urandom(size)]
    cutter = FrameCutter([Framed(tuple(parts), sum(map(len, parts)))] * 2, 7)
    wire, turns = b"", []
    while cutter.ready(1):
        pieces, taken, nbytes = cutter.take(limit, MAX_FRAME)
        assert nbytes == sum(map(len, pieces))
        turns.append(taken)
        wire += b"".join(pieces)
    data, sizes = b"", []
    while wire:
        length = int.from_bytes(wire[:3], "big")
        assert wire[3:9] == b"\0\0\0\0\0\7"
        data += wire[9 : 9 + length]
        sizes.append(length)
        wire = wire[9 + length :]
    assert data == b"".join(parts) * 2
    assert sum(turns) == cutter.taken == len(data)
    assert all(limit - MIN_FRAME <= taken <= limit for taken in turns[:-1])
    assert all(MIN_FRAME <= length <= MAX_FRAME for length in sizes)


class CountingTransport:
    """Counts the writes to another one."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.sizes: list[int] = []

    def get_extra_info(self, name: str) -> None:
        """No socket, which would be written to past the transport."""

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self.transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


async def test_long_messages_take_few_writes() -> None:
    got = 0

    async def write(stream: Any) -> None:
        nonlocal got
        async for body in MessageReader(stream):
            got += len(body)
        await stream.send_message(b"")

    async with (
        serving(Proxy(write=write), window=16 << 20) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        await stream.send_request()
        connection = stream._stream.connection
        counting = connection._transport = CountingTransport(connection._transport)
        size = 8 * WRITE_SIZE
        await MessageWriter(stream).write([framed(bytes(size))])
        assert max(counting.sizes) <= WRITE_SIZE + WRITE_SIZE // MAX_FRAME * 9 + 9 * 2
        # One per part, and what the peer's windows and the rest of the message add.
        assert len([length for length in counting.sizes if length > MIN_FRAME]) <= 8 + 4
        await stream.end()
        await stream.recv_message()
    assert got == size
